#!/usr/bin/env python3
"""Parity of FLUX's parts with diffusers, transformers and the original layout, on small random networks.

    flux_parity.py OUT      writes weights and every block's output for two configurations of each part
                            (tests/data/flux); the first has the original names, the second diffusers'
    flux_parity.py --pack OUT TOKENIZERS
                            writes a whole small pack and what diffusers' pipelines make of it
                            (tests/data/imagine); TOKENIZERS is tests/data/tokenizer

Needs torch, diffusers, transformers, safetensors.
"""
import json
import pathlib
import sys

import torch
import numpy
from diffusers import (AutoencoderKL, FlowMatchEulerDiscreteScheduler, FluxImg2ImgPipeline, FluxPipeline,
                       FluxTransformer2DModel)
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from PIL import Image
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, PreTrainedTokenizerFast, T5Config, T5EncoderModel

T5 = [
    dict(d_model=32, d_kv=8, num_heads=4, d_ff=48, num_layers=2, vocab_size=50,
         relative_attention_num_buckets=32, relative_attention_max_distance=128),
    dict(d_model=24, d_kv=16, num_heads=2, d_ff=40, num_layers=3, vocab_size=40,
         relative_attention_num_buckets=8, relative_attention_max_distance=20),
]
FLUX = [
    dict(in_channels=16, num_layers=1, num_single_layers=2, attention_head_dim=16, num_attention_heads=2,
         joint_attention_dim=32, pooled_projection_dim=20, guidance_embeds=False, axes_dims_rope=[4, 6, 6]),
    dict(in_channels=16, num_layers=2, num_single_layers=1, attention_head_dim=12, num_attention_heads=2,
         joint_attention_dim=24, pooled_projection_dim=12, guidance_embeds=False, axes_dims_rope=[2, 4, 6]),
]
VAE = [
    dict(block_out_channels=[8, 16], layers_per_block=1, latent_channels=4, norm_num_groups=4),
    dict(block_out_channels=[8, 16, 16], layers_per_block=2, latent_channels=4, norm_num_groups=2),
]
VAE_FIXED = dict(in_channels=3, out_channels=3, act_fn="silu", scaling_factor=0.3611, shift_factor=0.1159,
                 use_quant_conv=False, use_post_quant_conv=False)
TOKENS, GRID_ROWS, GRID_COLS, STEPS = 11, 4, 6, 4


