# './run fresh': a minimal Debian of its own, and './run bytes'. Sourced by run.

# The machine's own Debian sources, of either format.
debian_sources() {
    grep -lE '(^|[ /])[^ ]*/debian(-security)?/?( |$)' /etc/apt/sources.list \
        /etc/apt/sources.list.d/* 2>/dev/null || true
}

leave() {
    ! mountpoint -q "$1/proc" || umount -l "$1/proc"
}

# make_root FOLDER RELEASE: debootstrap, then this machine's sources under that release's name.
make_root() {
    root=$1 release=$2
    here=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
    mirror=$(debian_sources | xargs -r cat | grep -v '^#' | grep -oE 'https?://[^ ]+/debian/?( |$)' |
        head -n 1)
    proxy=$(apt-config shell p Acquire::http::Proxy | sed "s/^p='\(.*\)'$/\1/")
    # shellcheck disable=SC2086
    env ${proxy:+http_proxy="$proxy"} debootstrap --variant=minbase "$release" "$root" $mirror || return 1
    if [ -n "$(debian_sources)" ]; then
        rm -f "$root"/etc/apt/sources.list
        debian_sources | while read -r file; do
            mkdir -p "$root$(dirname "$file")"
            sed "s/\b$here\b/$release/g" "$file" >"$root$file"
        done
    fi
    grep -l Acquire /etc/apt/apt.conf.d/* 2>/dev/null | while read -r file; do
        cp "$file" "$root$file"
    done
    for file in /etc/ssl/certs /usr/local/share/ca-certificates /etc/pip.conf /etc/resolv.conf \
        /etc/hosts; do
        [ ! -e "$file" ] || { mkdir -p "$root$(dirname "$file")" && cp -RL "$file" "$root$(dirname "$file")/"; }
    done
}

# in_root FOLDER LOG VERB…: each verb of run in there.
in_root() {
    root=$1 log=$2
    shift 2
    status=0
    for verb in "$@"; do
        say "== ./run $verb there"
        printf '\n$ ./run %s\n' "$verb" >>"$log"
        begin=$(date +%s)
        # Of the environment only what reaches the registries.
        # shellcheck disable=SC2046
        env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
            $(env | grep -E '^(https?_proxy|HTTPS?_PROXY|no_proxy|NO_PROXY|PIP_[A-Z_]+)=' || true) \
            chroot "$root" sh -c "cd /root/vortex && ./run $verb" >>"$log" 2>&1 </dev/null || status=1
        printf '   %s took %s s\n' "$verb" "$(($(date +%s) - begin))" >>"$log"
        tail -n 3 "$log" >&2
    done
    return $status
}

fresh() {
    release=bookworm
    if [ "${1:-}" = --release ]; then
        release=${2:-}
        shift 2 || die "--release needs a name: bookworm or trixie"
    fi
    case $release in
    bookworm | trixie) ;;
    *) die "'$release' is no release that is supported; bookworm and trixie are" ;;
    esac
    [ "$(id -u)" = 0 ] || die "fresh needs root, for debootstrap and chroot"
    need debootstrap git ca-certificates
    root=$PWD/build/fresh-$release log=$PWD/build/fresh-$release.log
    leave "$root"
    rm -rf --one-file-system "$root"
    mkdir -p build
    say "== a minimal Debian, $release, in build/fresh-$release"
    make_root "$root" "$release" >"$log" 2>&1 || { tail -n 20 "$log" >&2; die "no Debian"; }
    git clone -q . "$root/root/vortex"
    trap 'leave "$root"' EXIT
    trap 'exit 130' INT TERM
    mount -t proc proc "$root/proc"
    [ $# -gt 0 ] || set -- demo test
    in_root "$root" "$log" "$@" || die "see $log"
}

# One picture and one sentence, and their hashes: what machines and releases can be compared by.
make_bytes() {
    prepare
    fetch || die "the weights can't be fetched; see 'build/release/vortex doctor'"
    build/release/vortex imagine "a calm woman, red hair" --seed 3 -o build/bytes.png
    build/release/vortex say "The picture and this sentence are the same everywhere." -o build/bytes.wav
    (cd build && sha256sum bytes.png bytes.wav)
}

samples() { tail -c +45 "$1" | od -An -v -td2 -w2; }

# compare_bytes ROOT ROOT: after ./run bytes in both. The picture must be the same. Sound must have
# the same length; oneDNN's versions add in another order, so the largest difference is told, and
# bounded by what nobody hears beside it (1 of 32, -30 dB of full scale).
compare_bytes() {
    one=$1/root/vortex/build two=$2/root/vortex/build
    { [ -s "$one/bytes.wav" ] && [ -s "$two/bytes.wav" ]; } || { say "   not there"; return 77; }
    samples "$one/bytes.wav" >build/bytes.one
    samples "$two/bytes.wav" >build/bytes.two
    [ "$(wc -l <build/bytes.one)" = "$(wc -l <build/bytes.two)" ] || { say "   other lengths"; return 1; }
    largest=$(paste build/bytes.one build/bytes.two |
        awk '{ d = $1 - $2; if (d < 0) d = -d; if (d > m) m = d } END { print m + 0 }')
    say "   the sentence: $(wc -l <build/bytes.one) samples, largest difference $largest of 32768"
    [ "$largest" -le 1024 ] || return 1
    cmp "$one/bytes.png" "$two/bytes.png" >&2 && say "   the picture: equal"
}
