#!/usr/bin/env python3
"""Checks that every header of a build comes from the tree, from .deps, or from a package that setup.sh installs.

usage: check_headers.py BUILD-FOLDER   Prints one line per fault and exits with 1 if there is one.

A machine that happens to have more than setup.sh installs (a CUDA toolkit among the compiler's default
folders, say) builds what a bare machine cannot. Ninja's record of the headers each object was made from shows
that. Exits with 77 (skipped) where there is no dpkg or no Ninja build.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SKIPPED = 77


def output_of(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def headers_of(build):
    """Every file that an object was made from, as an absolute path. Objects that are only compiled to show that
    they compile where CUDA's headers are (cmake/cuda.cmake) are left out."""
    names, counts = set(), True
    for line in output_of("ninja", "-C", str(build), "-t", "deps").splitlines():
        if not line.startswith("    "):
            counts = "/compiled_" not in line
        elif counts:
            names.add(line.strip())
    return {(build / name).resolve(strict=False) if not name.startswith("/") else Path(name) for name in names}


def users_torch(build):
    """The folder of a LibTorch that CMAKE_PREFIX_PATH named, or None."""
    cache = (build / "CMakeCache.txt").read_text(encoding="utf-8")
    found = re.search(r"^TORCH_INCLUDE:PATH=(/.+)$", cache, re.M)
    return Path(found.group(1)).parent if found else None


def names_in(depends):
    """"a (>= 1) | b, c" -> a, b, c."""
    return [re.sub(r"[\s(:].*", "", part.strip()) for part in re.split(r"[,|]", depends) if part.strip()]


def installed_closure(wanted):
    """The wanted packages and what they depend on, as far as installed."""
    depends, providers = {}, {}
    shown = output_of("dpkg-query", "-W", "-f", "${Package}\t${Depends}, ${Pre-Depends}\t${Provides}\n")
    for line in shown.splitlines():
        package, needs, provides = line.split("\t")
        depends.setdefault(package, []).extend(names_in(needs))
        for name in names_in(provides):
            providers.setdefault(name, []).append(package)
    found, left = set(), list(wanted)
    while left:
        name = left.pop()
        if name in found:
            continue
        found.add(name)
        left += depends.get(name, []) + providers.get(name, [])
    return found


def owners_of(paths):
    """path -> the Debian packages that it belongs to."""
    owners = {}
    names = sorted({str(form) for path in paths for form in (path, path.resolve())})
    for start in range(0, len(names), 500):
        for line in output_of("dpkg-query", "-S", *names[start : start + 500]).splitlines():
            packages, _, name = line.rpartition(": ")
            owners.setdefault(name, set()).update(p.strip().split(":")[0] for p in packages.split(","))
    return {path: owners.get(str(path), set()) | owners.get(str(path.resolve()), set()) for path in paths}


def main():
    build = Path(sys.argv[1]).resolve()
    try:
        output_of("dpkg-query", "--version")
    except FileNotFoundError:
        print("no dpkg here: which packages headers belong to is not known")
        return SKIPPED
    if not (build / "build.ninja").exists():
        print(f"{build}: not a Ninja build")
        return SKIPPED
    headers = headers_of(build)
    if not headers:
        print(f"{build}: Ninja has no record of headers; nothing has been built here")
        return 1
    torch = users_torch(build)
    own = [ROOT, (ROOT / ".deps").resolve(), build] + ([torch, torch.resolve()] if torch else [])
    foreign = [h for h in headers if not any(h.is_relative_to(place) for place in own)]
    installed = installed_closure(output_of(str(ROOT / "scripts/setup.sh"), "--tests", "--list").split())
    faults = []
    for header, packages in sorted(owners_of(foreign).items()):
        if not packages:
            faults.append(f"{header}: belongs to no Debian package; a bare machine does not have it")
        elif not packages & installed:
            faults.append(f"{header}: belongs to {', '.join(sorted(packages))}, which scripts/setup.sh does not install")
    print("\n".join(faults) if faults else f"{len(headers)} headers, all from the tree, .deps or setup.sh's packages")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
