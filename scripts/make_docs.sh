#!/usr/bin/env bash
# Renews the generated pages docs/schedule-reference.md and docs/cli.md with the built program.
# usage: scripts/make_docs.sh [PROGRAM]   (default: what stands in build/release or build/test)
set -euo pipefail
called_from=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/shared.sh

program=${1:-}
[[ -z $program || $program == /* ]] || program=$called_from/$program
for built in build/release/stagedtrain build/test/stagedtrain; do
  if [[ -z $program && -x $built ]]; then program=$built; fi
done
[[ -n $program ]] || fail 2 "scripts/make_docs.sh: no program is built" \
  "  cmake --preset release && cmake --build --preset release"

renew() {
  "$program" docs "$1" >"$2.new"
  mv "$2.new" "$2"
  say "$2"
}
renew schedule docs/schedule-reference.md
renew cli docs/cli.md
