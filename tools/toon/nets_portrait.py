"""LivePortrait's four networks at a small size, with the published tensor names.

F (appearance_feature_extractor), M (motion_extractor), W (warping_module) and G (spade_generator)
follow the published layout; what differs is listed in CONFIG and explained in README.md.
Shapes: pictures [B,3,H,W] in 0..1, key points [B,21,3] (x, y, z) in -1..1, volumes [B,16,8,h,w].
"""
import math

import torch
import torch.nn.functional as F
from torch import nn

from common import DEVICE, fused

POINTS = 21
CONFIG = {
    'appearance_feature_extractor_params': {
        'image_channel': 3, 'block_features': [16, 32, 96], 'reshape_channel': 16,
        'reshape_depth': 8, 'num_resblocks': 2},
    'motion_extractor_params': {
        'num_kp': POINTS, 'depths': [1, 1, 3, 1], 'dims': [24, 48, 96, 160], 'input_size': 128,
        'coordinate_channels': True},
    'warping_module_params': {
        'num_kp': POINTS, 'reshape_channel': 16, 'reshape_depth': 8, 'out_features': 80,
        'grid_convention': 'cell_centres', 'expression': 'after_rotation',
        'dense_motion_params': {
            'block_expansion': 12, 'max_features': 64, 'num_blocks': 3, 'compress': 2,
            'volume_divisor': 2, 'mask_kernel': 3, 'prediction_features': 32}},
    'spade_generator_params': {
        'in_features': 80, 'block_features': [64, 32], 'hidden_features': [24, 16],
        'num_middle_blocks': 2, 'spade_norm': 'batch', 'spectral_norm': False,
        'pixel_shuffle': 4},
    'driving_params': {'expression': 'absolute'}}
FLAT, DEEP = torch.channels_last, torch.channels_last_3d


class ConvNorm(nn.Module):
    """conv 3x3 (or 3x3x3), batch norm, ReLU; names as published."""

    def __init__(self, conv, norm, i, o):
        super().__init__()
        self.conv, self.norm = conv(i, o, 3, padding=1), norm(o)

    def forward(self, x):
        return F.relu(self.norm(self.conv(x)))


