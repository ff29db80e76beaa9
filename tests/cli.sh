#!/bin/sh
# The command line from outside: exit codes, error texts, and that no failure leaves a file behind.
#   cli.sh VORTEX SOURCE_DIR
set -u
vortex=$1 source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failures=0 checks=0

fault() {
    failures=$((failures + 1))
    echo "FAILED: $*"
    cat stderr.txt
}

# expect EXIT PART ARGS…: runs vortex, wants that exit code and PART on stderr, and that the folder
# holds nothing new.
expect() {
    want=$1 part=$2
    shift 2
    checks=$((checks + 1))
    ls -A >../"$(basename "$work")".before
    "$vortex" "$@" >stdout.txt 2>stderr.txt </dev/null
    got=$?
    [ "$got" = "$want" ] || fault "exit $got, not $want: vortex $*"
    [ -z "$part" ] || grep -qF -- "$part" stderr.txt || fault "no '$part' on stderr: vortex $*"
    [ "$want" = 0 ] || [ "$(wc -l <stderr.txt)" -ge 1 ] || fault "no sentence: vortex $*"
    rm -f stdout.txt
    ls -A | grep -vx stderr.txt >../"$(basename "$work")".after
    grep -vx -e stderr.txt -e stdout.txt ../"$(basename "$work")".before |
        cmp -s - ../"$(basename "$work")".after || fault "files are left: vortex $*"
    rm -f ../"$(basename "$work")".before ../"$(basename "$work")".after
}

# expect_json ARGS…: what the last failure prints with --json is its error document.
expect_json() {
    checks=$((checks + 1))
    "$vortex" "$@" --json >stdout.txt 2>stderr.txt </dev/null
    grep -q '"error": {' stdout.txt && grep -q '"code": "' stdout.txt &&
        grep -q '"message": "' stdout.txt || fault "no error document: vortex $*"
    rm -f stdout.txt
}

# ---- usage
expect 2 "no command given"
expect 2 "did you mean 'generate'" genrate x -o y
expect 2 "did you mean --out" generate r.yaml --ouut y.mp4
expect 2 "needs one more word" models
expect 2 "unknown command" models frobnicate
expect 2 "is missing" generate
expect 2 "word too many" doctor now
expect 2 "needs a value" say hi -o
expect 2 "--out FILE is missing" say hi
expect 2 "leave out --out" say hi --explain -o x.wav
expect 2 "takes no value" doctor --verify=yes
expect 2 "must be a whole number" --seed x doctor
expect 2 "must be a number from 0.5 to 2" say hi -o x.wav --speed 0
expect 2 "must be cpu, vulkan" --device tpu doctor
for command in doctor plan voices "say hi -o x.wav"; do
    # shellcheck disable=SC2086
    expect 4 "used through Vulkan" --device cuda:0 $command
done
expect 2 "did you mean 'debug'" --log-level debg doctor
expect_json genrate
for command in "" generate animate say voices score plan bench "models list" "models inspect" "models convert" \
    "models pull" "models synth" imagine doctor; do
    # shellcheck disable=SC2086
    expect 0 "" $command --help
done
expect 0 "" --version

# ---- recipes
recipe() { printf 'audio_track:\n  script: %s\nvisual_track:\n  image: %s\n' "$1" "$2" >r.yaml; }
recipe "hello" "$source/examples/presenter.png"
echo "wobble: 1" >>r.yaml
expect 3 "r.yaml:5: unknown key 'wobble'" generate r.yaml -o out.mp4
expect_json generate r.yaml -o out.mp4
printf 'a: &a [x]\nb: [*a, *a]\n' >r.yaml
expect 3 "anchors" generate r.yaml -o out.mp4
recipe "''" x.png
expect 3 "script" generate r.yaml -o out.mp4
recipe "[1, 2]" x.png
expect 3 "r.yaml:2: audio_track.script is a list" generate r.yaml -o out.mp4
expect 4 "there is no file" generate none.yaml -o out.mp4
head -c 300000 /dev/zero >r.yaml
expect 3 "" generate r.yaml -o out.mp4
expect 3 "" generate . -o out.mp4

