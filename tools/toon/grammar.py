"""The prompt expander's grammar, from the captions' words: expand.json of the pack.

What it is for and what its keys mean: src/text/expander.h.
"""
from captions import NOUNS, ROLES, WORDS
from characters import ATTRIBUTES, CLOTHES, HAIR

FRAMES = ('a', 'an', 'the', 'is', 'has', 'picture', 'portrait', 'cartoon', 'draw', 'of', 'someone',
          'person', 'character', 'speaker', 'tied', 'front', 'wall', 'backdrop', 'no', 'jacket', 'tie')
BREAKS = (',', '.', ':', ';', 'and', 'with', 'wearing', 'in', 'on', 'dressed')
BESIDE = {'skin': ('skin',), 'hair': ('hair', 'bun', 'mohawk', 'bald'),
          'hair_colour': ('hair', 'bun', 'mohawk'), 'eyes': ('eyes',),
          'hat_colour': ('hat', 'cap', 'beanie'),
          'clothes_colour': ('t-shirt', 'tee', 'shirt', 'suit', 'coat', 'hoodie', 'sweatshirt',
                             'sweater', 'jumper', 'dress', 'gown', 'jacket'),
          'background': ('background', 'wall', 'backdrop')}
# Words that say that there is one, and not which.  "A hat" is no such word: CLIP has learned it from
# "no hat" alone.
SOME = {'glasses': ('glasses', 'spectacles')}
# How likely the seed picks what a prompt leaves open; a value that is absent here is only read.
WEIGHTS = {
    'hair': {'short': 3, 'long': 3, 'curly': 3, 'spiked': 2, 'bun': 1, 'mohawk': 1, 'bob': 2},
    'hair_colour': dict.fromkeys(HAIR, 2) | {'blue': 1, 'green': 1, 'pink': 1, 'purple': 1},
    'skin': {'pale': 2, 'tan': 3, 'brown': 2, 'dark': 1},
    'glasses': {'none': 6, 'round': 2, 'square': 1, 'sunglasses': .5},
    'beard': {'none': 5, 'beard': 1, 'mustache': 1},
    'hat': {'none': 8, 'cap': 1, 'beanie': 1, 'tophat': .5},
    'hat_colour': dict.fromkeys(CLOTHES, 1),
    'clothes': {'tshirt': 3, 'suit': 1, 'hoodie': 3, 'striped': 2, 'dress': 2},
    'clothes_colour': dict.fromkeys(CLOTHES, 1), 'background': {
        'blue': 3, 'green': 2, 'yellow': 2, 'pink': 1, 'orange': 1, 'purple': 2, 'gray': 1}}
WOMAN, BARE = ['long', 'bob', 'bun'], ['mohawk', 'spiked', 'bun']
UNLESS = {
    ('hair', 'mohawk'): {'hat': ['cap', 'beanie', 'tophat', 'wizard'], 'kind': ['woman']},
    ('hair', 'spiked'): {'hat': ['cap', 'beanie', 'tophat', 'wizard'], 'kind': ['woman']},
    ('hair', 'bun'): {'hat': ['cap', 'beanie', 'tophat', 'wizard'], 'kind': ['man']},
    ('hair', 'bob'): {'kind': ['man'], 'beard': ['beard', 'mustache']},
    ('hair', 'long'): {'beard': ['beard', 'mustache']},
    ('clothes', 'dress'): {'kind': ['man'], 'beard': ['beard', 'mustache'],
                           'hair': ['bald', 'short', 'curly', 'spiked', 'mohawk']}}
