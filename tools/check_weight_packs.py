#!/usr/bin/env python3
"""Runs `imagine` on packs whose FLUX files are stored as people share them.

    tools/check_weight_packs.py VORTEX SCRATCH [NAME…]

VORTEX is the program, SCRATCH a folder for the packs (some 20 MB each; those that are right are
removed again), NAME… the cases to run, all without. The packs are packs/toon with its weights written
in another form. A case is right when its picture has the same bytes as that of its reference (an f32 file
of scale times value; the plain pack where there is none), or when it is refused with its tensor's name,
as the table says. Needs numpy, ml_dtypes, pyyaml and gguf. Exit code 1 when a case is wrong.
"""
import copy
import hashlib
import json
import os
import shutil
import struct
import subprocess
import sys

import ml_dtypes
import numpy as np
import yaml

TOON = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "packs", "toon")
VORTEX, OUT, ONLY = sys.argv[1], sys.argv[2], set(sys.argv[3:])
TYPES = {"F16": np.float16, "F32": np.float32, "BF16": ml_dtypes.bfloat16,
         "F8_E4M3": ml_dtypes.float8_e4m3fn, "F8_E5M2": ml_dtypes.float8_e5m2,
         "U8": np.uint8, "I8": np.int8, "I32": np.int32}
LARGEST = {"F8_E4M3": 448.0, "F8_E5M2": 57344.0, "I8": 127.0}
PACK = yaml.safe_load(open(os.path.join(TOON, "pack.yaml")))
TRANSFORMER, T5, CLIP, VAE = ("flux_transformer.safetensors", "flux_t5.safetensors",
                              "flux_clip_text.safetensors", "flux_vae.safetensors")


def load(name):
    data = open(os.path.join(TOON, name), "rb").read()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + length])
    header.pop("__metadata__", None)
    return {key: (v["dtype"], np.frombuffer(data[8 + length:][slice(*v["data_offsets"])],
                                            TYPES[v["dtype"]]).reshape(v["shape"]))
            for key, v in header.items()}


def save(path, tensors, metadata=None):
    at, header, blobs = 0, {}, []
    if metadata:
        header["__metadata__"] = metadata
    for key, (dtype, array) in tensors.items():
        raw = np.ascontiguousarray(array).astype(TYPES[dtype]).tobytes()
        header[key] = {"dtype": dtype, "shape": list(array.shape),
                       "data_offsets": [at, at + len(raw)]}
        at += len(raw)
        blobs.append(raw)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def make_pack(name, change):
    """A copy of toon in OUT/name; change(folder, pack) writes files and edits the pack."""
    folder = os.path.join(OUT, name) + "/"
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    pack = copy.deepcopy(PACK)
    pack["name"] = name
    for key in ("verify", "voices"):
        pack.pop(key, None)
    pack["components"] = {k: v for k, v in pack["components"].items() if k.startswith("flux.")}
    for component in pack["components"].values():
        component.pop("sha256", None)
    change(folder, pack)
    wanted = ["expand.json"]
    for component in pack["components"].values():
        wanted += component["files"] + [component[k] for k in ("tokenizer",) if k in component]
    for file in wanted:
        if not os.path.exists(folder + file) and os.path.exists(os.path.join(TOON, file)):
            os.symlink(os.path.abspath(os.path.join(TOON, file)), folder + file)
    with open(folder + "pack.yaml", "w") as file:
        yaml.safe_dump(pack, file)
    return folder


