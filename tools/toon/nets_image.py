"""FLUX's autoencoder, T5 encoder, CLIP and transformer at small sizes, with published names.

Autoencoder: ldm names (encoder.*, decoder.*).  T5 and CLIP: transformers' names.  Transformer:
Black Forest Labs' names.  The layouts are the published ones; only sizes differ, and the
autoencoder has one level more (a latent is a sixteenth of the picture's side).
"""
import math

import torch
import torch.nn.functional as F
from torch import nn

VAE = {'channels': 16, 'multipliers': (1, 2, 4, 4, 8), 'blocks': 1, 'latent': 16, 'groups': 2}
TOKENS = 48
T5 = {'d_model': 128, 'd_kv': 32, 'num_heads': 4, 'd_ff': 320, 'num_layers': 3}
CLIP_TEXT = {'hidden_size': 128, 'num_attention_heads': 4, 'num_hidden_layers': 2}
FLUX = {'hidden': 192, 'heads': 3, 'depth': 2, 'depth_single': 4, 'axes': (8, 28, 28)}
CLIP_B = {'width': 128, 'heads': 4, 'layers': 4, 'patch': 16, 'image': 128, 'text': 128,
          'text_layers': 2, 'embed': 128}
CLIP_L = {'width': 192, 'heads': 3, 'layers': 5, 'patch': 16, 'image': 128, 'text': 128,
          'text_layers': 2, 'embed': 160}


class ResBlock(nn.Module):
    def __init__(self, i, o, g):
        super().__init__()
        self.norm1, self.conv1 = nn.GroupNorm(g, i, 1e-6), nn.Conv2d(i, o, 3, padding=1)
        self.norm2, self.conv2 = nn.GroupNorm(g, o, 1e-6), nn.Conv2d(o, o, 3, padding=1)
        if i != o:
            self.nin_shortcut = nn.Conv2d(i, o, 1)

    def forward(self, x):
        y = self.conv2(F.silu(self.norm2(self.conv1(F.silu(self.norm1(x))))))
        return (self.nin_shortcut(x) if hasattr(self, 'nin_shortcut') else x) + y


class ConvAttention(nn.Module):
    def __init__(self, c, g):
        super().__init__()
        self.norm = nn.GroupNorm(g, c, 1e-6)
        self.q, self.k, self.v, self.proj_out = (nn.Conv2d(c, c, 1) for _ in range(4))

    def forward(self, x):
        b, c, h, w = x.shape
        y = self.norm(x)
        q, k, v = (f(y).flatten(2).transpose(1, 2)[:, None] for f in (self.q, self.k, self.v))
        y = F.scaled_dot_product_attention(q, k, v)[:, 0].transpose(1, 2).reshape(b, c, h, w)
        return x + self.proj_out(y)


class Middle(nn.Module):
    def __init__(self, c, g):
        super().__init__()
        self.block_1, self.attn_1, self.block_2 = ResBlock(c, c, g), ConvAttention(c, g), \
            ResBlock(c, c, g)

    def forward(self, x):
        return self.block_2(self.attn_1(self.block_1(x)))


class Resample(nn.Module):
    def __init__(self, c, up):
        super().__init__()
        self.up = up
        self.conv = nn.Conv2d(c, c, 3, padding=1) if up else nn.Conv2d(c, c, 3, 2)

    def forward(self, x):
        if self.up:
            return self.conv(F.interpolate(x, scale_factor=2, mode='nearest'))
        return self.conv(F.pad(x, (0, 1, 0, 1)))


class Encoder(nn.Module):
    def __init__(self, p):
        super().__init__()
        c, g = p['channels'], p['groups']
        self.conv_in, self.down = nn.Conv2d(3, c, 3, padding=1), nn.ModuleList()
        for k, m in enumerate(p['multipliers']):
            level = nn.Module()
            level.block = nn.ModuleList()
            for _ in range(p['blocks']):
                level.block.append(ResBlock(c, p['channels'] * m, g))
                c = p['channels'] * m
            if k < len(p['multipliers']) - 1:
                level.downsample = Resample(c, False)
            self.down.append(level)
        self.mid, self.norm_out = Middle(c, g), nn.GroupNorm(g, c, 1e-6)
        self.conv_out = nn.Conv2d(c, 2 * p['latent'], 3, padding=1)

    def forward(self, x):
        x = self.conv_in(x)
        for level in self.down:
            for block in level.block:
                x = block(x)
            if hasattr(level, 'downsample'):
                x = level.downsample(x)
        return self.conv_out(F.silu(self.norm_out(self.mid(x))))


