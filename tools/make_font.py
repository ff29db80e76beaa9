#!/usr/bin/env python3
"""The shipped font: what captions and contact sheets need of DejaVu Sans Condensed.

    pip install fonttools==4.68.0
    make_font.py /usr/share/fonts/truetype/dejavu/DejaVuSansCondensed.ttf OUT

The source is Debian's package fonts-dejavu-extra 2.37. Outlines, advances, copyright and licence
stay as they are; hinting, kerning and the other characters go. Writes OUT/vortex-sans.ttf and
OUT/LICENSE, and prints what src/media/font.h says of its size."""
import io
import sys

from fontTools import subset
from fontTools.ttLib import TTFont

# What may stand in an English text: Latin with its accents and phonetic symbols, Greek and Cyrillic
# letters, punctuation, currencies, arrows, mathematics. Kokoro's own symbols are among them.
RANGES = [(0x20, 0x7E), (0xA0, 0x24F), (0x250, 0x2AF), (0x2B0, 0x2DD), (0x300, 0x333),
          (0x386, 0x3CE), (0x400, 0x45F), (0x1D4A, 0x1D5D), (0x1D7B, 0x1D7B), (0x1E00, 0x1EFF),
          (0x2010, 0x2015), (0x2018, 0x2026), (0x2030, 0x203A), (0x2070, 0x208E), (0x20A0, 0x20BF),
          (0x2116, 0x2116), (0x2120, 0x2122), (0x2126, 0x2126), (0x2150, 0x2189), (0x2190, 0x2199),
          (0x21D0, 0x21D4), (0x2200, 0x2213), (0x2215, 0x221E), (0x2223, 0x222B), (0x2248, 0x2248),
          (0x2260, 0x2265), (0x2282, 0x2287), (0x25A0, 0x25A1), (0x25CF, 0x25CF), (0x2605, 0x2606),
          (0x2639, 0x263A), (0x266A, 0x266F), (0x2713, 0x2717), (0xFB00, 0xFB04), (0xFFFD, 0xFFFD)]


def main(source, out):
    font = TTFont(source)
    options = subset.Options()
    options.hinting = False
    options.layout_features = []
    options.name_IDs = [0, 1, 2, 3, 4, 5, 6, 13, 14]
    options.notdef_outline = True
    options.drop_tables += ["GDEF", "GPOS", "GSUB", "FFTM", "kern"]
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=[c for low, high in RANGES for c in range(low, high + 1)])
    subsetter.subset(font)
    names = {record.nameID: record.toUnicode() for record in font["name"].names}
    font.recalcTimestamp = False
    buffer = io.BytesIO()
    font.save(buffer)
    with open(f"{out}/vortex-sans.ttf", "wb") as file:
        file.write(buffer.getvalue())
    with open(f"{out}/LICENSE", "w", encoding="utf-8") as file:
        file.write("vortex-sans.ttf is a part of DejaVu Sans Condensed 2.37 (https://dejavu-fonts."
                   "github.io), made\nby tools/make_font.py: some of its characters, without "
                   "hinting and kerning.\n\n")
        file.write(names[0].replace("\r\n", "\n").strip() + "\n\n")
        file.write(names[13].replace("\r\n", "\n").strip() + "\n")
    em, glyphs = font["head"].unitsPerEm, font["glyf"]
    boxes = [(g.xMax - g.xMin, g.yMax - g.yMin) for g in
             (glyphs[name] for name in font.getGlyphOrder()) if g.numberOfContours != 0]
    print(f"{len(font.getGlyphOrder())} glyphs, {len(font.getBestCmap())} characters, "
          f"{len(buffer.getvalue())} bytes; in ems: area {sum(w * h for w, h in boxes) / em**2:.1f}, "
          f"width and height {sum(w + h for w, h in boxes) / em:.1f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
