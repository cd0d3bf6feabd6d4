#!/usr/bin/env python3
"""Checks that the files of the house keep to docs/house.md: rooms, owners of packages, sizes, first lines.

usage: check_layers.py [ROOT]   Prints one line per fault and leaves with 1 if there is one.
"""

import re
import sys
from pathlib import Path

# What each room may include, besides itself.
BASE = ["base", "text", "io"]
GROWTH = ["arch", "grow", "learned", "schedule", "runlog"]
PLAN = [*BASE, *GROWTH, "policies", "scaling", "data", "plan"]
COST = [*PLAN, "cost"]
FIT = [*COST, "statistics", "fit"]
FORECAST = [*FIT, "forecast"]
MAY_INCLUDE = {
    "base": [],
    "text": ["base"],
    "io": ["base", "text"],
    "launch": ["base", "text"],
    "arch": ["base", "text"],
    "data": BASE,
    "tokenizers": BASE,
    "prepare": [*BASE, "data", "tokenizers"],
    "state": [*BASE, "arch"],
    "checkpoint": [*BASE, "arch", "state"],
    "inspect": [*BASE, "arch", "state", "checkpoint"],
    "modelfiles": [*BASE, "arch"],
    "foreign": [*BASE, "arch", "tokenizers", "modelfiles"],
    "hub": [*BASE, "arch", "state", "checkpoint", "tokenizers", "modelfiles", "foreign"],
    "grow": ["base", "text", "arch"],
    "learned": ["base", "text", "arch", "grow"],
    "widths": ["base", "text", "arch", "grow"],
    "operators": ["base", "text", "arch", "grow", "learned", "widths"],
    "apply": [*BASE, "arch", "state", "checkpoint", "grow", "learned"],
    "schedule": [*BASE, "arch", "grow"],
    "scaling": ["base", "text"],
    "statistics": ["base", "text", "scaling"],
    "runlog": [*BASE, "arch"],
    "policies": [*BASE, "arch", "schedule"],
    "plan": [*BASE, *GROWTH, "policies", "data", "checkpoint", "scaling"],
    "cost": PLAN,
    "fit": [*COST, "statistics"],
    "outcomes": FIT,
    "forecast": FIT,
    "lengths": [*FORECAST, "outcomes", "checkpoint"],
    "optimize": FORECAST,
    "jobs": FORECAST,
    "figures": BASE,
    "compare": [*BASE, "arch", "runlog", "figures"],
    "run_report": [*BASE, "arch", "runlog", "figures", "compare"],
    "plan_report": [*FORECAST, "optimize", "figures", "compare"],
    "engine": [*COST, "state"],
    "kernels": [],
    "products": ["kernels"],
    "cuda_kernels": ["kernels"],
    "dist": ["base", "text", "launch"],
    "model": [*BASE, "arch", "state", "data", "kernels", "products", "cuda_kernels"],
    "adapters": [*BASE, "arch", "learned", "state", "model"],
    "reference": [*BASE, "arch", "kernels", "products", "model"],
    "fused": [*BASE, "arch", "kernels", "products", "model"],
    "eval": [*BASE, "data", "tokenizers", "model", "reference"],
    "optim": [*BASE, "arch", "grow", "schedule", "kernels", "dist", "model"],
    "runfolder": [*PLAN, "state", "checkpoint", "apply", "model", "adapters"],
    "record": [*FORECAST, "tokenizers", "state", "checkpoint", "outcomes", "lengths", "engine"],
    "replicas": ["checkpoint", *PLAN, "state", "engine", "launch", "dist", "model", "adapters", "runfolder", "record"],
    "scoring": [*PLAN, "tokenizers", "state", "checkpoint", "engine", "dist", "model", "eval", "optim", "runfolder", "record", "replicas"],
}
GROUND = list(MAY_INCLUDE)[: list(MAY_INCLUDE).index("engine") + 1]
UPPER = [*list(MAY_INCLUDE)[len(GROUND) :], "train"]
# The training loop does not know the search for stages, nor the pages.
NOT_TRAIN = ["hub", "foreign", "modelfiles", "prepare", "optimize", "jobs", "figures", "compare", "run_report", "plan_report"]
MAY_INCLUDE["train"] = [room for room in GROUND + UPPER if room not in NOT_TRAIN]
MAY_INCLUDE["cmd"] = GROUND
# Rooms that live without LibTorch: nothing they include may lead to it.
WITHOUT_TORCH = GROUND + ["kernels", "products", "cuda_kernels", "cmd"]
TORCH = r"(torch|ATen|c10|c10d)/"