# ---- settings, packs, weights
echo "thread: 2" >s.yaml
expect 3 "did you mean 'threads'" --config s.yaml doctor
expect 4 "there is no file" --config none.yaml doctor
expect 4 "there is no pack 'none'" --pack none plan
# The promise: all five models at their published size fit a card of 12 GB.
expect 0 "" --pack "$source/packs/full" plan --device rtx3060
mkdir bad && echo "name: bad" >bad/pack.yaml
expect 3 "is missing" --pack bad plan
expect 4 "" models inspect none.safetensors
expect 3 "" models inspect s.yaml
expect 3 "" models convert s.yaml out.safetensors --to f16
expect 4 "names no source" --pack "$source/packs/speech" models pull clip_b
expect 4 "there is no pack 'none'" models pull none
VORTEX_HUB=http://127.0.0.1:9 # nobody listens there
export VORTEX_HUB
expect 8 "cannot fetch" models pull full
unset VORTEX_HUB
recipe "hello" "$source/examples/presenter.png"
XDG_DATA_HOME=$work/empty
export XDG_DATA_HOME
expect 4 "models pull kokoro" --pack "$source/packs/speech" generate r.yaml -o out.mp4
expect 4 "models pull kokoro" --pack "$source/packs/speech" say hello -o out.wav
expect_json --pack "$source/packs/speech" say hello -o out.wav
expect 4 "models pull kokoro" --pack "$source/packs/speech" voices --sample samples
unset XDG_DATA_HOME

# ---- voices: no weights are needed to list them
checks=$((checks + 1))
echo "voices: [{name: man, voice: bf_emma}, {name: both, voice: 'am_puck,af_sky'}]" >v.yaml
"$vortex" --config v.yaml --pack "$source/packs/toon" voices >stdout.txt 2>stderr.txt || fault "voices"
tr -s ' ' <stdout.txt >words.txt
for line in "man British female bf_emma" "both American - am_puck,af_sky" "narrator American female af_heart" \
    "wizard American male am_fenrir:0.6,bm_george:0.4" "bm_george British male" \
    "licence of pack toon: Apache-2.0"; do
    grep -qFx -- "$line" words.txt || fault "no '$line': vortex voices"
done
[ "$(grep -c '^man ' words.txt)" = 1 ] || fault "an alias that the settings hide is listed"
checks=$((checks + 1))
"$vortex" --pack "$source/packs/toon" voices --json 2>stderr.txt | tr -d '\n ' >stdout.txt
grep -qF '{"name":"wizard","of":"am_fenrir:0.6,bm_george:0.4","accent":"us","gender":"male","file":null}' stdout.txt &&
    grep -qF '{"name":"bf_emma","of":null,"accent":"gb","gender":"female","file":null}' stdout.txt &&
    grep -qF '"license":"Apache-2.0"' stdout.txt || fault "voices --json"
rm -f stdout.txt words.txt v.yaml
expect 4 "does not have" --pack "$source/tests/data/imagine" voices
expect 8 "folder" --pack speech voices --sample s.yaml
echo "voices: [{name: ../out, voice: bf_emma}]" >v.yaml
expect 3 "can't be a file's name" --config v.yaml --pack speech voices --sample samples
rm v.yaml

# ---- limits: the smallest is named, and a setting that would make it fit
total=$("$vortex" --json --pack "$source/packs/full" plan --device rtx3060 | sed -n 's/.*"total_bytes": \([0-9]*\).*/\1/p')
frames=$("$vortex" --json --pack "$source/packs/full" plan --device rtx3060 | grep -A1 '"name": "frame"' | grep -c '"runs": 1080.0')
[ "$frames" = 1 ] || fault "a slot of 45 s must have 1080 runs of the stage frame"
echo "budget: {hard_bytes: $((total - 500000000))}" >tight.yaml
expect 5 "(budget.hard_bytes)" --config tight.yaml --pack "$source/packs/full" plan --device rtx3060
expect 5 "set flux.modulations: streamed, which saves" --config tight.yaml --pack "$source/packs/full" \
    plan --device rtx3060
