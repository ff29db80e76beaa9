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
from export import PACK
from measure_films import Engine

VORTEX = PACK.parents[1] / 'build' / 'release' / 'vortex'
OFFSETS = [-1.5 - .1 * k for k in range(13)]


def logits(scores):
    """The lesser of both models' logits, of each prompt that was scored."""
    out = []
    for which in 'bl':
        w = weights(f'clip_{which}')
        cosine = torch.tensor([s[which] for s in scores]) / 2.5
        out.append(w['clip.logit_scale'].exp() * cosine + w['logit_bias'])
    return torch.minimum(*out)


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    engine, rng = Engine(VORTEX, PACK, HOME / 'calibrate'), random.Random(31)
    least, changes = [], []
    for i, (text, a, named) in enumerate(prompts(count, seed=78)):
        wrong, changed = wrong_by_one(a, named, rng)
        if wrong is None:
            continue
        path, _ = engine.film('film', text, 5000 + i, 'Hello there!')
        scores = engine.run('score', path, text, caption(wrong, rng, named)[0])['prompts']
        least.append(logits(scores))
        changes.append(changed)
    right, wrong = torch.stack(least).T
    for offset in OFFSETS:
        accept, near = ((x > offset).float().mean().item() for x in (right, wrong))
        print(f'{offset:5.2f}  right accepted {accept:.3f}  wrong in one rejected {1 - near:.3f}')
    print(f'right above wrong {(right > wrong).float().mean():.3f} of {len(right)} films')
    offset = torch.quantile(right, .04).item()
    taken = collections.Counter(c for c, s in zip(changes, wrong) if s > offset)
    print(f'wrong ones accepted at {offset:.2f}:',
          ', '.join(f'{n} {taken[n]}/{k}' for n, k in collections.Counter(changes).items()))


if __name__ == '__main__':
    main()
