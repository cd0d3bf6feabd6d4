#!/usr/bin/env python3
"""Trains every method of growing on one text, one final model and one number of FLOPs, and ranks them.

    scripts/bakeoff.py TEXT --out DIR [--seeds 1,2,3] [--optimizers adamw,muon] [--only NAME,...]

Each method is an edit of schedules/bakeoff.yaml (METHODS below): its stages, whose lengths are scaled so that the whole
run takes the FLOPs of that schedule as written. All runs decay to their ends. The learning rate is the best of a sweep
for training from scratch, and the same for all methods. Beside them run the final model from scratch and three smaller
models, each decayed at several lengths, so that `stagedtrain report` can compute both savings: against the same model,
and against the best model of any size.

Runs go on --jobs at a time, one thread each, first all methods with the first seed. Run again, it goes on where it
stopped. After each run DIR/bakeoff.md has the ranking so far. A run takes four to eight minutes on a quiet core;
--scale 0.25, in another folder, makes all runs a quarter as long. Needs no package beyond Python's own.

--pack FILE.tar.xz writes the logs of all ended runs, without their steps, and ends. Unpacked into DIR, such a file
stands for its runs: the script trains only what is missing. bench/bakeoff-runs.tar.xz has those of docs/bakeoff.md at
--scale 0.25, and bench/bakeoff-full-runs.tar.xz those of the full length.
"""
import argparse
import concurrent.futures
import io
import json
import os
import pathlib
import subprocess
import sys
import tarfile
import threading

ROOT = pathlib.Path(__file__).resolve().parent.parent
SCHEDULE = ROOT / "schedules/bakeoff.yaml"
LENGTHS = {"small": 4200, "whole": 1800}  # the stages of the schedule, in steps
RATES = {"adamw": (1.5e-3, 3e-3, 6e-3, 1.2e-2), "muon": (1e-2, 2e-2, 4e-2)}  # and twice the last while it is the best


def deep(layers, share, /, **growth):
    """A stage of so many layers that takes this share of the steps; `growth` are options of `depth`."""
    grow = {"operator": "depth", "layers": layers} | growth
    return {"share": share, "model": {"layers": layers}, "grow": [grow]}


def two(**growth):
    return [deep(2, .7), deep(12, .3, **growth)]


def wide(**growth):
    """Half the width for 70% of the steps."""
    return [{"share": .7, "model": {"width": 32, "heads": 1, "ffn": 128}}, {"share": .3, "grow": [growth]}]


def whole(**policy):
    return [{"share": 1, **policy}]


