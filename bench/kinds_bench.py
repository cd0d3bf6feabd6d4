#!/usr/bin/env python3
"""Compares models of all kinds with a dense llama of the same size: fused kernels, and the reference.

usage: kinds_bench.py TRAIN_BENCH [ROUNDS]   All take turns in every round, on one thread.

A step's time is the least processor time of all rounds, which neighbours on the same machine disturb less than the
clock. "of dense" is the model's FLOP/s as a share of the dense llama's: how much of the share of the sgemm peak that a
dense model reaches is left.
"""

import json
import subprocess
import sys

KINDS = {
    "llama": [],
    "llama, dropout 0.1": ["--dropout", "0.1"],
    "llama, 4 experts of half the size": ["--experts", "4", "--ffn", "172"],
    "llama, half of the width behind a mask": ["--mask", "0.5"],
    "qwen2": ["--architecture", "qwen2"],
    "qwen3": ["--architecture", "qwen3"],
    "olmo2": ["--architecture", "olmo2"],
    "neox": ["--architecture", "neox"],
    "gpt2": ["--architecture", "gpt2"],
}


def step(program: str, options: list[str], kernels: str) -> dict:
    architecture = [] if "--architecture" in options else ["--architecture", "llama"]
    command = [program, *architecture, *options, "--kernels", kernels, "--threads", "1", "--steps", "6"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    program, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 3
    best: dict[tuple[str, str], dict] = {}
    for _ in range(rounds):
        for name, options in KINDS.items():
            for kernels in ("fused", "reference"):
                found = step(program, options, kernels)
                before = best.get((name, kernels), found)
                best[name, kernels] = min(found, before, key=lambda result: result["best_cpu_ms"])
    speed = {key: r["flops_per_token"] / r["best_cpu_ms"] for key, r in best.items()}
    print("| model | reference, ms | fused, ms | faster by | of dense |\n|---|---|---|---|---|")
    for name in KINDS:
        reference, fused = (best[name, k]["best_cpu_ms"] for k in ("reference", "fused"))
        share = speed[name, "fused"] / speed["llama", "fused"]
        print(f"| {name} | {reference:.1f} | {fused:.1f} | {reference / fused:.2f} x | {share:.2f} |")


if __name__ == "__main__":
    main()
