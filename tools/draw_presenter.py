#!/usr/bin/env python3
"""Draws examples/presenter.png: the portrait that the examples animate.

A frontal face with closed, smiling lips and open eyes in the middle of a 512 x 512 picture, which is
what animation wants of a portrait. Needs skia-python.
Usage: tools/draw_presenter.py [out.png]
"""
import sys

import skia

SIZE = 512
SKIN, SHADE, LINE = (244, 200, 166), (222, 165, 130), (92, 48, 44)
HAIR, HAIR_DARK, HAIR_LIGHT = (112, 62, 44), (74, 38, 32), (170, 104, 66)
JACKET, JACKET_DARK, SHIRT = (38, 92, 122), (24, 60, 84), (250, 246, 238)
LIPS, IRIS = (200, 78, 84), (70, 118, 92)


def colour(c, alpha=255):
    return skia.Color(*c, alpha)


def fill(c, alpha=255):
    return skia.Paint(AntiAlias=True, Color=colour(c, alpha))


def line(c, width, alpha=255):
    return skia.Paint(
        AntiAlias=True,
        Color=colour(c, alpha),
        Style=skia.Paint.kStroke_Style,
        StrokeWidth=width,
        StrokeCap=skia.Paint.kRound_Cap,
        StrokeJoin=skia.Paint.kRound_Join,
    )


def linear(start, end, first, last):
    points = [skia.Point(*start), skia.Point(*end)]
    return skia.Paint(AntiAlias=True, Shader=skia.GradientShader.MakeLinear(points, [colour(first), colour(last)]))


def radial(centre, radius, first, last, alpha_last=255):
    shader = skia.GradientShader.MakeRadial(skia.Point(*centre), radius, [colour(first), colour(last, alpha_last)])
    return skia.Paint(AntiAlias=True, Shader=shader)


def curve(points, closed=True):
    """A Catmull-Rom curve through the points."""
    n, path = len(points), skia.Path()
    path.moveTo(*points[0])
    for i in range(n if closed else n - 1):
        if closed:
            p0, p1, p2, p3 = (points[(i + k) % n] for k in (-1, 0, 1, 2))
        else:
            p0, p1, p2, p3 = points[max(i - 1, 0)], points[i], points[i + 1], points[min(i + 2, n - 1)]
        path.cubicTo(
            p1[0] + (p2[0] - p0[0]) / 6, p1[1] + (p2[1] - p0[1]) / 6,
            p2[0] - (p3[0] - p1[0]) / 6, p2[1] - (p3[1] - p1[1]) / 6,
            p2[0], p2[1],
        )  # fmt: skip
    if closed:
        path.close()
    return path


def mirrored(points):
    """A closed outline from its left half, given from the top to the bottom of the axis x = 256."""
    return points + [(SIZE - x, y) for x, y in reversed(points) if x != SIZE / 2]


def background(canvas):
    canvas.drawPaint(linear((0, 0), (180, SIZE), (250, 226, 196), (240, 190, 164)))
    canvas.drawCircle(256, 238, 214, fill((255, 242, 222), 190))
    canvas.drawCircle(256, 238, 186, fill((255, 248, 236), 150))
    for x, y, r in ((58, 92, 16), (452, 70, 22), (470, 300, 11), (38, 316, 13)):
        canvas.drawCircle(x, y, r, fill((255, 250, 240), 170))


def back_hair(canvas):
    half = [(256, 66), (178, 82), (124, 150), (112, 240), (104, 318), (120, 372), (172, 384), (256, 372)]
    path = curve(mirrored(half))
    canvas.drawPath(path, linear((256, 80), (256, 390), HAIR, HAIR_DARK))
    canvas.drawPath(path, line(HAIR_DARK, 5))


def body(canvas):
    neck = curve([(214, 316), (298, 316), (304, 402), (256, 424), (208, 402)])
    canvas.drawPath(neck, linear((256, 330), (256, 420), SHADE, SKIN))
    shirt = curve([(200, 392), (256, 440), (312, 392), (330, 520), (256, 540), (182, 520)])
    canvas.drawPath(shirt, fill(SHIRT))
    for side in (-1, 1):
        canvas.save()
        canvas.translate(256, 0)
        canvas.scale(side, 1)
        jacket = skia.Path()
        jacket.moveTo(46, 382)
        jacket.cubicTo(110, 396, 206, 412, 232, 530)
        jacket.lineTo(0, 530)
        jacket.cubicTo(20, 490, 40, 440, 46, 382)
        canvas.drawPath(jacket, linear((0, 390), (60, 520), JACKET, JACKET_DARK))
        canvas.drawPath(jacket, line((18, 44, 62), 5))
        lapel = skia.Path()
        lapel.moveTo(48, 384)
        lapel.cubicTo(70, 420, 80, 440, 84, 456)
        lapel.lineTo(62, 460)
        lapel.lineTo(68, 480)
        lapel.cubicTo(44, 496, 22, 512, 4, 528)
        lapel.cubicTo(26, 480, 42, 440, 48, 384)
        canvas.drawPath(lapel, fill((52, 114, 146)))
        canvas.drawPath(lapel, line((18, 44, 62), 4))
        canvas.restore()
    canvas.drawLine(212, 340, 209, 380, line(LINE, 4))
    canvas.drawLine(300, 340, 303, 380, line(LINE, 4))
    canvas.drawCircle(356, 470, 9, fill((244, 190, 72)))
    canvas.drawCircle(356, 470, 9, line((150, 104, 30), 3))


