#!/usr/bin/env python3
"""Parity of LivePortrait with PyTorch on random networks with sane statistics.

    liveportrait_parity.py fixtures OUT        small networks, weights and every stage (tests/data/liveportrait):
                                               0 published in structure, as the official .pth files,
                                               1 with the options of small networks, as one safetensors
    liveportrait_parity.py official SOURCE     holds the restatement (liveportrait_reference.py) against the
                                               official modules in SOURCE, a checkout of KwaiVGI/LivePortrait
    liveportrait_parity.py published OUT       published size: weights and every stage into OUT (1 GB)
    liveportrait_parity.py compare OUT DUMP PRECISION
                                               runs DUMP (build/release/tests/dump_liveportrait) on OUT and
                                               prints every stage's largest relative error and the PSNR

Needs torch, safetensors, numpy.
"""
import json
import math
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn

from liveportrait_reference import PARTS, Portrait, keypoints

FRAMES = 2
STITCH = {'stitching': {'input_size': 126, 'hidden_sizes': [128, 128, 64], 'output_size': 65}}
PUBLISHED = {
    'appearance_feature_extractor_params': dict(
        image_channel=3, block_expansion=64, num_down_blocks=2, max_features=512,
        reshape_channel=32, reshape_depth=16, num_resblocks=6),
    'motion_extractor_params': dict(num_kp=21, backbone='convnextv2_tiny'),
    'warping_module_params': dict(
        num_kp=21, block_expansion=64, max_features=512, num_down_blocks=2, reshape_channel=32,
        estimate_occlusion_map=True,
        dense_motion_params=dict(block_expansion=32, max_features=1024, num_blocks=5,
                                 reshape_depth=16, compress=4)),
    'spade_generator_params': dict(upscale=2, block_expansion=64, max_features=512,
                                   num_down_blocks=2),
    'stitching_retargeting_module_params': STITCH}
SMALL = [{
    'appearance_feature_extractor_params': dict(
        image_channel=3, image_size=64, block_expansion=4, num_down_blocks=2, max_features=16,
        reshape_channel=4, reshape_depth=4, num_resblocks=2),
    'motion_extractor_params': dict(num_kp=5, backbone='convnextv2_tiny', dims=[8, 16, 24, 32],
                                    depths=[1, 1, 2, 1]),
    'warping_module_params': dict(
        num_kp=5, block_expansion=4, max_features=16, num_down_blocks=2, reshape_channel=4,
        estimate_occlusion_map=True,
        dense_motion_params=dict(block_expansion=4, max_features=16, num_blocks=3, reshape_depth=4,
                                 compress=2)),
    'spade_generator_params': dict(upscale=2, in_features=16, block_features=[16, 8, 4],
                                   hidden_features=[8, 8, 8], num_middle_blocks=2),
    'stitching_retargeting_module_params':
        {'stitching': dict(input_size=30, hidden_sizes=[16, 12], output_size=17)},
}, {
    'appearance_feature_extractor_params': dict(
        image_channel=3, image_size=64, block_features=[4, 6, 10], reshape_channel=4,
        reshape_depth=4, num_resblocks=1),
    'motion_extractor_params': dict(num_kp=4, dims=[6, 8, 12, 16], depths=[1, 1, 1, 1],
                                    input_size=32, coordinate_channels=True),
    'warping_module_params': dict(
        num_kp=4, reshape_channel=4, reshape_depth=4, out_features=12,
        grid_convention='cell_centres', expression='before_rotation',
        dense_motion_params=dict(block_expansion=5, max_features=16, num_blocks=2, compress=2,
                                 volume_divisor=2, mask_kernel=3, prediction_features=10)),
    'spade_generator_params': dict(in_features=12, block_features=[12, 8], hidden_features=[6, 4],
                                   num_middle_blocks=2, spade_norm='batch', spectral_norm=False,
                                   pixel_shuffle=4),
    'driving_params': dict(expression='absolute'),
}]


