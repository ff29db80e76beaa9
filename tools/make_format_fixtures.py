#!/usr/bin/env python3
"""Makes tests/data/formats: small weight files as other tools write them.

Beside each NAME.ext lies NAME.ext.expect.safetensors: what the tool that wrote the file reads back
from it, as float32. tests/test_formats.c wants the same bits. Needs numpy, torch, safetensors,
gguf, bitsandbytes and onnxruntime.

    tools/make_format_fixtures.py tests/data/formats
"""
import collections
import os
import struct
import sys

import numpy as np
import torch
from safetensors.torch import save_file

torch.manual_seed(7)
torch.set_num_threads(1)
OUT = sys.argv[1]


def path(name):
    return os.path.join(OUT, name)


def expect(name, tensors):
    """tensors: name -> anything numpy or torch."""
    floats = {}
    for key, value in tensors.items():
        tensor = value if isinstance(value, torch.Tensor) else torch.from_numpy(np.array(value))
        floats[key] = tensor.detach().to(torch.float32).contiguous().clone()
    save_file(floats, path(name + ".expect.safetensors"))


def every_type():
    """A little of each element type, with the values that go wrong first."""
    wave = torch.randn(5, 7)
    wave[0, :4] = torch.tensor([0.0, -0.0, 1e-40, 65504.0])
    return {
        "f32": wave,
        "f16": torch.tensor([1e-7, -6e-5, 65504.0, float("inf"), 0.333]).half(),
        "bf16": torch.randn(3, 2, 2).bfloat16(),
        "f64": torch.tensor([1 / 3, -1e300, 5e-324], dtype=torch.float64),
        "i8": torch.tensor([-128, 127, 0], dtype=torch.int8),
        "u8": torch.tensor([0, 255], dtype=torch.uint8),
        "i16": torch.tensor([-32768, 32767], dtype=torch.int16),
        "i32": torch.tensor([-(2**31), 2**31 - 1, 16777217], dtype=torch.int32),
        "i64": torch.tensor([[-(2**63)], [2**62 + 1]], dtype=torch.int64),
        "bool": torch.tensor([True, False, True]),
        "scalar": torch.tensor(2.5),
        "none": torch.zeros(0, 4),
        "naïve.ключ": torch.ones(1, 1, 1, 1, 2),
    }


def safetensors_plain():
    tensors = every_type()
    tensors["f8"] = torch.arange(0, 256, dtype=torch.uint8).view(torch.float8_e4m3fn)
    save_file(tensors, path("plain.safetensors"), {"format": "pt", "note": "naïve"})
    expect("plain.safetensors", tensors)


def bitsandbytes_weights():
    import bitsandbytes.functional as bnb
    from bitsandbytes.backends.default.ops import _dequantize_4bit_compute
    from bitsandbytes.backends.utils import _get_4bit_code

    def nf4(double, dtype, shape, storage=torch.uint8):
        weight = (torch.randn(shape) * 0.05).to(dtype)
        packed, state = bnb.quantize_4bit(weight, blocksize=64, quant_type="nf4",
                                          compress_statistics=double, quant_storage=storage)
        tensors = {"layer.weight": packed}
        for key, value in state.as_dict(packed=True).items():
            tensors["layer.weight." + key] = value
        scales = state.absmax
        if double:
            scales = bnb.dequantize_blockwise(state.absmax, state.state2) + state.offset
        back = _dequantize_4bit_compute(packed.view(torch.uint8).reshape(-1), scales,
                                        _get_4bit_code("nf4", packed.device), 64, shape, dtype)
        assert torch.equal(back.reshape(shape), bnb.dequantize_4bit(packed, state).reshape(shape))
        return tensors, back.reshape(shape)

    for name, *args in (("nf4_single", False, torch.bfloat16, (24, 64)),
                        ("nf4_double", True, torch.float16, (96, 192)),
                        ("nf4_wide", True, torch.float32, (34, 50), torch.bfloat16)):
        tensors, back = nf4(*args)
        tensors["layer.bias"] = torch.randn(5)
        save_file(tensors, path(name + ".safetensors"))
        expect(name + ".safetensors", {"layer.weight": back, "layer.bias": tensors["layer.bias"]})

    weight = torch.randn(6, 40)
    codes, scales, _ = bnb.int8_vectorwise_quant(weight.half())
    tensors = {"fc.weight": codes, "fc.SCB": scales,
               "fc.weight_format": torch.tensor(0, dtype=torch.uint8)}
    save_file(tensors, path("int8.safetensors"))
    expect("int8.safetensors", {"fc.weight": bnb.int8_vectorwise_dequant(codes, scales)})


