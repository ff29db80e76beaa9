"""Trains the transformer, with its T5 and CLIP text tower, on latents of drawings.

    python train_flux.py --until N --cooldown K

Rectified flow; four of five times t is one of the four steps that inference takes.  The picture
of a caption is its completed one, in the standard shape, so noise carries nothing and the
velocity at t = 1 already aims at the picture.  Latents live in a pool that is renewed all the time.
"""
import argparse

import numpy as np
import torch
from torch import nn

import characters
import draw
from captions import caption, complete, consistent, choose_named
from common import DEVICE, compute, HOME, noise, Optimizer, Run, settings, weights
from nets_image import Autoencoder, ClipTextOnly, Flux, T5Encoder, TOKENS, pack, unpack
from train_text import wander
from train_vae import tensor
from vocabulary import Tokenizer

STEPS, SHARES = (1., .75, .5, .25), (.45, .25, .15, .15)
POOL, RENEWED = 3000, 3
BATCH, SIDE = 32, 8
PLAIN = ('shared', 'relative', 'embedding', 'img_in', 'final_layer', 'norm')


class Painter(nn.Module):
    """What an image needs besides the decoder."""

    def __init__(self, t5_size, clip_size):
        super().__init__()
        self.flux, self.t5, self.clip = Flux(), T5Encoder(t5_size), ClipTextOnly(clip_size)

    def table(self):
        return self.flux.table(TOKENS, SIDE, SIDE)

    def velocity(self, x, t, t5_ids, clip_ids, table):
        return self.flux(x, t, self.t5(t5_ids), self.clip(clip_ids), table)

    @torch.no_grad()
    def paint(self, x, t5_ids, clip_ids, steps=4):
        """Euler steps from noise [B,64,64] to packed latents."""
        table, txt, y = self.table(), self.t5(t5_ids), self.clip(clip_ids)
        for k in range(steps):
            t = torch.full((len(x),), 1 - k / steps)
            x = x - self.flux(x, t, txt, y, table).float() / steps
        return x


def choose(rng):
    """A character who completes a caption, and what the caption names; None for a held-out pair."""
    a = characters.draw_attributes(rng)
    named = choose_named(a, rng)
    b = complete(a, named)
    if characters.held_out(b):
        return None
    return b, consistent(b, named & {n for n in named if b[n] == a[n]})


class Pool:
    """Latents of completed captions, with the attributes and the names to word them anew."""

    def __init__(self):
        self.vae = Autoencoder()
        self.vae.load_state_dict(weights('vae'))
        self.vae.eval()
        self.path = HOME / 'flux_pool.pt'
        self.z = torch.zeros(POOL, 16, 2 * SIDE, 2 * SIDE, dtype=torch.float16)
        self.words, self.next = [None] * POOL, 0
        if self.path.exists():
            s = torch.load(self.path, DEVICE, weights_only=False)
            self.z, self.words, self.next = s['z'], s['words'], s['next']

    def renew(self, rng, count):
        words, pictures = [], []
        for _ in range(count):
            chosen = choose(rng)
            if chosen is None:
                continue
            b = chosen[0]
            words.append(chosen)
            pictures.append(draw.render(b, np.zeros(7), characters.mood_motion(b['mood'])))
        if not words:
            return
        with torch.no_grad(), compute():
            z = self.vae.encode(tensor(pictures))[0]
        for w, v in zip(words, z):
            self.z[self.next], self.words[self.next] = v.half(), w
            self.next = (self.next + 1) % POOL

    def fill(self, rng, run):
        while self.words[-1] is None:
            self.renew(rng, 32)
        run.say('latents', self.z.float().mean().item(), self.z.float().std().item())
        torch.save({'z': self.z, 'words': self.words, 'next': self.next}, self.path)


def evaluate(painter, pool, tokenizers, path, count=48):
    """Distance to the drawn picture for held-out prompts, in dB; and a sheet."""
    from PIL import Image
    from captions import prompts
    test = prompts(count)
    ids = [t([text for text, *_ in test]) for t in tokenizers]
    with torch.no_grad(), compute():
        z = painter.paint(noise(1, count, SIDE * SIDE, 64), *ids)
        y = torch.cat([pool.vae.decoder(unpack(z[i:i + 8], 2 * SIDE, 2 * SIDE)).float()
                       for i in range(0, count, 8)]).clamp(-1, 1)
    x = tensor([draw.render(a, np.zeros(7), characters.mood_motion(a['mood'])) for _, a, _ in test])
    both = ((torch.cat([x[:8], y[:8], x[8:16], y[8:16]]) + 1) * 127.5).byte()
    Image.fromarray(draw.sheet(list(both.permute(0, 2, 3, 1).cpu().numpy()[:, ::2, ::2]), 8)).save(path)
    return (10 * torch.log10(4 / (y - x).pow(2).mean((1, 2, 3)))).mean().item()


def main():
    a = settings(argparse.ArgumentParser(description=__doc__))
    tokenizers = Tokenizer('t5'), Tokenizer('clip')
    painter = Painter(*(t.size for t in tokenizers))
    if not (HOME / 'flux' / 'state.pt').exists():
        text = weights('text')
        for name in ('t5', 'clip'):
            getattr(painter, name).load_state_dict(
                {k[len(name) + 1:]: v for k, v in text.items() if k.startswith(name + '.')})
    run = Run('flux', painter, Optimizer(painter, .0025, 2e-3, PLAIN), average=.995)
    pool, table = Pool(), painter.table()
    pool.fill(run.random(), run)
    weight = torch.ones(SIDE, SIDE)
    weight[1:6, 2:6] = 1.6
    weight = (weight / weight.mean()).view(1, -1, 1)
    while run.iteration < a.until:
        rng = run.random()
        pool.renew(rng, RENEWED)
        picks = [rng.randrange(POOL) for _ in range(BATCH)]
        texts = [wander(caption(pool.words[i][0], rng, pool.words[i][1])[0], rng) for i in picks]
        z, noise = pack(pool.z[picks].float()), torch.randn(BATCH, SIDE * SIDE, 64)
        t = torch.tensor([rng.choices(STEPS, SHARES)[0] if rng.random() < .85
                          else 1 / (1 + np.exp(rng.gauss(0, 1))) for _ in picks]).float()
        m = t[:, None, None]
        with compute():
            v = painter.velocity((1 - m) * z + m * noise, t, *(k(texts) for k in tokenizers), table)
        error = ((v.float() - (noise - z)) ** 2 * weight).mean((1, 2))
        error.mean().backward()
        run.step(run.rate(a.until, a.cooldown, 40))
        for s in STEPS:
            if (t == s).any():
                run.note(**{f't{s:.2f}': error[t == s].mean().item()})
        if run.iteration % 100 == 0:
            run.report()
        if run.iteration % 500 == 0:
            run.say('held-out prompts, dB to the drawing',
                    evaluate(run.ema, pool, tokenizers, run.dir / 'sheet.png'))
    run.save()


if __name__ == '__main__':
    main()
