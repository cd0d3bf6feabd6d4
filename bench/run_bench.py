#!/usr/bin/env python3
"""Times what a run costs besides its steps: growing, checkpoints on the way, starting.

    bench/run_bench.py --program build/stagedtrain [--quick]

Trains a small model on made-up text, grows it and trains on, with a checkpoint every few steps; all figures but the
starts come from run.jsonl. "a minute": what one checkpoint costs of a minute, the share of wall-clock that training
stands still at one checkpoint a minute.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import tempfile
import time

SCHEDULE = """seed: 1
data: {{train: {0}/data/train.bin, validation: {0}/data/validation.bin}}
model: {{layers: {1}, width: {2}, heads: 8, context: 128, vocab: 256}}
batch: {{sequences: 4}}
lr: {{peak: 1e-4, warmup: 5 steps}}
stages:
  - {{name: small, model: {{layers: {3}}}, for: {4} steps}}
  - {{name: full, grow: [{{operator: depth, layers: {1}}}], for: {4} steps}}
evaluate: {{every: 1000 steps, tokens: 1K}}
checkpoint: {{every: {5} steps, keep: 1}}
log: {{every: 1}}
"""
WORDS = "the light of a small lamp grew and shone over the water where they stood ".split()


def run(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}\n{done.stderr}")
    return done.stdout


def median_seconds(rounds, *command):
    def once():
        start = time.perf_counter()
        run(*command)
        return time.perf_counter() - start
    return statistics.median(once() for _ in range(rounds))


def make_data(program, folder):
    text = " ".join(WORDS[(i * i + i // 7) % len(WORDS)] for i in range(60000))
    (folder / "text.txt").write_text(text)
    run(program, "data", folder / "text.txt", "--out", folder / "data")


def train(program, folder, name, layers, width, steps, every):
    schedule = folder / f"{name}.yaml"
    schedule.write_text(SCHEDULE.format(folder, layers, width, layers // 2, steps, every))
    start = time.perf_counter()
    run(program, "train", schedule, "--out", folder / name)
    seconds = time.perf_counter() - start
    log = (folder / name / "run.jsonl").read_text().splitlines()
    return schedule, seconds, [json.loads(line) for line in log]


def step_seconds(events):
    """Seconds of each step of the last stage; `seconds` of the log counts steps alone."""
    steps = [e for e in events if e["event"] == "step"]
    return [b["seconds"] - a["seconds"] for a, b in zip(steps, steps[1:]) if b["stage"] == "full"]


def main():
    parser = argparse.ArgumentParser(description="what a run costs besides its steps")
    parser.add_argument("--program", type=pathlib.Path, required=True)
    parser.add_argument("--quick", action="store_true")
    a = parser.parse_args()
    rounds, steps = (3, 12) if a.quick else (15, 60)
    with tempfile.TemporaryDirectory(dir=a.program.parent) as name:
        folder = pathlib.Path(name)
        make_data(a.program, folder)
        schedule, _, events = train(a.program, folder, "run", 8, 128 if a.quick else 512, steps, steps // 3)
        first, *later = step_seconds(events)
        print(f"first step after a growth  {first / statistics.median(later):5.2f} x a later one (aim: 1.5)")
        ways = [e for e in events if e["event"] == "checkpoint" and e["file"].startswith("checkpoints")]
        still = statistics.median(e["stood_still_seconds"] for e in ways)
        size = ways[-1]["bytes"]
        print(f"a checkpoint on the way    {1000 * still:5.0f} ms of standing still, {still / 0.6:.2f}% of a minute (aim: 1%); "
              f"{size / 1e6:.0f} MB, written in {statistics.median(e['write_seconds'] for e in ways):.2f} s meanwhile")
        checkpoint = folder / "run" / "stages" / "small.h5"
        starts = {"--help": ["--help"], "plan": ["plan", schedule], "grow --dry-run": [
            "grow", checkpoint, folder / "x.h5", "--operator", "width", "--dry-run"]}
        for what, words in starts.items():
            print(f"{what:<26} {1000 * median_seconds(rounds, a.program, *words):5.0f} ms (aim: 30)")
        _, seconds, _ = train(a.program, folder, "tiny", 2, 16, 1, 1)
        print(f"train, two steps in all    {seconds:5.2f} s with a growth and two checkpoints (aim to the first step: 1.5)")


if __name__ == "__main__":
    main()
