#!/usr/bin/env bash
# Turns a machine with an NVIDIA GPU into evidence: builds for that GPU, proves the kernels on it, times
# them, and writes bench/results/gpu-<device>.json; then tools/hardware-table.py puts it into README.md.
#
#     tools/gpu-check.sh [--quick] [--device cuda:N]     --quick: no compute-sanitizer, few timed runs
#
# Needs a C and C++ compiler, CMake, ninja or make, the CUDA toolkit and its driver, and what tools/setup.sh
# installs besides oneDNN; without the sound and picture libraries the trainings are left out. Every step says what it does; the first that fails ends it.
set -euo pipefail
cd "$(dirname "$0")/.."
device=cuda:0 quick=
while [ $# -gt 0 ]; do
  case $1 in
    --quick) quick=1 ;;
    --device) device=${2:?--device cuda:N}; shift ;;
    *) echo "usage: tools/gpu-check.sh [--quick] [--device cuda:N]"; exit 2 ;;
  esac
  shift
done
build=${BUILD:-build-gpu} log=${BUILD:-build-gpu}/gpu-check.log number=${device#cuda:}
step() { echo "=== $*"; }
fail() { echo "gpu-check: $*" >&2; exit 1; }

step "what is here"
nvcc=${NVCC:-$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)}
[ -x "$nvcc" ] || fail "no nvcc: put the CUDA toolkit's bin folder into PATH, or set NVCC"
cuda=$("$nvcc" --version | sed -n 's/.*release \([0-9.]*\),.*/\1/p')
name= driver= capability=
if command -v nvidia-smi >/dev/null; then
  IFS=, read -r name driver capability < <(nvidia-smi -i "$number" --query-gpu=name,driver_version,compute_cap --format=csv,noheader 2>/dev/null) || true
  name=${name# } driver=${driver# } capability=${capability# }
fi
if [[ ! $capability =~ ^[0-9]+[.][0-9]+$ ]]; then # no GPU that can be asked: the build still shows what would be missing
  echo "nvidia-smi knows of no GPU $number; building for 80 to learn what the backend says"
  capability=8.0
fi
architecture=${capability/./}
[ "$architecture" != 90 ] || architecture=90a # wgmma
commit=$(git rev-parse HEAD 2>/dev/null || echo unknown)
[ -z "$(git status --porcelain --untracked-files=no 2>/dev/null)" ] || commit+=" with local changes"
echo "GPU: ${name:-none}; driver: ${driver:-none}; CUDA $cuda; compute capability $capability; commit $commit"

step "build"
generator=()
mkdir -p "$build"
command -v ninja >/dev/null && generator=(-G Ninja)
media=OFF trainings=() # which read sounds and pictures
if pkg-config --exists sndfile soxr libpng libturbojpeg; then media=ON trainings=(train_on_device chladni-bench); fi
cmake "${generator[@]}" -S . -B "$build" -DCHLADNI_CUDA=ON -DCMAKE_CUDA_COMPILER="$nvcc" -DCHLADNI_ONEDNN=OFF -DCHLADNI_MEDIA=$media \
  -DCHLADNI_CUDA_ARCHITECTURES="$architecture-real" >"$log" 2>&1 || { tail -n 30 "$log"; fail "CMake failed ($log)"; }
cmake --build "$build" -j "${JOBS:-$(nproc)}" --target chladni_cuda test_backend test_ops test_fusion bench_ops "${trainings[@]}" >>"$log" 2>&1 ||
  { tail -n 30 "$log"; fail "the build failed ($log)"; }
export CHLADNI_CUDA_MODULE=$PWD/$build/libchladni_cuda.so
ops=("$build/tests/test_ops" --device "$device" --pending kernels/cuda/PENDING)

step "the backend opens"
"$build/tests/test_ops" --device "$device" --pending kernels/cuda/PENDING adam >"$build/first.log" 2>&1 ||
  { cat "$build/first.log"; fail "no evidence without a GPU that computes"; }

step "what every backend promises: memory, queues, events, recordings, devices, errors"
"$build/tests/test_backend" --device "$device" >"$build/backend.log" 2>&1 || { cat "$build/backend.log"; fail "test_backend failed"; }

step "register layouts of mma, ldmatrix and wgmma, bytes of tensor maps, against the PTX manual as the emulator reads it"
"$nvcc" -std=c++17 -gencode "arch=compute_$architecture,code=sm_$architecture" -I kernels -I tests tests/emu/layouts.cu -o "$build/layouts"
CUDA_VISIBLE_DEVICES=$number "$build/layouts"

run_ops() { # run_ops NAME COMMAND...: the last line of what it says, kept for the result
  local log=$build/$1.log
  shift
  "$@" >"$log" 2>&1 || { grep -vE '^[a-z_0-9]+ +[0-9]+$' "$log" | tail -n 40; fail "$* failed ($log)"; }
  grep -E '^[0-9]+ cases,' "$log" | tail -n 1
}
step "op tests in float"
float=$(run_ops ops-float "${ops[@]}"); echo "$float"
step "op tests in bf16"
bf16=$(run_ops ops-bf16 "${ops[@]}" --bf16); echo "$bf16"
step "modulated convolution in bf16, small shapes by the paths of large ones"
run_ops ops-large env CHLADNI_CUDA_FILL=2 "${ops[@]}" --bf16 modconv
step "calls as one, against the CPU and one by one"
fusion=("$build/tests/test_fusion" --device "$device")
for fill in "" 1 3; do
  env ${fill:+CHLADNI_CUDA_FILL=$fill} "${fusion[@]}" >"$build/fusion.log" 2>&1 || { cat "$build/fusion.log"; fail "${fusion[*]} failed"; }
done

if [ $media = ON ]; then
  step "three steps of each training, against the CPU"
  "$build/tests/train_on_device" --device "$device" >"$build/train.log" 2>&1 || { cat "$build/train.log"; fail "train_on_device failed"; }
  grep -E 'apart' "$build/train.log"
else
  step "trainings: not run, for sndfile, soxr, libpng or libturbojpeg is missing (tools/setup.sh)"
fi

sanitized="not run"
if [ -z "$quick" ]; then
  sanitizer=$(command -v compute-sanitizer || echo "$(dirname "$nvcc")/compute-sanitizer")
  [ -x "$sanitizer" ] || fail "no compute-sanitizer: install it (a part of the CUDA toolkit), or pass --quick"
  rm -f "$build/races"
  sanitize() { step "memcheck and racecheck, $1"; bash tools/gpu-sanitize.sh "$sanitizer" "$build" "$@" || fail "a sanitizer stopped at $1"; }
  sanitize float "${ops[@]}"
  sanitize bf16 "${ops[@]}" --bf16
  sanitize fusion "${fusion[@]}"
  sanitized="memcheck and racecheck clean"
  [ ! -e "$build/races" ] || sanitized="memcheck clean; racecheck reports on $(paste -sd ' ' "$build/races")"
fi

step "times"
mkdir -p bench/results
runs=51; [ -z "$quick" ] || runs=11
"$build/bench/bench_ops" --device "$device" --runs $runs >"$build/times"
"$build/bench/bench_ops" --device "$device" --runs $runs --bf16 >>"$build/times"

if [ $media = ON ]; then # a step as users run it
  for model in audio clip generator judge; do
    for flag in "" --bf16; do "$build/bench/chladni-bench" train $model --device "$device" $flag --json; done
  done | tee "$build/train-times.jsonl"
fi

slug=$(echo "$name" | tr 'A-Z ' 'a-z-' | tr -cd 'a-z0-9-')
for batch in 1 8; do # for bench/peers/layers.py --table
  "$build/bench/bench_ops" --device "$device" --runs $runs --bf16 --layers $batch >"bench/results/layers-$slug-$batch.jsonl"
done
out=bench/results/gpu-$slug.json
{
  printf '{\n "device": "%s",\n "compute_capability": "%s",\n "driver": "%s",\n "cuda": "%s",\n' "$name" "$capability" "$driver" "$cuda"
  printf ' "commit": "%s",\n "date": "%s",\n "runs": %d,\n' "$commit" "$(date -u +%F)" $runs
  printf ' "layouts": "confirmed",\n "ops": {"float": "%s", "bf16": "%s"},\n "sanitizers": "%s",\n "times": [\n' "$float" "$bf16" "$sanitized"
  sed 's/^/  /; $!s/$/,/' "$build/times"
  printf ' ]\n}\n'
} >"$out.new"
mv "$out.new" "$out"
echo "wrote $out"
if command -v python3 >/dev/null; then python3 tools/hardware-table.py; else echo "no python3: run tools/hardware-table.py elsewhere"; fi
