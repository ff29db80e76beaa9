#!/bin/sh
# What packages say of the source, held against it: packaging.sh PROGRAM LIBRARY SOURCE_DIR
set -u
program=$1 library=$2 source=$3
cd "$source" || exit 1
failed=0
fail() {
    echo "FAILED: $*"
    failed=1
}

# Everything that is linked, loaded at run time or shipped is on the list of docs/vortex.spdx.
{
    readelf -d "$program" "$library" | sed -n 's/.*(NEEDED).*\[\(.*\)\.so.*/\1/p'
    grep -rhoE 'dlopen\("[^"]+\.so' src | sed 's/dlopen("//; s/\.so$//'
} | grep -vE '^(ld-linux.*|lib(a|t|ub)san|libgcc_s|libstdc\+\+)$' | sort -u | while read -r name; do
    grep -qx "PackageName: $name" docs/vortex.spdx || echo "$name"
done | grep . && fail "not in docs/vortex.spdx"

# What ./run installs to build with is what the Debian packages are built with.
sed -n '/^BUILD_PACKAGES=/,/"$/p' run | tr -s '" =\n' '\n' | grep -E '^lib.*-dev$|^zlib' |
    grep -vE '^lib(c6|cmocka)-dev$' | while read -r name; do
    grep -q "[ ,]$name[ ,]*" debian/control || echo "$name"
done | grep . && fail "not in debian/control"

# The symbols file is the header's.
sed -n 's/^VX_API .*[ *]\(vx_[a-z_]*\)(.*/\1/p' include/vortex/vortex.h | sort -u >"/tmp/packaging.$$"
sed -n 's/^ \(vx_[a-z_]*\)@Base.*/\1/p' debian/libvortex0.symbols | sort -u | diff - "/tmp/packaging.$$" ||
    fail "debian/libvortex0.symbols is not include/vortex/vortex.h (above)"
rm -f "/tmp/packaging.$$"

# One version everywhere.
version=$(sed -n 's/^project(vortex VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
grep -q "^vortex ($version)" debian/changelog || fail "debian/changelog is not $version"
grep -q "^version = \"$version\"" python/pyproject.toml || fail "python/pyproject.toml is not $version"
grep -q "^PackageVersion: $version" docs/vortex.spdx || fail "docs/vortex.spdx is not $version"
exit $failed
