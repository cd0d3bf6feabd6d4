#!/usr/bin/env python3
"""Compares imported and exported models of each architecture with transformers: losses and weights.

  .deps/readers/bin/python tests/hub/with_transformers.py --program build/test/stagedtrain [--only NAME]

scripts/setup.sh --tests makes that Python. Leaves with 77, skipped, where torch, transformers or gguf are missing.

Each check prints one line with its figure; the exit code is 1 if one is over its limit.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

try:
    import gguf
    import numpy
    import torch
    import transformers
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

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
    scaled = {key: value for key, value in llama.items() if key != "rope_parameters"}
    linear = {"rope_type": "linear", "rope_theta": 7000.0, "factor": 2.5}
    llama3 = {"rope_type": "llama3", "rope_theta": 7000.0, "factor": 4.0, "low_freq_factor": 0.5,
              "high_freq_factor": 2.0, "original_max_position_embeddings": 12}
    yield "llama tied", t.LlamaForCausalLM(t.LlamaConfig(**llama, tie_word_embeddings=True))
    yield "llama untied", t.LlamaForCausalLM(t.LlamaConfig(**llama, tie_word_embeddings=False))
    yield "llama head_dim", t.LlamaForCausalLM(t.LlamaConfig(**llama, head_dim=10))
    yield "llama linear rope", t.LlamaForCausalLM(t.LlamaConfig(**scaled, rope_parameters=linear))
    yield "llama llama3 rope", t.LlamaForCausalLM(t.LlamaConfig(**scaled, rope_parameters=llama3))
    yield "qwen2", t.Qwen2ForCausalLM(t.Qwen2Config(**llama))
    yield "qwen3", t.Qwen3ForCausalLM(t.Qwen3Config(**llama, head_dim=8, tie_word_embeddings=True))
    yield "qwen3_moe", t.Qwen3MoeForCausalLM(t.Qwen3MoeConfig(
        **llama, head_dim=8, num_experts=3, num_experts_per_tok=2, moe_intermediate_size=20, norm_topk_prob=True))
    yield "qwen3_moe, gates not normalised", t.Qwen3MoeForCausalLM(t.Qwen3MoeConfig(
        **llama, head_dim=8, num_experts=3, num_experts_per_tok=2, moe_intermediate_size=20, norm_topk_prob=False))
    every_head = llama | {"num_key_value_heads": llama["num_attention_heads"]}
    for name, sizes, normalised in (("olmoe", every_head, False), ("olmoe, grouped queries", llama, False),
                                    ("olmoe, gates normalised", every_head, True)):
        yield name, t.OlmoeForCausalLM(t.OlmoeConfig(**sizes, num_experts=4, num_experts_per_tok=2, norm_topk_prob=normalised))
    yield "olmo2", t.Olmo2ForCausalLM(t.Olmo2Config(**llama))
    yield "gpt_neox", t.GPTNeoXForCausalLM(t.GPTNeoXConfig(
        vocab_size=261, hidden_size=40, intermediate_size=52, num_hidden_layers=3, num_attention_heads=5,
        max_position_embeddings=23, layer_norm_eps=3e-5, tie_word_embeddings=False,
        rope_parameters={"rope_type": "default", "rope_theta": 7000.0, "partial_rotary_factor": 0.5}))
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
    if name not in NOT_AS_GGUF:
        check_gguf(name, folder, ids, theirs)


def check_nanogpt(folder):
    """A nanoGPT checkpoint is refused; the two lines of Python that the refusal shows make a folder of it."""
    model = transformers.GPT2LMHeadModel(transformers.GPT2Config(
        vocab_size=263, n_positions=21, n_embd=20, n_layer=3, n_head=5, attn_pdrop=0, embd_pdrop=0, resid_pdrop=0))
    randomise(model)
    model.eval()
    # Its names are GPT-2's; a compiled model has a prefix, and linear layers have (out, in).
    weights = {"_orig_mod." + name: tensor.T.contiguous() if ".c_" in name and tensor.dim() == 2 else tensor
               for name, tensor in model.state_dict().items()}
    arguments = {"n_layer": 3, "n_head": 5, "n_embd": 20, "block_size": 21, "bias": True, "vocab_size": 263, "dropout": 0.1}
    torch.save({"model": weights, "model_args": arguments, "iter_num": 7}, folder / "ckpt.pt")
    refused = subprocess.run([PROGRAM, "import", folder / "ckpt.pt", folder / "a.h5"], capture_output=True, text=True)
    lines = [line.strip() for line in refused.stderr.splitlines() if line.startswith("  ")]
    check("nanogpt: exit code of the refusal, lines of Python beyond two", abs(refused.returncode - 3) + abs(len(lines[1:]) - 2), 0)
    subprocess.run([sys.executable, "-c", "\n".join(lines[1:])], cwd=folder, check=True)
    program("import", folder / "folder", folder / "a.h5", "--tokenizer", "bytes")
    ids = numpy.random.default_rng(3).integers(0, 256, 22).astype(numpy.uint16)
    ids.tofile(folder / "tokens.bin")
    check("nanogpt: import, loss against transformers",
          abs(our_loss(folder / "a.h5", folder / "tokens.bin") - transformers_loss(model, ids)), 1e-5)


QUANTS = {"f32": gguf.GGMLQuantizationType.F32, "f16": gguf.GGMLQuantizationType.F16,
          "bf16": gguf.GGMLQuantizationType.BF16, "q8_0": gguf.GGMLQuantizationType.Q8_0}


# What GGUF export refuses.
NOT_AS_GGUF = ("qwen3_moe, gates not normalised", "olmoe, gates normalised", "olmoe, grouped queries")


def check_gguf(name, folder, ids, theirs):
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


def main():
    global PROGRAM
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--only", default="", help="models whose name begins so")
    options = parser.parse_args()
    PROGRAM = options.program
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    with tempfile.TemporaryDirectory() as top:
        for number, (name, model) in enumerate(models()):
            if not name.startswith(options.only):
                continue
            folder = pathlib.Path(top) / str(number)
            folder.mkdir()
            check_model(name, model, folder)
        if "nanogpt".startswith(options.only):
            check_nanogpt(pathlib.Path(top))
    print(f"{len(FAILED)} checks failed" if FAILED else "all checks passed")
    return 1 if FAILED else 0


if __name__ == "__main__":
    sys.exit(main())
