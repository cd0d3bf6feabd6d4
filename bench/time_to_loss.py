#!/usr/bin/env python3
"""Time to the same validation loss on this machine: nanoGPT from scratch against a staged run.

    bench/time_to_loss.py --nanogpt DIR --text FILE --out DIR [--program stagedtrain] [--python PYTHON]

Both train a GPT-2 of 12 layers of width 64 on the bytes of the text, 2,048 tokens a step, in fp32, with AdamW and
decayed ends. nanoGPT runs its own train.py (cosine to 0), stagedtrain a run of 2, 4 and 12 layers (wsd). Peak learning
rates are tuned alike: each of --rates is tried, for nanoGPT at half of the steps; the best one serves its longer runs.
Losses are means over all windows of the same validation text (`stagedtrain eval`, and nanoGPT's own model).

  loss     nanoGPT's steps to the loss of the staged run lie between two of its runs (logarithm of the steps)
  time     steps x the median step; nanoGPT eager and compiled and the stages of the run take turns (--rounds), so that
           other work on the machine hits all alike. Left out: evaluations and starting; counted: compiling, growing.

Run again, it goes on where it stopped: finished runs are kept in OUT. --losses-only and --times-only do one part.
Needs a Python with torch and numpy (scripts/setup.sh --readers makes .deps/readers/bin/python).
Takes about 40 minutes on two quiet cores.
"""
import argparse
import json
import math
import os
import pathlib
import re
import statistics
import subprocess
import sys

MODEL = {"layers": 12, "width": 64, "heads": 2, "context": 128, "vocab": 256}
BATCH, WARMUP = 16, 100
STAGES = ((2, 0.7), (4, 0.1), (12, 0.2))  # layers, share of the steps
COPIED = "new_layers: copied, "

# The mean loss of nanoGPT's ckpt.pt over all whole windows of the validation text, as `stagedtrain eval` counts it.
SCORE = """\
import json, os, sys, numpy as np, torch
checkout, checkpoint, tokens = sys.argv[1:]
sys.path.insert(0, checkout)
import model
saved = torch.load(checkpoint, map_location="cpu", weights_only=False)
gpt = model.GPT(model.GPTConfig(**saved["model_args"])).eval()
gpt.load_state_dict({key.removeprefix("_orig_mod."): value for key, value in saved["model"].items()})
tokens, context = torch.from_numpy(np.fromfile(tokens, np.uint16).astype(np.int64)), saved["model_args"]["block_size"]
starts = torch.arange(0, len(tokens) - context, context)
windows = tokens[starts[:, None] + torch.arange(context + 1)]
with torch.no_grad():
    losses = [gpt(part[:, :-1].contiguous(), part[:, 1:].contiguous())[1].double() * len(part) for part in windows.split(64)]
json.dump({"loss": (sum(losses) / len(windows)).item(), "windows": len(windows)}, open("loss.json.part", "w"))
os.rename("loss.json.part", "loss.json")
"""


def say(text):
    print(text, file=sys.stderr, flush=True)


