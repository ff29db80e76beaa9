#!/usr/bin/env python3
"""Opens what tests/test_convert.c left behind with the tools that own the formats.

    tools/check_converted.py build/release/convert-check

safetensors and gguf must open every file; q8_0 and q4_0 must hold the bytes that gguf's own
quantiser makes; NF4 must load as bitsandbytes' QuantState, and dequantise there to the same bits
that Vortex reads (nf4.f32.safetensors is Vortex's reading). Needs numpy, torch, safetensors, gguf
and bitsandbytes.
"""
import os
import sys

import bitsandbytes.functional as bnb
import gguf
import numpy as np
import torch
from gguf.quants import dequantize, quantize
from safetensors import safe_open
from safetensors.torch import load_file

torch.set_num_threads(1)
FOLDER = sys.argv[1]


def path(name):
    return os.path.join(FOLDER, name)


model = load_file(path("model.safetensors"))
with safe_open(path("model.safetensors"), "pt") as file:
    assert file.metadata() == {"note": "kept"}, file.metadata()

for kind, dtype in (("f32", torch.float32), ("f16", torch.float16), ("bf16", torch.bfloat16)):
    loaded = load_file(path(kind + ".safetensors"))
    assert loaded.keys() == model.keys()
    for name, tensor in model.items():
        wanted = tensor if tensor.dtype == torch.int64 else tensor.float().to(dtype)
        assert loaded[name].dtype == wanted.dtype and torch.equal(loaded[name], wanted), name
    print(kind, "safetensors: equal to torch's conversion")


def read_gguf(name):
    return {tensor.name: tensor for tensor in gguf.GGUFReader(path(name)).tensors}


for kind, ggml in (("q8_0", gguf.GGMLQuantizationType.Q8_0), ("q4_0", gguf.GGMLQuantizationType.Q4_0)):
    tensors = read_gguf(kind + ".gguf")
    assert tensors.keys() == model.keys()
    quantised = 0
    for name, tensor in tensors.items():
        wanted = model[name].float().numpy() if model[name].dtype != torch.int64 else model[name].numpy()
        if tensor.tensor_type == ggml:
            assert np.array_equal(tensor.data, quantize(wanted, ggml)), name
            quantised += 1
        elif model[name].dtype != torch.int64:
            values = dequantize(tensor.data, tensor.tensor_type).reshape(wanted.shape)
            assert np.array_equal(values, wanted), name
    assert quantised == 3
    print(kind, "gguf: equal to gguf's quantiser")
for name in ("f16.gguf", "types.gguf", "q8_0.q4_0.gguf"):
    assert len(read_gguf(name)) > 0
tokens = gguf.GGUFReader(path("types.gguf")).get_field("tokenizer.ggml.tokens").contents()
assert tokens == ["<pad>", "▁the", "", "ü"], tokens

stored = load_file(path("nf4.safetensors"))
plain = load_file(path("nf4.f32.safetensors"))
folded = 0
for name, tensor in model.items():
    prefix = name + "."
    parts = {key[len(prefix):]: value for key, value in stored.items() if key.startswith(prefix)}
    if not parts:
        continue
    state = bnb.QuantState.from_dict(parts, device=torch.device("cpu"))
    assert state.nested and tuple(state.shape) == tuple(tensor.shape)
    back = bnb.dequantize_4bit(stored[name], state).float()
    assert torch.equal(back, plain[name]), name
    packed, own = bnb.quantize_4bit(tensor, blocksize=64, quant_type="nf4", compress_statistics=True)
    same = (packed == stored[name]).float().mean().item()
    scales = (own.absmax == stored[name + ".absmax"]).float().mean().item()
    error = ((back - tensor.float()).norm() / tensor.float().norm()).item()
    print(f"nf4 {name}: bytes of codes equal to bitsandbytes' {same:.4f}, of scale codes {scales:.4f}, "
          f"relative error {error:.4f}")
    assert same > 0.99
    folded += 1
assert folded == 3
print("nf4 safetensors: dequantised by bitsandbytes to the bits that Vortex reads")
