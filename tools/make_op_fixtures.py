#!/usr/bin/env python3
"""Writes tests/data/ops: small cases of every op, computed by torch in float64.

    make_op_fixtures.py OUT

One file per case, little-endian float32: the op's inputs and then its output, in the order in which
tests/test_ref.c reads them. Channels come last, as in the engine; weights are in torch's order.
The harmonic source is the kokoro package's own module (hexgrad/kokoro, istftnet.py) with its noise zeroed.

Needs torch, numpy, kokoro.
"""
import pathlib
import sys

import numpy as np
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
torch.manual_seed(5)
torch.set_num_threads(1)


def rounded(*shape, scale=1.0):
    """Random values that float32 holds exactly."""
    return (torch.randn(*shape) * scale).float().double()


def linear():
    x, w, b, gate, residual = rounded(4, 7), rounded(5, 7), rounded(5), rounded(5), rounded(4, 5)
    return x, w, b, gate, residual, residual + gate * F.gelu(F.linear(x, w, b), approximate="tanh")


def conv1d(length, cin, cout, k, stride, dilation, pad):
    x, w, b = rounded(length, cin), rounded(cout, cin, k), rounded(cout)
    y = F.conv1d(x.T[None], w, b, stride=stride, dilation=dilation, padding=pad)[0].T
    return x, w, b, y