# Words that mean, or come nearest to, one that the captions have taught.
SAME = {other: word for word, others in {
    'doctor': 'physician surgeon medic pharmacist nurse dentist veterinarian paramedic',
    'scientist': 'researcher inventor physicist biologist astronomer alchemist',
    'professor': 'teacher lecturer academic scholar',
    'man': 'dude bloke chap lad fellow father dad daddy grandpa grandfather granddad husband brother '
           'son uncle king prince waiter sir gent',
    'woman': 'mother mom mum grandma grandmother granny wife sister daughter aunt queen princess '
             'actress waitress gal maiden',
    'lawyer': 'attorney politician barrister', 'manager': 'executive ceo boss director',
    'banker': 'accountant broker', 'news anchor': 'newsreader newscaster anchorman anchorwoman '
                                                  'presenter reporter',
    'man in a suit': 'businessman salesman groom', 'woman in a suit': 'businesswoman',
    'woman in a dress': 'bride', 'wizard': 'magician sorcerer mage witch druid',
    'red': 'crimson scarlet auburn', 'blue': 'navy azure turquoise cyan teal', 'gray': 'silver',
    'purple': 'violet lilac lavender', 'pink': 'magenta', 'green': 'emerald lime',
    'brown': 'chestnut',
    'long hair': 'ponytail braids pigtails twintails', 'curly hair': 'afro', 'curly': 'wavy',
    'beard': 'bearded goatee stubble whiskers',
    'glasses': 'eyeglasses specs', 'suit': 'tuxedo blazer', 'dress': 'sundress',
    'lab coat': 'labcoat', 't-shirt': 'tshirt tee-shirt polo', 'hoodie': 'hoody',
    'beanie': 'toque', 'top hat': 'bowler fedora',
    'smiling': 'grinning smile joyful glad jolly cheery delighted', 'excited': 'ecstatic thrilled',
    'sad': 'crying tearful depressed melancholy miserable', 'manic': 'insane',
    'angry': 'annoyed enraged irate', 'serious': 'stern solemn', 'calm': 'relaxed'}.items()
    for other in others.split()}
SAY = {'skin': '{} skin', 'hair': '{} hair', 'background': '{} background', 'eyes': '{} eyes'}
SAID = {('hair', 'bun'): 'hair in a bun', ('hair', 'mohawk'): 'mohawk', ('hair', 'bald'): '',
        ('hair', 'bob'): 'bobbed hair'}
TAGS = ('{hair_colour} {hair}', '{skin}', '{glasses}', '{beard}', '{hat_colour} {hat}',
        '{clothes_colour} {clothes}', '{background}')


# How a character speaks whose prompt names a mood, when the recipe names none.
MOODS = {'smiling': 'excited', 'neutral': 'neutral', 'sad': 'sad', 'angry': 'angry',
         'laughing': 'manic'}


def words(name, value):
    """What names a value in a prompt; colours have their own words."""
    if name == 'kind':
        return sorted(set(NOUNS[value]) | {{'man': 'male', 'woman': 'female'}[value]})
    if name == 'hair' and value in ('bald', 'bun', 'mohawk'):
        return ['bald', 'no hair'] if value == 'bald' else [value]
    if value == 'none':
        return {'glasses': ['no glasses'], 'hat': ['no hat'],
                'beard': ['no beard', 'clean shaven']}[name]
    group = 'colour' if name in ('hair_colour', 'hat_colour', 'clothes_colour', 'background',
                                 'eyes') else name
    out = list(WORDS[group].get(value, (value,)))
    if (name, value) == ('hair_colour', 'red'):
        out.append('ginger')
    return out + list(ROLES.get(value, ()) if name in ('clothes', 'hat') else ())


def say(name, value):
    if value == 'none':
        return ''
    if (name, value) in SAID:
        return SAID[name, value]
    first = words(name, value)[0]
    return SAY[name].format(first) if name in SAY else first


def unless(name, value):
    out = dict(UNLESS.get((name, value), {}))
    if name == 'beard' and value != 'none':
        out = {'kind': ['woman'], 'hair': WOMAN, 'clothes': ['dress']}
    if name == 'hat' and value != 'none':
        out = {'hair': BARE}
    if name == 'hat_colour':
        out = {'hat': ['none']}
    if name == 'hair_colour':
        out = {'hair': ['bald']}
    if name == 'clothes_colour' and value != 'white':
        out = {'clothes': ['labcoat']}
    return out


def grammar():
    slots = []
    for name, values in ATTRIBUTES.items():
        slot = {'name': name, 'values': []}
        if name in BESIDE:
            slot['beside'] = list(BESIDE[name])
        if name in SOME:
            slot['some'] = list(SOME[name])
        for v in values:
            row = {'name': v, 'words': words(name, v)}
            if name not in ('kind', 'mood'):
                row['say'] = say(name, v)
            if name == 'mood':
                row['mood'] = MOODS[v]
            if WEIGHTS.get(name, {}).get(v):
                row['weight'] = WEIGHTS[name][v]
            if unless(name, v):
                row['unless'] = unless(name, v)
            slot['values'].append(row)
        slots.append(slot)
    return {'known': list(FRAMES), 'breaks': list(BREAKS), 'same': SAME, 'slots': slots,
            'tags': list(TAGS)}
