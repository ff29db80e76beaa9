#!/bin/sh
# Compiles src/backend/vulkan/shaders into spirv/, as C tables that are committed, so that whoever
# builds needs no shader compiler: spirv.sh GLSLC [--check]
# --check compiles into a temporary folder and compares. GLSLC is 'build/lavapipe/exec glslc', whose
# version the tests pin (tools/run/lavapipe.sh); another version may give other words.
set -eu
cd "$(dirname "$0")/../src/backend/vulkan"
glslc=$1 out=spirv
[ "${2:-}" != --check ] || { out=$(mktemp -d) && trap 'rm -r "$out"' EXIT; }
mkdir -p "$out"
note="/* Made by tools/spirv.sh from shaders/. */"

# Name, source, flags.
variants='
maps maps
product_lanes product -DLANES
product_tiles product
rows rows
heads heads
columns columns
planes planes
motion motion
speech speech
lstm lstm
attention attention
'

echo "$note" >"$out/list.inc"
echo "$note" >"$out/code.inc"
echo "$variants" | while read -r name source flags; do
    [ -n "$name" ] || continue
    # shellcheck disable=SC2086
    $glslc --target-env=vulkan1.3 -O -Werror $flags "shaders/$source.comp" -o "$out/$name.spv"
    {
        echo "$note"
        od -An -v -tx4 -w32 "$out/$name.spv" | sed 's/ *\([0-9a-f]\{8\}\)/0x\1,/g'
    } >"$out/$name.inc"
    rm "$out/$name.spv"
    echo "VX_VK_SHADER($name)" >>"$out/list.inc"
    printf 'static const uint32_t code_%s[] = {\n#include "backend/vulkan/spirv/%s.inc"\n};\n' \
        "$name" "$name" >>"$out/code.inc"
done
[ "$out" = spirv ] || diff -r "$out" spirv