WIDE = {"width": 64, "heads": 2, "ffn": 256}
BLOCKS = {"new_layers": "copied", "moments": "copy", "block": 3}
# name: (what the literature calls it, what is claimed there, stages). Layers are interleaved unless an order is given.
METHODS = {
    "zero_output": ("silent layers (Staged Training's depth operator)", "20% of FLOPs", two(new_layers="zero_output")),
    "copied": ("interleaved copies", "", two(new_layers="copied")),
    "copied-half": ("copies with outputs x 0.5 (stacking as accelerated descent)", "",
                    two(new_layers="copied", scale=.5)),
    "mean": ("mean of two neighbours (STEP)", "memory, not FLOPs", two(new_layers="mean")),
    "slerp": ("between two neighbours on the arc (DLO)", "", two(new_layers="slerp")),
    "random": ("fresh layers", "", two(new_layers="random")),
    "stack": ("G_stack: appended copies, fresh moments", "about 35%", two(new_layers="copied", order="append", moments="reset")),
    "stackbert": ("StackBERT: doubled twice by appended copies, fresh moments", "half the time (BERT)",
                  [deep(3, .125), *({"share": share, "grow": [{"operator": "stack", "factor": 2, "moments": "reset"}]}
                                    for share in (.175, .7))]),
    "solar": ("SOLAR: 8 layers twice, without the middle", "not for pretraining",
              [deep(8, .5), deep(12, .5, order="overlap", new_layers="copied")]),
    "lidas": ("LIDAS: 8 layers, overlapping blocks of four", "",
              [deep(8, .5), deep(12, .5, layers=[0, 1, 2, 3, 2, 3, 4, 5, 4, 5, 6, 7], new_layers="copied")]),
    "append-silent": ("G_zero: appended silent layers", "", two(new_layers="zero_output", order="append")),
    "last": ("gradual stacking in one step: the last layer repeated", "", two(new_layers="copied", order="last")),
    "copied-moments": ("interleaved copies with copied moments", "", two(new_layers="copied", moments="copy")),
    "from-4": ("interleaved copies, from 4 layers", "", [deep(4, .7), deep(12, .3, new_layers="copied")]),
    "from-6": ("interleaved copies, from 6 layers", "", [deep(6, .7), deep(12, .3, new_layers="copied")]),
    "2-4-12": ("interleaved copies, two growths", "", [deep(2, .7), deep(4, .1, new_layers="copied"), deep(12, .2, new_layers="copied")]),
    "2-4-12-silent": ("silent layers, two growths", "", [deep(2, .7), deep(4, .1, new_layers="zero_output"), deep(12, .2, new_layers="zero_output")]),
    "midas": ("MIDAS: the middle block again, four stages", "28% of block FLOPs",
              [deep(3, .1), *(deep(3 * k, k / 10, order="middle", **BLOCKS) for k in (2, 3, 4))]),
    "gradual": ("gradual stacking: the last block again, four stages", "28% of block FLOPs",
                [deep(3, .1), *(deep(3 * k, k / 10, order="last", **BLOCKS) for k in (2, 3, 4))]),
    "mslt": ("MSLT: new layers alone, then all", "", [deep(6, .5), deep(12, .2, order="last", block=6, new_layers="copied") | {"train_only": "new"},
                                                    deep(12, .3)]),
    "llama_pro": ("LLaMA-Pro: silent layers, trained alone", "not for pretraining",
                  [deep(6, .7), {"share": .3, "grow": [{"operator": "llama_pro", "groups": 6}], "train_only": "new"}]),
    "width": ("block-diagonal doubling (Staged Training)", "20% of FLOPs", wide(operator="width", factor=2, symmetry={"noise": .01})),
    "clone": ("even split (HyperCloning)", "2 to 4 x", wide(operator="clone", factor=2, symmetry={"noise": .01})),
    "net2net": ("half the heads and hidden units, copied at random (Net2Net)", "",
                [{"share": .7, "model": {"heads": 1, "head_dim": 32, "ffn": 128}},
                 {"share": .3, "grow": [{"operator": "clone", "axes": ["heads", "ffn"], "copies": "random"}]}]),
    "aki": ("copies from the next layer (bert2BERT's AKI)", "45% (BERT)", wide(operator="clone", copies="next_layer")),
    "lemon": ("LEMON", "32 to 50%", wide(operator="lemon", **WIDE)),
    "expand": ("zero padding (Composable expansions)", "", wide(operator="expand", **WIDE)),
    "szp": ("shrink, pad, perturb (SZP)", "below 20 tokens a parameter", wide(operator="expand", shrink=.4, noise=.1, **WIDE)),
    "mask": ("mask that rises (MSG)", "", wide(operator="mask", steps=200, **WIDE)),
    "rms_copy": ("copies in turn, fresh moments (SPARKLING)", "20 to 35%", wide(operator="rms_copy", **WIDE)),
    "multilevel": ("coalesced after 10%, back after 60% (multi-level framework)", "20% (BERT, GPT)",
                   [{"share": .1}, {"share": .5, "grow": [{"operator": "coalesce", "width": 2, "layers": 2}]},
                    {"share": .4, "grow": [{"operator": "decoalesce", "width": 2, "layers": 2, "symmetry": {"noise": .01}},
                                           {"operator": "interpolate", "with": "stages/stage1.h5"}]}]),
    "context": ("half the context first", "", [{"share": .7, "model": {"context": 64}}, {"share": .3, "grow": [{"operator": "context", "length": 128}]}]),
    "ligo": ("LiGO, 100 steps of its fit", "22% (GPT-2)", [deep(6, .5), {"share": .5, "grow": [{"operator": "ligo", "layers": 12, "fit": {"steps": 100}}]}]),
    "layer_dropout": ("falling layer dropout, no growth", "12% of block FLOPs", whole(layer_dropout={"max": .5})),
    "raptr": ("RaPTr 6-8-10-12, no growth", "up to 33% (BERT)", whole(layer_path={"layers": 6, "then": [8, 10, 12]})),
    "matformer": ("MatFormer: some of the hidden units, no growth", "several sizes in one", whole(ffn_path={"draw": "micro"})),
    "random-ltd": ("Random-LTD: some of the tokens, no growth", "33% (GPT-3)", whole(token_dropping={"start": 32, "over": .7})),
    "hift": ("HiFT: three layers a step, no growth", "memory, not FLOPs", whole(train_groups={"layers": 3})),
    "apollo": ("Apollo: shared layers, 3-6-12", "42 to 48%",
               [deep(3, .2) | {"layer_sharing": {"layers": 12}},
                deep(6, .3, new_layers="copied", moments="copy") | {"layer_sharing": {"layers": 12}},
                deep(12, .5, new_layers="copied", moments="copy")]),
    "zero-layer": ("from no layers at all", "80% without embeddings", [deep(0, .3), deep(12, .7, new_layers="random")]),
    "one-layer": ("interleaved copies, from 1 layer", "80% without embeddings", [deep(1, .6), deep(12, .4, new_layers="copied")]),
    "2-12-dropout": ("interleaved copies, then falling layer dropout", "",
                     [deep(2, .7), deep(12, .3, new_layers="copied") | {"layer_dropout": {"max": .5}}]),
}


