#!/usr/bin/env python3
"""LivePortrait beside the official PyTorch modules and beside its own plain form.

    liveportrait_vs_torch.py BUILD --official CHECKOUT [--repeat N] [--threads N] [--pack-out DIR]

BUILD is the build folder, CHECKOUT a checkout of github.com/KwaiVGI/LivePortrait, whose src/modules is imported and
run as it is. Published sizes, random weights (speed and memory do not depend on them), the same for everybody:
PyTorch in f32 and under bf16 autocast, one frame at a time as LivePortrait's own pipeline does; Vortex in bf16
(`vortex bench liveportrait`). The plain form is Vortex without the savings of docs/models/LIVEPORTRAIT.md
(BUILD/tests/portrait_plain). All take turns; medians of the time per frame and their ratios are printed.
--pack-out keeps the pack with its weights there and stops. Needs torch, PyYAML, safetensors.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import torch
import yaml
from safetensors.torch import save_file

NETWORKS = ("appearance_feature_extractor", "motion_extractor", "warping_module", "spade_generator")


def official(checkout):
    """The four networks as the checkout's models.yaml describes them, in eval mode."""
    sys.path.insert(0, str(checkout))
    from src.modules.appearance_feature_extractor import AppearanceFeatureExtractor
    from src.modules.motion_extractor import MotionExtractor
    from src.modules.spade_generator import SPADEDecoder
    from src.modules.warping_network import WarpingNetwork
    config = yaml.safe_load((checkout / "src/config/models.yaml").read_text())["model_params"]
    torch.manual_seed(0)
    kinds = AppearanceFeatureExtractor, MotionExtractor, WarpingNetwork, SPADEDecoder
    networks = [kind(**config[f"{name}_params"]).eval() for kind, name in zip(kinds, NETWORKS)]
    # The motion extractor's initial weights (deviation 0.02) would give key points of 0: nothing would move.
    for parameter in networks[1].parameters():
        if parameter.dim() == 1 and parameter.abs().max() == 0:
            torch.nn.init.normal_(parameter, std=0.1)
    return networks, config


def write_pack(folder, networks, config):
    for name, network in zip(NETWORKS, networks):
        state = {k: v.contiguous().clone() for k, v in network.state_dict().items()}
        save_file(state, folder / f"{name}.safetensors")
    (folder / "pack.yaml").write_text(yaml.safe_dump({
        "name": "bench-liveportrait", "version": "1", "synthetic": True,
        "slot": {"width": 512, "height": 512, "fps": 24, "max_seconds": 45},
        "components": {"liveportrait": {"files": [f"{name}.safetensors" for name in NETWORKS],
                                        "precision": "bf16", "config": config}}}))


def timed(run):
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--official", type=pathlib.Path, required=True)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--pack-out", type=pathlib.Path)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    networks, config = official(args.official)
    appearance, _, warping, generator = networks
    if args.pack_out:
        args.pack_out.mkdir(parents=True, exist_ok=True)
        write_pack(args.pack_out, networks, config)
        return

    @torch.inference_mode()
    def frame():
        generator(warping(features, kp_source=source, kp_driving=driving)["out"])

    def frame_bf16():
        with torch.autocast("cpu", dtype=torch.bfloat16):
            frame()

    def vortex(*command):
        out = subprocess.run([*command, "--threads", str(args.threads), "--json"], check=True,
                             capture_output=True, text=True)
        return json.loads(out.stdout)

    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        write_pack(pathlib.Path(folder), networks, config)
        features = appearance(torch.rand(1, 3, 256, 256))
        source = torch.rand(1, 21, 3) - 0.5
        driving = source + 0.05 * torch.randn(1, 21, 3)
        times = {"PyTorch f32": [], "PyTorch bf16 autocast": [], "Vortex bf16, plain form": [], "Vortex bf16": []}
        frame(), frame_bf16()
        for _ in range(args.repeat):
            times["PyTorch f32"].append(timed(frame))
            times["PyTorch bf16 autocast"].append(timed(frame_bf16))
            plain = vortex(args.build / "tests/portrait_plain", "-n", "1")
            times["Vortex bf16, plain form"].append(plain["median_s"])
            report = vortex(args.build / "vortex", "bench", "liveportrait", "-n", "1", "--pack", folder, "--quiet")
            times["Vortex bf16"].append(report["median_s"])
    ours, yardstick = statistics.median(times["Vortex bf16"]), report["yardstick_flops_per_s"]
    print(f"torch {torch.__version__}, {args.threads} threads, {args.repeat} rounds, "
          f"{report['frames_per_batch']} frames a batch; yardstick {yardstick / 1e9:.0f} GFLOP/s")
    print(f"{report['flops'] / 1e9:.1f} GFLOP a frame, plain {plain['flops'] / 1e9:.1f}; Vortex takes "
          f"{ours * yardstick / report['flops']:.2f} of the yardstick's time")
    print(f"planned {report['planned_bytes'] / 1e6:.1f} MB, measured peak {report['peak_rss_bytes'] / 1e6:.1f} MB")
    for name, values in times.items():
        middle = statistics.median(values)
        print(f"| {name} | {middle:.3f} s | {min(values):.3f} to {max(values):.3f} | {ours / middle:.2f} |")


if __name__ == "__main__":
    main()