# Package: the includes that mean it, the files that may have them, and how many files may.
OWNERS = {
    "HDF5": (r"(hdf5|hdf5_hl|H5\w*)\.h", r"lib/checkpoint/\w+\.cc", 1),
    "yaml-cpp": (r"yaml-cpp/", r"lib/schedule/\w+\.cc", 1),
    "SentencePiece": (r"sentencepiece\w*\.h", r"lib/tokenizers/\w+\.cc", 1),
    "PCRE2": (r"pcre2\w*\.h", r"lib/tokenizers/\w+\.cc", 1),
    "zlib and libzstd": (r"(zlib|zstd)\.h", r"lib/prepare/\w+\.cc", 1),
    "nlohmann-json": (r"nlohmann/", r"lib/text/json(_fwd)?\.h", 2),
    "Eigen": (r"Eigen/", r"lib/(statistics|learned)/", None),
    "Boost": (r"boost/", r"lib/scaling/", None),
    "CLI11": (r"CLI/", r"cmd/", None),
    "Highway": (r"hwy/", r"lib/(kernels|products)/", None),
    "CUDA": (r"(cuda|cublas|cudnn|nccl)\w*\.h", r"lib/cuda_kernels/", None),
    "LibTorch": (TORCH, r"lib/(dist|model|adapters|reference|fused|optim|runfolder|replicas|scoring|train)/", None),
    "c10d": (r"torch/csrc/distributed/", r"lib/dist/\w+\.cc", 1),
    "mmap": (r"sys/mman\.h", r"lib/io/\w+\.cc", 2),
}
# Calls that belong to one room.
CALLS = {
    "the file seam of io": (r"(?:std::filesystem|fs)::rename\(|(?<![\w>.:])::(?:fsync|rename|mmap)\(", r"lib/io/"),
    "the JSON of text, which limits its depth": (r"[Jj]son::parse\(", r"lib/text/"),
}
MOST_LINES = 400
MOST_LINES_OF_A_ROOM = 2300
COMMENT = {".h": "//", ".cc": "//", ".cu": "//", ".py": ("#", '"""'), ".sh": "#", ".cmake": "#"}
CHECKED = ["lib", "cmd", "tests", "bench", "scripts", "cmake", "schedules", ".ci", "CMakeLists.txt"]

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.M)


def source_files(root):
    for place in CHECKED:
        path = root / place
        found = sorted(path.rglob("*")) if path.is_dir() else [path]
        whole = place in ("schedules", ".ci")
        yield from (f for f in found if f.is_file() and (f.suffix in COMMENT or f.name == "CMakeLists.txt" or whole))


def room_of(name):
    parts = name.split("/")
    if parts[0] == "lib" and len(parts) > 2:
        return parts[1]
    return "cmd" if parts[0] == "cmd" else None


def check_form(name, text, faults):
    lines = text.split("\n")
    first = lines[1] if lines[0].startswith("#!") and len(lines) > 1 else lines[0]
    if Path(name).suffix != ".json" and not first.startswith(COMMENT.get(Path(name).suffix, "#")):  # JSON has none
        faults.append(f"{name}:1: the first line is not a comment that says what the file is")
    if len(lines) - 1 > MOST_LINES:
        faults.append(f"{name}: {len(lines) - 1} lines; a file stops at {MOST_LINES}")
    # Highway includes *_inl.h once for each instruction set.
    if name.endswith(".h") and not name.endswith("_inl.h") and "#pragma once" not in lines:
        faults.append(f"{name}: a header without #pragma once")


def check_rooms(name, includes, faults):
    room = room_of(name)
    if room is None:
        return
    if room not in MAY_INCLUDE:
        faults.append(f"{name}: the room {room} is not in the table")
        return
    for include in includes:
        other = include.split("/")[0] if "/" in include else None  # <compare> is no room
        if other in MAY_INCLUDE and other != room and other not in MAY_INCLUDE[room]:
            faults.append(f"{name}: includes {include}, but {room} may not include {other}")


def check_owners(files, faults):
    for package, (pattern, place, most) in OWNERS.items():
        users = [n for n, (_, includes) in files.items() if any(re.match(pattern, i) for i in includes)]
        owners = [n for n in users if re.match(place, n)]
        shown = place.replace(r"\w+", "*").replace("\\", "")
        faults += [f"{n}: includes {package}, which belongs to {shown}" for n in users if room_of(n) and n not in owners]
        if most and len(owners) > most:
            faults.append(f"{', '.join(owners)}: {package} may be included by {most} file only")
    for what, (pattern, place) in CALLS.items():
        for name, (text, _) in files.items():
            if room_of(name) and re.search(pattern, text) and not re.match(place, name):
                faults.append(f"{name}: a call that belongs to {what}")


def check_sizes(files, faults):
    sizes = {}
    for name, (text, _) in files.items():
        if name.startswith("lib/") and room_of(name):
            sizes[room_of(name)] = sizes.get(room_of(name), 0) + text.count("\n")
    faults += [f"lib/{room}: {lines} lines; a room stops at {MOST_LINES_OF_A_ROOM}" for room, lines in sizes.items()
               if lines > MOST_LINES_OF_A_ROOM]


def walk_includes(files, faults):
    """Finds include cycles, and files that live without LibTorch but lead to it."""
    torch = {}  # file -> the includes, one after another, that lead to LibTorch, or None

    def visit(name, path):
        if name in path:
            faults.append("include cycle: " + " -> ".join(path[path.index(name) :] + [name]))
            return None
        if name not in torch:
            torch[name] = None
            for include in files[name][1]:
                target = next((t for t in ("lib/" + include, include, "cmd/" + include) if t in files), None)
                found = [include] if re.match(TORCH, include) else target and visit(target, path + [name])
                torch[name] = torch[name] or (found and [name] + found)
        return torch[name]

    for name in files:
        trail = visit(name, [])
        if trail and len(trail) > 2 and room_of(name) in WITHOUT_TORCH:
            faults.append(f"{name}: leads to LibTorch by way of {' -> '.join(trail[1:])}")


def main(root):
    faults, files = [], {}
    for path in source_files(root):
        name = path.relative_to(root).as_posix()
        text = path.read_text(encoding="utf-8")
        files[name] = (text, INCLUDE.findall(text))
        check_form(name, text, faults)
        check_rooms(name, files[name][1], faults)
    check_owners(files, faults)
    check_sizes(files, faults)
    walk_includes(files, faults)
    print("\n".join(faults) if faults else f"{len(files)} files keep to docs/house.md")
    return 1 if faults or not files else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent)))
