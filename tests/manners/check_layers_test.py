"""Shows that scripts/check_layers.py finds each kind of fault in a small tree, and accepts a sound one."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

CHECKER = Path(__file__).resolve().parents[2] / "scripts" / "check_layers.py"
HEADER = "// What it is.\n#pragma once\n"
SOUND = {
    "lib/base/error.h": HEADER,
    "lib/text/json.h": HEADER + "#include <nlohmann/json.hpp>\n",
    "lib/arch/model_config.h": HEADER + '#include "base/error.h"\n',
    "lib/model/model.h": HEADER + '#include <ATen/ATen.h>\n#include "arch/model_config.h"\n',
    "lib/engine/engine.h": HEADER + '#include "base/error.h"\n',
    "lib/train/engine.cc": '// What it is.\n#include "engine/engine.h"\n#include "model/model.h"\n',
    "cmd/main.cc": '// What it is.\n#include <CLI/CLI.hpp>\n#include "engine/engine.h"\n',
    "scripts/run.sh": "#!/usr/bin/env bash\n# What it is.\n",
}


def check(files):
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        done = subprocess.run([sys.executable, CHECKER, folder], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr


class CheckLayers(unittest.TestCase):
    def refused(self, name, text, expected):
        code, said = check(SOUND | {name: text})
        self.assertEqual(code, 1, said)
        self.assertIn(expected, said)
        self.assertEqual(len(said.strip().splitlines()), 1, said)

    def test_a_sound_tree_is_accepted(self):
        code, said = check(SOUND)
        self.assertEqual(code, 0, said)
        self.assertIn("8 files", said)

    def test_an_upward_include_is_refused(self):
        self.refused("lib/base/crc32c.h", HEADER + '#include "arch/model_config.h"\n', "base may not include arch")

    def test_a_sideways_include_is_refused(self):
        self.refused("lib/data/x.cc", '// X.\n#include "arch/model_config.h"\n', "data may not include arch")

    def test_a_room_outside_the_table_is_refused(self):
        self.refused("lib/util/x.cc", "// X.\n", "the room util is not in the table")

    def test_an_include_cycle_is_refused(self):
        self.refused("lib/base/error.h", HEADER + '#include "base/error.h"\n', "include cycle: lib/base/error.h")

    def test_a_package_outside_its_owner_is_refused(self):
        for include, package in {
            "hdf5.h": "HDF5", "yaml-cpp/yaml.h": "yaml-cpp", "CLI/CLI.hpp": "CLI11", "c10/util/Half.h": "LibTorch",
            "sentencepiece_processor.h": "SentencePiece", "hwy/highway.h": "Highway", "nlohmann/json.hpp": "nlohmann-json",
            "sys/mman.h": "mmap",
        }.items():
            with self.subTest(include):
                self.refused("lib/arch/x.cc", f"// X.\n#include <{include}>\n", f"includes {package}, which belongs to")

    def test_a_second_file_with_a_package_of_one_file_is_refused(self):
        first = {"lib/schedule/a.cc": "// A.\n#include <yaml-cpp/yaml.h>\n"}
        self.assertEqual(check(SOUND | first)[0], 0)
        code, said = check(SOUND | first | {"lib/schedule/b.cc": "// B.\n#include <yaml-cpp/yaml.h>\n"})
        self.assertEqual(code, 1)
        self.assertIn("lib/schedule/a.cc, lib/schedule/b.cc: yaml-cpp may be included by 1 file only", said)

    def test_a_way_from_a_command_to_libtorch_is_refused(self):
        code, said = check(SOUND | {"cmd/train.cc": '// X.\n#include "model/model.h"\n'})
        self.assertEqual(code, 1)
        self.assertIn("cmd may not include model", said)
        self.assertIn("leads to LibTorch by way of lib/model/model.h -> ATen/ATen.h", said)

    def test_a_rename_outside_the_file_seam_is_refused(self):
        self.refused("lib/state/x.cc", "// X.\nvoid f() { std::filesystem::rename(a, b); }\n", "the file seam of io")

    def test_a_header_without_pragma_once_is_refused(self):
        self.refused("lib/base/x.h", "// X.\n", "without #pragma once")

    def test_a_file_that_does_not_say_what_it_is_is_refused(self):
        self.refused("scripts/x.sh", "#!/usr/bin/env bash\nset -e\n", "the first line is not a comment")

    def test_a_long_file_is_refused(self):
        self.refused("lib/base/x.cc", "// X.\n" * 401, "401 lines")

    def test_a_long_room_is_refused(self):
        code, said = check(SOUND | {f"lib/base/x{i}.cc": "// X.\n" * 400 for i in range(6)})
        self.assertEqual(code, 1, said)
        self.assertIn("lib/base: 2402 lines", said)


if __name__ == "__main__":
    unittest.main()
