"""Trains FLUX's autoencoder on drawings: small windows of them first, then whole ones (STAGES).

    python train_vae.py --until N --cooldown K

Loss: L1, heavier at the face, + 0.5 L1 of gradients + L1 of 8x8 and 32x32 means + MSE + KL.  A floor
under the latents' noise keeps neighbours of a latent decodable, which is what the transformer's
small errors ask for.  The end is final: from then on latents mean something to the transformer.
"""
import argparse
import math

import torch
import torch.nn.functional as F

import characters
import draw
from common import array, compute, Optimizer, Run, settings
from nets_image import Autoencoder

# (first iteration, window, batch); pictures are drawn at 256
STAGES = ((0, 64, 16), (1500, 128, 6), (2500, 256, 4))
FLOOR = -4.6  # of the log of the latents' noise variance


def picture(rng):
    """Half of them in the standard shape, as the transformer paints."""
    a, shape = characters.character(rng.getrandbits(40))
    kind = rng.random()
    if kind < .5:
        return draw.render(a, shape * 0, characters.mood_motion(a['mood']))
    if kind < .75:
        return draw.render(a, shape * rng.random(), characters.mood_motion(a['mood']))
    return draw.render(a, shape, characters.random_motion(rng))


def tensor(pictures):
    x = array(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
    return x.contiguous(memory_format=torch.channels_last)


def place(rng, size):
    """Where a window begins, in whole cells; more often upon the head."""
    if rng.random() < .6:
        return 16 * min(rng.randint(3, max(3, 13 - size // 16)), 16 - size // 16)
    return 16 * rng.randint(0, 16 - size // 16)


def batch(rng, size, count):
    """Windows and their weights, four to a picture, a third of them mirrored, at whole cells."""
    out, heavy = [], []
    while len(out) < count:
        p = picture(rng)
        for _ in range(min(4 if size < 256 else 1, count - len(out))):
            y, x = place(rng, size), place(rng, size)
            c, w = (v[y:y + size, x:x + size] for v in (p, WEIGHT))
            mirror = rng.random() < .3
            out.append(c[:, ::-1] if mirror else c)
            heavy.append(w.flip(1) if mirror else w)
    return tensor(out), torch.stack(heavy)[:, None]


def face_weight(n=256):
    """How heavy a pixel is, [n,n]: 3 at the middle of the face, 1 far from it."""
    g = torch.arange(n) - n / 2
    return 1 + 2 * torch.exp(-.5 * ((g[None] / 46) ** 2 + ((g[:, None] + 2) / 50) ** 2))


WEIGHT = face_weight()


def picture_loss(y, x, weight):
    d = y.float() - x
    edge = (d[..., 1:] - d[..., :-1]).abs().mean() + (d[..., 1:, :] - d[..., :-1, :]).abs().mean()
    coarse = F.avg_pool2d(d, 8)
    return (d.abs() * weight).mean() + .5 * edge + .5 * coarse.abs().mean() \
        + .5 * F.avg_pool2d(coarse, 4).abs().mean() + (d ** 2).mean(), (d ** 2).mean()


def held_out(count=12):
    people = [characters.character(i, 'test') for i in range(count)]
    return tensor([draw.render(a, s * 0, characters.mood_motion(a['mood'])) for a, s in people])


def evaluate(net, x):
    with torch.no_grad(), compute():
        z = net.encode(x)[0]
        y = net.decoder(z).float().clamp(-1, 1)
    return (10 * torch.log10(4 / (y - x).pow(2).mean((1, 2, 3)))).mean().item(), z, y


def main():
    a = settings(argparse.ArgumentParser(description=__doc__))
    net = Autoencoder()
    with torch.no_grad():
        net.encoder.conv_out.bias[16:] = -3
    run = Run('vae', net, Optimizer(net, .002, 2e-3, ('conv_in', 'conv_out')), average=.995)
    test = held_out()
    while run.iteration < a.until:
        rng, it = run.random(), run.iteration
        _, size, count = [s for s in STAGES if s[0] <= it][-1]
        x, weight = batch(rng, size, count)
        with compute():
            mean, logvar = net.encode(x)
            logvar = logvar.clamp(FLOOR, 4)
            y = net.decoder(mean + torch.randn_like(mean) * (logvar / 2).exp())
        kl = .5 * (mean ** 2 + logvar.exp() - 1 - logvar).mean()
        loss, mse = picture_loss(y, x, weight)
        (loss + 3e-4 * kl).backward()
        run.step(run.rate(a.until, a.cooldown, 30))
        run.note(loss=loss.item(), kl=kl.item(), mse=mse.item())
        if run.iteration % 100 == 0:
            m = sum(run.means['mse']) / len(run.means['mse'])
            run.report(psnr=10 * math.log10(4 / m), held_out_256=evaluate(run.ema, test[:6])[0])
        if run.iteration % 500 == 0:
            save_sheet(run, test)
    save_sheet(run, test)
    run.save()


def save_sheet(run, test):
    from PIL import Image
    value, z, y = evaluate(run.ema, test)
    run.say('held out', value, 'latents', z.mean().item(), z.std().item())
    both = ((torch.cat([test[:6], y[:6], test[6:], y[6:]]) + 1) * 127.5).byte()
    Image.fromarray(draw.sheet(list(both.permute(0, 2, 3, 1).cpu().numpy()), 6)).save(run.dir / 'sheet.png')


if __name__ == '__main__':
    main()
