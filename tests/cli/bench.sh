#!/usr/bin/env bash
# chladni-bench says on what it computed, and what is missing where it cannot.
#   bench.sh CHLADNI-BENCH
set -uo pipefail
bench=$1
export CHLADNI_CUDA_MODULE=/nonexistent/module.so # no GPU, wherever the test runs
failed=0
says() { # says STATUS TEXT ARGUMENT...: both streams together
  local status=$1 text=$2 said got=0
  shift 2
  said=$("$bench" mel --runs 1 "$@" 2>&1 </dev/null) || got=$?
  [ $got = "$status" ] && [[ $said == *"$text"* ]] && return
  echo "chladni-bench mel $*: status $got, should be $status with \"$text\"; it said: $said"
  failed=1
}
says 0 '"device": "cpu", "precision": "float"' --device cpu --json
says 0 '"device": "cpu"' --json                      # auto, and no GPU
says 0 'mel on cpu in float, batch 2' --device auto --batch 2
says 0 'log_mel' --device cpu --profile
said=$("$bench" swin-train --runs 1 --device cpu --profile 2>&1)
[[ $said == *'Swin-T, backward '*'Adam  '*'by op:'*'  adam '* ]] || { echo "swin-train: $said"; failed=1; }
says 1 'no CUDA backend' --device cuda --json
says 1 'or set device to cpu' --device cuda:1
says 1 'device must be cpu, cuda, cuda:N or auto, got gpu' --device gpu
says 1 'cpu computes in float32 only' --device cpu --bf16
says 2 'usage: chladni-bench' --device
said=$("$bench" io --runs 1 --json 2>&1)
for kind in sound picture array weights; do
  grep -q "\"kind\": \"$kind\", \"direction\": \"read\".*\"mb_per_s\": [0-9]" <<<"$said" || { echo "io: no $kind: $said"; failed=1; }
done
# cannot ARGUMENT...: what cannot be written is an error, of every command
cannot() {
  local said got=0
  said=$("$bench" "$@" 2>&1 >/dev/full </dev/null) || got=$?
  [ $got = 1 ] && [[ $said == *"cannot write to standard output"* ]] && return
  echo "chladni-bench $* > /dev/full: status $got, should be 1; it said: $said"
  failed=1
}
cannot kernels --list
cannot kernels linear --shape 8x16 --device cpu --runs 1 --warm --json
cannot mel --runs 1 --device cpu
cannot mel --runs 1 --device cpu --json
cannot collectives --ranks 2 --max 1024 --runs 1
cannot train --help
cannot --help
said=$("$bench" foo 2>&1)
[[ $? = 2 && $said == *'no workload is called "foo", expected one of '*mel* ]] || { echo "an unknown workload: $said"; failed=1; }
list=$(mktemp)
echo "$(cd "$(dirname "$0")/../fixtures/sound" && pwd)/tone.flac" >"$list"
size=$(stat -c %s "$(cat "$list")")
said=$("$bench" loader --list "$list" --threads 1 --runs 2 --step-ms 65 --batch 384 2>&1)
[[ $said == "1 files, 1 threads: "*" clips a second, "*" of a core"*"bytes read: "*" a clip"*"a step of 384 clips in 65 ms takes 5908 clips a second; cores that feed the GPU: "[0-9]* ]] ||
  { echo "loader: $said"; failed=1; }
if [ -r /proc/self/io ]; then # a decoder looks at a file's end first, so that a small one is read twice
  read=$("$bench" loader --list "$list" --threads 1 --runs 2 --json | sed 's/.*"bytes_per_clip": \([0-9]*\).*/\1/')
  [ "$read" -ge $((size * 9 / 10)) ] && [ "$read" -le $((3 * size)) ] || { echo "loader: $read bytes read of a file with $size"; failed=1; }
fi
kept=$(mktemp -d)
for pass in new found; do
  said=$("$bench" loader --list "$list" --cache-mels "$kept" --runs 1 --step-ms 1 --batch 1 --json 2>&1)
  [[ $said == *'"source": "cached mels", "files": 1, "threads": 1'*'"step": {"ms": 1, "batch": 1, "clips_per_s": 1000.0, "cores": '* ]] || { echo "loader, $pass mels: $said"; failed=1; }
