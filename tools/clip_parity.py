#!/usr/bin/env python3
"""Parity of CLIP with transformers and open_clip.

    clip_parity.py fixtures OUT          small random configurations and their results (tests/data/clip)
    clip_parity.py published DUMP_CLIP   both published sizes, random weights: runs DUMP_CLIP (the program
                                         built from tests/dump_clip.c) and prints the errors per layer

Needs torch, transformers, open_clip_torch, safetensors, numpy.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import torch
from safetensors.torch import save_file
from transformers import CLIPConfig, CLIPModel

B32 = dict(
    text_config=dict(hidden_size=512, intermediate_size=2048, num_hidden_layers=12, num_attention_heads=8),
    vision_config=dict(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12,
                       patch_size=32, image_size=224),
    projection_dim=512)
L14 = dict(
    text_config=dict(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12),
    vision_config=dict(hidden_size=1024, intermediate_size=4096, num_hidden_layers=24, num_attention_heads=16,
                       patch_size=14, image_size=224),
    projection_dim=768)
SMALL = dict(
    text_config=dict(hidden_size=24, intermediate_size=72, num_hidden_layers=2, num_attention_heads=3,
                     vocab_size=515, max_position_embeddings=12, eos_token_id=514, bos_token_id=513,
                     pad_token_id=514),
    vision_config=dict(hidden_size=32, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
                       patch_size=8, image_size=24),
    projection_dim=20)


def randomise(model, seed):
    """Random weights with activations of order one in every layer, as trained ones have."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            noise = torch.randn(p.shape, generator=generator)
            if "logit_scale" in name:
                continue
            if "norm" in name or "ln_" in name or "layrnorm" in name:
                p.copy_(noise * 0.1 + (1.0 if name.endswith("weight") else 0.0))
            elif p.dim() >= 2:
                fan_in = p[0].numel() if "embedding" not in name or "patch" in name else 4
                p.copy_(noise / fan_in**0.5)
            else:
                p.copy_(noise * 0.1)


def build(config, seed):
    model = CLIPModel(CLIPConfig(**config)).eval()
    randomise(model, seed)
    return model


def run(model, pixels, ids):
    """Every layer's output, in the names of the engine's taps."""
    taps = {}
    with torch.no_grad():
        vision = model.vision_model(pixel_values=pixels, output_hidden_states=True)
        for i, h in enumerate(vision.hidden_states[1:]):
            taps[f"vision.layers.{i}"] = h
        text = model.text_model(input_ids=ids, output_hidden_states=True)
        for i, h in enumerate(text.hidden_states[1:]):
            taps[f"text.layers.{i}"] = h[0]
        image_embed = model.visual_projection(vision.pooler_output)
        text_embed = model.text_projection(text.pooler_output)
    taps["image_embed"] = image_embed / image_embed.norm(dim=-1, keepdim=True)
    taps["text_embed"] = text_embed / text_embed.norm(dim=-1, keepdim=True)
    taps["pooled"] = text.pooler_output
    return {k: v.float().numpy() for k, v in taps.items()}


