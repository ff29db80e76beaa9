#!/bin/bash
# What 'vortex completions' prints is asked as a shell asks it: completions.sh VORTEX MANUAL
set -u
vortex=$1
manual=$2
failed=0

fail() {
    echo "FAILED: $*" >&2
    failed=1
}

eval "$("$vortex" completions bash)" || fail "bash cannot read its completions"

# completes "WORDS BEFORE" "WORD BEGUN": what bash would offer, one a line.
completes() {
    read -ra COMP_WORDS <<<"vortex $1"
    COMP_WORDS+=("$2")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _vortex
    printf '%s\n' "${COMPREPLY[@]}"
}

offers() { # WORDS BEGUN EXPECTED
    completes "$1" "$2" | grep -qx -e "$3" || fail "after 'vortex $1 $2' there is no $3"
}

refuses() {
    ! completes "$1" "$2" | grep -qx -e "$3" || fail "after 'vortex $1 $2' there is $3"
}

offers "" ge generate
offers "" mod models
offers "models" pu pull
offers "--pack toon models" pu pull
offers "say hello" --vo --voice
refuses "say hello" --re --report
offers "generate x.yaml" --re --report
offers "models convert a b --to" nf nf4
offers "--log-level" w warn
offers "say hello" --pa --pack
# Every command of the help is offered, or the first word of it.
"$vortex" --help | sed -n '/^Commands/,/^$/s/^  \([a-z]*\).*/\1/p' | sort -u | while read -r name; do
    completes "" "" | grep -qx "$name" || echo "$name"
done | grep . && fail "commands that are not offered"

for shell in zsh fish; do
    "$vortex" completions $shell >"/tmp/vortex-completions.$$" || fail "no completions for $shell"
    if ! command -v $shell >/dev/null; then
        echo "not checked: $shell is not there"
    else
        $shell -n "/tmp/vortex-completions.$$" || fail "$shell cannot read its completions"
    fi
done
rm -f "/tmp/vortex-completions.$$"

"$vortex" completions tcsh 2>/dev/null
[ $? = 2 ] || fail "an unknown shell must be exit 2"

# The manual names every command and every flag that the help names, and nothing stays to be filled in.
for flag in $("$vortex" completions bash | grep -o -- '--[a-z-]*' | sort -u); do
    grep -q -- "${flag//-/\\\\-}" "$manual" || fail "the manual does not know $flag"
done
! grep -q '@' "$manual" || fail "the manual was not filled in"
exit $failed
