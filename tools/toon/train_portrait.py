"""Trains F, W and G of LivePortrait on pairs of drawings; M learns in train_motion.py.

    python train_portrait.py --until N --cooldown K

The same weights see growing pictures (STAGES).  Key points are the renderer's until OWN, then mostly
those of the M that train_motion.py has by then, and some sources are soft, as painted ones are.  A
picture hardly tells dense motion where lines should have come from, and by far the most that turned
heads lacked was that: in FLOW it learns alone, from the points that the renderer draws from, and they
stay part of the loss.
"""
import argparse

import numpy as np
import torch
import torch.nn.functional as F

import characters
import draw
from common import array, compute, Optimizer, Run, settings, weights
from nets_portrait import POINTS, Portrait, centres, keypoints
from train_judge import wear

# (first iteration, source size, pooling of the volume for dense motion, sources, targets each)
STAGES = ((0, 64, (2, 1, 1), 8, 2), (2000, 128, (2, 1, 1), 4, 3), (6000, 256, (2, 2, 2), 2, 4))
GUIDE = 5000  # until here the key points themselves guide dense motion, ever less
FLOW = ((7800, 8200), (9317, 9720))  # iterations in which dense motion learns alone
OWN = 6000   # from here on most key points are M's own, as at inference


def control_table():
    """What each control adds to the key points, [9,21,3] in units of 128.

    x and y follow the drawing.  z moves nothing that is drawn: it lets a control choose among the
    depths of the volume, where F keeps the shut eye or the open mouth.
    """
    a, shape = characters.character(0)[0] | {'kind': 'man'}, np.zeros(len(characters.SHAPE))
    table = np.zeros((9, POINTS, 3), np.float32)
    for i in range(9):
        m = np.zeros(15)
        m[characters.JAW + i] = 1
        up = characters.landmarks(a, shape, m)[1]
        m[characters.JAW + i] = -1
        down = characters.landmarks(a, shape, m)[1]
        table[i] = (up - down) / 2 if characters.CONTROLS[i] in ('smile', 'brow', 'gaze_x', 'gaze_y') \
            else up
    for name, point, z in (('jaw', 20, .5), ('lip_round', 19, .5), ('lip_wide', 19, -.4),
                           ('smile', 17, .35), ('smile', 18, .35), ('blink_l', 11, .5),
                           ('blink_r', 14, .5), ('brow', 9, .4), ('brow', 10, .4),
                           ('gaze_x', 13, .3), ('gaze_x', 16, .3), ('gaze_y', 12, .3),
                           ('gaze_y', 15, .3)):
        table[characters.CONTROLS.index(name), point, 2] = z
    return table


TABLE = array(control_table())


def tensor(pictures):
    x = array(pictures).permute(0, 3, 1, 2).float().div_(255)
    return x.contiguous(memory_format=torch.channels_last)


def labels(people, motions):
    """The renderer's truth as M should tell it: kp, exp, angles, t, scale."""
    m = array(motions).float()
    kp = array([characters.landmarks(a, s, np.zeros(15))[0] for a, s in people])
    t = torch.tensor([[(characters.Face(a, s).x - 128) / 128, (characters.Face(a, s).y - 128) / 128, 0]
                      for a, s in people])
    t[:, :2] += m[:, characters.TX:characters.TY + 1]
    exp = torch.einsum('bc,ckx->bkx', m[:, characters.JAW:], TABLE)
    return {'kp': kp.float(), 'exp': exp, 'angles': m[:, :3], 't': t.float(),
            'scale': m[:, characters.SCALE]}


def points(k):
    return keypoints(k['kp'], k['exp'], k['angles'], k['t'], k['scale'])


def driven(k, motions, still):
    """Key points of the source's face under other motions, as the engine drives it."""
    m, s = (array(v).float() for v in (motions, still))
    n = len(m) // len(s)
    k, s = {q: v.repeat_interleave(n, 0) for q, v in k.items()}, s.repeat_interleave(n, 0)
    t = k['t'].clone()
    t[:, :2] += (m - s)[:, characters.TX:characters.TY + 1]
    exp = torch.einsum('bc,ckx->bkx', m[:, characters.JAW:], TABLE)
    return keypoints(k['kp'], exp, k['angles'] + (m - s)[:, :3], t,
                     k['scale'] * m[:, characters.SCALE] / s[:, characters.SCALE])