# ---- ONNX, encoded by hand so that every kind of field occurs, checked by onnxruntime


def varint(value):
    value &= (1 << 64) - 1
    out = b""
    while True:
        out += bytes([(value & 127) | (128 if value > 127 else 0)])
        value >>= 7
        if value == 0:
            return out


def field(number, payload):
    if isinstance(payload, int):
        return varint(number << 3) + varint(payload)
    if isinstance(payload, str):
        payload = payload.encode()
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def tensor_proto(name, data_type, dims, values, packed_dims=False):
    out = field(1, b"".join(map(varint, dims))) if packed_dims else \
        b"".join(field(1, d) for d in dims)
    return field(5, out + field(2, data_type) + values + field(8, name))


def onnx_file():
    f32 = np.random.default_rng(1).standard_normal((3, 4)).astype(np.float32)
    i64 = np.array([-1, 2**40, 0], dtype=np.int64)
    half = np.array([0.1, -2, 65504], dtype=np.float16)
    i8 = np.array([[-128, -1], [0, 127]], dtype=np.int8)
    u8 = np.array([0, 7, 255], dtype=np.uint8)
    f64 = np.array([1 / 3, -4.0])
    one = b"".join(varint(5 << 3 | 0) + varint(int(v)) for v in i8.flatten())
    tensors = [
        ("w.raw", 1, f32, field(9, f32.tobytes())),
        ("w.packed", 1, f32, field(4, f32.tobytes())),
        ("w.single", 1, f32[0], b"".join(varint(4 << 3 | 5) + struct.pack("<f", v) for v in f32[0])),
        ("shape", 7, i64, field(7, b"".join(varint(int(v)) for v in i64))),
        ("half.typed", 10, half, field(5, b"".join(varint(int(v)) for v in half.view(np.uint16)))),
        ("zero", 3, i8, one),
        ("scalar", 2, u8[1], field(5, varint(7))),
        ("u8.raw", 2, u8, field(9, u8.tobytes())),
        ("f64", 11, f64, field(10, f64.tobytes())),
        ("flags", 9, np.array([True, False]), field(5, varint(1) + varint(0))),
        ("i32", 6, np.array([-5], np.int32), field(5, varint(-5))),
    ]
    protos, nodes, outputs = b"", b"", b""
    for i, (name, kind, value, stored) in enumerate(tensors):
        protos += tensor_proto(name, kind, value.shape, stored, packed_dims=i % 2 == 1)
        nodes += field(1, field(1, name) + field(2, f"out{i}") + field(4, "Identity"))
        shape = b"".join(field(1, field(1, d)) for d in value.shape)
        outputs += field(12, field(1, f"out{i}") +
                         field(2, field(1, field(1, kind) + field(2, shape))))
    graph = nodes + field(2, "graph") + protos + outputs
    model = field(1, 8) + field(2, "fixtures") + field(7, graph) + field(8, field(2, 17))
    with open(path("typed.onnx"), "wb") as file:
        file.write(model)
    import onnxruntime
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    results = session.run(None, {})
    for (name, _, value, _), result in zip(tensors, results):
        assert np.array_equal(result, value), name
    expect("typed.onnx", {name: r for (name, *_), r in zip(tensors, results)})


# ---- PyTorch


def pth_files():
    base = torch.arange(60, dtype=torch.float32).reshape(5, 12) / 7
    state = collections.OrderedDict(
        (key, value) for key, value in every_type().items() if key != "naïve.ключ")
    state["transposed"] = base.t()
    state["window"] = base[1:4, 2:9:3]
    state["shared"] = base
    state["param"] = torch.nn.Parameter(torch.randn(4))
    state._metadata = collections.OrderedDict(version=1)
    module = torch.nn.Linear(3, 2)
    whole = {"net": state, "module": module.state_dict(), "step": 12, "lr": 0.5, "done": True,
             "name": "x" * 300, "big": 2**70, "nothing": None,
             "list": [torch.ones(2), (torch.zeros(1), 3)], 4: torch.full((2,), 4.0)}
    torch.save(whole, path("nested.pth"))
    flat = {"net." + k: v for k, v in state.items()}
    flat.update({"module." + k: v for k, v in module.state_dict().items()})
    flat.update({"list.0": torch.ones(2), "list.1.0": torch.zeros(1), "4": torch.full((2,), 4.0)})
    expect("nested.pth", flat)

    voice = torch.randn(6, 1, 8)
    torch.save(voice, path("single.pt"))
    expect("single.pt", {"data": voice})
    torch.save({"w": voice}, path("protocol4.pth"), pickle_protocol=4)
    expect("protocol4.pth", {"w": voice})

    torch.save({"w": torch.ones(2)}, path("legacy.bad.pth"), _use_new_zipfile_serialization=False)
    torch.jit.save(torch.jit.script(torch.nn.Linear(1, 1)), path("script.bad.pth"))

    class Command:
        def __reduce__(self):
            return os.system, ("true",)

    torch.save({"w": torch.ones(2), "x": Command()}, path("command.bad.pth"))


