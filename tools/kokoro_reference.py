"""Kokoro as its authors wrote it, for parity: the modules of the PyPI package `kokoro`, with
weights from the int8 ONNX file (dequantised) or random ones at a tiny size, every stage by name.

Stage names are those that the C code shows to its tap (vx_tap); sequences are [length, channels].
"""
import contextlib
import json
import pathlib
import struct

import numpy as np
import torch
from kokoro.istftnet import AdainResBlk1d, Decoder
from kokoro.modules import CustomAlbert, ProsodyPredictor, TextEncoder
from torch import nn
from torch.nn.utils import weight_norm
from transformers import AlbertConfig

ROOT = pathlib.Path(__file__).resolve().parent.parent


# ---- weights from the ONNX file

def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def fields(data):
    """(number, value) of a protobuf message: ints, or memoryviews of length-delimited fields."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = varint(data, at)
        elif kind == 2:
            size, at = varint(data, at)
            value, at = data[at:at + size], at + size
        else:
            size = 8 if kind == 1 else 4
            value, at = data[at:at + size], at + size
        yield key >> 3, value


def initialisers(path):
    types = {1: "<f4", 2: "u1", 3: "i1", 6: "<i4", 7: "<i8"}
    graph = next(v for n, v in fields(memoryview(pathlib.Path(path).read_bytes())) if n == 7)
    tensors = {}
    for number, message in fields(graph):
        if number != 5:
            continue
        dims, dtype, name, raw, typed = [], None, None, None, []
        for n, v in fields(message):
            if n == 1:
                dims.append(v)
            elif n == 2:
                dtype = types[v]
            elif n == 8:
                name = bytes(v).decode()
            elif n == 9:
                raw = np.frombuffer(v, dtype)
            elif n == 4:
                typed = np.frombuffer(v, "<f4")
            elif n in (5, 7):
                at, typed = 0, []
                while at < len(v):
                    value, at = varint(v, at)
                    typed.append(value - (1 << 64) if value >> 63 else value)
        values = raw if raw is not None else np.array(typed).astype(dtype)
        tensors[name] = values.reshape(dims)
    return tensors


def onnx_state(path):
    """The official names, weight norm folded, as float32."""
    file = initialisers(path)
    state = {}
    for line in (ROOT / "tools/kokoro_onnx_names.tsv").read_text().splitlines():
        if line.startswith("#") or line.startswith("official_name"):
            continue
        name, shape, source, _, _, scale, zero, transform = line.split("\t")
        kind, _, direction = transform.removesuffix("+wn").partition(":")
        x = file[source]
        if kind == "transpose":
            y = x.T
        elif kind in ("conv_u8", "emb_i8"):
            y = (x.astype(np.float32) - np.float32(file[zero])) * file[scale]
        elif kind == "lin_i8":
            y = ((x.astype(np.float32) - file[zero].astype(np.float32)) * file[scale]).T
        elif kind.startswith("lstm"):
            d = int(direction)
            order = [0, 2, 3, 1]
            x = x[d]
            if kind == "lstm_w":
                x = ((x.astype(np.float32) - np.float32(file[zero][d])) * file[scale][d]).T
            else:
                x = x[:1024] if kind == "lstm_bih" else x[1024:]
            y = np.concatenate([x[g * 256:(g + 1) * 256] for g in order])
        else:
            y = x
        state[name] = torch.from_numpy(np.ascontiguousarray(y)).reshape(json.loads(shape))
    return state


# ---- the network

PUBLISHED = json.loads((ROOT / "packs/speech/config.json").read_text())


def small_decoder(config):
    """The official decoder; its widths, constants in its source, follow hidden_dim."""
    hidden, style = config["hidden_dim"], config["style_dim"]
    wide, residual = 2 * hidden, hidden // 8
    decoder = Decoder(dim_in=hidden, style_dim=style, dim_out=config["n_mels"],
                      **config["istftnet"])
    joined = wide + residual + 2
    decoder.encode = AdainResBlk1d(hidden + 2, wide, style)
    decoder.decode = nn.ModuleList(
        [AdainResBlk1d(joined, wide, style) for _ in range(3)]
        + [AdainResBlk1d(joined, config["istftnet"]["upsample_initial_channel"], style,
                         upsample=True)])
    decoder.asr_res = nn.Sequential(weight_norm(nn.Conv1d(hidden, residual, kernel_size=1)))
    return decoder


def network(config):
    parts = nn.ModuleDict()
    parts["bert"] = CustomAlbert(AlbertConfig(vocab_size=config["n_token"], **config["plbert"]))
    parts["bert_encoder"] = nn.Linear(config["plbert"]["hidden_size"], config["hidden_dim"])
    parts["predictor"] = ProsodyPredictor(config["style_dim"], config["hidden_dim"],
                                          config["n_layer"], config["max_dur"], 0.0)
    parts["text_encoder"] = TextEncoder(config["hidden_dim"], config["text_encoder_kernel_size"],
                                        config["n_layer"], config["n_token"])
    parts["decoder"] = small_decoder(config)
    return parts.eval()


def without_weight_norm(parts):
    for module in parts.modules():
        with contextlib.suppress(ValueError):
            nn.utils.remove_weight_norm(module)
    return parts


def published(path):
    parts = without_weight_norm(network(PUBLISHED))
    missing, unexpected = parts.load_state_dict(onnx_state(path), strict=False)
    assert not unexpected, unexpected
    assert all(".norm." in n or "norm1.norm" in n or "pooler" in n or "position_ids" in n
               or ".adain" in n for n in missing), missing
    return parts


# ---- running

@contextlib.contextmanager
def silence():
    """No noise in the source: the network is then deterministic."""
    rand, randn_like = torch.rand, torch.randn_like
    torch.rand = lambda *size, **kw: torch.zeros(*size)
    torch.randn_like = torch.zeros_like
    try:
        yield
    finally:
        torch.rand, torch.randn_like = rand, randn_like


def ids_of(phonemes, vocab=None):
    vocab = vocab or PUBLISHED["vocab"]
    return [0] + [vocab[p] for p in phonemes if p in vocab] + [0]


def rows(x):
    """[1, C, L] -> [L, C]."""
    return x[0].transpose(0, 1).contiguous()


@torch.no_grad()
def front(parts, ids, style, half, speed=1.0):
    taps = {}
    ids = torch.tensor([ids])
    n = torch.tensor([ids.shape[1]])
    mask = torch.zeros_like(ids, dtype=torch.bool)
    taps["bert"] = parts["bert"](ids, attention_mask=(~mask).int())
    d_en = parts["bert_encoder"](taps["bert"])
    taps["bert_encoder"] = d_en
    s = torch.tensor(style[half:])[None]
    p = parts["predictor"]
    d = p.text_encoder(d_en.transpose(-1, -2), s, n, mask)
    taps["features"] = d
    x, _ = p.lstm(d)
    taps["durations"] = torch.sigmoid(p.duration_proj(x)).sum(axis=-1) / speed
    return {k: v[0].contiguous() for k, v in taps.items()}


@torch.no_grad()
def decode(parts, ids, style, half, features, spans, curves=None, spectrum=None):
    """curves (F0, N) and spectrum [120T+1, 22] take the place of the network's own."""
    taps = {}
    ids = torch.tensor([ids])
    n = torch.tensor([ids.shape[1]])
    mask = torch.zeros_like(ids, dtype=torch.bool)
    s_pro, s_dec = torch.tensor(style[half:])[None], torch.tensor(style[:half])[None]
    index = torch.repeat_interleave(torch.arange(ids.shape[1]), torch.tensor(spans))
    f0, energy = parts["predictor"].F0Ntrain(features[index].T[None], s_pro)
    taps["F0"], taps["N"] = f0[0][:, None], energy[0][:, None]
    if curves is not None:
        f0, energy = (torch.tensor(c).reshape(1, -1) for c in curves)
    t_en = parts["text_encoder"](ids, n, mask)
    taps["text_encoder"] = rows(t_en)
    d = parts["decoder"]
    asr = t_en[:, :, index]
    f, e = d.F0_conv(f0[:, None]), d.N_conv(energy[:, None])
    x = d.encode(torch.cat([asr, f, e], axis=1), s_dec)
    taps["decoder.encode"] = rows(x)
    residual = d.asr_res(asr)
    for i, block in enumerate(d.decode):
        x = block(torch.cat([x, residual, f, e], axis=1), s_dec)
        taps[f"decoder.decode.{i}"] = rows(x)
    taps.update(generate(d.generator, x, s_dec, f0, spectrum))
    return taps