def say(text):
    print(text, file=sys.stderr, flush=True)


def flow(value):
    """A value as YAML in one line, without quotes."""
    return json.dumps(value).replace('"', "")


class Bakeoff:
    def __init__(self, options):
        self.o, self.out = options, options.out.resolve()
        self.program = options.program.resolve()
        self.environment = os.environ | {"OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": str(self.out / "cache")}
        self.writing = threading.Lock()

    def call(self, *words):
        done = subprocess.run([str(word) for word in words], env=self.environment, text=True, capture_output=True)
        if done.returncode:
            sys.exit(f"{' '.join(map(str, words))}\nended with {done.returncode}:\n{done.stderr[-3000:]}")
        return done.stdout

    def report(self, *folders):
        return json.loads(self.call(self.program, "report", *folders, "--json"))

    def edits(self, optimizer, rate, seed):
        words = [f"seed={seed}", f"lr.peak={rate:g}", f"data={{train: {self.out}/data/train.bin, "
                                                      f"validation: {self.out}/data/validation.bin}}"]
        if self.o.scale != 1:
            words += [f"stages.{name}.for={steps * self.o.scale:g} steps" for name, steps in LENGTHS.items()]
        if optimizer != "adamw":
            words.append(f"optimizer={{name: {optimizer}, adamw_lr: {self.rate('adamw'):g}}}")
        return [word for edit in words for word in ("--set", edit)]

    def stages(self, method, steps):
        """The stages of a method as YAML, for a run of so many steps."""
        stages = []
        for index, stage in enumerate(method[2]):
            one = {"name": f"stage{index + 1}", "for": f"{max(1, round(stage['share'] * steps))} steps"}
            one |= {key: value for key, value in stage.items() if key not in ("share", "model" if index else "grow")}
            stages.append(one)
        return ["--set", "stages=" + flow(stages)]

    def flops(self, *words):
        return json.loads(self.call(self.program, "plan", SCHEDULE, "--json", *words))["flops"]

    def length(self, name, words):
        """The edit that gives a method the FLOPs of the schedule as written. FLOPs are linear in steps but for fits."""
        goal = self.flops(*words)
        few, many = 2000, 4000
        low, high = (self.flops(*words, *self.stages(METHODS[name], steps)) for steps in (few, many))
        steps = few + (goal - low) * (many - few) / (high - low)
        edit = self.stages(METHODS[name], steps)
        if abs(self.flops(*words, *edit) / goal - 1) > .005:
            sys.exit(f"{name}: no length takes the FLOPs of {SCHEDULE.name}")
        return edit

    def train(self, folder, *words):
        if (folder / "ended").exists():
            return
        say(f"{folder.relative_to(self.out)}")
        self.call("nice", "-n", self.o.nice, self.program, "train", SCHEDULE, "--out", folder, "--threads", 1, *words)
        (folder / "ended").touch()

    def method(self, name, optimizer, seed):
        words = self.edits(optimizer, self.rate(optimizer), seed)
        self.train(self.out / optimizer / name / f"seed-{seed}", *words, *self.length(name, words))
        self.write(optimizer)

    def baseline(self, flag, optimizer, seed):
        words = self.edits(optimizer, self.rate(optimizer), seed)
        self.train(self.out / optimizer / f"from{flag[1:]}" / f"seed-{seed}", flag, *words)
        self.write(optimizer)

    # The learning rate: the best of a sweep for the final model from scratch, at half of the FLOPs.

    def sweep(self, optimizer, rate):
        words = self.edits(optimizer, rate, 1)
        goal = self.flops(*words)
        edit = ["--set", f"stages=[{{name: whole, for: {goal / 2:g} flops}}]"]
        folder = self.out / "rates" / optimizer / f"{rate:g}"
        self.train(folder, *words, *edit)
        return self.report(folder)["runs"][0]["loss"]

    def rate(self, optimizer):
        return json.loads((self.out / "rates" / f"{optimizer}.json").read_text())["best"]

    def tune(self, optimizer, workers):
        file = self.out / "rates" / f"{optimizer}.json"
        if file.exists():
            return
        losses = dict(zip(RATES[optimizer], workers.map(lambda rate: self.sweep(optimizer, rate), RATES[optimizer])))
        while (best := min(losses, key=losses.get)) == max(losses):
            losses[2 * best] = self.sweep(optimizer, 2 * best)
        file.write_text(json.dumps({"best": best, "losses": losses}, indent=1) + "\n")

    def pack(self, file):
        with tarfile.open(file, "w:xz") as packed:
            def add(path, text):
                member = tarfile.TarInfo(str(path.relative_to(self.out)))
                member.size = len(text)
                packed.addfile(member, io.BytesIO(text))
            for path in sorted(self.out.glob("rates/*.json")):
                add(path, path.read_bytes())
            for ended in sorted(self.out.glob("*/*/seed-*/ended")):
                add(ended, b"")
                for log in sorted(ended.parent.rglob("run.jsonl")):
                    lines = log.read_bytes().splitlines(keepends=True)
                    add(log, b"".join(line for line in lines if json.loads(line)["event"] != "step"))

    # The ranking

    def write(self, optimizer):
        with self.writing:
            page = [ranking(self, name) for name in self.o.optimizers if (self.out / name).exists()]
            (self.out / "bakeoff.md").write_text("\n".join(page))

    def run(self):
        if not (self.out / "data/train.bin").exists():
            self.call(self.program, "data", self.o.text, "--out", self.out / "data")
        with concurrent.futures.ThreadPoolExecutor(self.o.jobs) as workers:
            for optimizer in self.o.optimizers:
                self.tune(optimizer, workers)
            tasks = []
            for seed in self.o.seeds:
                for optimizer in self.o.optimizers:
                    tasks += [(self.baseline, flag, optimizer, seed) for flag in ("--scratch", "--frontier")]
                    tasks += [(self.method, name, optimizer, seed) for name in self.o.only]
            for done in [workers.submit(*task) for task in tasks]:
                done.result()
        print((self.out / "bakeoff.md").read_text())