def to_openai(state, config):
    """The same weights under OpenAI's and open_clip's names."""
    out = {}
    for tower, prefix, theirs in (("vision", "vision_model.", "visual."), ("text", "text_model.", "")):
        for n in range(config[f"{tower}_config"]["num_hidden_layers"]):
            a, b = f"{prefix}encoder.layers.{n}.", f"{theirs}transformer.resblocks.{n}."
            for kind in ("weight", "bias"):
                out[b + "attn.in_proj_" + kind] = torch.cat(
                    [state[a + f"self_attn.{p}_proj.{kind}"] for p in "qkv"])
                for ours, other in (("layer_norm1", "ln_1"), ("layer_norm2", "ln_2"),
                                    ("self_attn.out_proj", "attn.out_proj"), ("mlp.fc1", "mlp.c_fc"),
                                    ("mlp.fc2", "mlp.c_proj")):
                    out[b + f"{other}.{kind}"] = state[a + f"{ours}.{kind}"]
    v, t = "vision_model.", "text_model."
    out["visual.class_embedding"] = state[v + "embeddings.class_embedding"]
    out["visual.conv1.weight"] = state[v + "embeddings.patch_embedding.weight"]
    out["visual.positional_embedding"] = state[v + "embeddings.position_embedding.weight"]
    for kind in ("weight", "bias"):
        out[f"visual.ln_pre.{kind}"] = state[v + f"pre_layrnorm.{kind}"]
        out[f"visual.ln_post.{kind}"] = state[v + f"post_layernorm.{kind}"]
        out[f"ln_final.{kind}"] = state[t + f"final_layer_norm.{kind}"]
    out["visual.proj"] = state["visual_projection.weight"].T
    out["token_embedding.weight"] = state[t + "embeddings.token_embedding.weight"]
    out["positional_embedding"] = state[t + "embeddings.position_embedding.weight"]
    out["text_projection"] = state["text_projection.weight"].T
    out["logit_scale"] = state["logit_scale"]
    return {k: v.contiguous() for k, v in out.items()}


def check_open_clip(state, config, pixels, ids, taps):
    """open_clip itself, given the translated weights, must agree with transformers."""
    import open_clip

    vision, text = config["vision_config"], config["text_config"]
    model = open_clip.CLIP(
        embed_dim=config["projection_dim"], quick_gelu=True,
        vision_cfg=dict(image_size=vision["image_size"], layers=vision["num_hidden_layers"],
                        width=vision["hidden_size"], patch_size=vision["patch_size"],
                        head_width=vision["hidden_size"] // vision["num_attention_heads"],
                        mlp_ratio=vision["intermediate_size"] / vision["hidden_size"]),
        text_cfg=dict(context_length=text.get("max_position_embeddings", 77),
                      vocab_size=text.get("vocab_size", 49408), width=text["hidden_size"],
                      heads=text["num_attention_heads"], layers=text["num_hidden_layers"],
                      mlp_ratio=text["intermediate_size"] / text["hidden_size"])).eval()
    model.load_state_dict(to_openai(state, config), strict=False)
    padded = torch.zeros((1, text.get("max_position_embeddings", 77)), dtype=torch.long)
    padded[0, : ids.shape[1]] = ids[0]
    with torch.no_grad():
        image = model.encode_image(pixels, normalize=True).numpy()
        words = model.encode_text(padded, normalize=True).numpy()
    return np.abs(image - taps["image_embed"]).max(), np.abs(words - taps["text_embed"]).max()


# One merge, "ab" at the end of a word: 256 bytes, the same at the end of a word, the merge, start, end.
PROMPTS = ["ab", "zz", "a b c", "abcdefghijk"]


def prompt_ids(prompt):
    order = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    ids = [513]
    for word in prompt.split():
        symbols = [order.index(b) for b in word.encode()]
        symbols[-1] += 256
        if word.endswith("ab"):
            symbols[-2:] = [512]
        ids += symbols
    return ids[:11] + [514]


def scores(model, picture, size):
    """CLIPScore of a picture under each prompt, preprocessed by Pillow."""
    from PIL import Image

    image = Image.open(picture).convert("RGB")
    short = min(image.size)
    image = image.resize([int(size * side / short) for side in image.size], Image.Resampling.BICUBIC)
    left, top = (image.width - size) // 2, (image.height - size) // 2
    values = np.asarray(image.crop((left, top, left + size, top + size)), dtype=np.float32) / 255
    mean = np.array([0.48145466, 0.4578275, 0.40821073], dtype=np.float32)
    std = np.array([0.26862954, 0.26130258, 0.27577711], dtype=np.float32)
    pixels = torch.from_numpy(((values - mean) / std).transpose(2, 0, 1)[None].copy())
    return [2.5 * max(float((taps["image_embed"] * taps["text_embed"]).sum()), 0)
            for taps in (run(model, pixels, torch.tensor([prompt_ids(p)])) for p in PROMPTS)]


