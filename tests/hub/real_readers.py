#!/usr/bin/env python3
"""Compares import and export with the real readers of safetensors, GGUF and tokenizer.json.

  real_readers.py --program build/test/stagedtrain [--mutations 150] [--seed 1] [--architectures llama]

MUTATIONS in the environment is another default of --mutations, for ctest.

Needs gguf, safetensors, tokenizers and numpy, which .deps/readers/bin/python has (scripts/setup.sh
--tests makes it); leaves with 77, skipped, where they are missing. Every check that fails is printed.
tests/hub/with_transformers.py compares losses too, which needs torch and transformers.
"""
import argparse
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

try:
    import gguf
    import numpy
    import safetensors.numpy
    import tokenizers
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

PROGRAM = ""
FAILED = []

ARCHITECTURES = {
    "gpt2": (gguf.MODEL_ARCH.GPT2, "heads: 4"),
    "llama": (gguf.MODEL_ARCH.LLAMA, "heads: 4, kv_heads: 2"),
    "qwen2": (gguf.MODEL_ARCH.QWEN2, "heads: 4, kv_heads: 2"),
    "qwen3": (gguf.MODEL_ARCH.QWEN3, "heads: 4, kv_heads: 2, head_dim: 10"),
    "olmo2": (gguf.MODEL_ARCH.OLMO2, "heads: 4, kv_heads: 2"),
    "neox": (gguf.MODEL_ARCH.GPTNEOX, "heads: 4, rotary_share: 0.5"),
}
HEADS = 4


def check(good, what):
    if not good:
        FAILED.append(what)
        print("FAIL", what, flush=True)


def run(*arguments):
    return subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, errors="replace")


def program(*arguments):
    done = run(*arguments)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, arguments))}: exit {done.returncode}\n{done.stderr}")
    return done.stdout


def make_checkpoint(folder, architecture, sizes, tied, context=24):
    """A model of odd sizes whose every number is its own: three steps at a high rate."""
    (folder / "text.txt").write_text("".join(f"line {i} of {i * i}\n" for i in range(400)))
    program("data", folder / "text.txt", "--out", folder / "data", "--split", "fraction", "--validation", "20%", "--force")
    (folder / "s.yaml").write_text(f"""
data: {{train: {folder}/data/train.bin, validation: {folder}/data/validation.bin}}
model: {{architecture: {architecture}, layers: 2, width: 32, {sizes}, ffn: 64, context: {context}, vocab: 256, tied: {tied}}}
batch: {{sequences: 4}}
lr: {{peak: 0.05, warmup: 1, decay: 1}}
stages: [{{name: only, for: 3}}]
""")
    program("train", folder / "s.yaml", "--out", folder / "run", "--threads", 1)
    return folder / "run" / "stages" / "only.h5"


def by_gguf_layout(architecture, name, tensor):
    """A Hugging Face tensor as gguf's own converter lays it out."""
    if architecture == "gpt2" and tensor.ndim == 2 and ".c_" in name:  # Conv1D
        return tensor.T
    if architecture == "llama" and ("q_proj" in name or "k_proj" in name):
        heads = HEADS if "q_proj" in name else HEADS // 2
        return tensor.reshape(heads, 2, -1, tensor.shape[1]).swapaxes(1, 2).reshape(tensor.shape)
    if architecture == "neox" and "query_key_value" in name:
        by_head = tensor.reshape(HEADS, 3, -1, *tensor.shape[1:])
        return by_head.swapaxes(0, 1).reshape(tensor.shape)
    return tensor


QUANTS = {"f32": gguf.GGMLQuantizationType.F32, "f16": gguf.GGMLQuantizationType.F16,
          "bf16": gguf.GGMLQuantizationType.BF16, "q8_0": gguf.GGMLQuantizationType.Q8_0}


def read_gguf(path):
    return {t.name: t for t in gguf.GGUFReader(path).tensors}


