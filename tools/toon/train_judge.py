"""Trains the judge: a plain network that reads every attribute from a picture of 128x128.

    python train_judge.py --until N --cooldown K

It sees drawings only, never a generated picture, and drawings of all pairs, held-out ones too:
it measures what training has held back from the others.
"""
import argparse
import random

import torch
import torch.nn.functional as F
from torch import nn

import characters
import draw
from common import array, compute, Optimizer, Run, settings
from characters import ATTRIBUTES, NAMES, visible
from train_vae import tensor

POOL, RENEWED, BATCH = 6000, 16, 64


class Judge(nn.Module):
    def __init__(self):
        super().__init__()
        c = (3, 24, 48, 96, 128, 160)
        self.convs = nn.ModuleList([nn.Conv2d(i, o, 5 if i == 3 else 3, 2, 2 if i == 3 else 1)
                                    for i, o in zip(c, c[1:])])
        self.norms = nn.ModuleList([nn.BatchNorm2d(o) for o in c[1:]])
        self.hidden = nn.Linear(16 * c[-1], 256)
        self.heads = nn.ModuleList([nn.Linear(256, len(v)) for v in ATTRIBUTES.values()])

    def forward(self, x):
        for conv, norm in zip(self.convs, self.norms):
            x = F.relu(norm(conv(x)))
        x = F.relu(self.hidden(F.dropout(x.flatten(1), .2, self.training)))
        return [h(x).float() for h in self.heads]


def wear(x, rng):
    """Mild blur, shifts of colour, noise and resampling, so that generated and encoded pictures are in range."""
    if rng.random() < .5:
        k = rng.random()
        x = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), 'reflect'), 3, 1) * k + x * (1 - k)
    if rng.random() < .4:
        x = x * (1 + .05 * torch.randn(len(x), 3, 1, 1)) + .04 * torch.randn(len(x), 3, 1, 1)
    if rng.random() < .6:
        x = x + torch.randn(x.shape) * rng.random() * .1
    if rng.random() < .4:
        k = .8 * rng.random()
        y = F.interpolate(F.avg_pool2d(x, 2), scale_factor=2, mode='bilinear')
        x = y * k + x * (1 - k)
    return x


class Drawings:
    """A pool of drawings at 128 with attributes, a share of them of characters who speak; `split` as
    in characters.character."""

    def __init__(self, split, seed, size=POOL, moving=.0):
        self.split, self.moving, self.rng = split, moving, random.Random(f'pool:{seed}')
        self.items = [self.draw(self.rng) for _ in range(size)]

    def draw(self, rng, a=None, shape=None):
        if a is None:
            a, shape = characters.character(rng.getrandbits(40), self.split)
        still = rng.random() >= self.moving
        motion = characters.mood_motion(a['mood'])
        if not still:
            motion = characters.talking_motion(rng, a['mood'])
        elif rng.random() < .5:
            motion[:3] = [rng.gauss(0, 2) for _ in range(3)]
        p = array(draw.render(a, shape * rng.random(), motion, 128))
        return p.permute(2, 0, 1), a

    def renew(self, rng, count):
        for _ in range(count):
            self.items[rng.randrange(len(self.items))] = self.draw(rng)


def to_input(pictures):
    x = torch.stack(pictures).float() / 127.5 - 1
    return x.contiguous(memory_format=torch.channels_last)


def main():
    a = settings(argparse.ArgumentParser(description=__doc__))
    net = Judge().to(memory_format=torch.channels_last)
    run = Run('judge', net, Optimizer(net, .002, 2e-3, ('heads', 'convs.0')), average=.99)
    pool = Drawings('all', f'judge{run.iteration}', 3000)
    while run.iteration < a.until:
        rng = run.random()
        pool.renew(rng, RENEWED)
        items = [rng.choice(pool.items) for _ in range(BATCH)]
        y = torch.tensor([[ATTRIBUTES[n].index(a_[n]) for n in NAMES] for _, a_ in items])
        seen = torch.tensor([[visible(a_, n) for n in NAMES] for _, a_ in items])
        net.train()
        with compute():
            out = net(wear(to_input([p for p, _ in items]), rng))
        loss = sum((F.cross_entropy(o, y[:, k], reduction='none') * seen[:, k]).mean()
                   for k, o in enumerate(out))
        loss.backward()
        run.step(run.rate(a.until, a.cooldown, 50), 5.)
        run.note(loss=loss.item())
        if run.iteration % 100 == 0:
            run.report()
    test = [characters.character(i, 'test') for i in range(200)]
    x = tensor([draw.render(a_, s * 0, characters.mood_motion(a_['mood']), 128) for a_, s in test])
    with torch.no_grad():
        out = run.ema(x)
    for k, n in enumerate(NAMES):
        right = [out[k][i].argmax() == ATTRIBUTES[n].index(a_[n])
                 for i, (a_, _) in enumerate(test) if visible(a_, n)]
        run.say(n, round(sum(map(float, right)) / len(right), 3))
    run.save()


if __name__ == '__main__':
    main()
