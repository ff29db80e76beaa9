#!/usr/bin/env python3
"""Makes tests/data/tokenizer: texts and the ids that Hugging Face and sentencepiece give them.

clip_ids.json              the published CLIP vocabulary (data/clip), Hugging Face's tokenizer
clip_small.merges.txt      a few hundred merges, with clip_small_ids.json
clip_small.tokenizer.json  the same under ids in another order, with clip_small_json_ids.json
t5.model                   a unigram model trained here with nmt_nfkc; t5_ids.json has the ids of
                           sentencepiece and of Hugging Face
t5_small.*                 one with few rules and symbols of the user's own, also as tokenizer.json

Rows are [text, [ids]] or [text, [ids], [ids]], without padding and truncation.
Needs transformers, tokenizers, sentencepiece. Usage: tools/make_tokenizer_fixtures.py [folder]
"""
import gzip
import io
import json
import os
import random
import sys
import unicodedata

from transformers import CLIPTokenizer

folder = sys.argv[1] if len(sys.argv) > 1 else "tests/data/tokenizer"
root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
os.makedirs(folder, exist_ok=True)
START, END = "<|startoftext|>", "<|endoftext|>"

# ---- texts ---------------------------------------------------------------------------------------

SUBJECTS = "an old fisherman|a friendly robot|the news anchor|a young woman with freckles|Dr. O'Neill|a fox|my two cats"
STYLES = "in watercolour|studio portrait, 85mm, f/1.8|oil on canvas (detail)|35 mm film|low-poly 3D render|1920s poster|8k!!"
SMALL = "wearing a red beret|who's smiling|that can't stop talking|I've never seen|they'd've gone|it'll rain; won't it?|rock'n'roll"
SCRIPTS = [
    "Ein Straßenmusiker aus Köln, groß & fröhlich", "Un garçon à l'œil espiègle, déjà-vu", "Niño señalando el año 2024",
    "ΟΔΥΣΣΕΥΣ Ὀδυσσεύς στη θάλασσα", "Старик и море, Ёлка", "İstanbul'da bir İYİ ışık", "北京的春天，一只小猫", "東京タワー、夜景 ｶﾞﾗｽ",
    "서울의 가을 한국어", "שלום עולם", "مرحبا بالعالم ١٢٣", "नमस्ते दुनिया ४५६", "สวัสดีชาวโลก", "Xin chào thế giới ở Việt Nam",
    "Þórður og æðarfugl", "ﬁne ﬂuﬀy ligatures ﬆ", "Ａｌｐｈａ ＢＥＴＡ １２３", "x² + y³ ≤ ½π ≈ ⅓", "№ 5 ™ © ® ℃ Ω Å",
    "👩‍🚀🚀 to the 🌕!", "❤️‍🔥 🇩🇪 🏴‍☠️ 👍🏽", "a\u0301e\u0301 vs áé", "ǅ ǈ ǋ ẞ Ǆ", "Ⅷ ⅷ ① ⑳ 〇", "zero\u200bwidth \u00adsoft\u2060joiner",
    "tab\there\nnew line\r\n\u2028sep\u3000ideographic\u00a0nbsp\u0085nel", "\u0000nul \u0007bell \u001b[0m", "…—–‘’“”«»‹›", "¿¡§¶†‡•",
    "ｈｔｔｐ：／／ https://example.com/a?b=c&d=%20", "user@example.org #tag @name", "C++ / C# / F# .NET 4.8", "3.14159, 1,000,000 & 0xFF",
    "🧑🏿‍🤝‍🧑🏻", "ﷺ", "Å Å Å", "ſ K Å", "ΐ ΰ", "ŉ ǰ ẖ", "\ufeffBOM", "\ufffd replacement", "한글 각 각",
]  # fmt: skip
SPECIALS = [
    START, END, f"a {END} b", f"{START}x{END}", "<|STARTOFTEXT|> shout", "<|endoftext", "|endoftext|>", f"it's{END}'s", "< |endoftext|>",
    "</s>", "<pad>", "<unk>", "a</s>b", "<extra_id_0> and <extra_id_99>", "▁ ▁▁ a▁b", "</w>", "Ġ Ā",
]  # fmt: skip


def texts(count, seed):
    rng = random.Random(seed)
    pick = lambda joined: rng.choice(joined.split("|"))
    letters = [chr(c) for c in range(0x20, 0x2FFFF) if unicodedata.category(chr(c)) not in ("Cn", "Cs", "Co") and unicodedata.ucd_3_2_0.category(chr(c)) != "Cn"]
    out = ["", " ", "\n\t ", "a", "A", "'", "''", "'s", "'S 'T 'RE", "''''ll", "1", "12 345", "--'s", "x" * 300, "ab " * 120, "é" * 100, "9" * 90]
    out += SCRIPTS + SPECIALS
    while len(out) < count:
        kind = rng.random()
        if kind < 0.45:
            text = f"{pick(SUBJECTS)} {pick(SMALL)}, {pick(STYLES)}"
            if rng.random() < 0.3:
                text = text.upper() if rng.random() < 0.5 else text.title()
        elif kind < 0.7:
            text = rng.choice([" ", "", ", ", "  ", "\u3000"]).join(rng.sample(SCRIPTS, rng.randint(1, 3)))
        elif kind < 0.85:
            text = "".join(rng.choice(letters) for _ in range(rng.randint(1, 24)))
        elif kind < 0.93:
            text = "".join(rng.choice(" '\"aeinorstSTREDL019.,!?-_") for _ in range(rng.randint(1, 60)))
        else:
            text = pick(SUBJECTS) + rng.choice(SPECIALS) + pick(STYLES)
        if rng.random() < 0.1:
            text = unicodedata.normalize("NFD", text)
        out.append(text)
    return out


