#!/usr/bin/env bash
# Builds chladni and runs its tests: tools/test.sh [cmake options]
set -euo pipefail
cd "$(dirname "$0")/.."
tools/setup.sh test
build=${BUILD:-build}
cmake -G Ninja -S . -B "$build" "$@" >/dev/null
cmake --build "$build"
ctest --test-dir "$build" --output-on-failure -j "$(nproc)"
