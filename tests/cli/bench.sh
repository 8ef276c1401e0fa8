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
says 1 'no CUDA backend' --device cuda --json
says 1 'or set device to cpu' --device cuda:1
says 1 'device must be cpu, cuda, cuda:N or auto, got gpu' --device gpu
says 1 'cpu computes in float32 only' --device cpu --bf16
says 2 'usage: chladni-bench' --device
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
trains 1 'model must be' painter
trains 2 'usage: chladni-bench train'
about=$(printf 'about\nquit\n' | "$bench" mel --device cpu --serve) || failed=1
[[ $about == *'"device": "cpu"'* ]] || { echo "about: $about"; failed=1; }
exit $failed
