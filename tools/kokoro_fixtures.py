"""Fixtures of the Kokoro tests: `tools/kokoro_parity.py fixtures` writes tests/data/kokoro.

    tiny.json, tiny.safetensors   a random network of a few thousand parameters with official names
    tiny_stages.safetensors       what the authors' code makes of one input, stage by stage
    names.safetensors, names.pth  one filter under each spelling of its name, and its folded value
    voice.pt                      a voice as published, but two floats wide
    real.safetensors              what the published weights make of some phonemes
"""
import json

import numpy as np
import torch

from kokoro_reference import (PUBLISHED, ROOT, decode, front, ids_of, made_spectrum, network,
                              published, spans_of, voice_row, without_weight_norm,
                              write_safetensors)

OUT = ROOT / "tests/data/kokoro"

TINY = {
    **{k: v for k, v in PUBLISHED.items() if k != "vocab"},
    "hidden_dim": 16, "style_dim": 8, "n_layer": 2, "max_dur": 4, "text_encoder_kernel_size": 3,
    "plbert": {"hidden_size": 24, "num_attention_heads": 2, "intermediate_size": 40,
               "max_position_embeddings": 64, "num_hidden_layers": 2, "embedding_size": 12,
               "dropout": 0.1},
    "istftnet": {**PUBLISHED["istftnet"], "upsample_initial_channel": 16,
                 "resblock_kernel_sizes": [3, 5, 7],
                 "resblock_dilation_sizes": [[1, 3, 5], [1, 2, 4], [1, 1, 6]]},
}


def randomise(parts, generator):
    """Weights that give every stage values of about one and a pitch on both sides of 10 Hz."""
    for name, p in parts.named_parameters():
        with torch.no_grad():
            if ".norm." in name or "norm1.norm" in name or "norm2.norm" in name:
                pass  # AdaIN's own scale and shift are in no checkpoint: they stay 1 and 0
            elif name.endswith("_g"):
                p.uniform_(0.6, 1.3, generator=generator)
            elif ".alpha" in name:
                p.uniform_(0.2, 1.5, generator=generator)
                p.mul_(torch.where(torch.rand(p.shape, generator=generator) < 0.2, -1.0, 1.0))
            elif "LayerNorm.weight" in name or "layer_norm.weight" in name or "gamma" in name:
                p.uniform_(0.7, 1.3, generator=generator)
            elif "lstm" in name or "shared" in name:
                p.normal_(0, 0.3, generator=generator)
            else:
                p.normal_(0, 0.2, generator=generator)
    with torch.no_grad():
        parts["predictor"].F0_proj.weight.mul_(400)
        parts["predictor"].F0_proj.bias.fill_(90)
        parts["predictor"].duration_proj.linear_layer.weight.mul_(40)
        parts["decoder"].generator.conv_post.weight_g.mul_(0.2)
        parts["decoder"].generator.m_source.l_linear.weight.mul_(3)


def tiny():
    generator = torch.Generator().manual_seed(115)
    parts = network(TINY)
    randomise(parts, generator)
    state = {k: v.numpy() for k, v in parts.state_dict().items()
             if "norm1.norm" not in k and "norm2.norm" not in k and "position_ids" not in k
             and not (".adain" in k and ".norm." in k)}
    write_safetensors(OUT / "tiny.safetensors", state)
    (OUT / "tiny.json").write_text(json.dumps(TINY, indent=1) + "\n")

    without_weight_norm(parts)
    style = torch.randn(16, generator=generator).numpy()
    ids = ids_of("hˈI, ju.")
    stages = front(parts, ids, style, 8)
    spans = spans_of(stages["durations"])
    frames = sum(spans)
    stages.update(decode(parts, ids, style, 8, stages["features"], spans,
                         spectrum=made_spectrum(frames)))
    stages = {k: v.numpy() for k, v in stages.items() if k != "spectrum"}
    stages.update(ids=np.array(ids, np.int32), style=style, spans=np.array(spans, np.int32))
    write_safetensors(OUT / "tiny_stages.safetensors", stages)
    pitch = stages["F0"]
    print("tiny:", sum(v.size for v in state.values()), "parameters,", frames, "frames, spans",
          spans, "pitch", pitch.min(), "to", pitch.max())


def names():
    generator = torch.Generator().manual_seed(7)
    v = torch.randn(4, 3, 5, generator=generator)
    g = torch.rand(4, 1, 1, generator=generator) + 0.5
    folded = (g * v / v.norm(dim=(1, 2), keepdim=True)).numpy()
    v, g = v.numpy(), g.numpy()
    tensors = {
        "decoder.generator.plain.weight_v": v, "decoder.generator.plain.weight_g": g,
        "decoder.module.generator.module.weight_v": v,
        "decoder.module.generator.module.weight_g": g,
        "decoder.generator.torch.parametrizations.weight.original1": v,
        "decoder.generator.torch.parametrizations.weight.original0": g,
        "decoder.generator.mlx.weight_v": v.transpose(0, 2, 1),
        "decoder.generator.mlx.weight_g": g,
        "decoder.generator.folded.weight": folded,
        "decoder.generator.alone.weight_v": v,
        "decoder.generator.zero.weight_v": v * 0, "decoder.generator.zero.weight_g": g,
        "expected": folded,
    }
    write_safetensors(OUT / "names.safetensors", tensors)
    # The official checkpoint: a dict of dicts with DataParallel's prefix.
    torch.save({"bert": {"module.pooler.bias": torch.zeros(3)},
                "decoder": {"module.generator.official.weight_v": torch.from_numpy(v),
                            "module.generator.official.weight_g": torch.from_numpy(g)}},
               OUT / "names.pth")
    torch.save(torch.arange(1020, dtype=torch.float32).reshape(510, 1, 2) / 4, OUT / "voice.pt")


def real(weights, texts):
    parts = published(weights)
    tensors = {}
    voices = ["af_heart", "am_michael", "bf_emma"]
    for i, (text, voice) in enumerate(zip(texts[:3], voices)):
        ids = ids_of(text)
        style = voice_row(ROOT / f"packs/speech/voices/{voice}.bin", len(text))
        stages = front(parts, ids, style, 128)
        spans = spans_of(stages["durations"])
        stages.update(decode(parts, ids, style, 128, stages["features"], spans))
        tensors[f"{i}.ids"] = np.array(ids, np.int32)
        tensors[f"{i}.style"] = style
        for name in ("durations", "F0", "N"):
            tensors[f"{i}.{name}"] = stages[name].numpy()
        if i == 0:
            tensors["text_encoder"] = stages["text_encoder"].numpy()[:, ::8]
            samples = stages["samples"].numpy()
            peak = np.abs(samples).max()
            tensors["peak"] = np.array([peak], np.float32)
            tensors["samples"] = np.rint(samples / peak * 32767).astype(np.int16)
            given = decode(parts, ids, style, 128, stages["features"], spans,
                           curves=(stages["F0"].numpy(), stages["N"].numpy()),
                           spectrum=made_spectrum(sum(spans)))
            tensors["conv_post"] = given["conv_post"].numpy()[::23]
        print("real:", text, voice, sum(spans), "frames")
    write_safetensors(OUT / "real.safetensors", tensors)


def write(weights, texts):
    OUT.mkdir(parents=True, exist_ok=True)
    tiny()
    names()
    real(weights, texts)
