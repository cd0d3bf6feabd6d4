#!/usr/bin/env python3
"""Is nothing lost when a rank dies? Kills, stops and signals ranks at random moments, and counts what comes of it.

usage: rank_kills.py --program build/release/stagedtrain [--kills 50] [--hangs 2] [--ends 4] [--stops 2] [--lanes 4]
                     [--seed N]
Trains a tiny model with a growth on two ranks, several runs side by side. At a random moment
  a kill   sends SIGKILL to one rank: the command ends within 40 s with code 6 and names rank, host, phase and step,
  a hang   sends SIGSTOP: the same, found by the rank's heartbeat,
  an end   is a hang while the ranks leave the finished run: the launcher kills what is left over,
  a stop   sends SIGTERM to one rank: both ranks stop after the same step, save once, and the command ends with 85.
The same command follows until the run has ended. Its last loss and its final weights and moments must then have the
same bits as those of a run that nothing disturbed. Exits with 1 if there was any fault; ctest runs it as
cli/rank_kills, scripts/torture.sh with 500 kills.
"""

import argparse
import collections
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

SCHEDULE = """\
seed: 3
data: {{train: {data}/train.bin, validation: {data}/validation.bin}}
model: {{architecture: gpt2, layers: 2, width: 16, heads: 1, context: 16, vocab: 256}}
batch: {{sequences: 4, micro: 1}}
lr: {{curve: wsd, peak: 3e-3, warmup: 10 steps, decay: 20%}}
stages:
  - {{name: small, model: {{layers: 1}}, for: 150 steps}}
  - {{name: full, grow: [{{operator: depth, layers: 2}}], for: 150 steps}}
evaluate: {{every: 50 steps, tokens: 512}}
checkpoint: {{every: 10 steps, keep: 2}}
log: {{every: 50}}
"""
LAST_WORDS = "full step 150: validation loss"
SIGNALS = {"kill": signal.SIGKILL, "hang": signal.SIGSTOP, "end": signal.SIGSTOP, "stop": signal.SIGTERM}
LOST_AFTER, JOIN_TIMEOUT = 3, 3  # seconds
PATIENCE = 40  # seconds after the signal; the launcher itself waits for 15 s more than LOST_AFTER


class Runs:
    """The files that all runs share, what an undisturbed run comes to, and what is counted."""

    def __init__(self, program, folder, plan):
        self.program, self.folder = Path(program).resolve(), Path(folder)
        self.environment = os.environ | {"OMP_NUM_THREADS": "2", "XDG_CACHE_HOME": str(self.folder / "cache")}
        self.plan, self.lock = list(plan), threading.Lock()
        self.outcomes, self.codes = collections.Counter(), collections.Counter()
        self.faults, self.slowest, self.finished = [], 0.0, 0
        text = self.folder / "text.txt"
        text.write_bytes(bytes(random.Random(1).choices(b"etaoin shrdlu", k=60000)))
        self.must("data", text, "--out", self.folder / "data")
        (self.folder / "schedule.yaml").write_text(SCHEDULE.format(data=self.folder / "data"))
        start = time.monotonic()
        self.must(*self.training(self.folder / "whole")[1:])
        self.seconds = time.monotonic() - start
        self.end = self.end_of(self.folder / "whole")

    def training(self, folder):
        return [self.program, "train", self.folder / "schedule.yaml", "--out", folder, "--processes", "2",
                "--lost-after", str(LOST_AFTER), "--join-timeout", str(JOIN_TIMEOUT)]

    def must(self, *arguments):
        done = subprocess.run([self.program, *arguments], env=self.environment, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"rank_kills: preparing failed with {done.returncode}:\n{done.stderr}")
        return done.stdout

    def end_of(self, folder):
        """The last loss in the log, and the checksum over the tensors of the last stage."""
        events = [json.loads(line) for line in open(folder / "run.jsonl")]
        shown = json.loads(self.must("show", folder / "stages/full.h5", "--json"))
        return [e["loss"] for e in events if e["event"] == "end"][-1], shown["tensors_identity"]

    def next(self):
        with self.lock:
            return self.plan.pop() if self.plan else None

    def count(self, outcome, code, seconds):
        with self.lock:
            self.outcomes[outcome] += 1
            self.codes[code] += 1
            self.slowest = max(self.slowest, seconds)

    def fault(self, what, text):
        with self.lock:
            self.faults.append(f"{what}\n      " + "\n      ".join(text.strip().splitlines()[-6:]))


def ranks_of(process):
    """The processes of the ranks, once both run the program."""
    end = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < end:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        if len(children) == 2:
            return [int(child) for child in children]
        time.sleep(0.005)
    return []


def send(processes, number):
    """Sends a signal to those that still exist. Returns whether there were any."""
    sent = False
    for process in processes:
        try:
            os.kill(process, number)
            sent = True
        except ProcessLookupError:
            pass
    return sent


def wait_for_last_words(process, path):
    while process.poll() is None and LAST_WORDS not in path.read_text():
        time.sleep(0.01)


