#!/bin/sh
# The public header stands alone, as C and as C++: header.sh INCLUDE
set -eu
flags="-Wall -Wextra -Wpedantic -Werror -fsyntax-only -I$1"
echo '#include <vortex/vortex.h>' | ${CC:-cc} $flags -std=c11 -x c -
if command -v "${CXX:-c++}" >/dev/null; then
    echo '#include <vortex/vortex.h>' | ${CXX:-c++} $flags -std=c++11 -x c++ -
else
    echo "no C++ compiler: looked at as C only"
fi
