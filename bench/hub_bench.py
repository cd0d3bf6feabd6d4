#!/usr/bin/env python3
"""Speed of import and export beside cp + fsync, and of sampling beside llama.cpp, in turns; the medians count.

usage: hub_bench.py MODEL.gguf [--program build/release/stagedtrain] [--folder DIR] [--threads 2] [--rounds 3] [--tokens 64]

An import reads the GGUF and writes a checkpoint; it is compared with copying as many bytes as it writes and fsync. An
export is compared in the same way. Sampling is greedy, by `eval --sample` from the checkpoint and by llama.cpp
(xllamacpp, if this Python has it) from a GGUF in f32 that holds the same weights. Both are timed per token, as the
difference between a long and a short sample, so that neither starting nor loading counts.
"""
import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time


def seconds(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def copy(source, target):
    """cp and fsync, into a new file."""
    target.unlink(missing_ok=True)
    shutil.copyfile(source, target)
    with open(target, "rb+") as file:
        os.fsync(file.fileno())


def tree_file(path):
    """The largest file of an export, which is nearly all of it."""
    return max((f for f in path.rglob("*") if f.is_file()), key=lambda f: f.stat().st_size) if path.is_dir() else path


def bench_files(options, run, folder):
    checkpoint, copied = folder / "model.h5", folder / "copy"
    jobs = {"import": (checkpoint, ["import", options.model, checkpoint, "--force"])}
    for name, kind, dtype in (("export hf f32", "hf", "f32"), ("export gguf f32", "gguf", "f32"),
                              ("export gguf q8_0", "gguf", "q8_0")):
        out = folder / name.replace(" ", "-")
        jobs[name] = (out, ["export", checkpoint, out, "--to", kind, "--dtype", dtype, "--force"])
    print(f"{'':18} {'MB':>8} {'ours, s':>9} {'cp + fsync':>11} {'ratio':>6}")
    for name, (out, arguments) in jobs.items():
        ours, copies = [], []
        for _ in range(options.rounds):
            ours.append(seconds(lambda: run(arguments)))
            copies.append(seconds(lambda: copy(tree_file(out), copied)))
        size = tree_file(out).stat().st_size
        mine, theirs = statistics.median(ours), statistics.median(copies)
        print(f"{name:18} {size / 1e6:8.0f} {mine:9.2f} {theirs:11.2f} {theirs / mine:6.2f}", flush=True)
    copied.unlink()
    return checkpoint, folder / "export-gguf-f32"


def our_sample(run, checkpoint, options):
    def sample(tokens):
        run(["eval", checkpoint, "--sample", str(tokens), "--prompt", "Once upon a time", "--temperature", "0",
             "--threads", str(options.threads)])
    return sample


def llama_cpp_sample(path, options):
    import xllamacpp
    settings = xllamacpp.CommonParams()
    settings.model.path = str(path)
    settings.n_ctx = 1024
    settings.n_parallel = 1
    settings.verbosity = -1
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = options.threads
    server = xllamacpp.Server(settings)

    def sample(tokens):
        server.handle_completions({"prompt": "Once upon a time", "n_predict": tokens, "temperature": 0,
                                   "cache_prompt": False, "ignore_eos": True})
    return sample


def bench_sampling(options, run, checkpoint, gguf):
    samplers = {"stagedtrain": our_sample(run, checkpoint, options)}
    try:
        samplers["llama.cpp f32"] = llama_cpp_sample(gguf, options)
    except ImportError:
        print("llama.cpp is left out: this Python has no xllamacpp")
    speeds = {name: [] for name in samplers}
    for _ in range(options.rounds):
        for name, sample in samplers.items():
            short, long = seconds(lambda: sample(8)), seconds(lambda: sample(8 + options.tokens))
            speeds[name].append(options.tokens / (long - short))
    for name, each in speeds.items():
        print(f"{name:18} {statistics.median(each):8.1f} tokens/s")
    if len(speeds) == 2:
        ours, theirs = map(statistics.median, speeds.values())
        print(f"ratio              {ours / theirs:8.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--program", default="build/release/stagedtrain")
    parser.add_argument("--folder", help="on the disk that counts (default: a temporary one)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=64)
    options = parser.parse_args()

    def run(arguments):
        subprocess.run([options.program, *map(str, arguments)], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        bench_sampling(options, run, *bench_files(options, run, pathlib.Path(folder)))


if __name__ == "__main__":
    main()
