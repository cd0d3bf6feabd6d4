#!/usr/bin/env python3
"""Compares import and export with the real readers: transformers, safetensors, gguf and tokenizers.

Needs a venv with torch, transformers, safetensors, gguf, tokenizers and numpy, and a built program:
  python3 -m venv venv && venv/bin/pip install torch transformers safetensors gguf tokenizers
  venv/bin/python tests/hub/real_readers.py --program build/test/stagedtrain

Each check prints one line with its figure; the exit code is 1 if one is over its limit.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import gguf
import numpy
import safetensors.numpy
import torch
import transformers

FAILED = []
PROGRAM = ""


def check(what, value, limit):
    good = value <= limit
    print(f"{'ok  ' if good else 'FAIL'} {what}: {value:.3g} (at most {limit:g})", flush=True)
    if not good:
        FAILED.append(what)


def program(*arguments):
    done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, arguments))}: exit {done.returncode}\n{done.stderr}")
    return done.stdout


def models():
    """Random models of odd sizes, by name."""
    torch.manual_seed(7)
    llama = dict(vocab_size=261, hidden_size=36, intermediate_size=52, num_hidden_layers=3, num_attention_heads=6,
                 num_key_value_heads=2, max_position_embeddings=23, rms_norm_eps=3e-5,
                 rope_parameters={"rope_type": "default", "rope_theta": 7000.0})
    gpt2 = dict(vocab_size=263, n_positions=21, n_embd=20, n_layer=3, n_head=5, attn_pdrop=0, embd_pdrop=0,
                resid_pdrop=0)
    t = transformers
    yield "llama tied", t.LlamaForCausalLM(t.LlamaConfig(**llama, tie_word_embeddings=True))
    yield "llama untied", t.LlamaForCausalLM(t.LlamaConfig(**llama, tie_word_embeddings=False))
    yield "llama head_dim", t.LlamaForCausalLM(t.LlamaConfig(**llama, head_dim=10))
    yield "mistral", t.MistralForCausalLM(t.MistralConfig(**llama, sliding_window=None))
    yield "mixtral", t.MixtralForCausalLM(t.MixtralConfig(**llama, num_local_experts=3, num_experts_per_tok=2,
                                                           sliding_window=None))
    yield "gpt2", t.GPT2LMHeadModel(t.GPT2Config(**gpt2))
    yield "gpt2 untied, ffn 30", t.GPT2LMHeadModel(t.GPT2Config(**gpt2, n_inner=30, tie_word_embeddings=False))


def context_of(model):
    return getattr(model.config, "max_position_embeddings", None) or model.config.n_positions


def transformers_loss(model, ids):
    with torch.no_grad():
        logits = model(torch.tensor(ids[None, :-1], dtype=torch.long)).logits[0].double()
    return float(torch.nn.functional.cross_entropy(logits, torch.tensor(ids[1:], dtype=torch.long)))


def our_loss(checkpoint, tokens):
    return json.loads(program("eval", checkpoint, "--data", tokens, "--json"))["loss"]


def randomise(model):
    """Norms and biases too are random, so that a mixed-up one is seen."""
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            noise = torch.randn_like(tensor)
            tensor.copy_(1 + 0.3 * noise if tensor.dim() == 1 and "weight" in name else 0.2 * noise)


def check_model(name, model, folder):
    randomise(model)
    model.eval()
    ids = numpy.random.default_rng(3).integers(0, 256, context_of(model) + 1).astype(numpy.uint16)
    ids.tofile(folder / "tokens.bin")
    theirs = transformers_loss(model, ids)
    model.save_pretrained(folder / "hf", max_shard_size="20KB")
    program("import", folder / "hf", folder / "a.h5")
    check(f"{name}: import, loss against transformers", abs(our_loss(folder / "a.h5", folder / "tokens.bin") - theirs),
          1e-5)
    program("export", folder / "a.h5", folder / "back", "--to", "hf", "--shard-size", "20K")
    back, report = transformers.AutoModelForCausalLM.from_pretrained(folder / "back", output_loading_info=True)
    check(f"{name}: export hf, tensors that are missing or left over",
          sum(len(report[key]) for key in ("missing_keys", "unexpected_keys", "mismatched_keys")), 0)
    before = model.state_dict()
    check(f"{name}: export hf, largest difference of a weight",
          max(float((tensor - before[key]).abs().max()) for key, tensor in back.state_dict().items()), 0)
    program("export", folder / "a.h5", folder / "bf16", "--to", "hf", "--dtype", "bf16")
    rounded = transformers.AutoModelForCausalLM.from_pretrained(folder / "bf16", dtype=torch.float32)
    check(f"{name}: export hf bf16, weights against torch's rounding",
          max(float((tensor - before[key].bfloat16().float()).abs().max())
              for key, tensor in rounded.state_dict().items()), 0)
    check_gguf(name, model, folder, ids, theirs)


QUANTS = {"f32": gguf.GGMLQuantizationType.F32, "f16": gguf.GGMLQuantizationType.F16,
          "bf16": gguf.GGMLQuantizationType.BF16, "q8_0": gguf.GGMLQuantizationType.Q8_0}


def check_gguf(name, model, folder, ids, theirs):
    program("export", folder / "a.h5", folder / "f32.gguf", "--to", "gguf")
    program("import", folder / "f32.gguf", folder / "b.h5")
    check(f"{name}: export gguf and import, loss", abs(our_loss(folder / "b.h5", folder / "tokens.bin") - theirs), 1e-5)
    exact = {t.name: gguf.quants.dequantize(t.data, t.tensor_type) for t in gguf.GGUFReader(folder / "f32.gguf").tensors}
    for dtype, kind in QUANTS.items():
        path = folder / f"{dtype}.gguf"
        program("export", folder / "a.h5", path, "--to", "gguf", "--dtype", dtype, "--force")
        wrong = 0
        for tensor in gguf.GGUFReader(path).tensors:
            wanted = gguf.quants.quantize(exact[tensor.name], tensor.tensor_type)
            wrong += int((wanted.view(numpy.uint8).ravel() != tensor.data.view(numpy.uint8).ravel()).sum())
        check(f"{name}: gguf {dtype}, bytes that differ from gguf's own", wrong, 0)


def check_quantised_import(folder):
    """A llama whose matrices are Q4_0, Q4_1, Q8_0, F16 and BF16 by gguf's writer."""
    program_model = transformers.LlamaForCausalLM(transformers.LlamaConfig(
        vocab_size=256, hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=16, tie_word_embeddings=False))
    randomise(program_model)
    program_model.save_pretrained(folder / "q")
    program("import", folder / "q", folder / "q.h5")
    program("export", folder / "q.h5", folder / "q.gguf", "--to", "gguf")
    source = gguf.GGUFReader(folder / "q.gguf")
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
        got = {t.name: t.data for t in gguf.GGUFReader(folder / f"{kind}-f32.gguf").tensors}
        check(f"import of {kind}, largest difference from gguf's own numbers",
              max(float(numpy.abs(got[key] - value).max()) for key, value in wanted.items()), 0)


def main():
    global PROGRAM
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    PROGRAM = parser.parse_args().program
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    with tempfile.TemporaryDirectory() as top:
        for number, (name, model) in enumerate(models()):
            folder = pathlib.Path(top) / str(number)
            folder.mkdir()
            check_model(name, model, folder)
        check_quantised_import(pathlib.Path(top))
    print(f"{len(FAILED)} checks failed" if FAILED else "all checks passed")
    return 1 if FAILED else 0


if __name__ == "__main__":
    sys.exit(main())