def check_architecture(folder, architecture, tied):
    arch, sizes = ARCHITECTURES[architecture]
    what = f"{architecture}, tied: {tied}"
    checkpoint = make_checkpoint(folder, architecture, sizes, str(tied).lower())
    program("export", checkpoint, folder / "hf", "--to", "hf")
    own = safetensors.numpy.load_file(folder / "hf" / "model.safetensors")
    names = gguf.get_tensor_name_map(arch, 2)
    exact = {}
    for name, tensor in own.items():
        theirs = names.get_name(name, try_suffixes=(".weight", ".bias"))
        check(theirs is not None, f"{what}: gguf knows {name}")
        exact[theirs] = by_gguf_layout(architecture, name, tensor)
    if tied and architecture in ("olmo2", "neox"):  # ggml wants a head in every file of these
        exact["output.weight"] = exact["token_embd.weight"]
    for dtype in QUANTS:
        path = folder / f"{dtype}.gguf"
        program("export", checkpoint, path, "--to", "gguf", "--dtype", dtype)
        stored = read_gguf(path)
        check(set(stored) == set(exact), f"{what}: tensors of the GGUF in {dtype}")
        for name in stored.keys() & exact.keys():
            tensor = stored[name]
            wanted = gguf.quants.quantize(numpy.ascontiguousarray(exact[name]), tensor.tensor_type)
            check(wanted.tobytes() == tensor.data.tobytes(), f"{what}: {name} in {dtype}, bytes of gguf's own quantiser")
    check_back(folder, what, own)
    check_tokenizer(folder / "hf", what)


def check_back(folder, what, own):
    """The folder, and the GGUF, imported and exported again are the same folder."""
    for source in ("hf", "f32.gguf"):
        program("import", folder / source, folder / "back.h5", "--force")
        program("export", folder / "back.h5", folder / "back", "--to", "hf", "--force")
        back = safetensors.numpy.load_file(folder / "back" / "model.safetensors")
        check(set(back) == set(own) and all(numpy.array_equal(back[name], own[name]) for name in own),
              f"{what}: back from {source}")
    program("export", folder / "back.h5", folder / "bf16", "--to", "hf", "--dtype", "bf16", "--force")
    with safetensors.safe_open(folder / "bf16" / "model.safetensors", "np") as file:
        check(set(file.keys()) == set(own), f"{what}: names in bf16")


def check_tokenizer(folder, what):
    theirs = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    text = "Any text: naïve, 数, \x00 and\n\nlines"
    check(theirs.encode(text).ids == list(text.encode()), f"{what}: ids of the byte tokenizer")


def check_quantised_import(folder):
    """A llama whose matrices are Q4_0, Q4_1, Q8_0, F16 and BF16 by gguf's writer."""
    source = gguf.GGUFReader(folder / "f32.gguf")
    for kind in ("Q4_0", "Q4_1", "Q8_0", "F16", "BF16"):
        quant = gguf.GGMLQuantizationType[kind]
        writer = gguf.GGUFWriter(folder / f"{kind}.gguf", "llama")
        for key, field in source.fields.items():
            if key.startswith("llama."):
                writer.add_key_value(key, field.contents(), field.types[0])
        wanted = {}
        for tensor in source.tensors:
            kept = quant if tensor.data.ndim == 2 else gguf.GGMLQuantizationType.F32
            data = gguf.quants.quantize(tensor.data, kept)
            wanted[tensor.name] = gguf.quants.dequantize(data, kept)
            writer.add_tensor(tensor.name, data, raw_dtype=kept)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        program("import", folder / f"{kind}.gguf", folder / f"{kind}.h5")
        program("export", folder / f"{kind}.h5", folder / f"{kind}-f32.gguf", "--to", "gguf")
        got = read_gguf(folder / f"{kind}-f32.gguf")
        check(all(numpy.array_equal(got[name].data, value) for name, value in wanted.items()),
              f"import of {kind}: gguf's own numbers")


# ---- Headers that lie: what we accept, the real reader accepts, with the same tensors.

def mutated(rng, data, header):
    """One to three changes within the first `header` bytes, or a cut, or a longer file."""
    out = bytearray(data)
    kind = rng.randrange(10)
    if kind == 0:
        return bytes(out[:rng.randrange(len(out))])
    if kind == 1:
        return bytes(out) + bytes(rng.randrange(1, 64))
    for _ in range(rng.randrange(1, 4)):
        place = rng.randrange(header)
        change = rng.randrange(5)
        if change == 0:
            out[place] = rng.randrange(256)
        elif change == 1:
            out[place] ^= 1 << rng.randrange(8)
        elif change == 2:
            out[place:place + 1] = b""
        elif change == 3:
            out[place:place] = rng.choice([b'"', b"0", b" ", b"{", b"]", b"\xff", b"9" * 20, b"-"])
        else:
            length = rng.randrange(1, 9)
            out[place:place + length] = bytes(rng.choice([0, 0xff]) for _ in range(length))
    return bytes(out)


