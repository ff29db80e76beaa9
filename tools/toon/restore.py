"""Makes the states of trainings from the pack, so that they can go on where what ships stands.

    python restore.py [FOLDER]       # default packs/toon

Weights, averages, iterations and minutes are the pack's and its card's; the optimiser begins anew, with
a warm-up, and so do CLIP's throw-away heads.  States that exist are left alone.  What the pack does not
hold is trained from nothing as always: the judge, and the warm-up of the text encoders.
"""
import argparse
from pathlib import Path

import torch

from common import HOME, known_trainings
from export import LENIENT, PACK
from nets_image import CLIP_B, CLIP_L
from pack import Pack
from train_clip import Learner


def learner(pack, which):
    """CLIP with the bias that gives the pack's threshold (export.thresholds)."""
    net = Learner(pack.clip_ids.size, CLIP_B if which == 'b' else CLIP_L)
    net.clip = pack.clip(which)
    line = next(s for s in (pack.folder / 'pack.yaml').read_text().splitlines()
                if s.strip().startswith(f'threshold_{which}:'))
    with torch.no_grad():
        net.logit_bias.copy_(LENIENT - float(line.split(':')[1]) / 2.5 * net.clip.logit_scale.exp())
    return net


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('folder', nargs='?', default=PACK, type=Path)
    pack = Pack(parser.parse_args().folder)
    known = known_trainings(pack.folder / 'MODEL_CARD.md')
    vocabulary = HOME / 'vocabulary'
    vocabulary.mkdir(parents=True, exist_ok=True)
    for t in (pack.t5_ids, pack.clip_ids):
        if not (vocabulary / t.path.name).exists():
            (vocabulary / t.path.name).write_bytes(t.path.read_bytes())
    torch.manual_seed(0)
    for name, make in (('vae', pack.vae), ('flux', pack.painter), ('portrait', pack.portrait),
                       ('motion', lambda: pack.portrait().motion_extractor),
                       ('clip_b', lambda: learner(pack, 'b')),
                       ('clip_l', lambda: learner(pack, 'l'))):
        path = HOME / name / 'state.pt'
        if path.exists():
            print(f'{name}: has a state, left alone')
            continue
        path.parent.mkdir(exist_ok=True)
        state, (iteration, minutes) = make().state_dict(), known[name]
        torch.save({'model': state, 'ema': state, 'optimizer': None, 'iteration': iteration,
                    'start': iteration, 'cpu': 60. * minutes, 'extra': {}}, path)
        print(f'{name}: iteration {iteration}')


if __name__ == '__main__':
    main()