def face(canvas):
    for side in (-1, 1):
        x = 256 + side * 112
        ear = skia.Rect(x - 17, 218, x + 17, 268)
        canvas.drawOval(ear, fill(SKIN))
        canvas.drawOval(ear, line(LINE, 4.5))
        canvas.drawCircle(x + side * 1, 277, 7, fill((244, 190, 72)))
        canvas.drawCircle(x + side * 1, 277, 7, line((150, 104, 30), 2.5))
    half = [(256, 104), (186, 122), (146, 196), (148, 268), (174, 322), (214, 358), (256, 370)]
    path = curve(mirrored(half))
    canvas.drawPath(path, radial((232, 206), 220, (252, 216, 186), (232, 178, 142)))
    canvas.save()
    canvas.clipPath(path, True)
    for side in (-1, 1):
        centre = (256 + side * 66, 284)
        canvas.drawCircle(*centre, 32, radial(centre, 32, (244, 164, 142), (244, 190, 158), 0))
    canvas.restore()
    canvas.drawPath(path, line(LINE, 5))


def eyes(canvas):
    for side in (-1, 1):
        canvas.save()
        canvas.translate(256 + side * 47, 226)
        canvas.scale(side, 1)
        white = skia.Path()
        white.moveTo(-26, 4)
        white.cubicTo(-18, -26, 18, -26, 27, 2)
        white.cubicTo(20, 23, -18, 23, -26, 4)
        canvas.drawPath(white, fill((255, 253, 250)))
        canvas.save()
        canvas.clipPath(white, True)
        canvas.drawCircle(0, -1, 15, fill(IRIS))
        canvas.drawCircle(0, 4, 10, fill((120, 168, 132)))
        canvas.drawCircle(0, -1, 15, line((34, 66, 52), 3))
        canvas.drawCircle(0, -1, 7.5, fill((22, 18, 22)))
        canvas.drawOval(skia.Rect(-27, -30, 27, -10), fill((110, 110, 140), 70))
        canvas.restore()
        upper = skia.Path()
        upper.moveTo(-26, 4)
        upper.cubicTo(-18, -26, 18, -26, 27, 2)
        canvas.drawPath(white, line((120, 70, 62), 2))
        canvas.drawPath(upper, line((44, 26, 28), 5.5))
        canvas.drawLine(27, 2, 35, -5, line((44, 26, 28), 4.5))
        canvas.drawLine(20, -10, 27, -17, line((44, 26, 28), 3.5))
        brow = curve([(-26, -39), (2, -46), (28, -32)], closed=False)
        canvas.drawPath(brow, line(HAIR_DARK, 8))
        canvas.restore()
        # The light comes from one side, so its reflection is not mirrored.
        canvas.drawCircle(256 + side * 47 - 5, 219, 4.8, fill((255, 255, 255)))
        canvas.drawCircle(256 + side * 47 + 6, 231, 2.2, fill((255, 255, 255), 200))


def nose_and_mouth(canvas):
    canvas.drawPath(curve([(247, 268), (256, 275), (267, 268)], closed=False), line(LINE, 4.5))
    upper = skia.Path()
    upper.moveTo(214, 306)
    upper.cubicTo(232, 298, 246, 295, 256, 300)
    upper.cubicTo(266, 295, 280, 298, 298, 306)
    upper.cubicTo(276, 330, 236, 330, 214, 306)
    canvas.drawPath(upper, fill(LIPS))
    lower = curve([(228, 316), (256, 326), (284, 316), (256, 320)])
    canvas.drawPath(lower, fill((228, 120, 118)))
    smile = curve([(210, 303), (232, 312), (256, 315), (280, 312), (302, 303)], closed=False)
    canvas.drawPath(smile, line((112, 30, 42), 4.5))
    for x, bend in ((206, -1), (306, 1)):
        canvas.drawPath(curve([(x, 297), (x + bend * 3, 303), (x, 309)], closed=False), line(SHADE, 3.5))
    canvas.drawPath(curve([(244, 340), (256, 344), (268, 340)], closed=False), line(SHADE, 4, 160))


def front_hair(canvas):
    fringe = [
        (142, 268), (126, 214), (134, 140), (188, 84), (262, 68), (330, 88), (378, 146), (386, 214), (370, 268),
        (364, 222), (346, 176), (300, 146), (262, 128), (224, 158), (172, 186), (150, 222),
    ]  # fmt: skip
    path = curve(fringe)
    canvas.drawPath(path, linear((200, 70), (330, 260), HAIR, (92, 48, 36)))
    canvas.save()
    canvas.clipPath(path, True)
    for k in range(5):
        strand = curve([(262 - 26 * k, 70 + 6 * k), (216 - 22 * k, 118 + 10 * k), (178 - 14 * k, 196 + 8 * k)], closed=False)
        canvas.drawPath(strand, line(HAIR_DARK, 2.5, 110))
        strand = curve([(276 + 24 * k, 74 + 6 * k), (322 + 18 * k, 120 + 10 * k), (356 + 10 * k, 196 + 8 * k)], closed=False)
        canvas.drawPath(strand, line(HAIR_DARK, 2.5, 110))
    canvas.drawPath(curve([(176, 120), (214, 96), (252, 88)], closed=False), line(HAIR_LIGHT, 9, 190))
    canvas.drawPath(curve([(290, 92), (318, 102), (336, 118)], closed=False), line(HAIR_LIGHT, 7, 150))
    canvas.restore()
    canvas.drawPath(path, line(HAIR_DARK, 5))


def main():
    surface = skia.Surface(SIZE, SIZE)
    with surface as canvas:
        background(canvas)
        back_hair(canvas)
        body(canvas)
        face(canvas)
        nose_and_mouth(canvas)
        eyes(canvas)
        front_hair(canvas)
    out = sys.argv[1] if len(sys.argv) > 1 else "examples/presenter.png"
    surface.makeImageSnapshot().convert(alphaType=skia.kOpaque_AlphaType).save(out, skia.kPNG)


if __name__ == "__main__":
    main()