def disturb(runs, folder, what, moment):
    """Runs the command once and disturbs it. Returns False if it ended by itself before that."""
    rank, delay = moment.randrange(2), moment.uniform(0.02, 0.7) * runs.seconds
    with open(folder.with_suffix(".err"), "w+") as output:
        process = subprocess.Popen(runs.training(folder), env=runs.environment, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=output)
        ranks = ranks_of(process)
        if what == "end":
            wait_for_last_words(process, folder.with_suffix(".err"))
            delay = moment.uniform(0, 0.3)
        try:
            process.wait(delay)
        except subprocess.TimeoutExpired:
            pass
        disturbed = process.poll() is None and send(ranks[rank:rank + 1], SIGNALS[what])
        start = time.monotonic()
        try:
            code = process.wait(PATIENCE if disturbed else 300)
        except subprocess.TimeoutExpired:
            send([process.pid, *ranks], signal.SIGKILL)
            code = process.wait()
        seconds = time.monotonic() - start
        output.seek(0)
        text = output.read()
    if not disturbed and code != 0:
        runs.fault(f"undisturbed, but it ended with {code}", text)
    if disturbed:
        log = folder / "run.jsonl"
        judge(runs, what, rank, code, seconds, text, log.exists() and '"event":"end"' in log.read_text())
    return disturbed


def judge(runs, what, rank, code, seconds, text, done):
    """Counts what came of it, and notes a fault. done: the run had ended, and its processes were leaving."""
    if done and code in (0, 6, 85) or rank == 0 and code == 6 and LAST_WORDS in text:
        return runs.count(f"{what}: after the end", code, seconds)
    if what == "stop":
        outcome = "saved" if "\nsaved " in text or "; saved " in text else "before there was anything to save"
        runs.count(f"{what}: {outcome}", code, seconds)
        if code != 85 or text.count("; saved ") > 1:
            runs.fault(f"rank {rank}, {what}: it ended with {code} after {seconds:.0f} s; expected 85", text)
        return None
    if "frame #" in text:
        runs.fault(f"rank {rank}, {what}: a stack trace was printed", text)
    told = re.search(rf"rank {rank} on \S+ (?:\(process \d+, local rank \d+\) )?was lost while ([a-z]+)", text)
    missing = re.search(rf"did not connect|waited .* for rank {rank}|rank {rank} \(process \d+\) was killed", text)
    phase = told.group(1) if told else "starting"
    runs.count(f"{what}: {phase}", code, seconds)
    if code != 6:
        runs.fault(f"rank {rank}, {what} while {phase}: it ended with {code} after {seconds:.0f} s; expected 6", text)
    elif not told and ("\nresuming from" in text or not missing):
        runs.fault(f"rank {rank}, {what}: no line names rank, host and phase", text)
    elif phase in ("training", "evaluating", "saving") and not re.search(r"was lost while .*\bstep \d+ of stage", text):
        runs.fault(f"rank {rank}, {what}: no line names step and stage", text)
    return None


def lane(runs, number, seed):
    """Takes disturbances from the plan until there are none left; ends each run that it begins."""
    moment, begun, what = random.Random(seed * 1000 + number), 0, runs.next()
    while what:
        begun += 1
        folder = runs.folder / f"run-{number}-{begun}"
        while what and disturb(runs, folder, what, moment):
            what = runs.next()
        runs.must(*runs.training(folder)[1:])
        end = runs.end_of(folder)
        with runs.lock:
            runs.finished += 1
        if end != runs.end:
            runs.fault(f"{folder.name}: its end is {end}; expected {runs.end}", "")


def rank_kills(program, kills, hangs, ends, stops, lanes, seed):
    """Returns what was counted, after all disturbances in random order."""
    plan = ["kill"] * kills + ["hang"] * hangs + ["end"] * ends + ["stop"] * stops
    random.Random(seed).shuffle(plan)
    with tempfile.TemporaryDirectory() as folder:
        runs = Runs(program, folder, plan)
        threads = [threading.Thread(target=lane, args=(runs, n, seed)) for n in range(lanes)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return runs


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    for name, number in (("kills", 50), ("hangs", 2), ("ends", 4), ("stops", 2), ("lanes", 4)):
        parser.add_argument(f"--{name}", type=int, default=number)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    a = parser.parse_args()
    start = time.monotonic()
    runs = rank_kills(a.program, a.kills, a.hangs, a.ends, a.stops, a.lanes, a.seed)
    print(f"seed {a.seed}: {runs.finished} runs in {time.monotonic() - start:.0f} s; an undisturbed one took "
          f"{runs.seconds:.1f} s; at most {runs.slowest:.1f} s from a signal to the end")
    for outcome, times in sorted(runs.outcomes.items()):
        print(f"  {times:4} {outcome}")
    for fault in runs.faults:
        print(f"FAULT: {fault}")
    return 1 if runs.faults else 0


if __name__ == "__main__":
    sys.exit(main())
