"""Shows what verification accepts at different thresholds, so that export.LENIENT can be chosen.

    python calibrate.py [COUNT]      # drawings, default 400

Held-out drawings of characters who speak, each with a right caption and one wrong in one attribute; a
caption passes when both models' logits are above the offset.  Films are measured by measure.py.
"""
import collections
import random
import sys

import torch

from captions import caption, choose_named, wrong_by_one
from common import weights
from nets_image import CLIP_B, CLIP_L
from train_clip import Learner, normal
from train_judge import Drawings, to_input, wear
from vocabulary import Tokenizer

OFFSETS = [-.25 * k for k in range(11)]


def logits(which, tokenizer, x, *texts):
    """Each picture's logit with its own caption of each list, [len(texts), n]."""
    net = Learner(tokenizer.size, CLIP_B if which == 'b' else CLIP_L)
    net.load_state_dict(weights(f'clip_{which}'))
    net.eval()
    with torch.no_grad():
        v = net.clip.image(normal(x))
        return torch.stack([net.clip.logit_scale.exp() * (v * net.clip.text(tokenizer(t))).sum(1)
                            + net.logit_bias for t in texts])


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    rng, tokenizer, cases = random.Random(31), Tokenizer('clip'), []
    torch.manual_seed(31)
    for picture, a in Drawings('test', 'calibrate', count, .8).items:
        named = choose_named(a, rng)
        wrong, changed = wrong_by_one(a, named, rng)
        if wrong:
            cases.append((picture, changed, caption(a, rng, named)[0],
                          caption(wrong, rng, named)[0]))
    pictures, changes, right, wrong = zip(*cases)
    x = wear(to_input(pictures), rng)
    least = torch.minimum(*(logits(w, tokenizer, x, right, wrong) for w in 'bl'))
    for offset in OFFSETS:
        accept, near = (least > offset).float().mean(1).tolist()
        print(f'{offset:5.2f}  right accepted {accept:.3f}  wrong in one rejected {1 - near:.3f}')
    print(f'right above wrong {(least[0] > least[1]).float().mean():.3f}')
    offset = torch.quantile(least[0], .04).item()
    taken = collections.Counter(c for c, s in zip(changes, least[1]) if s > offset)
    print(f'wrong ones accepted at {offset:.2f}:',
          ', '.join(f'{n} {taken[n]}/{k}' for n, k in collections.Counter(changes).items()))


if __name__ == '__main__':
    main()