def smooth(shape, side, g):
    """Random pictures in 0..1 without fine noise."""
    x = torch.rand(*shape, side // 8, side // 8, generator=g)
    return F.interpolate(x, size=side, mode='bicubic').clamp(0, 1)


def randomise(net, g):
    """Weights that keep activations of order one and every stage worth comparing."""
    with torch.no_grad():
        for name, p in net.named_parameters():
            noise = torch.randn(p.shape, generator=g)
            if name.endswith(('grn.gamma', 'grn.beta')):
                p.copy_(.3 * noise)
            elif p.dim() > 1:
                p.copy_(1.4 * noise / p[0].numel() ** .5)
            else:
                p.copy_(1 + .1 * noise if name.endswith('weight') else .1 * noise)
        head = net.motion_extractor.detector
        for name, w, b in (('kp', .25, 0), ('exp', .02, 0), ('t', .05, 0), ('scale', .05, 1.3)):
            layer = getattr(head, f'fc_{name}')
            layer.weight.mul_(w)
            layer.bias.copy_(b + w * torch.randn(layer.bias.shape, generator=g))
        if hasattr(net, 'stitching'):
            net.stitching.mlp[-1].weight.mul_(.02)
            net.stitching.mlp[-1].bias.mul_(.02)


def calibrate(net, picture, xd):
    """Running statistics of every batch norm, singular vectors of every spectral norm."""
    for m in net.modules():
        if isinstance(m, (nn.BatchNorm2d, nn.BatchNorm3d)):
            m.momentum = 1.
    net.train()
    with torch.no_grad():
        for _ in range(3):
            f, _, xs = net.source(picture)
            net.frames(f, xs, xd)
    net.eval()


def make(config, seed, side):
    """-> network, picture u8 [side, side, 3], x_d [FRAMES, K, 3] before stitching."""
    g = torch.Generator().manual_seed(seed)
    net = Portrait(config)
    randomise(net, g)
    picture = (smooth((1, 3), side, g) * 255).round() / 255
    k = config['warping_module_params']['num_kp']
    with torch.no_grad():
        net.eval()
        _, o, _ = net.source(picture)
        moved = []
        for _ in range(FRAMES):
            d = {h: v.clone() for h, v in o.items()}
            for h in ('pitch', 'yaw', 'roll'):
                d[h] = d[h] + 6 * torch.randn((), generator=g)
            d['exp'] = d['exp'] + .03 * torch.randn(1, k, 3, generator=g)
            moved.append(keypoints(d, net.expression))
    xd = torch.stack(moved)
    calibrate(net, picture, xd)
    return net, (picture * 255).round().byte()[0].permute(1, 2, 0).contiguous(), xd


def stages(net, picture, xd):
    """Every stage's result by the engine's names."""
    taps = {}
    with torch.no_grad():
        f, o, xs = net.source(picture.permute(2, 0, 1)[None] / 255, taps)
        taps['x_d'] = xd
        if hasattr(net, 'stitching'):
            taps['x_d.stitched'] = xd = net.stitching(xs[None].expand_as(xd), xd)
        image = net.frames(f, xs, xd, taps)
    taps['x_s'] = xs
    taps['angles'] = torch.stack([o[h][0] for h in ('pitch', 'yaw', 'roll')])
    taps['image'] = (image * 255).round().byte().permute(0, 2, 3, 1).contiguous()
    taps['picture'] = picture
    return taps


def parts(net):
    return {name: {k: v.contiguous() for k, v in getattr(net, name).state_dict().items()}
            for name in PARTS}


def write_small(out, index, config):
    net, picture, xd = make(config, 100 + index, 64)
    if index == 0:
        for name, state in parts(net).items():
            torch.save(state, out / f'small_0_{name}.pth')
        mlp = {f'module.{k}': v for k, v in net.stitching.state_dict().items()}
        eye = {'module.mlp.0.weight': torch.zeros(2, 3)}
        torch.save({'retarget_shoulder': mlp, 'retarget_mouth': eye, 'retarget_eye': eye},
                   out / 'small_0_stitching_retargeting_module.pth')
    else:
        save_file({k: v for s in parts(net).values() for k, v in s.items()},
                  out / f'small_{index}.safetensors')
    values = stages(net, picture, xd)
    whole = ('x_', 'image', 'picture', 'angles', 'g.up', 'g.logits')
    second = ('g.up.0.1', 'g.up.1.1', 'g.logits.1')
    values = {k: v if k.startswith(whole) else v[:1].contiguous() for k, v in values.items()
              if k not in second}
    save_file(values, out / f'small_{index}_values.safetensors')
    (out / f'small_{index}.json').write_text(json.dumps({'model_params': config}) + '\n')
    describe(values)


def describe(values):
    for k, v in values.items():
        v = v.double()
        print(f'{k:16} {str(list(v.shape)):28} mean {v.mean():9.4f} std {v.std():9.4f} '
              f'max {v.abs().max():9.4f}')


def published(out):
    net, picture, xd = make(PUBLISHED, 7, 256)
    state = {k: v for s in parts(net).values() for k, v in s.items()}
    state |= {f'retarget_shoulder_module.{k}': v for k, v in net.stitching.state_dict().items()}
    save_file(state, out / 'weights.safetensors')
    (out / 'config.json').write_text(json.dumps({'model_params': PUBLISHED}) + '\n')
    values = stages(net, picture, xd)
    save_file(values, out / 'values.safetensors')
    describe(values)


def official(folder):
    """Largest differences of the restatement from the official modules, same weights, published size."""
    sys.path.insert(0, str(folder))
    from src.modules.appearance_feature_extractor import AppearanceFeatureExtractor
    from src.modules.motion_extractor import MotionExtractor
    from src.modules.spade_generator import SPADEDecoder
    from src.modules.stitching_retargeting_network import StitchingRetargetingNetwork
    from src.modules.warping_network import WarpingNetwork
    net, picture, xd = make(PUBLISHED, 7, 256)
    kinds = (AppearanceFeatureExtractor, MotionExtractor, WarpingNetwork, SPADEDecoder)
    theirs = {}
    for (name, state), kind in zip(parts(net).items(), kinds):
        theirs[name] = kind(**PUBLISHED[f'{name}_params']).eval()
        theirs[name].load_state_dict(state)
    stitching = StitchingRetargetingNetwork(**STITCH['stitching']).eval()
    stitching.load_state_dict(net.stitching.state_dict())
    mine = stages(net, picture, xd)
    x = picture.permute(2, 0, 1)[None] / 255
    with torch.no_grad():
        f = theirs['appearance_feature_extractor'](x)
        m = theirs['motion_extractor'](x)
        xs = mine['x_s'][None].expand_as(xd)
        delta = stitching(torch.cat([xs.flatten(1), xd.flatten(1)], 1))
        moved = xd + delta[:, :63].view(-1, 21, 3)
        moved[..., :2] += delta[:, None, 63:]
        w = theirs['warping_module'](f.expand(FRAMES, -1, -1, -1, -1), kp_source=xs,
                                     kp_driving=moved)
        image = theirs['spade_generator'](w['out'])
    heads = torch.cat([m[h] for h in net.motion_extractor.detector.HEADS], 1)
    grid = net.warping_module.dense_motion_network.grid(16, 64, 64)
    for name, a, b in (
            ('f_s', f.permute(0, 2, 3, 4, 1), mine['f_s']), ('heads', heads, mine['m.heads']),
            ('stitched', moved, mine['x_d.stitched']),
            ('deformation', w['deformation'] - grid, mine['w.displacement']),
            ('occlusion', w['occlusion_map'], torch.sigmoid(mine['w.occlusion']).movedim(-1, 1)),
            ('seg', w['out'].movedim(1, -1), mine['w.seg']),
            ('image', (image * 255).round().permute(0, 2, 3, 1), mine['image'])):
        print(f'{name:12} largest difference {(a - b).abs().max():.2e} of {b.abs().max():.3g}')


def compare(out, program, precision):
    values = load_file(out / 'values.safetensors')
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([program, str(out / 'config.json'), precision, str(out / 'values.safetensors'),
                        folder, str(out / 'weights.safetensors')], check=True)
        for path in sorted(pathlib.Path(folder).glob('*.npy')):
            name, have = path.name[:-4], np.load(path).astype(np.float64)
            want = values[name].double().numpy().reshape(have.shape)
            error = np.abs(have - want)
            if name == 'image':
                psnr = [10 * math.log10(255 ** 2 / max((e ** 2).mean(), 1e-9))
                        for e in error.reshape(FRAMES, -1)]
                print(f'{name:16} PSNR {min(psnr):.2f} dB, largest difference {error.max():.0f}')
            else:
                print(f'{name:16} relative {error.max() / np.abs(want).max():.2e}  '
                      f'rms {(error ** 2).mean() ** .5 / (want ** 2).mean() ** .5:.2e}')


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    mode, out = sys.argv[1], pathlib.Path(sys.argv[2])
    if mode == 'official':
        official(out)
    elif mode == 'published':
        out.mkdir(parents=True, exist_ok=True)
        published(out)
    elif mode == 'compare':
        compare(out, sys.argv[3], sys.argv[4])
    else:
        out.mkdir(parents=True, exist_ok=True)
        for index, config in enumerate(SMALL):
            write_small(out, index, config)


if __name__ == '__main__':
    main()
