#!/usr/bin/env bash
# A report: hot kernels of this build beside those of an earlier commit, in turns (docs/benchmarks.md, "Comparing").
#
#     bench/changes.sh BUILD [COMMIT]
#
# COMMIT: the newest tag v*; where there is none, the commit before the last one that changed what kernels compute with.
# Its chladni-bench is built in BUILD-before, with BUILD's compiler cache. It says in a line why there is nothing to
# compare, and never fails. CHANGES_SECONDS (60) end it: at the most six tenths go to building.
set -uo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
build=$(realpath -m "${1:?BUILD}") before=$(realpath -m "$1")-before
seconds=${CHANGES_SECONDS:-60}
cd "$root" || exit 0
nothing() {
  echo "no kernels are compared: $1"
  exit 0
}
base() {
  git describe --tags --match 'v*' --abbrev=0 2>/dev/null && return
  local last
  last=$(git log -1 --format=%H -- kernels/cpu 'kernels/*.h') && [ -n "$last" ] && git rev-parse --verify --quiet "$last^"
}
git rev-parse --git-dir >/dev/null 2>&1 || nothing "this is no git checkout"
commit=${2:-$(base)} || nothing "the checkout has no earlier commit (a shallow clone, or the first one)"
git rev-parse --verify --quiet "$commit^{commit}" >/dev/null || nothing "the checkout has no commit $commit"
now=$build/bench/chladni-bench
[ -x "$now" ] || nothing "there is no $now"

# the layout of $root and $root/build, so that the compiler cache knows what did not change
name=$(git log -1 --format='%h (%s)' "$commit")
rm -rf "$before" && mkdir -p "$before" || nothing "no folder $before"
git archive "$commit" | tar -x -C "$before" || nothing "$name cannot be unpacked"
setting() { sed -n "s/^$1:[^=]*=//p" "$build/CMakeCache.txt"; }
launcher=$(setting CMAKE_C_COMPILER_LAUNCHER)
export CCACHE_BASEDIR=$before
(cd "$before" && cmake -G Ninja -S . -B build -DCHLADNI_CUDA=OFF -DCMAKE_C_COMPILER="$(setting CMAKE_C_COMPILER)" \
  ${launcher:+-DCMAKE_C_COMPILER_LAUNCHER="$launcher" -DCMAKE_CXX_COMPILER_LAUNCHER="$launcher"} >"$before/log" 2>&1 &&
  timeout $((seconds * 6 / 10)) cmake --build build --target chladni-bench >>"$before/log" 2>&1) ||
  nothing "chladni-bench of $name is not built within $((seconds * 6 / 10)) s: $(tail -n 1 "$before/log")"
echo "kernels of this build over those of $name, built in $SECONDS s"

# op, shape: what an edit and a training spend their time in, small enough for a report
while read -r op shape; do
  left=$((seconds - SECONDS))
  [ $left -gt 0 ] || { echo "$op of $shape is left out: $seconds s are over"; continue; }
  said=$(timeout $left "$now" kernels "$op" --shape "$shape" --threads 1 --warm --device cpu --starts 12 --runs-per-start 5 \
    --against "$before/build/bench/chladni-bench" </dev/null 2>&1)
  case $? in
    0 | 1) grep -E '^ *[0-9.]+ +[0-9.]+ - ' <<<"$said" || echo "$op of $shape: $said" ;;
    124) echo "$op of $shape is cut off: $seconds s are over" ;;
    *) echo "$op of $shape: $said" ;;
  esac
done <<'SHAPES'
linear 50x256x768
linear_frozen 50x256x768
modconv 16x64x64x1
attention 50x192x3
layer_norm 50x768
window_attention 14x96x3
conv 14x64x64x3x1
SHAPES
echo "$SECONDS s in all"