def randomise(model, seed):
    """Weights that keep activations of order one."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in model.named_parameters():
            noise = torch.randn(p.shape, generator=generator)
            if p.dim() >= 2:
                p.copy_(noise / p[0].numel() ** 0.5 if "shared" not in name else noise)
            elif name.endswith("weight"):
                p.copy_(1 + 0.1 * noise)
            else:
                p.copy_(0.1 * noise)


def contiguous(state):
    return {k: v.detach().float().contiguous() for k, v in state.items()}


def t5(out, index, config):
    model = T5EncoderModel(T5Config(feed_forward_proj="gated-gelu", layer_norm_epsilon=1e-6, **config)).eval()
    randomise(model, 10 + index)
    generator = torch.Generator().manual_seed(20 + index)
    ids = torch.randint(0, config["vocab_size"], (1, TOKENS), generator=generator)
    with torch.no_grad():
        result = model(input_ids=ids, output_hidden_states=True)
    values = {"ids": ids[0].int(), "t5.out": result.last_hidden_state[0]}
    for i, h in enumerate(result.hidden_states[1:-1]):
        values[f"t5.block.{i}"] = h[0]
    state = contiguous(model.state_dict())
    state.pop("encoder.embed_tokens.weight", None)
    save_file(state, out / f"t5_{index}.safetensors")
    save_file({k: v.contiguous() for k, v in values.items()}, out / f"t5_{index}_values.safetensors")
    (out / f"t5_{index}.json").write_text(json.dumps(config) + "\n")
    return result.last_hidden_state


def to_bfl(state, config):
    """diffusers' names to Black Forest Labs'."""
    out = {}

    def put(name, *sources):
        for kind in ("weight", "bias"):
            out[f"{name}.{kind}"] = torch.cat([state[f"{s}.{kind}"] for s in sources])

    put("img_in", "x_embedder")
    put("txt_in", "context_embedder")
    for ours, theirs in (("time_in", "timestep_embedder"), ("vector_in", "text_embedder")):
        put(f"{ours}.in_layer", f"time_text_embed.{theirs}.linear_1")
        put(f"{ours}.out_layer", f"time_text_embed.{theirs}.linear_2")
    for n in range(config["num_layers"]):
        a, b = f"transformer_blocks.{n}.", f"double_blocks.{n}."
        put(b + "img_mod.lin", a + "norm1.linear")
        put(b + "txt_mod.lin", a + "norm1_context.linear")
        put(b + "img_attn.qkv", *[a + f"attn.to_{x}" for x in "qkv"])
        put(b + "txt_attn.qkv", *[a + f"attn.add_{x}_proj" for x in "qkv"])
        put(b + "img_attn.proj", a + "attn.to_out.0")
        put(b + "txt_attn.proj", a + "attn.to_add_out")
        put(b + "img_mlp.0", a + "ff.net.0.proj")
        put(b + "img_mlp.2", a + "ff.net.2")
        put(b + "txt_mlp.0", a + "ff_context.net.0.proj")
        put(b + "txt_mlp.2", a + "ff_context.net.2")
        for x, y in (("query", "q"), ("key", "k")):
            out[b + f"img_attn.norm.{x}_norm.scale"] = state[a + f"attn.norm_{y}.weight"]
            out[b + f"txt_attn.norm.{x}_norm.scale"] = state[a + f"attn.norm_added_{y}.weight"]
    for n in range(config["num_single_layers"]):
        a, b = f"single_transformer_blocks.{n}.", f"single_blocks.{n}."
        put(b + "modulation.lin", a + "norm.linear")
        put(b + "linear1", *[a + f"attn.to_{x}" for x in "qkv"], a + "proj_mlp")
        put(b + "linear2", a + "proj_out")
        for x, y in (("query", "q"), ("key", "k")):
            out[b + f"norm.{x}_norm.scale"] = state[a + f"attn.norm_{y}.weight"]
    put("final_layer.linear", "proj_out")
    for kind in ("weight", "bias"):
        scale, shift = state[f"norm_out.linear.{kind}"].chunk(2)
        out[f"final_layer.adaLN_modulation.1.{kind}"] = torch.cat([shift, scale])
    return contiguous(out)


def flux(out, index, config, text):
    model = FluxTransformer2DModel(patch_size=1, **config).eval()
    randomise(model, 30 + index)
    generator = torch.Generator().manual_seed(40 + index)
    channels, tokens = config["in_channels"], GRID_ROWS * GRID_COLS
    latent = torch.randn((1, tokens, channels), generator=generator)
    pooled = torch.randn((1, config["pooled_projection_dim"]), generator=generator)
    img_ids = torch.zeros(GRID_ROWS, GRID_COLS, 3)
    img_ids[..., 1] += torch.arange(GRID_ROWS)[:, None]
    img_ids[..., 2] += torch.arange(GRID_COLS)[None]
    values = {"latent": latent[0].clone(), "pooled": pooled, "text": text[0]}
    step = 0

    def tap(name, double):
        def hook(_module, _args, result):
            # diffusers returns (text, picture) from both kinds of block
            values[f"flux.step{step}.{name}"] = torch.cat([result[0][0], result[1][0]]).clone()
        return hook

    for i, block in enumerate(model.transformer_blocks):
        block.register_forward_hook(tap(f"double.{i}", True))
    for i, block in enumerate(model.single_transformer_blocks):
        block.register_forward_hook(tap(f"single.{i}", False))
    scheduler = FlowMatchEulerDiscreteScheduler(shift=1.0, use_dynamic_shifting=False)
    sigmas = [1.0 - i / STEPS for i in range(STEPS)]
    scheduler.set_timesteps(sigmas=sigmas)
    with torch.no_grad():
        for step, t in enumerate(scheduler.timesteps):
            velocity = model(hidden_states=latent, encoder_hidden_states=text, pooled_projections=pooled,
                             timestep=(t / 1000)[None], img_ids=img_ids.reshape(-1, 3),
                             txt_ids=torch.zeros(text.shape[1], 3), return_dict=False)[0]
            values[f"velocity.{step}"] = velocity[0].clone()
            latent = scheduler.step(velocity, t, latent, return_dict=False)[0]
    values["sampled"] = latent[0]
    state = contiguous(model.state_dict())
    save_file(state if index else to_bfl(state, config), out / f"flux_{index}.safetensors")
    save_file({k: v.contiguous() for k, v in values.items()}, out / f"flux_{index}_values.safetensors")
    (out / f"flux_{index}.json").write_text(json.dumps(config) + "\n")


def to_ldm(state, config):
    """diffusers' autoencoder names to the original's."""
    levels, out = len(config["block_out_channels"]), {}
    members = {"conv_shortcut": "nin_shortcut", "group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v",
               "to_out": "proj_out"}
    for name, value in state.items():
        parts = name.split(".")
        half, kind = parts[0], parts[-1]
        if parts[1] == "mid_block":
            block = f"block_{int(parts[3]) + 1}" if parts[2] == "resnets" else f"attn_{int(parts[3]) + 1}"
            member = members.get(parts[4], parts[4])
            if parts[2] == "attentions" and value.dim() == 2:
                value = value[:, :, None, None]
            new = f"{half}.mid.{block}.{member}.{kind}"
        elif parts[1] in ("up_blocks", "down_blocks"):
            up = parts[1] == "up_blocks"
            level = levels - 1 - int(parts[2]) if up else int(parts[2])
            side = "up" if up else "down"
            if parts[3] == "resnets":
                new = f"{half}.{side}.{level}.block.{parts[4]}.{members.get(parts[5], parts[5])}.{kind}"
            else:
                new = f"{half}.{side}.{level}.{side}sample.conv.{kind}"
        else:
            new = f"{half}.{parts[1].replace('conv_norm_out', 'norm_out')}.{kind}"
        out[new] = value
    return contiguous(out)


def vae(out, index, config):
    levels = len(config["block_out_channels"])
    model = AutoencoderKL(down_block_types=["DownEncoderBlock2D"] * levels,
                          up_block_types=["UpDecoderBlock2D"] * levels, **VAE_FIXED, **config).eval()
    randomise(model, 50 + index)
    generator = torch.Generator().manual_seed(60 + index)
    z = torch.randn((1, config["latent_channels"], 6, 4), generator=generator)
    factor = 2 ** (levels - 1)
    picture = torch.rand((1, 3, 6 * factor, 4 * factor), generator=generator) * 2 - 1
    with torch.no_grad():
        decoded = model.decode(z).sample
        mean = model.encode(picture).latent_dist.mean
    last = lambda x: x[0].permute(1, 2, 0).contiguous()
    state = contiguous(model.state_dict())
    save_file(state if index else to_ldm(state, config), out / f"vae_{index}.safetensors")
    save_file({"z": last(z), "decoded": last(decoded), "picture": last(picture), "mean": last(mean)},
              out / f"vae_{index}_values.safetensors")
    (out / f"vae_{index}.json").write_text(json.dumps({**VAE_FIXED, **config}) + "\n")


PACK_YAML = """\
# Small random networks of every kind that makes an actor image (tools/flux_parity.py --pack).
name: small-flux
version: "1"
synthetic: true
imagine: {width: 64, height: 96, steps: 4, max_sequence_length: 24}
components:
  flux.transformer: {files: [transformer.safetensors], precision: f32, config: transformer.json}
  flux.t5: {files: [t5.safetensors], tokenizer: t5.tokenizer.json, precision: f32, config: t5.json}
  flux.clip_text: {files: [clip.safetensors], tokenizer: clip.tokenizer.json, precision: f32, config: clip.json}
  flux.vae: {files: [vae.safetensors], precision: f32, config: vae.json}
