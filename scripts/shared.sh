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

# logged LOG COMMAND...: runs the command with its output in the log. While it runs, prints every 20
# seconds how long it has taken and the log's last line, on a terminal in one line that is rewritten.
# Shows the log's end and its name if the command fails, and returns the command's code.
logged() {
  local log=$1 code=0 reporter
  shift
  mkdir -p "$(dirname "$log")"
  : >"$log"
  report_progress "$log" 9>&- &
  reporter=$!
  "$@" >"$log" 2>&1 </dev/null || code=$?
  kill "$reporter" 2>/dev/null || true
  wait "$reporter" 2>/dev/null || true
  if [[ -t 2 ]]; then printf '\r\033[K' >&2; fi
  if ((code)); then
    tail -n 25 "$log" >&2
    say "failed with code $code: $*" "(its whole output: $log)"
  fi
  return "$code"
}

report_progress() {
  local log=$1 interval=20 start=$SECONDS line
  [[ -t 2 ]] && interval=2
  # Waits for a background sleep, so that the caller's kill ends both at once.
  trap 'kill $(jobs -p) 2>/dev/null; exit' TERM
  while sleep "$interval" >/dev/null 2>&1 & wait $!; do
    # pip and apt rewrite their lines with \r; a log may hold any bytes.
    line=$(tail -c 400 "$log" 2>/dev/null | tr '\r' '\n' | tr -cd '[:print:]\n' | grep -v '^ *$' | tail -n 1 | cut -c1-80) || true
    if [[ -t 2 ]]; then
      printf '\r\033[K  %d s: %s' $((SECONDS - start)) "$line" >&2
    else
      say "  $((SECONDS - start)) s: $line"
    fi
  done
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
