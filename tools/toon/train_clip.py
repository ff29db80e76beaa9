"""Trains one of the two CLIP models that verify: `b` or `l`.

    python train_clip.py b|l --until N --cooldown K

Each step draws pictures in pairs that differ in one attribute and words each pair alike, so every
caption has a hard negative picture; every picture has hard negative captions, its twin's and WRONG
more.  Attributes are changed as often as the model has lately been taken in by a change of them.  A
sigmoid loss on all pairs of the batch gives the cosine one threshold: right or wrong, whatever the
caption names.
"""
import argparse
import random
import sys

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import characters
from captions import caption, choose_named, matches, wrong_by_one
from common import compute, Optimizer, Run, settings
from characters import ATTRIBUTES, NAMES, visible
from nets_image import CLIP_B, CLIP_L, Clip
from train_judge import Drawings, to_input, wear
from train_text import wander
from vocabulary import Tokenizer

PLAIN = ('embedding', 'projection', 'heads', 'patch', 'logit')
MEAN = torch.tensor((0.48145466, 0.4578275, 0.40821073)).view(1, 3, 1, 1)
DEVIATION = torch.tensor((0.26862954, 0.26130258, 0.27577711)).view(1, 3, 1, 1)
PAIRS = 24
WRONG = 2     # captions wrong in one attribute for every picture, besides its twin's
FORGET = .02  # of what is known about how often an attribute's change deceives, with each one seen


class Learner(nn.Module):
    """CLIP with a bias for the sigmoid and throw-away readers of both embeddings."""

    def __init__(self, vocabulary, p):
        super().__init__()
        self.clip, self.logit_bias = Clip(vocabulary, p), nn.Parameter(torch.tensor(-6.))
        sizes = [len(v) for v in ATTRIBUTES.values()]
        self.image_heads = nn.ModuleList([nn.Linear(p['width'], n) for n in sizes])
        self.text_heads = nn.ModuleList([nn.Linear(p['text'], n + 1) for n in sizes])

    def threshold(self):
        """The cosine above which picture and caption belong together."""
        return float(-self.logit_bias / self.clip.logit_scale.exp())


def normal(x):
    """From -1..1 to CLIP's normalised colours."""
    return ((x + 1) / 2 - MEAN) / DEVIATION


def other(rng, a, names, deceives):
    """A character with one named attribute changed, and which; none where that makes a held-out pair, for
    neither pictures nor wrong captions may show one."""
    b, changed = wrong_by_one(a, names, rng, deceives)
    if b is None or characters.held_out(characters.settle(b)):
        return None, None
    return b, changed


def pairs(rng, pool, count, deceives):
    """Pictures in neighbours that differ in one named attribute, who they show, what to name, and what
    was changed."""
    pictures, people, named, changes = [], [], [], []
    while len(people) < 2 * count:
        picture, a = rng.choice(pool.items)
        names = choose_named(a, rng)
        b, changed = other(rng, a, names, deceives)
        if b is None:
            continue
        b = characters.settle(b)
        twin, _ = pool.draw(rng, b, np.zeros(7))
        pictures += [picture, twin]
        people += [a, b]
        named += [names, names]
        changes += [changed, changed]
    return pictures, people, named, changes


def claims(rng, people, named, changes, deceives):
    """Who captions claim to show, what they name, and what was changed: the right ones, then WRONG for each."""
    claimed, names, changes = list(people), list(named), [[c] for c in changes]
    for p, n, c in zip(people, named, changes):
        for _ in range(WRONG):
            b, changed = other(rng, p, n, deceives)
            claimed.append(b or p)
            names.append(n)
            c.append(changed)
    return claimed, names, changes


def right_pairs(people, claimed, named):
    """[pictures, captions]: whether a picture of `people` is right for a caption of `claimed`."""
    return torch.tensor([[matches(c, n, p) for c, n in zip(claimed, named)] for p in people])


def score_loss(net, image, text, same):
    """Sigmoid loss of all pairs; captions wrong in one attribute count as much as right ones.

    Captions come as [right ones, WRONG more for each picture].  Also the logits of each picture with
    the captions that are wrong in one attribute, [n, 1 + WRONG], and where they really are wrong.
    """
    logits = net.clip.logit_scale.exp() * image @ text.T + net.logit_bias
    right = F.softplus(-logits)[same].mean()
    n = len(logits)
    rows = torch.arange(n)
    at = torch.cat([(rows ^ 1)[:, None], n + WRONG * rows[:, None] + torch.arange(WRONG)], 1)
    close, hard, own = logits.gather(1, at), ~same.gather(1, at), logits.diagonal()
    wrong = F.softplus(close)[hard].mean()
    rest = F.softplus(logits)[~same].mean()
    order = F.softplus(close - own[:, None])[hard].mean() \
        + F.softplus(close[rows ^ 1, 0] - own)[hard[rows ^ 1, 0]].mean()
    return right + wrong + rest + .5 * order, close.detach(), hard


