"""LivePortrait's networks in plain PyTorch, with the published tensor names and nothing saved.

A restatement of KwaiVGI/LivePortrait src/modules (MIT), which `liveportrait_parity.py official` holds it
against, with the options of small networks beside: see docs/models/LIVEPORTRAIT.md. `taps` collects every
stage's result by the engine's names, channels last.
"""
import math

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import spectral_norm


def width(expansion, most, i):
    return min(most, expansion * 2 ** i)


class ConvNorm(nn.Module):
    def __init__(self, dims, i, o, act=F.relu):
        super().__init__()
        conv, norm = (nn.Conv2d, nn.BatchNorm2d) if dims == 2 else (nn.Conv3d, nn.BatchNorm3d)
        self.conv, self.norm, self.act = conv(i, o, 3, padding=1), norm(o), act

    def forward(self, x):
        return self.act(self.norm(self.conv(x)))


class ResBlock3d(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.conv1, self.conv2 = (nn.Conv3d(c, c, 3, padding=1) for _ in range(2))
        self.norm1, self.norm2 = nn.BatchNorm3d(c), nn.BatchNorm3d(c)

    def forward(self, x):
        y = self.conv1(F.relu(self.norm1(x)))
        return self.conv2(F.relu(self.norm2(y))) + x


class Appearance(nn.Module):
    def __init__(self, p):
        super().__init__()
        w = p.get('block_features') or [width(p['block_expansion'], p['max_features'], i)
                                        for i in range(p['num_down_blocks'] + 1)]
        self.shape = p['reshape_channel'], p['reshape_depth']
        self.first = ConvNorm(2, 3, w[0])
        self.down_blocks = nn.ModuleList([ConvNorm(2, i, o) for i, o in zip(w, w[1:])])
        self.second = nn.Conv2d(w[-1], self.shape[0] * self.shape[1], 1)
        self.resblocks_3d = nn.Sequential()
        for i in range(p['num_resblocks']):
            self.resblocks_3d.add_module(f'3dr{i}', ResBlock3d(self.shape[0]))

    def forward(self, x):
        x = self.first(x)
        for block in self.down_blocks:
            x = F.avg_pool2d(block(x), 2)
        x = self.second(x)
        return self.resblocks_3d(x.view(len(x), *self.shape, *x.shape[2:]))


class ChannelNorm(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(c)), nn.Parameter(torch.zeros(c))

    def forward(self, x):
        y = F.layer_norm(x.permute(0, 2, 3, 1), self.weight.shape, self.weight, self.bias, 1e-6)
        return y.permute(0, 3, 1, 2)


class ResponseNorm(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.gamma, self.beta = (nn.Parameter(torch.zeros(1, 1, 1, c)) for _ in range(2))

    def forward(self, x):
        g = torch.norm(x, p=2, dim=(1, 2), keepdim=True)
        return self.gamma * (x * (g / (g.mean(-1, keepdim=True) + 1e-6))) + self.beta + x


class NextBlock(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.dwconv, self.norm = nn.Conv2d(d, d, 7, padding=3, groups=d), nn.LayerNorm(d, eps=1e-6)
        self.pwconv1, self.grn = nn.Linear(d, 4 * d), ResponseNorm(4 * d)
        self.pwconv2 = nn.Linear(4 * d, d)

    def forward(self, x):
        y = self.pwconv1(self.norm(self.dwconv(x).permute(0, 2, 3, 1)))
        return x + self.pwconv2(self.grn(F.gelu(y))).permute(0, 3, 1, 2)


class Detector(nn.Module):
    HEADS = ('pitch', 'yaw', 'roll', 't', 'scale', 'exp', 'kp')

    def __init__(self, p):
        super().__init__()
        d, k = p.get('dims', [96, 192, 384, 768]), p['num_kp']
        stem = 5 if p.get('coordinate_channels') else 3
        self.downsample_layers = nn.ModuleList(
            [nn.Sequential(nn.Conv2d(stem, d[0], 4, 4), ChannelNorm(d[0]))] +
            [nn.Sequential(ChannelNorm(d[i]), nn.Conv2d(d[i], d[i + 1], 2, 2)) for i in range(3)])
        self.stages = nn.ModuleList([nn.Sequential(*[NextBlock(d[i]) for _ in range(n)])
                                     for i, n in enumerate(p.get('depths', [3, 3, 9, 3]))])
        self.norm = nn.LayerNorm(d[3], eps=1e-6)
        for name, n in zip(self.HEADS, (66, 66, 66, 3, 1, 3 * k, 3 * k)):
            setattr(self, f'fc_{name}', nn.Linear(d[3], n))


class Motion(nn.Module):
    def __init__(self, p):
        super().__init__()
        self.detector, self.p = Detector(p), p

    def forward(self, x, taps=None):
        n, net = len(x), self.detector
        x = F.avg_pool2d(x, x.shape[-1] // self.p.get('input_size', x.shape[-1]))
        if self.p.get('coordinate_channels'):
            c = centres(x.shape[-1])
            ramps = torch.stack([c[None].expand(len(c), -1), c[:, None].expand(-1, len(c))])
            x = torch.cat([x, ramps[None].expand(n, -1, -1, -1)], 1)
        for i, (down, stage) in enumerate(zip(net.downsample_layers, net.stages)):
            x = stage(down(x))
            tap(taps, f'm.stage.{i}', x)
        x = net.norm(x.mean((2, 3)))
        o = {h: getattr(net, f'fc_{h}')(x) for h in net.HEADS}
        tap(taps, 'm.heads', torch.cat([o[h] for h in net.HEADS], 1))
        bins = torch.arange(66.) * 3 - 97.5
        for h in ('pitch', 'yaw', 'roll'):
            o[h] = (o[h].softmax(-1) * bins).sum(-1)
        for h in ('exp', 'kp'):
            o[h] = o[h].view(n, -1, 3)
        return o


def centres(n, convention='cell_centres'):
    i = torch.arange(n, dtype=torch.get_default_dtype())
    return (2 * i + 1) / n - 1 if convention == 'cell_centres' else 2 * i / (n - 1) - 1


def rotation(o):
    """Rz Ry Rx of angles in degrees, transposed: for row vectors."""
    p, y, r = (o[h][0] * math.pi / 180 for h in ('pitch', 'yaw', 'roll'))
    one, nil = torch.ones(()), torch.zeros(())

    def matrix(*v):
        return torch.stack(v).view(3, 3)
    rx = matrix(one, nil, nil, nil, p.cos(), -p.sin(), nil, p.sin(), p.cos())
    ry = matrix(y.cos(), nil, y.sin(), nil, one, nil, -y.sin(), nil, y.cos())
    rz = matrix(r.cos(), -r.sin(), nil, r.sin(), r.cos(), nil, nil, nil, one)
    return (rz @ ry @ rx).T


def keypoints(o, expression='after_rotation'):
    kp, exp, t = o['kp'][0], o['exp'][0], o['t'][0] * torch.tensor([1., 1., 0.])
    x = (kp + exp) @ rotation(o) if expression == 'before_rotation' else kp @ rotation(o) + exp
    return o['scale'][0] * x + t


class Hourglass(nn.Module):
    def __init__(self, i, p):
        super().__init__()
        n = p['num_blocks']
        w = [width(p['block_expansion'], p['max_features'], k) for k in range(n + 1)]
        self.encoder, self.decoder = nn.Module(), nn.Module()
        self.encoder.down_blocks = nn.ModuleList(
            [ConvNorm(3, i if k == 0 else w[k], w[k + 1]) for k in range(n)])
        self.decoder.up_blocks = nn.ModuleList(
            [ConvNorm(3, w[k + 1] * (1 if k == n - 1 else 2), w[k]) for k in reversed(range(n))])
        self.out = p.get('prediction_features', p['block_expansion'] + i)
        self.decoder.conv = nn.Conv3d(p['block_expansion'] + i, self.out, 3, padding=1)
        self.decoder.norm = nn.BatchNorm3d(self.out)

    def forward(self, x):
        skips = [x]
        for block in self.encoder.down_blocks:
            skips.append(F.avg_pool3d(block(skips[-1]), (1, 2, 2)))
        x = skips.pop()
        for block in self.decoder.up_blocks:
            x = torch.cat([block(F.interpolate(x, scale_factor=(1, 2, 2))), skips.pop()], 1)
        return F.relu(self.decoder.norm(self.decoder.conv(x)))


class DenseMotion(nn.Module):
    def __init__(self, p, q):
        super().__init__()
        k, c = p['num_kp'] + 1, q['compress']
        self.hourglass = Hourglass(k * (c + 1), q)
        n = q.get('mask_kernel', 7)
        self.mask = nn.Conv3d(self.hourglass.out, k, n, padding=n // 2)
        self.compress, self.norm = nn.Conv3d(p['reshape_channel'], c, 1), nn.BatchNorm3d(c)
        self.divisor = q.get('volume_divisor', 1)
        self.occlusion = nn.Conv2d(self.hourglass.out * q['reshape_depth'] // self.divisor, 1, 7,
                                   padding=3)
        self.convention = p.get('grid_convention', 'published')

    def grid(self, d, h, w):
        z, y, x = (centres(n, self.convention) for n in (d, h, w))
        return torch.stack(torch.broadcast_tensors(
            x[None, None, :], y[None, :, None], z[:, None, None]), -1)

    def forward(self, f, xs, xd, taps=None):
        """-> displacement [n,d,h,w,3] on its own grid, occlusion's logits [n,1,h,w]."""
        f = F.avg_pool3d(f, self.divisor) if self.divisor > 1 else f
        f = F.relu(self.norm(self.compress(f)))
        tap(taps, 'compressed', f[:1])
        n, c, d, h, w = f.shape
        k, grid = xd.shape[1], self.grid(d, h, w)
        motions = grid - xd.view(n, k, 1, 1, 1, 3) + xs.view(n, k, 1, 1, 1, 3)
        motions = torch.cat([grid.expand(n, 1, d, h, w, 3), motions], 1)
        moved = F.grid_sample(f[:, None].expand(-1, k + 1, -1, -1, -1, -1).reshape(-1, c, d, h, w),
                              motions.reshape(-1, d, h, w, 3), align_corners=False)
        heat = [torch.exp(-.5 * ((grid - x.view(n, k, 1, 1, 1, 3)) ** 2).sum(-1) / .01)
                for x in (xd, xs)]
        heat = torch.cat([torch.zeros(n, 1, d, h, w), heat[0] - heat[1]], 1)
        x = torch.cat([heat[:, :, None], moved.view(n, k + 1, c, d, h, w)], 2).view(n, -1, d, h, w)
        tap(taps, 'w.input', x)
        x = self.hourglass(x)
        tap(taps, 'w.prediction', x)
        mask = self.mask(x)
        tap(taps, 'w.mask', mask)
        field = (motions * mask.softmax(1)[..., None]).sum(1)
        tap(taps, 'w.displacement', (field - grid).permute(0, 4, 1, 2, 3))
        occlusion = self.occlusion(x.view(n, -1, h, w))
        tap(taps, 'w.occlusion', occlusion)
        return field - grid, occlusion


class Warping(nn.Module):
    def __init__(self, p):
        super().__init__()
        q = p['dense_motion_params']
        self.dense_motion_network = DenseMotion(p, {'reshape_depth': p.get('reshape_depth'), **q})
        o = p.get('out_features') or p['block_expansion'] * 2 ** p['num_down_blocks']
        depth = q.get('reshape_depth', p.get('reshape_depth'))
        self.third = ConvNorm(2, p['reshape_channel'] * depth, o, lambda x: F.leaky_relu(x, .01))
        self.fourth = nn.Conv2d(o, o, 1)

    def forward(self, f, xs, xd, taps=None):
        n, c, d, h, w = f.shape
        by, occlusion = self.dense_motion_network(f, xs, xd, taps)
        if by.shape[1:4] != (d, h, w):
            by = F.interpolate(by.permute(0, 4, 1, 2, 3), size=(d, h, w), mode='trilinear',
                               align_corners=False).permute(0, 2, 3, 4, 1)
        occlusion = torch.sigmoid(occlusion)
        if occlusion.shape[2] != h:
            occlusion = F.interpolate(occlusion, size=(h, w), mode='bilinear', align_corners=False)
        x = F.grid_sample(f, by + self.dense_motion_network.grid(d, h, w), align_corners=False)
        tap(taps, 'w.warped', x.transpose(1, 2).reshape(n, -1, h, w))
        x = self.fourth(self.third(x.reshape(n, c * d, h, w))) * occlusion
        tap(taps, 'w.seg', x)
        return x


class Spade(nn.Module):
    def __init__(self, c, label, hidden, batch):
        super().__init__()
        self.param_free_norm = (nn.BatchNorm2d if batch else nn.InstanceNorm2d)(c, affine=False)
        self.mlp_shared = nn.Sequential(nn.Conv2d(label, hidden, 3, padding=1), nn.ReLU())
        self.mlp_gamma, self.mlp_beta = (nn.Conv2d(hidden, c, 3, padding=1) for _ in range(2))

    def forward(self, x, seg):
        y = self.mlp_shared(F.interpolate(seg, size=x.shape[2:], mode='nearest'))
        return self.param_free_norm(x) * (1 + self.mlp_gamma(y)) + self.mlp_beta(y)


class SpadeBlock(nn.Module):
    def __init__(self, i, o, label, hidden, batch, spectral):
        super().__init__()
        m, norm = min(i, o), spectral_norm if spectral else lambda x: x
        self.conv_0 = norm(nn.Conv2d(i, m, 3, padding=1))
        self.conv_1 = norm(nn.Conv2d(m, o, 3, padding=1))
        self.norm_0, self.norm_1 = Spade(i, label, hidden, batch), Spade(m, label, hidden, batch)
        if i != o:
            self.conv_s = norm(nn.Conv2d(i, o, 1, bias=False))
            self.norm_s = Spade(i, label, hidden, batch)

    def forward(self, x, seg):
        y = self.conv_0(F.leaky_relu(self.norm_0(x, seg), .2))
        y = self.conv_1(F.leaky_relu(self.norm_1(y, seg), .2))
        return y + (self.conv_s(self.norm_s(x, seg)) if hasattr(self, 'conv_s') else x)


class Generator(nn.Module):
    def __init__(self, p):
        super().__init__()
        label = p.get('in_features') or width(p['block_expansion'], p['max_features'],
                                              p['num_down_blocks'])
        w = p.get('block_features') or [2 * label, label, 64]
        h = p.get('hidden_features') or [128] * len(w)
        how = p.get('spade_norm') == 'batch', p.get('spectral_norm', True)
        self.fc, self.middle = nn.Conv2d(label, w[0], 3, padding=1), p.get('num_middle_blocks', 6)
        for i in range(self.middle):
            setattr(self, f'G_middle_{i}', SpadeBlock(w[0], w[0], label, h[0], *how))
        self.ups = len(w) - 1
        for i in range(self.ups):
            setattr(self, f'up_{i}', SpadeBlock(w[i], w[i + 1], label, h[i + 1], *how))
        self.factor = p.get('pixel_shuffle', p.get('upscale', 2))
        self.conv_img = nn.Sequential(nn.Conv2d(w[-1], 3 * self.factor ** 2, 3, padding=1))

    def forward(self, seg, taps=None):
        x = self.fc(seg)
        tap(taps, 'g.fc', x)
        for i in range(self.middle):
            x = getattr(self, f'G_middle_{i}')(x, seg)
            tap(taps, f'g.middle.{i}', x)
        for i in range(self.ups):
            x = getattr(self, f'up_{i}')(F.interpolate(x, scale_factor=2), seg)
            for n in range(len(x)):
                tap(taps, f'g.up.{i}.{n}', x[n:n + 1])
        x = self.conv_img(F.leaky_relu(x, .2))
        for n in range(len(x)):
            tap(taps, f'g.logits.{n}', x[n:n + 1])
        return torch.sigmoid(F.pixel_shuffle(x, self.factor))


class Stitching(nn.Module):
    def __init__(self, k, hidden):
        super().__init__()
        layers, w = [], [6 * k, *hidden]
        for i, o in zip(w, w[1:]):
            layers += [nn.Linear(i, o), nn.ReLU()]
        self.mlp = nn.Sequential(*layers, nn.Linear(w[-1], 3 * k + 2))

    def forward(self, xs, xd):
        n, k, _ = xd.shape
        delta = self.mlp(torch.cat([xs.reshape(n, -1), xd.reshape(n, -1)], 1))
        shift = F.pad(delta[:, 3 * k:], (0, 1))
        return xd + delta[:, :3 * k].view(n, k, 3) + shift[:, None]


PARTS = {'appearance_feature_extractor': Appearance, 'motion_extractor': Motion,
         'warping_module': Warping, 'spade_generator': Generator}


class Portrait(nn.Module):
    def __init__(self, config):
        super().__init__()
        for name, part in PARTS.items():
            setattr(self, name, part(config[f'{name}_params']))
        self.expression = config['warping_module_params'].get('expression', 'after_rotation')
        s = config.get('stitching_retargeting_module_params')
        if s:
            self.stitching = Stitching(config['warping_module_params']['num_kp'],
                                       s['stitching']['hidden_sizes'])

    def source(self, picture, taps=None):
        o = self.motion_extractor(picture, taps)
        f = self.appearance_feature_extractor(picture)
        tap(taps, 'f_s', f)
        return f, o, keypoints(o, self.expression)

    def frames(self, f, xs, xd, taps=None):
        n = len(xd)
        seg = self.warping_module(f.expand(n, -1, -1, -1, -1), xs[None].expand(n, -1, -1), xd, taps)
        return self.spade_generator(seg, taps)


def tap(taps, name, x):
    """Channels last; a batch of one keeps its dimension."""
    if taps is not None:
        taps[name] = x.detach().movedim(1, -1).contiguous()
