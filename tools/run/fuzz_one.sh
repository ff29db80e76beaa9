#!/bin/sh
# One fuzzer for some seconds from its committed corpus: fuzz_one.sh NAME SECONDS FOLDER
# What it finds new goes to FOLDER, an input that fails to build/fuzz/found.
set -eu
log=build/fuzz/$1.log
dict=
[ ! -e "fuzz/$1.dict" ] || dict=-dict=fuzz/$1.dict
# shellcheck disable=SC2086
if "build/clang/fuzz/fuzz_$1" -max_total_time="$2" -timeout=25 -rss_limit_mb=3000 \
    $dict -print_final_stats=1 -artifact_prefix="build/fuzz/found/$1-" "$3" "fuzz/corpus/$1" >"$log" 2>&1; then
    echo "   $1: $(grep -o 'number_of_executed_units:.*' "$log" | tr -dc 0-9) runs" >&2
else
    tail -n 30 "$log" >&2
    exit 1
fi
