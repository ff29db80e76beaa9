#!/usr/bin/env python3
"""FLUX beside stable-diffusion.cpp: T5, one step of the transformer and the autoencoder, from the same files.

    flux_vs_sdcpp.py VORTEX [--double N] [--single N] [--size S] [--steps N] [--repeat N] [--keep DIR]

Q4_0 weights for transformer and T5, random (speed does not depend on them), made by 'vortex models synth' at
the published widths; 19 double and 38 single blocks are the published depth, which takes 12 GB of memory for
the two contestants one after the other. Both take 2 threads, 256 tokens of text and the same picture size; runs
alternate, the medians of their times and the ratios are printed. stable-diffusion.cpp times itself (its log).
Needs stable-diffusion-cpp-python (PyPI builds it from source).
"""
import argparse
import json
import pathlib
import re
import statistics
import struct
import subprocess
import sys
import tempfile

PACK = """name: bench
version: "1"
license: none
slot: {{width: {size}, height: {size}, fps: 24, max_seconds: 5}}
imagine: {{width: {size}, height: {size}, steps: 4, max_sequence_length: 256}}
components:
  flux.transformer:
    files: [transformer.gguf]
    precision: q4_0
    config: {{num_layers: {double}, num_single_layers: {single}}}
  flux.t5:
    files: [t5.gguf]
    tokenizer: spiece.model
    precision: q4_0
    config: {{num_layers: 24}}
  flux.clip_text: {{same_as: clip_l}}
  flux.vae: {{files: [ae.safetensors], precision: bf16, config: {{latent_channels: 16}}}}
  clip_l:
    files: [clip.safetensors]
    tokenizer: merges.txt
    precision: f16
    config:
      projection_dim: 768
      text_config: {{hidden_size: 768, intermediate_size: 3072, num_attention_heads: 12, num_hidden_layers: 12}}
      vision_config: {{hidden_size: 64, intermediate_size: 64, num_attention_heads: 1, num_hidden_layers: 1,
                      image_size: 224, patch_size: 14}}
"""

# One run of stable-diffusion.cpp in a process of its own: its library keeps what it has loaded.
PEER = """
import sys
from stable_diffusion_cpp import StableDiffusion
folder, size, steps = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
sd = StableDiffusion(diffusion_model_path=folder + "/flux.transformer.gguf", t5xxl_path=folder + "/flux.t5.gguf",
                     clip_l_path=folder + "/clip_l.safetensors", vae_path=folder + "/vae_4d.safetensors",
                     n_threads=2, verbose=True)
marks = []
sd.generate_image(prompt="a portrait of a smiling woman", width=size, height=size, cfg_scale=1.0,
                  sample_steps=steps, sample_method="euler", seed=1,
                  progress_callback=lambda step, count, seconds: marks.append((step, seconds)))
print("STEPS", [seconds for step, seconds in marks if step > 0])
"""


def with_square_kernels(source, target):
    """The peer wants filters of one tap as [out, in, 1, 1]; the values are the same."""
    data = source.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + length])
    for name, tensor in header.items():
        if name.endswith(".weight") and len(tensor.get("shape", [])) == 2:
            tensor["shape"] += [1, 1]
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    target.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length:])


def run_peer(folder, size, steps):
    done = subprocess.run([sys.executable, "-c", PEER, str(folder), str(size), str(steps)], text=True,
                          capture_output=True)
    log = done.stdout + done.stderr
    if done.returncode != 0:
        sys.exit("stable-diffusion.cpp failed:\n" + log[-3000:])
    times = {"step": statistics.median(eval(re.search(r"STEPS (\[.*\])", log).group(1)))}
    for stage, pattern in (("t5", r"get_learned_condition completed, taking ([\d.]+) ?(ms|s)"),
                           ("vae", r"decode_first_stage completed, taking ([\d.]+) ?(ms|s)")):
        found = re.search(pattern, log)
        if found:
            times[stage] = float(found.group(1)) / (1000 if found.group(2) == "ms" else 1)
    return times


def run_ours(vortex, folder, size):
    done = subprocess.run([vortex, "--pack", str(folder), "--threads", "2", "--json", "bench", "flux", "-n", "1",
                           "--size", str(size)], text=True, capture_output=True)
    if done.returncode != 0:
        sys.exit("vortex failed:\n" + done.stderr[-3000:])
    doc = json.loads(done.stdout)
    times = {part["name"]: part["median_s"] for part in doc["parts"]}
    return times, doc["yardstick_flops_per_s"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("vortex")
    parser.add_argument("--double", type=int, default=19)
    parser.add_argument("--single", type=int, default=38)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--keep", help="a folder for the pack, which is used again when it is there")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(args.keep or scratch) / f"{args.double}_{args.single}_{args.size}"
        if not (folder / "vae_4d.safetensors").exists():
            recipe = pathlib.Path(scratch) / "recipe"
            recipe.mkdir()
            (recipe / "pack.yaml").write_text(
                PACK.format(size=args.size, double=args.double, single=args.single))
            subprocess.run([args.vortex, "--quiet", "models", "synth", str(recipe), "-o", str(folder)], check=True)
            with_square_kernels(folder / "flux.vae.safetensors", folder / "vae_4d.safetensors")
        ours, theirs, yardsticks = [], [], []
        for _ in range(args.repeat):
            times, yardstick = run_ours(args.vortex, folder, args.size)
            ours.append(times)
            yardsticks.append(yardstick)
            theirs.append(run_peer(folder, args.size, args.steps))
    print(f"yardstick {statistics.median(yardsticks) / 1e9:.0f} GFLOP/s; {args.double} double and {args.single} "
          f"single blocks, {args.size} x {args.size}, 256 tokens, 2 threads, Q4_0; medians of {args.repeat}")
    print("| stage | Vortex, s | stable-diffusion.cpp, s | ratio |\n|---|---|---|---|")
    for stage in ("t5", "step", "vae"):
        mine = statistics.median(t[stage] for t in ours)
        peers = [t[stage] for t in theirs if stage in t]
        peer = statistics.median(peers) if peers else float("nan")
        print(f"| {stage} | {mine:.3f} | {peer:.3f} | {peer / mine:.1f} |")


if __name__ == "__main__":
    main()
