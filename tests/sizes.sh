#!/bin/sh
# The limits of docs/HACKING.md, in src and include: functions, files and lines. Tables that a program
# has written are exempt: sizes.sh SOURCE_DIR
set -eu
cd "$1"
files=$(find src include -name '*.[ch]' -o -name '*.inc' | sort | while read -r file; do
    head -n 6 "$file" | grep -q 'Made by tools/' || echo "$file"
done)
[ "$(echo "$files" | wc -l)" -gt 200 ] || { echo "too few files were found"; exit 1; }

# A function's body stands between braces in the first column.
# shellcheck disable=SC2086
long=$(LC_ALL=C awk '
    function check() {
        if (lines > 650) printf "%s: %d lines, at most 650\n", file, lines
    }
    FNR == 1 { check(); file = FILENAME; begin = 0 }
    { file = FILENAME; lines = FNR }
    /^{/ { begin = FNR }
    /^}/ {
        if (begin && FNR - begin + 1 > 70)
            printf "%s:%d: a function of %d lines, at most 70\n", file, begin, FNR - begin + 1
        begin = 0
    }
    END { check() }' $files)
# shellcheck disable=SC2086
wide=$(LC_ALL=C.UTF-8 grep -nE '^.{101,}' $files | sed 's/^\([^:]*:[0-9]*\):.*/\1: over 100 columns/' || true)
[ -z "$long$wide" ] || { printf '%s\n%s\n' "$long" "$wide"; exit 1; }
