"""Cartoon characters: what they look like, how they move, where their features lie.

A character is a dict of attributes (ATTRIBUTES lists every value) and a shape (seven numbers in
-1..1, all zero for the standard face).  A frame is that character under 15 motion values in the
engine's order (MOTION).  The head is an ellipsoid turned by R = Rz(roll) Ry(yaw) Rx(pitch).

Units: the canvas is 256 wide whatever the size drawn, y down, z inward, angles in degrees;
tx and ty are in halves of the canvas (1 = 128 units).  `l` and `r` are left and right in the image.

landmarks() gives 21 points in units of 128: canonical, for a neutral face, and the offsets that an
expression adds before the head turns.  Besides the features of the face they sit on hat, hair and
jaw, for a point that only shifts must stand near everything that turns.
"""
import math
import random

import numpy as np

MOTION = ('yaw', 'pitch', 'roll', 'tx', 'ty', 'scale', 'jaw', 'lip_round', 'lip_wide', 'smile',
          'blink_l', 'blink_r', 'brow', 'gaze_x', 'gaze_y')
YAW, PITCH, ROLL, TX, TY, SCALE, JAW, ROUND, WIDE, SMILE, BLINK_L, BLINK_R, BROW, GAZE_X, GAZE_Y = \
    range(15)
CONTROLS = MOTION[JAW:]
POINTS = 21

SKIN = {'pale': (253, 222, 200), 'tan': (236, 184, 136), 'brown': (172, 112, 70),
        'dark': (106, 68, 50)}
HAIR = {'black': (46, 42, 54), 'brown': (120, 74, 44), 'blonde': (246, 208, 96),
        'red': (212, 74, 38), 'gray': (160, 162, 172), 'white': (242, 242, 244),
        'blue': (48, 112, 226), 'green': (62, 172, 84), 'pink': (248, 126, 182),
        'purple': (140, 74, 196)}
CLOTHES = {'red': (214, 48, 52), 'blue': (48, 92, 200), 'green': (50, 146, 78),
           'yellow': (248, 206, 60), 'purple': (134, 70, 180), 'orange': (244, 136, 40),
           'black': (54, 54, 64), 'white': (243, 243, 245), 'pink': (248, 146, 190),
           'brown': (130, 84, 52)}
BACKGROUND = {'blue': (150, 200, 244), 'green': (172, 224, 166), 'yellow': (253, 236, 150),
              'pink': (252, 200, 216), 'orange': (253, 202, 144), 'purple': (204, 180, 240),
              'gray': (200, 204, 212), 'white': (250, 250, 250)}
EYES = {'brown': (112, 66, 34), 'blue': (58, 128, 214), 'green': (56, 150, 84),
        'gray': (126, 134, 146)}
ATTRIBUTES = {
    'kind': ('man', 'woman'), 'skin': tuple(SKIN),
    'hair': ('bald', 'short', 'long', 'curly', 'spiked', 'bun', 'mohawk', 'bob'),
    'hair_colour': tuple(HAIR), 'eyes': tuple(EYES),
    'glasses': ('none', 'round', 'square', 'sunglasses', 'goggles'),
    'beard': ('none', 'beard', 'mustache'),
    'hat': ('none', 'cap', 'beanie', 'tophat', 'wizard'), 'hat_colour': tuple(CLOTHES),
    'clothes': ('tshirt', 'suit', 'labcoat', 'hoodie', 'striped', 'dress'),
    'clothes_colour': tuple(CLOTHES), 'background': tuple(BACKGROUND),
    'mood': ('smiling', 'neutral', 'sad', 'angry', 'laughing')}
NAMES = tuple(ATTRIBUTES)
SHAPE = ('width', 'height', 'x', 'y', 'jaw', 'eye', 'mouth')

GAZE_REACH = (.36, .32)  # how far the pupil goes, in half widths and half heights of the eye


def held_out(a):
    """True for the pairs of style and colour that no training shows or names."""
    i, j = (ATTRIBUTES[n].index(a[n]) for n in ('hair', 'hair_colour'))
    k, m = (ATTRIBUTES[n].index(a[n]) for n in ('clothes', 'clothes_colour'))
    return (a['hair'] != 'bald' and (3 * i + j + 2) % 7 == 0) or \
        (a['clothes'] != 'labcoat' and (2 * k + m) % 6 == 0)


def visible(a, name):
    """Whether the drawing shows this attribute at all."""
    if name == 'hat_colour':
        return a['hat'] != 'none'
    if name == 'hair_colour':
        return a['hair'] != 'bald' or a['beard'] != 'none'
    return name != 'eyes' or a['glasses'] != 'sunglasses'