def mutated_digit(rng, data, header):
    """Another digit in a number of the header: sizes and offsets that stay JSON."""
    places = [i for i in range(8, header) if chr(data[i]).isdigit()]
    out = bytearray(data)
    out[rng.choice(places)] = ord(rng.choice("0123456789"))
    return bytes(out)


def accepted(folder, source, what):
    """Whether import takes it; a crash or a bug is a failure, and so is a file left behind."""
    target = folder / "mutated.h5"
    target.unlink(missing_ok=True)
    done = run("import", source, target)
    check(done.returncode in (0, 3), f"{what}: exit {done.returncode}: {done.stderr[-300:]}")
    check(target.exists() == (done.returncode == 0), f"{what}: a checkpoint after exit {done.returncode}")
    return done.returncode == 0


def check_mutated_folders(folder, mutations, rng):
    original = (folder / "hf" / "model.safetensors").read_bytes()
    header = 8 + int.from_bytes(original[:8], "little")
    place = folder / "mutated-hf"
    place.mkdir()
    (place / "config.json").write_bytes((folder / "hf" / "config.json").read_bytes())
    taken = 0
    for number in range(mutations):
        data = (mutated_digit if rng.random() < 0.3 else mutated)(rng, original, header)
        (place / "model.safetensors").write_bytes(data)
        what = f"safetensors mutation {number}"
        if not accepted(folder, place, what):
            continue
        taken += 1
        try:
            theirs = safetensors.numpy.load(data)
        except Exception as error:  # whatever it throws, it has refused
            check(False, f"{what}: we accept, safetensors says {error}")
            continue
        program("export", folder / "mutated.h5", folder / "mutated-back", "--to", "hf", "--force")
        back = safetensors.numpy.load_file(folder / "mutated-back" / "model.safetensors")
        check(all(numpy.array_equal(value, theirs[name], equal_nan=True) for name, value in back.items()),
              f"{what}: tensors")
    print(f"safetensors: {mutations} mutated headers, {taken} accepted by both")


def check_mutated_ggufs(folder, mutations, rng):
    path = folder / "f32.gguf"
    original = path.read_bytes()
    header = gguf.GGUFReader(path).data_offset
    place = folder / "mutated.gguf"
    taken = 0
    for number in range(mutations):
        data = mutated(rng, original, header)
        place.write_bytes(data)
        what = f"GGUF mutation {number}"
        if not accepted(folder, place, what):
            continue
        taken += 1
        try:
            theirs = read_gguf(place)
        except Exception as error:
            check(False, f"{what}: we accept, gguf says {error!r}")
            continue
        program("export", folder / "mutated.h5", folder / "mutated-back.gguf", "--to", "gguf", "--force")
        back = read_gguf(folder / "mutated-back.gguf")
        check(all(numpy.array_equal(t.data.view(numpy.uint8), theirs[name].data.view(numpy.uint8))
                  for name, t in back.items()), f"{what}: tensors")
    print(f"GGUF: {mutations} mutated headers, {taken} accepted by both")


def main():
    global PROGRAM
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--mutations", type=int, default=int(os.environ.get("MUTATIONS", 150)),
                        help="of each format (10000: about ten minutes)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--architectures", default=",".join(ARCHITECTURES))
    options = parser.parse_args()
    PROGRAM = options.program
    with tempfile.TemporaryDirectory() as top:
        for architecture in options.architectures.split(","):
            for tied in (True, False):
                folder = pathlib.Path(top) / f"{architecture}-{tied}"
                folder.mkdir()
                check_architecture(folder, architecture, tied)
        llama = pathlib.Path(top) / "llama-False"
        check_quantised_import(llama)
        rng = random.Random(options.seed)
        check_mutated_folders(llama, options.mutations, rng)
        check_mutated_ggufs(llama, options.mutations, rng)
    print(f"{len(FAILED)} checks failed" if FAILED else "all checks passed")
    return 1 if FAILED else 0


if __name__ == "__main__":
    sys.exit(main())
