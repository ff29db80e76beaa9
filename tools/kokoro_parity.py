#!/usr/bin/env python3
"""Kokoro against its authors' code, stage by stage.

    tools/kokoro_parity.py compare [--build build/release] [--backend cpu] [--precision bf16]
                                   [--texts 5] [--voices af_heart,am_michael,bf_emma] [--stages]
    tools/kokoro_parity.py fixtures          writes tests/data/kokoro

Needs the Python packages torch, kokoro and transformers, and the int8 ONNX file where packs look
for it. `compare` runs build/…/tests/kokoro_run on the same ids and prints a table; the source's
noise is off on both sides. The generator is compared with the reference's spectrum of the source,
because without noise that spectrum holds rounding whose angle the network reads.
"""
import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import torch

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from kokoro_reference import *  # noqa: E402,F403

DATA = pathlib.Path(os.environ.get("XDG_DATA_HOME") or pathlib.Path.home() / ".local/share")
WEIGHTS = DATA / "vortex/models/kokoro-v1.0.int8.onnx"
VOICES = ROOT / "packs/speech/voices"
TEXTS = [
    "həlˈO wˈɜɹld.",
    "həlˈO wˈɜɹld, ðɪs ɪz vˈɔɹtɛks, ænd ˌI ɐm spˈikɪŋ.",
    "ðə kwˈɪk bɹˈWn fˈɑks ʤˈʌmps ˈOvəɹ ðə lˈAzi dˈɔɡ, ænd ðə dˈɔɡ lˈʊks ˈʌp ænd sˈɪɡz ɐɡˈɛn.",
    "ˈɪn ðə bəɡˈɪnɪŋ ðɛɹ wʌz nˈʌθɪŋ bˌʌt ɐ mˈAp ʌv ðə sˈi, ænd ðə mˈAp wʌz ɹˈɔŋ; nˈObˌɑdi nˈu "
    "wˌI, bˌʌt ˈɛvɹiwˌʌn ɐɡɹˈid ðæt ˈɪt wʌz bjˈuTəfəl. sˈO ðA sˈAld.",
    "ˈɪf ju kæn ɹˈid ðˈɪs sˈɛntᵊns, ðə mˈɑdᵊl ɪz ɹˈʌnɪŋ. ɪt spˈiks wˈʌn wˈɜɹd ˈæftəɹ ɐnˈʌðəɹ, "
    "wˌɪð nO nˈʌmbəɹz lˈɛft ˈWt ænd nO sˈIlᵊns wˌɛɹ ðɛɹ ʃˌʊd bi nˈʌn. ɐ lˈɔŋ tˈɛkst hæz mˈɛni "
    "klˈɔzᵻz, sˈʌm ʌv ðˌɛm ʃˈɔɹt, sˈʌm ʌv ðˌɛm nˌɑt; ænd ˈɑl ʌv ðˌɛm hæv tə fˈɪt. wˌʌt kˈʌmz nˈɛkst?",
]


def run_c(args, request, taps=True, replace=None):
    """What the C side makes of a request: {name: flat float array}."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "request.safetensors"
        write_safetensors(path, {**request, **(replace or {})})
        command = [str(ROOT / args.build / "tests/kokoro_run"), str(path), folder, "--backend",
                   args.backend, "--precision", args.precision, "--weights", str(WEIGHTS)]
        subprocess.run(command + (["--taps"] if taps else []), check=True,
                       stdout=subprocess.DEVNULL)
        return {p.stem: np.fromfile(p, "<f4") for p in pathlib.Path(folder).glob("*.f32")}


def difference(ours, theirs):
    a, b = np.asarray(ours, np.float64).ravel(), np.asarray(theirs, np.float64).ravel()
    if a.size != b.size:
        return float("nan"), float("nan")
    return np.abs(a - b).max(), np.sqrt(((a - b) ** 2).mean() / max((b ** 2).mean(), 1e-30))


def compare_one(args, parts, text, voice):
    ids = ids_of(text)
    style = voice_row(VOICES / f"{voice}.bin", len(text))
    request = {"ids": np.array(ids, np.int32), "style": style}
    reference = front(parts, ids, style, 128)
    spans = spans_of(reference["durations"])
    request["spans"] = np.array(spans, np.int32)
    later = decode(parts, ids, style, 128, reference["features"], spans)
    free = run_c(args, request)
    given = run_c(args, request, replace={
        name: later[name].numpy() for name in ("F0", "N", "spectrum")})
    theirs = {**reference, **later}
    raw = theirs["durations"].numpy()
    ours = np.rint(free["durations"]).clip(1)
    equal = np.array(spans) == ours
    tie = np.abs(np.abs(raw - np.floor(raw)) - 0.5) < 1e-3
    figures = {
        "symbols": len(text),
        "frames": sum(spans),
        "durations equal": float((equal | tie).mean()),
        "off by more": int((np.abs(np.array(spans) - ours) > 1).sum()),
        "duration raw": difference(free["durations"], raw)[0],
        "F0 Hz": difference(free["F0"], theirs["F0"])[0],
        "N": difference(free["N"], theirs["N"])[0],
        "text": difference(free["text_encoder"], theirs["text_encoder"])[0],
        "conv_post": difference(given["conv_post"], theirs["conv_post"])[0],
        "LSD given": log_spectral_distance(given["samples"], theirs["samples"]),
        "LSD": log_spectral_distance(free["samples"], theirs["samples"]),
        "RMS": float(np.sqrt((free["samples"] ** 2).mean() / (theirs["samples"] ** 2).mean())),
    }
    if args.stages:
        for name in theirs:
            largest, relative = difference(given.get(name, np.zeros(0)), theirs[name])
            print(f"    {name:20} max {largest:10.3g}  relative RMS {relative:10.3g}")
    return figures


def compare(args):
    parts = published(WEIGHTS)
    rows_made = []
    for text in TEXTS[:args.texts]:
        for voice in args.voices.split(","):
            figures = compare_one(args, parts, text, voice)
            if not rows_made:
                print(f"{'voice':12}", " ".join(f"{k:>15}" for k in figures))
            print(f"{voice:12}", " ".join(f"{v:15.4g}" for v in figures.values()), flush=True)
            rows_made.append(figures)
    for label, reduce in (("mean", np.mean), ("largest", np.max), ("least", np.min)):
        print(f"{label:12}", " ".join(f"{reduce([r[k] for r in rows_made]):15.4g}"
                                      for k in rows_made[0]))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["compare", "fixtures"])
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--backend", default="cpu")
    parser.add_argument("--precision", default="bf16")
    parser.add_argument("--texts", type=int, default=len(TEXTS))
    parser.add_argument("--voices", default="af_heart,am_michael,bf_emma")
    parser.add_argument("--stages", action="store_true")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.command == "compare":
        compare(args)
    else:
        import kokoro_fixtures
        kokoro_fixtures.write(WEIGHTS, TEXTS)


main()
