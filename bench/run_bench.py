#!/usr/bin/env python3
"""Times what a run costs besides its steps: growing, checkpoints on the way, starting.

    bench/run_bench.py --program build/stagedtrain [--quick]

Trains a small model on made-up text, grows it and trains on, with a checkpoint every few steps; all figures but the
starts come from run.jsonl. Each line is a row of the issue: what, figure, aim, whether it is reached. "a minute": what
one checkpoint costs of a minute, the share of wall-clock that training stands still at one checkpoint a minute.
Starts are whole processes, on schedules and checkpoints of models with so many tensors (a file has each thrice).
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


def write_schedule(folder, name, layers, width, steps, every):
    schedule = folder / f"{name}.yaml"
    schedule.write_text(SCHEDULE.format(folder, layers, width, layers // 2, steps, every))
    return schedule


def train(program, folder, name, layers, width, steps, every):
    schedule = write_schedule(folder, name, layers, width, steps, every)
    run(program, "train", schedule, "--out", folder / name)
    log = (folder / name / "run.jsonl").read_text().splitlines()
    return schedule, [json.loads(line) for line in log]


def first_step_seconds(program, folder, rounds):
    """From the start of `train` of a tiny model until its first step is in the log."""
    def once(number):
        out = folder / f"tiny{number}"
        words = [program, "train", write_schedule(folder, "tiny", 2, 16, 1, 1), "--out", out]
        start = time.perf_counter()
        child = subprocess.Popen([str(word) for word in words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        log = out / "run.jsonl"
        while not (log.exists() and '"event":"step"' in log.read_text()):
            if child.poll():
                raise SystemExit(f"train of a tiny model ended with {child.returncode}")
            time.sleep(0.002)
        seconds = time.perf_counter() - start
        child.wait()
        return seconds
    return statistics.median(once(number) for number in range(rounds))


def row(what, figure, unit, aim=None, more=""):
    reached = "" if aim is None else f"(aim: {aim:g}; {'reached' if figure <= aim else 'NOT reached'})"
    print(f"{what:<38} {figure:7.2f} {unit:<3} {reached}{more}", flush=True)


def step_seconds(events):
    """Seconds of each step of the last stage; `seconds` of the log counts steps alone."""
    steps = [e for e in events if e["event"] == "step"]
    return [b["seconds"] - a["seconds"] for a, b in zip(steps, steps[1:]) if b["stage"] == "full"]


def start_rows(program, folder, rounds):
    row("start of --help", 1000 * median_seconds(rounds, program, "--help"), "ms", 30)
    for layers, aim in ((40, 30), (120, None)):  # half of them before the growth: 324 and 964 tensors
        name = f"deep{layers}"
        schedule, _ = train(program, folder, name, layers, 64, 1, 1)
        small = folder / name / "stages" / "small.h5"
        tensors = 16 * layers // 2 + 4
        starts = {"plan": ["plan", schedule], "show": ["show", small],
                  "grow --dry-run": ["grow", small, folder / "x.h5", "--operator", "width", "--dry-run"]}
        for what, words in starts.items():
            row(f"start of {what}, {tensors} tensors", 1000 * median_seconds(rounds, program, *words), "ms", aim)


def main():
    parser = argparse.ArgumentParser(description="what a run costs besides its steps")
    parser.add_argument("--program", type=pathlib.Path, required=True)
    parser.add_argument("--quick", action="store_true")
    a = parser.parse_args()
    rounds, steps = (3, 12) if a.quick else (15, 60)
    with tempfile.TemporaryDirectory(dir=a.program.parent) as name:
        folder = pathlib.Path(name)
        make_data(a.program, folder)
        _, events = train(a.program, folder, "run", 8, 128 if a.quick else 512, steps, steps // 3)
        first, *later = step_seconds(events)
        row("first step after a growth", first / statistics.median(later), "x", 1.5, " a later step")
        ways = [e for e in events if e["event"] == "checkpoint" and e["file"].startswith("checkpoints")]
        still = statistics.median(e["stood_still_seconds"] for e in ways)
        row("a checkpoint a minute: standing still", still / 0.6, "%", 1,
            f" {1000 * still:.0f} ms for {ways[-1]['bytes'] / 1e6:.0f} MB, "
            f"written in {statistics.median(e['write_seconds'] for e in ways):.2f} s meanwhile")
        row("train to its first step, tiny model", first_step_seconds(a.program, folder, min(rounds, 7)), "s", 1.5)
        start_rows(a.program, folder, rounds)


if __name__ == "__main__":
    main()
