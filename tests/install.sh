#!/bin/sh
# Installs into a temporary folder, looks at what is there, and builds the C example against it:
# install.sh CMAKE BUILD_DIR SOURCE_DIR
set -eu
prefix=$(mktemp -d)
trap 'rm -rf "$prefix"' EXIT
"$1" --install "$2" --prefix "$prefix" >"$prefix/log" 2>&1 || { cat "$prefix/log"; exit 1; }
"$prefix/bin/vortex" --version
pc=$(find "$prefix" -name vortex.pc)
man=$(find "$prefix" -name vortex.1)
library=$(find "$prefix" -name libvortex.a)
for file in "$pc" "$man" "$library" "${library%.a}.so" "$prefix/include/vortex/vortex.h" \
    "$prefix/include/vortex/status.h" "$prefix/share/vortex/packs/speech/pack.yaml" \
    "$prefix/share/vortex/packs/speech/voices/af_heart.bin"; do
    [ -s "$file" ] || { echo "not installed: $file"; cat "$prefix/log"; exit 1; }
done
# The library's folder as pkg-config tells it is where the library is.
PKG_CONFIG_PATH=$(dirname "$pc")
export PKG_CONFIG_PATH
folder=$(pkg-config --variable=libdir vortex)
[ "$(realpath "$folder")" = "$(realpath "$(dirname "$library")")" ]
pkg-config --static --libs vortex | grep -q -- '-lvortex.*-ldnnl'
# A program from outside. Sanitized libraries need their runtime in the program too, so they are left out.
if ! nm "$library" 2>/dev/null | grep -qE '__(a|t)san_'; then
    # shellcheck disable=SC2046
    ${CC:-cc} -std=c11 "$3/examples/c/slots.c" -o "$prefix/slots" $(pkg-config --cflags --libs vortex)
    LD_LIBRARY_PATH=$folder "$prefix/slots" no-such-pack none.yaml 2>"$prefix/said" && exit 1
    grep -q 'no-such-pack' "$prefix/said"
fi
