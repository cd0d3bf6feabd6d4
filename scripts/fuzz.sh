#!/usr/bin/env bash
# Feeds changed files to every reader of foreign files, under libFuzzer and sanitizers.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/shared.sh

usage() {
  cat <<'TEXT'
usage: scripts/fuzz.sh [--seconds N] [--build DIR] [READER...]
Builds the readers of foreign files with clang (Debian package clang) and gives each of them, or those
named, changed files for N seconds (60). It starts from the files in tests/fuzz/corpus and from those
that earlier runs found in DIR/corpus (DIR: build/fuzz). A file on which a reader fails is kept in
DIR/findings; run again with it: FUZZ_READER=NAME DIR/tests/fuzz/fuzz_readers FILE
Leaves with 1 if there is a finding, with 77 where clang is missing.
TEXT
}

seconds=60 folder=build/fuzz readers=()
while (($#)); do
  case $1 in
    -h | --help) usage && exit 0 ;;
    --seconds) seconds=$2 && shift ;;
    --build) folder=$2 && shift ;;
    -*) usage >&2 && fail 2 "scripts/fuzz.sh: unknown option '$1'" ;;
    *) readers+=("$1") ;;
  esac
  shift
done
command -v clang++ >/dev/null || fail 77 "skipped: clang++ was not found (Debian package clang)"

say "Building the fuzz targets in $folder (5 minutes on two cores; seconds if nothing changed)"
logged "$folder/configure.log" cmake -G Ninja -S . -B "$folder" -DCMAKE_BUILD_TYPE=Release \
  -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_C_COMPILER=clang -DSTAGEDTRAIN_FUZZ=ON -DTORCH_INCLUDE=
logged "$folder/build.log" cmake --build "$folder" --parallel "$(compile_jobs)" --target fuzz_readers
if ((${#readers[@]} == 0)); then
  for seeds in tests/fuzz/corpus/*/; do readers+=("$(basename "$seeds")"); done
fi

scratch=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=()
for reader in "${readers[@]}"; do
  [[ -d tests/fuzz/corpus/$reader ]] || fail 2 "scripts/fuzz.sh: no reader is named '$reader'"
  mkdir -p "$folder/corpus/$reader" "$folder/findings"
  log=$folder/$reader.log
  # Limits: 1 GiB of memory, 10 seconds and 64 KiB for a file.
  if FUZZ_READER=$reader TMPDIR=$scratch "$folder/tests/fuzz/fuzz_readers" -max_total_time="$seconds" -timeout=10 \
    -rss_limit_mb=1024 -max_len=65536 -print_final_stats=1 -artifact_prefix="$folder/findings/$reader-" \
    "$folder/corpus/$reader" "tests/fuzz/corpus/$reader" >"$log" 2>&1; then
    say "$reader: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") files read, no finding"
  else
    tail -n 25 "$log" >&2
    failed+=("$reader")
    say "$reader: a finding; see $log and $folder/findings"
  fi
done
((${#failed[@]} == 0)) || fail 1 "findings: ${failed[*]}"
