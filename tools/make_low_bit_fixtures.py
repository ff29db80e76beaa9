#!/usr/bin/env python3
"""Makes tests/data/formats/low_bits.gguf and e5m2.safetensors: what tools/make_format_fixtures.py makes
for the other types, without PyTorch. Needs numpy, ml_dtypes, safetensors and gguf.

    tools/make_low_bit_fixtures.py tests/data/formats
"""
import os
import sys

import gguf
import ml_dtypes
import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf.quants import dequantize
from safetensors.numpy import save_file

OUT = sys.argv[1]
# Where the f16 scales of a block lie: they must be numbers. Any other bytes are valid.
SCALES = {Type.Q2_K: (80, 82), Type.Q3_K: (108,), Type.IQ4_NL: (0,), Type.IQ4_XS: (0,)}


def low_bits():
    path = os.path.join(OUT, "low_bits.gguf")
    rng = np.random.default_rng(11)
    writer = gguf.GGUFWriter(path, "fixture")
    values = {}
    for kind, scales in SCALES.items():
        block, size = gguf.GGML_QUANT_SIZES[kind]
        stored = rng.integers(0, 256, (2, 512 // block * size), dtype=np.uint8)
        blocks = stored.reshape(-1, size)
        for at in scales:
            f16 = rng.standard_normal((len(blocks), 1)).astype(np.float16)
            blocks[:, at:at + 2] = f16.view(np.uint8)
        writer.add_tensor("w." + kind.name, stored, raw_dtype=kind)
        values["w." + kind.name] = dequantize(stored, kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    save_file(values, path + ".expect.safetensors")


def e5m2():
    path = os.path.join(OUT, "e5m2.safetensors")
    codes = np.arange(256, dtype=np.uint8).view(ml_dtypes.float8_e5m2).reshape(16, 16)
    save_file({"f8": codes}, path)
    save_file({"f8": codes.astype(np.float32)}, path + ".expect.safetensors")


low_bits()
e5m2()
