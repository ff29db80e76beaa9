#!/bin/sh
# Every external name that the static library defines begins with vx_: symbols.sh LIBRARY
set -eu
names=$(nm --extern-only --defined-only --no-sort "$1" 2>/dev/null | awk 'NF == 3 {print $3}' |
    grep -vE '^(__odr_asan|__asan|__tsan|__ubsan|__sanitizer)' | sort -u)
[ "$(printf '%s\n' "$names" | wc -l)" -gt 100 ] || { echo "nm shows too little of $1"; exit 1; }
foreign=$(printf '%s\n' "$names" | grep -v '^vx_' || true)
[ -z "$foreign" ] || { echo "names without the prefix:"; printf '%s\n' "$foreign"; exit 1; }
