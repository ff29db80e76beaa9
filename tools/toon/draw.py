"""Draws characters: cartoon busts, antialiased, the same at every size.

The head's outline, the hair and the hats are points in three dimensions, the face is drawn in the
tangent frame of the head's ellipsoid, and shoulders and background stand still.  Units as in
characters.py.
"""
import math
import random

import numpy as np
import skia

from characters import (BACKGROUND, BLINK_L, BLINK_R, BROW, CLOTHES, EYES, GAZE_REACH, GAZE_X,
                        GAZE_Y, HAIR, JAW, SCALE, SKIN, TX, TY, Face,
                        character, mood_motion, random_motion, rotation)

INK = (44, 28, 40)
INSIDE = (112, 26, 44)
TONGUE = (238, 112, 118)
WHITE = (255, 255, 255)


def scaled(c, f):
    return tuple(max(0, min(255, int(v * f))) for v in c)


def mix(c, d, t):
    return tuple(int(u * (1 - t) + v * t) for u, v in zip(c, d))


def colour(c, alpha=255):
    return skia.Color(int(c[0]), int(c[1]), int(c[2]), int(alpha))


def fill(c, alpha=255):
    return skia.Paint(AntiAlias=True, Color=colour(c, alpha))


def stroke(c, width, alpha=255):
    return skia.Paint(AntiAlias=True, Color=colour(c, alpha), Style=skia.Paint.kStroke_Style,
                      StrokeWidth=width, StrokeCap=skia.Paint.kRound_Cap,
                      StrokeJoin=skia.Paint.kRound_Join)


def polygon(points):
    path = skia.Path()
    path.moveTo(float(points[0][0]), float(points[0][1]))
    for p in points[1:]:
        path.lineTo(float(p[0]), float(p[1]))
    path.close()
    return path


def spline(points, closed=True):
    """A Catmull-Rom curve through the points."""
    p = [(float(q[0]), float(q[1])) for q in points]
    n, path = len(p), skia.Path()
    path.moveTo(*p[0])
    for i in range(n if closed else n - 1):
        if closed:
            a, b, c, d = p[i - 1], p[i], p[(i + 1) % n], p[(i + 2) % n]
        else:
            a, b, c, d = p[max(i - 1, 0)], p[i], p[i + 1], p[min(i + 2, n - 1)]
        path.cubicTo(b[0] + (c[0] - a[0]) / 6, b[1] + (c[1] - a[1]) / 6,
                     c[0] - (d[0] - b[0]) / 6, c[1] - (d[1] - b[1]) / 6, c[0], c[1])
    if closed:
        path.close()
    return path


def oval(x, y, rx, ry):
    path = skia.Path()
    path.addOval(skia.Rect(x - rx, y - ry, x + rx, y + ry))
    return path


def lens(w, corner, upper, lower):
    """The shape between two arcs from (-w, corner) to (w, corner), and its upper arc."""
    u, v = corner + 4 / 3 * (upper - corner), corner + 4 / 3 * (lower - corner)
    top = skia.Path()
    top.moveTo(-w, corner)
    top.cubicTo(-.6 * w, u, .6 * w, u, w, corner)
    whole = skia.Path(top)
    whole.cubicTo(.6 * w, v, -.6 * w, v, -w, corner)
    whole.close()
    return whole, top


def outline(c):
    """The line around a fill: its own colour, darkened; softer on the eye than black."""
    return mix(scaled(c, .45), INK, .45)


