#!/usr/bin/env python3
"""Two processes with one thread each against one with two threads: tokens/s of the same run.

usage: ranks_bench.py --program build/bench/stagedtrain [--shapes 6x256,8x512] [--steps 12] [--rounds 3]
                      [--sharding none|optimizer|full] [--against none|optimizer|full]
                      [--ddp PYTHON [--ddp-passes N]] [--device cpu|cuda]
With --against, two processes with that sharding take the place of the one process. With --ddp, two
processes of PyTorch's DistributedDataParallel (Gloo, eager, one thread each; bench/pytorch_step.py) with
the same model and batch take part, too; each makes N passes in a step (default: 1). Each contestant trains
the same schedule on random bytes, in turns; prints medians over the steps of all rounds (the first two of
each run warm up), their ratios to the two processes, the share of a step that communication holds up, the
peak memory of the largest process of each, and the load. A busy machine makes all but ratios worthless.
With --device cuda, two processes with a GPU each (NCCL) are beside one with one GPU, of which they should reach
twice the speed; exits with 77 where there are not two GPUs.
"""
import argparse
import json
import os
import random
import socket
import statistics
import subprocess
import sys
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


def gpus():
    return sum(1 for path in Path("/dev").glob("nvidia[0-9]*"))


def ranks_with(sharding, device):
    return ["--processes", "2", "--threads", "1", "--device", device, "--sharding", sharding]


def train_ddp(python, shape, steps, passes, device):
    """Tokens/s of each step of two processes."""
    layers, width, heads, context, sequences, _ = SHAPES[shape]
    step = Path(__file__).with_name("pytorch_step.py")
    words = [python, step, "--ddp", "--threads", 1, "--layers", layers, "--width", width, "--heads", heads,
             "--device", device, "--context", context, "--batch", sequences // 2, "--passes", passes, "--warmup", 3,
             "--steps", steps - 3, "--seconds", 1e9]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    together = dict(os.environ, WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), OMP_NUM_THREADS="1")
    ranks = [subprocess.Popen([str(word) for word in words], stdout=subprocess.PIPE, text=True,
                              env=dict(together, RANK=str(rank), LOCAL_RANK=str(rank))) for rank in (0, 1)]
    said = [rank.communicate()[0] for rank in ranks]
    if any(rank.returncode != 0 for rank in ranks):
        raise SystemExit("pytorch_step.py --ddp failed")
    return [sequences * context / ms * 1e3 for ms in json.loads(said[0])["steps_ms"]]


def prepare(program, shape, folder, steps):
    text = bytes(random.Random(1).choices(range(97, 123), k=400_000))
    (folder / "text").write_bytes(text)
    subprocess.run([program, "data", str(folder / "text"), "--out", str(folder / "data")],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    (folder / "s.yaml").write_text(schedule(shape, folder, steps))


def compare(a, shape):
    speeds, peaks, shares = {}, {}, []

    def note(name, steps, peak):
        speeds.setdefault(name, []).extend(steps)
        peaks.setdefault(name, []).append(peak)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(a.program, shape, folder, a.steps)
        for i in range(a.rounds):
            one = ["--threads", "2", "--device", a.device]
            for who, more in ((a.against or "one", ranks_with(a.against, a.device) if a.against else one),
                              ("two", ranks_with(a.sharding, a.device))):
                events, peak = train(a.program, folder, f"{who}-{i}", more, 2)
                note(who, [e["tokens_per_second"] for e in events], peak)
                if who == "two":
                    shares += [e["communication_share"] for e in events]
            if a.ddp:
                note("ddp", train_ddp(a.ddp, shape, a.steps, a.ddp_passes, a.device), 0)
    median = {who: statistics.median(steps) for who, steps in speeds.items()}
    for who, steps in speeds.items():
        memory = f", {statistics.median(peaks[who]):.0f} MiB" if max(peaks[who]) > 0 else ""
        ratio = "" if who == "two" else (f": two are {median['two'] / median[who]:.2f} x "
                                         f"(best steps {max(speeds['two']) / max(steps):.2f} x)")
        print(f"{shape:8} {who:10} {median[who]:9.0f} tok/s (best {max(steps):.0f}){memory}{ratio}")
    print(f"{shape:8} two: communication holds up {100 * statistics.median(shares):.1f}% of a step; "
          f"load {os.getloadavg()[0]:.1f}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--shapes", default="6x256,8x512")
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sharding", default="none")
    parser.add_argument("--against")
    parser.add_argument("--ddp", metavar="PYTHON", help="an interpreter that has torch")
    parser.add_argument("--ddp-passes", type=int, default=1)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    arguments = parser.parse_args()
    if arguments.device == "cuda" and gpus() < 2:
        print("SKIP: ranks_bench.py --device cuda needs two GPUs", file=sys.stderr)
        raise SystemExit(77)
    for shape in arguments.shapes.split(","):
        compare(arguments, shape)


main()