def conv_transpose1d(stride):
    x, w, b = rounded(6, 3), rounded(3, 4, 2 * stride), rounded(4)
    y = F.conv_transpose1d(x.T[None], w, b, stride=stride, padding=stride // 2)[0].T
    return x, w.transpose(0, 1), b, y  # the engine's order is [out, in, k]


def depthwise_up2():
    x, w, b = rounded(5, 3), rounded(3, 1, 3), rounded(3)
    y = F.conv_transpose1d(x.T[None], w, b, stride=2, padding=1, output_padding=1, groups=3)[0].T
    return x, w, b, y


def heads(t, n):
    return t.reshape(t.shape[0], n, -1).transpose(0, 1)


def attention():
    q, k, v = rounded(5, 6), rounded(5, 6), rounded(5, 6)
    y = F.scaled_dot_product_attention(heads(q, 2), heads(k, 2), heads(v, 2), is_causal=True, scale=0.4)
    return q, k, v, y.transpose(0, 1).reshape(5, 6)


def attention_biased():
    q, k, v, bias = rounded(3, 6), rounded(5, 6), rounded(5, 6), rounded(2, 7)
    mask = torch.stack([torch.stack([bias[:, j - i + 2] for j in range(5)], 1) for i in range(3)], 1)
    y = F.scaled_dot_product_attention(heads(q, 2), heads(k, 2), heads(v, 2), attn_mask=mask, scale=1.0)
    return q, k, v, bias, y.transpose(0, 1).reshape(3, 6)


def lstm():
    net = torch.nn.LSTM(4, 3, bidirectional=True).float().double()
    x = rounded(6, 4)
    w = torch.cat([torch.cat([net.weight_ih_l0, net.weight_hh_l0], 1),
                   torch.cat([net.weight_ih_l0_reverse, net.weight_hh_l0_reverse], 1)])
    b = torch.cat([net.bias_ih_l0 + net.bias_hh_l0, net.bias_ih_l0_reverse + net.bias_hh_l0_reverse])
    return x, w, b, net(x)[0]


def layer_norm():
    x, add, gamma, beta, scale, shift = rounded(3, 8), rounded(3, 8), *(rounded(8) for _ in range(4))
    y = F.layer_norm(x + add, [8], gamma, beta, 1e-5) * (1 + scale) + shift
    return x, add, gamma, beta, scale, shift, y


def rms_norm():
    x, gamma = rounded(3, 8), rounded(8)
    return x, gamma, F.rms_norm(x, [8], gamma, 1e-6)


def instance_norm():
    x, scale, shift, alpha = rounded(9, 4), rounded(4), rounded(4), rounded(4)
    y = F.instance_norm(x.T[None], eps=1e-5)[0].T * (1 + scale) + shift
    return x, scale, shift, alpha, y + torch.sin(alpha * y) ** 2 / alpha


def group_norm():
    x, gamma, beta = rounded(2, 3, 2, 6), rounded(6), rounded(6)
    y = F.silu(F.group_norm(x.movedim(-1, 1), 3, gamma, beta, 1e-6)).movedim(1, -1)
    return x, gamma, beta, y


def qk_norm():
    x, weight, angle = rounded(3, 8), rounded(4), rounded(3, 2)
    table = torch.stack([angle.cos(), angle.sin()], -1).float().double()  # [3, 2, 2]
    y = F.rms_norm(x.reshape(3, 2, 4), [4], weight, 1e-6).reshape(3, 2, 2, 2)
    c, s = table[:, None, :, 0], table[:, None, :, 1]
    y = torch.stack([c * y[..., 0] - s * y[..., 1], s * y[..., 0] + c * y[..., 1]], -1)
    return x, weight, table, y


def conv2d():
    x, w, b = rounded(2, 3, 4, 2), rounded(3, 2, 3, 3), rounded(3)
    up = F.interpolate(x.movedim(-1, 1), scale_factor=2, mode="nearest")
    return x, w, b, F.relu(F.conv2d(up, w, b, stride=2, padding=1)).movedim(1, -1)


def conv3d():
    x, w, b, residual = rounded(1, 3, 4, 2, 2), rounded(3, 2, 3, 3, 1), rounded(3), rounded(1, 3, 4, 2, 3)
    y = F.conv3d(x.movedim(-1, 1), w, b, padding=(1, 1, 0)).movedim(1, -1)
    return x, w, b, residual, y + residual


def activations():
    x = torch.linspace(-6, 6, 25).float().double()
    y = [F.relu(x), F.leaky_relu(x, 0.25), F.silu(x), F.gelu(x, approximate="tanh"), F.gelu(x),
         x * torch.sigmoid(1.702 * x), torch.sigmoid(x), torch.tanh(x)]
    return x, torch.stack(y)


def source():
    from kokoro.istftnet import SourceModuleHnNSF
    module = SourceModuleHnNSF(24000, 300, harmonic_num=8, voiced_threshod=10).float().double()
    f0 = torch.tensor([0.0, 180.0, 220.5, -3.0, 9.0, 3100.0, 140.0])
    torch.randn_like = torch.zeros_like  # the noise
    float_tensor, torch.FloatTensor = torch.FloatTensor, torch.tensor
    y = module(f0.repeat_interleave(300)[None, :, None])[0][0, :, 0]
    torch.FloatTensor = float_tensor
    return f0, module.l_linear.weight, module.l_linear.bias, y


def stft():
    x = rounded(65)
    y = torch.stft(x, 20, 5, 20, torch.hann_window(20), return_complex=True).T
    polar = torch.cat([y.abs(), y.angle()], 1)
    # torch gives -pi or +pi by chance where the imaginary part is 0: in the real bins, and in the first
    # frame, which is symmetric. The engine gives +pi.
    real = torch.zeros_like(polar, dtype=torch.bool)
    real[:, (11, 21)] = True
    real[0, 11:] = True
    polar = torch.where(real, torch.where(polar.abs() > 1.5, torch.pi, 0.0), polar)
    polar[:, :11] = y.abs()
    return x, polar


def istft():
    x = rounded(14, 22)
    spectrum = torch.exp(x[:, :11]) * torch.exp(1j * torch.sin(x[:, 11:]))
    return x, torch.istft(spectrum.T, 20, 5, 20, torch.hann_window(20))


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    cases = dict(
        linear=linear, conv1d=lambda: conv1d(9, 3, 4, 3, 1, 2, 2), conv1d_stride=lambda: conv1d(12, 2, 3, 12, 6, 1, 3),
        conv_transpose1d=lambda: conv_transpose1d(6), depthwise_up2=depthwise_up2, attention=attention,
        attention_biased=attention_biased, lstm=lstm, layer_norm=layer_norm, rms_norm=rms_norm,
        instance_norm=instance_norm, group_norm=group_norm, qk_norm=qk_norm, conv2d=conv2d, conv3d=conv3d,
        activations=activations, source=source, stft=stft, istft=istft)
    with torch.no_grad():
        for name, case in cases.items():
            values = np.concatenate([np.asarray(t, dtype=np.float64).ravel() for t in case()])
            values.astype("<f4").tofile(out / f"{name}.f32")
            print(name, values.size)


if __name__ == "__main__":
    main()
