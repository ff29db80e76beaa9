"""Reads packs/toon back into the networks: what is measured is what ships."""
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from export import PACK
from nets_image import CLIP_B, CLIP_L, Autoencoder, Clip
from nets_portrait import PARTS, Portrait
from train_flux import Painter
from vocabulary import Tokenizer


def fill(module, path, missing=()):
    """Loads a file into a module; every tensor of either must be in the other."""
    state = {k: v.float() for k, v in load_file(path).items()}
    left = module.load_state_dict(state, strict=False)
    absent = [k for k in left.missing_keys if not k.endswith('num_batches_tracked')
              and k not in missing]
    if absent or left.unexpected_keys:
        raise SystemExit(f'{path}: lacks {absent}, does not know {left.unexpected_keys}')
    return module.eval().requires_grad_(False)


class Pack:
    def __init__(self, folder=PACK):
        self.folder = Path(folder)
        self.t5_ids = Tokenizer('t5', None, self.folder / 't5_tokenizer.json')
        self.clip_ids = Tokenizer('clip', None, self.folder / 'clip_tokenizer.json')
        self.controls = torch.from_numpy(np.load(self.folder / 'controls.npy'))

    def path(self, name):
        return self.folder / f'{name}.safetensors'

    def painter(self):
        p = Painter(self.t5_ids.size, self.clip_ids.size)
        fill(p.flux, self.path('flux_transformer'))
        fill(p.t5, self.path('flux_t5'))
        fill(p.clip, self.path('flux_clip_text'))
        return p.eval()

    def vae(self):
        return fill(Autoencoder(), self.path('flux_vae'))

    def clip(self, which):
        p = CLIP_B if which == 'b' else CLIP_L
        return fill(Clip(self.clip_ids.size, p), self.path(f'clip_{which}'))

    def portrait(self):
        net = Portrait()
        for name in PARTS:
            fill(getattr(net, name), self.path(name))
        return net.eval()
