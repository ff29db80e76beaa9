"""Words for a drawing: prose, tag lists and recipe-like prompts, and what each of them names.

caption() returns the text and the set of attributes that it names; everything else is open, and
complete() fills what is open with one fixed default for each case.  The pictures that FLUX learns
from are completed that way, so a prompt has one picture and nothing in it is an average.
"""
import random
import re

from characters import ATTRIBUTES, NAMES, draw_attributes, held_out, settle, visible

WORDS = {
    'skin': {'pale': ('pale', 'light', 'fair'), 'tan': ('tan', 'olive', 'tanned'),
             'brown': ('brown',), 'dark': ('dark', 'very dark')},
    'hair': {'short': ('short', 'cropped'), 'long': ('long',), 'curly': ('curly', 'frizzy'),
             'spiked': ('spiked', 'spiky'), 'bob': ('bobbed', 'bob-cut')},
    'colour': {'gray': ('gray', 'grey'), 'blonde': ('blonde', 'blond')},
    'glasses': {'round': ('round glasses', 'round spectacles'),
                'square': ('square glasses', 'rectangular glasses'),
                'sunglasses': ('sunglasses', 'dark glasses', 'shades'),
                'goggles': ('goggles', 'lab goggles', 'goggles on the forehead')},
    'beard': {'beard': ('beard', 'full beard'), 'mustache': ('mustache', 'moustache')},
    'hat': {'cap': ('cap', 'baseball cap'), 'beanie': ('beanie', 'wool hat', 'knit cap'),
            'tophat': ('top hat', 'tall hat'), 'wizard': ('wizard hat', 'pointed hat')},
    'clothes': {'tshirt': ('t-shirt', 'tee', 'shirt'),
                'suit': ('suit', 'business suit', 'jacket and tie'),
                'labcoat': ('lab coat', 'laboratory coat'),
                'hoodie': ('hoodie', 'hooded sweatshirt'),
                'striped': ('striped sweater', 'striped shirt', 'striped jumper'),
                'dress': ('dress', 'gown')},
    'mood': {'smiling': ('smiling', 'happy', 'cheerful', 'friendly'),
             'neutral': ('serious', 'calm', 'neutral'),
             'sad': ('sad', 'unhappy', 'gloomy'),
             'angry': ('angry', 'grumpy', 'furious'),
             'laughing': ('laughing', 'manic', 'excited', 'overjoyed')}}
NOUNS = {'man': ('man', 'man', 'guy', 'gentleman', 'boy'),
         'woman': ('woman', 'woman', 'lady', 'girl'),
         None: ('person', 'character', 'someone', 'speaker')}
ROLES = {'labcoat': ('scientist', 'doctor', 'chemist', 'professor'),
         'suit': ('banker', 'manager', 'lawyer', 'news anchor'), 'wizard': ('wizard',)}
DEFAULTS = {'skin': 'tan', 'hair_colour': 'brown', 'eyes': 'brown', 'glasses': 'none',
            'beard': 'none', 'hat': 'none', 'clothes': 'tshirt', 'background': 'blue',
            'mood': 'smiling'}
HAT_COLOURS = {'none': 'red', 'cap': 'red', 'beanie': 'green', 'tophat': 'black',
               'wizard': 'purple'}
CLOTHES_COLOURS = {'tshirt': 'blue', 'suit': 'black', 'labcoat': 'white', 'hoodie': 'orange',
                   'striped': 'red', 'dress': 'purple'}


def complete(a, named):
    """The attributes of the picture for a prompt that names only `named` of `a`."""
    b = {n: a[n] for n in named}
    if 'kind' not in b:
        woman = b.get('clothes') == 'dress' or b.get('hair') in ('long', 'bob', 'bun')
        b['kind'] = 'woman' if woman and b.get('beard', 'none') == 'none' else 'man'
    b.setdefault('hair', 'long' if b['kind'] == 'woman' and b.get('hat') != 'cap' else 'short')
    for n, v in DEFAULTS.items():
        b.setdefault(n, v)
    b.setdefault('hat_colour', HAT_COLOURS[b['hat']])
    b.setdefault('clothes_colour', CLOTHES_COLOURS[b['clothes']])
    return settle(b)


def matches(a, named, b):
    """Whether a picture with attributes `b` is right for a caption that names `named` of `a`."""
    return all(a[n] == b[n] for n in named)


