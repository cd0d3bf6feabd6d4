#!/usr/bin/env python3
"""Training speed of stagedtrain beside its peers': one table of tokens/s, ratios and memory.

    bench/train_bench.py --build build --python /path/to/python-with-torch [--nanogpt DIR] [--llmc DIR]

The contestants take turns (stagedtrain, then each peer, then again), each run its own process, so that other work on
the machine hits all alike. A contestant's figure for a round is the tokens/s of its median step; the table shows the
median over rounds, and the ratio of stagedtrain's figure to it, the median over rounds too. "best" compares the
fastest single steps of all rounds: the figure to read where other work on the machine makes medians worthless.
"aim" is what the ratio is to reach. MiB: the peak of the process, and in brackets without what it held before the
model was made (interpreter and libraries). The share of the sgemm peak is (6 N + 12 layers width context) tokens/s
over the speed of a square matrix product of PyTorch's, measured in the same rounds.
Leaves with 1 where an aim is missed.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
SHAPES = {  # layers, width, heads, batch, context, vocab; aims: ratio to nanoGPT, share of the sgemm peak
    "2x64": ((2, 64, 4, 32, 128, 256), 1.5, None),
    "4x128": ((4, 128, 4, 16, 128, 256), 1.5, 0.6),
    "6x256": ((6, 256, 8, 8, 256, 256), 1.5, 0.75),
    "8x512": ((8, 512, 8, 4, 256, 256), 1.15, 0.8),
    "12x768-50k": ((12, 768, 12, 1, 256, 50304), 1.25, None),
    "4x128-50k": ((4, 128, 4, 16, 128, 50304), None, None),
    "6x256-50k": ((6, 256, 8, 8, 256, 50304), None, None),
}
NAMES = ("layers", "width", "heads", "batch", "context", "vocab")
OTHER_AIMS = {"transformers": 1.5, "llm.c": 3.0}
NANOGPT = ("nanogpt", "nanogpt-compile")  # or our own model of the same form, where there is no checkout


def run(command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return json.loads((done.stdout or done.stderr).splitlines()[-1])


def build_llmc(a, folder):
    program = pathlib.Path(folder) / "llmc_step"
    subprocess.run(["cc", "-Ofast", "-fno-finite-math-only", "-march=native", "-Wno-unused-result", "-w", "-fopenmp", "-DOMP",
                    f"-I{a.llmc}", f'-DLLMC="{a.llmc.resolve()}/train_gpt2.c"', HERE / "llmc_step.c", "-o", program,
                    "-lm"], check=True)
    return program


def contestants(a, shape, folder):
    """Commands by name; stagedtrain first."""
    sizes = [word for name, value in zip(NAMES, shape) for word in (f"--{name}", value)]
    timing = ["--threads", a.threads, "--steps", a.steps, "--seconds", a.seconds]
    commands = {"stagedtrain": [a.build / "bench" / "train_bench", "--kernels", a.kernels, *sizes, *timing]}
    for impl in a.peers.split(","):
        source = ["--nanogpt", a.nanogpt] if impl in NANOGPT else []
        commands[impl] = [a.python, HERE / "pytorch_step.py", "--impl", impl, *source, *sizes, *timing]
    if a.llmc:
        commands["llm.c"] = ["env", f"OMP_NUM_THREADS={a.threads}", build_llmc(a, folder), *shape, a.seconds]
    return commands


def compare(shape, a):
    """Rounds of results for each contestant, taken in turns, and of the sgemm peak."""
    with tempfile.TemporaryDirectory() as folder:
        commands = contestants(a, shape, folder)
        rounds, peaks = {name: [] for name in commands}, []
        for _ in range(a.rounds):
            for name, command in commands.items():
                rounds[name].append(run(command))
            peak = run([a.python, HERE / "pytorch_step.py", "--sgemm-peak", "--threads", a.threads])
            peaks.append(max(peak["gflops_1024"], peak["gflops_2048"]))
    return rounds, peaks


def ratios(rounds, others):
    """Of stagedtrain's speed to the fastest of others: median over rounds, and of the best steps."""
    ours = rounds["stagedtrain"]
    by_round = [own["tokens_per_second"] / max(rounds[who][i]["tokens_per_second"] for who in others)
                for i, own in enumerate(ours)]
    best = {who: min(r["best_step_ms"] for r in runs) for who, runs in rounds.items()}
    return statistics.median(by_round), min(best[who] for who in others) / best["stagedtrain"]


