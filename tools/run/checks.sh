# The checks of './run test' and './run test long', sourced by run.
#
# `test` is what CI runs and has a budget of seconds on two cores of 400 GFLOP/s; `test long` is the
# rest: what takes longer, what repeats a check with another compiler, both releases of Debian.

passed=0 failed=0 skipped=0

# Shares of the two budgets in seconds, in the order of their tables.
SHORT_SHARES="builds:240 release:180 sanitizers:240 threads:120 static:120 fuzz:120 vulkan:240"
LONG_SHARES="builds:1200 tests:1800 static:300 fuzz:4500 debian:4800"
# What judges: another version of the formatter or of tidy would judge differently.
CLANG_VERSION=14
# The last commit before the first tag at which tidy judged every file.
TIDY_BASE=e72b149

# spend SHARE SECONDS
spend() { eval "spent_$1=\$((\${spent_$1:-0} + $2))"; }

# The table of what each share may take and took; nothing fails for being late on a busy machine.
print_budget() {
    shares=$1 budget_sum=0 spent_sum=0
    printf '\n%-12s %8s %8s\n' share budget used
    for entry in $shares; do
        budget=${entry#*:}
        eval "used=\${spent_${entry%:*}:-0}"
        over=""
        [ "$used" -le "$budget" ] || over="  over"
        printf '%-12s %6s s %6s s%s\n' "${entry%:*}" "$budget" "$used" "$over"
        budget_sum=$((budget_sum + budget)) spent_sum=$((spent_sum + used))
    done
    printf '%-12s %6s s %6s s\n' sum "$budget_sum" "$spent_sum"
}

# One check: step SHARE NAME COMMAND…; status 77 is a check that said why it can't be done here.
step() {
    share=$1 name=$2
    shift 2
    say "== $name"
    begin=$(date +%s)
    status=0
    "$@" || status=$?
    case $status in
    0) passed=$((passed + 1)) ;;
    77) skipped=$((skipped + 1)) && say "SKIPPED: $name" ;;
    *) failed=$((failed + 1)) && say "FAILED: $name" ;;
    esac
    seconds=$(($(date +%s) - begin))
    spend "$share" "$seconds"
    say "   $seconds s"
}

# Runs a build's tests and adds their counts: run_tests SHARE FOLDER [CTEST ARGS]
run_tests() {
    share=$1 folder=$2
    shift 2
    log=build/$folder.ctest.log
    say "== tests, $folder $*"
    begin=$(date +%s)
    ctest --test-dir "build/$folder" --output-on-failure --no-tests=error -j "$JOBS" "$@" \
        >"$log" 2>&1 || true
    bad=$(grep -cE '^ *[0-9]+/[0-9]+ Test .*(\*\*\*(Failed|Exception|Timeout|Not Run)|\*\*\*Timeout)' "$log" || true)
    left=$(grep -cE '\*\*\*Skipped' "$log" || true)
    good=$(grep -cE '^ *[0-9]+/[0-9]+ Test .* Passed ' "$log" || true)
    if [ "$bad" != 0 ] || [ "$good" = 0 ]; then
        # A sanitizer's leak report runs to thousands of lines; what failed is in a few.
        grep -nE '\*\*\*|ERROR|LINE  |FAILED|SUMMARY|runtime error|WRONG' "$log" | head -n 100 >&2
        say "   the whole log is $log"
        [ "$bad" != 0 ] || bad=1
    fi
    grep -E '\*\*\*Skipped' "$log" >&2 || true
    passed=$((passed + good)) failed=$((failed + bad)) skipped=$((skipped + left))
    seconds=$(($(date +%s) - begin))
    spend "$share" "$seconds"
    say "   $good passed, $bad failed, $left skipped, $seconds s"
}

# A build as somebody makes it who knows no preset: no warning may come, and none is an error.
# plain COMPILER TYPE [CMAKE ARGS]
plain() {
    compiler=$1 type=$2
    shift 2
    folder=build/plain-$compiler-$type
    rm -rf "$folder"
    CC=$compiler cmake -S . -B "$folder" -G Ninja -DCMAKE_BUILD_TYPE="$type" "$@" \
        >"$folder.log" 2>&1 || { tail -n 20 "$folder.log" >&2; return 1; }
    cmake --build "$folder" -j "$JOBS" -- -k 0 >>"$folder.log" 2>&1 && bad=0 || bad=1
    ! grep -E -A 3 'warning:|error:|FAILED' "$folder.log" >&2 || bad=1
    return "$bad"
}

# Every build type of both compilers, tests and fuzzers included.
plain_all() {
    bad=0
    for compiler in gcc clang; do
        for type in Debug MinSizeRel Release RelWithDebInfo; do
            plain "$compiler" "$type" || { say "   not plain: $compiler, $type"; bad=1; }
        done
    done
    return "$bad"
}

c_files() {
    find src include tests fuzz bench examples tools -name '*.[ch]'
}

# judges TOOL: whether this is the version whose verdict counts.
judges() {
    version=$("$1" --version | sed -n 's/.*version \([0-9]*\)\..*/\1/p' | head -n 1)
    [ "$version" = "$CLANG_VERSION" ] || {
        say "   $1 $version would judge differently from version $CLANG_VERSION, which Debian 12 has"
        return 1
    }
}

