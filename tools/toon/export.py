"""Writes the pack: the averaged weights of every training as safetensors, and pack.yaml.

    python export.py [FOLDER]        # default packs/toon

Names and shapes are the published ones, so each file loads in the reference implementation too.
"""
import argparse
import json
import os
from pathlib import Path

os.environ['CUDA_VISIBLE_DEVICES'] = ''  # on the processor, as the engine runs

import numpy as np
import torch
from safetensors.torch import save_file

from common import HOME, weights
from grammar import grammar
from nets_image import CLIP_B, CLIP_L, CLIP_TEXT, FLUX, T5, TOKENS, VAE
from nets_portrait import CONFIG, PARTS
from train_portrait import control_table
from vocabulary import Tokenizer

PACK = Path(__file__).resolve().parents[2] / 'packs' / 'toon'
VERSION = '0.6.0'
# Both models must agree, so each is lenient: right prompts fail seldom, other prompts still do
# (calibrate.py shows what each value accepts).
LENIENT = -1.3


def part(state, prefix):
    """The tensors under a prefix, without what inference does not read: in f16, but statistics in f32,
    for a variance may be more than f16 holds."""
    return {k[len(prefix):]: (v if '.running_' in k else v.half()).contiguous()
            for k, v in state.items()
            if k.startswith(prefix) and v.is_floating_point()}


def finite(tensors, name):
    for k, v in tensors.items():
        if not torch.isfinite(v).all():
            raise SystemExit(f'{name}: {k} has values that f16 does not hold; train on or scale it')
    return tensors


def clip_text_config(size, end):
    return {'vocab_size': size, 'hidden_size': CLIP_TEXT['hidden_size'],
            'intermediate_size': 4 * CLIP_TEXT['hidden_size'],
            'num_hidden_layers': CLIP_TEXT['num_hidden_layers'],
            'num_attention_heads': CLIP_TEXT['num_attention_heads'],
            'max_position_embeddings': TOKENS, 'hidden_act': 'quick_gelu',
            'layer_norm_eps': 1e-5, 'bos_token_id': end - 1, 'eos_token_id': end,
            'pad_token_id': end}


def clip_config(p, size, end):
    text = clip_text_config(size, end) | {
        'hidden_size': p['text'], 'intermediate_size': 4 * p['text'],
        'num_hidden_layers': p['text_layers'], 'num_attention_heads': p['text'] // 32,
        'projection_dim': p['embed']}
    return {'projection_dim': p['embed'], 'text_config': text, 'vision_config': {
        'hidden_size': p['width'], 'intermediate_size': 4 * p['width'],
        'num_hidden_layers': p['layers'], 'num_attention_heads': p['heads'],
        'image_size': p['image'], 'patch_size': p['patch'], 'num_channels': 3,
        'hidden_act': 'quick_gelu', 'layer_norm_eps': 1e-5, 'projection_dim': p['embed']}}


def configs(t5, clip):
    c = VAE['channels']
    return {
        'flux.transformer': {
            'patch_size': 1, 'in_channels': 4 * VAE['latent'], 'num_layers': FLUX['depth'],
            'num_single_layers': FLUX['depth_single'],
            'attention_head_dim': FLUX['hidden'] // FLUX['heads'],
            'num_attention_heads': FLUX['heads'], 'joint_attention_dim': T5['d_model'],
            'pooled_projection_dim': CLIP_TEXT['hidden_size'], 'guidance_embeds': False,
            'axes_dims_rope': list(FLUX['axes'])},
        'flux.t5': {
            'vocab_size': t5.size, **T5, 'relative_attention_num_buckets': 32,
            'relative_attention_max_distance': 128, 'layer_norm_epsilon': 1e-6,
            'feed_forward_proj': 'gated-gelu', 'pad_token_id': 0, 'eos_token_id': 1},
        'flux.clip_text': clip_text_config(clip.size, clip.end),
        'flux.vae': {
            'in_channels': 3, 'out_channels': 3, 'latent_channels': VAE['latent'],
            'block_out_channels': [c * m for m in VAE['multipliers']],
            'layers_per_block': VAE['blocks'], 'norm_num_groups': VAE['groups'],
            'act_fn': 'silu', 'mid_block_add_attention': True, 'use_quant_conv': False,
            'use_post_quant_conv': False, 'scaling_factor': 1.0, 'shift_factor': 0.0},
        'liveportrait': CONFIG,
        'clip_b': clip_config(CLIP_B, clip.size, clip.end),
        'clip_l': clip_config(CLIP_L, clip.size, clip.end)}


