# Words that the scripts share. Sourced with the root of the repository as the working folder.
# shellcheck shell=bash

# Progress goes to stderr, so that results alone are on stdout.
say() { printf '%s\n' "$@" >&2; }

# fail CODE LINE...: says why and leaves with the code (docs/house.md lists them).
fail() {
  local code=$1
  shift
  printf '%s\n' "$@" >&2
  exit "$code"
}

# logged LOG COMMAND...: runs the command with its output in the log. Silent if it goes well; shows
# the log's end and its name if not, and returns the command's code.
logged() {
  local log=$1 code=0
  shift
  mkdir -p "$(dirname "$log")"
  "$@" >"$log" 2>&1 </dev/null || code=$?
  if ((code)); then
    tail -n 25 "$log" >&2
    say "failed with code $code: $*" "(everything it said: $log)"
  fi
  return "$code"
}

# As many compilers as there are processors, but 2 GB of memory each: sources that include LibTorch
# need up to 1.5 GB.
compile_jobs() {
  local cores memory_kb
  cores=$(nproc)
  memory_kb=$(awk '$1 == "MemAvailable:" {print $2}' /proc/meminfo)
  local fit=$((memory_kb / 2000000))
  echo $((fit < 1 ? 1 : fit < cores ? fit : cores))
}

# build FOLDER [CMAKE-OPTION...]: configures and builds. LibTorch is looked for anew each time, so
# that a changed CMAKE_PREFIX_PATH or set counts.
build() {
  local folder=$1
  shift
  logged "$folder/configure.log" cmake -G Ninja -S . -B "$folder" -U TORCH_INCLUDE \
    -DCMAKE_BUILD_TYPE=Release "$@" || exit 1
  logged "$folder/build.log" cmake --build "$folder" --parallel "$(compile_jobs)" || exit 1
}
