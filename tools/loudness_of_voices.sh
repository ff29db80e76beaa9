#!/bin/sh
# How loud the films of several voices are: what the report says, and what ffmpeg's ebur128 measures in the
# decoded film (its sum is that of another implementation).
#   loudness_of_voices.sh VORTEX [VOICE…]
set -eu
vortex=$1
shift
[ $# -gt 0 ] || set -- am_puck am_fenrir af_heart af_bella bf_emma bm_george
here=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
script='Good evening, and welcome. Tonight we look at the stars: how far they are, how old they are, and why, on a clear night, so few of them are red. Ready? Then let us begin!'
printf '%-10s %8s %8s %8s %9s %10s %10s %7s\n' voice gain_dB LUFS dBTP limited film_LUFS film_dBTP seconds
for voice in "$@"; do
    printf 'audio_track: {script: "%s", voice_id: %s}\nvisual_track: {image: %s}\noutput: {fps: 5, width: 64, height: 64}\n' \
        "$script" "$voice" "$here/examples/presenter.png" >"$work/r.yaml"
    "$vortex" --pack speech generate "$work/r.yaml" -o "$work/f.mp4" --json >"$work/r.json" 2>"$work/err" ||
        { cat "$work/err" >&2; exit 1; }
    # Of the summary, which comes last: "I: -16.0 LUFS" and "Peak: -1.0 dBFS".
    ffmpeg -nostats -i "$work/f.mp4" -map 0:a -af ebur128=peak=true -f null - 2>"$work/e.txt"
    lufs=$(sed -n 's/^ *I: *\(-*[0-9.]*\) LUFS.*/\1/p' "$work/e.txt" | tail -1)
    peak=$(sed -n 's/^ *Peak: *\(-*[0-9.]*\) dBFS.*/\1/p' "$work/e.txt" | tail -1)
    python3 - "$work/r.json" "$voice" "$lufs" "$peak" <<'PYTHON'
import json, sys
report = json.load(open(sys.argv[1]))
l = report["audio"]["loudness"]
print("%-10s %8.2f %8.2f %8.2f %8.3f%% %10s %10s %7.2f" % (
    sys.argv[2], l["gain_db"], l["lufs"], l["true_peak_dbtp"], 100 * l["limited_share"],
    sys.argv[3], sys.argv[4], report["audio"]["duration_s"]))
PYTHON
done
