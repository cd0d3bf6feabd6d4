#!/usr/bin/env python3
"""Compares what TensorBoard reads of a run with its run.jsonl: killed on the way, resumed, and grown.

  .deps/readers/bin/python tests/runlog/with_tensorboard.py --program build/test/stagedtrain

Leaves with 77, skipped, where tensorboard is missing (scripts/setup.sh --tests makes a Python that has it).
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

try:
    import numpy
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

STEPS = 1500  # of each stage; eight scalars a step
SCALARS = {"train/loss": ("step", "loss"), "train/grad_norm": ("step", "grad_norm"), "train/lr": ("step", "lr"),
           "perf/tokens_per_second": ("step", "tokens_per_second"), "perf/flops_per_second": ("step", "flops_per_second"),
           "perf/mfu": ("step", "mfu"), "progress/tokens": ("step", "tokens"), "progress/flops": ("step", "flops"),
           "growth/loss_before": ("grow", "loss_before"), "growth/loss_after": ("grow", "loss_after")}


def schedule(folder):
    return f"""
data: {{train: {folder}/data/train.bin, validation: {folder}/data/validation.bin}}
model: {{architecture: gpt2, layers: 2, width: 16, heads: 2, context: 16, vocab: 256}}
batch: {{sequences: 2}}
lr: {{peak: 0.003, warmup: 10, decay: 30%}}
stages:
  - {{name: shallow, model: {{layers: 1}}, for: {STEPS} steps}}
  - {{name: full, grow: [{{operator: depth, factor: 2, new_layers: zero_output}}], for: {STEPS} steps}}
checkpoint: {{every: 200 steps}}
log: {{every: 1}}
machine: {{flops: 1e12}}
sample: {{every: {STEPS // 2} steps, prompts: [line, ""], tokens: 5}}
"""


def valid_events(run):
    """The events of run.jsonl, without those that a resume made void and without an incomplete last line."""
    events = []
    for line in (run / "run.jsonl").read_text().splitlines(keepends=True):
        if not line.endswith("\n"):
            break
        event = json.loads(line)
        if event["event"] == "resume":
            events = [old for old in events if old.get("step", 0) <= event["step"]]
        events.append(event)
    return events


def read(run):
    board = EventAccumulator(str(run / "tensorboard"), size_guidance={"scalars": 0, "tensors": 0})
    board.Reload()
    return board


def differences(run, board, lost):
    """What differs, in words; `lost` records may be missing at the end."""
    events = valid_events(run)
    for tag, (kind, key) in SCALARS.items():
        wanted = [(event["step"], float(numpy.float32(event[key]))) for event in events
                  if event["event"] == kind and event.get(key) is not None]
        found = [(one.step, one.value) for one in board.Scalars(tag)] if tag in board.Tags()["scalars"] else []
        # The event file is written after run.jsonl, so it may also be behind by what was not written yet.
        if found != wanted[:len(found)] or len(wanted) - len(found) > lost:
            yield f"{tag}: {len(found)} values, run.jsonl has {len(wanted)}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as top:
        folder = pathlib.Path(top)
        run = folder / "run"
        (folder / "text.txt").write_text("".join(f"line {i} of {i * i}\n" for i in range(2000)))
        subprocess.run([options.program, "data", folder / "text.txt", "--out", folder / "data", "--split", "fraction",
                        "--validation", "20%"], check=True, stdout=subprocess.DEVNULL)
        (folder / "s.yaml").write_text(schedule(folder))
        command = [options.program, "train", folder / "s.yaml", "--out", run, "--tensorboard", "--threads", "1"]
        killed = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while killed.poll() is None and (not (run / "run.jsonl").exists() or
                                         (run / "run.jsonl").read_bytes().count(b'"event":"step"') < STEPS + 300):
            time.sleep(0.01)
        assert killed.poll() is None, f"the run ended before it was killed: exit {killed.returncode}"
        killed.kill()
        killed.wait()
        failed = [f"killed: {line}" for line in differences(run, read(run), lost=1)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        board = read(run)
        failed += [f"resumed: {line}" for line in differences(run, board, lost=0)]
        growths = [one.tensor_proto.string_val[0].decode() for one in board.Tensors("growth/operators")]
        wanted = ["{stage}: {operators} (from {from} to {to})".format_map(event)
                  for event in valid_events(run) if event["event"] == "grow"]
        # A run that was killed between its growth and the next checkpoint grows again, at the same step.
        if len(wanted) != 1 or set(growths) != set(wanted):
            failed.append(f"growth/operators: {growths}")
        for prompt in range(2):
            shown = {one.step: one.tensor_proto.string_val[0].decode() for one in board.Tensors(f"samples/{prompt}")}
            written = {event["step"]: event["samples"][prompt] for event in valid_events(run) if event["event"] == "sample"}
            if shown.keys() != written.keys() or len(shown) != 4:
                failed.append(f"samples/{prompt}: of steps {sorted(shown)}, run.jsonl has {sorted(written)}")
        count = sum(len(board.Scalars(tag)) for tag in board.Tags()["scalars"])
    if count < 10000:
        failed.append(f"{count} scalars, expected 10000 at least")
    print(*failed, f"{len(failed)} checks failed" if failed else f"{count} scalars are those of run.jsonl", sep="\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
