"""Tests the reader on a run that ctest made: test_stagedtrain_h5.py RUN DOCS (tests/cli/python_reader_cli_test.cc)."""
import json
import pathlib
import re
import sys
import tempfile
import unittest

import h5py
import numpy as np

import stagedtrain_h5 as st

RUN, DOCS = pathlib.Path(), pathlib.Path()
LAST = "stages/full.h5"


class Checkpoints(unittest.TestCase):
    def test_what_a_checkpoint_holds(self):
        with st.Checkpoint(RUN / LAST) as c:
            width, layers = c.config["width"], c.config["layers"]
            self.assertEqual(c.weights["embed.token"].shape, (c.config["vocab"], width))
            self.assertEqual(c.weights[f"layers.{layers - 1}.mlp.down.weight"].shape, (width, c.config["ffn"]))
            self.assertNotIn(f"layers.{layers}.mlp.down.weight", c.weights)
            self.assertEqual(list(c.weights), list(c.exp_avg))
            self.assertTrue((c.exp_avg_sq["embed.token"] >= 0).all() and c.exp_avg["embed.token"].any())
            self.assertEqual(c.lineage[-1]["model"]["layers"], 1)
            self.assertGreater(c.step, c.lineage[-1]["step"])
            self.assertEqual(c.tokenizer(), b"bytes")

    def test_a_tensor_can_be_mapped(self):
        with st.Checkpoint(RUN / LAST) as c:
            for name in c.weights:
                offset, dtype, shape = c.offset(name)
                mapped = np.memmap(c.path, dtype, "r", offset, shape)
                np.testing.assert_array_equal(mapped, c.weights[name])

    def test_another_file_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "other.h5"
            with h5py.File(path, "w") as f:
                f["weights"] = 1
            with self.assertRaisesRegex(ValueError, "not a checkpoint"):
                st.Checkpoint(path)
            with h5py.File(path, "a") as f:
                f.attrs["format"], f.attrs["format_version"] = st.FORMAT, 4
            with self.assertRaisesRegex(ValueError, "version 4, expected 3"):
                st.Checkpoint(path)

    def test_the_snippets_of_the_docs_run(self):
        text = (DOCS / "checkpoint-format.md").read_text()
        snippets = re.findall(r"```python\n(.*?)```", text, re.S)
        self.assertGreaterEqual(len(snippets), 2)
        for snippet in snippets:
            self.assertIn("runs/demo/stages/full.h5", snippet)
            try:
                exec(compile(snippet.replace("runs/demo/stages/full.h5", str(RUN / LAST)), "snippet", "exec"), {})
            except ModuleNotFoundError as missing:
                if missing.name != "crc32c":
                    raise
                print("not run, since crc32c is not installed:", snippet.splitlines()[0], file=sys.stderr)


class RunLogs(unittest.TestCase):
    def log(self, text, event="step"):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "run.jsonl"
            path.write_text(text)
            return st.run_log(path, event)

    def test_the_log_of_the_run(self):
        steps, ends = st.run_log(RUN), st.run_log(RUN, event="stage_end")
        self.assertEqual(steps["loss"].dtype, float)
        self.assertTrue((np.diff(steps["step"]) > 0).all())
        with st.Checkpoint(RUN / LAST) as c:
            self.assertEqual(ends["step"][-1], c.step)
        self.assertEqual(list(ends["stage"]), ["small", "full"])
        self.assertEqual(len(st.run_log(RUN, event="grow")["step"]), 1)

    def test_rules_of_the_log(self):
        def step(number, loss):
            return json.dumps({"event": "step", "step": number, "stage": "a", "loss": loss}) + "\n"

        resumed = step(1, 5) + step(2, 4) + step(3, None) + '{"event":"resume","step":1}\n' + step(2, 3) + '{"event"'
        table = self.log(resumed)
        self.assertEqual(list(table["step"]), [1, 2])
        self.assertEqual(list(table["loss"]), [5, 3])
        self.assertTrue(np.isnan(self.log(step(1, None))["loss"][0]))
        self.assertEqual(list(self.log(step(1, 5) + step(1, 6))["loss"]), [6])
        self.assertEqual(list(self.log(step(1, 5) + '{"ev\n{"event":"resume","step":1}\n')["loss"]), [5])
        with self.assertRaisesRegex(ValueError, "run.jsonl:1"):
            self.log('{"ev\n' + step(1, 5))


if __name__ == "__main__":
    RUN, DOCS = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    unittest.main(argv=sys.argv[:1])