def generate(g, x, s, f0, spectrum):
    taps = {}
    with silence():
        source, _, _ = g.m_source(g.f0_upsamp(f0[:, None]).transpose(1, 2))
    source = source.transpose(1, 2).squeeze(1)
    taps["excitation"] = source[0][:, None]
    har = torch.cat(g.stft.transform(source), dim=1)
    if spectrum is not None:
        har = torch.tensor(spectrum).T[None]
    taps["spectrum"] = rows(har)
    for i in range(g.num_upsamples):
        x = torch.nn.functional.leaky_relu(x, negative_slope=0.1)
        from_source = g.noise_res[i](g.noise_convs[i](har), s)
        taps[f"source.{i}"] = rows(from_source)
        x = g.ups[i](x)
        if i == g.num_upsamples - 1:
            x = g.reflection_pad(x)
        x = x + from_source
        taps[f"sum.{i}"] = rows(x)
        x = sum(g.resblocks[i * g.num_kernels + j](x, s) for j in range(g.num_kernels))
        x = x / g.num_kernels
        slope = 0.01 if i == g.num_upsamples - 1 else 0.1
        taps[f"stage.{i}"] = rows(torch.nn.functional.leaky_relu(x, negative_slope=slope))
    x = g.conv_post(torch.nn.functional.leaky_relu(x))
    taps["conv_post"] = rows(x)
    bins = g.post_n_fft // 2 + 1
    taps["samples"] = g.stft.inverse(torch.exp(x[:, :bins]), torch.sin(x[:, bins:]))[0, 0]
    return taps