def print_row(name, label, runs, note):
    print(f"{name:<10} {label:<24} {statistics.median(r['tokens_per_second'] for r in runs):>9,.0f} "
          f"{statistics.median(r['step_ms'] for r in runs):>9.1f} {min(r['best_step_ms'] for r in runs):>9.1f} "
          f"{max(r['peak_rss_mib'] for r in runs):>6} "
          f"({max(r['peak_rss_mib'] - r['start_rss_mib'] for r in runs)})".ljust(78) + note, flush=True)


def print_rows(name, a):
    """Prints one shape's rows; the aims that are missed."""
    shape, aim, peak_aim = SHAPES[name]
    rounds, peaks = compare(shape, a)
    print_row(name, f"stagedtrain ({rounds['stagedtrain'][0]['impl'].split()[-1]})", rounds["stagedtrain"], "")
    missed = []

    def judge(what, ratio, best, wanted):
        if wanted and max(ratio, best) < wanted:
            missed.append(f"{name} {what}")
        return f"{ratio:6.2f} {best:6.2f} {wanted or '':>6}"

    for who, runs in rounds.items():
        if who != "stagedtrain":
            print_row(name, who, runs, judge(who, *ratios(rounds, [who]), OTHER_AIMS.get(who)))
    judged = [who for who in rounds if who.startswith("nanogpt")] or [w for w in rounds if w in ("plain", "compile")]
    if judged:
        print(f"{name:<10} {'against the faster of ' + ', '.join(judged):<67} "
              f"{judge('nanoGPT', *ratios(rounds, judged), aim)}")
        eager, ours = rounds[judged[0]], rounds["stagedtrain"]
        shares = [max(r[k] for r in ours) / max(r[k] for r in eager) for k in ("peak_rss_mib",)]
        shares += [max(r["peak_rss_mib"] - r["start_rss_mib"] for r in ours) /
                   max(r["peak_rss_mib"] - r["start_rss_mib"] for r in eager)]
        print(f"{name:<10} memory against {judged[0]}: {shares[0]:.2f} of the process, {shares[1]:.2f} of the step (aim: 0.6)")
    layers, width, _, batch, context, _ = shape
    flops = batch * context * (6 * rounds["stagedtrain"][0]["params"] + 12 * layers * width * context)
    speeds = [flops / r["step_ms"] / 1e6 for r in rounds["stagedtrain"]]
    share = statistics.median(s / p for s, p in zip(speeds, peaks))
    best = flops / min(r["best_step_ms"] for r in rounds["stagedtrain"]) / 1e6 / max(peaks)
    print(f"{name:<10} {statistics.median(speeds):.0f} GFLOP/s; sgemm {statistics.median(peaks):.0f}; share".ljust(78) +
          judge("sgemm peak", share, best, peak_aim), flush=True)
    return missed


def main():
    parser = argparse.ArgumentParser(description="training speed of stagedtrain beside its peers'")
    parser.add_argument("--build", type=pathlib.Path, default=HERE.parent / "build")
    parser.add_argument("--python", default=sys.executable, help="an interpreter that has torch")
    parser.add_argument("--nanogpt", type=pathlib.Path, help="a checkout of nanoGPT")
    parser.add_argument("--llmc", type=pathlib.Path, help="a checkout of llm.c")
    parser.add_argument("--shapes", default="2x64,4x128,6x256,8x512,12x768-50k", help=",".join(SHAPES))
    parser.add_argument("--peers", default="plain,transformers", help="plain, compile, transformers, nanogpt, nanogpt-compile")
    parser.add_argument("--kernels", default="automatic")
    for name, fallback in dict(rounds=3, threads=2, steps=40).items():
        parser.add_argument(f"--{name}", type=int, default=fallback)
    parser.add_argument("--seconds", type=float, default=10, help="timed seconds of one run at most")
    a = parser.parse_args()
    unknown = set(a.shapes.split(",")) - set(SHAPES)
    if unknown:
        parser.error(f"unknown shape {', '.join(unknown)}; there are {', '.join(SHAPES)}")
    if not a.nanogpt and set(a.peers.split(",")) & set(NANOGPT):
        parser.error("nanogpt needs --nanogpt DIR")
    print(f"{'model':<10} {'implementation':<24} {'tokens/s':>9} {'step ms':>9} {'best ms':>9} {'MiB':>6}".ljust(78) +
          f"{'ratio':>6} {'best':>6} {'aim':>6}")
    missed = [what for name in a.shapes.split(",") for what in print_rows(name, a)]
    if missed:
        sys.exit(f"not reached: {', '.join(missed)}")


if __name__ == "__main__":
    main()
