"""Warms up FLUX's T5 and CLIP text tower: each must tell what a caption names.

    python train_text.py --until N --cooldown K

Learned queries (T5) and the pooled row (CLIP) predict each attribute's value, or that it is open.
The heads are thrown away afterwards.
"""
import argparse
import random

import torch
import torch.nn.functional as F
from torch import nn

from captions import caption
from common import compute, Optimizer, Run, settings
from characters import ATTRIBUTES, character, NAMES
from nets_image import ClipTextOnly, T5Encoder
from vocabulary import Tokenizer

PLAIN = ('shared', 'relative', 'embedding', 'heads', 'queries')


class Readers(nn.Module):
    """Both text encoders with a throw-away reader each."""

    def __init__(self, t5_size, clip_size):
        super().__init__()
        n, d = len(NAMES), 128
        self.t5, self.clip = T5Encoder(t5_size), ClipTextOnly(clip_size)
        nn.init.normal_(self.t5.shared.weight, std=.5)
        self.queries = nn.Parameter(torch.randn(n, d) * .3)
        self.heads = nn.ModuleList([nn.Linear(d, len(v) + 1) for v in ATTRIBUTES.values()])
        self.clip_heads = nn.ModuleList([nn.Linear(d, len(v) + 1) for v in ATTRIBUTES.values()])

    def forward(self, t5_ids, clip_ids):
        x = self.t5(t5_ids)
        a = (self.queries @ x.transpose(1, 2)).softmax(-1) @ x
        y = self.clip(clip_ids)
        return [[h(a[:, k]).float() for k, h in enumerate(self.heads)],
                [h(y).float() for h in self.clip_heads]]


def wander(text, rng):
    """Sometimes an unknown word stands somewhere in the caption: it must not matter."""
    if rng.random() > .12:
        return text
    words = text.split()
    stray = ''.join(rng.choice('aeioubcdfghklmnprstvwy') for _ in range(rng.randint(3, 8)))
    words.insert(rng.randint(0, len(words)), stray)
    return ' '.join(words)


def batch(rng, n):
    people = [character(rng.getrandbits(40))[0] for _ in range(n)]
    texts = [caption(a, rng) for a in people]
    y = torch.tensor([[ATTRIBUTES[k].index(a[k]) if k in named else len(ATTRIBUTES[k])
                       for k in NAMES] for a, (_, named) in zip(people, texts)])
    return [wander(t, rng) for t, _ in texts], y


def main():
    a = settings(argparse.ArgumentParser(description=__doc__))
    t5, clip = Tokenizer('t5'), Tokenizer('clip')
    net = Readers(t5.size, clip.size)
    run = Run('text', net, Optimizer(net, .002, 2e-3, PLAIN), average=.99)
    while run.iteration < a.until:
        rng = run.random()
        texts, y = batch(rng, 40)
        with compute():
            out = net(t5(texts), clip(texts))
        losses = [sum(F.cross_entropy(o, y[:, k]) for k, o in enumerate(q)) / len(NAMES)
                  for q in out]
        sum(losses).backward()
        run.step(run.rate(a.until, a.cooldown, 50))
        for name, q in zip(('t5', 'clip'), out):
            right = torch.stack([o.argmax(1) for o in q], 1) == y
            run.note(**{name: right.float().mean(), name + '_all': right.all(1).float().mean()})
        if run.iteration % 100 == 0:
            run.report()
    texts, y = batch(random.Random(99), 512)
    with torch.no_grad():
        for name, q in zip(('t5', 'clip'), run.ema(t5(texts), clip(texts))):
            right = torch.stack([o.argmax(1) for o in q], 1) == y
            run.say(name, dict(zip(NAMES, (round(v, 3) for v in right.float().mean(0).tolist()))))
    run.save()


if __name__ == '__main__':
    main()
