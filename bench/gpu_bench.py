#!/usr/bin/env python3
"""Training steps on one NVIDIA GPU beside the peers': tokens/s and MFU, in bfloat16 with float32 master weights.

    bench/gpu_bench.py --build build/bench --python PYTHON [--nanogpt DIR] [--llmc DIR] [--rounds 3]
                       [--peak TFLOP/S]

MFU (PaLM, arXiv 2204.02311, appendix B): tokens/s x (6 N + 12 layers x width x context) / peak, N with the
embedding that the head shares. The peak is of dense bfloat16 products: 989 TFLOP/s for an H100 SXM or H200, 312
for an A100, unless --peak says otherwise.
"""
import argparse
import json
import statistics
import subprocess
import sys

SHAPES = {"124M": dict(layers=12, width=768, heads=12, context=1024, batch=16, vocab=50304),
          "350M": dict(layers=24, width=1024, heads=16, context=1024, batch=8, vocab=50304)}
PEAKS = {"H100": 989, "H200": 989, "A100": 312}


def gpu_name():
    try:
        query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
        return subprocess.run(query, capture_output=True, text=True, check=True).stdout.splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        raise SystemExit("gpu_bench.py: no NVIDIA GPU is here (nvidia-smi finds none)")


def measured(command, shape):
    words = command + [w for key, value in shape.items() for w in (f"--{key}", str(value))]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        print(f"  {' '.join(words)}\n  failed: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return None
    return json.loads(done.stdout.splitlines()[-1])


def contenders(a):
    ours = [f"{a.build}/bench/train_bench", "--device", "cuda", "--precision", "bf16", "--seconds", "20"]
    theirs = [a.python, "bench/pytorch_step.py", "--device", "cuda", "--bf16", "--seconds", "20", "--warmup", "10"]
    rows = {"stagedtrain": ours + ["--kernels", "automatic", "--warmup", "10"],
            "stagedtrain, LibTorch's kernels": ours + ["--kernels", "reference", "--warmup", "10"],
            "plain": theirs + ["--impl", "plain"], "compile": theirs + ["--impl", "compile"]}
    if a.nanogpt:
        rows["nanogpt-compile"] = theirs + ["--impl", "nanogpt-compile", "--nanogpt", a.nanogpt]
    if a.llmc:
        rows["llm.c"] = [sys.executable, "bench/llmc_gpu_step.py", "--llmc", a.llmc]
    return rows


def mfu(result, shape, peak):
    flops = 6 * result["params"] + 12 * shape["layers"] * shape["width"] * shape["context"]
    return result["tokens_per_second"] * flops / (peak * 1e12)


def compare(name, shape, a, peak):
    speeds = {}
    for _ in range(a.rounds):  # in turns, so that a warm card favours nobody
        for row, command in contenders(a).items():
            result = measured(command, shape)
            if result:
                speeds.setdefault(row, []).append((result["tokens_per_second"], mfu(result, shape, peak)))
    for row, found in speeds.items():
        tokens, share = (statistics.median(x) for x in zip(*found))
        print(f"{name:6} {row:34} {tokens:12,.0f} tok/s  MFU {100 * share:5.1f}%", flush=True)


def main():
    parser = argparse.ArgumentParser(description="training steps on a GPU beside the peers'")
    parser.add_argument("--build", default="build/bench", help="where train_bench was built")
    parser.add_argument("--python", default="python3", help="an interpreter with torch for CUDA")
    parser.add_argument("--nanogpt", help="a checkout of nanoGPT")
    parser.add_argument("--llmc", help="a checkout of llm.c")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peak", type=float, help="dense bfloat16 TFLOP/s of the card")
    a = parser.parse_args()
    card = gpu_name()
    peak = a.peak or next((value for key, value in PEAKS.items() if key in card), None)
    if not peak:
        parser.error(f"the peak of '{card}' is not known: give --peak")
    print(f"card   {card}, {peak:g} TFLOP/s in bfloat16")
    for name, shape in SHAPES.items():
        compare(name, shape, a, peak)


if __name__ == "__main__":
    main()
