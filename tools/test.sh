#!/usr/bin/env bash
# Builds chladni and runs its tests: tools/test.sh [cmake options]
set -euo pipefail
cd "$(dirname "$0")/.."
tools/setup.sh test
build=${BUILD:-build}
cmake -G Ninja -S . -B "$build" -DCHLADNI_TESTS=ON "$@" >/dev/null # tools/demo.sh leaves them out
cmake --build "$build"
# one more than processors: some tests wait for others most of their time
ctest --test-dir "$build" --no-tests=error --output-on-failure -j $(($(nproc) + 1))