def picture(folder):
    """SHA-256 of the picture, or the refusal's sentence."""
    out = folder + "out.png"
    done = subprocess.run([VORTEX, "--quiet", "--pack", folder, "--seed", "3", "imagine",
                           "a wizard with long white hair", "-o", out, "--size", "128", "--steps",
                           "1"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return f"exit {done.returncode}: " + done.stderr.strip().splitlines()[-1]
    return hashlib.sha256(open(out, "rb").read()).hexdigest()


# ---- forms of the weights

WEIGHTS = {name: load(name) for name in (TRANSFORMER, T5, CLIP, VAE)}


def is_matrix(key, array):
    return key.endswith(".weight") and array.ndim == 2 and array.size > 4096


def scales_of(array, kind, largest):
    """Scales as they are stored, and as they multiply the weight."""
    x = np.abs(array)
    if kind in ("scalar", "one"):
        s = np.float32(max(x.max(), 1e-12) / largest)
        return (np.full((1,), s) if kind == "one" else np.array(s)), s
    if kind == "row":
        s = np.maximum(x.max(1, keepdims=True), 1e-12).astype(np.float32) / np.float32(largest)
        return s, s
    rows, cols = -(-x.shape[0] // 128), -(-x.shape[1] // 128)
    s = np.zeros((rows, cols), np.float32)
    for r in range(rows):
        for c in range(cols):
            block = x[128 * r:128 * r + 128, 128 * c:128 * c + 128]
            s[r, c] = max(block.max(), 1e-12) / largest
    return s, np.repeat(np.repeat(s, 128, 0), 128, 1)[:x.shape[0], :x.shape[1]]


def scaled(source, dtype, kind, leaf):
    """Matrices in `dtype` with scales of that kind under that leaf, and the reference."""
    stored, reference, layers = {}, {}, []
    for key, (old, array) in source.items():
        if not is_matrix(key, array):
            stored[key] = reference[key] = (old, array)
            continue
        x = array.astype(np.float32)
        if kind is None:
            codes, factor = x.astype(TYPES[dtype]), np.float32(1)
        else:
            scale, factor = scales_of(x, kind, LARGEST[dtype])
            codes = x / factor
            codes = (np.rint(codes) if dtype == "I8" else codes).astype(TYPES[dtype])
            stored[key[:-len("weight")] + leaf] = ("F32", scale)
        stored[key] = (dtype, codes)
        reference[key] = ("F32", codes.astype(np.float32) * factor)
        layers.append(key[:-len(".weight")])
    return stored, reference, layers


CASES = {}  # name -> (change of the case, change of its reference or None, part of the refusal or None)


def case(name, change, reference=None, refusal=None):
    CASES[name] = (change, reference, refusal)


def file_case(name, file, tensors, reference=None, refusal=None, metadata=None):
    case(name, lambda d, p: save(d + file, tensors, metadata),
         None if reference is None else lambda d, p: save(d + file, reference), refusal)


def add_scaled():
    marker = ("F8_E4M3", np.zeros(2))
    for name, dtype, kind, leaf in (
            ("f8", "F8_E4M3", None, ""), ("e5m2", "F8_E5M2", None, ""),
            ("scaled_scale_weight", "F8_E4M3", "scalar", "scale_weight"),
            ("scaled_weight_scale", "F8_E4M3", "one", "weight_scale"),
            ("scaled_rows", "F8_E4M3", "row", "weight_scale"),
            ("scaled_blocks", "F8_E4M3", "block", "weight_scale_inv"),
            ("scaled_e5m2", "F8_E5M2", "scalar", "scale_weight"),
            ("scaled_int8_rows", "I8", "row", "weight_scale")):
        stored, reference, _ = scaled(WEIGHTS[TRANSFORMER], dtype, kind, leaf)
        if leaf == "scale_weight":
            stored["scaled_fp8"] = marker
        file_case(name, TRANSFORMER, stored, reference)
    stored, reference, _ = scaled(WEIGHTS[T5], "F8_E4M3", "scalar", "scale_weight")
    file_case("t5_scaled", T5, {**stored, "scaled_fp8": marker}, reference)

    stored, reference, layers = scaled(WEIGHTS[TRANSFORMER], "F8_E4M3", "scalar", "weight_scale")
    recipe = {"format": "float8_e4m3fn"}
    text = np.frombuffer(json.dumps(recipe).encode(), np.uint8)
    inputs = {layer + ".input_scale": ("F32", np.array(0.5)) for layer in layers}
    file_case("comfy_quant", TRANSFORMER,
              {**stored, **inputs, **{layer + ".comfy_quant": ("U8", text) for layer in layers}},
              reference)
    metadata = {"_quantization_metadata": json.dumps({"layers": {x: recipe for x in layers}})}
    file_case("quantization_metadata", TRANSFORMER, stored, reference, metadata=metadata)
    every = {k: ("F8_E4M3", a.astype(np.float32).astype(TYPES["F8_E4M3"]))
             for k, (_, a) in WEIGHTS[TRANSFORMER].items()}
    file_case("f8_everything", TRANSFORMER, every,
              {k: ("F32", a.astype(np.float32)) for k, (_, a) in every.items()})
    # the scales lie in another shard than the weights

    def two_files(folder, pack):
        save(folder + "a.safetensors", {k: v for k, v in stored.items() if "_scale" not in k})
        save(folder + "b.safetensors", {k: v for k, v in stored.items() if "_scale" in k})
        pack["components"]["flux.transformer"]["files"] = ["a.safetensors", "b.safetensors"]
    case("scales_in_another_file", two_files, lambda d, p: save(d + TRANSFORMER, reference))


def add_refused():
    source = WEIGHTS[TRANSFORMER]
    first = next(k for k, (_, a) in source.items() if is_matrix(k, a))
    stem = first[:-len(".weight")]
    for name, extra, what in (
            ("unknown_companion", {stem + ".weight_scale_2": ("F32", np.array(1.0))}, "weight_scale_2"),
            ("zero_point", {stem + ".weight_zero_point": ("I8", np.zeros(1))}, "zero_point"),
            ("nvfp4", {stem + ".comfy_quant": ("U8", np.frombuffer(b'{"format":"nvfp4"}', np.uint8))},
             "nvfp4"),
            ("lora_beside", {stem + ".lora_A.weight": ("F32", np.zeros((4, 4)))}, "lora_A")):
        file_case(name, TRANSFORMER, {**source, **extra}, refusal=(stem + ".weight", what))

    def words(*leaves):
        out = {k: v for k, v in source.items() if not is_matrix(k, v[1])}
        for key, (_, array) in source.items():
            if is_matrix(key, array):
                for leaf in leaves:
                    out[key[:-len("weight")] + leaf] = ("I32", np.zeros((4, 4)))
        return out
    file_case("gptq", TRANSFORMER, words("qweight", "qzeros", "scales", "g_idx"),
              refusal=("GPTQ", ".qweight"))
    file_case("awq", TRANSFORMER, words("qweight", "qzeros", "scales"), refusal=("AWQ", ".qweight"))
    for name, spell in (("lora_peft", "transformer.{}.lora_A.weight"),
                        ("lora_kohya", "lora_unet_{}.lora_down.weight"),
                        ("lokr", "lycoris_{}.lokr_w1")):
        lora = {spell.format(k[:-len(".weight")]): ("F32", np.zeros((4, 4)))
                for k, (_, a) in source.items() if is_matrix(k, a)}
        file_case(name, TRANSFORMER, lora, refusal=("is a LoRA", spell.split(".")[-1]))
    foreign = {"some.other.part." + k: v for k, v in source.items()}
    file_case("foreign_prefix", TRANSFORMER, foreign, refusal=("some.other.part.", "img_in"))


def add_gguf():
    """Any codes are valid: what is drawn is noise, but the same noise as from their values."""
    import gguf
    from gguf import GGMLQuantizationType as Type
    from gguf.quants import dequantize
    rng = np.random.default_rng(3)

    def write(folder, kinds):
        path = folder + "flux_transformer.gguf"
        writer = gguf.GGUFWriter(path, "flux")
        reference = {}
        for key, (_, array) in WEIGHTS[TRANSFORMER].items():
            kind = next((k for k in kinds if array.shape[-1] % gguf.GGML_QUANT_SIZES[k][0] == 0),
                        None) if is_matrix(key, array) else None
            if kind is None:
                reference[key] = ("F32", array.astype(np.float32))
                writer.add_tensor(key, array.astype(np.float32))
                continue
            block, size = gguf.GGML_QUANT_SIZES[kind]
            stored = rng.integers(0, 256, (array.shape[0], array.shape[1] // block * size), np.uint8)
            blocks = stored.reshape(-1, size)
            for at in {Type.Q2_K: (80, 82), Type.Q3_K: (108,)}.get(kind, (0,)):
                blocks[:, at:at + 2] = np.full((len(blocks), 1), 1e-4, np.float16).view(np.uint8)
            writer.add_tensor(key, stored, raw_dtype=kind)
            reference[key] = ("F32", dequantize(stored, kind))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return reference

    for kind in (Type.Q2_K, Type.Q3_K, Type.IQ4_XS, Type.IQ4_NL):
        # where a row is no multiple of 256, the block of 32 stands in
        kinds = [kind, Type.IQ4_NL]
        made = {}

        def change(folder, pack, kinds=kinds, made=made):
            made.update(write(folder, kinds))
            pack["components"]["flux.transformer"]["files"] = ["flux_transformer.gguf"]
        case("gguf_" + kind.name.lower(), change,
             lambda d, p, made=made: save(d + TRANSFORMER, made))


def add_places():
    source = WEIGHTS[TRANSFORMER]

    def all_in_one(transformer, t5, clip, vae):
        def change(folder, pack):
            tensors = {}
            for prefix, file in ((transformer, TRANSFORMER), (clip, CLIP), (t5, T5), (vae, VAE)):
                tensors.update({prefix + k: v for k, v in WEIGHTS[file].items()})
            save(folder + "all.safetensors", tensors, {"format": "pt"})
            for component in pack["components"].values():
                component["files"] = ["all.safetensors"]
        return change
    case("all_in_one", all_in_one("model.diffusion_model.", "text_encoders.t5xxl.transformer.",
                                  "text_encoders.clip_l.transformer.", "vae."))
    case("all_in_one_first_stage", all_in_one("model.diffusion_model.", "text_encoder_2.",
                                              "cond_stage_model.transformer.", "first_stage_model."))
    for name, prefix in (("doubled_prefix", "model.diffusion_model.model.diffusion_model."),
                         ("transformer_prefix", "transformer.")):
        file_case(name, TRANSFORMER, {prefix + k: v for k, v in source.items()})

    def shards(folder):
        os.makedirs(folder, exist_ok=True)
        keys = list(source)
        half = len(keys) // 2
        names = [f"diffusion_pytorch_model-0000{i}-of-00002.safetensors" for i in (1, 2)]
        for name, part in zip(names, (keys[:half], keys[half:])):
            save(folder + name, {k: source[k] for k in part})
        weight_map = {k: names[i >= half] for i, k in enumerate(keys)}
        index = "diffusion_pytorch_model.safetensors.index.json"
        with open(folder + index, "w") as file:
            json.dump({"metadata": {"total_size": 1}, "weight_map": weight_map}, file)
        return names, index

    def listed(folder, pack):
        pack["components"]["flux.transformer"]["files"] = shards(folder)[0]
    case("shards", listed)

    def indexed(folder, pack):
        pack["components"]["flux.transformer"]["files"] = [shards(folder)[1]]
    case("shards_index", indexed)

    def folders(folder, pack):  # a diffusers pipeline as it lies
        shards(folder + "transformer/")
        with open(folder + "transformer/config.json", "w") as file:
            file.write('{"_class_name": "FluxTransformer2DModel"}')
        for part, component, file, name in (
                ("text_encoder", "flux.clip_text", CLIP, "model"), ("text_encoder_2", "flux.t5", T5, "model"),
                ("vae", "flux.vae", VAE, "diffusion_pytorch_model")):
            os.makedirs(folder + part)
            save(f"{folder}{part}/{name}.safetensors", WEIGHTS[file])
            pack["components"][component]["files"] = [part]
        pack["components"]["flux.transformer"]["files"] = ["transformer"]
    case("diffusers_folders", folders)

    def two(folder, pack):
        os.makedirs(folder + "both")
        for name in ("one", "two"):
            save(f"{folder}both/{name}.safetensors", source)
        pack["components"]["flux.transformer"]["files"] = ["both"]
    case("folder_of_two", two, refusal=("one.safetensors", "two.safetensors"))

    def missing(folder, pack):
        names, index = shards(folder)
        os.remove(folder + names[1])
        pack["components"]["flux.transformer"]["files"] = [index]
    case("shard_missing", missing, refusal=("00002-of-00002.safetensors", "is not there"))


def check(name, base):
    change, reference, refusal = CASES[name]
    folder = make_pack(name, change)
    have = picture(folder)
    if refusal is not None:
        good = have.startswith("exit 3:") or have.startswith("exit 4:")
        good = good and all(part in have for part in refusal)
        said = have
    else:
        want = base
        if reference is not None:
            other = make_pack(name + "_reference", reference)
            want = picture(other)
            shutil.rmtree(other)
            if want == base:
                sys.exit(f"{name}: the reference is the plain pack's picture, so it shows nothing")
        good = have == want and not have.startswith("exit")
        said = "the reference's bytes" if good else f"{have} instead of {want}"
    print(f"{'ok   ' if good else 'WRONG'} {name:24} {said}", flush=True)
    if good:
        shutil.rmtree(folder)
    return good


def main():
    add_scaled()
    add_refused()
    add_gguf()
    add_places()
    base = picture(make_pack("base", lambda folder, pack: None))
    if base.startswith("exit"):
        sys.exit(f"the pack itself does not run: {base}")
    results = [check(name, base) for name in CASES if not ONLY or name in ONLY]
    shutil.rmtree(os.path.join(OUT, "base"))
    print(f"{sum(results)} of {len(results)} are right")
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
