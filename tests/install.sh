#!/bin/sh
# Installs into a temporary folder and looks at what is there: install.sh CMAKE BUILD_DIR
set -eu
prefix=$(mktemp -d)
trap 'rm -rf "$prefix"' EXIT
"$1" --install "$2" --prefix "$prefix" >"$prefix/log" 2>&1 || { cat "$prefix/log"; exit 1; }
"$prefix/bin/vortex" --version
pc=$(find "$prefix" -name vortex.pc)
man=$(find "$prefix" -name vortex.1)
library=$(find "$prefix" -name libvortex.a)
for file in "$pc" "$man" "$library" "$prefix/share/vortex/packs/speech/pack.yaml" \
    "$prefix/share/vortex/packs/speech/voices/af_heart.bin"; do
    [ -s "$file" ] || { echo "not installed: $file"; cat "$prefix/log"; exit 1; }
done
# The library's folder as pkg-config tells it is where the library is.
PKG_CONFIG_PATH=$(dirname "$pc")
export PKG_CONFIG_PATH
folder=$(pkg-config --variable=libdir vortex)
[ "$(realpath "$folder")" = "$(realpath "$(dirname "$library")")" ]
pkg-config --static --libs vortex | grep -q -- '-lvortex.*-ldnnl'
