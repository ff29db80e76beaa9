"""Trains M, the motion extractor, on the renderer's own key points and poses.

    python train_motion.py --until N --cooldown K

L1 on kp, exp, t, scale and on the resulting x_s; cross-entropy over the 66 bins and L1 for angles.
One plain Adam step on a head moves its points by 20 px: heads start at the mean label and go slowly.
"""
import argparse

import numpy as np
import torch

import characters
import draw
from common import compute, Optimizer, Run, settings
from nets_portrait import CONFIG, Motion, keypoints
from train_judge import wear
from train_portrait import labels, points, tensor

POOL, RENEWED, BATCH = 3000, 12, 24
SLOW = {'fc_kp': .02, 'fc_exp': .02, 'fc_t': .02, 'fc_scale': .02, 'fc_pitch': .1, 'fc_yaw': .1,
        'fc_roll': .1}
PLAIN = ('fc_', 'dwconv', 'grn', 'downsample_layers.0')


def start_heads(net, truth):
    """Every head begins at the mean of its label; the angles' bins as a Gaussian of 6 degrees."""
    d, bins = net.detector, torch.arange(66.) * 3 - 97.5
    with torch.no_grad():
        for name in ('kp', 'exp', 't', 'scale'):
            head = getattr(d, f'fc_{name}')
            head.bias.copy_(truth[name].mean(0).flatten() if name != 'scale' else torch.ones(1))
            head.weight.normal_(0, .004)
        for name in ('yaw', 'pitch', 'roll'):
            head = getattr(d, f'fc_{name}')
            head.bias.copy_(-.5 * (bins / 6) ** 2)
            head.weight.normal_(0, .02)


def draw_one(rng):
    person = characters.character(rng.getrandbits(40))
    motion = characters.random_motion(rng, rng.random() < .75)
    p = draw.render(*person, motion).reshape(128, 2, 128, 2, 3).mean((1, 3))
    return p.round().astype(np.uint8), person, motion


def motion_loss(m, truth):
    """Weighted sum, and the mean errors in pixels of 256 (angles in degrees)."""
    place = ((truth['angles'] + 97.5) / 3)[..., None]
    soft = (1 - (place - torch.arange(66.)).abs()).clamp_min(0)
    bins = -(m['logits'].log_softmax(-1) * soft).sum(-1).mean()
    e = {k: (m[k] - truth[k]).abs().mean() for k in ('kp', 'exp', 'angles', 't', 'scale')}
    mine = keypoints(m['kp'], m['exp'], m['angles'], m['t'], m['scale'])
    xs = (mine - points(truth)).abs()[..., :2].mean()
    total = 10 * (xs + e['kp'] + e['exp'] + e['t'] + e['scale']) + .1 * e['angles'] + .2 * bins
    return total, {'xs': 128 * xs, 'kp': 128 * e['kp'], 'exp': 128 * e['exp'], 't': 128 * e['t'],
                   'angles': e['angles'], 'scale': e['scale']}


def main():
    a = settings(argparse.ArgumentParser(description=__doc__))
    net = Motion(CONFIG['motion_extractor_params'])
    import random
    rng = random.Random(17)
    pool = [draw_one(rng) for _ in range(POOL)]
    start_heads(net, labels([p for _, p, _ in pool[:400]], [m for *_, m in pool[:400]]))
    run = Run('motion', net, Optimizer(net, .002, 1.5e-3, PLAIN, SLOW), average=.995)
    while run.iteration < a.until:
        rng = run.random()
        for _ in range(RENEWED):
            pool[rng.randrange(POOL)] = draw_one(rng)
        items = [pool[rng.randrange(POOL)] for _ in range(BATCH)]
        x = tensor([p for p, *_ in items])
        if rng.random() < .3:
            x = (wear(x * 2 - 1, rng) + 1) / 2
        truth = labels([p for _, p, _ in items], [m for *_, m in items])
        with compute():
            m = net(x)
        loss, errors = motion_loss(m, truth)
        loss.backward()
        run.step(run.rate(a.until, a.cooldown, 60), 2.)
        run.note(**{k: v.item() for k, v in errors.items()},
                 mean_xs=128 * (points(truth) - points(truth).mean(0)).abs()[..., :2].mean().item())
        if run.iteration % 100 == 0:
            run.report()
    run.save()


if __name__ == '__main__':
    main()