def choose_named(a, rng):
    """A random set of attributes to name; absences are named seldom, what is hidden never."""
    share = rng.choice((.3, .55, .8, .8, 1., 1.))
    usual = {'kind': .9, 'skin': .7, 'eyes': .45, 'mood': .8, 'background': .75}
    named = {n for n in NAMES if rng.random() < share * usual.get(n, 1)}
    for n, keep in (('hat', .12), ('glasses', .2), ('beard', .2)):
        if a[n] == 'none' and (rng.random() > keep or a['kind'] == 'woman' and n == 'beard'):
            named.discard(n)
    return consistent(a, {n for n in named if visible(a, n)})


def consistent(a, named):
    """Adds what the words of a name imply: a colour needs its thing."""
    named = set(named)
    for colour, thing in (('hat_colour', 'hat'), ('clothes_colour', 'clothes')):
        if colour in named:
            named.add(thing)
    if a['hat'] == 'none':
        named.discard('hat_colour')
    if a['hair'] == 'bald':
        if 'hair_colour' in named and 'beard' in named and a['beard'] != 'none':
            named.add('hair')
        else:
            named.discard('hair_colour')
    if a['glasses'] == 'sunglasses':
        named.discard('eyes')
    return named


class Phrases:
    """The words for each named attribute, chosen once per caption."""

    def __init__(self, a, named, rng):
        self.a, self.named, self.pick = a, named, rng.choice

    def word(self, group, value):
        return self.pick(WORDS[group].get(value, (value,)))

    def colour(self, name):
        if name not in self.named:
            return ''
        if name == 'hair_colour' and self.a[name] == 'red':
            return self.pick(('red', 'ginger'))
        return self.word('colour', self.a[name])

    def hair(self):
        style, c = self.a['hair'], self.colour('hair_colour')
        if 'hair' not in self.named:
            return [f'{c} hair'] if c else []
        if style == 'bald':
            return [self.pick(('a bald head', 'no hair'))]
        if style == 'bun':
            return [self.pick((f'{c} hair in a bun', f'{c} hair tied in a bun', f'a {c} bun'))]
        if style == 'mohawk':
            return [self.pick((f'a {c} mohawk', f'{c} mohawk hair'))]
        w = self.word('hair', style)
        return [self.pick((f'{w} {c} hair', f'{c} {w} hair', f'{w} {c} hair'))]

    def face(self):
        a, out = self.a, self.hair()
        if 'skin' in self.named:
            out.append(self.word('skin', a['skin']) + ' skin')
        if 'eyes' in self.named:
            out.append(self.word('colour', a['eyes']) + ' eyes')
        if 'glasses' in self.named:
            out.append('no glasses' if a['glasses'] == 'none'
                       else self.word('glasses', a['glasses']))
        if 'beard' in self.named:
            c = self.colour('hair_colour') if a['hair'] == 'bald' else ''
            out.append(self.pick(('no beard', 'clean shaven')) if a['beard'] == 'none'
                       else f'a {c} ' + self.word('beard', a['beard']))
        return out

    def clothes(self):
        a, out = self.a, []
        if 'clothes' in self.named:
            c = self.colour('clothes_colour')
            out.append(f'a {c} ' + self.word('clothes', a['clothes']))
        if 'hat' in self.named:
            c = self.colour('hat_colour')
            out.append('no hat' if a['hat'] == 'none' else f'a {c} ' + self.word('hat', a['hat']))
        return out

    def background(self):
        if 'background' not in self.named:
            return ''
        c = self.word('colour', self.a['background'])
        return self.pick((f'{c} background', f'on a {c} background', f'in front of a {c} wall',
                          f'{c} backdrop', f'{c} background'))

    def subject(self):
        """Adjective and noun; a role stands for the clothes that it implies."""
        a, mood = self.a, ''
        if 'mood' in self.named:
            mood = self.word('mood', a['mood'])
        noun = self.pick(NOUNS[a['kind'] if 'kind' in self.named else None])
        role = None
        if 'clothes' in self.named and self.pick((0, 1)):
            role = ROLES.get(a['clothes'])
        if 'hat' in self.named and a['hat'] == 'wizard' and self.pick((0, 0, 1)):
            role = ROLES['wizard']
        if role:
            role = self.pick(role)
            if 'kind' in self.named:
                noun = self.pick((f'{noun} {role}', {'man': 'male ', 'woman': 'female '}
                                  [a['kind']] + role))
            else:
                noun = role
        return f'{mood} {noun}'.strip()