# What is advised, written into the settings as it stands, makes it fit: one setting, or several.
for less in 20000000 140000000 185000000; do
    checks=$((checks + 1))
    speech="--threads 2 --pack $source/packs/speech plan --device cpu"
    echo "pipeline_depth: 3" >tight.yaml
    # shellcheck disable=SC2086
    total=$("$vortex" --json --config tight.yaml $speech | sed -n 's/.*"total_bytes": \([0-9]*\).*/\1/p')
    limit="budget: {hard_bytes: $((total - less))}"
    echo "$limit" >>tight.yaml
    # shellcheck disable=SC2086
    "$vortex" --json --config tight.yaml $speech 2>stderr.txt |
        sed -n 's/.*"advice": "set \(.*\), which saves.*/\1/p' >advice.txt
    {
        grep -q pipeline_depth advice.txt || echo "pipeline_depth: 3"
        echo "$limit"
        sed -e 's/slot.width: \([0-9]*\), slot.height/slot.width: \1,height/' -e 's/, /\n/g' advice.txt |
            sed 's/^\([a-z_]*\)\.\(.*\)/\1: {\2}/; s/,height/, height/'
    } >better.yaml
    # shellcheck disable=SC2086
    { [ -s advice.txt ] && "$vortex" --config better.yaml $speech >/dev/null 2>stderr.txt; } ||
        fault "a plan that misses by $less: $(cat advice.txt)"
done
rm tight.yaml better.yaml advice.txt

# ---- pictures
small="--pack $source/tests/data/imagine"
# shellcheck disable=SC2086
{
    expect 2 "is missing" imagine hello
    expect 2 "must be a whole number from 1 to 8" imagine hello -o a.png --steps 0
    expect 2 "must be W or WxH" $small imagine hello -o a.png --size 64x
    expect 2 "must be W or WxH" $small imagine hello -o a.png --size 64x64x64
    expect 2 "multiple of 16" $small imagine hello -o a.png --size 72
    expect 2 "multiple of 16" $small imagine hello -o a.png --size 2048x64
    expect 2 "belong together" $small imagine hello -o a.png --strength 0.5
    expect 2 "belong together" $small imagine hello -o a.png --init "$source/examples/presenter.png"
    expect 2 "both want stdout" $small imagine hello -o - --json
    expect 3 "the prompt is empty" $small imagine " " -o a.png
    expect 3 "" $small imagine "$(printf '\377')" -o a.png
    expect 3 "shape [4,12,8]" $small imagine hello -o a.png --noise "$source/tests/data/imagine/vae.safetensors"
    expect 3 "shape [4,8,8]" $small imagine hello -o a.png --size 64 \
        --noise "$source/tests/data/imagine/noise.npy"
    expect 3 "" $small imagine hello -o a.png --init s.yaml --strength 0.5
    expect 8 "" $small imagine hello -o nowhere/a.png
    expect 4 "models pull flux" --pack full imagine hello -o a.png
    expect 4 "does not have" --pack speech imagine hello -o a.png
    expect 2 "is missing" models synth full
    expect 4 "there is no pack" models synth none -o made
    checks=$((checks + 1))
    "$vortex" $small imagine hello -o - --noise "$source/tests/data/imagine/noise.npy" \
        2>stderr.txt | head -c 8 | grep -q PNG || fault "imagine to standard output"
    checks=$((checks + 1))
    "$vortex" models synth "$source/tests/data/imagine" -o made --json >stdout.txt 2>stderr.txt &&
        "$vortex" --pack made imagine hello -o a.png --latents-out a.npy --json >stdout.txt \
            2>stderr.txt && grep -q '"synthetic": true' stdout.txt && grep -q synthetic stderr.txt &&
        [ -s a.png ] && [ -s a.npy ] || fault "a synthetic pack"
    rm -rf made a.png a.npy stdout.txt
}