def learn_deceits(deceives, close, hard, changes):
    """Moves each changed attribute's weight towards how surely the model took wrong for right."""
    for belief, real, names in zip(close.sigmoid().tolist(), hard.tolist(), changes):
        for p, r, name in zip(belief, real, names):
            if r:
                deceives[name] += FORGET * (.03 + p - deceives[name])


def evaluate(net, tokenizer, count=200):
    rng = random.Random(8)
    pool = Drawings('test', 'clip test', count, .6)
    people, x = [a for _, a in pool.items], to_input([p for p, _ in pool.items])
    named = [choose_named(a, rng) for a in people]
    texts = [caption(a, rng, n)[0] for a, n in zip(people, named)]
    wrong = [wrong_by_one(a, n, rng)[0] for a, n in zip(people, named)]
    keep = [i for i, b in enumerate(wrong) if b]
    others = [caption(wrong[i], rng, named[i])[0] for i in keep]
    with torch.no_grad():
        v, t, o = net.clip.image(normal(x)), net.clip.text(tokenizer(texts)), \
            net.clip.text(tokenizer(others))
    s, limit = v @ t.T, net.threshold()
    own, near = s.diagonal(), (v[keep] * o).sum(1)
    far = torch.tensor([[not matches(people[j], named[j], people[i]) for j in range(count)]
                        for i in range(count)])
    return {'threshold': limit, 'accept': (own > limit).float().mean().item(),
            'reject_other': (s < limit)[far].float().mean().item(),
            'reject_one_wrong': (near < limit).float().mean().item(),
            'right_above_wrong': (own[keep] > near).float().mean().item()}


def main():
    which = sys.argv.pop(1)
    a = settings(argparse.ArgumentParser(description=__doc__))
    tokenizer = Tokenizer('clip')
    net = Learner(tokenizer.size, CLIP_B if which == 'b' else CLIP_L)
    run = Run(f'clip_{which}', net, Optimizer(net, .002, 1.5e-3, PLAIN), average=.99)
    pool = Drawings('train', f'{which}{run.iteration}', 3000, moving=.6)
    deceives = run.extra.setdefault('deceives', dict.fromkeys(NAMES, .3))
    while run.iteration < a.until:
        rng = run.random()
        pool.renew(rng, 8)
        pictures, people, named, changes = pairs(rng, pool, PAIRS, deceives)
        claimed, names, changes = claims(rng, people, named, changes, deceives)
        texts = [wander(caption(p, rng, n)[0], rng) for p, n in zip(claimed, names)]
        y = torch.tensor([[ATTRIBUTES[n].index(p[n]) for n in NAMES] for p in people])
        seen = torch.tensor([[visible(p, n) for n in NAMES] for p in people])
        open_ = torch.tensor([[ATTRIBUTES[n].index(p[n]) if n in q else len(ATTRIBUTES[n])
                               for n in NAMES] for p, q in zip(claimed, names)])
        with compute():
            hidden = net.clip.vision_model(normal(wear(to_input(pictures), rng)))
            ids = tokenizer(texts)
            longest = int((ids != tokenizer.end).sum(1).max()) + 1  # the tower is causal: the rest is idle
            pooled = net.clip.text_model(ids[:, :longest])
            image = net.clip.visual_projection(hidden)
            text = net.clip.text_projection(pooled)
            reads = [h(hidden).float() for h in net.image_heads]
            words = [h(pooled).float() for h in net.text_heads]
        image, text = F.normalize(image.float(), dim=-1), F.normalize(text.float(), dim=-1)
        loss, close, hard = score_loss(net, image, text, right_pairs(people, claimed, names))
        learn_deceits(deceives, close, hard, changes)
        looks = sum((F.cross_entropy(o, y[:, k], reduction='none') * seen[:, k]).mean()
                    for k, o in enumerate(reads)) / len(NAMES)
        says = sum(F.cross_entropy(o, open_[:, k]) for k, o in enumerate(words)) / len(NAMES)
        (loss + 2 * looks + says).backward()
        run.step(run.rate(a.until, a.cooldown, 50), 2.)
        run.note(loss=loss.item(), looks=looks.item(), says=says.item())
        if run.iteration % 100 == 0:
            run.report()
            run.say('deceives', {n: round(v, 3) for n, v in deceives.items()})
        if run.iteration % 400 == 0:
            run.say('held-out drawings', evaluate(run.ema, tokenizer))
    run.say('held-out drawings', evaluate(run.ema, tokenizer))
    run.save()


if __name__ == '__main__':
    main()