def draw_attributes(rng):
    """Random attributes that can be drawn together."""
    a = {n: rng.choice(v) for n, v in ATTRIBUTES.items()}
    if a['kind'] == 'woman':
        a['beard'] = 'none'
        if a['hair'] == 'bald':
            a['hair'] = rng.choice(('short', 'long', 'bob'))
    else:
        a['clothes'] = rng.choice(ATTRIBUTES['clothes'][:5])
    if rng.random() < .25:
        a['glasses'] = 'none'
    if rng.random() < .5 or a['hair'] in ('mohawk', 'spiked', 'bun'):
        a['hat'] = 'none'
    if a['clothes'] == 'labcoat' and rng.random() < .7:
        a['clothes_colour'] = 'white'
    return settle(a)


def settle(a):
    """Gives what cannot be seen one fixed value, so that equal pictures have equal attributes."""
    a = dict(a)
    if a['hat'] == 'none':
        a['hat_colour'] = 'red'
    if a['hair'] == 'bald' and a['beard'] == 'none':
        a['hair_colour'] = 'brown'
    if a['glasses'] == 'sunglasses':
        a['eyes'] = 'brown'
    return a


def character(seed, split='train'):
    """Attributes and shape of one seed; 'test' has only held-out pairs, 'train' has none, 'all' both."""
    rng = random.Random(f'{split}:{seed}')
    while True:
        a = draw_attributes(rng)
        if split == 'all' or held_out(a) == (split == 'test'):
            break
    return a, np.array([rng.uniform(-1, 1) for _ in SHAPE], np.float32)


def mood_motion(mood):
    """The still face of a mood as a row of the motion table."""
    c = np.zeros(15, np.float32)
    c[SCALE] = 1
    if mood == 'smiling':
        c[SMILE], c[WIDE] = .8, .25
    elif mood == 'laughing':
        c[SMILE], c[JAW], c[WIDE], c[BROW] = 1., .6, .35, .35
    elif mood == 'sad':
        c[SMILE], c[BROW] = -.8, .8
    elif mood == 'angry':
        c[SMILE], c[BROW] = -.55, -1.
    return c


def random_motion(rng, still=False, pose=1.):
    """A row of the motion table: `still` is what a portrait shows, else the full range."""
    u, c = rng.uniform, np.zeros(15, np.float32)
    if still:
        c = mood_motion(rng.choice(ATTRIBUTES['mood']))
        if rng.random() < .75:
            c[:3] = [rng.gauss(0, s) for s in (3., 2., 2.)]
            c[TX], c[TY], c[SCALE] = rng.gauss(0, .01), rng.gauss(0, .01), 1 + rng.gauss(0, .01)
            c[SMILE] = np.clip(c[SMILE] + u(-.2, .2), -1, 1)
            c[BROW] = np.clip(c[BROW] + u(-.2, .2), -1, 1)
            c[JAW] = max(0, c[JAW] + rng.gauss(0, .05))
            c[GAZE_X], c[GAZE_Y] = u(-.2, .2), u(-.2, .2)
        return c
    c[YAW], c[PITCH], c[ROLL] = u(-24, 24) * pose, u(-14, 14) * pose, u(-12, 12) * pose
    c[TX], c[TY], c[SCALE] = u(-.05, .05) * pose, u(-.05, .05) * pose, 1 + u(-.04, .04) * pose
    c[JAW] = 0 if rng.random() < .2 else rng.random() ** 1.2
    lips = rng.random()
    if lips < .35:
        c[ROUND] = rng.random()
    elif lips < .7:
        c[WIDE] = rng.random()
    c[SMILE] = u(-1, 1)
    b = rng.random()
    if b < .5:
        c[BLINK_L:BLINK_R + 1] = u(0, .15)
    elif b < .78:
        c[BLINK_L:BLINK_R + 1] = rng.random()
    elif b < .88:
        c[BLINK_L:BLINK_R + 1] = 1
    else:
        c[BLINK_L], c[BLINK_R] = rng.random(), rng.random()
    c[BROW], c[GAZE_X], c[GAZE_Y] = u(-1, 1), u(-1, 1), u(-1, 1)
    return c


# Where smile and brows rest while a mood speaks: src/drive/manner.c, by grammar.MOODS.
MANNERS = {'smiling': (.45, .25), 'neutral': (.05, 0.), 'sad': (-.55, .45), 'angry': (-.45, -.75),
           'laughing': (.65, .45)}


