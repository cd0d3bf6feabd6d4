#!/usr/bin/env bash
# Breaks stagedtrain on purpose: kills, failing system calls, damaged files, starved processes; prints one table.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/shared.sh

usage() {
  cat <<'TEXT'
usage: scripts/torture.sh [--quick] [PART...]
Runs the campaign and prints one table: how often, what came of it, and every fault that was found.
Parts: kills, ranks, calls, saves, schedules, files, flips, limits (default: all). --quick runs a twentieth of it.
Builds the program, and once more under the address and undefined-behaviour sanitizers for schedules and files.
Needs strace for the parts `calls` and `saves`. Takes about an hour on two cores; everything happens in build/torture.
TEXT
}
[[ ${1:-} != -h && ${1:-} != --help ]] || { usage && exit 0; }

scripts/setup.sh --quiet
say "Building the program (about 5 minutes the first time)"
build build/release -DSTAGEDTRAIN_TESTS=OFF
say "Building it under the sanitizers (about 8 minutes the first time)"
logged build/sanitized/configure.log cmake -G Ninja -S . -B build/sanitized -DCMAKE_BUILD_TYPE=Debug \
  -DSTAGEDTRAIN_SANITIZE=address,undefined -DTORCH_INCLUDE=
logged build/sanitized/build.log cmake --build build/sanitized --target stagedtrain --parallel "$(compile_jobs)"
exec python3 scripts/torture/campaign.py "$@"
