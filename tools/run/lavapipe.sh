# A software Vulkan device for the tests, sourced by run: Mesa's lavapipe, with its loader, validation
# layers and shader compiler, unpacked into build/lavapipe. Nothing is installed.
#
# Packages come from Debian's archive through an apt whose state lies in that folder, so that its
# signatures are verified and the machine's own packages stay as they are. Programs that were built
# here start through the set's own C library: build/lavapipe/exec PROGRAM ARGS

LAVAPIPE=build/lavapipe
# What a set is made of; apt adds what these need.
LAVAPIPE_PACKAGES="mesa-vulkan-drivers libvulkan1 vulkan-validationlayers glslc libstdc++6"

# lavapipe_apt COMMAND…: apt of the folder.
lavapipe_apt() {
    apt-get -q -o Dir::State="$set/state" -o Dir::State::status="$set/status" \
        -o Dir::Cache="$set/cache" -o Dir::Etc::SourceList="$set/sources.list" \
        -o Dir::Etc::SourceParts=/dev/null -o Dir::Etc::Preferences=/dev/null \
        -o Dir::Etc::PreferencesParts=/dev/null -o Debug::NoLocking=1 -o APT::Sandbox::User= \
        -o APT::Get::AllowUnauthenticated=false "$@"
}

# Fetches and unpacks the packages of RELEASE, its backports preferred.
lavapipe_unpack() {
    release=$1 set=$PWD/$LAVAPIPE/$1
    keys=/usr/share/keyrings/debian-archive-keyring.gpg
    [ -e "$keys" ] || { say "   no keyring of Debian's archive to verify packages by"; return 1; }
    mirror=$(debian_sources | xargs -r cat | grep -v '^#' | grep -oE 'https?://[^ ]+/debian/?( |$)' |
        head -n 1)
    [ -n "$mirror" ] || { say "   no mirror of Debian's archive among this machine's sources"; return 1; }
    rm -rf "$set"
    mkdir -p "$set/state/lists/partial" "$set/cache/archives/partial" "$set/root"
    : >"$set/status"
    for suite in "$release" "$release-updates" "$release-backports"; do
        echo "deb [signed-by=$keys] $mirror $suite main"
    done >"$set/sources.list"
    # shellcheck disable=SC2086
    lavapipe_apt update >"$set/log" 2>&1 &&
        lavapipe_apt install -y --download-only --no-install-recommends -t "$release-backports" \
            $LAVAPIPE_PACKAGES >>"$set/log" 2>&1 || { tail -n 5 "$set/log" >&2; return 1; }
    for package in "$set"/cache/archives/*.deb; do
        dpkg-deb -x "$package" "$set/root" || return 1
    done
    dpkg-deb -f "$set"/cache/archives/mesa-vulkan-drivers_*.deb Version >"$set/version"
    rm -rf "$set/cache" "$set/state"
}

# The program that starts others on a set.
lavapipe_exec() {
    root=$PWD/$LAVAPIPE/$1/root lib=usr/lib/x86_64-linux-gnu
    sed "s,\"library_path\": *\"[^\"]*/\([^/\"]*\)\",\"library_path\": \"$root/$lib/\1\"," \
        "$root"/usr/share/vulkan/icd.d/lvp_icd*.json >"$LAVAPIPE/lvp.json"
    mkdir -p "$LAVAPIPE/layers"
    sed "s,\"library_path\": *\"[^\"]*\",\"library_path\": \"$root/$lib/libVkLayer_khronos_validation.so\"," \
        "$root/usr/share/vulkan/explicit_layer.d/VkLayer_khronos_validation.json" \
        >"$LAVAPIPE/layers/VkLayer_khronos_validation.json"
    linker=$(find "$root/" -name 'ld-linux-x86-64.so.2' | head -n 1)
    cat >"$LAVAPIPE/exec" <<END
#!/bin/sh
# exec PROGRAM ARGS: on lavapipe $(cat "$LAVAPIPE/$1/version") alone.
export VK_DRIVER_FILES=$PWD/$LAVAPIPE/lvp.json VK_ICD_FILENAMES=$PWD/$LAVAPIPE/lvp.json
export VK_LAYER_PATH=$PWD/$LAVAPIPE/layers
case \$1 in glslc) shift && set -- $root/usr/bin/glslc "\$@" ;; esac
exec $linker --library-path $root/$lib "\$@"
END
    chmod +x "$LAVAPIPE/exec"
}

# Makes build/lavapipe/exec: with cooperative matrices, else without. 77 when neither can be had.
lavapipe() {
    [ ! -x "$LAVAPIPE/exec" ] || { say "   lavapipe $(cat "$LAVAPIPE/version")"; return 0; }
    [ "$(uname -m)" = x86_64 ] && command -v dpkg-deb >/dev/null ||
        { say "   lavapipe's packages are unpacked on Debian, x86-64, alone"; return 77; }
    for release in trixie bookworm; do
        mkdir -p "$LAVAPIPE"
        lavapipe_unpack "$release" || { say "   no lavapipe from $release"; continue; }
        lavapipe_exec "$release"
        cp "$LAVAPIPE/$release/version" "$LAVAPIPE/version"
        say "   lavapipe $(cat "$LAVAPIPE/version"), of $release"
        [ "$release" = trixie ] || say "   it has no cooperative matrices: those engines are not run"
        return 0
    done
    return 77
}

# The committed SPIR-V is what the pinned set's compiler makes of the shaders.
check_spirv() {
    [ -x "$LAVAPIPE/exec" ] || return 77
    [ ! -d "$LAVAPIPE/bookworm" ] || { say "   bookworm's compiler is another"; return 77; }
    sh tools/spirv.sh "$PWD/$LAVAPIPE/exec glslc" --check >&2
}
