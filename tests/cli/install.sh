#!/usr/bin/env bash
# cmake --install, then docs/example.c compiled through pkg-config against the installed files and run;
# the header alone as C99 and as C++.   install.sh BUILD SOURCE COMPILER MEDIA
set -euo pipefail
build=$1 source=$2 compiler=$3 media=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake --install "$build" --prefix "$work/usr" >/dev/null
# the .pc file names the prefix of the configuration: move it along
pc=$(find "$work/usr" -name chladni.pc)
sed -i "s|^prefix=.*|prefix=$work/usr|" "$pc"
export PKG_CONFIG_PATH=$(dirname "$pc")
printf '#include <chladni.h>\nint main(void) { return chl_error() == 0; }\n' > "$work/only.c"
read -ra flags <<< "$(pkg-config --cflags --libs chladni)"
libraries=$(pkg-config --variable=libdir chladni)
sanitizer=$(sed -n 's/^CHLADNI_SANITIZE:.*=//p' "$build/CMakeCache.txt")
[ -z "$sanitizer" ] || flags+=("-fsanitize=$sanitizer")
"$compiler" -std=c99 -pedantic -Wall -Wextra -Werror "$work/only.c" -o "$work/only" "${flags[@]}"
"$compiler" -x c++ -Wall -Wextra -Werror -fsyntax-only "$work/only.c" "-I$work/usr/include"
"$compiler" -std=c99 -Wall -Wextra -Werror "$source/docs/example.c" -o "$work/example" "${flags[@]}"
LD_LIBRARY_PATH=$libraries "$work/only"
"$work/usr/bin/chladni" --version
[ "$media" = ON ] || exit 0
cd "$work"
for kind in generator clip audio; do usr/bin/chladni weights random --kind $kind --out $kind.safetensors; done
LD_LIBRARY_PATH=$libraries ./example generator.safetensors clip.safetensors audio.safetensors \
  "$source/tests/fixtures/sound/rain.wav" out.png
[ -s out.png ]
