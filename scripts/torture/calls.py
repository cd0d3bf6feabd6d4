"""System calls that fail: each call of a growth and of a save, once in each way, by strace's injection."""

import random
import re
import shutil
import subprocess

from common import ENVIRONMENT, PATIENCE, PROGRAM, WORK, identity, in_parallel, must, run

CALLS = ("openat", "read", "pread64", "write", "pwrite64", "fsync", "fdatasync", "ftruncate", "fallocate", "rename",
         "renameat2", "link", "unlink", "close", "mmap", "mprotect", "madvise", "flock", "lseek",
         "newfstatat", "memfd_create", "clone3", "getrandom")
# Those that the loader and LibTorch make while they start; LibTorch's reader of /sys/devices/system/cpu crashes when
# one of its reads fails.
STARTING = ("openat", "read", "close", "mmap", "mprotect", "madvise", "lseek", "newfstatat", "getrandom")
# Not munmap: glibc itself aborts a process whose thread's stack cannot be unmapped, which no kernel refuses.
WAYS = ("error=EIO", "error=ENOSPC", "error=ENOMEM", "retval=0", "retval=1")


def calls(count, tries):
    """Each system call of a growth fails once in each way: the target is the old file or the whole new one."""
    source, old = WORK / "whole/stages/small.h5", WORK / "whole/stages/full.h5"
    grown = WORK / "grown.h5"
    (WORK / "calls").mkdir()

    def growth(target):
        return PROGRAM, "grow", source, target, "--operator", "depth", "--layers", "4", "--force"

    must(run(*growth(grown)))
    good = {identity(old), identity(grown)}

    def one(plan):
        call, way, number = plan
        target = WORK / f"calls/{call}-{way}-{number}/out.h5"
        target.parent.mkdir(parents=True)
        shutil.copy(old, target)
        outcome = injected(plan, growth(target))
        left = [f.name for f in target.parent.iterdir() if f != target]
        is_good = identity(target) in good
        shutil.rmtree(target.parent)
        return plan, outcome, is_good, left

    plans = shuffled(call_plans(growth(WORK / "traced.h5"), str(source)))
    for plan, outcome, is_good, left in in_parallel(one, plans[:tries]):
        extra = None if is_good else "the target is neither the old nor the new file"
        if left and outcome.code == 0 and plan[0] not in ("unlink", "close"):
            extra = f"left behind: {left}"
        add(count, plan, outcome, extra)


def saves(count, tries):
    """Each system call of a run's last saves fails once in each way: run again, it ends with the same bits."""
    short = ("--set", "stages.small.for=2 steps", "--set", "stages.full.for=2 steps", "--set", "checkpoint.every=1 steps",
             "--set", "lr.warmup=1 steps")
    whole = WORK / "saves/whole"
    begun = WORK / "saves/begun"

    def training(folder):
        return PROGRAM, "train", WORK / "schedule.yaml", *short, "--out", folder

    must(run(*training(whole), timeout=60))
    end = identity(whole / "stages/full.h5")
    # What is left to do: the last step of the last stage, its save, its evaluation, and the stage's end.
    shutil.copytree(whole, begun)
    (begun / "stages/full.h5").unlink()
    for file in sorted((begun / "checkpoints").iterdir())[1:]:
        file.unlink()

    def one(plan):
        folder = WORK / ("saves/" + "-".join(map(str, plan)))
        shutil.copytree(begun, folder)
        outcome = injected(plan, training(folder), patience=40)  # LibTorch alone takes seconds under strace
        again = run(*training(folder), timeout=60)
        extra = None
        if again.code != 0:
            extra = f"run again, it ends with {again.code}: {again.text.strip()[-300:]}"
        elif identity(folder / "stages/full.h5") != end:
            extra = "run again, it ends with other numbers"
        shutil.rmtree(folder)
        return plan, outcome, extra

    traced = WORK / "saves/traced"
    shutil.copytree(begun, traced)
    plans = shuffled(call_plans(training(traced), ".h5.tmp-"))
    for plan, outcome, extra in in_parallel(one, plans[:tries]):
        add(count, plan, outcome, extra)


def injected(plan, command, patience=PATIENCE):
    call, way, number = plan
    return run("strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e",
               f"inject={call}:{way}:when={number}", *command, timeout=60, patience=patience)


def add(count, plan, outcome, extra):
    # A loader that is told lies by the kernel before main() runs is not ours.
    if outcome.code != 127 and "error while loading shared libraries" not in outcome.text:
        count.add(" ".join(map(str, plan)), outcome, extra)


def shuffled(plans):
    plans = list(plans)
    random.shuffle(plans)
    return plans


def call_plans(command, marker):
    """(call, way, number) for every call that the command makes from the first line on that names the marker.

    strace counts the calls of each thread on its own, so one number stands for all threads that come to it. Left out
    are numbers at which the loader calls before main(), which begins by looking at the standard streams, and at which
    LibTorch starts.
    """
    log = WORK / "calls.log"
    subprocess.run(["strace", "-f", "-qq", "-s", "4096", "-o", log, *map(str, command)], env=ENVIRONMENT, check=True,
                   capture_output=True)
    seen, ours, given, loader = {}, False, set(), None
    for line in log.read_text(errors="replace").splitlines():
        call = re.match(r"(\d+) +(\w+)\(", line)
        if not call:
            continue
        ours = ours or marker in line
        thread, name = call.groups()
        if loader is None and "fcntl(0, F_GETFD)" in line:
            loader = {called: times for (_, called), times in seen.items()}
        if loader is not None and not ours and "/sys/devices/system/cpu" in line:
            loader |= {called: times for (_, called), times in seen.items() if called in STARTING}
        if name not in CALLS:
            continue
        number = seen[thread, name] = seen.get((thread, name), 0) + 1
        if ours and number > (loader or {}).get(name, 0) and (name, number) not in given:
            given.add((name, number))
            yield from ((name, way, number) for way in WAYS if sensible(name, way))


def sensible(name, way):
    """Memory is refused in one way; lies are told of reading and writing only, and none that would break any program."""
    if name in ("mprotect", "madvise", "clone3"):
        return way == "error=ENOMEM"
    return way.startswith("error") or name in ("write", "pwrite64") or (way == "retval=0" and name in ("read", "pread64"))