def inputs(config, images, seed):
    rng = np.random.default_rng(seed)
    size = config["vision_config"]["image_size"]
    vocab = config["text_config"].get("vocab_size", 49408)
    pixels = rng.standard_normal((images, size, size, 3)).astype(np.float32)
    ids = np.concatenate([[vocab - 2], rng.integers(0, vocab - 2, 7), [vocab - 1]]).astype(np.int32)
    return pixels, ids


def fixtures(out):
    out.mkdir(parents=True, exist_ok=True)
    model = build(SMALL, 1)
    pixels, ids = inputs(SMALL, 2, 2)
    nchw, id_tensor = torch.from_numpy(pixels.transpose(0, 3, 1, 2).copy()), torch.from_numpy(ids)[None].long()
    taps = run(model, nchw, id_tensor)
    print("open_clip differs from transformers by", check_open_clip(model.state_dict(), SMALL, nchw, id_tensor, taps))
    state = {k: v.contiguous() for k, v in model.state_dict().items() if "position_ids" not in k}
    save_file(state, out / "small_hf.safetensors")
    save_file(to_openai(state, SMALL), out / "small_openai.safetensors")
    (out / "small.json").write_text(json.dumps(SMALL, indent=1) + "\n")
    picture = pathlib.Path(__file__).parent.parent / "examples" / "presenter.png"
    found = scores(model, picture, SMALL["vision_config"]["image_size"])
    (out / "scores.json").write_text(json.dumps(dict(zip(PROMPTS, found)), indent=1) + "\n")
    values = {"pixels": pixels, "ids": ids, **taps}
    save_file({k: torch.from_numpy(np.ascontiguousarray(v)) for k, v in values.items()},
              out / "small_values.safetensors")


def published(dump):
    for name, config in (("B/32", B32), ("L/14", L14)):
        model = build(config, 3)
        pixels, ids = inputs(config, 2, 4)
        nchw = torch.from_numpy(pixels.transpose(0, 3, 1, 2).copy())
        id_tensor = torch.from_numpy(ids)[None].long()
        taps = run(model, nchw, id_tensor)
        state = {k: v.contiguous() for k, v in model.state_dict().items() if "position_ids" not in k}
        print(name, "open_clip against transformers:", check_open_clip(state, config, nchw, id_tensor, taps))
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            save_file(state, folder / "hf.safetensors")
            save_file(to_openai(state, config), folder / "openai.safetensors")
            (folder / "config.json").write_text(json.dumps(config))
            save_file({"pixels": torch.from_numpy(pixels), "ids": torch.from_numpy(ids)},
                      folder / "in.safetensors")
            for naming, precision in (("hf", "f32"), ("openai", "f32"), ("hf", "bf16"), ("hf", "f16"), ("hf", "int8")):
                out = folder / f"{naming}_{precision}"
                out.mkdir()
                subprocess.run([dump, folder / "config.json", folder / f"{naming}.safetensors", precision,
                                folder / "in.safetensors", out], check=True)
                report(name, naming, precision, taps, out)


def report(name, naming, precision, taps, out):
    worst = 0.0
    for tap, want in taps.items():
        path = out / f"{tap}.npy"
        if not path.exists():
            continue
        have = np.load(path)
        want = want.reshape(-1, want.shape[-1])
        if tap.endswith("_embed"):
            cosine = (have.reshape(want.shape) * want).sum(-1).min()
            print(f"{name} {naming} {precision} {tap}: cosine {cosine:.7f}")
            continue
        if have.shape[0] != want.shape[0]:  # the last block keeps one token of each sequence
            step = want.shape[0] // have.shape[0]
            want = want[::step] if tap.startswith("vision") else want[-1:]
        worst = max(worst, np.abs(have - want).max() / np.abs(want).max())
    print(f"{name} {naming} {precision}: worst layer, relative {worst:.2e}")


if __name__ == "__main__":
    torch.set_num_threads(2)
    if sys.argv[1:2] == ["fixtures"]:
        fixtures(pathlib.Path(sys.argv[2]))
    elif sys.argv[1:2] == ["published"]:
        published(sys.argv[2])
    else:
        sys.exit(__doc__)
