"""The pack's files in the reference implementations give the same numbers as in these networks.

    python check.py [--folder DIR]        # needs transformers and diffusers

Loads T5, both CLIPs, the autoencoder and the transformer into transformers' and diffusers' own
models.  What the engine computes from the same files is compared by `measure.py --only agreement`.
"""
import argparse
import os
from pathlib import Path

os.environ['CUDA_VISIBLE_DEVICES'] = ''  # on the processor, as the engine runs

import torch

from export import PACK, configs
from nets_image import TOKENS
from pack import Pack
from train_flux import SIDE

PROMPT = 'manic scientist, blue spiked hair, round glasses, white lab coat, green background'


def check(pack):
    from transformers import CLIPConfig, CLIPModel, T5Config, T5EncoderModel
    from safetensors.torch import load_file
    config = configs(pack.t5_ids, pack.clip_ids)
    ids, clip_ids = pack.t5_ids([PROMPT]), pack.clip_ids([PROMPT])
    painter = pack.painter()

    def differ(name, a, b):
        print(f'{name}: largest difference {(a - b).abs().max().item():.2e}')
        assert torch.allclose(a, b, atol=2e-4, rtol=1e-3), name
    t5 = T5EncoderModel(T5Config(**config['flux.t5'])).eval()
    state = {k: v.float() for k, v in load_file(pack.path('flux_t5')).items()}
    t5.load_state_dict(state | {'encoder.embed_tokens.weight': state['shared.weight']})
    with torch.no_grad():
        differ('T5', t5(ids).last_hidden_state, painter.t5(ids))
    for which in ('b', 'l'):
        if not pack.path(f'clip_{which}').exists():
            continue
        c = config[f'clip_{which}']
        theirs, mine = CLIPModel(CLIPConfig(**c)).eval(), pack.clip(which)
        theirs.load_state_dict({k: v.float() for k, v in
                                load_file(pack.path(f'clip_{which}')).items()}, strict=False)
        x = torch.rand(1, 3, 128, 128)
        with torch.no_grad():
            o = theirs(input_ids=clip_ids, pixel_values=x)
            differ('CLIP picture', o.image_embeds, mine.image(x))
            differ('CLIP text', o.text_embeds, mine.text(clip_ids))
    check_flux(pack, config, painter, differ)


def check_flux(pack, config, painter, differ):
    from diffusers import AutoencoderKL, FluxTransformer2DModel
    from diffusers.loaders.single_file_utils import convert_ldm_vae_checkpoint
    from safetensors.torch import load_file
    vae = AutoencoderKL(**config['flux.vae'], down_block_types=['DownEncoderBlock2D'] * 5,
                        up_block_types=['UpDecoderBlock2D'] * 5).eval()
    state = {k: v.float() for k, v in load_file(pack.path('flux_vae')).items()}
    vae.load_state_dict(convert_ldm_vae_checkpoint(state, vae.config))
    z = torch.randn(1, 16, 16, 16)
    with torch.no_grad():
        differ('VAE', vae.decode(z).sample, pack.vae().decoder(z))
    flux = FluxTransformer2DModel(**config['flux.transformer']).eval()
    flux.load_state_dict(diffusers_names(
        {k: v.float() for k, v in load_file(pack.path('flux_transformer')).items()}))
    x, t = torch.randn(1, SIDE * SIDE, 64), torch.tensor([.75])
    txt, y = torch.randn(1, TOKENS, 128), torch.randn(1, 128)
    ids = torch.zeros(SIDE * SIDE, 3)
    ids[:, 1] = torch.arange(SIDE).repeat_interleave(SIDE)
    ids[:, 2] = torch.arange(SIDE).repeat(SIDE)
    with torch.no_grad():
        theirs = flux(x, txt, y, t, ids, torch.zeros(TOKENS, 3), return_dict=False)[0]
        differ('FLUX', theirs, painter.flux(x, t, txt, y, painter.table()))


def diffusers_names(s):
    """BFL's names and stacked projections -> diffusers'."""
    out, d = {}, s['img_in.weight'].shape[0]
    for old, new in (('img_in', 'x_embedder'), ('txt_in', 'context_embedder'),
                     ('time_in.in_layer', 'time_text_embed.timestep_embedder.linear_1'),
                     ('time_in.out_layer', 'time_text_embed.timestep_embedder.linear_2'),
                     ('vector_in.in_layer', 'time_text_embed.text_embedder.linear_1'),
                     ('vector_in.out_layer', 'time_text_embed.text_embedder.linear_2'),
                     ('final_layer.linear', 'proj_out')):
        for w in ('weight', 'bias'):
            out[f'{new}.{w}'] = s[f'{old}.{w}']
    for w in ('weight', 'bias'):
        shift, scale = s[f'final_layer.adaLN_modulation.1.{w}'].chunk(2)
        out[f'norm_out.linear.{w}'] = torch.cat([scale, shift])
    for k, v in s.items():
        kind, _, rest = k.partition('.')
        n, _, rest = rest.partition('.')
        if kind == 'double_blocks':
            out |= double_names(f'transformer_blocks.{n}.', rest, v)
        elif kind == 'single_blocks':
            b = f'single_transformer_blocks.{n}.'
            name, _, w = rest.rpartition('.')
            if name == 'linear1':
                parts = v.split([d, d, d, 4 * d])
                for p, q in zip(parts, ('attn.to_q', 'attn.to_k', 'attn.to_v', 'proj_mlp')):
                    out[f'{b}{q}.{w}'] = p
            else:
                new = {'linear2': 'proj_out', 'modulation.lin': 'norm.linear',
                       'norm.query_norm': 'attn.norm_q', 'norm.key_norm': 'attn.norm_k'}[name]
                out[f'{b}{new}.{"weight" if w == "scale" else w}'] = v
    return out


def double_names(b, rest, v):
    name, _, w = rest.rpartition('.')
    stream, _, name = name.partition('_')
    text = stream == 'txt'
    if name == 'attn.qkv':
        names = ('add_q_proj', 'add_k_proj', 'add_v_proj') if text else ('to_q', 'to_k', 'to_v')
        return {f'{b}attn.{n}.{w}': p for n, p in zip(names, v.chunk(3))}
    new = {'mod.lin': 'norm1_context.linear' if text else 'norm1.linear',
           'attn.proj': 'attn.to_add_out' if text else 'attn.to_out.0',
           'attn.norm.query_norm': 'attn.norm_added_q' if text else 'attn.norm_q',
           'attn.norm.key_norm': 'attn.norm_added_k' if text else 'attn.norm_k',
           'mlp.0': ('ff_context' if text else 'ff') + '.net.0.proj',
           'mlp.2': ('ff_context' if text else 'ff') + '.net.2'}[name]
    return {f'{b}{new}.{"weight" if w == "scale" else w}': v}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--folder', type=Path, default=PACK)
    torch.set_num_threads(1)
    check(Pack(parser.parse_args().folder))


if __name__ == '__main__':
    main()