# ---- many slots by one engine
many="--pack $source/tests/data/slot/all --quiet"
if [ -f "$source/tests/data/slot/all/pack.yaml" ]; then
    mkdir many many/other
    (
        cd many || exit 1
        cp "$source/tests/data/slot/prompt.yaml" first.yaml
        cp first.yaml other/first.yaml
        sed "s/prompted/second/" first.yaml >second.yaml
        echo "{audio_track: {script: 5}}" >bad.yaml
    )
    cd many || exit 1
    expect 2 "called first" $many generate first.yaml other/first.yaml -o films/
    expect 2 "of several slots -o is a folder" $many generate first.yaml second.yaml -o films.mp4
    expect 2 "of several slots --report is a folder" $many generate first.yaml second.yaml -o other --report r.json
    expect 2 "has no name" $many generate first.yaml - -o other
    checks=$((checks + 3))
    "$vortex" $many generate first.yaml bad.yaml second.yaml -o films/ --report films/ --srt captions/ --json \
        >lines.txt 2>stderr.txt
    [ $? = 3 ] || fault "not the first failure's exit code"
    [ "$(ls films captions | tr '\n' ' ')" = "captions: first.srt second.srt  films: first.json first.mp4 second.json second.mp4 " ] ||
        fault "files of many recipes: $(ls films captions)"
    [ "$(wc -l <lines.txt)" = 3 ] && [ "$(grep -c '"outcome":"done"' lines.txt)" = 2 ] ||
        fault "one line a slot"
    grep -q "1 of 3 slots failed; the first was bad.yaml" stderr.txt || fault "the sum of many recipes"
    "$vortex" $many generate first.yaml bad.yaml second.yaml -o fast/ --fail-fast 2>stderr.txt
    [ $? = 3 ] && [ "$(ls fast)" = first.mp4 ] || fault "--fail-fast: $(ls fast)"
    "$vortex" $many generate first.yaml -o alone.mp4 2>stderr.txt && cmp -s alone.mp4 films/first.mp4 ||
        fault "a film of many is another"
    "$vortex" $many generate first.yaml -o - 2>stderr.txt | grep -aq moof || fault "a film on stdout is in fragments"
    look='"visual_track": {"prompt": "a b"}'
    {
        echo "{\"recipe\": {\"audio_track\": {\"script\": \"Read.\"}, $look}, \"path\": \"own.mp4\"}"
        echo
        echo "{\"slot_id\": \"named\", \"audio_track\": {\"script\": \"Read.\"}, $look}"
        echo nonsense
        echo "{\"slot_id\": \"named\", \"audio_track\": {\"script\": \"Read.\"}, $look}"
        printf '%s' "{\"slot_id\": \"last\", \"audio_track\": {\"script\": \"Read.\"}, $look}"
    } >slots.jsonl
    "$vortex" $many generate --lines -o lines/ --json <slots.jsonl >lines.txt 2>stderr.txt
    [ $? = 3 ] && [ "$(ls lines | tr '\n' ' ')" = "last.mp4 named.mp4 " ] && [ -f own.mp4 ] ||
        fault "lines: $(ls lines)"
    [ "$(grep -c '"outcome":"done"' lines.txt)" = 3 ] || fault "a line for each line"
    grep -q "line 5: the film of an earlier line" stderr.txt || fault "two lines of one film"
    cd .. || exit 1
    rm -rf many
fi

