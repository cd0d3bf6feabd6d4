#!/usr/bin/env python3
"""Compares plans with published speeds, and plans large models on many devices (docs/cluster.md).

usage: scripts/cluster_tables.py [--program PROGRAM] [--check | --fit]
- Prints the tables of the section "Large models on paper". Every number in them is one of
  `stagedtrain plan --json`; the published speeds are those of tests/cost/published_speeds.csv.
- --check: compares them with docs/cluster.md and the constants with a new fit, and exits with 1 if
  they differ or if more than MISSES predictions miss the published speed by more than WORST.
- --fit: fits the constants below to the figures marked `fit` and prints them.
"""

import argparse
import csv
import json
import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FIGURES = ROOT / "tests/cost/published_speeds.csv"
PAGE = ROOT / "docs/cluster.md"
WORST = 0.15
MISSES = 1  # a run of torchtitan that divides the layers of 70B among GPUs, which no plan does

# What the makers say: peak FLOPs in bf16, bytes per second of a GPU over NVLink in one direction,
# and of a node of 8 GPUs over the network (H100: 8 x 400 Gb/s; A100: 8 x 200 Gb/s).
GPUS = {
    "h100": {"flops": 989e12, "bandwidth": 450e9, "node_bandwidth": 400e9},
    "a100": {"flops": 312e12, "bandwidth": 300e9, "node_bandwidth": 200e9},
}
# Fitted: of a GPU the half_width and the share of these bandwidths that is reached; of a program on
# it the utilisation.
FITTED = {
    "h100": {"half_width": 1500, "reached": 0.62},
    "a100": {"half_width": 600, "reached": 0.98},
}
UTILISATION = {
    ("llm-foundry", "h100"): 0.741, ("torchtitan", "h100"): 0.487,
    ("torchtitan compiled", "h100"): 0.568, ("llm.c", "h100"): 0.956,
    ("llm-foundry", "a100"): 0.803, ("torchtitan", "a100"): 0.694,
    ("llm.c", "a100"): 1.0, ("Megatron", "a100"): 0.546,
}



