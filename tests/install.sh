#!/bin/sh
# Installs into a folder that was never configured, looks at what is there, builds the example against it in C and
# C++ as a stranger would, takes everything away again: install.sh CMAKE BUILD_DIR SOURCE_DIR
set -eu
prefix=$(mktemp -d)
manifest=$2/install_manifest.txt
trap 'rm -rf "$prefix"' EXIT
"$1" --install "$2" --prefix "$prefix/own" >"$prefix/log" 2>&1 || { cat "$prefix/log"; exit 1; }
own=$prefix/own
"$own/bin/vortex" --version
pc=$(find "$own" -name vortex.pc)
library=$(find "$own" -name libvortex.so)
for file in "$pc" "$library" "$own/share/man/man1/vortex.1" "$own/include/vortex/vortex.h" \
    "$own/include/vortex/status.h" "$own/share/vortex/packs/speech/pack.yaml" \
    "$own/share/vortex/packs/speech/voices/af_heart.bin" "$own/share/doc/vortex/LICENSE" \
    "$own/share/doc/vortex/NOTICE.voices" "$own/share/doc/vortex/NOTICE.fonts" "$own/share/bash-completion/completions/vortex"; do
    [ -s "$file" ] || { echo "not installed: $file"; cat "$prefix/log"; exit 1; }
done

# The packs beside the program come before those of the source tree, though nobody configured this prefix.
mkdir "$prefix/home"
export HOME="$prefix/home"
unset XDG_DATA_HOME XDG_CONFIG_HOME
"$own/bin/vortex" models list | grep -qF "$(realpath "$own")/share/vortex/packs/toon" ||
    { echo "the installed program does not find its own packs"; "$own/bin/vortex" models list; exit 1; }

# pkg-config tells where the library is, and none of its private flags.
PKG_CONFIG_PATH=$(dirname "$pc")
export PKG_CONFIG_PATH
folder=$(pkg-config --variable=libdir vortex)
[ "$(realpath "$folder")" = "$(realpath "$(dirname "$library")")" ]
flags=$(pkg-config --cflags --libs vortex | tr -s ' ' '\n' | grep -vE '^(-I.*/include|-L.*|-lvortex|)$' || true)
[ -z "$flags" ] || { echo "pkg-config tells private flags: $flags"; exit 1; }

# Programs from outside, which find the library where the link says. Sanitized libraries need their runtime in the
# program too, so they are left out.
if ! nm --dynamic "$library" 2>/dev/null | grep -qE '__(a|t)san_'; then
    for compiler in "${CC:-cc} -std=c11" "${CXX:-c++} -std=c++17 -x c++"; do
        command -v "${compiler%% *}" >/dev/null || { echo "not checked: ${compiler%% *} is not there"; continue; }
        case $compiler in
        *c++17*) printf '#include <vortex/vortex.h>\nint main() { return vx_api() == VORTEX_API ? 0 : 1; }\n' >"$prefix/main.c" ;;
        *) cp "$3/examples/c/slots.c" "$prefix/main.c" ;;
        esac
        # shellcheck disable=SC2046,SC2086
        $compiler "$prefix/main.c" -o "$prefix/program" $(pkg-config --cflags --libs vortex) "-Wl,-rpath,$folder"
        status=0
        "$prefix/program" no-such-pack none.yaml 2>"$prefix/said" || status=$?
        case $compiler in
        *c++17*) [ $status = 0 ] || { echo "the C++ program ends with $status"; exit 1; } ;;
        *) [ $status != 0 ] && grep -q 'no-such-pack' "$prefix/said" ;;
        esac
    done
fi

"$1" -DMANIFEST="$manifest" -P "$3/cmake/uninstall.cmake"
[ -z "$(find "$own" -type f -o -type l)" ] || { echo "left after uninstalling:"; find "$own" -type f; exit 1; }
[ ! -e "$own/share/vortex" ] || { echo "the data folder is left"; exit 1; }
