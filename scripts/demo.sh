#!/usr/bin/env bash
# The whole path in one command: text, tokens, a staged run and the same model from scratch, a report, a sample.
set -euo pipefail
called_from=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/shared.sh

schedule=schedules/demo.yaml
program=build/release/stagedtrain
prompt=$'\n\nLight \\'

usage() {
  cat <<'TEXT'
usage: scripts/demo.sh [--cuda] [TEXT-FILE...]
Trains the model of schedules/demo.yaml twice, in stages and from scratch, and reports what the stages
saved. Without files it reads the GNU Collaborative International Dictionary of English, which comes
from Debian. Run again, it goes on where it stopped; what is done is not done again.
  --cuda   LibTorch with CUDA (chosen by itself where an NVIDIA GPU is present)
TEXT
}

setup_options=()
texts=()
while (($#)); do
  case $1 in
    --cuda) setup_options+=(--cuda) ;;
    -h | --help) usage && exit 0 ;;
    --) shift && texts+=("$@") && break ;;
    -*) usage >&2 && fail 2 "scripts/demo.sh: unknown option '$1'" ;;
    *) texts+=("$1") ;;
  esac
  shift
done

# Files are named from where the caller stands.
resolve_texts() {
  local i file
  for i in "${!texts[@]}"; do
    file=${texts[i]}
    [[ $file == /* ]] || file=$called_from/$file
    [[ -f $file && -r $file ]] || fail 3 "${texts[i]}: there is no such file, or it cannot be read."
    texts[i]=$(realpath --relative-to=. -- "$file")
  done
}

# part WORD COMMAND...: runs a part of the demo and notes how long it took.
parts=()
current=
part() {
  local start=$EPOCHREALTIME
  current=$1
  shift
  say "" "== $current"
  "$@"
  parts+=("$(awk -v s="$start" -v e="$EPOCHREALTIME" -v w="$current" 'BEGIN {printf "%8.1f s  %s", e - s, w}')")
  current=
}
say_where_it_ended() {
  local code=$?
  if ((code == 85)); then
    say "Stopped and saved. The same command goes on from here."
  elif ((code)) && [[ $current ]]; then
    say "The demo ended with code $code in the part '$current'."
  fi
}
trap say_where_it_ended EXIT

# The dictionary's package is unpacked, not installed: installing it would start a dictionary server.
dictionary=data/demo/gcide.txt
fetch_dictionary() {
  local packed=/usr/share/dictd/gcide.dict.dz folder=data/demo/package
  if [[ ! -e $packed ]]; then
    rm -rf "$folder"
    mkdir -p "$folder"
    logged build/logs/gcide.log download_package dict-gcide "$folder" ||
      fail 4 "The package dict-gcide could not be had from Debian's archive. With 'apt-get update' run by" \
        "root, or with a text of your own (scripts/demo.sh FILE...), the demo can go on."
    packed=$folder/usr/share/dictd/gcide.dict.dz
  fi
  gzip -dc <"$packed" >"$dictionary.part"
  touch -r "$packed" "$dictionary.part"
  mv "$dictionary.part" "$dictionary"
  rm -rf "$folder"
}
download_package() {
  (
    cd "$2" &&
      { apt-get download "$1" || { ((EUID == 0)) && apt-get update && apt-get download "$1"; }; } &&
      dpkg-deb --extract ./*.deb .
  )
}

set_up() {
  scripts/setup.sh "${setup_options[@]}"
  mkdir -p data/demo
  if ((${#texts[@]} == 0)); then
    [[ -e $dictionary ]] || fetch_dictionary
    texts=("$dictionary")
  fi
}

compile() { build build/release -DSTAGEDTRAIN_TESTS=OFF; }

# Folders are named after what they were made from, so that another text or schedule gets its own.
name_folders() {
  local data_key run_key
  data_key=$(stat -Lc '%n %s %Y' -- "${texts[@]}" | sha256sum | cut -c1-8)
  run_key=$({ echo "$data_key" && cat "$schedule"; } | sha256sum | cut -c1-8)
  data=data/demo-$data_key
  runs=runs/demo-$run_key
  mkdir -p "$runs"
  ln -sfnT "demo-$run_key" runs/demo 2>/dev/null || true
}

make_tokens() {
  if [[ -e $data/train.bin && -e $data/validation.bin ]]; then
    say "$data: made before from ${texts[*]}"
    return
  fi
  # Both files appear at the end; one alone is what an interruption left.
  "$program" data "${texts[@]}" --out "$data" --force
}

train() {
  "$program" train "$schedule" --set "data.train=$data/train.bin" \
    --set "data.validation=$data/validation.bin" "$@"
}

report() {
  "$program" report "$runs/staged" "$runs/scratch" --out "$runs/report.html" --force
  save_picture loss-against-flops
}

# save_picture NAME: a figure of the page as a file, on white; docs/demo.svg is one.
save_picture() {
  sed -n 's/.*download="'"$1"'\.svg" href="data:[^,]*,\([^"]*\)".*/\1/p' "$runs/report.html" |
    base64 -d | sed '0,/fill="none"/s//fill="white"/' >"$runs/$1.svg"
}

sample() {
  "$program" eval "$runs/staged/stages/full.h5" --sample 300 --prompt "$prompt" --temperature 0.8 \
    --top-k 40 --seed 1
}

resolve_texts
part "set-up" set_up
part "build (about 5 minutes the first time; log: build/release/build.log)" compile
name_folders
part "text into tokens" make_tokens
part "training in stages" train --out "$runs/staged"
part "training the same model from scratch, at several budgets" train --scratch --out "$runs/scratch"
part "report" report
part "a sample of the grown model" sample
say "" "Time spent:" "${parts[@]}" "" \
  "Report:      $runs/report.html (runs/demo leads there)" \
  "Picture:     $runs/loss-against-flops.svg" \
  "Checkpoint:  $runs/staged/stages/full.h5" \
  "Try next:    $program show $runs/staged/stages/full.h5" \
  "             $program plan $schedule" \
  "             scripts/demo.sh YOUR-TEXT.txt" \
  "From the start again: rm -r $runs"
