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
sed -i "s|^prefix=.*|prefix=$work/usr|" "$(dirname "$pc")"/chladni*.pc
export PKG_CONFIG_PATH=$(dirname "$pc")
printf '#include <chladni.h>\nint main(void) { return chl_error() == 0; }\n' > "$work/only.c"
read -ra flags <<< "$(pkg-config --cflags --libs chladni)"
libraries=$(pkg-config --variable=libdir chladni)
sanitizer=$(sed -n 's/^CHLADNI_SANITIZE:.*=//p' "$build/CMakeCache.txt")
[ -z "$sanitizer" ] || flags+=("-fsanitize=$sanitizer")
"$compiler" -std=c99 -pedantic -Wall -Wextra -Werror "$work/only.c" -o "$work/only" "${flags[@]}"
"$compiler" -x c++ -Wall -Wextra -Werror -fsyntax-only "$work/only.c" "-I$work/usr/include"
"$compiler" -std=c99 -Wall -Wextra -Werror "$source/docs/example.c" -o "$work/example" "${flags[@]}"
# the example at the head of chladni.h is a program but for its frame
{ printf '#include <chladni.h>\n#include <stdio.h>\n#include <stdlib.h>\nint main(void) {\n'
  sed -n '/^ \*     /s/^ \*//p' "$work/usr/include/chladni.h"
  printf '    return 0;\n}\n'; } >"$work/head.c"
grep -q chl_edit "$work/head.c"
"$compiler" -std=c99 -Wall -Wextra -Werror "$work/head.c" -o "$work/head" "${flags[@]}"
LD_LIBRARY_PATH=$libraries "$work/only"
# the demo is in a library of its own, which holds the other one too
cat > "$work/demo.c" <<'C'
#include <chladni.h>
#include <chladni/demo.h>
int main(void) {
    chl_train_options options;
    if (chl_train_defaults("judge", &options) == CHL_OK) return 1;
    if (chl_demo_register() != CHL_OK || chl_train_defaults("judge", &options) != CHL_OK) return 2;
    return chl_demo_judge()->attributes == 3 ? 0 : 3;
}
C
read -ra demo <<< "$(pkg-config --cflags --libs chladni_demo)"
[ -z "$sanitizer" ] || demo+=("-fsanitize=$sanitizer")
"$compiler" -std=c99 -pedantic -Wall -Wextra -Werror "$work/demo.c" -o "$work/demo" "${demo[@]}"
LD_LIBRARY_PATH=$libraries "$work/demo"
if nm -D --defined-only "$libraries/libchladni.so" | grep -E 'chl_(world|demo)'; then
  echo "install: libchladni exports the demo" >&2
  exit 1
fi
"$work/usr/bin/chladni" --version
[ "$media" = ON ] || exit 0
cd "$work"
for kind in generator clip audio; do usr/bin/chladni weights random --kind $kind --out $kind.safetensors; done
LD_LIBRARY_PATH=$libraries ./example generator.safetensors clip.safetensors audio.safetensors \
  "$source/tests/fixtures/sound/rain.wav" out.png
[ -s out.png ]