def spans_of(durations):
    return torch.round(durations).clamp(min=1).long().tolist()


def voice_row(path, symbols):
    return np.fromfile(path, "<f4").reshape(510, 256)[symbols - 1]


# ---- measures

def hash_uniform(count, salt):
    """Numbers in [0, 1) that C makes the same way: a multiplicative hash of the index."""
    i = np.arange(count, dtype=np.uint64) + np.uint64(salt)
    h = (i * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(40)
    return (h.astype(np.float64) / (1 << 24)).astype(np.float32)


def made_spectrum(frames, salt=1):
    """A source spectrum that needs no file: magnitudes up to 1, any angle."""
    count = 120 * frames + 1
    u = hash_uniform(count * 22, salt).reshape(count, 22)
    u[:, 11:] = (u[:, 11:] - 0.5) * np.float32(2 * np.pi)
    return u


def log_spectra(x):
    frames = np.lib.stride_tricks.sliding_window_view(np.asarray(x, np.float64), 1024)[::300]
    power = np.abs(np.fft.rfft(frames * np.hanning(1025)[:-1], axis=1)) ** 2
    return 10 * np.log10(power + 1e-30)


def log_spectral_distance(x, y):
    """dB: root mean square over bins, mean over frames, floor 80 dB under the loudest bin of y."""
    a, b = log_spectra(x), log_spectra(y)
    floor = b.max() - 80
    a, b = np.maximum(a, floor), np.maximum(b, floor)
    return float(np.sqrt(((a - b) ** 2).mean(axis=1)).mean())


def write_safetensors(path, tensors, metadata=None):
    header, at, blobs = {}, 0, []
    if metadata:
        header["__metadata__"] = metadata
    names = {"float32": "F32", "int32": "I32", "int16": "I16", "float16": "F16"}
    for name, value in tensors.items():
        value = np.ascontiguousarray(value)
        blob = value.tobytes()
        header[name] = {"dtype": names[str(value.dtype)], "shape": list(value.shape),
                        "data_offsets": [at, at + len(blob)]}
        at += len(blob)
        blobs.append(blob)
    text = json.dumps(header, separators=(",", ":"), sort_keys=False).encode()
    text += b" " * (-len(text) % 8)
    pathlib.Path(path).write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))
