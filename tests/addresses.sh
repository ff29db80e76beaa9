#!/bin/sh
# A vx_dev is for backends alone. A file above them that follows one does not compile; and nothing but the backends
# whose memory is the process's has the header that could: addresses.sh CC SOURCE_DIR
set -eu
cc=$1
cd "$2"
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
try() { # NAME: the program on standard input; says whether it compiles
    cat >"$folder/$1.c"
    "$cc" -std=gnu11 -Werror=implicit-function-declaration -D_GNU_SOURCE -fsyntax-only -Isrc -Iinclude "$folder/$1.c" 2>"$folder/$1.log"
}
head='#include "backend/ops.h"
#include "models/binder.h"
float look(vx_ctx *ctx, const vx_tensor *t, const vx_weight *w);
float look(vx_ctx *ctx, const vx_tensor *t, const vx_weight *w) { (void)ctx, (void)t, (void)w;'
try fair <<EOF || { cat "$folder/fair.log"; echo "what only passes addresses on must compile"; exit 1; }
$head vx_dev at = vx_row_at(t, 1); return at.at == w->data.at ? 1 : 0; }
EOF
bad=0
refuse() { # NAME, statement
    if try "$1" <<EOF; then
$head $2 }
EOF
        echo "this compiles and must not: $2"
        bad=1
    fi
}
refuse tensor 'return *(const float *)t->data;'
refuse index 'const float *p = t->data; return p[0];'
refuse weight 'return ((const float *)w->data)[0];'
refuse arena 'float *p = (float *)ctx->workspace->base; return p[0];'
refuse row 'return ((const float *)vx_row(t, 0))[0];'
others=$(grep -rl 'backend/host.h' src | grep -vE '^src/backend/(cpu|ref)/|^src/backend/host\.[ch]$' || true)
[ -z "$others" ] || { echo "these include backend/host.h: $others"; bad=1; }
exit $bad