KOKORO = {'files': ['kokoro-v1.0.int8.onnx'],
          'sha256': ['6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb'],
          'alternatives': ['kokoro-v1_0.pth'],
          'sources': [{'file': 'kokoro-v1_0.pth', 'bytes': 327212226,
                       'url': 'hexgrad/Kokoro-82M/resolve/main/kokoro-v1_0.pth',
                       'sha256':
                       '496dba118d1a58f5f3db2efc88dbdc216e0483fc89fe6e47ee1f2c53f18ad1e4'}],
          'hint': './run fetch', 'precision': 'bf16', 'config': '../speech/config.json',
          'voices': '../speech/voices', 'lexicon': 'lexicon'}
VOICES = [{'name': 'narrator', 'voice': 'af_heart'}, {'name': 'man', 'voice': 'am_michael'},
          {'name': 'british_woman', 'voice': 'bf_emma'},
          {'name': 'british_man', 'voice': 'bm_george'},
          {'name': 'scientist', 'voice': 'am_puck'},
          {'name': 'wizard', 'voice': 'am_fenrir:0.6,bm_george:0.4'}]


def files():
    """file name -> (component, training, prefix)."""
    out = {f'{name}.safetensors': ('liveportrait', 'portrait', name + '.') for name in PARTS}
    out['motion_extractor.safetensors'] = ('liveportrait', 'motion', '')
    return out | {
        'flux_transformer.safetensors': ('flux.transformer', 'flux', 'flux.'),
        'flux_t5.safetensors': ('flux.t5', 'flux', 't5.'),
        'flux_clip_text.safetensors': ('flux.clip_text', 'flux', 'clip.'),
        'flux_vae.safetensors': ('flux.vae', 'vae', ''),
        'clip_b.safetensors': ('clip_b', 'clip_b', 'clip.'),
        'clip_l.safetensors': ('clip_l', 'clip_l', 'clip.')}


def thresholds():
    """CLIPScores from which a picture passes: where each model's sigmoid has the logit LENIENT."""
    out = {}
    for which in ('b', 'l'):
        w = weights(f'clip_{which}')
        out[which] = 2.5 * float((LENIENT - w['logit_bias']) / w['clip.logit_scale'].exp())
    return out


def yaml(value, indent=0):
    """Mappings one key a line, everything below a component's `config` as JSON, which YAML reads."""
    lines = []
    for k, v in value.items():
        if isinstance(v, dict) and k != 'config':
            lines += [' ' * indent + f'{k}:'] + yaml(v, indent + 2)
        else:
            lines.append(' ' * indent + f'{k}: {json.dumps(v)}')
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('folder', nargs='?', default=PACK, type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    t5, clip = Tokenizer('t5'), Tokenizer('clip')
    components, total = {}, 0
    for name, (component, run, prefix) in files().items():
        if not (HOME / run / 'state.pt').exists():
            print(f'{name}: no training {run} yet, left out')
            continue
        tensors = finite(part(weights(run), prefix), name)
        if component in ('clip_b', 'clip_l'):
            tensors = {k: v for k, v in tensors.items() if not k.startswith('logit_bias')}
        save_file(tensors, folder / name, {'format': 'pt'})
        (folder / name).chmod(0o644)
        total += (folder / name).stat().st_size
        components.setdefault(component, {'files': []})['files'].append(name)
    for path, name in ((t5.path, 't5_tokenizer.json'), (clip.path, 'clip_tokenizer.json')):
        (folder / name).write_bytes(path.read_bytes())
    np.save(folder / 'controls.npy', control_table())
    (folder / 'expand.json').write_text(json.dumps(grammar(), indent=1) + '\n')
    config = configs(t5, clip)
    for name, c in components.items():
        if name == 'flux.t5':
            c['tokenizer'] = 't5_tokenizer.json'
        elif name in ('flux.clip_text', 'clip_b', 'clip_l'):
            c['tokenizer'] = 'clip_tokenizer.json'
        elif name == 'liveportrait':
            c['controls'] = 'controls.npy'
        c['precision'] = 'bf16' if name == 'liveportrait' else 'f32'
        c['config'] = config[name]
    pack = {'name': 'toon', 'version': VERSION, 'license': 'Apache-2.0', 'synthetic': False,
            'slot': {'width': 512, 'height': 512, 'fps': 24, 'max_seconds': 45},
            'imagine': {'width': 256, 'height': 256, 'steps': 4, 'max_sequence_length': TOKENS,
                        'expand': 'expand.json'}, 'voices': VOICES}
    if {'clip_b', 'clip_l'} <= set(components):
        limit = thresholds()
        pack['verify'] = {'threshold_b': round(limit['b'], 3), 'threshold_l': round(limit['l'], 3),
                          'outlier': 0.5}
    pack['components'] = {'kokoro': KOKORO} | components
    (folder / 'pack.yaml').write_text('\n'.join(yaml(pack)) + '\n')
    print(f'{total / 1e6:.2f} MB of weights in {folder}')


if __name__ == '__main__':
    main()