def percent(saving):
    if not saving:
        return "–"
    if saving["value"] is None:
        bounds = (("at least", saving["at_least"]), ("at most", saving["at_most"]))
        return next((f"{word} {100 * bound:.0f}%" for word, bound in bounds if bound is not None), "–")
    error = f" ± {100 * saving['stderr']:.1f}" if saving["stderr"] is not None else ""
    return f"{100 * saving['value']:.1f}{error}%" + ("*" if saving["reach"] != "inside" else "")


def compared(report):
    """(method, run, comparison) of each method in a report that has ended."""
    runs = {run["name"]: run for run in report["runs"]}
    for one in report["comparisons"]:
        run = runs[one["staged"]]
        name = next((part for part in run["name"].split("/") if part in METHODS), None)
        if name and run["loss"] is not None:
            yield name, run, one


def ranking(bakeoff, optimizer):
    """The methods by their losses, with what `stagedtrain report` says they saved."""
    report = bakeoff.report(bakeoff.out / optimizer)
    rows = []
    for name, run, one in compared(report):
        flops, size = one["savings"]["flops"]["saving"], one["free_size"]
        seconds = one["savings"]["seconds"]["saving"]
        error = f" ± {run['stderr']:.4f}" if len(run["samples"]) > 1 else ""
        rows.append((run["loss"], f"| {name} | {METHODS[name][0]} | {run['loss']:.4f}{error} | {max(1, len(run['samples']))} "
                     f"| {percent(flops)} | {percent(size['saving']) + ' (' + size['best'] + ')' if size else '–'} "
                     f"| {percent(seconds)} | {METHODS[name][1]} |"))
    most = {}  # scratch runs of the most seeds, by their layers and FLOPs
    for run in report["runs"]:
        if run["role"] == "scratch" and run["loss"] is not None:
            end = run["model"]["layers"], run["flops"]
            most[end] = max(most.get(end, run), run, key=lambda run: len(run["samples"]))
    ends = "; ".join(f"{layers} layers {run['loss']:.4f} at {flops / 1e12:.1f}T"
                     for (layers, flops), run in sorted(most.items()))
    return "\n".join([
        f"## {optimizer}, peak {bakeoff.rate(optimizer):g}", "", f"From scratch: {ends}.", "",
        "| method | what it is | loss | seeds | FLOPs saved, same model | FLOPs saved, any size | time saved | claimed |",
        "|---|---|---|---|---|---|---|---|", *(row for _, row in sorted(rows)), ""])


