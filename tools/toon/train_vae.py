"""Trains FLUX's autoencoder on crops of drawings, small ones first (STAGES).

    python train_vae.py [--until N] [--cooldown N]

Loss: L1 + 0.5 L1 of gradients + MSE + KL.  A floor under the latents' noise keeps neighbours of a
latent decodable, which is what the transformer's small errors ask for.  At FROZEN the encoder stops
and the decoder goes on alone, on windows of whole pictures' latents.
"""
import argparse
import math

import numpy as np
import torch

import draw
from common import Optimizer, Run, schedule, settings
from nets_image import Autoencoder

# (first iteration, crop, batch); pictures are drawn at 256
STAGES = ((0, 64, 16), (1900, 128, 5), (2900, 256, 3))
FROZEN = 1900  # from here on the encoder stays, and with it what latents mean
FLOOR = -4.6


def picture(rng):
    a, shape = draw.character(rng.getrandbits(40))
    if rng.random() < .6:
        shape = shape * rng.random()
        return draw.render(a, shape, draw.mood_motion(a['mood']))
    return draw.render(a, shape, draw.random_motion(rng))


def tensor(pictures):
    x = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1
    return x.contiguous(memory_format=torch.channels_last)


def place(rng, size):
    """Where a window begins, in whole cells; more often upon the head."""
    if rng.random() < .6:
        return 16 * min(rng.randint(3, max(3, 13 - size // 16)), 16 - size // 16)
    return 16 * rng.randint(0, 16 - size // 16)


def batch(rng, size, count):
    """Crops, four to a picture, half of them mirrored; places are multiples of the latent's cell."""
    out = []
    while len(out) < count:
        p = picture(rng)
        for _ in range(min(4 if size < 256 else 1, count - len(out))):
            y, x = place(rng, size), place(rng, size)
            c = p[y:y + size, x:x + size]
            out.append(c[:, ::-1] if rng.random() < .3 else c)
    return tensor(out)


def windows(net, rng, size, count):
    """Windows of pictures and of their latents, these with noise as the transformer leaves it."""
    x = tensor([picture(rng) for _ in range(count)])
    with torch.no_grad():
        z = net.encode(x)[0]
    z = z + torch.randn_like(z) * math.exp(FLOOR / 2) * rng.uniform(.5, 2.)
    n, xs, zs = size // 16, [], []
    for p, q in zip(x, z):
        i, j = place(rng, size) // 16, place(rng, size) // 16
        xs.append(p[:, 16 * i:16 * i + size, 16 * j:16 * j + size])
        zs.append(q[:, i:i + n, j:j + n])
    return tuple(torch.stack(v).contiguous(memory_format=torch.channels_last) for v in (xs, zs))


def held_out(count=12):
    people = [draw.character(i, 'test') for i in range(count)]
    return tensor([draw.render(a, s * 0, draw.mood_motion(a['mood'])) for a, s in people])


def evaluate(net, x):
    with torch.no_grad(), torch.autocast('cpu', torch.bfloat16):
        z = net.encode(x)[0]
        y = net.decoder(z).float().clamp(-1, 1)
    return (10 * torch.log10(4 / (y - x).pow(2).mean((1, 2, 3)))).mean().item(), z, y


def rate(it):
    """Falls before the encoder is frozen, starts again for the decoder alone."""
    return max(.2, min(1., (FROZEN - it) / 500)) if it < FROZEN else .7


def main():
    a = settings(argparse.ArgumentParser(description=__doc__), 3300, 1000)
    net = Autoencoder()
    with torch.no_grad():
        net.encoder.conv_out.bias[16:] = -3
    run = Run('vae', net, Optimizer(net, .002, 2e-3, ('conv_in', 'conv_out')), average=.995)
    test = held_out()
    while run.iteration < a.until:
        rng, it = run.random(), run.iteration
        _, size, count = [s for s in STAGES if s[0] <= it][-1]
        if it == FROZEN:
            net.encoder.load_state_dict(run.ema.encoder.state_dict())
        if it >= FROZEN:
            net.encoder.requires_grad_(False)
        with torch.autocast('cpu', torch.bfloat16):
            if it < FROZEN:
                x = batch(rng, size, count)
                mean, logvar = net.encode(x)
                logvar = logvar.clamp(FLOOR, 4)
                z = mean + torch.randn_like(mean) * (logvar / 2).exp()
                kl = .5 * (mean ** 2 + logvar.exp() - 1 - logvar).mean()
            else:
                x, z = windows(run.ema, rng, size, count)
                kl = torch.zeros(())
            y = net.decoder(z)
        d = y.float() - x
        l1 = d.abs().mean()
        edge = (d[..., 1:] - d[..., :-1]).abs().mean() \
            + (d[..., 1:, :] - d[..., :-1, :]).abs().mean()
        (l1 + .5 * edge + (d ** 2).mean() + 3e-4 * kl).backward()
        run.step(schedule(it, a.until, a.cooldown, 30) * rate(it))
        run.note(l1=l1.item(), edge=edge.item(), kl=kl.item(), mse=(d ** 2).mean().item())
        if run.iteration % 100 == 0:
            m = sum(run.means['mse']) / len(run.means['mse'])
            run.report(psnr=10 * math.log10(4 / m), held_out_256=evaluate(run.ema, test[:6])[0])
    from PIL import Image
    value, z, y = evaluate(run.ema, test)
    run.say('held out', value, 'latents', z.mean().item(), z.std().item())
    both = ((torch.cat([test[:6], y[:6]]) + 1) * 127.5).byte().permute(0, 2, 3, 1).numpy()
    Image.fromarray(draw.sheet(list(both), 6)).save(run.dir / 'sheet.png')
    run.save()


if __name__ == '__main__':
    main()
