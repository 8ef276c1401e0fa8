#!/usr/bin/env bash
# Which file may use which (layers.py), after a check that the check finds what it looks for.
#   tests/layers.sh BUILD
set -euo pipefail
python3 "$(dirname "$0")/layers_test.py" "$1"
python3 "$(dirname "$0")/layers.py" "$1"
