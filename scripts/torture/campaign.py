#!/usr/bin/env python3
"""The campaign of scripts/torture.sh: each part breaks one thing many times and counts what comes of it.

usage: campaign.py [--quick] [PART...]

A fault is: an exit code that is not documented, a crash or a sanitizer's report, more than 10 seconds where the
whole command takes less than one, a file that is neither the old nor the new one, training that is lost.
Exits with 1 if there was any fault.
"""

import argparse
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import time

from calls import calls, saves
from common import ENVIRONMENT, PROGRAM, ROOT, SANITIZED, WORK, Count, Outcome, identity, in_parallel, prepare, run
from rank_kills import rank_kills


# -- kills -----------------------------------------------------------------------------------------------
def kills(count, tries):
    """kill -9 at random moments of a run with a growth; every rerun goes on; the end has the same bits."""
    whole = identity(WORK / "whole/stages/full.h5")
    for folder in (WORK / f"killed-{n}" for n in range(tries)):
        killed_times = kill_until_done(count, folder, tries - count.tries)
        end = identity(folder / "stages/full.h5")
        if killed_times is not None and end != whole:
            count.faults.append(f"{folder.name}: killed {killed_times} times, its end differs ({end}, expected {whole})")
        shutil.rmtree(folder, ignore_errors=True)
        if count.tries >= tries:
            return


