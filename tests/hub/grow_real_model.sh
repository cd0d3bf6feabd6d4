#!/usr/bin/env bash
# Runs scripts/grow_real_model.sh to its end on a tiny model: grow_real_model.sh PROGRAM PYTHON. Nothing is
# downloaded; transformers and llama.cpp are left out where that Python does not have them.
set -euo pipefail
program=$1 python=$2
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

for ((i = 0; i < 9000; ++i)); do echo "line $i of $((i * i))"; done >"$out/text.txt"
# Byte-level BPE of three merges.
python3 - >"$out/tokenizer.json" <<'PYTHON'
import json
kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
others = [byte for byte in range(256) if byte not in kept]
letters = [chr(byte if byte in kept else 256 + others.index(byte)) for byte in range(256)]
merges = [["l", "i"], ["n", "e"], ["li", "ne"]]
vocab = {token: id for id, token in enumerate(letters + ["".join(pair) for pair in merges])}
print(json.dumps({"version": "1.0", "added_tokens": [], "normalizer": None, "post_processor": None,
                  "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
                  "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
                  "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                            "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "vocab": vocab,
                            "merges": merges}}))
PYTHON
"$program" data "$out/text.txt" --out "$out/data" --tokenizer "$out/tokenizer.json" --split fraction --validation 5%
cat >"$out/s.yaml" <<YAML
data: {train: $out/data/train.bin, validation: $out/data/validation.bin}
model: {architecture: llama, layers: 3, width: 32, heads: 4, kv_heads: 2, ffn: 48, context: 256, vocab: 259}
batch: {sequences: 2}
lr: {peak: 0.01, warmup: 1, decay: 1}
stages: [{name: only, for: 3}]
YAML
"$program" train "$out/s.yaml" --out "$out/tiny" --threads 1
"$program" export "$out/tiny/stages/only.h5" "$out/tiny.gguf" --to gguf
"$here/scripts/grow_real_model.sh" --program "$program" --model "$out/tiny.gguf" --text "$out/text.txt" \
  --out "$out/real" --steps 4 --python "$python" | tee "$out/table.txt"

# Every row has our loss, growth has kept it, and the page shows the table, the plan and both texts.
python3 - "$out/real" <<'PYTHON'
import pathlib, sys
folder = pathlib.Path(sys.argv[1])
rows = [line.split("\t") for line in (folder / "losses.tsv").read_text().splitlines()]
ours = {model: float(loss) for model, program, loss in rows if program == "stagedtrain"}
for model, program, loss in rows:
    limit = 0.02 if program == "llama.cpp" or "bf16" in model else 1e-4
    assert abs(float(loss) - ours.get(model, float(loss))) < limit, (model, program, loss, ours.get(model))
imported = ours["as imported, tiny.gguf"]
for grown in ("3 -> 4 layers (llama_pro)", "ffn 48 -> 64 (expand)", "4 experts (upcycle)"):
    assert abs(ours[grown] - imported) < 1e-4, (grown, ours[grown], imported)
for trained in ("4 layers, trained in fp32", "4 layers, trained in bf16"):
    assert ours[trained] < imported, (trained, ours[trained], imported)
assert abs(ours["4 layers, trained in fp32, as bf16"] - ours["4 layers, trained in fp32"]) < 0.02
page = (folder / "report.html").read_text()
for part in (*ours, "memory, planned", "image/svg+xml", "A text before and after"):
    assert part.replace(">", "&gt;") in page or part in page, part
PYTHON
