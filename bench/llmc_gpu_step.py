#!/usr/bin/env python3
"""Times training steps of llm.c's CUDA trainer, from a checkout of it that --llmc names.

    llmc_gpu_step.py --llmc DIR --layers 12 --width 768 --heads 12 --batch 16 --context 1024 --vocab 50304

Builds its train_gpt2cu in the checkout where it is not there yet; needs nvcc and cuBLAS. With USE_CUDNN=1 in the
environment it is built with cuDNN's attention, which is the faster. bfloat16 with float32 master weights, nothing
recomputed. Prints one line of JSON, as train_bench does. llm.c knows certain shapes only, by their depth.
"""
import argparse
import array
import json
import pathlib
import random
import re
import statistics
import subprocess
import sys
import tempfile

WIDTHS = {12: 768, 24: 1024, 36: 1280, 48: 1600}  # its own table, train_gpt2.cu
VOCAB, PADDED = 50257, 50304


def build(checkout):
    program = checkout / "train_gpt2cu"
    if not program.exists():
        subprocess.run(["make", "-C", checkout, "train_gpt2cu", "NO_MULTI_GPU=1"], check=True, stdout=sys.stderr)
    return program.resolve()


def write_tokens(path, count):
    header = array.array("i", [20240520, 1, count] + [0] * 253)
    draw = random.Random(1)
    tokens = array.array("H", (draw.randrange(VOCAB) for _ in range(count)))
    path.write_bytes(header.tobytes() + tokens.tobytes())


def command(program, tokens, a):
    options = {"-i": tokens, "-j": tokens, "-e": f"d{a.layers}", "-b": a.batch, "-t": a.context, "-x": a.steps,
               "-c": 0.1, "-r": 0, "-v": 10 * a.steps, "-m": 1, "-s": 0, "-h": 0}
    return [str(program)] + [str(word) for pair in options.items() for word in pair]


def figures(output, a):
    """From lines like `step 7/100 | loss .. | 41.52 ms | 40.1% bf16 MFU | 394604 tok/s`."""
    steps = [float(ms) for ms in re.findall(r"^step .*\| +([\d.]+) ms \|", output, re.M)][a.warmup:]
    params = re.search(r"num_parameters *[|:] *(\d+)", output)
    if not steps or not params:
        raise SystemExit(f"llmc_gpu_step.py: no steps in what llm.c said:\n{output[-500:]}")
    return {"impl": "llm.c", "params": int(params[1]),
            "tokens_per_second": 1000 * a.batch * a.context / statistics.median(steps)}


def main():
    parser = argparse.ArgumentParser(description="times training steps of llm.c on a GPU")
    parser.add_argument("--llmc", type=pathlib.Path, required=True, help="a checkout of llm.c")
    for name, fallback in dict(layers=12, width=768, heads=12, batch=16, context=1024, vocab=PADDED, steps=200,
                               warmup=10).items():
        parser.add_argument(f"--{name}", type=int, default=fallback)
    a = parser.parse_args()
    if WIDTHS.get(a.layers) != a.width or a.vocab != PADDED:
        parser.error(f"llm.c has no {a.layers} x {a.width} with vocabulary {a.vocab}")
    program = build(a.llmc)
    with tempfile.TemporaryDirectory() as folder:
        tokens = pathlib.Path(folder) / "tokens.bin"
        write_tokens(tokens, 20 * a.batch * a.context + 1)
        done = subprocess.run(command(program, tokens, a), capture_output=True, text=True, cwd=folder)
    if done.returncode:
        raise SystemExit(f"llmc_gpu_step.py: llm.c failed: {(done.stderr or done.stdout).strip()[-500:]}")
    print(json.dumps(figures(done.stdout, a)))


if __name__ == "__main__":
    main()
