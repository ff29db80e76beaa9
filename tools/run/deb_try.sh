#!/bin/sh
# Run by try_deb inside a Debian of its own: install, speak, film, build, purge.
set -eu
cd /deb
begin=$(date +%s)
lap() {
    now=$(date +%s)
    echo "== $*: $((now - begin)) s"
    begin=$now
}
apt-get -q update
find / -xdev -path /proc -prune -o -path /deb -prune -o -type f -print | sort >before
apt-get -q -y install ./vortex_*.deb ./vortex-packs_*.deb
lap "installed"
vortex --version
vortex models pull kokoro
lap "fetched Kokoro's weights"
vortex generate /usr/share/doc/vortex/examples/hello.yaml -o hello.mp4 || [ $? = 9 ]
[ -s hello.mp4 ]
lap "a film"
apt-get -q -y install ./libvortex0_*.deb ./libvortex-dev_*.deb ./python3-vortex_*.deb gcc g++ libc6-dev pkg-config
gcc -std=c11 /usr/share/doc/libvortex-dev/examples/slots.c -o slots $(pkg-config --cflags --libs vortex)
./slots toon /usr/share/doc/vortex/examples/hello.yaml
printf '#include <vortex/vortex.h>\nint main() { return vx_api() == VORTEX_API ? 0 : 1; }\n' >api.cc
g++ api.cc -o api $(pkg-config --cflags --libs vortex)
./api
python3 -c '
import vortex
with vortex.Vortex(pack="toon") as engine:
    with engine.say("And this is Python.", "python.wav") as said:
        print(said.seconds, [word.text for word in said.words])'
[ -s python.wav ]
lap "programs in C, C++ and Python"
rm -rf /root/.local/share/vortex
apt-get -q -y purge vortex vortex-packs libvortex0 libvortex-dev python3-vortex
left=$(find / -xdev \( -path /proc -o -path /deb -o -path /var/lib/apt -o -path /var/cache -o -path /var/log \) -prune -o -iname '*vortex*' -print)
[ -z "$left" ] || { echo "left after purge: $left"; exit 1; }
lap "purged, nothing is left"