"""
PROMPT = "a small cat on the red mat"


def pack(out, tokenizers):
    """A pack, and FluxPipeline's and FluxImg2ImgPipeline's latents and picture for a given noise."""
    for kind in ("t5", "clip"):
        (out / f"{kind}.tokenizer.json").write_bytes((tokenizers / f"{kind}_small.tokenizer.json").read_bytes())
    tokenizer_2 = PreTrainedTokenizerFast(tokenizer_file=str(out / "t5.tokenizer.json"), pad_token="<pad>",
                                          eos_token="</s>", unk_token="<unk>", model_max_length=24)
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(out / "clip.tokenizer.json"), model_max_length=16,
                                        pad_token="<|endoftext|>", eos_token="<|endoftext|>")
    t5_config = dict(T5[0], vocab_size=len(tokenizer_2))
    t5_model = T5EncoderModel(T5Config(feed_forward_proj="gated-gelu", layer_norm_epsilon=1e-6, **t5_config))
    clip_config = dict(hidden_size=20, intermediate_size=40, num_attention_heads=2, num_hidden_layers=2,
                       max_position_embeddings=16, vocab_size=len(tokenizer), projection_dim=12,
                       bos_token_id=tokenizer.convert_tokens_to_ids("<|startoftext|>"),
                       eos_token_id=tokenizer.eos_token_id)
    clip_model = CLIPTextModel(CLIPTextConfig(**clip_config))
    flux_model = FluxTransformer2DModel(patch_size=1, **FLUX[0])
    vae_config = dict(block_out_channels=[4, 8, 8, 8], layers_per_block=1, latent_channels=4, norm_num_groups=2)
    vae_model = AutoencoderKL(down_block_types=["DownEncoderBlock2D"] * 4,
                              up_block_types=["UpDecoderBlock2D"] * 4, **VAE_FIXED, **vae_config)
    models = {"t5": t5_model, "clip": clip_model, "transformer": flux_model, "vae": vae_model}
    for i, model in enumerate(models.values()):
        randomise(model.eval(), 70 + i)
    scheduler = FlowMatchEulerDiscreteScheduler(shift=1.0, use_dynamic_shifting=False)
    parts = dict(scheduler=scheduler, vae=vae_model, text_encoder=clip_model, tokenizer=tokenizer,
                 text_encoder_2=t5_model, tokenizer_2=tokenizer_2, transformer=flux_model)
    generator = torch.Generator().manual_seed(80)
    noise = torch.randn((1, 4, 12, 8), generator=generator)
    packed = FluxPipeline._pack_latents(noise, 1, 4, 12, 8)
    common = dict(prompt=PROMPT, height=96, width=64, num_inference_steps=4, max_sequence_length=24,
                  guidance_scale=0.0)
    unpack = lambda x: FluxPipeline._unpack_latents(x, 96, 64, 8)[0].contiguous().numpy()
    text = FluxPipeline(**parts)
    latents = text(latents=packed, output_type="latent", **common).images
    picture = text(latents=packed, output_type="np", **common).images[0]
    init = Image.fromarray((numpy.indices((70, 90)).sum(0)[..., None] * [1, 2, 3] % 256).astype(numpy.uint8))
    DiagonalGaussianDistribution.sample = lambda self, generator=None: self.mode()
    import diffusers.pipelines.flux.pipeline_flux_img2img as module
    module.randn_tensor = lambda *args, **kwargs: noise
    again = FluxImg2ImgPipeline(**parts)(image=init, strength=0.6, output_type="latent", **common).images
    numpy.save(out / "noise.npy", noise[0].numpy())
    numpy.save(out / "latents.npy", unpack(latents))
    numpy.save(out / "again_latents.npy", unpack(again))
    init.save(out / "init.png")
    Image.fromarray((picture * 255).round().astype(numpy.uint8)).save(out / "picture.png")
    configs = {"t5": t5_config, "clip": clip_config, "transformer": FLUX[0], "vae": {**VAE_FIXED, **vae_config}}
    for name, model in models.items():
        state = contiguous(model.state_dict())
        state.pop("encoder.embed_tokens.weight", None)
        save_file({"transformer": lambda s: to_bfl(s, FLUX[0]), "vae": lambda s: to_ldm(s, vae_config)}.get(
            name, dict)(state), out / f"{name}.safetensors")
        (out / f"{name}.json").write_text(json.dumps(configs[name]) + "\n")
    (out / "pack.yaml").write_text(PACK_YAML)


if __name__ == "__main__":
    torch.set_num_threads(1)
    if len(sys.argv) == 4 and sys.argv[1] == "--pack":
        target = pathlib.Path(sys.argv[2])
        target.mkdir(parents=True, exist_ok=True)
        with torch.no_grad():
            pack(target, pathlib.Path(sys.argv[3]))
        for path in target.iterdir():
            path.chmod(0o644)
        sys.exit()
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for n in range(2):
        flux(folder, n, FLUX[n], t5(folder, n, T5[n]))
        vae(folder, n, VAE[n])
    for path in folder.iterdir():
        path.chmod(0o644)
