"""Shows what verification accepts at different thresholds, so that export.LENIENT can be chosen.

    python calibrate.py [COUNT]      # films, default 100; of the pack as it is exported

Films of held-out prompts, others than those that measure.py judges by, each scored with its prompt and
with one that is wrong in one attribute; a prompt passes when both models' logits are above the offset.
"""
import collections
import random
import sys

import torch

from captions import caption, prompts, wrong_by_one
from common import HOME, weights
from export import LENIENT, PACK
from measure_films import Engine

VORTEX = PACK.parents[1] / 'build' / 'release' / 'vortex'
OFFSETS = [-.1 * k for k in range(26)]


def logits(heads, scores):
    """The lesser of both models' logits, of each prompt that was scored; heads: their scale and bias."""
    return torch.minimum(*(scale.exp() * torch.tensor([s[which] for s in scores]) / 2.5 + bias
                           for which, (scale, bias) in heads.items()))


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    engine, rng = Engine(VORTEX, PACK, HOME / 'calibrate'), random.Random(31)
    models = {which: weights(f'clip_{which}') for which in 'bl'}
    heads = {which: (w['clip.logit_scale'], w['logit_bias']) for which, w in models.items()}
    least, changes = [], []
    for i, (text, a, named) in enumerate(prompts(count, seed=78)):
        wrong, changed = wrong_by_one(a, named, rng)
        if wrong is None:
            continue
        path, _ = engine.film('film', text, 5000 + i, 'Hello there!')
        scores = engine.run('score', path, text, caption(wrong, rng, named)[0])['prompts']
        least.append(logits(heads, scores))
        changes.append(changed)
    right, wrong = torch.stack(least).T
    for offset in OFFSETS:
        accept, near = ((x > offset).float().mean().item() for x in (right, wrong))
        print(f'{offset:5.2f}  right accepted {accept:.3f}  wrong in one rejected {1 - near:.3f}')
    print(f'right above wrong {(right > wrong).float().mean():.3f} of {len(right)} films')
    taken = collections.Counter(c for c, s in zip(changes, wrong) if s > LENIENT)
    print(f'wrong ones accepted at {LENIENT}, as shipped:',
          ', '.join(f'{n} {taken[n]}/{k}' for n, k in collections.Counter(changes).items()))


if __name__ == '__main__':
    main()
