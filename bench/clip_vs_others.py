#!/usr/bin/env python3
"""CLIP beside onnxruntime and PyTorch: five frames and one prompt through ViT-B/32 and ViT-L/14.

    clip_vs_others.py VORTEX [--repeat N]

Published sizes, random weights (speed and memory do not depend on them). The same weights go to every
contestant: PyTorch as they are, in f32 and under bf16 autocast; onnxruntime as an f32 export; Vortex from
safetensors in bf16. Runs alternate; medians and their ratios are printed. Vortex's time includes resizing and
tokenizing, the others' does not. Needs torch, transformers, onnx, onnxruntime, safetensors.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnxruntime
import torch
from safetensors.torch import save_file
from transformers import CLIPConfig, CLIPModel

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tools"))
from clip_parity import B32, L14  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent
THREADS = 2


class Image(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.tower, self.projection = model.vision_model, model.visual_projection

    def forward(self, pixels):
        return self.projection(self.tower(pixel_values=pixels).pooler_output)


class Text(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.tower, self.projection = model.text_model, model.text_projection

    def forward(self, ids):
        return self.projection(self.tower(input_ids=ids).pooler_output)


def timed(run):
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("vortex")
    parser.add_argument("--repeat", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(THREADS)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        models, sessions, lines = [], [], []
        for name, config in (("clip_b", B32), ("clip_l", L14)):
            model = CLIPModel(CLIPConfig(**config, attn_implementation="eager")).eval()
            state = {k: v.contiguous() for k, v in model.state_dict().items() if "position_ids" not in k}
            save_file(state, folder / f"{name}.safetensors")
            (folder / f"{name}.json").write_text(json.dumps(config))
            pixels, ids = torch.rand(5, 3, 224, 224), torch.arange(77)[None] + 300
            ids[0, 0], ids[0, -1] = 49406, 49407
            towers = Image(model), Text(model)
            for tower, value, kind in ((towers[0], pixels, "image"), (towers[1], ids, "text")):
                path = folder / f"{name}_{kind}.onnx"
                torch.onnx.export(tower, (value,), str(path), input_names=["x"], output_names=["y"],
                                  dynamo=False)
                sessions.append((onnxruntime.InferenceSession(str(path), options,
                                                              providers=["CPUExecutionProvider"]), value.numpy()))
            models.append((towers, pixels, ids))
            lines.append(f"  {name}: {{files: [{name}.safetensors], precision: bf16, config: {name}.json, "
                         f"tokenizer: {ROOT}/data/clip/bpe_simple_vocab_16e6.txt.gz}}\n")
        (folder / "pack.yaml").write_text(
            "name: bench-clip\nversion: '1'\nsynthetic: true\ncomponents:\n" + "".join(lines))

        def run_torch():
            with torch.inference_mode():
                for (image, text), pixels, ids in models:
                    image(pixels)
                    text(ids)

        def run_torch_bf16():
            with torch.autocast("cpu", dtype=torch.bfloat16):
                run_torch()

        def run_onnxruntime():
            for session, value in sessions:
                session.run(None, {"x": value})

        def run_vortex():
            out = subprocess.run([args.vortex, "bench", "clip", "-n", "3", "--pack", folder, "--threads",
                                  str(THREADS), "--json", "--quiet"], check=True, capture_output=True)
            return json.loads(out.stdout)

        for warm in (run_torch, run_torch_bf16, run_onnxruntime):
            warm()
        times = {"onnxruntime f32": [], "PyTorch f32": [], "PyTorch bf16": [], "Vortex bf16": []}
        for _ in range(args.repeat):
            times["onnxruntime f32"].append(timed(run_onnxruntime))
            times["PyTorch bf16"].append(timed(run_torch_bf16))
            times["PyTorch f32"].append(timed(run_torch))
            report = run_vortex()
            times["Vortex bf16"].append(report["median_s"])
    ours = statistics.median(times["Vortex bf16"])
    print(f"onnxruntime {onnxruntime.__version__}, torch {torch.__version__}, {THREADS} threads, "
          f"{args.repeat} rounds; yardstick {report['yardstick_flops_per_s'] / 1e9:.0f} GFLOP/s, "
          f"Vortex's share of it {report['share_of_yardstick']:.2f}")
    print(f"planned {report['planned_bytes'] / 1e6:.1f} MB, measured peak {report['peak_rss_bytes'] / 1e6:.1f} MB")
    for name, values in times.items():
        middle = statistics.median(values)
        print(f"| {name} | {middle:.3f} s | {min(values):.3f} to {max(values):.3f} | {ours / middle:.2f} |")


if __name__ == "__main__":
    main()
