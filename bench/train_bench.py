#!/usr/bin/env python3
"""Training speed of stagedtrain beside PyTorch's, one table of tokens/s and ratios.

    bench/train_bench.py --build build --python /path/to/python-with-torch

The contestants take turns (stagedtrain, then each PyTorch implementation, then again), each run its own
process, so that other work on the machine hits all alike. A contestant's figure for a round is the
tokens/s of its median step; the table shows the median over rounds and the ratio, which is the
median over rounds of stagedtrain's figure divided by that of the fastest PyTorch in the same round.
"best" compares the fastest single steps of all rounds: the figure to read where other work on the
machine makes medians worthless. "aim" is what the ratio is to reach;
ends with 1 where it does not.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
SHAPES = {  # layers, width, heads, batch, context, vocab; what the ratio is to reach
    "2x64": ((2, 64, 4, 32, 128, 256), 1.5),
    "4x128": ((4, 128, 4, 16, 128, 256), 1.5),
    "6x256": ((6, 256, 8, 8, 256, 256), 1.5),
    "8x512": ((8, 512, 8, 4, 256, 256), 1.15),
    "12x768-50k": ((12, 768, 12, 1, 256, 50304), 1.25),
    "4x128-50k": ((4, 128, 4, 16, 128, 50304), 1.0),
    "6x256-50k": ((6, 256, 8, 8, 256, 50304), 1.0),
}


def measure(command, shape, a):
    for name, value in zip(("layers", "width", "heads", "batch", "context", "vocab"), shape):
        command = command + [f"--{name}", str(value)]
    command += ["--threads", str(a.threads), "--steps", str(a.steps), "--seconds", str(a.seconds)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def contestants(a):
    ours = {"stagedtrain": [str(a.build / "bench" / "train_bench"), "--kernels", a.kernels]}
    step = [a.python, str(HERE / "pytorch_step.py"), "--impl"]
    return ours | {f"pytorch {impl}": step + [impl] for impl in a.peers.split(",")}


def compare(shape, a):
    """Rounds of tokens/s for each contestant, taken in turns."""
    rounds = {name: [] for name in contestants(a)}
    for _ in range(a.rounds):
        for name, command in contestants(a).items():
            rounds[name].append(measure(command, shape, a))
    return rounds


def print_rows(name, rounds):
    shape, aim = SHAPES[name]
    speed = {who: [r["tokens_per_second"] for r in runs] for who, runs in rounds.items()}
    peers = [who for who in speed if who != "stagedtrain"]
    ratios = [ours / max(speed[who][i] for who in peers) for i, ours in enumerate(speed["stagedtrain"])]
    ratio = statistics.median(ratios)
    best_ms = {who: min(r["best_step_ms"] for r in runs) for who, runs in rounds.items()}
    best_ratio = min(best_ms[who] for who in peers) / best_ms["stagedtrain"]
    for who, runs in rounds.items():
        middle = statistics.median(r["step_ms"] for r in runs)
        memory = max(r["peak_rss_mib"] for r in runs)
        label = f"{who} ({runs[0]['impl'].split()[-1]})" if who == "stagedtrain" else who
        verdict = f"{ratio:8.2f} {best_ratio:8.2f} {aim:8.2f}" if who == "stagedtrain" else ""
        print(f"{name:<10} {shape[3]:>3} x {shape[4]:<4} {label:<24} {statistics.median(speed[who]):>10,.0f} "
              f"{middle:>9.1f} {best_ms[who]:>9.1f} {memory:>8} {verdict}", flush=True)
    return ratio / aim


def main():
    parser = argparse.ArgumentParser(description="training speed of stagedtrain beside PyTorch's")
    parser.add_argument("--build", type=pathlib.Path, default=HERE.parent / "build")
    parser.add_argument("--python", default=sys.executable, help="an interpreter that has torch")
    parser.add_argument("--shapes", default="2x64,4x128,6x256,8x512,12x768-50k", help=",".join(SHAPES))
    parser.add_argument("--peers", default="plain,transformers", help="plain, transformers, compile")
    parser.add_argument("--kernels", default="automatic")
    for name, fallback in dict(rounds=3, threads=2, steps=40).items():
        parser.add_argument(f"--{name}", type=int, default=fallback)
    parser.add_argument("--seconds", type=float, default=10, help="timed seconds of one run at most")
    a = parser.parse_args()
    unknown = set(a.shapes.split(",")) - set(SHAPES)
    if unknown:
        parser.error(f"unknown shape {', '.join(unknown)}; there are {', '.join(SHAPES)}")
    print(f"{'model':<10} {'batch':<10} {'implementation':<24} {'tokens/s':>10} {'step ms':>9} {'best ms':>9} "
          f"{'MiB':>8} {'ratio':>8} {'best':>8} {'aim':>8}")
    reached = [print_rows(name, compare(SHAPES[name][0], a)) for name in a.shapes.split(",")]
    sys.exit(0 if min(reached) >= 1 else 1)


if __name__ == "__main__":
    main()