# ---- animate, with small random networks
moving="--pack $source/tests/data/animate/whole"
face="$source/examples/presenter.png"
printf 't_s,jaw,yaw\n0,0,0\n0.04,0.5,1\n0.08,1,2\n0.12,0.5,3\n0.16,0,4\n0.2,0,4\n' >m.csv
# shellcheck disable=SC2086
{
    expect 0 "" animate --help
    expect 2 "is missing" $moving animate
    expect 2 "how the portrait moves" $moving animate "$face" -o out.mp4
    expect 2 "how the portrait moves" $moving animate "$face" -o out.mp4 --say hi --drive x.mp4
    expect 2 "where the film goes" $moving animate "$face" --say hi
    expect 2 "--timings belong" $moving animate "$face" --say hi --timings t.json -o out.mp4
    expect 2 "--face is whole or six numbers" $moving animate "$face" --motion m.csv -o out.mp4 --face 1,2
    expect 2 "--face is whole or six numbers" $moving animate "$face" --motion m.csv -o out.mp4 \
        --face 1,2,3,4,5,nan
    expect 2 "want stdout" $moving animate "$face" --motion m.csv -o - --motion-out -
    expect 2 "must be one of" $moving animate "$face" --say hi -o out.mp4 --mood cheerful
    expect 4 "there is no file" $moving animate none.png --motion m.csv -o out.mp4
    expect 3 "" $moving animate m.csv --motion m.csv -o out.mp4
    expect 4 "there is no file" $moving animate "$face" --motion none.json -o out.mp4
    expect 3 "column" $moving animate "$face" --motion "$source/README.md" -o out.mp4
    expect 3 "" $moving animate "$face" --audio m.csv -o out.mp4
    expect 3 "" $moving animate "$face" --drive m.csv -o out.mp4
    expect 4 "" $moving animate "$face" --keypoints none.npy --frames-out frames
    expect 3 "shape [frames,4,3]" $moving animate "$face" -o out.mp4 \
        --keypoints "$source/tests/data/imagine/noise.npy"
    expect 8 "" $moving animate "$face" --motion m.csv -o nowhere/out.mp4
    expect 8 "" $moving animate "$face" --motion m.csv -o out.mp4 --motion-out nowhere/m.json
    expect 2 "the same file" $moving animate "$face" --motion m.csv --frames-out m.csv
    expect 4 "does not have" --pack speech animate "$face" --motion m.csv -o out.mp4
    expect 3 "say where it is with --face" --pack "$source/tests/data/animate/strict" \
        animate "$face" --motion m.csv -o out.mp4 --face whole
    # Where the face is.
    { printf 'P6 64 48 255\n'; head -c 9216 /dev/zero; } >dark.ppm
    expect 3 "no face was found in dark.ppm (64x48)" face dark.ppm
    expect 3 "or whole for its middle square" $moving animate dark.ppm --motion m.csv -o out.mp4
    expect 3 "no face 1 in" $moving animate "$face" --face-index 1 --motion m.csv -o out.mp4
    expect 2 "give one of them" $moving animate "$face" --face whole --face-index 1 --motion m.csv -o out.mp4
    expect 4 "" face none.png
    expect 3 "" face m.csv
    "$vortex" face "$face" --json 2>stderr.txt | tr -d ' \n' |
        grep -q '^{"width":512,"height":512,"faces":\[{"index":0,"score":0.[0-9]*,"box":{"x":.*"angle":.*"image_left_eye":\[20.*"image_right_eye":\[30.*"nose":\[.*"mouth":\[25' ||
        fault "face"
    checks=$((checks + 1))
    # A photograph under a pack that knows drawings.
    for picture in "$source/tests/data/face/astronaut_face.png" "$face"; do
        "$vortex" --pack "$source/packs/toon" animate "$picture" --motion m.csv --frames-out frames --json \
            >stdout.txt 2>stderr.txt || fault "a picture under toon"
        grep -c '"code": "not_a_drawing"' stdout.txt >>told.txt
        checks=$((checks + 1))
    done
    [ "$(tr '\n' ' ' <told.txt)" = "1 0 " ] || fault "who is told that a picture is no drawing"
    rm -r frames told.txt
    expect 3 "outside the picture" --pack "$source/tests/data/animate/published" \
        animate "$face" --motion m.csv -o out.mp4 --face 1,1,9999,1,5,5
    mkdir wrong
    sed -e "s#\[../../liveportrait/.*#[../../kokoro/tiny.safetensors]#" -e "s#\.\./\.\./#$source/tests/data/#" \
        -e "s#\.\./whole/#$source/tests/data/animate/whole/#" \
        "$source/tests/data/animate/strict/pack.yaml" >wrong/pack.yaml
    expect 3 "tiny.safetensors" --pack wrong animate "$face" --motion m.csv -o out.mp4
    rm -r wrong
    expect_json $moving animate none.png --motion m.csv -o out.mp4
    (
        ulimit -f 8 # blocks of 512 bytes: as a disk with 4 KiB left
        expect 8 "" $moving animate "$face" --motion m.csv -o out.mp4
        exit "$failures"
    )
    failures=$?
    checks=$((checks + 1)) # a reader that goes away
    { "$vortex" $moving animate "$face" --motion m.csv -o - 2>stderr.txt; echo $? >code.txt; } |
        head -c 16 >head.bin
    [ -s head.bin ] && { [ "$(cat code.txt)" = 8 ] || [ "$(cat code.txt)" = 0 ]; } ||
        fault "animate to a pipe that closes"
    checks=$((checks + 1)) # the table that comes out makes the same film again
    "$vortex" $moving animate "$face" --motion m.csv -o a.mp4 --motion-out a.json \
        --frames-out frames 2>stderr.txt &&
        "$vortex" $moving animate "$face" --motion a.json -o b.mp4 2>stderr.txt &&
        cmp -s a.mp4 b.mp4 && [ -s frames/00000.png ] && [ -s frames/00005.png ] &&
        [ ! -e frames/00006.png ] || fault "animate by a table twice"
    checks=$((checks + 1))
    "$vortex" $moving animate "$face" --say "Read the lead." -o c.mp4 --motion-out c.csv \
        --json >stdout.txt 2>stderr.txt && grep -q '"driven_by": "timings"' stdout.txt &&
        grep -q '"max_offset_s": 0' stdout.txt || fault "animate by speech"
    checks=$((checks + 1))
    "$vortex" $moving animate "$face" --audio c.mp4 -o d.mp4 --json >stdout.txt 2>stderr.txt &&
        grep -q '"driven_by": "audio"' stdout.txt && grep -q 'without timings' stderr.txt ||
        fault "animate by a sound"
    checks=$((checks + 1))
    "$vortex" $moving animate "$face" --drive c.mp4 -o e.mp4 --json >stdout.txt 2>stderr.txt &&
        grep -q '"driven_by": "video"' stdout.txt || fault "animate by a video"
    if command -v ffprobe >stderr.txt; then
        checks=$((checks + 1)) # sound and picture begin together and end within a frame
        ffprobe -v error -show_entries stream=start_time,duration -of csv=p=0 c.mp4 >probe.txt
        awk -F, 'NR == 1 { s = $1; d = $2 } NR == 2 { exit !(($1 - s) ^ 2 < 0.005 ^ 2 && \
            (d - $2) ^ 2 <= (1 / 24) ^ 2) } END { if (NR != 2) exit 1 }' probe.txt ||
            fault "sound and picture do not begin together"
    fi
    rm -rf frames ./*.mp4 a.json c.csv code.txt head.bin stdout.txt probe.txt
}

# ---- outputs that are inputs or each other, that end as something else, that cannot be written: before anything
# runs, so no weights are needed
cp "$face" in.png
cp m.csv keep.csv
ln m.csv hard.csv
ln -s m.csv soft.csv
mkdir here
recipe "hello" "in.png"
cp r.yaml keep.yaml
# shellcheck disable=SC2086
{
    expect 2 "the same file" $moving animate in.png --motion m.csv -o ./in.png
    expect 2 "names another format" $moving animate in.png --motion m.csv -o film.wav
    expect 2 "the same file" $moving animate in.png --motion m.csv -o a.mp4 --motion-out m.csv
    expect 2 "the same file" $moving animate in.png --motion m.csv -o a.mp4 --motion-out hard.csv
    expect 2 "the same file" $moving animate in.png --motion m.csv -o a.mp4 --motion-out here/../soft.csv
    expect 2 "the same file" $moving animate in.png --motion m.csv -o a.x --motion-out "$work/a.x"
    expect 2 "the same file" say -f r.yaml -o r.yaml
    expect 2 "--out and --timings are the same file" say hello -o t.json --timings here/../t.json
    expect 2 "the same file" generate r.yaml -o r.yaml
    expect 2 "the same file" generate r.yaml -o a.mp4 --report r.yaml
    expect 2 "the same file" generate r.yaml -o b.x --sheet b.x
    expect 2 "recipe's image and the sheet" generate r.yaml -o a.mp4 --sheet in.png
    expect 2 "both want stdout" generate r.yaml -o - --report -
    expect 2 "both want stdout" generate r.yaml -o - --json
    expect 2 "names another format" generate r.yaml -o a.avi
    expect 2 "the same file" imagine hello -o in.png --init in.png --strength 0.5
    expect 2 "names another format" imagine hello -o a.webp
    expect 2 "no sound that is written here" say hello -o a.wma
    echo "threads: 2" >t.yaml
    expect 2 "the same file" --config t.yaml plan --svg t.yaml
    expect 2 "the same file" models convert m.csv m.csv --to f16
    expect 8 "make the folder first" generate r.yaml -o nowhere/a.mp4
    expect 8 "make the folder first" generate r.yaml -o a.mp4 --sheet nowhere/a.png
    expect 8 "make the folder first" generate r.yaml -o a.mp4 --report nowhere/a.json
    expect 8 "is a folder" generate r.yaml -o here
    expect 8 "make the folder first" say hello -o nowhere/a.wav
    expect 8 "folder" $moving animate in.png --motion m.csv --frames-out m.csv/frames
    expect 8 "folder" $moving animate in.png --motion m.csv --frames-out r.yaml
    checks=$((checks + 1))
    { cmp -s in.png "$face" && cmp -s m.csv keep.csv && cmp -s r.yaml keep.yaml; } ||
        fault "an input was overwritten"
    checks=$((checks + 1)) # devices are nobody's place
    "$vortex" --pack "$source/tests/data/slot/pack" generate "$source/tests/data/slot/small.yaml" -o here/s.mp4 \
        --report /dev/null --sheet /dev/null 2>stderr.txt || fault "a device twice"
    rm -r in.png keep.csv hard.csv soft.csv here keep.yaml t.yaml
}

# ---- the same film from the same instructions, which the report names; others are others' bytes
for level in AVX2 AVX2 default; do
    [ "$level" = default ] || export ONEDNN_MAX_CPU_ISA=$level
    "$vortex" --pack "$source/tests/data/slot/pack" generate "$source/tests/data/slot/small.yaml" -o level.mp4 \
        --report level.json 2>stderr.txt
    unset ONEDNN_MAX_CPU_ISA
    key=$(sed -n 's/.*"backend": "\(.*\)",*/\1/p; s/.*"level": "\(.*\)",*/\1/p' level.json | tr '\n' ' ')
    echo "$key|$(sed -n 's/.*"sha256": "\(.*\)".*/\1/p' level.json | tail -n 1)" >>levels.txt
done
checks=$((checks + 1)) # no backend and level with two films
{ grep -qE '^cpu [^|]+\|[0-9a-f]{64}$' levels.txt && [ -z "$(sort -u levels.txt | cut -d'|' -f1 | uniq -d)" ]; } ||
    fault "levels: $(cat levels.txt)"
rm -f level.mp4 level.json levels.txt

# ---- pipes: one signal ends the waiting, with a sentence; what is ignored by the parent stays ignored
mkfifo pipe
# Until process $1 catches SIGINT, ten seconds at most: a slow start is no fault.
ready() {
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        case $(sed -n 's/^SigCgt:.*\(.\)$/\1/p' "/proc/$1/status" 2>/dev/null) in
        [2367abef]) return ;;
        esac
        sleep 0.5
    done
}
# interrupt ARGS…: SIGINT while vortex waits for the other end of `pipe`.
interrupt() {
    checks=$((checks + 1))
    env --default-signal=INT "$vortex" "$@" >stdout.txt 2>stderr.txt </dev/null &
    process=$!
    ready $process
    sleep 0.3
    kill -INT $process
    wait $process
    got=$?
    { [ $got = 7 ] && [ "$(grep -c cancelled stderr.txt)" = 1 ]; } || fault "exit $got, not 7: vortex $*"
}
# shellcheck disable=SC2086
{
    interrupt generate pipe -o out.mp4
    interrupt --config pipe doctor
    interrupt $moving animate "$face" --motion pipe -o out.mp4
    interrupt $moving animate pipe --motion m.csv -o out.mp4
    interrupt --pack "$source/packs/full" plan --device rtx3060 --svg pipe
    checks=$((checks + 1)) # a pipe whose reader comes late
    "$vortex" --pack "$source/packs/full" plan --device rtx3060 --svg pipe >stdout.txt 2>stderr.txt &
    process=$!
    sleep 0.2
    grep -q '</svg>' pipe || fault "a drawing through a pipe"
    wait $process || fault "plan to a pipe with a late reader"
    checks=$((checks + 1)) # nohup
    trap '' HUP # before it is started, so that it inherits that however late it runs
    "$vortex" $moving animate "$face" --motion pipe -o out.mp4 2>stderr.txt &
    process=$!
    trap - HUP
    sleep 0.3
    kill -HUP $process
    cat m.csv >pipe
    wait $process || fault "an ignored SIGHUP ends the film"
    [ -s out.mp4 ] || fault "an ignored SIGHUP: no film"
    recipe "hello" "$work/pipe"
    expect 3 "no regular file" $moving generate r.yaml -o out2.mp4
    recipe "hello" "'-'"
    expect 3 "standard input" $moving generate r.yaml -o out2.mp4
    recipe "hello" /proc/self/status
    expect 3 "no regular file" $moving generate r.yaml -o out2.mp4
    recipe "hello" "$work/none.png"
    expect 4 "there is no file" $moving generate r.yaml -o out2.mp4
    ln -s nothing dangling
    expect 8 "link to nothing" --pack "$source/packs/full" plan --device rtx3060 --svg dangling
    rm -f pipe dangling out.mp4 stdout.txt
}

