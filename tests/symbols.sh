#!/bin/sh
# Every external name that the static library defines begins with vx_, and the shared one shows exactly what the
# public header declares: symbols.sh STATIC SHARED INCLUDE
set -eu
names=$(nm --extern-only --defined-only --no-sort "$1" 2>/dev/null | awk 'NF == 3 {print $3}' |
    grep -vE '^__+(odr_asan|asan|tsan|ubsan|sanitizer)' | sort -u)
[ "$(printf '%s\n' "$names" | wc -l)" -gt 100 ] || { echo "nm shows too little of $1"; exit 1; }
foreign=$(printf '%s\n' "$names" | grep -v '^vx_' || true)
[ -z "$foreign" ] || { echo "names without the prefix:"; printf '%s\n' "$foreign"; exit 1; }

shown=$(nm --dynamic --defined-only "$2" | awk 'NF == 3 && $2 == "T" {print $3}' |
    grep -vE '^(_init|_fini|__)' | sort -u)
declared=$(sed -n 's/^VX_API .*[ *]\(vx_[a-z_]*\)(.*/\1/p' "$3/vortex/vortex.h" | sort -u)
[ "$shown" = "$declared" ] || {
    echo "shown by the shared library:"; printf '%s\n' "$shown"
    echo "declared by the header:"; printf '%s\n' "$declared"; exit 1
}