class Decoder(nn.Module):
    def __init__(self, p):
        super().__init__()
        c, g = p['channels'] * p['multipliers'][-1], p['groups']
        self.conv_in, self.mid = nn.Conv2d(p['latent'], c, 3, padding=1), Middle(c, g)
        levels = []
        for k, m in reversed(list(enumerate(p['multipliers']))):
            level = nn.Module()
            level.block = nn.ModuleList()
            for _ in range(p['blocks'] + 1):
                level.block.append(ResBlock(c, p['channels'] * m, g))
                c = p['channels'] * m
            if k:
                level.upsample = Resample(c, True)
            levels.insert(0, level)
        self.up = nn.ModuleList(levels)
        self.norm_out, self.conv_out = nn.GroupNorm(g, c, 1e-6), nn.Conv2d(c, 3, 3, padding=1)

    def forward(self, z):
        x = self.mid(self.conv_in(z))
        for level in reversed(self.up):
            for block in level.block:
                x = block(x)
            if hasattr(level, 'upsample'):
                x = level.upsample(x)
        return self.conv_out(F.silu(self.norm_out(x)))


class Autoencoder(nn.Module):
    """Pictures in -1..1 to latents and back."""

    def __init__(self, p=None):
        super().__init__()
        p = p or VAE
        self.encoder, self.decoder = Encoder(p), Decoder(p)
        self.to(memory_format=torch.channels_last)

    def encode(self, x):
        mean, logvar = self.encoder(x).float().chunk(2, 1)
        return mean, logvar.clamp(-30, 20)


class RMSNorm(nn.Module):
    def __init__(self, d, name='weight'):
        super().__init__()
        self.name = name
        setattr(self, name, nn.Parameter(torch.ones(d)))

    def forward(self, x):
        return F.rms_norm(x.float(), (x.shape[-1],), getattr(self, self.name), 1e-6).to(x.dtype)


def attend(q, k, v, bias=None, scale=None):
    """Softmax attention by plain products: the fused kernel's backward is several times slower."""
    s = (q @ k.transpose(-1, -2)).float() * (scale or q.shape[-1] ** -.5)
    if bias is not None:
        s = s + bias
    return s.softmax(-1).to(v.dtype) @ v


def split(x, heads):
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def join(x):
    return x.transpose(1, 2).flatten(2)


class T5Attention(nn.Module):
    def __init__(self, p, first):
        super().__init__()
        d, inner = p['d_model'], p['num_heads'] * p['d_kv']
        self.heads = p['num_heads']
        self.q, self.k, self.v = (nn.Linear(d, inner, bias=False) for _ in range(3))
        self.o = nn.Linear(inner, d, bias=False)
        if first:
            self.relative_attention_bias = nn.Embedding(32, self.heads)
        nn.init.normal_(self.q.weight, std=(d * p['d_kv']) ** -.5)
        nn.init.normal_(self.k.weight, std=d ** -.5)

    def forward(self, x, bias):
        q, k, v = (split(f(x), self.heads) for f in (self.q, self.k, self.v))
        return self.o(join(attend(q, k, v, bias, 1.)))


class T5Gate(nn.Module):
    def __init__(self, p):
        super().__init__()
        d, f = p['d_model'], p['d_ff']
        self.wi_0, self.wi_1 = nn.Linear(d, f, bias=False), nn.Linear(d, f, bias=False)
        self.wo = nn.Linear(f, d, bias=False)

    def forward(self, x):
        return self.wo(F.gelu(self.wi_0(x), approximate='tanh') * self.wi_1(x))