class Comparison:
    def __init__(self, options):
        self.o = options
        self.out = options.out.resolve()
        self.program, self.python = options.program.resolve(), options.python
        self.environment = os.environ | {"OMP_NUM_THREADS": str(options.threads), "PYTHONPATH": "",
                                         "XDG_CACHE_HOME": str(self.out / "cache")}

    def run(self, *words, cwd=None, log=None):
        done = subprocess.run([str(word) for word in words], cwd=cwd, env=self.environment, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT if log else subprocess.PIPE)
        if log:
            log.write_text(done.stdout)
        if done.returncode:
            sys.exit(f"{' '.join(map(str, words))}\n{(done.stdout + (done.stderr or ''))[-3000:]}")
        return done.stdout

    def prepare(self):
        if (self.out / "nanogpt/meta.pkl").exists():
            return
        self.out.mkdir(parents=True, exist_ok=True)
        self.run(self.program, "data", self.o.text, "--out", self.out / "data", "--force")
        self.run(self.program, "data", self.o.text, "--out", self.out / "nanogpt", "--format", "nanogpt", "--force")
        self.run(self.python, "-c", f"import pickle; pickle.dump({{'vocab_size': 256}}, "
                 f"open({str(self.out / 'nanogpt/meta.pkl')!r}, 'wb'))")

    # nanoGPT

    def nanogpt(self, folder, rate, steps, compiled, log_every):
        """Runs nanoGPT's own train.py; returns its output."""
        settings = {"dataset": self.out / "nanogpt", "out_dir": folder, "device": "cpu", "dtype": "float32",
                    "compile": compiled, "n_layer": MODEL["layers"], "n_embd": MODEL["width"], "n_head": MODEL["heads"],
                    "block_size": MODEL["context"], "batch_size": BATCH, "gradient_accumulation_steps": 1,
                    "bias": True, "dropout": 0.0, "max_iters": steps, "lr_decay_iters": steps,
                    "warmup_iters": min(WARMUP, steps // 2), "learning_rate": rate, "min_lr": 0.0, "beta2": 0.95,
                    "weight_decay": 0.1, "grad_clip": 1.0, "eval_interval": steps, "eval_iters": 1,
                    "log_interval": log_every}
        folder.mkdir(parents=True, exist_ok=True)
        return self.run(self.python, "train.py", *(f"--{key}={value}" for key, value in settings.items()),
                        cwd=self.o.nanogpt, log=folder / "log.txt")

    def nanogpt_loss(self, rate, steps):
        folder = self.out / f"nanogpt-{steps}-{rate:g}"
        if not (folder / "loss.json").exists():
            say(f"nanoGPT, {steps} steps at {rate:g}")
            self.nanogpt(folder, rate, steps, compiled=not self.o.eager, log_every=max(1, steps // 20))
            self.run(self.python, "-c", SCORE, self.o.nanogpt.resolve(), folder / "ckpt.pt",
                     self.out / "nanogpt/val.bin", cwd=folder)
        return json.loads((folder / "loss.json").read_text())["loss"]

    # stagedtrain

    def train(self, folder, rate, stages):
        """stages: (layers, steps) of each."""
        lines = [f"  - {{name: layers{layers}, for: {steps} steps, " + (f"model: {{layers: {layers}}}}}" if i == 0 else
                 f"grow: [{{operator: depth, {COPIED}layers: {layers}}}]}}") for i, (layers, steps) in enumerate(stages)]
        schedule = folder.parent / f"{folder.name}.yaml"
        schedule.write_text("\n".join([
            "seed: 1", f"data: {{train: {self.out}/data/train.bin, validation: {self.out}/data/validation.bin}}",
            "model: " + json.dumps({"architecture": "gpt2"} | MODEL).replace('"', ""), f"batch: {{sequences: {BATCH}}}",
            f"lr: {{curve: wsd, peak: {rate:g}, warmup: {WARMUP} steps, decay: 20%}}",
            "optimizer: {betas: [0.9, 0.95], eps: 1e-8, weight_decay: 0.1, clip: 1.0}", "precision: fp32", "stages:",
            *lines, "evaluate: {every: 1000 steps, tokens: 64K}", "checkpoint: {every: 1000 steps, keep: 1}",
            "log: {every: 10}", ""]))
        self.run(self.program, "train", schedule, "--out", folder)
        return [json.loads(line) for line in open(folder / "run.jsonl")]

    def staged_steps(self):
        return [(layers, round(share * self.o.steps)) for layers, share in STAGES]

    def staged_loss(self, rate):
        folder = self.out / f"staged-{rate:g}"
        say(f"staged, {self.o.steps} steps at {rate:g}")
        self.train(folder, rate, self.staged_steps())
        return json.loads(self.run(self.program, "eval", folder / f"stages/layers{STAGES[-1][0]}.h5", "--data",
                                   self.out / "data/validation.bin", "--json"))["loss"]

    # The two parts

    def losses(self):
        """The staged run's loss, and how many steps nanoGPT needs for it."""
        rates, half = self.o.rates, self.o.steps // 2
        staged = {rate: self.staged_loss(rate) for rate in rates}
        target = min(staged.values())
        tuned = {rate: self.nanogpt_loss(rate, half) for rate in rates}
        best = min(tuned, key=tuned.get)
        ends = {half: tuned[best]}
        for share in (0.75, 1.0, 1.5):
            if min(ends.values()) <= target:
                break
            steps = round(share * self.o.steps)
            if steps > (self.o.longest or steps):
                break
            ends[steps] = self.nanogpt_loss(best, steps)
        return {"staged": staged, "target": target, "nanogpt_tuned": tuned, "nanogpt": ends,
                "nanogpt_steps": steps_to(ends, target)}

    def times(self):
        """Seconds of the median step of each contestant, and what compiling and growing take."""
        few, found = self.o.timing_steps, {}
        for number in range(self.o.rounds):
            say(f"times, round {number + 1} of {self.o.rounds}")
            for name, compiled in (("eager", False), ("compiled", True)):
                folder = self.out / f"time-{name}"
                output = self.nanogpt(folder, 1e-3, few, compiled, log_every=1)
                steps = [float(ms) / 1e3 for ms in re.findall(r"iter \d+: .* time ([\d.]+)ms", output)]
                found.setdefault(name, []).append(statistics.median(steps[few // 10:-1]))
                found.setdefault(name + " first", []).append(steps[0])
            folder = self.out / f"time-staged-{number}"
            subprocess.run(["rm", "-rf", folder], check=True)
            for name, seconds in staged_times(self.train(folder, 1e-3, [(layers, few) for layers, _ in STAGES])):
                found.setdefault(name, []).append(seconds)
        return {name: statistics.median(seconds) for name, seconds in found.items()}


def staged_times(events):
    """(name, seconds) of the median step of each stage, and of each growth."""
    batch = BATCH * MODEL["context"]
    for layers, _ in STAGES:
        speeds = [e["tokens_per_second"] for e in events if e["event"] == "step" and e["stage"] == f"layers{layers}"]
        yield f"layers{layers}", batch / statistics.median(speeds)
    yield "growing", sum(e["grow_seconds"] for e in events if e["event"] == "grow")


def steps_to(ends, loss):
    """Steps at which `loss` is reached, linear in the logarithm of the steps; None outside of the runs."""
    points = sorted(ends.items())
    for (early, high), (late, low) in zip(points, points[1:]):
        if low <= loss <= high:
            share = (high - loss) / (high - low)
            return round(math.exp(math.log(early) + share * math.log(late / early)))
    return None


def verdict(losses, times, stages):
    staged = sum(steps * times[f"layers{layers}"] for layers, steps in stages) + times["growing"]
    print(f"loss of the staged run    {losses['target']:.4f} nats per byte, the best of "
          + ", ".join(f"{loss:.4f} at {rate}" for rate, loss in losses["staged"].items()))
    print("nanoGPT, decayed runs     " + ", ".join(f"{loss:.4f} after {steps}" for steps, loss in losses["nanogpt"].items())
          + "; tried " + ", ".join(f"{loss:.4f} at {rate}" for rate, loss in losses["nanogpt_tuned"].items()))
    print("median steps              " + ", ".join(f"{name} {seconds * 1e3:.1f} ms" for name, seconds in times.items()))
    print(f"staged                    {staged:.0f} s")
    steps, more = losses["nanogpt_steps"], ""
    if not steps:
        if min(losses["nanogpt"].values()) <= losses["target"]:
            return print("nanoGPT                   all of its runs reached this loss: no ratio")
        steps, more = max(int(steps) for steps in losses["nanogpt"]), "more than "  # its longest run did not reach it
    for name in ("eager", "compiled"):
        seconds = steps * times[name] + times[name + " first"]
        print(f"{'nanoGPT, ' + name:25} {more}{seconds:.0f} s for {more}{steps} steps: {more}{seconds / staged:.2f} x")
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nanogpt", type=pathlib.Path, required=True, help="a checkout of nanoGPT")
    parser.add_argument("--text", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--program", type=pathlib.Path, default=pathlib.Path("build/release/stagedtrain"))
    parser.add_argument("--python", default=".deps/readers/bin/python", type=lambda path: str(pathlib.Path(path).absolute()))
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--rates", type=lambda text: [float(rate) for rate in text.split(",")], default=[1.5e-3, 3e-3, 6e-3])
    parser.add_argument("--longest", type=int, help="steps of nanoGPT's longest run (default: 1.5 times --steps)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--timing-steps", type=int, default=200)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--eager", action="store_true", help="do not compile nanoGPT for its losses")
    parser.add_argument("--losses-only", action="store_true")
    parser.add_argument("--times-only", action="store_true")
    o = parser.parse_args()
    comparison = Comparison(o)
    comparison.prepare()
    kept = {"losses": comparison.out / "losses.json", "times": comparison.out / "times.json"}
    for name, other in (("losses", o.times_only), ("times", o.losses_only)):
        if not other:
            kept[name].write_text(json.dumps(getattr(comparison, name)(), indent=1) + "\n")
    if all(path.exists() for path in kept.values()):
        verdict(json.loads(kept["losses"].read_text()), json.loads(kept["times"].read_text()), comparison.staged_steps())


if __name__ == "__main__":
    main()
