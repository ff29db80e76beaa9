"""The two tokenizers: T5's unigram and CLIP's byte-level BPE, both made from the captions' words.

Every word of the lexicon is one token; any other word falls back to letters (T5) or bytes (CLIP).
Files are `tokenizer.json`, the form that Hugging Face's tokenizers read and write.
"""
import json
import re
from pathlib import Path

import torch

from captions import lexicon
from common import HOME
from nets_image import TOKENS

CLIP_SPLIT = "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+"


def special(i, text):
    return {'id': i, 'content': text, 'single_word': False, 'lstrip': False, 'rstrip': False,
            'normalized': False, 'special': True}


def t5_json():
    words = [w for w in lexicon() if w[0].isalpha()]
    pieces = [['<pad>', 0.], ['</s>', 0.], ['<unk>', 0.]]
    pieces += [['\u2581' + w, -4. - .01 * i] for i, w in enumerate(words)]
    pieces += [['\u2581' + w[0].upper() + w[1:], -7. - .01 * i] for i, w in enumerate(words)]
    pieces += [[c, -3.] for c in ',.:;!?']
    letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-\'"()&/'
    pieces += [[c, -14.] for c in letters] + [['\u2581', -14.]]
    return {'version': '1.0', 'truncation': None, 'padding': None,
            'added_tokens': [special(i, pieces[i][0]) for i in range(3)], 'normalizer': None,
            'pre_tokenizer': {'type': 'Sequence', 'pretokenizers': [
                {'type': 'WhitespaceSplit'},
                {'type': 'Metaspace', 'replacement': '\u2581', 'prepend_scheme': 'always',
                 'split': True}]},
            'post_processor': {
                'type': 'TemplateProcessing',
                'single': [{'Sequence': {'id': 'A', 'type_id': 0}},
                           {'SpecialToken': {'id': '</s>', 'type_id': 0}}],
                'pair': [{'Sequence': {'id': 'A', 'type_id': 0}},
                         {'Sequence': {'id': 'B', 'type_id': 0}}],
                'special_tokens': {'</s>': {'id': '</s>', 'ids': [1], 'tokens': ['</s>']}}},
            'decoder': {'type': 'Metaspace', 'replacement': '\u2581', 'prepend_scheme': 'always',
                        'split': True},
            'model': {'type': 'Unigram', 'unk_id': 2, 'vocab': pieces, 'byte_fallback': False}}


def byte_symbols():
    """CLIP's printable stand-ins for the 256 bytes, in vocabulary order."""
    plain = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    rest = [b for b in range(256) if b not in plain]
    return {b: chr(b) for b in plain} | {b: chr(256 + i) for i, b in enumerate(rest)}


def learn_merges(words):
    """Merges until each word is one symbol; the most frequent pair first, ties by spelling."""
    parts = {w: list(w[:-1]) + [w[-1] + '</w>'] for w in words}
    merges = []
    while True:
        count = {}
        for p in parts.values():
            for pair in zip(p, p[1:]):
                count[pair] = count.get(pair, 0) + 1
        if not count:
            return merges
        best = min(count, key=lambda q: (-count[q], q))
        merges.append(best)
        for w, p in parts.items():
            i = 0
            while i < len(p) - 1:
                if (p[i], p[i + 1]) == best:
                    p[i:i + 2] = [p[i] + p[i + 1]]
                i += 1


def clip_json():
    words = sorted({w for x in lexicon() for w in re.findall('[a-z]+', x)})
    symbols = list(byte_symbols().values())
    merges = learn_merges(words)
    names = symbols + [s + '</w>' for s in symbols] + [a + b for a, b in merges]
    names += ['<|startoftext|>', '<|endoftext|>']
    vocab = {n: i for i, n in enumerate(names)}
    assert len(vocab) == len(names)
    bos, eos = len(names) - 2, len(names) - 1
    return {'version': '1.0', 'truncation': None, 'padding': None,
            'added_tokens': [special(bos, names[bos]), special(eos, names[eos])],
            'normalizer': {'type': 'Sequence', 'normalizers': [
                {'type': 'NFC'}, {'type': 'Replace', 'pattern': {'Regex': '\\s+'}, 'content': ' '},
                {'type': 'Lowercase'}]},
            'pre_tokenizer': {'type': 'Sequence', 'pretokenizers': [
                {'type': 'Split', 'pattern': {'Regex': CLIP_SPLIT}, 'behavior': 'Removed',
                 'invert': True},
                {'type': 'ByteLevel', 'add_prefix_space': False, 'trim_offsets': True,
                 'use_regex': True}]},
            'post_processor': {'type': 'RobertaProcessing', 'sep': ['<|endoftext|>', eos],
                               'cls': ['<|startoftext|>', bos], 'trim_offsets': False,
                               'add_prefix_space': False},
            'decoder': {'type': 'ByteLevel', 'add_prefix_space': True, 'trim_offsets': True,
                        'use_regex': True},
            'model': {'type': 'BPE', 'dropout': None, 'unk_token': '<|endoftext|>',
                      'continuing_subword_prefix': '', 'end_of_word_suffix': '</w>',
                      'fuse_unk': False, 'byte_fallback': False, 'ignore_merges': False,
                      'vocab': vocab, 'merges': [f'{a} {b}' for a, b in merges]}}


class Tokenizer:
    """Text to ids [n, TOKENS], padded: T5 with 0, CLIP with its end-of-text."""

    def __init__(self, kind, folder=None, path=None):
        from tokenizers import Tokenizer as Reader
        folder = Path(folder or HOME / 'vocabulary')
        path = path or folder / f'{kind}_tokenizer.json'
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps({'t5': t5_json, 'clip': clip_json}[kind](),
                                       ensure_ascii=False))
        self.path, self.reader = path, Reader.from_file(str(path))
        self.size = self.reader.get_vocab_size()
        self.end = 1 if kind == 't5' else self.size - 1
        self.pad = 0 if kind == 't5' else self.end

    def __call__(self, texts):
        ids = torch.full((len(texts), TOKENS), self.pad)
        for row, e in zip(ids, self.reader.encode_batch(texts)):
            k = e.ids if len(e.ids) <= TOKENS else e.ids[:TOKENS - 1] + [self.end]
            row[:len(k)] = torch.tensor(k)
        return ids


if __name__ == '__main__':
    for kind in ('t5', 'clip'):
        t = Tokenizer(kind)
        print(kind, t.size, t.reader.encode(
            'Manic scientist, blue spiked hair, white lab coat, striped t-shirt xylo').tokens)
