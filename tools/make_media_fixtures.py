#!/usr/bin/env python3
"""Makes tests/data/media: small images of many kinds and the pixels that Pillow reads from them.

For each NAME there is NAME.rgb, dense 8-bit RGB, and a line "NAME width height tolerance" in
list.txt. What is transparent is blended over white. Needs Pillow 11.3 or later, pillow-heif and
numpy. Usage: tools/make_media_fixtures.py [folder]
"""
import os
import struct
import sys
import zlib

import numpy as np
from PIL import Image, ImageOps
from pillow_heif import register_heif_opener

register_heif_opener()

folder = sys.argv[1] if len(sys.argv) > 1 else "tests/data/media"
os.makedirs(folder, exist_ok=True)
rng = np.random.default_rng(7)
W, H = 37, 23


def scene(width, height):
    """Gradients, edges and a little noise: what chroma upsampling and rounding can get wrong."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    picture = np.stack([255 * x / width, 255 * y / height, 128 + 127 * np.sin(x * 0.6 + y * 0.3)], -1)
    picture[height // 3 : height // 2, width // 4 : width // 2] = (230, 20, 40)
    picture += rng.normal(0, 6, picture.shape)
    return np.clip(picture, 0, 255).astype(np.uint8)


rgb = scene(W, H)
grey = rgb[..., 1]
alpha = np.arange(W * H, dtype=np.uint8).reshape(H, W)
deep = (rgb.astype(np.uint16) << 8) | rng.integers(0, 256, rgb.shape).astype(np.uint16)
lines = []


def over_white(colour, clear):
    """Blends [h, w, 3] by [h, w], rounded to nearest as src/media/image_convert.c does."""
    clear = clear[..., None].astype(np.int32)
    return ((colour.astype(np.int32) * clear + 255 * (255 - clear) + 127) // 255).astype(np.uint8)


def keep(name, expected=None, tolerance=0):
    path = os.path.join(folder, name)
    if expected is None:
        whole = np.asarray(Image.open(path).convert("RGBA"))
        expected = over_white(whole[..., :3], whole[..., 3])
    expected.tofile(path + ".rgb")
    lines.append(f"{name} {expected.shape[1]} {expected.shape[0]} {tolerance}\n")


def save(image, name, tolerance=None, **options):
    """JPEG decoders differ by a level or two in the inverse transform; all else is exact."""
    if tolerance is None:
        tolerance = 3 if name.endswith(".jpg") else 0
    image.save(os.path.join(folder, name), **options)
    keep(name, None, tolerance)


def save_png16(name, samples, colour_type):
    """16-bit PNG of 1..4 channels, which Pillow cannot write; expected is the high byte."""
    height, width = samples.shape[:2]
    rows = samples.astype(">u2").reshape(height, -1)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    with open(os.path.join(folder, name), "wb") as out:
        out.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b""))
    high = (samples >> 8).astype(np.uint8)
    colour = high[..., :3] if colour_type in (2, 6) else np.repeat(high.reshape(height, width, -1)[..., :1], 3, -1)
    if colour_type in (4, 6):
        colour = over_white(colour, high[..., -1])
    keep(name, np.ascontiguousarray(colour))


picture = Image.fromarray(rgb)
save(picture, "rgb.png")
save(Image.fromarray(np.dstack([rgb, alpha])), "rgba.png")
save(Image.fromarray(grey), "grey.png")
save(Image.merge("LA", [Image.fromarray(grey), Image.fromarray(alpha)]), "grey_alpha.png")
save(picture.quantize(50), "palette.png")
save(picture.quantize(7), "palette4.png", bits=4)
save(picture.quantize(30), "palette_transparent.png", transparency=3)
save(Image.fromarray(grey).convert("1"), "one_bit.png")
save_png16("rgb16.png", deep, 2)
save_png16("rgba16.png", np.dstack([deep, deep[..., :1]]), 6)
save_png16("grey16.png", deep[..., 0], 0)
save_png16("grey_alpha16.png", deep[..., :2], 4)
save(picture, "full.jpg", quality=92, subsampling=0)
save(picture, "half.jpg", quality=88, subsampling=1)
save(picture, "quarter.jpg", quality=85, subsampling=2)
save(picture, "progressive.jpg", quality=85, subsampling=2, progressive=True)
save(Image.fromarray(grey), "grey.jpg", quality=85)
save(picture.convert("CMYK"), "cmyk.jpg", 3, quality=90)
save(Image.fromarray(scene(1, 1)), "dot.png")
save(Image.fromarray(scene(1, 9)), "thin.jpg", quality=90, subsampling=2)
save(picture, "lossy.webp", quality=80)
save(Image.fromarray(np.dstack([rgb, alpha])), "lossless.webp", lossless=True, exact=True)
save(picture.quantize(40), "palette.gif")
save(picture, "rgb.bmp")
save(picture, "lzw.tiff", compression="tiff_lzw")
save(Image.fromarray(grey), "grey.tiff")
save(picture, "rgb.ppm")
save(Image.fromarray(grey), "grey.pgm")
for orientation in range(2, 9):
    exif = Image.Exif()
    exif[0x0112] = orientation
    name = f"exif{orientation}.png" if orientation % 2 else f"exif{orientation}.jpg"
    options = {} if orientation % 2 else {"quality": 90, "subsampling": 0}
    path = os.path.join(folder, name)
    Image.fromarray(scene(8, 5)).save(path, exif=exif, **options)
    keep(name, np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB")), 0 if orientation % 2 else 3)
clear = Image.fromarray(np.dstack([rgb, alpha]))
save(clear, "rgba.bmp")
save(picture, "rgb.tga")
save(picture, "rle.tga", compression="tga_rle")
save(clear, "rgba.tga")
save(Image.fromarray(grey), "grey.tga")
save(picture.quantize(40), "palette.tga")
second = Image.fromarray(255 - rgb)
save(picture, "animated.webp", save_all=True, append_images=[second], lossless=True, duration=100)
save(clear, "animated_alpha.webp", save_all=True, append_images=[second], lossless=True, exact=True, duration=100)
save(picture, "animated_lossy.webp", save_all=True, append_images=[second], quality=80, duration=100)
save(picture, "animated.gif", save_all=True, append_images=[second], duration=100)
# Versions of libheif differ in the last step from YCbCr to RGB.
save(Image.fromarray(scene(64, 48)), "photo.heic", 6, quality=90)
save(Image.fromarray(scene(64, 48)), "photo.avif", 6, quality=90, subsampling="4:4:4")
save(Image.fromarray(np.dstack([scene(64, 48), np.resize(alpha, (48, 64))])), "clear.avif", 6, quality=95, subsampling="4:4:4")
with open(os.path.join(folder, "list.txt"), "w") as out:
    out.writelines(lines)
