#!/usr/bin/env bash
# Measures how well forecasts hold: trains pilots of three sizes, fits a law to them, predicts other runs, trains those.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/shared.sh

usage() {
  cat <<'TEXT'
usage: bench/forecast_loop.sh DATA OUT [PROGRAM]
Trains pilots of 2 x 64, 2 x 96 and 2 x 128 by the recipe of schedules/demo.yaml (1,400 steps, two
seeds), fits OUT/laws.json, and trains runs that the fit has not seen: the same sizes with other
lengths and learning-rate curves, and larger models, the demo itself among them. Every run keeps its
prediction in its log before its first step; at the end `plan --score` prints predictions beside
measurements. About 20 minutes on two cores. Run again, it goes on where it stopped.
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

pilots=()
for width in 64 96 128; do
  for seed in 1 2; do pilots+=("2x$width-1400-$seed 2 $width 1400 wsd $seed"); done
done
printf '%s\n' "${pilots[@]}" | all
folders=()
for pilot in "${pilots[@]}"; do folders+=("$out/${pilot%% *}"); done
"$program" plan --fit "${folders[@]}" --out "$out/laws.json" --force

law="plan: {law: $out/laws.json}"
all <<RUNS
2x64-700 2 64 700 wsd 3 "$law"
2x96-700 2 96 700 wsd 3 "$law"
2x128-700 2 128 700 wsd 3 "$law"
2x64-cosine 2 64 1400 cosine 4 "$law"
2x96-cosine 2 96 1400 cosine 4 "$law"
2x128-cosine 2 128 1400 cosine 4 "$law"
2x64-2000 2 64 2000 wsd 5 "$law"
2x96-2000 2 96 2000 wsd 5 "$law"
2x128-2000 2 128 2000 wsd 5 "$law"
2x128-linear 2 128 1400 linear 6 "$law"
4x128-1400 4 128 1400 wsd 7 "$law"
6x128-1400 6 128 1400 wsd 8 "$law"
RUNS
"$program" plan --score "$out"/2x*-{700,cosine,2000,linear} "$out"/{4,6}x128-1400
# All 18 runs together are the law of schedules/demo.yaml (schedules/laws/dictionary.json: this file's joint
# law, without the single curves and with half of the samples).
"$program" plan --fit "$out"/2x*-{1,2,700,2000,cosine,linear} "$out"/{4,6}x128-1400 --out "$out/all.json" --force
