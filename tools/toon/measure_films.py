"""Measures what the engine makes of the pack: pictures, films, their verification, their sync.

Everything comes from the `vortex` binary: pictures as PNG, films as MP4, scores as `vortex score`
prints them.
"""
import json
import random
import subprocess
import time
from pathlib import Path

import av
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

import characters
import draw
from captions import caption, matches, wrong_by_one
from measure_pictures import drawings
from nets_portrait import keypoints
from train_flux import SIDE

VOWELS = set('aeiouɑæʌəɛɪɔʊɜɚɐɒᵊAIOWY')
LIPS = set('pbm')
TALK = 'Papa bought a map. Mama baked a pie.'
FPS, LAGS = 24, range(-5, 6)


class Engine:
    def __init__(self, binary, folder, out):
        self.binary, self.folder, self.out = str(binary), Path(folder), Path(out)
        self.out.mkdir(parents=True, exist_ok=True)

    def run(self, *arguments, allow=(0,)):
        done = subprocess.run([self.binary, '--pack', str(self.folder), '--quiet', '--json',
                               '--log-level', 'error', *map(str, arguments)],
                              capture_output=True, text=True)
        if done.returncode not in allow:
            raise SystemExit(f'{arguments}: exit {done.returncode}\n{done.stdout}{done.stderr}')
        return json.loads(done.stdout)

    def picture(self, prompt, seed):
        """[3,256,256] in -1..1."""
        path = self.out / 'picture.png'
        self.run('--seed', seed, 'imagine', prompt, '-o', path)
        return signed(path)

    def film(self, name, prompt, seed, script, **audio):
        """The film's path and its report."""
        recipe, path = self.out / 'recipe.json', self.out / f'{name}.mp4'
        report = self.out / 'report.json'
        recipe.write_text(json.dumps({
            'seed': seed, 'audio_track': {'script': script} | audio,
            'visual_track': {'prompt': prompt},
            'output': {'width': 512, 'height': 512, 'fps': FPS, 'max_seconds': 20}}))
        self.run('generate', recipe, '-o', path, '--report', report, allow=(0, 9))
        return path, json.loads(report.read_text())


def signed(path):
    p = torch.from_numpy(np.asarray(Image.open(path).convert('RGB')).copy())
    return p.permute(2, 0, 1).float() / 127.5 - 1


def pictures(engine, texts):
    return torch.stack([engine.picture(t, 1000 + i) for i, t in enumerate(texts)])


def verification(engine, test):
    """Every film of `test` against all its prompts, and against its own with one attribute wrong."""
    rng = random.Random(6)
    texts = [t for t, *_ in test]
    passes, near, above, outcomes = [], [], [], []
    for i, (text, a, named) in enumerate(test):
        path, report = engine.film('film', text, 1000 + i, 'Hello there!')
        wrong = wrong_by_one(a, named, rng)[0]
        asked = texts + ([caption(wrong, rng, named)[0]] if wrong else [])
        scores = engine.run('score', path, *asked)['prompts']
        passes.append([s['pass'] for s in scores[:len(texts)]])
        outcomes.append(report['verify']['pass'])
        if wrong:
            near.append(scores[-1]['pass'])
            above.append(scores[i]['ensemble'] > scores[-1]['ensemble'])
    n = len(test)
    other = [passes[i][j] for i in range(n) for j in range(n)
             if not matches(test[j][1], test[j][2], test[i][1])]
    return {'films': n, 'accept_right': np.mean([passes[i][i] for i in range(n)]),
            'reports_passed': np.mean(outcomes), 'reject_other': 1 - np.mean(other),
            'reject_one_wrong': 1 - np.mean(near), 'right_above_wrong': np.mean(above)}


# ---- sync

def frames(path):
    with av.open(str(path)) as container:
        return torch.stack([torch.from_numpy(f.to_ndarray(format='rgb24')).permute(2, 0, 1)
                            for f in container.decode(video=0)]).float() / 255


def openings(film, a):
    """How far each frame's mouth is open, by the drawn difference of an open and a closed one."""
    def soft(x):
        return F.avg_pool2d(F.avg_pool2d(x, 4), 3, 1, 1)
    c = np.zeros(15, np.float32)
    c[characters.SCALE] = 1
    still, wide = (torch.from_numpy(draw.render(a, np.zeros(7), m, 512)).permute(2, 0, 1)[None]
                   .float() / 255 for m in (c, c + (np.arange(15) == characters.JAW)))
    template = soft(wide - still)
    template[template.abs().amax(1, keepdim=True).expand_as(template) < .05] = 0
    x = soft(film)
    return ((x - x[:2].mean(0)) * template).sum((1, 2, 3)).numpy() / template.pow(2).sum().item()


