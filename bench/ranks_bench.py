#!/usr/bin/env python3
"""Two processes with one thread each against one with two threads: tokens/s of the same run.

usage: ranks_bench.py --program build/bench/stagedtrain [--shapes 6x256,8x512] [--steps 12] [--rounds 3]
                      [--sharding none|optimizer|full] [--against none|optimizer|full]
With --against, two processes with that sharding take the place of the one process. Each contestant
trains the same schedule on random bytes, in turns; prints medians over the steps of all rounds (the
first two of each run warm up), their ratio, the share of a step that ranks spend in communication,
and the peak memory of the largest process of each. A busy machine makes the figures worthless.
"""
import argparse
import json
import os
import random
import statistics
import subprocess
import tempfile
from pathlib import Path

# layers, width, heads, context, sequences, and sequences in a pass
SHAPES = {
    "2x64": (2, 64, 2, 128, 32, 4),
    "6x256": (6, 256, 4, 256, 8, 2),
    "8x512": (8, 512, 8, 256, 4, 1),
}


def schedule(shape, folder, steps):
    layers, width, heads, context, sequences, micro = SHAPES[shape]
    return f"""seed: 1
data: {{train: {folder}/data/train.bin, validation: {folder}/data/validation.bin}}
model: {{layers: {layers}, width: {width}, heads: {heads}, context: {context}, vocab: 256}}
batch: {{sequences: {sequences}, micro: {micro}}}
lr: {{peak: 1e-3, warmup: 2, decay: 20%}}
stages:
  - {{name: whole, for: {steps}}}
evaluate: {{every: 0, tokens: 512}}
checkpoint: {{every: 0}}
log: {{every: 1, seconds: 1000}}
"""


def steps_of(run):
    with open(run / "run.jsonl") as log:
        events = [json.loads(line) for line in log]
    return [e for e in events if e["event"] == "step"][2:]


def train(program, folder, name, more, threads):
    run = folder / name
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads), XDG_CACHE_HOME=str(folder))
    process = subprocess.Popen([program, "train", str(folder / "s.yaml"), "--out", str(run), *more],
                               env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(f"{name}: train ended with {os.waitstatus_to_exitcode(status)}")
    return steps_of(run), usage.ru_maxrss / 1024  # MiB, of the largest process


def ranks_with(sharding):
    return ["--processes", "2", "--threads", "1", "--sharding", sharding]


def compare(program, shape, steps, rounds, sharding, against):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text = bytes(random.Random(1).choices(range(97, 123), k=400_000))
        (folder / "text").write_bytes(text)
        subprocess.run([program, "data", str(folder / "text"), "--out", str(folder / "data")],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        (folder / "s.yaml").write_text(schedule(shape, folder, steps))
        one, two, waits, memory = [], [], [], []
        for i in range(rounds):
            a, peak_a = train(program, folder, f"one-{i}",
                              ranks_with(against) if against else ["--threads", "2"], 2)
            b, peak_b = train(program, folder, f"two-{i}", ranks_with(sharding), 2)
            one += [e["tokens_per_second"] for e in a]
            two += [e["tokens_per_second"] for e in b]
            tokens = b[1]["tokens"] - b[0]["tokens"]
            waits += [e["communication_seconds"] * e["tokens_per_second"] / tokens for e in b]
            memory += [(peak_a, peak_b)]
        ratio = statistics.median(two) / statistics.median(one)
        best = max(two) / max(one)
        first, second = (against, sharding) if against else ("one", "two")
        peaks = [statistics.median(peaks) for peaks in zip(*memory)]
        print(f"{shape:8} {first} {statistics.median(one):9.0f} tok/s, {second} {statistics.median(two):9.0f}, "
              f"ratio {ratio:.2f} (best steps {best:.2f}), communication "
              f"{100 * statistics.median(waits):.1f}% of a step, peak memory {peaks[0]:.0f} and "
              f"{peaks[1]:.0f} MiB", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--shapes", default="6x256,8x512")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sharding", default="none")
    parser.add_argument("--against")
    arguments = parser.parse_args()
    for shape in arguments.shapes.split(","):
        compare(arguments.program, shape, arguments.steps, arguments.rounds, arguments.sharding,
                arguments.against)


main()