def plan(program, schedule, settings, arguments):
    """The JSON of a plan, or None where it does not fit into machine.memory."""
    command = [program, "plan", str(schedule), "--json", *arguments]
    for key, value in settings.items():
        command += ["--set", f"{key}={json.dumps(value)}"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode == 2 and "expected at most machine.memory" in done.stderr:
        return None
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{done.stderr}")
    return json.loads(done.stdout)


def machine(gpu, utilisation, half_width, reached, gpus):
    made = GPUS[gpu]
    return {
        "flops": made["flops"], "utilisation": utilisation, "half_width": half_width,
        "bandwidth": made["bandwidth"] * reached, "node_bandwidth": made["node_bandwidth"] * reached,
        "devices": 8, "nodes": max(1, gpus // 8), "reduce": "ring",
    }


def plan_figure(program, row, *constants):
    """The plan of a published run with a machine's constants (see machine())."""
    sizes = {key: int(row[key]) for key in ("layers", "width", "heads", "vocab", "context", "ffn")}
    if row["architecture"] == "llama":
        sizes |= {"kv_heads": int(row["kv_heads"]), "tied": False}
    return plan(program, ROOT / "schedules/minimal.yaml", {
        "model": {"architecture": row["architecture"], **sizes},
        "stages": [{"name": "whole", "for": 1000}],
        "batch": {"sequences": int(row["sequences"]), "micro": int(row["micro"]),
                  "recompute": row["recompute"]},
        "precision": "bf16",
        "machine": machine(row["gpu"], *constants, int(row["gpus"])),
    }, ["--sharding", row["sharding"]])["costs"]["stages"][0]


def in_parallel(function, items):
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(function, items))


# ---- the fit

def terms(program, row):
    """Seconds of a step: of work at the peak, and of sending that is not hidden."""
    stage = plan_figure(program, row, 1.0, 0, 1.0)
    tokens = int(row["sequences"]) * int(row["context"])
    sending = stage["sending_seconds_per_step"] - stage["hidden_seconds_per_step"]
    return stage["seconds_per_token"] * tokens - sending, sending


def log_errors(row, work, sending, utilisation, half_width, reached):
    step = work / utilisation * (1 + half_width / int(row["width"])) + sending / reached
    published = int(row["sequences"]) * int(row["context"])
    published /= int(row["gpus"]) * float(row["tokens_per_second"])
    return math.log(step / published)


def best_utilisation(rows, half_width, reached):
    """The least sum of squares over one program's rows, and where."""
    def squares(utilisation):
        return sum(log_errors(*row, utilisation, half_width, reached) ** 2 for row in rows)
    low, high = 0.05, 1.0
    for _ in range(40):  # squares() has one minimum
        third = (high - low) / 3
        if squares(low + third) < squares(high - third):
            high -= third
        else:
            low += third
    return squares(low), low


def fit(program, rows):
    """FITTED and UTILISATION that make the sum of squares of the fitted rows least."""
    chosen = [row for row in rows if row["use"] == "fit"]
    known = [(row, *of) for row, of in zip(chosen, in_parallel(lambda r: terms(program, r), chosen))]
    fitted, utilisation = {}, {}
    for gpu in GPUS:
        programs = {}
        for one in known:
            if one[0]["gpu"] == gpu:
                programs.setdefault(one[0]["system"], []).append(one)
        _, half_width, reached = min(
            (sum(best_utilisation(of, half, share / 50)[0] for of in programs.values()), half,
             share / 50) for half in range(0, 2600, 100) for share in range(10, 51))
        fitted[gpu] = {"half_width": half_width, "reached": reached}
        for system, of in programs.items():
            utilisation[system, gpu] = round(best_utilisation(of, half_width, reached)[1], 3)
    return fitted, utilisation


# ---- the comparison

def comparison(program, rows):
    """One line for each figure: the row, what is planned, and the relative error."""
    def planned(row):
        fitted = FITTED[row["gpu"]]
        stage = plan_figure(program, row, UTILISATION[row["system"], row["gpu"]],
                            fitted["half_width"], fitted["reached"])
        return stage["tokens_per_second"] / int(row["gpus"])
    found = []
    for row, speed in zip(rows, in_parallel(planned, rows)):
        found.append((row, speed, speed / float(row["tokens_per_second"]) - 1))
    return found


def table(header, rows):
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def summary_table(found):
    rows = []
    for system, gpu in UTILISATION:
        of = [f for f in found if (f[0]["system"], f[0]["gpu"]) == (system, gpu)]
        errors = {use: [e for row, _, e in of if row["use"] == use] for use in ("fit", "predict")}
        def worst(use):
            return f"{100 * max(errors[use], key=abs):+.1f}%" if errors[use] else ""
        def mean(use):
            values = errors[use]
            return f"{100 * sum(map(abs, values)) / len(values):.1f}%" if values else ""
        rows.append([f"{system}, {gpu.upper()}", f"{UTILISATION[system, gpu]:.3f}",
                     len(errors["fit"]), worst("fit"), len(errors["predict"]), mean("predict"),
                     worst("predict")])
    return table(["program", "utilisation", "fitted to", "worst of them", "predicted", "mean error",
                  "worst error"], rows)


def figures_table(found):
    """The predicted figures of models that are as large as those of the plans."""
    rows = [[row["system"], row["gpu"].upper(), row["model"], row["gpus"],
             f"{float(row['tokens_per_second']):,.0f}", f"{speed:,.0f}", f"{100 * error:+.1f}%"]
            for row, speed, error in found
            if row["use"] == "predict" and int(row["layers"]) * int(row["width"]) ** 2 > 5e8]
    return table(["program", "GPU", "model", "GPUs", "published", "planned", "error"], rows)


# ---- the plans

def fastest(program, schedule, gpus):
    """The fastest plan that fits into 80 GB: (seconds, micro, recompute, sharding), or None."""
    def tried(choice):
        micro, recompute = choice
        return choice, plan_large(program, schedule, gpus, micro, recompute, "full")
    choices = [(micro, recompute) for micro in (1, 2, 4, 8) for recompute in ("none", "blocks")
               if micro * gpus <= 1024]
    found = [(one["training_seconds"], *choice, one["sharding"])
             for choice, made in in_parallel(tried, choices) if made
             for one in made["costs"]["shardings"] if one["fits"]]
    return min(found, key=lambda one: one[0], default=None)


def plan_large(program, schedule, gpus, micro, recompute, sharding):
    fitted = FITTED["h100"]
    made = machine("h100", UTILISATION["llm-foundry", "h100"], fitted["half_width"],
                   fitted["reached"], gpus)
    return plan(program, schedule, {
        "batch": {"sequences": 1024, "micro": micro, "recompute": recompute},
        "machine": {**made, "memory": 80e9},
    }, ["--sharding", sharding])


def large_table(program, name):
    schedule = ROOT / f"schedules/{name}.yaml"
    rows = []
    for gpus in (8, 16, 32, 64, 128, 256, 512):
        best = fastest(program, schedule, gpus)
        if not best:
            rows.append([gpus, "does not fit"] + [""] * 7)
            continue
        _, micro, recompute, sharding = best
        costs = plan_large(program, schedule, gpus, micro, recompute, sharding)["costs"]
        stages = costs["stages"]
        memory = max(stage["memory_bytes"]["total"] for stage in stages)
        rows.append([
            gpus, sharding, micro, recompute, f"{memory / 1e9:.0f} GB",
            *(f"{stage['tokens_per_second'] / 1e3:,.0f}K" for stage in stages),
            f"{100 * stages[-1]['efficiency']:.0f}%",
            f"{costs['total']['training_seconds'] / 86400:.1f}"])
    return table(["GPUs", "sharding", "micro", "recompute", "memory of each",
                  "tokens/s, first stage", "tokens/s, second stage", "efficiency", "days"], rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--program", default=str(ROOT / "build/release/stagedtrain"))
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--fit", action="store_true")
    asked = parser.parse_args()
    with open(FIGURES, encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if asked.fit:
        return print(*fit(asked.program, rows), sep="\n")
    found = comparison(asked.program, rows)
    tables = [summary_table(found), figures_table(found), large_table(asked.program, "llama-7b"),
              large_table(asked.program, "llama-70b")]
    if not asked.check:
        return print("\n\n".join(tables))
    page = PAGE.read_text(encoding="utf-8")
    faults = [f"{PAGE.name} has not this table, which {Path(__file__).name} prints:\n{one}"
              for one in tables if one not in page]
    if (FITTED, UTILISATION) != fit(asked.program, rows):
        faults.append("FITTED and UTILISATION are not what --fit prints")
    missed = [f"{row['system']}, {row['model']} on {row['gpus']} {row['gpu'].upper()}: planned "
              f"{speed:.0f} tokens/s, published {row['tokens_per_second']}"
              for row, speed, error in found if row["use"] == "predict" and abs(error) > WORST]
    if len(missed) > MISSES:
        faults += missed
    print("\n".join(faults) or f"{len(found)} published speeds, {len(tables)} tables: no fault")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
