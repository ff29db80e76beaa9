"""Measures the pack's pictures: work, fidelity to prompts, cleanness.

The judge (train_judge.py) has seen drawings of all pairs and no generated picture; prompts, seeds
and pairs are held out from every other training.
"""
import random

import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

import characters
import draw
from captions import caption, choose_named, complete, matches, wrong_by_one
from common import weights
from characters import ATTRIBUTES, NAMES, visible
from train_clip import claims
from train_flux import choose as choose_completed, SIDE
from train_judge import Judge
from train_text import batch as text_batch
from train_vae import tensor


def names_held_out(a, named):
    """Whether a caption of a character names both halves of a held-out pair."""
    none = {'hair': 'bald', 'hair_colour': 'brown', 'clothes': 'labcoat', 'clothes_colour': 'white'}
    return any(pair <= set(named) and characters.held_out(none | {n: a[n] for n in pair})
               for pair in ({'hair', 'hair_colour'}, {'clothes', 'clothes_colour'}))


def held_out(test, count=20000):
    """How many held-out pairs the trainings' own draws show or name, of `count` each: characters, captions of
    the text encoders' warm-up (by their labels), FLUX's completed captions, CLIP's claims.  And how many of
    the pictures that `test` asks for show one."""
    rng, seen = random.Random(34), 0
    people = [characters.character(rng.getrandbits(40))[0] for _ in range(count)]
    seen += sum(map(characters.held_out, people))
    for row in text_batch(rng, count)[1].tolist():
        a = {n: ATTRIBUTES[n][i] for n, i in zip(NAMES, row) if i < len(ATTRIBUTES[n])}
        seen += names_held_out(a, a)
    completed = [c for c in (choose_completed(rng) for _ in range(count)) if c]
    seen += sum(characters.held_out(a) or names_held_out(a, n) for a, n in completed)
    named = [choose_named(a, rng) for a in people]
    claimed, names, _ = claims(rng, people, named, [None] * count, dict.fromkeys(NAMES, 1.))
    seen += sum(map(names_held_out, claimed, names))
    return {'held_out_drawn': seen, 'held_out_prompts': sum(characters.held_out(b) for _, b, _ in test)}


def gigaflops(call):
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        call()
    return counter.get_total_flops() / 1e9


def costs(pack):
    net, painter, vae = pack.portrait(), pack.painter(), pack.vae()
    x, k = torch.rand(1, 3, 256, 256), torch.rand(1, 21, 3) - .5
    f = net.appearance_feature_extractor(x)
    volume = net.warping_module.dense_motion_network.source(f, (2, 2, 2))
    seg = net.warping_module(f, volume, k, k + .1)[0]
    ids = pack.t5_ids(['a man']), pack.clip_ids(['a man'])
    image = gigaflops(lambda: painter.paint(torch.randn(1, SIDE * SIDE, 64), *ids)) \
        + gigaflops(lambda: vae.decoder(torch.randn(1, 16, 2 * SIDE, 2 * SIDE)))
    size = sum(p.stat().st_size for p in pack.folder.glob('*.safetensors')) / 1e6
    return {'frame_gflop': gigaflops(lambda: net.warping_module(f, volume, k, k + .1))
            + gigaflops(lambda: net.spade_generator(seg)),
            'source_gflop': gigaflops(lambda: net.appearance_feature_extractor(x))
            + gigaflops(lambda: net.motion_extractor(F.avg_pool2d(x, 2))),
            'image_gflop': image, 'weights_mb': size}


def open_judge():
    judge = Judge()
    judge.load_state_dict(weights('judge'))
    return judge.eval()


def read(judge, pictures):
    """The judge's log-probabilities for each attribute."""
    small = F.interpolate(pictures, size=128, mode='area')
    with torch.no_grad():
        out = [judge(v) for v in small.split(50)]
    return [torch.cat([o[k] for o in out]).log_softmax(1) for k in range(len(NAMES))]


def distractors(a, named, rng, count=16):
    """Attributes that differ from `a` in one or two of the named ones."""
    out = []
    for _ in range(400):
        b, _ = wrong_by_one(a, named, rng)
        if b is not None and rng.random() < .5:
            b = wrong_by_one(b, named, rng)[0] or b
        if b is not None and not matches(a, named, b) and b not in out:
            out.append(b)
        if len(out) == count:
            break
    return out


def fidelity(judge, pictures, test):
    rng, scores = random.Random(4), read(judge, pictures)

    def score(i, a, named):
        return sum(max(scores[NAMES.index(n)][i, ATTRIBUTES[n].index(a[n])].item(), -8)
                   for n in named)
    first, hits, count = 0, dict.fromkeys(NAMES, 0), dict.fromkeys(NAMES, 0)
    for i, (_, a, named) in enumerate(test):
        own = score(i, a, named)
        first += all(score(i, b, named) < own for b in distractors(a, named, rng))
        for n in named:
            count[n] += 1
            hits[n] += scores[NAMES.index(n)][i].argmax().item() == ATTRIBUTES[n].index(a[n])
    return {'first_of_17': first / len(test)} | {n: hits[n] / max(1, count[n]) for n in NAMES}



def whole(count, seed=31):
    """Held-out characters with prompts that name all there is, so their drawings are known."""
    rng, out = random.Random(f'whole:{seed}'), []
    while len(out) < count:
        a = characters.draw_attributes(rng)
        named = {n for n in NAMES if visible(a, n)}
        a = complete(a, named)
        if characters.held_out(a):
            out.append((caption(a, rng, named)[0], a))
    return out


def drawings(people, motion=None):
    return tensor([draw.render(a, np.zeros(7), characters.mood_motion(a['mood']) if motion is None
                               else motion) for a in people])


def gradient(pictures, flat):
    """Mean step between neighbours, in 8-bit values, where both lie in `flat` [n,1,H,W]."""
    p, sums, counts = pictures * 127.5, 0., 0.
    for step in ((..., slice(1, None), slice(None)), (..., slice(None), slice(1, None))):
        back = tuple(slice(None, -1) if s == slice(1, None) else s for s in step)
        inside = flat[step] & flat[back]
        sums += ((p[step] - p[back]).abs().mean(1, keepdim=True) * inside).sum().item()
        counts += inside.sum().item()
    return sums / counts


def cleanness(vae, pictures, people):
    """Gradients in one-colour regions against those of encoded drawings; faces beside the drawn."""
    true = drawings(people)
    spread = F.max_pool2d(true, 9, 1, 4) + F.max_pool2d(-true, 9, 1, 4)
    flat = spread.amax(1, keepdim=True) * 127.5 < 2
    with torch.no_grad():
        again = torch.cat([vae.decoder(vae.encode(v)[0]).clamp(-1, 1) for v in true.split(20)])
    face = (slice(None), slice(None), slice(70, 190), slice(64, 192))

    def decibels(a, b):
        return 10 * torch.log10(4 / (a - b).pow(2).mean((1, 2, 3)))
    near = decibels(pictures[face], true[face])
    made, encoded = gradient(pictures, flat), gradient(again, flat)
    return {'flat_gradient': made, 'flat_gradient_encoded': encoded,
            'flat_ratio': made / encoded, 'encoded_db': decibels(again, true).mean().item(),
            'picture_db': decibels(pictures, true).mean().item(),
            'face_db': near.mean().item(), 'face_db_worst': near.min().item()}