def talking_motion(rng, mood):
    """A row of the motion table as a film shows a character of that mood who speaks: our animation makes
    less than half of a smile and a third of a brow's height (measure_motion's responses)."""
    u, c = rng.uniform, np.zeros(15, np.float32)
    c[YAW], c[PITCH], c[ROLL] = rng.gauss(0, 2.5), rng.gauss(0, 2.5), rng.gauss(0, 2)
    c[TX], c[TY], c[SCALE] = rng.gauss(0, .01), rng.gauss(0, .01), 1 + rng.gauss(0, .01)
    c[JAW] = 0 if rng.random() < .35 else .9 * rng.random()
    lips = rng.random()
    if lips < .25:
        c[ROUND] = .8 * rng.random()
    elif lips < .5:
        c[WIDE] = .6 * rng.random()
    smile, brow = MANNERS[mood]
    c[SMILE] = u(.4, .8) * (smile + rng.gauss(0, .05))
    c[BROW] = u(.2, .7) * (brow + .3 * rng.random() ** 2)
    c[BLINK_L:BLINK_R + 1] = u(0, 1) if rng.random() < .1 else u(0, .15)
    c[GAZE_X], c[GAZE_Y] = rng.gauss(0, .15), rng.gauss(0, .15)
    return c


def rotation(yaw, pitch, roll):
    cy, sy, cp, sp, cr, sr = (f(math.radians(v)) for v in (yaw, pitch, roll)
                              for f in (math.cos, math.sin))
    rx = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    ry = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    rz = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return rz @ ry @ rx


class Face:
    """Lengths of one character's face in canvas units."""

    def __init__(self, a, shape):
        s = dict(zip(SHAPE, (float(v) for v in shape)))
        woman = a['kind'] == 'woman'
        self.a = (54 if woman else 57) + 2.5 * s['width']
        self.b = (59 if woman else 60) + 2.5 * s['height']
        self.c = 56.
        self.x, self.y = 128 + 3 * s['x'], 124 + 3 * s['y']
        self.jaw = (.50 if woman else .66) + .05 * s['jaw']
        self.cheek = .97
        self.eye_x, self.eye_y = .41, -.02
        self.eye_w, self.eye_h = 13.5 + s['eye'], 16 + 1.2 * s['eye']
        self.brow = .37
        self.nose = .27
        self.mouth_y, self.mouth_w = .60, 19 + 1.5 * s['mouth']

    def surface(self, x, y, lift=1.):
        z = math.sqrt(max(0, 1 - x * x - y * y))
        return [x * self.a, y * self.b, -self.c * lift * z]

    def mouth(self, m):
        """Half width, and the heights of corners, upper and lower lip about the mouth's centre."""
        w = self.mouth_w * (1 + .32 * m[WIDE] - .45 * m[ROUND])
        corner = -6. * m[SMILE] + 2 * m[JAW]
        upper = 2.4 * m[SMILE] - 4.5 * m[JAW] - 2.5 * m[ROUND]
        lower = 4. * m[SMILE] + 23 * m[JAW] + 2.5 * m[ROUND]
        return w, corner, upper, max(lower, upper)

    def lids(self, blink):
        """Heights of the upper and the lower lid about the eye's centre."""
        h = self.eye_h
        return -h * (1 - blink) + .5 * h * blink, h * (1 - blink) + .5 * h * blink


def landmarks(a, shape, motion):
    """Canonical points [21,3] of the neutral face and the expression's offsets [21,3], / 128.

    Order: crown, temples, sides, hair tips or jaw corners (left, right), chin, nose, brows,
    upper lid, lower lid and pupil of the left and of the right eye, corners of the mouth, upper
    lip, lower lip.
    """
    f = Face(a, shape)

    def points(m):
        w, corner, upper, lower = f.mouth(m)
        p = [[0, -1.5 * f.b, 0], [-.8 * f.a, -1.05 * f.b, 0], [.8 * f.a, -1.05 * f.b, 0],
             [-1.2 * f.a, -.3 * f.b, 0], [1.2 * f.a, -.3 * f.b, 0],
             [-1.15 * f.a, .75 * f.b, .1 * f.c], [1.15 * f.a, .75 * f.b, .1 * f.c],
             [0, f.b + 9 * m[JAW], -.3 * f.c], f.surface(0, f.nose, 1.15)]
        for s in (-1, 1):
            q = f.surface(s * f.eye_x, f.eye_y - f.brow)
            p.append([q[0], q[1] - 7 * m[BROW], q[2]])
        for s, blink in ((-1, m[BLINK_L]), (1, m[BLINK_R])):
            q = f.surface(s * f.eye_x, f.eye_y)
            up, low = f.lids(blink)
            p += [[q[0], q[1] + up, q[2]], [q[0], q[1] + low, q[2]],
                  [q[0] + GAZE_REACH[0] * f.eye_w * m[GAZE_X],
                   q[1] + GAZE_REACH[1] * f.eye_h * m[GAZE_Y], q[2]]]
        q = f.surface(0, f.mouth_y)
        p += [[q[0] - w, q[1] + corner, q[2]], [q[0] + w, q[1] + corner, q[2]],
              [q[0], q[1] + upper, q[2]], [q[0], q[1] + lower, q[2]]]
        return np.array(p)

    still = points(np.zeros(15))
    return (still / 128).astype(np.float32), ((points(motion) - still) / 128).astype(np.float32)
