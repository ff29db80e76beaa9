#!/bin/sh
# One file of tests against the server: run.sh VORTEX TEST.py
command -v python3 >/dev/null || { echo "python3 is not there: the server is not tested"; exit 77; }
VORTEX=$1 PYTHONDONTWRITEBYTECODE=1 exec python3 -W error::ResourceWarning "$2" -v
