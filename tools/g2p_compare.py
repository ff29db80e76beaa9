#!/usr/bin/env python3
"""Compares Vortex's English phonemes with misaki's, word by word.

    g2p_compare.py --print build/release/tests/print_phonemes --lexicon DIR [--gb] [-v] FILE.txt…

One sentence a line. Needs misaki 0.9.4 with spaCy's en_core_web_sm; --spacy names the model's folder
when it is installed under another name. --espeak names the espeak-ng library for misaki, so that both
fall back to the same voice data. Reported for each file: words, the share said alike, the share
without heteronyms (words that the lexicon says in several ways; misaki has a tagger for them), and
with -v every difference. --judged names a file of differences already judged, "ours TAB theirs TAB ours|theirs|both" a
line, who is right: then the words that ours has wrong are counted too, and differences not judged. Words are aligned by their text; where the two split a text differently, the
phonemes of the shared stretch are compared.
"""
import argparse
import difflib
import json
import os
import subprocess
import sys


def reference(args, lines):
    import spacy
    from pathlib import Path

    if args.spacy:
        load = spacy.load
        spacy.util.is_package = lambda name: True
        spacy.load = lambda name, **kw: load(Path(args.spacy), **kw)
    from misaki import en, espeak

    if args.espeak:
        from phonemizer.backend.espeak.wrapper import EspeakWrapper

        EspeakWrapper.set_library(args.espeak)
        EspeakWrapper.set_data_path(None)
    g2p = en.G2P(british=args.gb, fallback=espeak.EspeakFallback(british=args.gb))
    for line in lines:
        _, tokens = g2p(line)
        words = []
        for token in tokens:
            phonemes = (token.phonemes or "").strip()
            if any(c.isalnum() for c in phonemes):
                words.append((token.text, phonemes))
        yield words


def ours(args, lines):
    accent = "gb" if args.gb else "us"
    run = subprocess.run([args.print, accent, args.lexicon], input="\n".join(lines) + "\n",
                         capture_output=True, text=True, check=True)
    for line in run.stdout.splitlines():
        fields = line.split("\t")[1:]
        yield list(zip(fields[0::2], fields[1::2]))


def bare(text):
    return "".join(c for c in text if c.isalnum()).lower()


def align(mine, theirs):
    """Pairs of (words, my phonemes, their phonemes) over the same text."""
    matcher = difflib.SequenceMatcher(None, [bare(t) for t, _ in mine], [bare(t) for t, _ in theirs],
                                      autojunk=False)
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind == "equal":
            for (text, p), (_, q) in zip(mine[a:b], theirs[c:d]):
                yield text, p, q
        else:
            yield (" ".join(t for t, _ in mine[a:b]) or " ".join(t for t, _ in theirs[c:d]),
                   " ".join(p for _, p in mine[a:b]), " ".join(q for _, q in theirs[c:d]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+")
    parser.add_argument("--print", required=True)
    parser.add_argument("--lexicon", required=True)
    parser.add_argument("--spacy")
    parser.add_argument("--espeak")
    parser.add_argument("--gb", action="store_true")
    parser.add_argument("--judged")
    parser.add_argument("-v", action="store_true")
    args = parser.parse_args()
    gold = json.load(open(os.path.join(args.lexicon, f"{'gb' if args.gb else 'us'}_gold.json"),
                          encoding="utf-8"))
    heteronyms = {k for k, v in gold.items() if isinstance(v, dict) and set(v) - {"DEFAULT", "None"}}
    judged = {}
    if args.judged:
        for line in open(args.judged, encoding="utf-8").read().splitlines():
            mine, theirs, who = line.split("\t")
            judged[mine, theirs] = who
    sums = [0, 0, 0, 0]
    verdicts = {"ours": 0, "theirs": 0, "both": 0, "not judged": 0}
    for path in args.files:
        lines = [line for line in open(path, encoding="utf-8").read().splitlines() if line.strip()]
        counts = [0, 0, 0, 0]  # words, alike, heteronyms, heteronyms alike
        for line, mine, theirs in zip(lines, ours(args, lines), reference(args, lines)):
            for text, p, q in align(mine, theirs):
                words = max(1, len(text.split()))
                same = p.replace(" ", "") == q.replace(" ", "")
                counts[0] += words
                counts[1] += words * same
                if text in heteronyms or text.lower() in heteronyms:
                    counts[2] += words
                    counts[3] += words * same
                if not same:
                    verdicts[judged.get((p, q), "not judged")] += words
                if args.v and not same:
                    print(f"  {text!r}: {p} | {q}    {line}")
        report(os.path.basename(path), counts)
        sums = [a + b for a, b in zip(sums, counts)]
    report("all", sums)
    if args.judged:
        print("differences by who is right: " + ", ".join(f"{k} {v}" for k, v in verdicts.items()) +
              f"; ours wrong {100 * verdicts['theirs'] / max(1, sums[0]):.2f} %")


def report(name, counts):
    words, alike, het, het_alike = counts
    plain = 100 * (alike - het_alike) / max(1, words - het)
    print(f"{name}: {words} words, {100 * alike / max(1, words):.2f} % alike; without {het} heteronyms "
          f"{plain:.2f} %; heteronyms {100 * het_alike / max(1, het):.1f} %")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
