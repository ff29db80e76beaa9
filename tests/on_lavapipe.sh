#!/bin/sh
# Runs a program on the software GPU that tools/run/lavapipe.sh brought, with validation: on_lavapipe.sh
# SOURCE_DIR PROGRAM ARGS…
exec=$1/build/lavapipe/exec
[ -x "$exec" ] || { echo "no lavapipe: ./run test brings it"; exit 77; }
shift
VORTEX_VULKAN=${VORTEX_VULKAN:-validate} VX_DEVICE=vulkan:llvmpipe exec "$exec" "$@"