def listing(parts):
    return parts[0] if len(parts) == 1 else ', '.join(parts[:-1]) + ' and ' + parts[-1]


def caption(a, rng, named=None):
    """Text for attributes `a` and the set of attributes it names (chosen, unless given)."""
    named = choose_named(a, rng) if named is None else set(named)
    p = Phrases(a, named, rng)
    face, clothes, back, subject = p.face(), p.clothes(), p.background(), p.subject()
    rng.shuffle(face)
    rng.shuffle(clothes)
    style = rng.random()
    if style < .4:
        text = 'a ' + subject
        if face:
            text += ' with ' + listing(face)
        if clothes:
            text += rng.choice((', wearing ', ' wearing ', ' dressed in ', ', in ')) \
                + ' and '.join(clothes)
        if back:
            text += rng.choice((', ', ' ')) + (back if back[:2] in ('on', 'in') else
                                               rng.choice(('with a ' + back, back)))
    elif style < .8:
        tags = [t.removeprefix('a ') for t in face + clothes] + ([back] if back else [])
        if rng.random() < .5:
            rng.shuffle(tags)
        bare = not (named & {'kind', 'mood'}) and tags and rng.random() < .5
        text = ', '.join(tags if bare else [subject] + tags)
    else:
        text = rng.choice(('portrait of a ', 'cartoon of a ', 'a picture of a ', 'draw a ')) \
            + subject
        if face + clothes:
            text += rng.choice((': ', ', ', ' with ')) + ', '.join(face + clothes)
        if back:
            text += ', ' + back
    text = ' '.join(text.split()).replace(' ,', ',').replace('a someone', 'someone')
    text = re.sub(r'\ba (?=[aeou])', 'an ', text)
    return (text[0].upper() + text[1:] if rng.random() < .1 else text), named


def wrong_by_one(a, named, rng, weights=None):
    """A copy of `a` with one named attribute changed so that the picture would differ."""
    names = sorted(named)
    for _ in range(20):
        if not names:
            break
        n = rng.choices(names, [(weights or {}).get(k, 1.) for k in names])[0]
        b = dict(a)
        b[n] = rng.choice([v for v in ATTRIBUTES[n] if v != a[n]])
        if n == 'kind' and (a['beard'] != 'none' or 'beard' in named or a['clothes'] == 'dress'):
            continue
        if n == 'hair' and 'bald' in (a['hair'], b['hair']) and 'hair_colour' in named:
            continue
        if n == 'hair' and b['hair'] in ('mohawk', 'spiked', 'bun', 'bald') and (
                a['hat'] != 'none' or a['kind'] == 'woman'):
            continue
        if n == 'hat' and ('hat_colour' in named or a['hair'] in ('mohawk', 'spiked', 'bun')) \
                and 'none' in (a['hat'], b['hat']):
            continue
        if n == 'beard' and (a['kind'] == 'woman' or a['hair'] == 'bald'):
            continue
        if n == 'clothes' and b['clothes'] == 'dress' and a['kind'] == 'man':
            continue
        if n == 'glasses' and 'sunglasses' in (b[n], a[n]) and 'eyes' in named:
            continue
        return b, n
    return None, None


def prompts(count, split='test', seed=77):
    """Prompts with their completed attributes; 'test' names a held-out pair wherever it can."""
    rng, out = random.Random(f'prompts:{split}:{seed}'), []
    while len(out) < count:
        a = draw_attributes(rng)
        text, named = caption(a, rng)
        a = complete(a, named)
        if len(named) >= 3 and (split == 'all' or held_out(a) == (split == 'test')):
            out.append((text, a, named))
    return out


def lexicon():
    """Every word that a caption can hold, most frequent first."""
    rng, count = random.Random(3), {}
    for _ in range(40000):
        for w in re.findall(r"[a-z\-]+|[.,:]", caption(draw_attributes(rng), rng)[0].lower()):
            count[w] = count.get(w, 0) + 1
    return sorted(count, key=lambda w: (-count[w], w))


if __name__ == '__main__':
    r = random.Random(2)
    for _ in range(24):
        print(caption(draw_attributes(r), r))
    lengths = sorted(len(re.findall(r'[\w\-]+|[.,:]', caption(draw_attributes(r), r)[0]))
                     for _ in range(4000))
    print('words: median', lengths[2000], '99 %', lengths[3960], 'most', lengths[-1])
    print(len(lexicon()), lexicon())