check_format() {
    judges clang-format || return 77
    c_files | xargs clang-format --dry-run -Werror >&2
}

# Source files that changed since the last tag, and for each header one file that includes it. All
# where git can't tell.
changed_sources() {
    base=$(git describe --tags --abbrev=0 2>/dev/null) || base=$TIDY_BASE
    changed=$(git diff --name-only --diff-filter=d "$base" -- src include 2>/dev/null) || {
        find src -name '*.c'
        return
    }
    {
        printf '%s\n' "$changed" | grep '\.c$'
        for header in $(printf '%s\n' "$changed" | grep '\.h$'); do
            grep -rl --include='*.c' "[\"/<]$(echo "$header" | sed 's,^src/,,; s,^include/,,')[\">]" src | head -n 1
        done
    } | sort -u
}

# tidy FILES, one a line
tidy() {
    judges clang-tidy || return 77
    say "   $(printf '%s\n' "$1" | grep -c .) files"
    printf '%s\n' "$1" | xargs -r -P "$JOBS" -n 4 clang-tidy --quiet -p build/clang \
        >build/tidy.log 2>/dev/null && return
    grep -E 'error:|warning:' build/tidy.log | sort -u >&2
    return 1
}

check_tidy() { tidy "$(changed_sources)"; }
tidy_all() { tidy "$(find src -name '*.c')"; }

# Fuzzers side by side, each for some seconds from its committed corpus:
# smoke SECONDS FOLDER [NAME]; what each finds new stays in FOLDER.
smoke() {
    mkdir -p build/fuzz/found
    for fuzzer in build/clang/fuzz/fuzz_*; do
        { [ -f "$fuzzer" ] && [ -x "$fuzzer" ]; } || continue
        name=${fuzzer##*/fuzz_}
        [ -z "${3:-}" ] || [ "$3" = "$name" ] || continue
        mkdir -p "$2/$name"
        echo "$name"
    done | xargs -P "$JOBS" -I NAME sh tools/run/fuzz_one.sh NAME "$1" "$2/NAME"
}

smoke_short() {
    rm -rf build/fuzz/smoke
    smoke 5 build/fuzz/smoke
}

# Programs whose threads ThreadSanitizer watches, and the one that takes as long as all of them.
THREADED="base vortex animate"
THREADED_LONG="engine"

# threads NAMES: those tests, side by side.
threads() {
    programs=""
    for name in $1; do
        programs="$programs test_$name"
    done
    # shellcheck disable=SC2086
    build tsan $programs || return 1
    # shellcheck disable=SC2086
    printf '%s\n' $programs | xargs -P "$JOBS" -I NAME sh -c \
        'build/tsan/tests/NAME >build/tsan/NAME.log 2>&1 || [ $? = 77 ] || { tail -n 60 build/tsan/NAME.log >&2; exit 1; }'
}

verdict() {
    printf '%s passed, %s failed, %s skipped\n' "$passed" "$failed" "$skipped"
    [ "$failed" = 0 ]
}

prepare_checks() {
    # shellcheck disable=SC2086
    need $BUILD_PACKAGES $CHECK_PACKAGES
    mkdir -p build
}

# The built program brings them.
fetch_for_tests() { fetch || say "   Kokoro's weights can't be fetched: the tests that need them are skipped"; }

test_short() {
    prepare_checks
    step builds "build, gcc" build release
    fetch_for_tests
    step builds "build, plain Release without a warning" plain gcc Release -DVORTEX_TESTS=OFF
    step builds "build, clang with sanitizers and fuzzers" build clang
    run_tests release release -LE 'long|vulkan'
    run_tests sanitizers clang -LE 'long|arithmetic|vulkan'
    step vulkan "a software GPU" lavapipe
    step vulkan "SPIR-V is what the shaders give" check_spirv
    run_tests vulkan release -L vulkan
    step threads "threads" threads "$THREADED"
    step static "clang-format" check_format
    step static "clang-tidy, changed files" check_tidy
    step fuzz "fuzz, 5 s each" smoke_short
    print_budget "$SHORT_SHARES"
    verdict
}

# Both releases of Debian from nothing, and how far their bytes agree.
fresh_release() {
    [ "$(id -u)" = 0 ] || { say "   debootstrap and chroot need root"; return 77; }
    ./run fresh --release "$1" demo test bytes
}

test_long() {
    prepare_checks
    step builds "build, every type and compiler without a warning" plain_all
    step builds "build, gcc with sanitizers" build asan
    step builds "build, gcc" build release
    fetch_for_tests
    step builds "build, clang with sanitizers and fuzzers" build clang
    run_tests tests plain-clang-Release
    run_tests tests asan
    run_tests tests clang -L 'long|arithmetic'
    step tests "a software GPU" lavapipe
    step tests "threads" threads "$THREADED_LONG"
    step static "clang-tidy, all files" tidy_all
    step fuzz "fuzz, 600 s each" smoke 600 build/fuzz/corpus
    step debian "Debian 12 from nothing" fresh_release bookworm
    step debian "Debian 13 from nothing" fresh_release trixie
    step debian "bytes of both releases" compare_bytes build/fresh-bookworm build/fresh-trixie
    print_budget "$LONG_SHARES"
    verdict
}