def attention(x, n):
    """Where the loss looks harder, [B,1,n,n]: eyes, brows and mouth of the target."""
    g, w = centres(n), 1.
    for at, sx, sy, k in ((x[:, 11:14].mean(1), .13, .15, 4), (x[:, 14:17].mean(1), .13, .15, 4),
                          (x[:, 9], .12, .07, 10), (x[:, 10], .12, .07, 10),
                          (x[:, 17:21].mean(1), .2, .17, 6)):
        w = w + k * torch.exp(-.5 * ((g[None, None] - at[:, 0, None, None]) / sx) ** 2
                              - .5 * ((g[None, :, None] - at[:, 1, None, None]) / sy) ** 2)
    return w[:, None]


def picture_loss(logits, y, weight, factor: int):
    """L1 weighted at eyes, brows and mouth, L1 of gradients, L1 of 4x4 and 16x16 means, squared error, a
    fifth of it weighted alike; and the MSE."""
    r = torch.sigmoid(F.pixel_shuffle(logits.float(), factor)) - y
    b, _, s, _ = r.shape
    n = s // 4
    l1 = (r.abs().reshape(b, 3, n, 4, n, 4).mean((1, 3, 5)) * weight[:, 0]).mean()
    face = ((r * r).reshape(b, 3, n, 4, n, 4).mean((1, 3, 5)) * weight[:, 0]).mean()
    edge = (r[..., 1:] - r[..., :-1]).abs().mean() + (r[..., 1:, :] - r[..., :-1, :]).abs().mean()
    r2 = r.reshape(b, 3, n, 4, n, 4).mean((3, 5))
    r3 = r2.reshape(b, 3, n // 4, 4, n // 4, 4).mean((3, 5))
    mse = (r * r).mean()
    return l1 + .5 * edge + .5 * (r2.abs().mean() + r3.abs().mean()) + 24 * mse + 6 * face, mse


fused_loss = torch.compile(picture_loss, dynamic=False)


def cast(rng, sources, targets, low):
    """Characters, the motions of their portraits, and where they are driven; `low` is the least range."""
    people = [characters.character(rng.getrandbits(40)) for _ in range(sources)]
    still = [characters.random_motion(rng, rng.random() < .85) for _ in people]
    motions = [characters.random_motion(rng, pose=rng.choice((low, 1., 1.)))
               for _ in range(sources * targets)]
    return people, still, motions


def portraits(people, still, size):
    return tensor([draw.render(a, s, m, size) for (a, s), m in zip(people, still)])


def psnr(a, b):
    return -10 * (a - b).pow(2).mean((1, 2, 3)).log10()


def guide_loss(by, xs, xd):
    """How far the deformation at the driven key points is from what brings each back, L1."""
    got = F.grid_sample(by, xd[:, None, None], align_corners=False)[:, :, 0, 0].transpose(1, 2)
    return (got - (xs - xd)).abs().mean()


# Points of shoulders and background, which stand still.
STILL = torch.tensor([(x, y) for x in (-.75, -.35, 0, .35, .75) for y in (.72, .9)]
                     + [(x, y) for x in (-.9, .9) for y in (-.8, -.4, 0, .4)])


def flow_loss(by, people, still, motions):
    """How far off, along x and y, the deformation is where the head is drawn, L1 summed over both; and
    how far what stands still moves.  It counts at all depths alike, for F may keep what is seen at any."""
    n, (d, h, w) = len(motions) // len(people), by.shape[2:]
    sources = [draw.marks(*p, s) for p, s in zip(people, still)]
    pairs = [(*sources[i // n], *draw.marks(*people[i // n], m)) for i, m in enumerate(motions)]
    most = max(len(p[0]) for p in pairs)
    source, unseen, target, hidden = (
        array([np.resize(p[k], (most, *p[k].shape[1:])) for p in pairs]) for k in range(4))

    def flow(at):
        """[B,n,d,2] at the points' x and y."""
        y = F.grid_sample(by[:, :2].reshape(-1, 2 * d, h, w), at[:, :, None, :2], align_corners=False)
        return y[..., 0].reshape(-1, 2, d, at.shape[1]).permute(0, 3, 2, 1)
    off = (flow(target) - (source - target)[:, :, None, :2]).abs().sum(-1)
    return off[~(unseen | hidden)].mean() + flow(STILL.expand(len(by), -1, -1)).abs().sum(-1).mean()


def evaluate(net, size, divisor, own_points, count=24):
    """Held-out characters: PSNR over the full and the talking range, and a sheet."""
    import random
    rng, result = random.Random(5), {}
    people = [characters.character(i, 'test') for i in range(count)]
    still = [characters.mood_motion(a['mood']) for a, _ in people]
    x = tensor([draw.render(a, s, m, size) for (a, s), m in zip(people, still)])
    k = labels(people, still)
    if own_points:
        k = own(net, x, k, 1., rng)
    for name, pose in (('full', 1.), ('talking', .3)):
        motions = [characters.random_motion(rng, pose=pose) for _ in people]
        y = tensor([draw.render(a, s, m, 2 * size) for (a, s), m in zip(people, motions)])
        with torch.no_grad(), compute():
            out = torch.cat([net.spade_generator.picture(
                net(x[i:i + 8], points({q: v[i:i + 8] for q, v in k.items()}),
                    driven({q: v[i:i + 8] for q, v in k.items()}, motions[i:i + 8],
                           still[i:i + 8]), divisor)[0]) for i in range(0, count, 8)])
        result[name] = psnr(out, y).mean().item()
    small = [F.interpolate(v[:8], size=160, mode='area').permute(0, 2, 3, 1).cpu().numpy()
             for v in (x, y, out)]
    return result, np.concatenate([np.concatenate(list(v), 1) for v in small])


def own(net, x, truth, share, rng):
    """M's key points for a share of the sources, the renderer's for the others."""
    with torch.no_grad():
        m = net.motion_extractor.eval()(F.avg_pool2d(x, 2))
    pick = torch.tensor([rng.random() < share for _ in x])
    return {k: torch.where(pick.view(-1, *[1] * (v.ndim - 1)), m[k], v) for k, v in truth.items()}


def flow_alone(net, rng):
    """The flow loss of a batch in which dense motion alone learns."""
    people, still, motions = cast(rng, 4, 4, .5)
    x, truth = portraits(people, still, 256), labels(people, still)
    dense = net.warping_module.dense_motion_network.train()
    with torch.no_grad():
        f = net.appearance_feature_extractor.eval()(x)
    with compute():
        volume = dense.source(f, (2, 2, 2)).repeat_interleave(4, 0)
        by, _ = dense(volume, points(truth).repeat_interleave(4, 0),
                      driven(truth, motions, still))
    return flow_loss(by, people, still, motions)


def main():
    a = settings(argparse.ArgumentParser(description=__doc__))
    net = Portrait()
    net.motion_extractor.requires_grad_(False)
    run = Run('portrait', net, Optimizer(net, .004, 2e-3, ('first', 'conv_img', 'compress')),
              average=.997)
    while run.iteration < a.until:
        rng, it = run.random(), run.iteration
        if any(first <= it < last for first, last in FLOW):
            loss = flow_alone(net, rng)
            loss.backward()
            run.step(run.rate(a.until, a.cooldown))
            run.note(flow=loss.item())
            if run.iteration % 100 == 0:
                run.report()
            continue
        _, size, divisor, sources, targets = [s for s in STAGES if s[0] <= it][-1]
        people, still, motions = cast(rng, sources, targets, 1.)
        x = portraits(people, still, size)
        y = portraits([p for p in people for _ in range(targets)], motions, 2 * size)
        truth = labels(people, still)
        if it == OWN:
            for n in (net, run.ema):
                n.motion_extractor.load_state_dict(weights('motion'))
        if it >= OWN and rng.random() < .3:
            x = (wear(2 * x - 1, rng) + 1) / 2
        k = own(net, x, truth, .7, rng) if it >= OWN else truth
        xs, xd = points(k), driven(k, motions, still)
        net.train()
        with compute():
            logits, by = net(x, xs, xd, divisor)
        loss, mse = fused_loss(logits, y, attention(driven(truth, motions, still), size // 2), 4)
        guide = max(0., 1 - it / GUIDE)
        loss = loss + guide * guide_loss(by, xs.repeat_interleave(targets, 0), xd)
        if it >= FLOW[0][1]:
            flow = flow_loss(by, people, still, motions)
            loss = loss + 2 * flow
            run.note(flow=flow.item())
        loss.backward()
        run.step(run.rate(a.until, a.cooldown))
        run.note(loss=loss.item(), mse=mse.item())
        if run.iteration % 100 == 0:
            m = sum(run.means['mse']) / len(run.means['mse'])
            run.report(psnr=-10 * np.log10(m), size=size)
        if run.iteration % 500 == 0:
            from PIL import Image
            scores, sheet = evaluate(run.ema, size, divisor, it >= OWN)
            run.say('held out', size, scores)
            Image.fromarray((sheet * 255).astype(np.uint8)).save(run.dir / 'sheet.png')
    run.save()


if __name__ == '__main__':
    main()