def kill_until_done(count, folder, most):
    """Starts and kills one run until it ends by itself. Returns how often it was killed, None if it fails."""
    killed = 0
    while True:
        process = subprocess.Popen([PROGRAM, "train", WORK / "schedule.yaml", "--out", folder], env=ENVIRONMENT,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            wait = random.uniform(0.05, 1.2) if killed < most else 300
            text = process.communicate(timeout=wait)[0].decode("utf-8", "replace")
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            killed += 1
            count.add(f"{folder.name}, kill {killed}", Outcome(0, "", 0))
            continue
        if process.returncode == 0:
            return killed
        count.add(f"{folder.name} after {killed} kills", Outcome(process.returncode, text, 0),
                  f"exit code {process.returncode}")
        return None


def ranks(count, tries):
    """Killed, hanging and signalled ranks: every rerun goes on; the end has the same bits."""
    runs = rank_kills(PROGRAM, tries, tries // 10, tries // 10, tries // 10, 2 * os.cpu_count(), seed=1)
    count.tries, count.codes, count.faults = sum(runs.codes.values()), runs.codes, runs.faults


# -- damaged text and files ------------------------------------------------------------------------------
SPICE = [b"-1", b"0", b"1e308", b"nan", b"1e-300", b"9223372036854775807", b"[", b"{", b"]", b"}", b":", b"\t", b"\0",
         b"\xff", b"&a [*a]", b"<<: *x", b"null", b"'", b'"', b"100%", b"10 epochs", b"10M tokens", b"65536", b"~"]


def mutated(data):
    """Some bytes changed, cut, doubled or replaced."""
    data = bytearray(data)
    for _ in range(random.randint(1, 6)):
        at = random.randrange(len(data) + 1)
        end = min(len(data), at + random.choice((1, 1, 2, 4, 8, 40)))
        kind = random.randrange(5)
        if kind == 0 and at < len(data):
            data[at] ^= 1 << random.randrange(8)
        elif kind == 1:
            del data[at:end]
        elif kind == 2:
            data[at:at] = random.choice(SPICE)
        elif kind == 3:
            data[at:end] = random.choice(SPICE)
        else:
            data[at:at] = data[at:end] * random.randint(1, 3)
        if not data:
            data = bytearray(b"\n")
    return bytes(data)


def schedules(count, tries):
    """Mutated schedules of the tree, planned under the sanitizers."""
    texts = [f.read_bytes() for f in sorted((ROOT / "schedules").rglob("*.yaml"))]
    texts.append((WORK / "schedule.yaml").read_bytes())
    inputs = [(n, mutated(random.choice(texts))) for n in range(tries)]

    def one(numbered):
        number, text = numbered
        file = WORK / f"schedule-{number}.yaml"
        file.write_bytes(text)
        outcome = run(SANITIZED, "plan", file)
        if not outcome.fault():
            file.unlink()
        return file.name, outcome

    for name, outcome in in_parallel(one, inputs):
        count.add(name, outcome)


def files(count, tries):
    """Mutated checkpoints, token files, logs and law files, read under the sanitizers."""
    run_folder = WORK / "whole"
    kinds = [
        (run_folder / "stages/small.h5", "in.h5", lambda f: (SANITIZED, "show", f)),
        (run_folder / "stages/small.h5", "in.h5",
         lambda f: (SANITIZED, "grow", f, f.with_name("out.h5"), "--operator", "depth", "--layers", "4")),
        (WORK / "data/train.bin", "train.bin", lambda f: (SANITIZED, "show", f)),
        (run_folder / "run.jsonl", "run.jsonl",
         lambda f: (SANITIZED, "report", f.parent, "--json")),
        (run_folder / "run.jsonl", "run.jsonl", lambda f: (SANITIZED, "plan", "--fit", f)),
    ]
    inputs = [(n, *random.choice(kinds)) for n in range(tries)]

    def one(plan):
        number, source, name, command = plan
        folder = WORK / f"files-{number}"
        folder.mkdir()
        (folder / name).write_bytes(mutated(source.read_bytes()))
        outcome = run(*command(folder / name))
        if not outcome.fault():
            shutil.rmtree(folder)
        return f"{folder.name}/{name}", outcome

    for name, outcome in in_parallel(one, inputs):
        count.add(name, outcome)


def flips(count, tries):
    """One bit of every page of a checkpoint: found, or in bytes that mean nothing (the identity stays)."""
    source = WORK / "whole/stages/full.h5"
    data, whole = source.read_bytes(), identity(source, "identity")
    pages = list(range(0, len(data), 4096))
    random.shuffle(pages)

    def one(page):
        place = page + random.randrange(min(4096, len(data) - page))
        changed = bytearray(data)
        changed[place] ^= 1 << random.randrange(8)
        file = WORK / f"flip-{place}.h5"
        file.write_bytes(changed)
        outcome = run(PROGRAM, "show", file, "--json")
        file.unlink()
        lies = outcome.code == 0 and json.loads(outcome.text)["identity"] != whole
        return f"byte {place}", outcome, "another content was shown as whole" if lies else None

    for name, outcome, extra in in_parallel(one, pages[:tries]):
        count.add(name, outcome, extra)


# -- starved processes -----------------------------------------------------------------------------------
def limits(count, tries):
    """Few threads, little memory, few descriptors, small files: refused with exit code 4, or done."""
    megabyte = 1 << 20
    kinds = [(resource.RLIMIT_NPROC, (1, 2, 3, 4, 8)), (resource.RLIMIT_NOFILE, (3, 4, 5, 6, 8, 12, 16, 24)),
             (resource.RLIMIT_AS, [n * megabyte for n in (24, 32, 48, 64, 96, 128, 256, 512, 1024, 2048)]),
             (resource.RLIMIT_FSIZE, (0, 1, 4096, 65536, 262144)), (resource.RLIMIT_STACK, (65536, 262144))]
    source, nobody = WORK / "whole/stages/small.h5", 65534
    open_to_all(WORK)

    def one(plan):
        number, kind, value = plan
        folder = WORK / f"limits-{number}"
        folder.mkdir()
        folder.chmod(0o777)
        command = random.choice((
            ("grow", source, folder / "out.h5", "--operator", "depth", "--layers", "4"),
            ("show", source), ("plan", WORK / "schedule.yaml"),
            ("data", WORK / "text.txt", "--out", folder / "data"),
            ("train", WORK / "schedule.yaml", "--set", "stages.small.for=20 steps", "--set", "stages.full.for=20 steps",
             "--out", folder / "run")))
        outcome = run(PROGRAM, *command, limit=(kind, (value, value)), user=nobody if os.geteuid() == 0 else None)
        target = folder / "out.h5"
        extra = "the target is not whole" if target.exists() and identity(target) is None else None
        # The loader's own refusal comes before main().
        if outcome.code == 127 or "error while loading shared libraries" in outcome.text:
            outcome = Outcome(4, outcome.text, outcome.seconds)
        shutil.rmtree(folder)
        return f"{command[0]} under limit {kind} = {value}", outcome, extra

    plans = [(kind, value) for kind, values in kinds for value in values] * tries
    inputs = [(n, *plan) for n, plan in enumerate(plans[:tries])]
    for name, outcome, extra in in_parallel(one, inputs):
        count.add(name, outcome, extra)


def open_to_all(folder):
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o777 if path.is_dir() else 0o666)


PARTS = {"kills": (kills, 400), "ranks": (ranks, 500), "calls": (calls, 10**9), "saves": (saves, 10**9),
         "schedules": (schedules, 3000), "files": (files, 2000),
         "flips": (flips, 10**9), "limits": (limits, 400)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a twentieth of every part")
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    arguments = parser.parse_args()
    for unknown in set(arguments.parts) - set(PARTS):
        parser.error(f"no such part: {unknown}")
    random.seed(1)
    prepare()
    counts = []
    for name in arguments.parts or PARTS:
        work, tries = PARTS[name]
        count, start = Count(work.__doc__.split(":")[0].rstrip(".")), time.monotonic()
        work(count, min(tries, 100 if name in ("calls", "saves", "flips") else tries // 20) if arguments.quick else tries)
        counts.append(count)
        print(f"{name}: {count.tries} tries, {len(count.faults)} faults, {time.monotonic() - start:.0f} s", file=sys.stderr)
        for fault in count.faults[:20]:
            print(f"  {fault}", file=sys.stderr, flush=True)
    print("| what was broken | tries | exit codes | faults |\n|---|---|---|---|")
    for count in counts:
        codes = ", ".join(f"{code}: {times}" for code, times in sorted(count.codes.items()))
        print(f"| {count.name} | {count.tries:,} | {codes} | {len(count.faults)} |")
    return 1 if any(count.faults for count in counts) else 0


if __name__ == "__main__":
    sys.exit(main())