class ResBlock3d(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.norm1, self.conv1 = nn.BatchNorm3d(c), nn.Conv3d(c, c, 3, padding=1)
        self.norm2, self.conv2 = nn.BatchNorm3d(c), nn.Conv3d(c, c, 3, padding=1)

    def forward(self, x):
        y = self.conv1(F.relu(self.norm1(x)))
        return x + self.conv2(F.relu(self.norm2(y)))


class Appearance(nn.Module):
    def __init__(self, p):
        super().__init__()
        w, self.shape = p['block_features'], (p['reshape_channel'], p['reshape_depth'])
        self.first = ConvNorm(nn.Conv2d, nn.BatchNorm2d, p['image_channel'], w[0])
        self.down_blocks = nn.ModuleList(
            [ConvNorm(nn.Conv2d, nn.BatchNorm2d, i, o) for i, o in zip(w, w[1:])])
        self.second = nn.Conv2d(w[-1], self.shape[0] * self.shape[1], 1)
        self.resblocks_3d = nn.Sequential()
        for i in range(p['num_resblocks']):
            self.resblocks_3d.add_module(f'3dr{i}', ResBlock3d(self.shape[0]))

    def forward(self, x):
        x = self.first(x)
        for block in self.down_blocks:
            x = F.avg_pool2d(block(x), 2)
        x = self.second(x)
        x = x.reshape(len(x), *self.shape, *x.shape[2:]).contiguous(memory_format=DEEP)
        return self.resblocks_3d(x)


class ChannelNorm(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(c)), nn.Parameter(torch.zeros(c))

    def forward(self, x):
        m = x.mean(1, keepdim=True)
        v = (x - m).pow(2).mean(1, keepdim=True)
        return (x - m) * torch.rsqrt(v + 1e-6) * self.weight[:, None, None] \
            + self.bias[:, None, None]


class ResponseNorm(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(1, 1, 1, c))
        self.beta = nn.Parameter(torch.zeros(1, 1, 1, c))

    def forward(self, x):
        g = x.float().pow(2).sum((1, 2), keepdim=True).add(1e-12).sqrt()
        return self.gamma * (x * (g / (g.mean(-1, keepdim=True) + 1e-6))) + self.beta + x


class NextBlock(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.dwconv, self.norm = nn.Conv2d(d, d, 7, padding=3, groups=d), nn.LayerNorm(d, eps=1e-6)
        self.pwconv1, self.grn = nn.Linear(d, 4 * d), ResponseNorm(4 * d)
        self.pwconv2 = nn.Linear(4 * d, d)

    def forward(self, x):
        y = self.norm(self.dwconv(x).permute(0, 2, 3, 1))
        return x + self.pwconv2(self.grn(F.gelu(self.pwconv1(y)))).permute(0, 3, 1, 2)


class Detector(nn.Module):
    def __init__(self, p):
        super().__init__()
        d, k = p['dims'], p['num_kp']
        self.downsample_layers = nn.ModuleList(
            [nn.Sequential(nn.Conv2d(5, d[0], 4, 4), ChannelNorm(d[0]))])
        for i in range(3):
            self.downsample_layers.append(
                nn.Sequential(ChannelNorm(d[i]), nn.Conv2d(d[i], d[i + 1], 2, 2)))
        self.stages = nn.ModuleList([nn.Sequential(*[NextBlock(d[i]) for _ in range(n)])
                                     for i, n in enumerate(p['depths'])])
        self.norm = nn.LayerNorm(d[3], eps=1e-6)
        for name, n in (('kp', 3 * k), ('scale', 1), ('pitch', 66), ('yaw', 66), ('roll', 66),
                        ('t', 3), ('exp', 3 * k)):
            setattr(self, f'fc_{name}', nn.Linear(d[3], n))

    def forward(self, x):
        for down, stage in zip(self.downsample_layers, self.stages):
            x = stage(down(x))
        x = self.norm(x.float().mean((2, 3)))
        return {n: getattr(self, f'fc_{n}')(x)
                for n in ('kp', 'scale', 'pitch', 'yaw', 'roll', 't', 'exp')}


class Motion(nn.Module):
    """The source's key points and pose from its picture (pooled to 128x128 before)."""

    def __init__(self, p):
        super().__init__()
        self.detector, self.k = Detector(p), p['num_kp']

    def forward(self, x):
        n, _, h, w = x.shape
        ramps = torch.stack([centres(w)[None].expand(h, w), centres(h)[:, None].expand(h, w)])
        o = self.detector(torch.cat([x, ramps[None].expand(n, 2, h, w)], 1))
        logits = torch.stack([o['yaw'], o['pitch'], o['roll']], 1).float()
        angles = (logits.softmax(-1) * (torch.arange(66.) * 3 - 97.5)).sum(-1)
        return {'kp': o['kp'].float().view(n, self.k, 3), 'exp': o['exp'].float().view(n, self.k, 3),
                'angles': angles, 'logits': logits, 't': o['t'].float(),
                'scale': o['scale'].float()[:, 0]}


def centres(n):
    """Where a grid's n cells lie in -1..1: (2 i + 1) / n - 1."""
    return (torch.arange(n) * 2 + 1) / n - 1


def rotations(angles):
    """[B,3] yaw, pitch, roll in degrees -> [B,3,3], Rz Ry Rx."""
    y, p, r = (angles * (math.pi / 180)).unbind(-1)
    o, z = torch.ones_like(y), torch.zeros_like(y)

    def matrix(*v):
        return torch.stack(v, -1).view(-1, 3, 3)
    return matrix(r.cos(), -r.sin(), z, r.sin(), r.cos(), z, z, z, o) \
        @ matrix(y.cos(), z, y.sin(), z, o, z, -y.sin(), z, y.cos()) \
        @ matrix(o, z, z, z, p.cos(), -p.sin(), z, p.sin(), p.cos())


def keypoints(kp, exp, angles, t, scale):
    """x = scale (x_c R + exp) + (tx, ty, 0), as published (row vectors)."""
    t = torch.cat([t[:, :2], torch.zeros_like(t[:, :1])], 1)
    return scale[:, None, None] * (kp @ rotations(angles).transpose(1, 2) + exp) + t[:, None]


def shifts(n, by):
    """Linear interpolation by a constant shift, as matrices [B,K,n,n]; zeros outside."""
    p = ((centres(n) + by[..., None]) + 1) * n / 2 - .5
    return (1 - (p[..., None] - torch.arange(n)).abs()).clamp_min(0)


def heat(x, d, h, w):
    def axis(n, u):
        return torch.exp(-.5 * (centres(n) - u[..., None]) ** 2 / .01)
    return axis(d, x[..., 2])[:, :, :, None, None] * axis(h, x[..., 1])[:, :, None, :, None] \
        * axis(w, x[..., 0])[:, :, None, None, :]


class Hourglass(nn.Module):
    def __init__(self, i, p):
        super().__init__()
        n, e, m = p['num_blocks'], p['block_expansion'], p['max_features']
        width = [min(m, e * 2 ** k) for k in range(n + 1)]
        self.encoder, self.decoder = nn.Module(), nn.Module()
        self.encoder.down_blocks = nn.ModuleList(
            [ConvNorm(nn.Conv3d, nn.BatchNorm3d, i if k == 0 else width[k], width[k + 1])
             for k in range(n)])
        self.decoder.up_blocks = nn.ModuleList(
            [ConvNorm(nn.Conv3d, nn.BatchNorm3d, width[k + 1] * (1 if k == n - 1 else 2), width[k])
             for k in reversed(range(n))])
        self.decoder.conv = nn.Conv3d(width[0] + i, p['prediction_features'], 3, padding=1)
        self.decoder.norm = nn.BatchNorm3d(p['prediction_features'])

    def forward(self, x):
        skips = [x]
        for block in self.encoder.down_blocks:
            skips.append(F.avg_pool3d(block(skips[-1]), (1, 2, 2)))
        x = skips.pop()
        for block in self.decoder.up_blocks:
            x = block(F.interpolate(x, scale_factor=(1, 2, 2), mode='nearest'))
            x = torch.cat([x, skips.pop().to(x.dtype)], 1)
        return F.relu(self.decoder.norm(self.decoder.conv(x)))


class DenseMotion(nn.Module):
    def __init__(self, p):
        super().__init__()
        q = p['dense_motion_params']
        self.compress = nn.Conv3d(p['reshape_channel'], q['compress'], 1)
        self.norm = nn.BatchNorm3d(q['compress'])
        self.hourglass = Hourglass((p['num_kp'] + 1) * (1 + q['compress']), q)
        k = q['mask_kernel']
        self.mask = nn.Conv3d(q['prediction_features'], p['num_kp'] + 1, k, padding=k // 2)
        depth = p['reshape_depth'] // q['volume_divisor']
        self.occlusion = nn.Conv2d(q['prediction_features'] * depth, 1, 7, padding=3)
        nn.init.constant_(self.occlusion.bias, 2.)

    def source(self, f, divisor):
        """What depends on the source alone: the pooled volume, compressed."""
        return F.relu(self.norm(self.compress(F.avg_pool3d(f, divisor))))

    def forward(self, volume, xs, xd):
        """-> deformation [B,3,d,h,w] to add to the grid, occlusion [B,1,h,w]."""
        with torch.autocast(DEVICE.type, enabled=False):
            b, _, d, h, w = volume.shape
            shift = torch.cat([torch.zeros(b, 1, 3), xs - xd], 1)
            y = torch.einsum('bcdhw,bkxw->bkcdhx', volume.float(), shifts(w, shift[..., 0]))
            y = torch.einsum('bkcdhx,bkyh->bkcdyx', y, shifts(h, shift[..., 1]))
            y = torch.einsum('bkcdyx,bkzd->bkczyx', y, shifts(d, shift[..., 2]))
            warm = torch.cat([torch.zeros(b, 1, d, h, w), heat(xd, d, h, w) - heat(xs, d, h, w)], 1)
            x = torch.cat([warm[:, :, None], y], 2).reshape(b, -1, d, h, w)
        x = self.hourglass(x.contiguous(memory_format=DEEP))
        mask = self.mask(x).float().softmax(1)
        by = (mask[:, None] * shift.transpose(1, 2)[..., None, None, None]).sum(2)
        return by, torch.sigmoid(self.occlusion(x.reshape(b, -1, h, w)).float())


class Warping(nn.Module):
    def __init__(self, p):
        super().__init__()
        self.dense_motion_network = DenseMotion(p)
        o = p['out_features']
        self.third = ConvNorm(nn.Conv2d, nn.BatchNorm2d,
                              p['reshape_channel'] * p['reshape_depth'], o)
        self.fourth = nn.Conv2d(o, o, 1)

    def forward(self, f, volume, xs, xd):
        """-> seg [B,80,h,w], deformation on the dense-motion grid."""
        coarse, occlusion = self.dense_motion_network(volume, xs, xd)
        b, c, d, h, w = f.shape
        by = F.interpolate(coarse, size=(d, h, w), mode='trilinear', align_corners=False)
        occlusion = F.interpolate(occlusion, size=(h, w), mode='bilinear', align_corners=False)
        grid = torch.stack(torch.broadcast_tensors(
            centres(w)[None, None, :], centres(h)[None, :, None], centres(d)[:, None, None]), -1)
        grid = grid[None] + by.permute(0, 2, 3, 4, 1)
        with torch.autocast(DEVICE.type, enabled=False):
            y = F.grid_sample(f.float(), grid, mode='bilinear', padding_mode='zeros',
                              align_corners=False)
        y = self.third.conv(y.reshape(b, c * d, h, w).contiguous(memory_format=FLAT))
        y = F.leaky_relu(self.third.norm(y), .01)
        return self.fourth(y) * occlusion.to(y.dtype), coarse


class Modulate(torch.autograd.Function):
    """Batch norm without parameters, modulation, leaky ReLU: fused.c, f32, channels last."""

    @staticmethod
    def forward(ctx, x, gb, slope):
        x, gb = (v.float().contiguous(memory_format=FLAT) for v in (x, gb))
        n, c, h, w = x.shape
        y, (m, v, r) = torch.empty_like(x), (torch.empty(c) for _ in range(3))
        fused('modulate_forward', x, gb, n * h * w, c, slope, m, v, r, y)
        ctx.save_for_backward(x, gb, m, r)
        ctx.slope = slope
        ctx.mark_non_differentiable(m, v)
        return y, m, v

    @staticmethod
    def backward(ctx, dy, *_):
        x, gb, m, r = ctx.saved_tensors
        n, c, h, w = x.shape
        dx, dgb = torch.empty_like(x), torch.empty_like(gb)
        fused('modulate_backward', dy.float().contiguous(memory_format=FLAT), x, gb, n * h * w, c,
              ctx.slope, m, r, dx, dgb)
        return dx, dgb, None


def modulate(x, gb, slope):
    """The same in PyTorch's terms, for bf16 and for GPUs."""
    v, m = torch.var_mean(x.float(), (0, 2, 3), keepdim=True, correction=0)
    g, b = gb.chunk(2, 1)
    y = (x.float() - m) * torch.rsqrt(v + 1e-5) * (1 + g.float()) + b.float()
    return F.leaky_relu(y, slope).to(x.dtype), m.detach(), v.detach()


torch._dynamo.config.recompile_limit = 64  # one kernel a shape: three picture sizes
compiled_modulate = torch.compile(modulate, dynamic=False)


def enlarged_conv(x, weight, bias):
    """conv 3x3 of the nearest enlargement of x by 2, which is never made: four 2x2 filters of x."""
    o, (_, _, h, w) = len(weight), x.shape
    rows = (torch.stack([weight[:, :, 0], weight[:, :, 1] + weight[:, :, 2]], 2),
            torch.stack([weight[:, :, 0] + weight[:, :, 1], weight[:, :, 2]], 2))
    four = torch.cat([torch.stack(c, 3) for r in rows for c in (
        (r[..., 0], r[..., 1] + r[..., 2]), (r[..., 0] + r[..., 1], r[..., 2]))])
    y = F.conv2d(x, four.contiguous(memory_format=FLAT), bias.repeat(4), padding=1)
    y = y.permute(0, 2, 3, 1)
    cells = [[y[:, a:a + h, b:b + w, (2 * a + b) * o:(2 * a + b + 1) * o] for b in (0, 1)]
             for a in (0, 1)]
    y = torch.stack([torch.stack(row, 3) for row in cells], 2)
    return y.reshape(len(x), 2 * h, 2 * w, o).permute(0, 3, 1, 2)


class Spade(nn.Module):
    def __init__(self, c, label, hidden):
        super().__init__()
        self.param_free_norm = nn.BatchNorm2d(c, affine=False)
        self.mlp_shared = nn.Sequential(nn.Conv2d(label, hidden, 3, padding=1), nn.ReLU())
        self.mlp_gamma = nn.Conv2d(hidden, c, 3, padding=1)
        self.mlp_beta = nn.Conv2d(hidden, c, 3, padding=1)

    def forward(self, x, seg, slope=.2):
        n, shared = self.param_free_norm, self.mlp_shared[0]
        y = F.relu(shared(seg) if seg.shape[2] == x.shape[2] else
                   enlarged_conv(seg, shared.weight, shared.bias))
        gb = F.conv2d(y, torch.cat([self.mlp_gamma.weight, self.mlp_beta.weight]),
                      torch.cat([self.mlp_gamma.bias, self.mlp_beta.bias]), padding=1)
        if self.training:
            fast = x.dtype == torch.float32 and not x.is_cuda
            y, m, v = (Modulate.apply if fast else compiled_modulate)(x, gb, slope)
            n.running_mean.lerp_(m.flatten(), .03)
            n.running_var.lerp_(v.flatten(), .03)
            return y
        g, b = gb.chunk(2, 1)
        r = torch.rsqrt(n.running_var + 1e-5)[:, None, None]
        y = (x.float() - n.running_mean[:, None, None]) * r * (1 + g.float()) + b.float()
        return F.leaky_relu(y, slope).to(x.dtype)


class SpadeBlock(nn.Module):
    def __init__(self, i, o, label, hidden):
        super().__init__()
        m = min(i, o)
        self.conv_0, self.conv_1 = nn.Conv2d(i, m, 3, padding=1), nn.Conv2d(m, o, 3, padding=1)
        self.norm_0, self.norm_1 = Spade(i, label, hidden), Spade(m, label, hidden)
        if i != o:
            self.conv_s, self.norm_s = nn.Conv2d(i, o, 1, bias=False), Spade(i, label, hidden)

    def forward(self, x, seg):
        y = self.conv_1(self.norm_1(self.conv_0(self.norm_0(x, seg)), seg))
        return y + (self.conv_s(self.norm_s(x, seg, 1.)) if hasattr(self, 'conv_s') else x)


class Generator(nn.Module):
    def __init__(self, p):
        super().__init__()
        (a, b), (h, k), s = p['block_features'], p['hidden_features'], p['in_features']
        self.fc, self.middle = nn.Conv2d(s, a, 3, padding=1), p['num_middle_blocks']
        for i in range(self.middle):
            setattr(self, f'G_middle_{i}', SpadeBlock(a, a, s, h))
        self.up_0, self.factor = SpadeBlock(a, b, s, k), p['pixel_shuffle']
        self.conv_img = nn.Sequential(nn.Conv2d(b, 3 * self.factor ** 2, 3, padding=1))

    def forward(self, seg):
        """-> logits of the picture, before PixelShuffle and sigmoid."""
        x = self.fc(seg)
        for i in range(self.middle):
            x = getattr(self, f'G_middle_{i}')(x, seg)
        x = self.up_0(F.interpolate(x, scale_factor=2, mode='nearest'), seg)
        return self.conv_img(F.leaky_relu(x, .2))

    def picture(self, logits):
        return torch.sigmoid(F.pixel_shuffle(logits.float(), self.factor))


PARTS = {'appearance_feature_extractor': Appearance, 'motion_extractor': Motion,
         'warping_module': Warping, 'spade_generator': Generator}


class Portrait(nn.Module):
    def __init__(self, config=None):
        super().__init__()
        c = config or CONFIG
        for name, part in PARTS.items():
            setattr(self, name, part(c[f'{name}_params']))
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                m.to(memory_format=FLAT)
            elif isinstance(m, nn.Conv3d):
                m.to(memory_format=DEEP)

    def forward(self, source, xs, xd, divisor=(2, 2, 2)):
        """Logits and coarse deformation; `xd` may hold several targets a source, in source order."""
        f = self.appearance_feature_extractor(source.contiguous(memory_format=FLAT))
        volume = self.warping_module.dense_motion_network.source(f, divisor)
        n = len(xd) // len(source)
        f, volume, xs = (v.repeat_interleave(n, 0) if n > 1 else v for v in (f, volume, xs))
        seg, by = self.warping_module(f, volume, xs, xd)
        return self.spade_generator(seg), by
