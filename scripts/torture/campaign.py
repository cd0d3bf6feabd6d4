#!/usr/bin/env python3
"""The campaign of scripts/torture.sh: each part breaks one thing many times and counts what comes of it.

usage: torture.py [--quick] [PART...]

A fault is: an exit code that is not documented, a crash or a sanitizer's report, more than 10 seconds where the
whole command takes less than one, a file that is neither the old nor the new one, training that is lost.
Exits with 1 if there was any fault.
"""

import argparse
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

ROOT = Path(__file__).resolve().parents[1]
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

    def __init__(self, code, text, seconds):
        self.code, self.text, self.seconds = code, text, seconds

    def fault(self):
        if self.seconds > PATIENCE:
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


def run(*command, limit=None, user=None, timeout=PATIENCE + 5):
    """Runs a command; a negative code of Python's becomes 128 + signal."""
    start = time.monotonic()

    def prepare():
        if limit:
            resource.setrlimit(*limit)
        if user:
            os.setgid(user)
            os.setuid(user)

    process = subprocess.Popen([str(c) for c in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, env=ENVIRONMENT, preexec_fn=prepare, start_new_session=True)
    try:
        text = process.communicate(timeout=timeout)[0]
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        text = process.communicate()[0]
    code = process.returncode
    return Outcome(128 - code if code < 0 else code, text.decode("utf-8", "replace"), time.monotonic() - start)


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


# -- system calls ----------------------------------------------------------------------------------------
CALLS = ("openat", "read", "pread64", "write", "pwrite64", "fsync", "fdatasync", "ftruncate", "fallocate", "rename",
         "renameat2", "link", "unlink", "close", "mmap", "mprotect", "madvise", "flock", "lseek",
         "newfstatat", "memfd_create", "clone3", "getrandom")
# Not munmap: glibc itself aborts a process whose thread's stack cannot be unmapped, which no kernel refuses.
WAYS = ("error=EIO", "error=ENOSPC", "error=ENOMEM", "retval=0", "retval=1")


def calls(count, tries):
    """Each system call of a growth fails once in each way: the target is the old file or the whole new one."""
    source, old = WORK / "whole/stages/small.h5", WORK / "whole/stages/full.h5"
    grown = WORK / "grown.h5"
    must(run(PROGRAM, "grow", source, grown, "--operator", "depth", "--layers", "4"))
    good = {identity(old), identity(grown)}
    plans = list(call_plans(source))
    random.shuffle(plans)

    def one(plan):
        call, way, number = plan
        target = WORK / f"calls/{call}-{way}-{number}/out.h5"
        target.parent.mkdir(parents=True)
        shutil.copy(old, target)
        outcome = run("strace", "-f", "-qq", "-o", "/dev/null", "-e", f"inject={call}:{way}:when={number}", PROGRAM,
                      "grow", source, target, "--operator", "depth", "--layers", "4", "--force", timeout=30)
        left = [f.name for f in target.parent.iterdir() if f != target]
        is_good = identity(target) in good
        shutil.rmtree(target.parent)
        return plan, outcome, is_good, left

    for plan, outcome, is_good, left in in_parallel(one, plans[:tries]):
        call, way, _ = plan
        extra = None if is_good else "the target is neither the old nor the new file"
        if left and outcome.code == 0 and call not in ("unlink", "close"):
            extra = f"left behind: {left}"
        # A loader that is told lies by the kernel before main() runs is not ours.
        if outcome.code == 127 or "error while loading shared libraries" in outcome.text:
            continue
        count.add(" ".join(map(str, plan)), outcome, extra)


def call_plans(source):
    """(call, way, number) for every call that a growth makes after the loader's."""
    log, target = WORK / "calls.log", WORK / "traced.h5"
    subprocess.run(["strace", "-f", "-qq", "-o", log, PROGRAM, "grow", source, target, "--operator", "depth", "--layers",
                    "4"], env=ENVIRONMENT, check=True, capture_output=True)
    target.unlink()
    (WORK / "calls").mkdir()
    seen, ours = {}, False
    for line in log.read_text(errors="replace").splitlines():
        call = re.match(r"\d+ +(\w+)\(", line)
        if not call or call.group(1) not in CALLS:
            continue
        name = call.group(1)
        seen[name] = seen.get(name, 0) + 1
        ours = ours or "rt_sigaction" in line or str(source) in line
        if ours:
            yield from ((name, way, seen[name]) for way in WAYS if sensible(name, way))


def sensible(name, way):
    """Lies are told of reading and writing only; a read that claims a byte it did not read would break any program."""
    return way.startswith("error") or name in ("write", "pwrite64") or (way == "retval=0" and name in ("read", "pread64"))


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
         lambda f: (SANITIZED, "report", f.parent, "--out", f.parent / "page.html")),
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


PARTS = {"kills": (kills, 400), "calls": (calls, 10**9), "schedules": (schedules, 3000), "files": (files, 2000),
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
        work(count, min(tries, 100 if name in ("calls", "flips") else tries // 20) if arguments.quick else tries)
        counts.append(count)
        print(f"{name}: {count.tries} tries, {len(count.faults)} faults, {time.monotonic() - start:.0f} s", file=sys.stderr)
    print("| what was broken | tries | exit codes | faults |\n|---|---|---|---|")
    for count in counts:
        codes = ", ".join(f"{code}: {times}" for code, times in sorted(count.codes.items()))
        print(f"| {count.name} | {count.tries:,} | {codes} | {len(count.faults)} |")
    for count in counts:
        for fault in count.faults[:20]:
            print(f"\n{count.name}: {fault}", file=sys.stderr)
    return 1 if any(count.faults for count in counts) else 0


if __name__ == "__main__":
    sys.exit(main())
