#!/usr/bin/env python3
"""Writes src/models/kokoro/onnx_names.c from tools/kokoro_onnx_names.tsv.

    tools/kokoro_onnx_names.py > src/models/kokoro/onnx_names.c

The table says, for each of Kokoro's official tensor names, which initialiser of the published int8
ONNX file holds it, with which scale and zero point, and how it is laid out there. Initialiser names
are counters of the exporter, so the table is good for that one file, known by its SHA-256.
"""
import pathlib
import re
import sys

TRANSFORMS = {
    "copy": "VX_KOKORO_ONNX_COPY",
    "transpose": "VX_KOKORO_ONNX_COPY",  # [9,1] for [1,9]: the same order in memory
    "conv_u8": "VX_KOKORO_ONNX_SCALAR",
    "emb_i8": "VX_KOKORO_ONNX_SCALAR",
    "lin_i8": "VX_KOKORO_ONNX_LINEAR",
    "lstm_w": "VX_KOKORO_ONNX_LSTM_WEIGHT",
    "lstm_bih": "VX_KOKORO_ONNX_LSTM_BIAS_IH",
    "lstm_bhh": "VX_KOKORO_ONNX_LSTM_BIAS_HH",
}


def text(value):
    return "NULL" if value == "-" else '"%s"' % value


def main():
    table = pathlib.Path(__file__).with_name("kokoro_onnx_names.tsv")
    lines = table.read_text().splitlines()
    sha = re.search(r"sha256 ([0-9a-f]{64})", lines[0]).group(1)
    rows = [line.split("\t") for line in lines if line and not line.startswith("#")][1:]
    rows.sort(key=lambda row: row[0].encode())
    out = sys.stdout
    out.write("/* Made by tools/kokoro_onnx_names.py from tools/kokoro_onnx_names.tsv. */\n")
    out.write('#include "models/kokoro/onnx_names.h"\n\n')
    out.write("/* clang-format off */\n")
    out.write('const char vx_kokoro_onnx_sha256[65] =\n    "%s";\n' % sha)
    out.write("const int vx_kokoro_onnx_count = %d;\n" % len(rows))
    out.write("const vx_kokoro_onnx_name vx_kokoro_onnx_names[%d] = {\n" % len(rows))
    for name, _, file_name, _, _, scale, zero, transform in rows:
        kind, _, direction = transform.removesuffix("+wn").partition(":")
        out.write('    {"%s", %s, %s, %s, %s, %s},\n'
                  % (name, text(file_name), text(scale), text(zero), TRANSFORMS[kind],
                     direction or "0"))
    out.write("};\n")


main()