# ---- with Kokoro's weights
if [ ! -e "${XDG_DATA_HOME:-$HOME/.local/share}/vortex/models/kokoro-v1.0.int8.onnx" ]; then
    echo "Kokoro's weights are not there: cancel and disk are not tested; './run fetch' gets them"
else
    speech="--pack $source/packs/speech"
    long="one two three four five six seven eight nine ten"
    long="$long, $long, $long, $long."
    # shellcheck disable=SC2086
    {
        expect 3 "" $speech say "" -o out.wav
        expect 3 "mostly Cyrillic" $speech say "Привет, мир" --explain
        checks=$((checks + 1))
        "$vortex" $speech say '$5-10' --explain 2>stderr.txt | grep -q "^\$5-10 -> five to ten dollars -> " ||
            fault "no words: vortex say --explain"
        expect 4 "af_heart" $speech say hi -o out.wav --voice nobody
        checks=$((checks + 1)) # a sample of each voice, of an alias too
        mkdir -p few/voices
        cp "$source"/packs/speech/config.json few
        cp "$source"/packs/speech/voices/bm_george.bin few/voices
        sed -e '/- {name/d' -e 's/^voices:/voices: [{name: old_man, voice: bm_george}]/' \
            "$source/packs/speech/pack.yaml" >few/pack.yaml
        "$vortex" --pack few voices --sample few/new/samples --json 2>stderr.txt | tr -d '\n ' >stdout.txt
        grep -qF '"name":"old_man","of":"bm_george","accent":"gb","gender":"male","file":"few/new/samples/old_man.wav"' \
            stdout.txt || fault "voices --sample"
        for name in old_man bm_george; do # over half a second, under four
            bytes=$(wc -c <few/new/samples/$name.wav)
            { [ "$bytes" -gt 24000 ] && [ "$bytes" -lt 192000 ]; } || fault "the sample of $name: $bytes bytes"
        done
        rm -r few stdout.txt
        expect 8 "" $speech say hi -o /dev/full
        expect 8 "" $speech say hi -o nowhere/out.wav
        recipe "hello" "$work/s.yaml"
        expect 3 "" $speech generate r.yaml -o out.mp4
        recipe "hello" "$source/examples/presenter.png"
        expect 8 "" $speech generate r.yaml -o nowhere/out.mp4
        (
            ulimit -f 8 # blocks of 512 bytes: as a disk with 4 KiB left
            expect 8 "" $speech generate r.yaml -o out.mp4
            expect 8 "" $speech say "$long" -o out.wav
            exit "$failures"
        )
        failures=$?
        # A failed verification leaves its film and says so in the report; a passed one is 0.
        mkdir checked
        cp -r "$source/packs/speech/." "$source/tests/data/clip" checked/
        for limit in 0.3 0.2; do
            clip="tokenizer: clip/pack/merges.txt, precision: f32, config: clip/small.json"
            {
                sed '/^components:/,$d' "$source/packs/speech/pack.yaml"
                echo "verify: {threshold_b: $limit, threshold_l: 0.2, outlier: 0.15}"
                sed -n '/^components:/,$p' "$source/packs/speech/pack.yaml"
                echo "  clip_b: {files: [clip/small_hf.safetensors], $clip}"
                echo "  clip_l: {files: [clip/small_openai.safetensors], $clip}"
            } >checked/pack.yaml
            printf 'audio_track: {script: Hi.}\nvisual_track: {image: %s, prompt: a b c}\n' \
                "$source/examples/presenter.png" >r.yaml
            checks=$((checks + 1))
            "$vortex" --pack checked generate r.yaml -o v.mp4 --report v.json 2>stderr.txt
            got=$?
            want=0 word=done
            [ "$limit" = 0.2 ] || want=9 word=verify_failed
            { [ $got = $want ] && [ -s v.mp4 ] && grep -q "\"outcome\": \"$word\"" v.json &&
                grep -q '"ensemble": 0.235' v.json; } || fault "verification, $limit: exit $got"
            rm -f v.mp4 v.json
        done
        rm -r checked
        for signal in INT TERM; do
            checks=$((checks + 1))
            recipe "$long $long $long" "$source/examples/presenter.png"
            # A shell's background jobs ignore SIGINT, and what is inherited as ignored stays so.
            env --default-signal=INT "$vortex" $speech generate r.yaml -o out.mp4 \
                --report out.json >stdout.txt 2>stderr.txt &
            process=$!
            ready $process
            sleep 1
            kill -$signal $process
            wait $process
            got=$?
            [ $got = 7 ] || fault "SIG$signal: exit $got, not 7"
            [ -z "$(find . -name '*out.mp4*' -o -name '*out.json*')" ] || fault "SIG$signal: files are left"
        done
    }
fi
echo "$checks checks, $failures failures"
[ "$failures" = 0 ]