class Bust:
    """One drawing: the canvas, the character, the motion, and the head's projection."""

    def __init__(self, canvas, a, shape, motion):
        self.cv, self.a, self.m = canvas, a, motion
        self.f = Face(a, shape)
        self.turn = rotation(*motion[:3]) * float(motion[SCALE])
        self.x, self.y = self.f.x + 128 * motion[TX], self.f.y + 128 * motion[TY]
        self.skin, self.hair = SKIN[a['skin']], HAIR[a['hair_colour']]
        self.cloth, self.felt = CLOTHES[a['clothes_colour']], CLOTHES[a['hat_colour']]
        self.back = BACKGROUND[a['background']]
        self.line, self.frames = 2.6, []
        self.placed, self.hidden, self.covered = [], [], 0  # see marks()
        self.tangent = False

    def project(self, points):
        p = np.asarray(points, float) @ self.turn.T
        p[:, :2] += self.x, self.y
        self.place(p)
        return p[:, :2]

    def place(self, points):
        self.placed.append(points)
        self.hidden.append(np.zeros(len(points), bool))

    def cover(self, path):
        """What was placed before this part's own points and lies in its path cannot be seen."""
        for points, hidden in zip(self.placed[:self.covered], self.hidden):
            hidden |= [path.contains(float(x), float(y)) for x, y, _ in points]
        self.covered = len(self.placed)

    def at(self, points, lift=1.03):
        """Points in units of the ellipsoid: (x, y) lie on its front, (x, y, z) where they say."""
        f = self.f
        return self.project([[p[0] * f.a, p[1] * f.b, p[2] * f.c] if len(p) > 2
                             else f.surface(p[0], p[1], lift) for p in points])

    def frame(self, x, y, lift=1.):
        """The tangent frame at (x, y); foreshortening is softened, as cartoons do."""
        f, r = self.f, self.turn
        z = math.sqrt(max(.04, 1 - x * x - y * y))
        o = r @ np.array([x * f.a, y * f.b, -f.c * lift * z])
        ux = r @ np.array([1, 0, f.c * x / (f.a * z)])
        uy = r @ np.array([0, 1, f.c * y / (f.b * z)])
        e, g = .55 * r[:, 0] + .45 * ux, .55 * r[:, 1] + .45 * uy
        self.frames.append((o + [self.x, self.y, 0], e, g))
        m = skia.Matrix()
        m.setAll(e[0], g[0], self.x + o[0], e[1], g[1], self.y + o[1], 0, 0, 1)
        return m

    def mark(self, *points):
        """Places points of the last tangent frame."""
        o, e, g = self.frames[-1]
        self.place(np.array([o + u * e + v * g for u, v in points]))

    def part(self, path, c, width=None, shade=None):
        """A filled part with its outline; `shade` draws inside it."""
        if not self.tangent:
            self.cover(path)
        self.cv.drawPath(path, fill(c))
        if shade:
            self.cv.save()
            self.cv.clipPath(path, True)
            shade()
            self.cv.restore()
        self.cv.drawPath(path, stroke(outline(c), width or self.line))

    def local(self, x, y, lift=1.):
        self.cv.save()
        self.cv.concat(self.frame(x, y, lift))
        self.tangent = True

    def upright(self):
        self.cv.restore()
        self.tangent = False

    def draw(self):
        self.background()
        self.back_hair()
        self.body()
        self.neck()
        self.clothes()
        self.head()
        self.beard()
        self.mouth()
        for side, blink in ((-1, self.m[BLINK_L]), (1, self.m[BLINK_R])):
            self.eye(side, float(blink))
        self.nose()
        self.front_hair()
        for side in (-1, 1):
            self.brow(side)
        self.glasses()
        self.hat()
        if self.a['glasses'] == 'goggles':
            self.goggles()

    def background(self):
        self.cv.drawPaint(fill(self.back))
        self.cv.drawCircle(128, 126, 108, fill(mix(self.back, WHITE, .45)))

    def back_hair(self):
        style, c = self.a['hair'], self.hair
        dark = scaled(c, .86)
        if style == 'long':
            self.part(spline(self.at([(0, -1.2, .2), (-.9, -1., .2), (-1.26, -.3, .25),
                                      (-1.3, .5, .3), (-1.36, 1.1, .3), (-1.05, 1.5, .3),
                                      (0, 1.4, .3), (1.05, 1.5, .3), (1.36, 1.1, .3),
                                      (1.3, .5, .3), (1.26, -.3, .25), (.9, -1., .2)])), dark)
        elif style == 'bob':
            self.part(spline(self.at([(0, -1.2, .2), (-.9, -1., .2), (-1.26, -.3, .25),
                                      (-1.34, .4, .25), (-1.2, .85, .25), (-.6, .88, .3),
                                      (.6, .88, .3), (1.2, .85, .25), (1.34, .4, .25),
                                      (1.26, -.3, .25), (.9, -1., .2)])), dark)
        elif style == 'curly':
            path = skia.Path()
            n = 13
            puffs = self.at([(1.16 * math.cos(t), -.22 + 1.02 * math.sin(t), .15)
                             for t in np.linspace(math.pi * .88, math.pi * 2.12, n)])
            for q in puffs:
                path.addCircle(float(q[0]), float(q[1]), 18)
            path.addPath(spline(self.at([(-1.1, 0, .15), (-.8, -.9, .15), (.8, -.9, .15),
                                         (1.1, 0, .15)])))
            self.cover(path)
            self.cv.drawPath(path, stroke(outline(c), 2 * self.line))
            self.cv.drawPath(path, fill(c))
        elif style == 'bun' and self.a['hat'] == 'none':
            q = self.at([(0, -1.34, .2)])[0]
            self.part(oval(q[0], q[1], 20, 18), c)
            self.cv.drawPath(oval(q[0] - 6, q[1] - 6, 6, 4.5), fill(mix(c, WHITE, .35)))

    def body(self):
        x, y = self.f.x, 190.
        half = 70 if self.a['kind'] == 'woman' else 80
        self.collar = (x, y)
        path = skia.Path()
        path.moveTo(x - half - 14, 262)
        path.cubicTo(x - half - 8, 222, x - half + 6, y + 6, x - 24, y - 2)
        path.quadTo(x, y + 8, x + 24, y - 2)
        path.cubicTo(x + half - 6, y + 6, x + half + 8, 222, x + half + 14, 262)
        path.close()

        def shade():
            if self.a['clothes'] == 'striped':
                stripe = (246, 246, 246) if self.a['clothes_colour'] != 'white' else (90, 90, 110)
                for k in range(3):
                    self.cv.drawRect(skia.Rect(0, y + 14 + 22 * k, 256, y + 25 + 22 * k),
                                     fill(stripe))
            self.cv.drawPath(oval(x + half + 12, 262, 46, 58), fill(scaled(self.cloth, .7), 110))
        self.part(path, self.cloth, shade=shade)

    def neck(self):
        x, y = self.collar
        q = self.at([(0, .8, .2)])[0]
        path = polygon([(q[0] - 18, q[1] - 8), (q[0] + 18, q[1] - 8), (x + 19, y - 4),
                        (x + 14, y + 6), (x, y + 11), (x - 14, y + 6), (x - 19, y - 4)])

        def shade():
            chin = self.at([(0, .9, -.2)])[0]
            self.cv.drawPath(oval(chin[0], chin[1] + 4, 34, 19), fill(scaled(self.skin, .82)))
        self.part(path, self.skin, shade=shade)

    def clothes(self):
        (x, y), style, cv = self.collar, self.a['clothes'], self.cv
        dark = scaled(self.cloth, .8)
        if style in ('tshirt', 'striped'):
            path = skia.Path()
            path.moveTo(x - 23, y - 2)
            path.quadTo(x, y + 22, x + 23, y - 2)
            cv.drawPath(path, stroke(outline(self.cloth), 8.5))
            cv.drawPath(path, stroke(dark, 4.2))
        elif style == 'hoodie':
            self.part(spline([(x - 40, y - 2), (x - 24, y - 7), (x, y + 12), (x + 24, y - 7),
                              (x + 40, y - 2), (x + 26, y + 21), (x, y + 33), (x - 26, y + 21)]),
                      dark)
            for s in (-1, 1):
                cv.drawLine(x + s * 13, y + 25, x + s * 15, y + 47, stroke((250, 250, 250), 3.6))
        elif style == 'dress':
            self.part(spline([(x - 38, y + 1), (x - 24, y + 23), (x, y + 31), (x + 24, y + 23),
                              (x + 38, y + 1), (x, y - 8)]), self.skin)
            for k in (-2, -1, 0, 1, 2):
                cv.drawCircle(x + 9 * k, y + 15 - 1.6 * k * k, 4, fill((252, 250, 244)))
        elif style in ('suit', 'labcoat'):
            pale = self.a['clothes_colour'] == 'white'
            shirt = (132, 170, 214) if pale or style == 'labcoat' else (248, 248, 250)
            self.part(polygon([(x - 21, y - 3), (x, y + 12), (x + 21, y - 3), (x + 9, 258),
                               (x - 9, 258)]), shirt, 2)
            if style == 'suit':
                tie = (206, 48, 54) if self.a['clothes_colour'] != 'red' else (50, 72, 160)
                self.part(polygon([(x - 6, y + 14), (x + 6, y + 14), (x + 8, y + 46),
                                   (x, y + 58), (x - 8, y + 46)]), tie, 2)
            lapel = mix(self.cloth, WHITE, .3) if style == 'labcoat' else dark
            for s in (-1, 1):
                self.part(polygon([(x + s * 19, y - 6), (x + s * 36, y + 8), (x + s * 29, y + 28),
                                   (x + s * 36, y + 34), (x + s * 5, 262), (x + s * 7, y + 44)]),
                          lapel, 2.2)
            if style == 'labcoat':
                for dx, c in ((47, (58, 100, 210)), (54, (216, 56, 56))):
                    cv.drawLine(x + dx, y + 27, x + dx, y + 42, stroke(c, 4))
                self.part(polygon([(x + 40, y + 37), (x + 62, y + 36), (x + 62, 270),
                                   (x + 40, 270)]), self.cloth, 2.2)

    def head(self):
        f, m, cv = self.f, self.m, self.cv
        for s in (-1, 1):
            q = self.at([(s, f.eye_y + .18, .1)])[0]
            self.part(oval(q[0], q[1], 9.5, 12.5), self.skin)
            cv.drawPath(oval(q[0], q[1] + 1, 4.2, 6.5), fill(scaled(self.skin, .84)))
            if self.a['kind'] == 'woman' and self.a['hair'] in ('short', 'bun'):
                cv.drawCircle(q[0], q[1] + 16, 3.8, fill((250, 210, 80)))
        a, b, c, j = f.a, f.b, f.c, float(m[JAW])
        self.oval = spline(self.project([
            (0, -b, 0), (-.64 * a, -.8 * b, 0), (-a, -.2 * b, 0), (-a * f.cheek, .38 * b, -.08 * c),
            (-a * f.jaw, .8 * b + 5 * j, -.25 * c), (0, b + 9 * j, -.3 * c),
            (a * f.jaw, .8 * b + 5 * j, -.25 * c), (a * f.cheek, .38 * b, -.08 * c),
            (a, -.2 * b, 0), (.64 * a, -.8 * b, 0)]))

        def shade():
            soft = skia.Path(self.oval)
            soft.offset(-9, -6)
            rim = skia.Op(self.oval, soft, skia.kDifference_PathOp)
            if rim is not None:
                cv.drawPath(rim, fill(scaled(self.skin, .9)))
            for s in (-1, 1):
                self.local(.62 * s, .36)
                cv.drawPath(oval(0, 0, 11, 7.5), fill((244, 96, 96), 80))
                self.upright()
        self.part(self.oval, self.skin, shade=shade)

    def beard(self):
        f, cv, j = self.f, self.cv, float(self.m[JAW])
        kind, c = self.a['beard'], self.hair
        a, b, d = f.a, f.b, f.c
        if kind == 'beard':
            low, side = 1.22 * b + 11 * j, .84 * b + 6 * j
            self.part(spline(self.project([
                (-1.03 * a, -.04 * b, 0), (-.9 * a, .3 * b, -.3 * d), (-.62 * a, .5 * b, -.62 * d),
                (-.38 * a, .44 * b, -.82 * d), (-.14 * a, .375 * b, -.94 * d),
                (0, .405 * b, -.94 * d), (.14 * a, .375 * b, -.94 * d),
                (.38 * a, .44 * b, -.82 * d), (.62 * a, .5 * b, -.62 * d),
                (.9 * a, .3 * b, -.3 * d), (1.03 * a, -.04 * b, 0), (1.05 * a, .4 * b, 0),
                (.86 * a, side, -.1 * d), (.5 * a, 1.1 * b + 9 * j, -.25 * d),
                (0, low, -.3 * d), (-.5 * a, 1.1 * b + 9 * j, -.25 * d),
                (-.86 * a, side, -.1 * d), (-1.05 * a, .4 * b, 0)])), c)
        elif kind == 'mustache':
            _, corner, upper, _ = f.mouth(self.m)
            self.local(0, f.mouth_y)
            y = upper - 6
            self.part(spline([(0, y - 9), (-12, y - 10), (-25, y - 1), (-33, y - 7),
                              (-27, y + 6), (-11, y + 3), (0, y), (11, y + 3), (27, y + 6),
                              (33, y - 7), (25, y - 1), (12, y - 10)]), c, 2.2)
            self.upright()

    def mouth(self):
        f, cv = self.f, self.cv
        w, corner, upper, lower = f.mouth(self.m)
        whole, top = lens(w, corner, upper, lower)
        woman = self.a['kind'] == 'woman'
        lip = mix(self.skin, (206, 44, 78), .7) if woman else mix(scaled(self.skin, .5), INK, .4)
        if self.a['beard'] == 'beard':
            lip = (226, 140, 130)
        self.local(0, f.mouth_y)
        cv.drawPath(whole, stroke(lip, 6.4 if woman or self.a['beard'] == 'beard' else 4.2))
        if lower - upper > 1:
            cv.drawPath(whole, fill(INSIDE))
            cv.save()
            cv.clipPath(whole, True)
            gap = lower - upper
            cv.drawOval(skia.Rect(-.62 * w, lower - .4 * gap, .62 * w, lower + 12), fill(TONGUE))
            height = min(7.5, .36 * gap)
            teeth = skia.Path(top)
            u = corner + 4 / 3 * (upper - corner)
            teeth.lineTo(w, corner + height)
            teeth.cubicTo(.6 * w, u + height, -.6 * w, u + height, -w, corner + height)
            teeth.close()
            cv.drawPath(teeth, fill((255, 253, 250)))
            cv.restore()
        cv.drawPath(whole, stroke(mix(scaled(lip, .6), INK, .5), 2.4))
        self.upright()

    def eye(self, side, blink):
        f, m, cv = self.f, self.m, self.cv
        w, h = f.eye_w, f.eye_h
        up, low = f.lids(blink)
        mid = .42 * h * blink
        self.local(side * f.eye_x, f.eye_y)
        self.mark((-w, 0), (w, 0), (0, -h), (0, h))
        whole, top = lens(w, mid, up, low)
        cv.drawPath(oval(0, 0, w, h), fill(scaled(self.skin, .9)))
        if blink < .97:
            cv.drawPath(whole, fill((255, 255, 253)))
            cv.save()
            cv.clipPath(whole, True)
            x = GAZE_REACH[0] * w * float(m[GAZE_X])
            y = GAZE_REACH[1] * h * float(m[GAZE_Y])
            iris, r = EYES[self.a['eyes']], .7 * w
            cv.drawCircle(x, y, r, fill(iris))
            cv.drawCircle(x, y, r, stroke(scaled(iris, .55), 1.6))
            cv.drawCircle(x, y, .5 * r, fill((28, 20, 28)))
            cv.drawCircle(x - .36 * r, y - .42 * r, .34 * r, fill(WHITE))
            cv.drawCircle(x + .38 * r, y + .4 * r, .17 * r, fill(WHITE, 220))
            cv.restore()
        lid = mix(scaled(self.skin, .35), INK, .6)
        cv.drawPath(whole, stroke(lid, 1.6))
        woman = self.a['kind'] == 'woman'
        cv.drawPath(top, stroke(INK, 3.8 if woman else 2.8))
        if woman:
            s = side
            cv.drawLine(s * w, mid, s * (w + 6), mid - 5 + 5 * blink, stroke(INK, 2.8))
            cv.drawLine(s * .86 * w, .5 * (mid + up), s * (w + 3), .5 * (mid + up) - 5 + 6 * blink,
                        stroke(INK, 2.4))
        self.upright()

    def nose(self):
        self.local(0, self.f.nose, 1.15)
        self.mark((-8, 0), (8, 0))
        if self.a['kind'] == 'woman':
            self.cv.drawPath(spline([(-5, 1), (0, 4), (5, 1)], False),
                             stroke(mix(scaled(self.skin, .6), INK, .25), 2.6))
        else:
            self.part(oval(0, 0, 8, 6.5), mix(self.skin, (240, 120, 100), .35), 2)
            self.cv.drawCircle(-2.6, -2.2, 2, fill(WHITE, 150))
        self.upright()

    def front_hair(self):
        style, c, hat = self.a['hair'], self.hair, self.a['hat']
        cap = [(-1.03, -.05, 0), (-1.12, -.55, 0), (-.76, -1.08, 0), (0, -1.22, -.1),
               (.76, -1.08, 0), (1.12, -.55, 0), (1.03, -.05, 0)]
        low = [(-1.02, -.08, 0), (-1.09, -.5, 0), (-.78, -1.02, 0), (-.1, -1.19, -.1),
               (.5, -1.15, 0), (.9, -.92, 0), (1.09, -.5, 0), (1.02, -.08, 0)]
        fringe = {'short': [(.93, -.3), (.78, -.52), (.58, -.42), (.34, -.62), (.1, -.43),
                            (-.16, -.61), (-.42, -.38), (-.64, -.56), (-.8, -.3), (-.93, -.24)],
                  'long': [(.93, -.12), (.66, -.46), (.14, -.72), (-.2, -.66), (-.64, -.42),
                           (-.93, -.12)],
                  'bun': [(.93, -.2), (.82, -.46), (.44, -.7), (0, -.9), (-.44, -.7), (-.82, -.46),
                          (-.93, -.2)],
                  'bob': [(.95, -.1), (.82, -.36), (.3, -.46), (-.3, -.46), (-.82, -.36),
                          (-.95, -.1)]}
        if style in fringe:
            self.part(spline(self.at((low if style == 'short' else cap) + fringe[style])), c)
            if hat == 'none' and self.a['glasses'] != 'goggles':
                shine = spline(self.at([(-.62, -.78, -.4), (-.34, -.92, -.4), (-.04, -.96, -.4)]),
                               False)
                self.cv.drawPath(shine, stroke(mix(c, WHITE, .5), 4.6, 210))
        elif style == 'curly':
            path = skia.Path()
            for q in self.at([(-.8, -.5), (-.48, -.7), (-.16, -.62), (.16, -.7), (.48, -.62),
                              (.8, -.5)]):
                path.addCircle(float(q[0]), float(q[1]), 13.5)
            self.cover(path)
            self.cv.drawPath(path, stroke(outline(c), 2 * self.line))
            self.cv.drawPath(path, fill(c))
            self.cv.drawPath(spline(self.at([(-.7, -.62), (-.5, -1.0, 0), (0, -1.16, 0),
                                             (.5, -1.0, 0), (.7, -.62), (0, -.78)])), fill(c))
        elif style == 'spiked':
            self.part(polygon(self.at([
                (-1.02, -.1, 0), (-1.34, -.45, 0), (-1.04, -.6, 0), (-1.2, -1.05, 0),
                (-.66, -1., 0), (-.52, -1.44, 0), (-.1, -1.1, -.1), (.22, -1.5, -.1),
                (.5, -1.04, 0), (1.04, -1.2, 0), (1.0, -.66, 0), (1.34, -.5, 0), (1.02, -.1, 0),
                (.86, -.38), (.6, -.36), (.44, -.62), (.18, -.4), (-.04, -.64), (-.26, -.4),
                (-.46, -.62), (-.66, -.34), (-.86, -.38)])), c)
        elif style == 'mohawk':
            self.part(polygon(self.at([
                (-.24, -.56), (-.32, -.86, -.4), (-.5, -1.2, -.2), (-.28, -1.2, -.1),
                (-.2, -1.55, 0), (0, -1.32, 0), (.2, -1.55, 0), (.28, -1.2, -.1),
                (.5, -1.2, -.2), (.32, -.86, -.4), (.24, -.56), (0, -.68)])), c)

    def brow(self, side):
        f, lift = self.f, float(self.m[BROW])
        c = scaled(self.hair, .7) if self.a['hair'] != 'bald' or self.a['beard'] != 'none' \
            else (70, 48, 40)
        if self.a['hair_colour'] in ('white', 'gray') and c != (70, 48, 40):
            c = (116, 116, 124)
        self.local(side * f.eye_x, f.eye_y - f.brow)
        self.cv.translate(0, -7 * lift)
        self.cv.rotate(side * (13 * lift - 2))
        n = 13
        path = spline([(-side * n, 2), (0, -2.4), (side * n, 1.6)], False)
        self.cv.drawPath(path, stroke(c, 4 if self.a['kind'] == 'woman' else 5.6))
        self.upright()

    def glasses(self):
        kind, f, cv = self.a['glasses'], self.f, self.cv
        if kind not in ('round', 'square', 'sunglasses'):
            return
        rim, inner = (48, 38, 50), []
        for s in (-1, 1):
            m = self.frame(s * f.eye_x, f.eye_y + .02, 1.1)
            end = m.mapXY(s * 20, -3)
            inner.append(m.mapXY(-s * 19, -3))
            ear = self.at([(s * 1.02, f.eye_y + .02, 0)])[0]
            cv.drawLine(end.x(), end.y(), float(ear[0]), float(ear[1]), stroke(rim, 3.4))
        cv.drawLine(inner[0], inner[1], stroke(rim, 4))
        for s in (-1, 1):
            self.local(s * f.eye_x, f.eye_y + .02, 1.1)
            self.mark((-20, 0), (20, 0), (0, -17), (0, 17))
            if kind == 'round':
                path = oval(0, 0, 20.5, 20.5)
            elif kind == 'square':
                path = skia.Path()
                path.addRoundRect(skia.Rect(-20.5, -17.5, 20.5, 17.5), 4, 4)
            else:
                path = spline([(-21, -15), (0, -16), (21, -15), (18, 12), (0, 19), (-18, 12)])
            if kind == 'sunglasses':
                cv.drawPath(path, fill((38, 36, 46)))
                cv.drawLine(-9, 4, 0, -8, stroke((140, 150, 172), 3.6))
            else:
                cv.drawPath(path, fill((224, 242, 255), 50))
            cv.drawPath(path, stroke(rim, 3.8))
            self.upright()

    def goggles(self):
        cv = self.cv
        hat = self.a['hat'] != 'none'
        y = -.66 if not hat else -.6
        cv.drawPath(spline(self.at([(-1.07, y + .16, 0), (-.55, y), (0, y - .04), (.55, y),
                                    (1.07, y + .16, 0)], 1.1), False), stroke((84, 64, 54), 8))
        for s in (-1, 1):
            self.local(.31 * s, y, 1.2)
            self.mark((-17, 0), (17, 0), (0, -15), (0, 15))
            cv.drawPath(oval(0, 0, 17, 15.5), fill((206, 150, 62)))
            cv.drawPath(oval(0, 0, 17, 15.5), stroke(INK, 2.2))
            cv.drawPath(oval(0, 0, 11.5, 10.5), fill((132, 226, 216)))
            cv.drawPath(oval(0, 0, 11.5, 10.5), stroke(INK, 2))
            cv.drawLine(-5, 2, 1, -5, stroke(WHITE, 3, 230))
            self.upright()

    def hat(self):
        kind, c = self.a['hat'], self.felt
        light, dark = mix(c, WHITE, .3), scaled(c, .76)
        if kind == 'beanie':
            q = self.at([(0, -1.52, 0)])[0]
            self.part(oval(q[0], q[1], 12, 11), light)
            self.part(spline(self.at([(-1.1, -.5, 0), (-1.08, -.95, 0), (-.6, -1.36, 0),
                                      (0, -1.46, 0), (.6, -1.36, 0), (1.08, -.95, 0),
                                      (1.1, -.5, 0), (.6, -.62), (0, -.66), (-.6, -.62)])), c)
            self.part(spline(self.at([(-1.14, -.38, 0), (-1.14, -.64, 0), (-.7, -.78, -.6),
                                      (0, -.84, -.68), (.7, -.78, -.6), (1.14, -.64, 0),
                                      (1.14, -.38, 0), (.7, -.52, -.72), (0, -.58, -.85),
                                      (-.7, -.52, -.72)])), dark)
        elif kind == 'cap':
            self.part(spline(self.at([(-1.1, -.42, 0), (-1.06, -.92, 0), (-.58, -1.34, 0),
                                      (0, -1.42, 0), (.58, -1.34, 0), (1.06, -.92, 0),
                                      (1.1, -.42, 0), (.6, -.66), (0, -.72), (-.6, -.66)])), c)
            q = self.at([(0, -1.42, 0)])[0]
            self.part(oval(q[0], q[1], 5, 4), dark, 2)
            self.part(spline(self.at([(-.86, -.62, -.45), (0, -.76, -.75), (.86, -.62, -.45),
                                      (.98, -.46, -1.1), (0, -.5, -1.5), (-.98, -.46, -1.1)])),
                      dark)
        elif kind == 'tophat':
            self.part(polygon(self.at([(-.78, -.66, -.2), (-.86, -1.74, 0), (.86, -1.74, 0),
                                       (.78, -.66, -.2)])), c)
            band = (232, 214, 150) if self.a['hat_colour'] != 'yellow' else (200, 60, 60)
            self.part(polygon(self.at([(-.79, -.72, -.2), (-.81, -.96, -.15), (.81, -.96, -.15),
                                       (.79, -.72, -.2)])), band, 2)
            self.brim(dark)
        elif kind == 'wizard':
            self.part(spline(self.at([(-.92, -.62, -.1), (-.5, -1.1, 0), (-.12, -1.66, .1),
                                      (.16, -1.78, .1), (.5, -1.1, 0), (.92, -.62, -.1),
                                      (0, -.7, -.5)])), c)
            for x, y, r in ((-.3, -.94, 5), (.22, -1.04, 6), (-.02, -1.4, 4.5)):
                q = self.at([(x, y, -.25)])[0]
                self.cv.drawCircle(float(q[0]), float(q[1]), r, fill((255, 226, 96)))
            self.brim(dark)

    def brim(self, c):
        self.part(spline(self.at([(-1.42, -.5, .1), (-.74, -.68, -.5), (0, -.74, -.7),
                                  (.74, -.68, -.5), (1.42, -.5, .1), (.74, -.42, -.9),
                                  (0, -.4, -1.05), (-.74, -.42, -.9)])), c)


