"""Checks the JSON Schema of schedules: check_schema.py SCHEMA.json ROOT. Needs jsonschema and PyYAML.

Every schedule of the tree fits it, and each change of one that the program refuses does not.
"""
import copy
import json
import pathlib
import sys

import jsonschema
import yaml

CHANGES = [  # path, value
    ("lr.peek", 1),
    ("lr.peak", "fast"),
    ("lr.peak", 0),
    ("lr.curve", "wavy"),
    ("model.layers", 0),
    ("model.layers", 2.5),
    ("model.tied", "maybe"),
    ("precision", "fp8"),
    ("optimizer.betas", 0.9),
    ("stages.0.for", "long ago"),
    ("stages.0.train_only", "old"),
    ("stages.0.model", {"layer": 2}),
    ("stages.1.grow", [{"operator": "deep"}]),
    ("stages.1.grow", [{"operator": "depth", "layerz": 4}]),
    ("stages.1.grow", [{"layers": 4}]),
    ("surprise", 1),
]
ACCEPTED = [
    ("lr.peak", "3e-3"),
    ("seed", "1_000"),
    ("model.vocab", "64Ki"),
    ("stages.0.for", "10M tokens"),
    ("stages.0.for", "auto"),
    ("stages.0.for", 900),
    ("lr.decay", "20%"),
    ("checkpoint.every", "30m"),
    ("stages.0.until", {"slope": "auto"}),
    ("stages.0.until", {"slope": -0.05}),
    ("machine.flops", "312T"),
]


def changed(schedule, path, value):
    result = copy.deepcopy(schedule)
    *folders, last = [int(key) if key.isdigit() else key for key in path.split(".")]
    place = result
    for key in folders:
        place = place[key] if isinstance(key, int) else place.setdefault(key, {})
    place[last] = value
    return result


def main(schema_path, root):
    schema = json.loads(pathlib.Path(schema_path).read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    faults = []
    paths = sorted((root / "schedules").rglob("*.yaml")) + sorted((root / "bench").rglob("*.yaml"))
    for path in paths:
        for error in validator.iter_errors(yaml.safe_load(path.read_text())):
            faults.append(f"{path}: {error.json_path}: {error.message}")
    base = yaml.safe_load((root / "schedules/operators/depth.yaml").read_text())
    faults += [f"{p} = {v!r} is accepted" for p, v in CHANGES if validator.is_valid(changed(base, p, v))]
    faults += [f"{p} = {v!r} is refused" for p, v in ACCEPTED if not validator.is_valid(changed(base, p, v))]
    for key in ("data", "model", "stages"):
        faults += [f"a schedule without {key} is accepted"] if validator.is_valid({k: v for k, v in base.items() if k != key}) else []
    print("\n".join(faults) or f"{len(paths)} schedules fit")
    return 1 if faults or len(paths) < 10 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], pathlib.Path(sys.argv[2])))
