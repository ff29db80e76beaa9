#!/usr/bin/env python3
"""Kokoro in Vortex beside onnxruntime on the same phonemes, voice and weights.

    bench/kokoro_vs_onnxruntime.py [--build build/release] [--repeat 5] [--threads 2]
                                   [--precision bf16,int8]

onnxruntime runs the int8 file as it is; Vortex runs kokoro_run, which reads the same file. They
take turns, so that a busy moment of the machine meets both, and the medians are compared. Times
are of the model alone, loaded and warm. Needs the Python packages numpy and onnxruntime, and
kokoro-v1.0.int8.onnx where packs look for it.
"""
import argparse
import json
import os
import pathlib
import re
import statistics
import struct
import subprocess
import tempfile
import time

import numpy as np
import onnxruntime

ROOT = pathlib.Path(__file__).resolve().parent.parent
DATA = pathlib.Path(os.environ.get("XDG_DATA_HOME") or pathlib.Path.home() / ".local/share")
WEIGHTS = DATA / "vortex/models/kokoro-v1.0.int8.onnx"
# About 18 s of speech.
PHONEMES = (
    "ˈɪf ju kæn ɹˈid ðˈɪs sˈɛntᵊns, ðə mˈɑdᵊl ɪz ɹˈʌnɪŋ. ɪt spˈiks wˈʌn wˈɜɹd ˈæftəɹ ɐnˈʌðəɹ, "
    "wˌɪð nO nˈʌmbəɹz lˈɛft ˈWt ænd nO sˈIlᵊns wˌɛɹ ðɛɹ ʃˌʊd bi nˈʌn. ɐ lˈɔŋ tˈɛkst hæz mˈɛni "
    "klˈɔzᵻz, sˈʌm ʌv ðˌɛm ʃˈɔɹt, sˈʌm ʌv ðˌɛm nˌɑt; ænd ˈɑl ʌv ðˌɛm hæv tə fˈɪt ðə tˈIm.")


def write_request(path, ids, style):
    ids, style = np.array(ids, np.int32), np.array(style, np.float32)
    header = json.dumps({
        "ids": {"dtype": "I32", "shape": [len(ids)], "data_offsets": [0, ids.nbytes]},
        "style": {"dtype": "F32", "shape": [256],
                  "data_offsets": [ids.nbytes, ids.nbytes + style.nbytes]}}).encode()
    header += b" " * (-len(header) % 8)
    path.write_bytes(struct.pack("<Q", len(header)) + header + ids.tobytes() + style.tobytes())


def run_vortex(build, request, folder, precision):
    """Best of three warm runs in seconds, and the seconds of speech."""
    out = subprocess.run([ROOT / build / "tests/kokoro_run", request, folder, "--precision",
                          precision, "--weights", WEIGHTS, "--runs", "4", "--noise"],
                         check=True, capture_output=True, text=True).stdout
    runs = re.findall(r"\((\S+) s\): front (\S+) ms, decode (\S+) ms", out)
    return min(float(f) + float(d) for _, f, d in runs[1:]) / 1e3, float(runs[0][0])


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)),
                        help="of onnxruntime; Vortex takes every processor it may use")
    parser.add_argument("--precision", default="bf16,int8")
    args = parser.parse_args()

    vocab = json.loads((ROOT / "packs/speech/config.json").read_text())["vocab"]
    ids = [0] + [vocab[p] for p in PHONEMES if p in vocab] + [0]
    voice = np.fromfile(ROOT / "packs/speech/voices/af_heart.bin", "<f4").reshape(510, 256)
    style = voice[len(PHONEMES) - 1]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = args.threads
    session = onnxruntime.InferenceSession(str(WEIGHTS), options, ["CPUExecutionProvider"])
    inputs = {"tokens": np.array([ids], np.int64), "style": style[None],
              "speed": np.ones(1, np.float32)}
    precisions = args.precision.split(",")
    times = {name: [] for name in ["onnxruntime", *precisions]}
    seconds = {}
    with tempfile.TemporaryDirectory() as folder:
        request = pathlib.Path(folder) / "request.safetensors"
        write_request(request, ids, style)
        seconds["onnxruntime"] = session.run(None, inputs)[0].size / 24000  # warms it, too
        for _ in range(args.repeat):
            best = []
            for _ in range(3):
                start = time.perf_counter()
                session.run(None, inputs)
                best.append(time.perf_counter() - start)
            times["onnxruntime"].append(min(best))
            for precision in precisions:
                spent, seconds[precision] = run_vortex(args.build, request, folder, precision)
                times[precision].append(spent)
    base = statistics.median(times["onnxruntime"]) / seconds["onnxruntime"]
    print(f"{len(ids)} ids, {args.threads} threads, {args.repeat} rounds, each the best of 3")
    print(f"{'':14}{'speech':>9}{'median':>9}{'least':>9}{'most':>9}{'s per s':>9}{'ratio':>8}")
    for name, spent in times.items():
        median = statistics.median(spent)
        rate = median / seconds[name]
        print(f"{name:14}{seconds[name]:8.2f}s{median:8.3f}s{min(spent):8.3f}s{max(spent):8.3f}s"
              f"{rate:9.3f}{rate / base:8.2f}")


main()
