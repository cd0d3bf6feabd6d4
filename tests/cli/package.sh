#!/usr/bin/env bash
# Installs and packages a build as a user would and runs what comes out: package.sh BUILD-FOLDER.
set -euo pipefail
build=$1
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

for ((i = 0; i < 400; ++i)); do echo "line $i of $((i * i))"; done >"$out/text.txt"
cat >"$out/s.yaml" <<YAML
data: {train: $out/data/train.bin, validation: $out/data/validation.bin}
model: {architecture: llama, layers: 1, width: 16, heads: 2, ffn: 16, context: 16, vocab: 256}
batch: {sequences: 2}
lr: {peak: 0.01, warmup: 1, decay: 1}
stages: [{name: only, for: 2}]
YAML
# runs PREFIX: the installed program prepares text and trains, which loads the module beside it.
runs() {
  local program=$1/bin/stagedtrain
  "$program" --version | grep -E '^stagedtrain [0-9.]+( \([0-9a-f]+\))?$'
  "$program" data "$out/text.txt" --out "$out/data" --split fraction --validation 20% --force >/dev/null
  if [[ -e $1/lib/stagedtrain/libstagedtrain_torch.so ]]; then
    "$program" train "$out/s.yaml" --out "$out/run" --threads 1 >/dev/null 2>&1
    rm -r "$out/run"
  fi
  [[ -e $1/share/stagedtrain/schedules/demo.yaml && -e $1/share/stagedtrain/stagedtrain_h5.py ]]
}

cmake --install "$build" --prefix "$out/installed" >/dev/null
runs "$out/installed"

(cd "$build" && cpack -G TGZ -B "$out/packed" >/dev/null)
mkdir "$out/tgz"
tar -xf "$out"/packed/*.tar.gz -C "$out/tgz" --strip-components=1
runs "$out/tgz"

if command -v dpkg-shlibdeps >/dev/null && command -v file >/dev/null; then  # cpack needs both
  (cd "$build" && cpack -G DEB -B "$out/packed" >/dev/null 2>"$out/cpack.log") || { cat "$out/cpack.log"; exit 1; }
  dpkg-deb --field "$out"/packed/*.deb Package Version Depends
  dpkg-deb --field "$out"/packed/*.deb Depends | grep -q libsentencepiece
  dpkg-deb --extract "$out"/packed/*.deb "$out/deb"
  runs "$out/deb/usr"
fi

# pip builds in the folder it is given, so it gets a copy. Without setuptools and wheel it fetches them.
cp -r "$source/python" "$out/python"
isolated=()
if python3 -c 'import setuptools, wheel' 2>/dev/null; then isolated=(--no-build-isolation); fi
if python3 -m pip install -q --no-input --no-deps "${isolated[@]}" --target "$out/pip" "$out/python" >"$out/pip.log" 2>&1; then
  [[ -e $out/pip/stagedtrain_h5.py && -d $(echo "$out"/pip/stagedtrain_h5-*.dist-info) ]]
elif ((${#isolated[@]})) || ! grep -qE 'Connection|resolution|No matching' "$out/pip.log"; then
  cat "$out/pip.log" && exit 1
else
  echo "pip install ./python: skipped, there is no network"
fi