def listed(kind):
    return lambda text: [kind(part) for part in text.split(",")]


def method_name(text):
    if text not in METHODS:
        raise argparse.ArgumentTypeError(f"'{text}', expected some of: {', '.join(METHODS)}")
    return text


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=pathlib.Path, metavar="TEXT")
    parser.add_argument("--out", type=pathlib.Path, required=True, metavar="DIR")
    parser.add_argument("--program", type=pathlib.Path, default=ROOT / "build/release/stagedtrain")
    parser.add_argument("--seeds", type=listed(int), default=[1, 2, 3])
    parser.add_argument("--optimizers", type=listed(str), default=["adamw", "muon"], metavar="NAME,...")
    parser.add_argument("--only", type=listed(method_name), default=list(METHODS), metavar="METHOD,...")
    parser.add_argument("--scale", type=float, default=1, help="length of all runs, as a factor; 1 is 20 tokens a parameter")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="runs at a time (default: the number of cores)")
    parser.add_argument("--nice", type=int, default=0)
    parser.add_argument("--pack", type=pathlib.Path, metavar="FILE.tar.xz", help="write the logs of ended runs")
    options = parser.parse_args()
    bakeoff = Bakeoff(options)
    if options.pack:
        bakeoff.pack(options.pack)
    else:
        bakeoff.run()


if __name__ == "__main__":
    main()