def write(name, value):
    with open(os.path.join(folder, name), "w", encoding="utf-8") as out:
        lines = ",\n".join(json.dumps(row, ensure_ascii=True, separators=(",", ":")) for row in value)
        out.write(f"[\n{lines}\n]\n")


# ---- CLIP ----------------------------------------------------------------------------------------


def byte_symbols():
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in plain]
    return [chr(b) for b in plain] + [chr(256 + i) for i in range(len(others))]


def clip_tokenizer(merges):
    vocabulary = byte_symbols()
    vocabulary += [symbol + "</w>" for symbol in vocabulary]
    vocabulary += ["".join(merge) for merge in merges] + [START, END]
    return CLIPTokenizer(vocab={token: i for i, token in enumerate(vocabulary)}, merges=merges)


def clip():
    with gzip.open(os.path.join(root, "data/clip/bpe_simple_vocab_16e6.txt.gz"), "rt", encoding="utf-8") as file:
        lines = file.read().split("\n")[1 : 49152 - 256 - 2 + 1]
    merges = [tuple(line.split()) for line in lines]
    tokenizer = clip_tokenizer(merges)
    assert tokenizer.convert_tokens_to_ids(END) == 49407
    write("clip_ids.json", [[text, tokenizer(text)["input_ids"]] for text in texts(1000, 1)])

    few = merges[:400]
    tokenizer = clip_tokenizer(few)
    with open(os.path.join(folder, "clip_small.merges.txt"), "w", encoding="utf-8") as out:
        out.write("#version: 0.2\n" + "".join(" ".join(merge) + "\n" for merge in few))
    small = texts(150, 2)
    write("clip_small_ids.json", [[text, tokenizer(text)["input_ids"]] for text in small])

    # The same merges under ids in another order, so that the file's own ids must be used.
    tokens = sorted(tokenizer.get_vocab())
    random.Random(3).shuffle(tokens)
    shuffled = CLIPTokenizer(vocab={token: i for i, token in enumerate(tokens)}, merges=few)
    path = os.path.join(folder, "clip_small.tokenizer.json")
    shuffled.backend_tokenizer.save(path, pretty=False)
    write("clip_small_json_ids.json", [[text, shuffled(text)["input_ids"]] for text in small])



# ---- T5 ------------------------------------------------------------------------------------------


def train(name, vocabulary, **options):
    import sentencepiece

    # Random characters stay out, so that the test's texts hold many that are unknown.
    known = set("".join(SCRIPTS[:24])) | set(map(chr, range(0x20, 0x7F)))
    corpus = [text for text in texts(3000, 4) if set(text) <= known]
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(corpus), model_writer=out, model_type="unigram", vocab_size=vocabulary,
        character_coverage=0.98, pad_id=0, eos_id=1, unk_id=2, bos_id=-1, hard_vocab_limit=False,
        num_threads=1, minloglevel=2, **options,
    )  # fmt: skip
    with open(os.path.join(folder, name), "wb") as file:
        file.write(out.getvalue())
    return sentencepiece.SentencePieceProcessor(model_proto=out.getvalue())


def pieces(processor):
    return [(processor.id_to_piece(i), processor.get_score(i)) for i in range(processor.get_piece_size())]


def t5():
    from sentencepiece import sentencepiece_model_pb2
    from transformers import T5Tokenizer

    processor = train("t5.model", 1500, normalization_rule_name="nmt_nfkc")
    proto = sentencepiece_model_pb2.ModelProto.FromString(processor.serialized_model_proto())
    hugging_face = T5Tokenizer(
        vocab=pieces(processor), extra_ids=0, additional_special_tokens=[], _spm_precompiled_charsmap=proto.normalizer_spec.precompiled_charsmap
    )
    rows = []
    for text in texts(1000, 5):
        rows.append([text, processor.encode(text) + [1], hugging_face(text)["input_ids"]])
    write("t5_ids.json", rows)

    # A small table of rules keeps the tokenizer.json small.
    rules = os.path.join(folder, "rules.tsv")
    with open(rules, "w", encoding="utf-8") as out:
        for source, target in (("A", "a"), ("B", "b"), ("ß", "ss"), ("ﬁ", "fi"), ("\t", " "), ("\n", " "), ("\u3000", " "), ("\u00ad", ""), ("!!", "!"), ("!!!", "?")):
            out.write(" ".join(f"{ord(c):X}" for c in source) + "\t" + " ".join(f"{ord(c):X}" for c in target) + "\n")
    processor = train("t5_small.model", 1000, normalization_rule_tsv=rules, user_defined_symbols=["<new>", "fox"])
    os.remove(rules)
    proto = sentencepiece_model_pb2.ModelProto.FromString(processor.serialized_model_proto())
    small = [text for text in texts(150, 6)] + ["a <new> <new>fox foxes!!!! !!", "A\tB\u00ad ß"]
    write("t5_small_ids.json", [[text, processor.encode(text) + [1]] for text in small])
    hugging_face = T5Tokenizer(
        vocab=pieces(processor), extra_ids=0, additional_special_tokens=[], _spm_precompiled_charsmap=proto.normalizer_spec.precompiled_charsmap
    )
    hugging_face.backend_tokenizer.save(os.path.join(folder, "t5_small.tokenizer.json"), pretty=False)
    # Hugging Face applies no rule over two clusters, and reads special tokens in a text.
    small = [text for text in small if "<" not in text and "!!" not in text]
    write("t5_small_json_ids.json", [[text, hugging_face(text)["input_ids"]] for text in small])


if __name__ == "__main__":
    clip()
    t5()
