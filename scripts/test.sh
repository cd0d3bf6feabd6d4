#!/usr/bin/env bash
# Builds and runs every test. Arguments go to ctest: scripts/test.sh -L ground, scripts/test.sh -R laws.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/shared.sh

scripts/setup.sh --tests --quiet
say "Building the tests in build/test (10 minutes on two cores; seconds if nothing changed)"
build build/test -DSTAGEDTRAIN_TESTS=ON
# Tests that compute on two threads take two of ctest's places; see tests/CMakeLists.txt.
exec ctest --test-dir build/test --output-on-failure --no-tests=error --parallel "$(nproc)" "$@" </dev/null