# ---- NumPy


def numpy_files():
    rng = np.random.default_rng(3)
    grid = rng.standard_normal((3, 4, 5))
    arrays = {"f4": grid.astype(np.float32), "f8": grid, "f2": grid.astype(np.float16),
              "i8": np.arange(-3, 3, dtype=np.int64), "b1": np.array([True, False]),
              "fortran": np.asfortranarray(grid.astype(np.float32)), "scalar": np.float32(3)}
    for name in ("f4", "fortran"):
        np.save(path(name + ".npy"), arrays[name])
        expect(name + ".npy", {"data": arrays[name]})
    for version in ((2, 0), (3, 0)):
        name = f"version{version[0]}.npy"
        with open(path(name), "wb") as file:
            np.lib.format.write_array(file, arrays["f2"], version)
        expect(name, {"data": arrays["f2"]})
    np.savez(path("stored.npz"), **arrays)
    np.savez_compressed(path("deflated.npz"), **arrays)
    expect("stored.npz", arrays)
    expect("deflated.npz", arrays)
    np.save(path("object.bad.npy"), np.array([{}, None], dtype=object), allow_pickle=True)
    np.save(path("big_endian.bad.npy"), np.arange(3, dtype=">f4"))


# ---- GGUF


def gguf_file():
    import gguf
    from gguf import GGMLQuantizationType as Type
    from gguf.quants import dequantize, quantize

    writer = gguf.GGUFWriter(path("types.gguf"), "fixture")
    writer.add_string("text.naïve", "größe")
    writer.add_uint32("number.u32", 7)
    writer.add_float32("number.f32", 0.1)
    writer.add_bool("number.bool", True)
    writer.add_array("tokenizer.ggml.tokens", ["<pad>", "▁the", "", "ü"])
    writer.add_array("tokenizer.ggml.scores", [0.0, -1.5, -2.25, -3.0])
    writer.add_array("tokenizer.ggml.token_type", [3, 1, 1, 1])
    rng = np.random.default_rng(5)
    wave = rng.standard_normal((4, 512)).astype(np.float32)
    out = {}
    for kind in (Type.F32, Type.F16, Type.BF16, Type.Q8_0, Type.Q4_0, Type.Q4_1, Type.Q5_0,
                 Type.Q5_1):
        stored = wave if kind == Type.F32 else quantize(wave, kind)
        writer.add_tensor("w." + kind.name, stored, raw_dtype=kind)
        out["w." + kind.name] = dequantize(stored, kind)
    for kind in (Type.Q4_K, Type.Q5_K, Type.Q6_K):  # gguf only decodes these: any bytes are valid
        block, size = gguf.GGML_QUANT_SIZES[kind]
        stored = rng.integers(0, 256, (2, 512 // block * size), dtype=np.uint8)
        scale_at = [208] if kind == Type.Q6_K else [0, 2]
        blocks = stored.reshape(-1, size)
        for at in scale_at:  # the f16 scales must be numbers
            blocks[:, at:at + 2] = rng.standard_normal((len(blocks), 1)).astype(np.float16).view(np.uint8)
        writer.add_tensor("w." + kind.name, stored, raw_dtype=kind)
        out["w." + kind.name] = dequantize(stored, kind)
    small = np.arange(5, dtype=np.int32)
    writer.add_tensor("ints", small)
    out["ints"] = small
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    expect("types.gguf", out)
    # The same weights, quantised by gguf: ours must give the same bytes.
    w = {k: torch.from_numpy(np.ascontiguousarray(quantize(wave, t)).view(np.uint8).copy())
         for k, t in (("q8_0", Type.Q8_0), ("q4_0", Type.Q4_0))}
    save_file({"wave": torch.from_numpy(wave), **w}, path("encoded.safetensors"))


os.makedirs(OUT, exist_ok=True)
safetensors_plain()
bitsandbytes_weights()
onnx_file()
pth_files()
numpy_files()
gguf_file()
total = sum(os.path.getsize(path(name)) for name in os.listdir(OUT))
print(f"{len(os.listdir(OUT))} files, {total} bytes")