class T5Block(nn.Module):
    def __init__(self, p, first):
        super().__init__()
        a, f = nn.Module(), nn.Module()
        a.SelfAttention, a.layer_norm = T5Attention(p, first), RMSNorm(p['d_model'])
        f.DenseReluDense, f.layer_norm = T5Gate(p), RMSNorm(p['d_model'])
        self.layer = nn.ModuleList([a, f])

    def forward(self, x, bias):
        a, f = self.layer
        x = x + a.SelfAttention(a.layer_norm(x), bias)
        return x + f.DenseReluDense(f.layer_norm(x))


class T5Encoder(nn.Module):
    """ids [B,L] -> [B,L,d]; no mask, as FLUX uses it."""

    def __init__(self, vocabulary, p=None):
        super().__init__()
        p = p or T5
        self.shared, self.encoder = nn.Embedding(vocabulary, p['d_model']), nn.Module()
        self.encoder.block = nn.ModuleList([T5Block(p, k == 0) for k in range(p['num_layers'])])
        self.encoder.final_layer_norm = RMSNorm(p['d_model'])

    def forward(self, ids):
        n = ids.shape[1]
        d = torch.arange(n)[None] - torch.arange(n)[:, None]
        a = d.abs()
        far = (8 + (torch.log(a.clamp(min=1) / 8) / math.log(16) * 8).floor().long()).clamp(max=15)
        bucket = torch.where(a < 8, a, far) + 16 * (d > 0)
        first = self.encoder.block[0].layer[0].SelfAttention
        bias = first.relative_attention_bias(bucket).permute(2, 0, 1)[None]
        x = self.shared(ids)
        for block in self.encoder.block:
            x = block(x, bias)
        return self.encoder.final_layer_norm(x)


class ClipAttention(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.heads = heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(d, d) for _ in range(4))

    def forward(self, x, causal):
        q, k, v = (split(f(x), self.heads) for f in (self.q_proj, self.k_proj, self.v_proj))
        n = x.shape[1]
        bias = torch.full((n, n), -1e9).triu(1) if causal else None
        return self.out_proj(join(attend(q, k, v, bias)))


class ClipMlp(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)

    def forward(self, x):
        x = self.fc1(x)
        return self.fc2(x * torch.sigmoid(1.702 * x))


