"""What all parts of the campaign share: running a command, counting outcomes, the files to start from."""

import concurrent.futures
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "build/release/stagedtrain"
SANITIZED = ROOT / "build/sanitized/stagedtrain"
WORK = ROOT / "build/torture"
DOCUMENTED = {0, 2, 3, 4, 5, 6, 75, 85, 128 + signal.SIGTERM, 128 + signal.SIGINT, 128 + signal.SIGHUP}
PATIENCE = 10.0  # seconds
SANITIZER = re.compile(r"AddressSanitizer|LeakSanitizer|runtime error:")
ENVIRONMENT = os.environ | {
    "OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": str(WORK / "cache"),
    # HDF5 itself keeps small blocks after a failure; only our own memory errors count.
    "ASAN_OPTIONS": "detect_leaks=0:allocator_may_return_null=1:max_allocation_size_mb=4096",
}

SCHEDULE = """\
seed: 3
data: {{train: {data}/train.bin, validation: {data}/validation.bin}}
model: {{architecture: gpt2, layers: 4, width: 32, heads: 2, context: 32, vocab: 256}}
batch: {{sequences: 4}}
lr: {{curve: wsd, peak: 3e-3, warmup: 10 steps, decay: 20%}}
stages:
  - {{name: small, model: {{layers: 2}}, for: 300 steps}}
  - {{name: full, grow: [{{operator: depth, layers: 4}}], for: 300 steps}}
evaluate: {{every: 100 steps, tokens: 2K}}
checkpoint: {{every: 10 steps, keep: 2}}
"""


class Outcome:
    """How one command ended."""

    def __init__(self, code, text, seconds, patience=PATIENCE):
        self.code, self.text, self.seconds, self.patience = code, text, seconds, patience

    def fault(self):
        if self.seconds > self.patience:
            return f"took {self.seconds:.0f} s"
        if SANITIZER.search(self.text):
            return SANITIZER.search(self.text).group(0)
        if self.code not in DOCUMENTED:
            return f"exit code {self.code}"
        return None


class Count:
    """What a part did, for its line of the table."""

    def __init__(self, name):
        self.name, self.tries, self.codes, self.faults = name, 0, {}, []

    def add(self, what, outcome, extra=None):
        self.tries += 1
        self.codes[outcome.code] = self.codes.get(outcome.code, 0) + 1
        fault = outcome.fault() or extra
        if fault:
            self.faults.append(f"{what}: {fault}\n      {outcome.text.strip()[-300:]}")


def run(*command, limit=None, user=None, timeout=PATIENCE + 5, patience=PATIENCE):
    """Runs a command; a negative code of Python's becomes 128 + signal."""
    start = time.monotonic()

    def prepare():
        if limit:
            resource.setrlimit(*limit)
        if user:
            os.setgid(user)
            os.setuid(user)

    try:
        process = subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, env=ENVIRONMENT, preexec_fn=prepare,
                                   start_new_session=True)
    except OSError as error:  # the limit did not let the program start
        return Outcome(127, str(error), 0)
    try:
        text = process.communicate(timeout=timeout)[0]
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        text = process.communicate()[0]
    code = process.returncode
    return Outcome(128 - code if code < 0 else code, text.decode("utf-8", "replace"), time.monotonic() - start,
                   patience)


def in_parallel(work, inputs):
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(work, inputs)


def identity(checkpoint, of="tensors_identity"):
    """The checksum over a checkpoint's tensors, or its whole content; None if it is not whole."""
    shown = run(PROGRAM, "show", checkpoint, "--json")
    return json.loads(shown.text)[of] if shown.code == 0 else None


def prepare():
    """A text, its tokens, a schedule, and a checkpoint with moments."""
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    text = WORK / "text.txt"
    words = [bytes(random.choices(b"etaoinshrdlu", k=random.randint(2, 8))) for _ in range(300)]
    text.write_bytes(b" ".join(random.choices(words, k=40000)))
    must(run(PROGRAM, "data", text, "--out", WORK / "data"))
    (WORK / "schedule.yaml").write_text(SCHEDULE.format(data=WORK / "data"))
    must(run(PROGRAM, "train", WORK / "schedule.yaml", "--out", WORK / "whole", timeout=300))


def must(outcome):
    if outcome.code != 0:
        sys.exit(f"torture: preparing failed with {outcome.code}:\n{outcome.text}")
