# Sourced by ./run: the Debian packages of this checkout, for the release of Debian that builds them.

DEB_PACKAGES="dpkg-dev debhelper dh-python python3-all lintian"

# The committed tree, so that what lies about in a checkout is in no package. Packages, with their
# checksums, are in build/deb.
deb() {
    # shellcheck disable=SC2086
    need $BUILD_PACKAGES $DEB_PACKAGES git
    version=$(sed -n 's/^project(vortex VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
    # shellcheck disable=SC1091
    release=$(. /etc/os-release && printf 'deb%s' "$VERSION_ID")
    rm -rf build/deb
    mkdir -p "build/deb/vortex-$version"
    git archive HEAD | tar -x -C "build/deb/vortex-$version"
    say "== building the packages of $version for $release"
    (
        cd "build/deb/vortex-$version"
        sed -i "1s/([^)]*)/($version+$release)/" debian/changelog
        SOURCE_DATE_EPOCH=$(git -C "$OLDPWD" log -1 --format=%ct) dpkg-buildpackage -us -uc -b >../log 2>&1
    ) || { tail -n 30 build/deb/log >&2; return 1; }
    rm -r "build/deb/vortex-$version"
    (cd build/deb && sha256sum ./*.deb >SHA256SUMS)
    lintian --fail-on error build/deb/*.changes >build/deb/lintian 2>&1 || { cat build/deb/lintian >&2; return 1; }
    say "== build/deb:"
    (cd build/deb && ls -s --block-size=kB ./*.deb)
}

# Installs the packages in a minimal Debian that never saw the source, makes a film there by the command line and by
# Python, builds a program, and takes everything away again: try_deb RELEASE
try_deb() {
    release=$1 root=$PWD/build/deb-$1
    [ "$(id -u)" = 0 ] || { say "   debootstrap and chroot need root"; return 77; }
    need debootstrap
    leave "$root"
    rm -rf --one-file-system "$root"
    make_root "$root" "$release" >"build/deb-$release.log" 2>&1 || { tail -n 20 "build/deb-$release.log" >&2; return 1; }
    mkdir -p "$root/deb"
    cp build/deb/*.deb "$root/deb/"
    rm -f "$root"/deb/*dbgsym*
    cp tools/run/deb_try.sh "$root/deb/"
    mount -t proc proc "$root/proc"
    status=0
    # shellcheck disable=SC2046
    env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
        $(env | grep -E '^(https?_proxy|HTTPS?_PROXY|no_proxy|NO_PROXY|PIP_[A-Z_]+)=' || true) \
        chroot "$root" sh /deb/deb_try.sh >>"build/deb-$release.log" 2>&1 </dev/null || status=1
    leave "$root"
    grep '^== ' "build/deb-$release.log" >&2
    [ $status = 0 ] || tail -n 10 "build/deb-$release.log" >&2
    return $status
}

# Pure Python: one wheel for every machine, which finds the library that is installed there.
wheel() {
    python3 -m pip --version >/dev/null 2>&1 || need python3 python3-pip
    mkdir -p build
    rm -rf build/wheel build/wheel-source
    cp -r python build/wheel-source
    python3 -m pip wheel --quiet --no-deps --disable-pip-version-check -w build/wheel ./build/wheel-source
    rm -rf build/wheel-source
    (cd build/wheel && sha256sum ./*.whl >SHA256SUMS && ls ./*.whl)
}
