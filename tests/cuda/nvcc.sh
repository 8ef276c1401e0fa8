#!/usr/bin/env bash
# Every file of kernels/cuda through nvcc, warnings as errors, and what ptxas says of every kernel.
#
#     tests/cuda/nvcc.sh [--all] [--out FOLDER] [FILE...]
#
# Architectures: 80 and 90a, or those in TEST_ARCHITECTURES; --all: every one of CHLADNI_CUDA_ARCHITECTURES. FOLDER (a temporary one)
# keeps report.txt: kernel, architecture, registers, threads (launch bounds), shared memory, spilled
# bytes, sorted by registers x threads; what nvcc said, file by file; and NAME.ARCHITECTURE.cubin, the machine code
# (tests/cuda/sass.sh counts its instructions).
# Fails where a kernel spills more than 128 bytes (stores and loads; less is listed), has no launch bounds, registers x threads exceed the 65536 of a
# multiprocessor, or static shared memory exceeds 48 KB. Dynamic shared memory is known at the launch
# only: the emulator holds each launch against its architecture's limit.
# Skipped (77) where there is no nvcc: the C++ compiler still checks and runs the same sources.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
nvcc=${NVCC:-nvcc} architectures=${TEST_ARCHITECTURES:-80 90a} folder=
while [ $# -gt 0 ]; do
  case $1 in
    --all) architectures=$(sed -n 's/^set(CHLADNI_CUDA_ARCHITECTURES "\([^"]*\)".*/\1/p' "$root/CMakeLists.txt" |
      sed 's/-real//g; s/;/ /g') ;;
    --out) folder=${2:?--out FOLDER}; shift ;;
    *) break ;;
  esac
  shift
done
if ! command -v "$nvcc" >/dev/null; then
  echo "cuda-nvcc: skipped: no nvcc in PATH (set NVCC)"
  exit 77
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
folder=${folder:-$scratch/out}
mkdir -p "$folder"
files=("$@")
[ $# -gt 0 ] || files=("$root"/kernels/cuda/{lib,ops,modconv}/*.cu "$root"/host/runtime/cuda/*.cu)

compile() { # compile FILE FOLDER SCRATCH NVCC ARCHITECTURE...: FOLDER/name.said, the PTX in SCRATCH/name
  local file=$1 folder=$2 name kept architecture generate=()
  name=$(basename "$file" .cu) kept=$3/$name nvcc=$4
  shift 4
  # 90a in full: `-arch=sm_90a` makes a plain sm_90 pass too, which refuses wgmma
  for architecture in "$@"; do
    generate+=(-gencode "arch=compute_$architecture,code=sm_$architecture")
  done
  mkdir -p "$kept"
  "$nvcc" -std=c++17 -Werror all-warnings -ftz=true -Xcompiler -Wall,-Wextra,-Werror -Xptxas -v "${generate[@]}" --keep --keep-dir "$kept" \
    -I"$ROOT/include" -I"$ROOT/kernels" -I"$ROOT/host" -c "$file" -o "$kept/object.o" >"$folder/$name.said" 2>&1 ||
    echo "$name" >>"$folder/failed"
  for architecture in "$@"; do
    mv "$kept/$name.compute_$architecture.cubin" "$folder/$name.$architecture.cubin" 2>/dev/null || true
  done
  find "$kept" -type f ! -name '*.ptx' -delete
}
export -f compile
export ROOT=$root
rm -f "$folder/failed"
# shellcheck disable=SC2086 # words
printf '%s\0' "${files[@]}" | xargs -0 -P "$(nproc)" -I{} bash -c 'compile "$@"' _ {} "$folder" "$scratch" "$nvcc" $architectures
if [ -f "$folder/failed" ]; then
  while read -r name; do
    cat "$folder/$name.said"
    echo "cuda-nvcc: $name.cu does not compile"
  done <"$folder/failed"
  exit 1
fi

# launch bounds stand in the PTX only: "architecture symbol threads"
bounds() {
  awk '/^\.target/ { sub(/^sm_/, "", $2); sub(/,.*/, "", $2); arch = $2 }
       /\.entry/ { name = $0; sub(/.*\.entry /, "", name); sub(/\(.*/, "", name); threads[arch " " name] = 0 }
       /^\.maxntid/ { gsub(/,/, ""); threads[arch " " name] = $2 * ($3 ? $3 : 1) * ($4 ? $4 : 1) }
       END { for (k in threads) print k, threads[k] }' "$1"/*.ptx
}
# "file architecture registers threads shared spills symbol" per kernel
said() {
  awk -v file="$1" 'NR == FNR { threads[$1 " " $2] = $3; next }
    /Compiling entry function/ { split($0, part, "\047"); name = part[2]; arch = part[4]; sub(/^sm_/, "", arch); shared = spills = 0 }
    # the properties of a function called by the kernel come in between: its spills are the kernel'"'"'s
    /bytes spill stores/ { match($0, /[0-9]+ bytes spill stores/); spills += substr($0, RSTART) + 0
                           match($0, /[0-9]+ bytes spill loads/); spills += substr($0, RSTART) + 0 }
    /Used [0-9]+ registers/ { match($0, /Used [0-9]+/); registers = substr($0, RSTART + 5, RLENGTH - 5)
      if (match($0, /[0-9]+ bytes smem/)) shared = substr($0, RSTART) + 0
      print file, arch, registers, threads[arch " " name] + 0, shared, spills, name }' "$2" "$3"
}
for file in "${files[@]}"; do
  name=$(basename "$file" .cu)
  compgen -G "$scratch/$name/*.ptx" >/dev/null || continue
  bounds "$scratch/$name" >"$scratch/bounds"
  said "$name" "$scratch/bounds" "$folder/$name.said"
done >"$scratch/kernels"
{
  printf '%-18s %-5s %5s %7s %6s %6s %6s  %s\n' file arch regs threads "r x t" shared spills kernel
  # signatures are long and say nothing here: the name and its template arguments are enough
  c++filt <"$scratch/kernels" | sed -E 's/\(anonymous namespace\):://g; s/ void / /; s/\(.*//' | sort -t ' ' -k 1,1 -k 2,2 |
    awk '{ kernel = $7; for (i = 8; i <= NF; i++) kernel = kernel " " $i
           printf "%-18s %-5s %5d %7d %6d %6d %6d  %s\n", $1, $2, $3, $4, $3 * $4, $5, $6, kernel }'
} >"$folder/report.txt"
# A few words, stored and loaded once outside a loop, cost nothing; what spills in a loop spills more.
awk -v MOST_SPILLED=128 'NR > 1 {
       count[$2]++; if ($3 > most[$2]) most[$2] = $3
       if ($7 > 0) few = few "\n" $0 "   <- spills a little"
       if ($7 > MOST_SPILLED) wrong = wrong "\n" $0 "   <- spills"
       if ($4 == 0) wrong = wrong "\n" $0 "   <- no launch bounds"
       if ($5 > 65536) wrong = wrong "\n" $0 "   <- more registers than a multiprocessor has"
       if ($6 > 49152) wrong = wrong "\n" $0 "   <- more static shared memory than 48 KB"
     }
     END { if (few) print few
           for (a in count) printf "sm_%s: %d kernels, at most %d registers\n", a, count[a], most[a]
           if (wrong) { print wrong; exit 1 }
           if (NR < 2) { print "cuda-nvcc: no kernel was found in what nvcc said"; exit 1 } }' "$folder/report.txt"
