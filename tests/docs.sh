#!/bin/sh
# Every vortex command of README.md and docs/ as it stands there, one after the other in one folder; each must end with 0,
# or with what its comment says ("exit 4"). What needs the published weights is named and left out: docs.sh VORTEX SOURCE_DIR
set -eu
vortex=$1 source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin"
ln -s "$vortex" "$work/bin/vortex"
PATH=$work/bin:$PATH
cp -r "$source/examples" "$work/"
cd "$work"
echo 'A script of one sentence.' >script.txt
cp examples/hello.yaml recipe.yaml

for page in "$source/README.md" "$source"/docs/*.md; do
    awk '/^```sh/ {on = 1; next} /^```/ {on = 0} on && /^vortex /' "$page"
done >commands
[ "$(wc -l <commands)" -ge 15 ] || { echo "FAILED: only $(wc -l <commands) commands were found"; exit 1; }

failed=0 left=0
while IFS= read -r line; do
    command=${line%%  *#*}
    want=$(printf '%s' "$line" | sed -n 's/.*# *exit \([0-9]\).*/\1/p')
    case $command in
    *"models pull full"*"--dry-run"*) ;;
    *"models pull"* | *"models convert"* | *"pack full"*imagine* | *"pack full"*generate* | *"pack full"*doctor* | "vortex serve"*)
        echo "left out: $command"
        left=$((left + 1))
        continue
        ;;
    esac
    status=0
    sh -c "$command" >said 2>&1 </dev/null || status=$?
    [ $status = "${want:-0}" ] && continue
    echo "FAILED with $status: $command"
    tail -n 3 said
    failed=1
done <commands
echo "$(wc -l <commands) commands, $left left out"
exit $failed
