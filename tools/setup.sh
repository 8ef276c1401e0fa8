#!/usr/bin/env bash
# Installs what chladni is built from on Debian 12 or a relative; asks for nothing that is there already.
#   tools/setup.sh [test]    with "test" also what the tests and checks need
set -euo pipefail
packages=(gcc g++ make cmake ninja-build pkg-config libdnnl-dev libsndfile1-dev libsoxr-dev libpng-dev
          libturbojpeg0-dev libwebp-dev libheif-dev libarchive-dev libjansson-dev libutf8proc-dev libpcre2-dev zlib1g-dev)
if [ "${1:-}" = test ]; then packages+=(libcmocka-dev python3); fi
if [ "${1:-}" = checks ]; then
  packages+=(libcmocka-dev python3 clang-14 clang-format-14 clang-tidy-14 libclang-rt-14-dev libomp-14-dev cppcheck ccache
             libopenmpi-dev openmpi-bin chromium)
fi
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0
sudo=""
if [ "$(id -u)" != 0 ]; then
  sudo=$(command -v sudo) || { echo "setup: not root and no sudo; as root: apt-get install ${missing[*]}" >&2; exit 1; }
fi
echo "setup: installing ${missing[*]}" >&2
$sudo apt-get update -qq
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