done
rm -rf "$kept"
loads() { # loads TEXT ARGUMENT...: is refused
  local text=$1 said got=0
  shift
  said=$("$bench" loader --list "$list" "$@" 2>&1 </dev/null) || got=$?
  [ $got = 2 ] && [[ $said == *"$text"* ]] || { echo "chladni-bench loader $*: status $got, should be 2 with \"$text\"; it said: $said"; failed=1; }
}
loads '--step-ms must be a number above 0, up to 1000000, got "0"' --step-ms 0 --batch 4
loads '--step-ms must be a number above 0, up to 1000000, got "fast"' --step-ms fast --batch 4
loads '--step-ms must be a number above 0, up to 1000000, got "nan"' --step-ms nan --batch 4
loads '--batch must be a whole number from 1 to 1048576, got "0"' --step-ms 65 --batch 0
loads 'got one of them' --step-ms 65
loads 'got one of them' --batch 384
loads '--cache-mels looks up by one thread' --cache-mels nowhere --threads 2
loads '--serve answers requests' --serve --json
loads '--runs must be a whole number from 1 to 10000, got "x"' --runs x
said=$("$bench" loader --list /nonexistent 2>&1)
[[ $said == *"--list must name a file"* ]] || { echo "loader without a list: $said"; failed=1; }
rm -f "$list"
said=$("$bench" io --folder /nonexistent 2>&1)
[[ $said == *'can be made in /nonexistent'* ]] || { echo "io: a folder that is not there: $said"; failed=1; }
trains() { # trains STATUS TEXT ARGUMENT...
  local status=$1 text=$2 said got=0
  shift 2
  said=$("$bench" train "$@" 2>&1 </dev/null) || got=$?
  [ $got = "$status" ] && [[ $said == *"$text"* ]] && return
  echo "chladni-bench train $*: status $got, should be $status with \"$text\"; it said: $said"
  failed=1
}
trains 0 '"workload": "train judge", "device": "cpu", "precision": "float", "batch": 4' judge --sizes side=32,widths=8-8 --batch 4 --runs 2 --json
trains 0 'train audio on cpu in float, batch 2' audio --sizes patch=32,embed=16,depths=1,heads=2 --batch 2 --runs 1 --ahead 1
trains 0 '"ranks": 2, "batch": 4, "threads": 2, "median"' audio --ranks 2 --weak --batch 2 --sizes patch=32,embed=16,depths=1,heads=2 \
  --runs 1 --threads 2 --json
trains 1 'batch must be a multiple of ranks' audio --ranks 2 --batch 5 --runs 1
trains 2 'at most 64, got 65' audio --ranks 65
trains 1 'model must be' painter
trains 2 'usage: chladni-bench train'
exchanges() { # exchanges STATUS TEXT ARGUMENT...
  local status=$1 text=$2 said got=0
  shift 2
  said=$("$bench" collectives "$@" 2>&1 </dev/null) || got=$?
  [ $got = "$status" ] && [[ $said == *"$text"* ]] && return
  echo "chladni-bench collectives $*: status $got, should be $status with \"$text\"; it said: $said"
  failed=1
}
# bus bandwidth as nccl-tests: 2 (n - 1) / n of the algorithm's for all_reduce, (n - 1) / n for the others
said=$("$bench" collectives --ranks 3 --min 3000 --max 12000 --runs 2 --json) || failed=1
python3 - "$said" <<'P' || { echo "collectives: $said"; failed=1; }
import json, sys
lines = [json.loads(line) for line in sys.argv[1].splitlines()]
assert [line["collective"] for line in lines] == ["all_gather"] * 2 + ["all_reduce"] * 2 + ["reduce_scatter"] * 2
assert [line["bytes"] for line in lines] == [3000, 12000] * 3
for line in lines:
    factor = (4 if line["collective"] == "all_reduce" else 2) / 3
    assert line["ranks"] == 3 and line["kind"] == "local"
    assert abs(line["algbw_gb"] - 1e-9 * line["bytes"] / line["seconds"]) <= 1e-4 + 1e-3 * line["algbw_gb"]
    assert abs(line["busbw_gb"] - factor * line["algbw_gb"]) <= 2e-4
P
exchanges 0 'busbw GB/s' --max 1024 --runs 1
exchanges 1 'no CUDA backend' --device cuda --max 1024
exchanges 2 'must be a whole number from 1 to 64, got "0"' --ranks 0
exchanges 2 'usage: chladni-bench collectives' --min 4096 --max 1024
about=$(printf 'about\nquit\n' | "$bench" mel --device cpu --serve) || failed=1
[[ $about == *'"device": "cpu"'* ]] || { echo "about: $about"; failed=1; }
exit $failed