def follows(opening, phonemes):
    """The best lag in frames behind the vowels, its correlation, closures seen and all closures."""
    n = len(opening)
    at = (np.arange(n) + .5) / FPS
    want = np.zeros(n)
    for p in phonemes:
        if p['symbol'] in VOWELS:
            want[(at >= p['start_s']) & (at < p['end_s'])] = 1

    def correlation(lag):
        k = [i for i in range(n) if 0 <= i + lag < n]
        return np.corrcoef(want[k], opening[[i + lag for i in k]])[0, 1]
    best = max(LAGS, key=correlation)
    shut, seen, count = opening.min(), 0, 0
    for p in phonemes:
        first, last = int(p['start_s'] * FPS) - 1, int(p['end_s'] * FPS) + 1
        if p['symbol'] not in LIPS or first < 6 or last >= n - 6:
            continue
        near = opening[first - 5:last + 6]
        count += 1
        seen += opening[first:last + 1].min() - shut < .5 * (near.max() - shut)
    return best, correlation(best), seen, count


def sync(engine, people):
    """Films of different characters: lags, correlations, and the share of closures that are seen."""
    rows = []
    for i, (text, a) in enumerate(people):
        path, report = engine.film('talk', text, 50 + i, TALK, mood='neutral')
        rows.append(follows(openings(frames(path), a), report['audio']['timings']['phonemes']))
    lags, fits, seen, count = zip(*rows)
    return {'sync_films': len(rows), 'lag_most': max(map(abs, lags)), 'lag_fit': np.mean(fits),
            'lag_fit_worst': min(fits), 'closures': sum(count),
            'closures_seen': sum(seen) / sum(count)}


# ---- time, and agreement with PyTorch

def duration(engine):
    """Seconds from start to exit for a second of film, the median of three; the machine's peak."""
    script = 'Hello! ' + ' '.join(['The quick brown fox jumps over the lazy dog.'] * 3) \
        + ' And that, dear friends, is the end of it.'
    times = []
    for _ in range(3):
        start = time.monotonic()
        _, report = engine.film('timed', 'a wizard', 4, script)
        times.append(time.monotonic() - start)
    peak = engine.run('bench', 'kokoro', '-n', 1)['yardstick_flops_per_s']
    return {'slot_seconds': report['audio']['duration_s'], 'yardstick_gflops': peak / 1e9,
            'seconds_per_second': sorted(times)[1] / report['audio']['duration_s']}


def agreement(engine, pack, text, a):
    """The engine's picture and frame beside PyTorch's from the same files, in dB."""
    painter, vae, net = pack.painter(), pack.vae(), pack.portrait()
    from nets_image import pack as packed, unpack
    noise = torch.randn(1, 16, 2 * SIDE, 2 * SIDE)
    np.save(engine.out / 'noise.npy', noise[0].numpy())
    engine.run('imagine', text, '-o', engine.out / 'own.png', '--noise', engine.out / 'noise.npy')
    with torch.no_grad():
        z = painter.paint(packed(noise), pack.t5_ids([text]), pack.clip_ids([text]))
        mine = vae.decoder(unpack(z, 2 * SIDE, 2 * SIDE)).clamp(-1, 1)
        x = (drawings([a]) + 1) / 2
        m = net.motion_extractor(F.avg_pool2d(x, 2))
        xs = keypoints(*(m[k] for k in ('kp', 'exp', 'angles', 't', 'scale')))
        exp = pack.controls[characters.CONTROLS.index('jaw')][None]
        xd = keypoints(m['kp'], exp, m['angles'] + torch.tensor([10., 4., -3.]), m['t'], m['scale'])
        frame = net.spade_generator.picture(net(x, xs, xd)[0])
    np.save(engine.out / 'points.npy', xd.numpy())
    Image.fromarray((x[0] * 255).round().byte().permute(1, 2, 0).numpy()) \
        .save(engine.out / 'portrait.png')
    engine.run('animate', engine.out / 'portrait.png', '--keypoints', engine.out / 'points.npy',
               '--frames-out', engine.out / 'frames')

    def decibels(p, q):
        return (10 * torch.log10(4 / (p - q).pow(2).mean())).item()
    return {'engine_picture_db': decibels(signed(engine.out / 'own.png'), mine[0]),
            'engine_frame_db': decibels(signed(engine.out / 'frames' / '00000.png'),
                                        frame[0] * 2 - 1)}
