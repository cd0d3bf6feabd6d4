#!/usr/bin/env bash
# Measures how well forecasts hold: trains pilots of three sizes, fits a law to them, predicts other runs, trains those.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/shared.sh

usage() {
  cat <<'TEXT'
usage: bench/forecast_loop.sh DATA OUT [PROGRAM]
Trains pilots by the recipe of schedules/demo.yaml: models of 2 layers (64, 96 and 128 wide) and of 4
layers (32, 64 and 96 wide), each for 700 and for 1,400 steps, and one of each depth with a cosine.
Fits one law to each depth, and trains runs that the laws have not seen: other seeds, other lengths,
other learning-rate curves, and for 4 layers a larger width. Every run keeps its prediction in its log
before its first step; at the end `plan --score` prints predictions beside measurements. About 40
minutes on two cores. Run again, it goes on where it stopped.
  DATA      folder with train.bin and validation.bin (scripts/demo.sh makes data/demo-...)
  OUT       folder for the runs
  PROGRAM   default: build/release/stagedtrain
TEXT
}

if (($# < 2)) || [[ $1 == -* ]]; then usage >&2 && exit 2; fi
data=$1 out=$2 program=${3:-build/release/stagedtrain}
export OMP_NUM_THREADS=1 XDG_CACHE_HOME=$out/cache
mkdir -p "$out"

# train NAME LAYERS WIDTH STEPS CURVE SEED [SET...]: a run of one stage, heads of 32.
train() {
  local name=$1 layers=$2 width=$3 steps=$4 curve=$5 seed=$6
  shift 6
  cat >"$out/$name.yaml" <<YAML
seed: $seed
data: {train: $data/train.bin, validation: $data/validation.bin}
model: {architecture: gpt2, layers: $layers, width: $width, heads: $((width / 32)), context: 128, vocab: 256}
batch: {sequences: 8, micro: 8}
lr: {curve: $curve, peak: 3e-3, warmup: 100 steps}
optimizer: {betas: [0.9, 0.95], eps: 1e-8, weight_decay: 0.1, clip: 1.0}
precision: fp32
stages:
  - {name: whole, for: $steps steps}
evaluate: {every: 50 steps, tokens: 64K}
checkpoint: {every: 500 steps, keep: 1}
$(printf '%s\n' "$@")
YAML
  "$program" train "$out/$name.yaml" --out "$out/$name" >"$out/$name.log" 2>&1 ||
    fail 1 "$name: the run ended with an error; see $out/$name.log"
}
export -f train fail say
export data out program

# Two runs at once on one thread each: small models do not fill two cores.
all() { xargs -P 2 -L 1 bash -c 'set -euo pipefail; train "$@"' _; }

# fit LAW NAME...: a law of these runs.
fit() {
  local law=$1
  shift
  "$program" plan --fit "${@/#/$out/}" --out "$out/$law.json" --force
}

two=(2x{64,96,128}-{700,1400} 2x96-cosine) four=(4x{32,64,96}-{700,1400} 4x64-1400-again 4x64-cosine)
all <<'RUNS'
2x64-700 2 64 700 wsd 3
2x96-700 2 96 700 wsd 3
2x128-700 2 128 700 wsd 3
2x64-1400 2 64 1400 wsd 1
2x96-1400 2 96 1400 wsd 1
2x128-1400 2 128 1400 wsd 1
4x32-700 4 32 700 wsd 3
4x64-700 4 64 700 wsd 3
4x96-700 4 96 700 wsd 3
4x32-1400 4 32 1400 wsd 1
4x64-1400 4 64 1400 wsd 1
4x64-1400-again 4 64 1400 wsd 2
4x96-1400 4 96 1400 wsd 1
2x96-cosine 2 96 1400 cosine 4
4x64-cosine 4 64 1400 cosine 4
RUNS
fit two "${two[@]}"
fit four "${four[@]}"

two_law="plan: {law: $out/two.json}" four_law="plan: {law: $out/four.json}"
all <<RUNS
2x64-1000 2 64 1000 wsd 9 "$two_law"
2x96-1000 2 96 1000 wsd 9 "$two_law"
2x128-1000 2 128 1000 wsd 9 "$two_law"
2x64-2000 2 64 2000 wsd 5 "$two_law"
2x96-2000 2 96 2000 wsd 5 "$two_law"
2x128-2000 2 128 2000 wsd 5 "$two_law"
2x64-cosine 2 64 1400 cosine 4 "$two_law"
2x128-cosine 2 128 1400 cosine 4 "$two_law"
2x128-linear 2 128 1400 linear 6 "$two_law"
4x64-1000 4 64 1000 wsd 9 "$four_law"
4x96-1000 4 96 1000 wsd 9 "$four_law"
4x64-2000 4 64 2000 wsd 5 "$four_law"
4x96-2000 4 96 2000 wsd 5 "$four_law"
4x96-cosine 4 96 1400 cosine 4 "$four_law"
4x128-700 4 128 700 wsd 3 "$four_law"
4x128-1000 4 128 1000 wsd 9 "$four_law"
4x128-1400 4 128 1400 wsd 7 "$four_law"
4x128-2000 4 128 2000 wsd 5 "$four_law"
4x128-cosine 4 128 1400 cosine 4 "$four_law"
RUNS
"$program" plan --score "$out"/2x*-{1000,2000} "$out"/2x{64,128}-cosine "$out"/2x128-linear \
  "$out"/4x{64,96}-{1000,2000} "$out"/4x96-cosine "$out"/4x128-*

# The law of schedules/demo.yaml (schedules/laws/dictionary.json: the joint law alone, with half of the
# samples) is one of the depths of width 128, as the demo grows by depth.
all <<'RUNS'
6x128-700 6 128 700 wsd 11
6x128-1400 6 128 1400 wsd 8
RUNS
fit depths 2x128-{700,1000,1400,2000,cosine,linear} 4x128-{700,1000,1400,2000,cosine} 6x128-{700,1400}
