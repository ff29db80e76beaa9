#!/bin/sh
# The order of docs/CHECKPOINTS.md with the small random models, served by a hub of our own: checkpoints.sh VORTEX SOURCE_DIR
set -eu
vortex=$1 source=$2
command -v python3 >/dev/null || { echo "skipped: python3, which serves the hub, is not there"; exit 77; }
work=$(mktemp -d)
trap 'kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
server=
cd "$work"
data=$source/tests/data
mkdir -p hub/models packs/own
export XDG_DATA_HOME="$work/data" XDG_CONFIG_HOME="$work/config"

# A pack like full, whose files the hub has: entry COMPONENT FILE [REST OF THE COMPONENT]
{
    echo 'name: own'
    echo 'version: "1"'
    echo 'synthetic: true'
    echo 'license: none'
    sed -n '/^slot:/,/^verify:/p' "$data/slot/pack/pack.yaml"
    echo 'voices: [{name: narrator, voice: af_small}]'
    echo 'components:'
} >packs/own/pack.yaml
entry() {
    name=$(basename "$2")
    cp "$data/$2" "hub/models/$name"
    cat >>packs/own/pack.yaml <<YAML
  $1:
    files: [$name]
    precision: f32
    sources: [{file: $name, url: models/$name, bytes: $(stat -c %s "hub/models/$name"), sha256: $(sha256sum "hub/models/$name" | cut -d' ' -f1)}]
$3
YAML
}
entry kokoro kokoro/tiny.safetensors "    config: $data/kokoro/tiny.json
    voices: $data/slot/pack/voices
    lexicon: $data/g2p"
entry clip_b clip/small_hf.safetensors "    tokenizer: $data/clip/pack/merges.txt
    config: $data/clip/small.json"
entry flux.transformer imagine/transformer.safetensors "    config: $data/imagine/transformer.json"
entry flux.t5 imagine/t5.safetensors "    tokenizer: $data/imagine/t5.tokenizer.json
    config: $data/imagine/t5.json"
entry flux.clip_text imagine/clip.safetensors "    tokenizer: $data/imagine/clip.tokenizer.json
    config: $data/imagine/clip.json"
entry flux.vae imagine/vae.safetensors "    config: $data/imagine/vae.json"

python3 -u -m http.server --bind 127.0.0.1 --directory hub 0 >served 2>/dev/null &
server=$!
until port=$(sed -n 's/.* port \([0-9]*\) .*/\1/p' served 2>/dev/null) && [ -n "$port" ]; do sleep 0.1; done
export VORTEX_HUB="http://127.0.0.1:$port"

step() { # CODE TEXT COMMAND...: pasted as the page has it
    code=$1 text=$2 status=0
    shift 2
    "$vortex" --pack "$work/packs/own" "$@" >said 2>&1 || status=$?
    [ $status = "$code" ] && grep -qF -e "$text" said || { echo "FAILED: $* ends with $status"; cat said; exit 1; }
}

step 4 "fix: vortex --pack $work/packs/own models pull kokoro" doctor
step 0 "hub: models/vae.safetensors" models pull all --dry-run
step 0 "own: none" models pull all --dry-run
[ ! -e data/vortex/models/vae.safetensors ]
# What another program's folder holds is linked, under whatever name; the rest is fetched.
mkdir -p elsewhere/vae
cp hub/models/vae.safetensors elsewhere/vae/ae.safetensors
step 0 "vae.safetensors linked" models pull all --from elsewhere
[ -L data/vortex/models/vae.safetensors ] && [ -f data/vortex/models/t5.safetensors ]
! grep -q vae.safetensors served
step 0 "was there already" models pull all
step 0 "hashes are right" doctor --verify
step 0 "fits" plan
step 0 "" imagine "a b c" -o actor.png
step 0 "" generate "$data/slot/small.yaml" -o first.mp4 --report first.json
[ -s first.mp4 ] && [ -s first.json ]

# doctor's fixes, pasted in its order, bring back whatever is taken away.
rm data/vortex/models/t5.safetensors data/vortex/models/tiny.safetensors
"$vortex" --pack "$work/packs/own" doctor 2>/dev/null | sed -n 's/^ *fix: vortex //p' | grep pull >fixes || true
[ "$(wc -l <fixes)" = 2 ] || { echo "FAILED: fixes"; cat fixes; exit 1; }
while read -r fix; do
    # shellcheck disable=SC2086
    "$vortex" $fix >/dev/null
done <fixes
step 0 "ok" doctor
