"""Measures the pack against its bars and prints a table, one row a figure.

    python measure.py [--folder DIR] [--vortex BINARY] [--prompts 200] [--films 200] [--faces 40]
                      [--out DIR] [--only PART…] [--card]

Pictures and films are the engine's own; networks of animation are read from the pack.  Prompts,
characters and pairs of style and colour are held out from every training but the judge's.  --card
puts the table into the pack's MODEL_CARD.md, between its two marks, and trainings beside it.
"""
import argparse
import os
from pathlib import Path

os.environ['CUDA_VISIBLE_DEVICES'] = ''  # on the processor, as the engine runs

import numpy as np
import torch
import torch.nn.functional as F

import measure_films as films
import measure_motion as motion
import measure_pictures as pictures
from captions import prompts
from common import HOME, known_trainings
from export import PACK
from pack import Pack

BARS = {'frame_gflop': ('<=', 10), 'image_gflop': ('<=', 40), 'weights_mb': ('<=', 32),
        'held_out_drawn': ('<=', 0),
        'first_of_17': ('>=', .9), 'hair': ('>=', .97), 'clothes': ('>=', .97), 'hat': ('>=', .97),
        'glasses': ('>=', .97), 'hair_colour': ('>=', .9), 'clothes_colour': ('>=', .9),
        'background': ('>=', .9), 'skin': ('>=', .9), 'beard': ('>=', .8),
        'hat_colour': ('>=', .8), 'mood': ('>=', .8), 'flat_ratio': ('<=', 2),
        'accept_right': ('>=', .95), 'reject_other': ('>=', .97), 'reject_one_wrong': ('>=', .8),
        'right_above_wrong': ('>=', .93), 'psnr_talking': ('>=', 26), 'psnr_full': ('>=', 25),
        'response_jaw': ('>=', .8), 'response_blink_l': ('>=', .8), 'response_blink_r': ('>=', .8),
        'response_gaze_x': ('>=', .75), 'response_gaze_y': ('>=', .75), 'response_yaw': ('>=', .75),
        'response_pitch': ('>=', .75), 'response_roll': ('>=', .75),
        'mouth_correlation': ('>=', .97), 'mouth_correlation_worst': ('>=', .9),
        'lag_most': ('<=', 1), 'closures_seen': ('>=', .9), 'seconds_per_second': ('<=', 1.5)}
WORDS = {
    'frame_gflop': 'GFLOP of a frame, warping and generation',
    'source_gflop': 'GFLOP of a portrait, once', 'image_gflop': 'GFLOP of a picture, text to pixels',
    'held_out_drawn': 'held-out pairs in 20,000 draws of each training',
    'held_out_prompts': 'prompts whose picture has one',
    'weights_mb': 'weights, MB', 'first_of_17': 'first of 17, 16 wrong in one or two attributes',
    'hair': 'hair style', 'hair_colour': 'hair colour', 'clothes_colour': 'clothes colour',
    'skin': 'skin colour', 'background': 'background colour', 'eyes': 'eye colour',
    'hat_colour': 'hat colour', 'kind': 'man or woman', 'clothes': 'clothes type',
    'judge_on_drawings': 'the judge itself, on drawings: first of 17',
    'flat_gradient': 'mean gradient in one-colour regions, 8-bit values',
    'flat_gradient_encoded': 'the same of encoded and decoded drawings',
    'flat_ratio': 'ratio of the two', 'encoded_db': 'drawings encoded and decoded, dB',
    'picture_db': 'pictures beside the drawing of their prompt, dB',
    'face_db': 'their faces alone, dB', 'face_db_worst': 'the worst face, dB',
    'films': 'films that were verified', 'accept_right': 'right prompts accepted',
    'reports_passed': 'reports that say passed', 'reject_other': 'other prompts rejected',
    'reject_one_wrong': 'prompts wrong in one attribute rejected',
    'right_above_wrong': 'right prompt above one wrong in one attribute',
    'psnr_talking': 'talking range, dB', 'psnr_full': 'full range, dB',
    'mouth_correlation': 'mouth amplitude against jaw, mean correlation',
    'mouth_correlation_worst': 'the same, worst character', 'sync_films': 'films for sync',
    'lag_most': 'largest best lag behind the phonemes, frames',
    'lag_fit': 'correlation of mouth and vowels, mean', 'lag_fit_worst': 'the same, worst film',
    'closures': 'closures of p, b, m', 'closures_seen': 'share of them that is seen',
    'slot_seconds': 'length of the timed slot, s', 'yardstick_gflops': 'yardstick there, GFLOP/s',
    'seconds_per_second': 'seconds for a second of film, start to exit, 2 threads',
    'engine_picture_db': "the engine's picture beside PyTorch's, dB",
    'engine_frame_db': "the engine's frame beside PyTorch's, dB"}