def render(a, shape, motion, size=256):
    """RGB [size,size,3] uint8."""
    pixels = np.zeros((size, size, 4), np.uint8)
    surface = skia.Surface(pixels, colorType=skia.kRGBA_8888_ColorType)
    canvas = surface.getCanvas()
    canvas.scale(size / 256, size / 256)
    Bust(canvas, a, shape, motion).draw()
    surface.flushAndSubmit()
    return pixels[:, :, :3].copy()


def marks(a, shape, motion):
    """Where points of the head lie, [n,3] in units of 128 from the canvas's centre, and which are hidden.

    They are the points that hair, hats, glasses and the head's outline are drawn from, and the edges of
    the eyes, not brows and lips.  n and the order depend on attributes alone, so two motions of a
    character give pairs.
    """
    bust = Bust(skia.Surface(1, 1).getCanvas(), a, shape, motion)
    bust.draw()
    return (np.concatenate(bust.placed) / 128 - [1, 1, 0]).astype(np.float32), \
        np.concatenate(bust.hidden)


def sheet(pictures, columns):
    """Pictures of equal size side by side, as one array."""
    rows = [np.concatenate(pictures[i:i + columns], 1) for i in range(0, len(pictures), columns)]
    return np.concatenate([r for r in rows if r.shape == rows[0].shape], 0)


def main():
    from PIL import Image
    rng = random.Random(1)
    pictures = []
    for i in range(16):
        a, shape = character(i)
        pictures.append(render(a, shape, mood_motion(a['mood'])))
    for i in range(16):
        a, shape = character(100 + i)
        pictures.append(render(a, shape, random_motion(rng)))
    Image.fromarray(sheet(pictures, 8)).save('characters.png')


if __name__ == '__main__':
    main()
