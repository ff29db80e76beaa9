#!/usr/bin/env python3
"""Makes tests/data/resize: pictures, and what Pillow makes of them at other sizes.

Sources are files of tests/data/media and formulas that the test knows too; here are only
the results. Each line of list.txt is
  SOURCE FILTER width height left top out_width out_height NAME
and NAME is dense RGB. Lines with the filter "clip" are windows of transformers' CLIP preprocessing
before normalisation. Needs Pillow 13, numpy and transformers. Usage: tools/make_resize_fixtures.py [folder]
"""
import os
import sys

import numpy as np
from PIL import Image

folder = sys.argv[1] if len(sys.argv) > 1 else "tests/data/resize"
media = os.path.join(os.path.dirname(folder.rstrip("/")), "media")
os.makedirs(folder, exist_ok=True)
FILTERS = {
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
lines = []


def pattern(width, height):
    """The test's own picture: a multiplicative hash, the worst case for rounding."""
    i = np.arange(width * height * 3, dtype=np.uint64)
    return ((((i * 2654435761) & 0xFFFFFFFF) >> 24) & 0xFF).astype(np.uint8).reshape(height, width, 3)


def source(name):
    if "x" in name and name[0].isdigit():
        return Image.fromarray(pattern(*map(int, name.split("x"))))
    return Image.open(os.path.join(media, name)).convert("RGB")


def keep(name, filter_name, size, window, pixels):
    file = f"{name}.{filter_name}.{size[0]}x{size[1]}.rgb"
    pixels.tofile(os.path.join(folder, file))
    numbers = " ".join(map(str, [*size, window[0], window[1], window[2] - window[0], window[3] - window[1]]))
    lines.append(f"{name} {filter_name} {numbers} {file}\n")


def resize(name, filter_name, width, height):
    image = source(name).resize((width, height), FILTERS[filter_name])
    keep(name, filter_name, (width, height), (0, 0, width, height), np.asarray(image))


def clip(name, size):
    """transformers' CLIPImageProcessor: resize by the shorter side, then the centre. The whole
    resized picture is made here and the centre cut from it."""
    image = source(name)
    short = min(image.size)
    width, height = (int(size * side / short) for side in image.size)
    image = image.resize((width, height), Image.Resampling.BICUBIC)
    left, top = (width - size) // 2, (height - size) // 2
    window = (left, top, left + size, top + size)
    keep(name, "clip", (width, height), window, np.asarray(image.crop(window)))


for name in FILTERS:
    resize("rgb.png", name, 19, 31)
    resize("rgb.png", name, 37, 11)
    resize("rgb.png", name, 50, 23)
    resize("61x43", name, 1, 1)
    resize("1x1", name, 9, 5)
    resize("300x7", name, 17, 20)
resize("rgb.png", "bicubic", 37, 23)
resize("2000x3", "bicubic", 2, 40)
resize("3x2000", "lanczos", 40, 2)
for size in [(90, 40), (70, 20), (81, 16), (30, 44), (100, 30)]:
    resize("81x59", "lanczos", *size)
    resize("40x99", "bicubic", size[0] // 3, size[1])
for name in ["rgb.png", "rgb16.png", "grey.png", "palette.png", "64x64", "101x64", "64x101", "65x33", "1x1", "2x50", "1x4000", "4000x1", "40x300", "300x40"]:
    clip(name, 24)

def processor_floats(name, size):
    """What transformers' Pillow-based processor hands to the model, channels last."""
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    processor = CLIPImageProcessorPil(size={"shortest_edge": size}, crop_size={"height": size, "width": size})
    pixels = processor(images=source(name), return_tensors="np")["pixel_values"][0]
    np.ascontiguousarray(pixels.transpose(1, 2, 0)).astype("<f4").tofile(os.path.join(folder, f"{name}.clip.f32"))


processor_floats("rgb.png", 24)
with open(os.path.join(folder, "list.txt"), "w") as out:
    out.writelines(lines)