class ClipLayer(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.self_attn, self.mlp = ClipAttention(d, heads), ClipMlp(d)
        self.layer_norm1, self.layer_norm2 = nn.LayerNorm(d), nn.LayerNorm(d)

    def forward(self, x, causal):
        x = x + self.self_attn(self.layer_norm1(x), causal)
        return x + self.mlp(self.layer_norm2(x))


def clip_layers(d, heads, n):
    encoder = nn.Module()
    encoder.layers = nn.ModuleList([ClipLayer(d, heads) for _ in range(n)])
    return encoder


class ClipText(nn.Module):
    """text_model.*: ids [B,L] -> pooled [B,d], the first end-of-text's row after the last norm."""

    def __init__(self, vocabulary, d, heads, n):
        super().__init__()
        self.embeddings = nn.Module()
        self.embeddings.token_embedding = nn.Embedding(vocabulary, d)
        self.embeddings.position_embedding = nn.Embedding(TOKENS, d)
        self.encoder, self.final_layer_norm = clip_layers(d, heads, n), nn.LayerNorm(d)
        nn.init.normal_(self.embeddings.token_embedding.weight, std=.02)
        nn.init.normal_(self.embeddings.position_embedding.weight, std=.01)

    def forward(self, ids):
        e = self.embeddings
        x = e.token_embedding(ids) + e.position_embedding.weight[:ids.shape[1]]
        for layer in self.encoder.layers:
            x = layer(x, True)
        return self.final_layer_norm(x)[torch.arange(len(ids)), ids.argmax(1)]


class ClipTextOnly(nn.Module):
    def __init__(self, vocabulary, p=None):
        super().__init__()
        p = p or CLIP_TEXT
        self.text_model = ClipText(vocabulary, p['hidden_size'], p['num_attention_heads'],
                                   p['num_hidden_layers'])

    def forward(self, ids):
        return self.text_model(ids)


class ClipVision(nn.Module):
    def __init__(self, p):
        super().__init__()
        d, tokens = p['width'], (p['image'] // p['patch']) ** 2 + 1
        self.embeddings = nn.Module()
        self.embeddings.patch_embedding = nn.Conv2d(3, d, p['patch'], p['patch'], bias=False)
        self.embeddings.class_embedding = nn.Parameter(torch.randn(d) * .02)
        self.embeddings.position_embedding = nn.Embedding(tokens, d)
        self.pre_layrnorm, self.post_layernorm = nn.LayerNorm(d), nn.LayerNorm(d)
        self.encoder = clip_layers(d, p['heads'], p['layers'])
        nn.init.normal_(self.embeddings.position_embedding.weight, std=.02)

    def forward(self, x):
        e = self.embeddings
        x = e.patch_embedding(x).flatten(2).transpose(1, 2)
        c = e.class_embedding.to(x.dtype).expand(len(x), 1, -1)
        x = self.pre_layrnorm(torch.cat([c, x], 1) + e.position_embedding.weight)
        for layer in self.encoder.layers:
            x = layer(x, False)
        return self.post_layernorm(x[:, 0])


class Clip(nn.Module):
    def __init__(self, vocabulary, p):
        super().__init__()
        self.text_model = ClipText(vocabulary, p['text'], p['text'] // 32, p['text_layers'])
        self.vision_model = ClipVision(p)
        self.text_projection = nn.Linear(p['text'], p['embed'], bias=False)
        self.visual_projection = nn.Linear(p['width'], p['embed'], bias=False)
        self.logit_scale = nn.Parameter(torch.tensor(2.5))

    def image(self, x):
        return F.normalize(self.visual_projection(self.vision_model(x)).float(), dim=-1)

    def text(self, ids):
        return F.normalize(self.text_projection(self.text_model(ids)).float(), dim=-1)


class HeadNorm(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.query_norm, self.key_norm = RMSNorm(d, 'scale'), RMSNorm(d, 'scale')


class FluxAttention(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.qkv, self.norm, self.proj = nn.Linear(d, 3 * d), HeadNorm(d // heads), nn.Linear(d, d)


class Modulation(nn.Module):
    def __init__(self, d, n):
        super().__init__()
        self.lin, self.n = nn.Linear(d, n * d), n
        nn.init.zeros_(self.lin.weight)
        nn.init.zeros_(self.lin.bias)

    def forward(self, vec):
        return self.lin(F.silu(vec))[:, None].chunk(self.n, -1)


def modulated(x, shift, scale):
    return F.layer_norm(x, x.shape[-1:], eps=1e-6) * (1 + scale) + shift


def rotate(x, table):
    """Rotary embedding of adjacent pairs."""
    c, s = table
    a, b = x.unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack([a * c - b * s, a * s + b * c], -1).flatten(-2)


def attention(q, k, v, table):
    q, k = rotate(q.float(), table).to(v.dtype), rotate(k.float(), table).to(v.dtype)
    return join(attend(q, k, v))


class DoubleBlock(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.heads = heads
        for s in ('img', 'txt'):
            setattr(self, f'{s}_mod', Modulation(d, 6))
            setattr(self, f'{s}_attn', FluxAttention(d, heads))
            setattr(self, f'{s}_mlp', nn.Sequential(nn.Linear(d, 4 * d), nn.GELU('tanh'),
                                                    nn.Linear(4 * d, d)))

    def project(self, s, x, m):
        a = getattr(self, f'{s}_attn')
        q, k, v = (split(t, self.heads) for t in a.qkv(modulated(x, m[0], m[1])).chunk(3, -1))
        return a.norm.query_norm(q), a.norm.key_norm(k), v

    def forward(self, img, txt, vec, table):
        mods = {s: getattr(self, f'{s}_mod')(vec) for s in ('img', 'txt')}
        qkv = [self.project(s, x, mods[s]) for s, x in (('txt', txt), ('img', img))]
        y, n = attention(*(torch.cat(t, 2) for t in zip(*qkv)), table), txt.shape[1]
        text, image = y.split([n, img.shape[1]], 1)
        out = []
        for s, x, part in (('img', img, image), ('txt', txt, text)):
            m = mods[s]
            x = x + m[2] * getattr(self, f'{s}_attn').proj(part)
            out.append(x + m[5] * getattr(self, f'{s}_mlp')(modulated(x, m[3], m[4])))
        return out


class SingleBlock(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.heads, self.d = heads, d
        self.modulation, self.norm = Modulation(d, 3), HeadNorm(d // heads)
        self.linear1, self.linear2 = nn.Linear(d, 7 * d), nn.Linear(5 * d, d)

    def forward(self, x, vec, table):
        shift, scale, gate = self.modulation(vec)
        y = self.linear1(modulated(x, shift, scale))
        *y, hidden = y.split([self.d, self.d, self.d, 4 * self.d], -1)
        q, k, v = (split(t, self.heads) for t in y)
        q, k = self.norm.query_norm(q), self.norm.key_norm(k)
        y = torch.cat([attention(q, k, v, table), F.gelu(hidden, approximate='tanh')], -1)
        return x + gate * self.linear2(y)


class Embedder(nn.Module):
    def __init__(self, i, d):
        super().__init__()
        self.in_layer, self.out_layer = nn.Linear(i, d), nn.Linear(d, d)

    def forward(self, x):
        return self.out_layer(F.silu(self.in_layer(x)))


class FinalLayer(nn.Module):
    def __init__(self, d, o):
        super().__init__()
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(d, 2 * d))
        self.linear = nn.Linear(d, o)
        for m in (self.adaLN_modulation[1], self.linear):
            nn.init.zeros_(m.weight)
            nn.init.zeros_(m.bias)

    def forward(self, x, vec):
        shift, scale = self.adaLN_modulation(vec)[:, None].chunk(2, -1)
        return self.linear(modulated(x, shift, scale))


def time_embedding(t, d=256):
    f = torch.exp(-math.log(10000) * torch.arange(d // 2) / (d // 2))
    a = 1000 * t[:, None] * f
    return torch.cat([a.cos(), a.sin()], -1)


class Flux(nn.Module):
    def __init__(self, p=None):
        super().__init__()
        p = p or FLUX
        d, heads, c = p['hidden'], p['heads'], 4 * VAE['latent']
        self.axes = p['axes']
        self.img_in, self.txt_in = nn.Linear(c, d), nn.Linear(T5['d_model'], d)
        self.time_in, self.vector_in = Embedder(256, d), Embedder(CLIP_TEXT['hidden_size'], d)
        self.double_blocks = nn.ModuleList([DoubleBlock(d, heads) for _ in range(p['depth'])])
        self.single_blocks = nn.ModuleList([SingleBlock(d, heads)
                                            for _ in range(p['depth_single'])])
        self.final_layer = FinalLayer(d, c)

    def table(self, text, rows, columns):
        ids = torch.zeros(text + rows * columns, 3)
        ids[text:, 1] = torch.arange(rows).repeat_interleave(columns)
        ids[text:, 2] = torch.arange(columns).repeat(rows)
        a = torch.cat([ids[:, i, None] * 10000. ** (-torch.arange(0, d, 2) / d)
                       for i, d in enumerate(self.axes)], -1)
        return a.cos(), a.sin()

    def forward(self, x, t, txt, y, table):
        """x [B,tokens,64], t [B] in 0..1, txt [B,L,d], y [B,d] -> velocity like x."""
        img, txt = self.img_in(x), self.txt_in(txt)
        vec = self.time_in(time_embedding(t)) + self.vector_in(y)
        for block in self.double_blocks:
            img, txt = block(img, txt, vec, table)
        z, n = torch.cat([txt, img], 1), txt.shape[1]
        for block in self.single_blocks:
            z = block(z, vec, table)
        return self.final_layer(z[:, n:], vec)


def pack(z):
    """[B,16,H,W] -> [B,H/2*W/2,64], channel = ch*4 + dy*2 + dx."""
    b, c, h, w = z.shape
    z = z.reshape(b, c, h // 2, 2, w // 2, 2).permute(0, 2, 4, 1, 3, 5)
    return z.reshape(b, h * w // 4, c * 4)


def unpack(x, h, w):
    b = len(x)
    return x.reshape(b, h // 2, w // 2, -1, 2, 2).permute(0, 3, 1, 4, 2, 5).reshape(b, -1, h, w)
