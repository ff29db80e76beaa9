"""Measures the portrait networks on unseen characters, with M's own key points, at 512."""
import random

import numpy as np
import torch
import torch.nn.functional as F

import characters
import draw
from nets_portrait import keypoints
from train_portrait import tensor


class Animator:
    """The portrait networks as the engine drives them: M's key points, absolute expressions."""

    def __init__(self, pack):
        self.net, self.table = pack.portrait(), pack.controls

    def __call__(self, sources, motions, owner):
        """Frames for motions[i] of sources[owner[i]], [n,3,512,512]."""
        net, out = self.net, []
        with torch.no_grad():
            m = net.motion_extractor(F.avg_pool2d(sources, 2))
            xs = keypoints(*(m[k] for k in ('kp', 'exp', 'angles', 't', 'scale')))
            f = net.appearance_feature_extractor(sources)
            w = net.warping_module
            volume = w.dense_motion_network.source(f, (2, 2, 2))
            for i in range(0, len(motions), 8):
                o = owner[i:i + 8]
                c = torch.from_numpy(np.stack(motions[i:i + 8])).float()
                t = m['t'][o].clone()
                t[:, :2] += c[:, characters.TX:characters.TY + 1]
                exp = torch.einsum('bc,ckx->bkx', c[:, characters.JAW:], self.table)
                xd = keypoints(m['kp'][o], exp, m['angles'][o] + c[:, :3], t,
                               m['scale'][o] * c[:, characters.SCALE])
                out.append(net.spade_generator.picture(
                    net.spade_generator(w(f[o], volume[o], xs[o], xd)[0])))
        return torch.cat(out)


def still():
    m = np.zeros(15, np.float32)
    m[characters.SCALE] = 1
    return m


def drawn(people, motions, owner):
    return tensor([draw.render(*people[o], m, 512) for o, m in zip(owner, motions)])


def animation(pack, faces, folder):
    """Unseen characters in the mood their portrait shows, driven from there."""
    animate, rng = Animator(pack), random.Random(12)
    people = [characters.character(5000 + i, 'test') for i in range(faces)]
    sources = tensor([draw.render(a, s, characters.mood_motion(a['mood'])) for a, s in people])
    every, result = list(range(faces)), {}
    for name, pose in (('talking', .3), ('full', 1.)):
        motions = [characters.random_motion(rng, pose=pose) for _ in people]
        made, true = animate(sources, motions, every), drawn(people, motions, every)
        result[f'psnr_{name}'] = (-10 * (made - true).pow(2).mean((1, 2, 3)).log10()).mean().item()
        if folder:
            save_sheet(folder / f'{name}.png', [F.interpolate(sources, size=512), true, made])
    bare = [i for i, (a, _) in enumerate(people) if a['glasses'] != 'sunglasses'][:12]
    base, still_true = animate(sources, [still()] * len(bare), bare), \
        drawn(people, [still()] * len(bare), bare)
    for name, value in (('jaw', 1.), ('lip_round', 1.), ('lip_wide', 1.), ('smile', 1.),
                        ('blink_l', 1.), ('blink_r', 1.), ('brow', 1.), ('gaze_x', 1.),
                        ('gaze_y', 1.), ('yaw', 18.), ('pitch', 10.), ('roll', 9.)):
        m = still()
        m[characters.MOTION.index(name)] = value
        made, true = animate(sources, [m] * len(bare), bare) - base, \
            drawn(people, [m] * len(bare), bare) - still_true
        result[f'response_{name}'] = ((made * true).sum((1, 2, 3))
                                      / (true * true).sum((1, 2, 3))).mean().item()
    return result | mouth(animate, people, sources, bare)


def mouth(animate, people, sources, bare):
    """Correlation of the mouth's opening, as the share of the drawn opening, with the jaw control."""
    jaw = np.linspace(0, 1, 7)
    motions = []
    for j in jaw:
        m = still()
        m[characters.JAW] = j
        motions.append(m)
    values = []
    for i in bare:
        made, true = animate(sources, motions, [i] * 7), drawn(people, motions, [i] * 7)
        template = true[-1] - true[0]
        opening = ((made - made[:1]) * template).sum((1, 2, 3)) / template.pow(2).sum()
        values.append(np.corrcoef(opening.numpy(), jaw)[0, 1])
    return {'mouth_correlation': float(np.mean(values)),
            'mouth_correlation_worst': float(np.min(values))}


def save_sheet(path, rows, columns=8):
    from PIL import Image
    rows = [F.interpolate(r[:columns], size=192, mode='area') for r in rows]
    a = np.concatenate([np.concatenate(list(r.permute(0, 2, 3, 1).numpy()), 1) for r in rows])
    Image.fromarray((a.clip(0, 1) * 255).astype(np.uint8)).save(path)