TRAININGS = ('vae', 'text', 'flux', 'motion', 'portrait', 'clip_b', 'clip_l', 'judge')
PARTS = ('costs', 'honesty', 'pictures', 'films', 'motion', 'sync', 'time', 'agreement')


def measure_pictures(engine, pack, a):
    judge, test, known = pictures.open_judge(), prompts(a.prompts), pictures.whole(60)
    made = films.pictures(engine, [t for t, *_ in test])
    full = films.pictures(engine, [t for t, _ in known])
    drawn = pictures.drawings([b for _, b, _ in test])
    for i in range(0, len(made), 50):
        save_sheet(engine.out / f'pictures{i // 50}.png', made[i:i + 50], 10)
    true = pictures.drawings([b for _, b in known[:24]])
    save_sheet(engine.out / 'beside.png', torch.cat([v[k:k + 8] for k in (0, 8, 16)
                                                     for v in (true, full)]), 8)
    return pictures.fidelity(judge, made, test) \
        | {'judge_on_drawings': pictures.fidelity(judge, drawn, test)['first_of_17']} \
        | pictures.cleanness(pack.vae(), full, [b for _, b in known])


def save_sheet(path, images, columns):
    from PIL import Image
    from draw import sheet
    small = F.interpolate(images, size=160, mode='area')
    Image.fromarray(sheet(list(((small + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()),
                          columns)).save(path)


def parts(engine, pack, a):
    yield 'costs', lambda: pictures.costs(pack)
    yield 'honesty', lambda: pictures.held_out(prompts(a.prompts))
    yield 'pictures', lambda: measure_pictures(engine, pack, a)
    yield 'motion', lambda: motion.animation(pack, a.faces, engine.out)
    yield 'sync', lambda: films.sync(engine, pictures.whole(12, 32))
    yield 'films', lambda: films.verification(engine, prompts(a.films))
    yield 'agreement', lambda: films.agreement(engine, pack, *pictures.whole(1, 33)[0])
    yield 'time', lambda: films.duration(engine)


def verdict(name, rows):
    value = rows[name]
    sign, bar = BARS.get(name, ('', None))
    if bar is None:
        return '', ''
    if name == 'seconds_per_second' and rows['yardstick_gflops'] < 400:
        return f'{sign} {bar} from 400 GFLOP/s on', 'slower machine'
    return f'{sign} {bar}', 'met' if (value <= bar if sign == '<=' else value >= bar) else 'MISSED'


def trainings(known):
    """Iterations and CPU minutes of every training, as its state says, or else the card so far."""
    out = '| training | iterations | CPU minutes |\n|---|---|---|\n'
    for name in TRAININGS:
        path = HOME / name / 'state.pt'
        if path.exists():
            s = torch.load(path, weights_only=False)
            known[name] = s['iteration'], s['cpu'] / 60
        out += '| {} | {} | {:.0f} |\n'.format(name.replace('_', ' '), *known[name])
    return out


def table(result):
    rows = [f'| {WORDS.get(k, k.replace("_", " "))} | {v:.4g} | {" | ".join(verdict(k, result))} |'
            for k, v in result.items()]
    return '\n'.join(['| figure | measured | goal | |', '|---|---|---|---|'] + rows) + '\n'


def write_card(path, result):
    """Replaces what stands between the card's marks."""
    text = path.read_text()
    for mark, content in (('trainings', trainings(known_trainings(path))), ('measured', table(result))):
        begin, end = f'<!-- {mark} -->\n', f'<!-- end of {mark} -->\n'
        before, _, rest = text.partition(begin)
        _, found, after = rest.partition(end)
        if not found:
            raise SystemExit(f'{path} has no marks {begin.strip()} and {end.strip()}')
        text = before + begin + content + end + after
    path.write_text(text)


def main():
    root = Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--folder', type=Path, default=PACK)
    parser.add_argument('--vortex', type=Path, default=root / 'build' / 'release' / 'vortex')
    parser.add_argument('--prompts', type=int, default=200)
    parser.add_argument('--films', type=int, default=200, help='of the prompts, for verification')
    parser.add_argument('--faces', type=int, default=40)
    parser.add_argument('--out', type=Path, default=HOME / 'measured', help='sheets, films')
    parser.add_argument('--only', nargs='*', choices=PARTS, default=PARTS)
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--card', action='store_true')
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(0)
    np.random.seed(0)
    engine, pack, result = films.Engine(a.vortex, a.folder, a.out), Pack(a.folder), {}
    for name, measure in parts(engine, pack, a):
        if name not in a.only:
            continue
        rows = measure()
        for k, v in rows.items():
            bar, met = verdict(k, rows)
            print(f'{k:32} {v:8.3f}  {bar:8} {met}', flush=True)
        result |= rows
    if a.card:
        write_card(a.folder / 'MODEL_CARD.md', result)


if __name__ == '__main__':
    main()
