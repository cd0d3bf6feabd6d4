#!/usr/bin/env python3
"""Makes tests/golden/*.golden: what PyTorch and `transformers` compute for a small model of each architecture, some also
with experts (Mixtral; OLMoE; GPT-2's feed-forwards behind Mixtral's router) or with a looped core (lib/arch/loops.h).

  .deps/readers/bin/python scripts/make_golden.py [--out tests/golden] [--only llama]

Versions and figures of the run are in each file's header. The same machine and versions give the same bytes again
(numpy's PCG64 makes weights and tokens; one thread). A golden file is one line of JSON, padded with spaces so that the
data begin at a multiple of 64 bytes, and then raw little-endian arrays. The line holds
  format      "stagedtrain golden 1"
  model       the keys of arch::ModelConfig
  optimizer   rate (constant), beta1, beta2, eps, decay (matrices only), clip (global norm)
  software    versions that made it
  tensors     [{name, type: float32 | float64 | int32, shape, offset, scale, fp32_deviation}], offset
              in bytes from the first byte after the line; each begins at a multiple of 64
with the tensors
  tokens            (steps, batch, length + 1): inputs are [:-1], targets [1:] of each row
  weights/NAME      before the first step; NAME and shape as in lib/arch, a matrix is (out, in)
  logits            (batch, length, vocab) of batch 0
  gradients/NAME    of batch 0's mean loss (and the load-balancing loss, with experts), before clipping
  losses            (steps), each before its update, a new batch in each step; without load-balancing
  norms             (steps), global gradient norms before clipping
  final/NAME        the weights after the last step
All results are computed in float64 from float32 weights and rounded to the stored type. scale is the tensor's largest
magnitude; fp32_deviation is the largest difference of the same run in float32, divided by scale: how far a correct
float32 implementation may stray. Both are null for inputs.

Softmax ignores what a key's bias adds, so the gradient of that bias is rounding noise. Its scale is that of the query
bias beside it, and final/ leaves it out. `transformers` computes norms, rotations and routers in float32 even where
all else is float64; Exact makes the same code run in float64.
"""
import argparse
import json
import pathlib

import numpy as np
import torch
import transformers
from golden_models import Gpt2WithExperts, Looped
from torch.overrides import TorchFunctionMode

STEPS = 10
NO_GRADIENT = "attention.key.bias"
OPTIMIZER = {"rate": 1e-3, "beta1": 0.9, "beta2": 0.95, "eps": 1e-8, "decay": 0.1}

# Sizes are odd on purpose: a swapped axis shows. The second model uses what the first does not: an own
# head matrix, a feed-forward that is not 4 x width, another epsilon, sequences below the context, and
# gradients that are clipped in some steps only. AdamW's first steps are g / (|g| + eps), so an element
# whose gradient is within rounding of zero strays by a whole step: the seeds are ones without such luck.
VARIANTS = {
    "gpt2_small": dict(architecture="gpt2", layers=3, width=48, heads=4, ffn=192, vocab=97, context=32, tied=True,
                       norm_eps=1e-5, batch=4, length=32, clip=1.0, seed=3),
    "gpt2_untied": dict(architecture="gpt2", layers=2, width=30, heads=3, ffn=77, vocab=61, context=24, tied=False,
                        norm_eps=1e-4, batch=3, length=19, clip=2.4, seed=2),
    "llama_untied": dict(architecture="llama", layers=2, width=24, heads=4, kv_heads=2, head_dim=6, ffn=40,
                         vocab=53, context=20, tied=False, norm_eps=1e-5, rope_theta=500.0, batch=3,
                         length=20, clip=2.0, seed=1),
    "llama_tied": dict(architecture="llama", layers=1, width=21, heads=3, kv_heads=1, head_dim=8, ffn=27,
                       vocab=41, context=24, tied=True, norm_eps=1e-4, rope_theta=1e4, batch=2, length=17,
                       clip=2.0, seed=1),
    "llama_linear": dict(architecture="llama", layers=1, width=14, heads=2, kv_heads=1, head_dim=6, ffn=19,
                         vocab=31, context=22, tied=True, norm_eps=1e-5, rope_theta=300.0, rope_scaling="linear",
                         rope_factor=2.5, batch=2, length=22, clip=2.0, seed=1),
    "llama3": dict(architecture="llama", layers=1, width=18, heads=3, kv_heads=3, head_dim=12, ffn=23, vocab=31,
                   context=26, tied=False, norm_eps=1e-5, rope_theta=200.0, rope_scaling="llama3", rope_factor=4.0,
                   rope_low=0.5, rope_high=2.0, rope_original=13, batch=2, length=26, clip=2.0, seed=1),
    "qwen2": dict(architecture="qwen2", layers=2, width=20, heads=5, kv_heads=1, head_dim=4, ffn=27, vocab=47,
                  context=19, tied=True, norm_eps=1e-4, rope_theta=900.0, batch=3, length=18, clip=2.0, seed=1),
    "qwen3": dict(architecture="qwen3", layers=2, width=18, heads=4, kv_heads=2, head_dim=10, ffn=25, vocab=43,
                  context=21, tied=False, norm_eps=1e-3, rope_theta=700.0, batch=2, length=20, clip=2.0, seed=4),
    "qwen3_experts": dict(architecture="qwen3", layers=2, width=14, heads=2, kv_heads=1, head_dim=6, ffn=11,
                          vocab=37, context=16, tied=True, norm_eps=1e-4, rope_theta=500.0, experts=4,
                          experts_per_token=2, router_loss=0.03, batch=2, length=16, clip=1.6, seed=1),
    "olmo2": dict(architecture="olmo2", layers=2, width=24, heads=4, kv_heads=2, head_dim=6, ffn=33, vocab=41,
                  context=18, tied=False, norm_eps=1e-3, rope_theta=600.0, batch=3, length=17, clip=2.0, seed=1),
    "olmoe": dict(architecture="olmoe", layers=2, width=24, heads=4, kv_heads=2, head_dim=6, ffn=13, vocab=39, context=17,
                  tied=False, norm_eps=1e-4, rope_theta=800.0, experts=5, experts_per_token=2, norm_topk=False,
                  router_loss=0.04, batch=3, length=16, clip=1.6, seed=5),
    "neox": dict(architecture="neox", layers=2, width=24, heads=3, ffn=50, vocab=45, context=20, tied=False,
                 norm_eps=1e-4, rope_theta=400.0, rotary_share=0.5, batch=3, length=19, clip=2.0, seed=1),
    "mixtral": dict(architecture="llama", layers=2, width=16, heads=4, kv_heads=2, head_dim=4, ffn=21,
                    vocab=43, context=18, tied=False, norm_eps=1e-5, rope_theta=2e3, experts=5,
                    experts_per_token=2, router_loss=0.05, batch=3, length=18, clip=1.4, seed=1),
    "looped": dict(architecture="llama", layers=4, width=18, heads=3, kv_heads=1, head_dim=6, ffn=23, vocab=41,
                   context=17, tied=False, norm_eps=1e-3, rope_theta=300.0, core=2, prelude=1, coda=1, passes=3,
                   boundary_alpha=0.7, batch=3, length=16, clip=2.0, seed=1),
    "looped_gpt2": dict(architecture="gpt2", layers=3, width=20, heads=2, ffn=33, vocab=37, context=15, tied=True,
                        norm_eps=1e-3, core=3, prelude=0, coda=0, passes=2, boundary_alpha=1.5, batch=2, length=15,
                        clip=2.0, seed=1),
    "gpt2_experts": dict(architecture="gpt2", layers=2, width=18, heads=3, ffn=25, vocab=37, context=16, tied=True,
                         norm_eps=1e-5, experts=4, experts_per_token=2, router_loss=0.04, batch=3, length=15,
                         clip=1.6, seed=1),
}


class Exact(TorchFunctionMode):
    """Within it, whatever asks for float32 gets float64."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        def wide(x):
            return torch.float64 if x is torch.float32 else x
        if func is torch.Tensor.float:
            func = torch.Tensor.double
        return func(*[wide(a) for a in args], **{k: wide(a) for k, a in (kwargs or {}).items()})


def rope_of(v):
    rope = {"rope_type": v.get("rope_scaling", "default"), "rope_theta": v["rope_theta"]}
    if "rope_factor" in v:
        rope["factor"] = v["rope_factor"]
    if "rope_low" in v:
        rope |= {"low_freq_factor": v["rope_low"], "high_freq_factor": v["rope_high"],
                 "original_max_position_embeddings": v["rope_original"]}
    return rope


def build_llama(v, dtype):
    common = dict(
        vocab_size=v["vocab"], max_position_embeddings=v["context"], hidden_size=v["width"],
        intermediate_size=v["ffn"], num_hidden_layers=v["layers"], num_attention_heads=v["heads"],
        num_key_value_heads=v["kv_heads"], head_dim=v["head_dim"], rms_norm_eps=v["norm_eps"],
        rope_parameters=rope_of(v), use_cache=False,
        tie_word_embeddings=v["tied"], attn_implementation="eager", bos_token_id=0, eos_token_id=0,
        pad_token_id=None)  # else the row of that token has no gradient
    kind = {"llama": "Llama", "qwen2": "Qwen2", "qwen3": "Qwen3", "olmo2": "Olmo2", "olmoe": "Olmoe"}[v["architecture"]]
    if "experts" in v:
        kind = {"Llama": "Mixtral", "Qwen3": "Qwen3Moe"}.get(kind, kind)
        common |= dict(num_experts_per_tok=v["experts_per_token"], router_aux_loss_coef=v["router_loss"],
                       output_router_logits=True, experts_implementation="eager")
        common |= dict(num_local_experts=v["experts"]) if kind == "Mixtral" else dict(
            num_experts=v["experts"], moe_intermediate_size=v["ffn"], norm_topk_prob=v.get("norm_topk", True))
    config = getattr(transformers, kind + "Config")(**common)
    return getattr(transformers, kind + "ForCausalLM")(config).to(dtype).train()


def build_neox(v, dtype):
    config = transformers.GPTNeoXConfig(
        vocab_size=v["vocab"], max_position_embeddings=v["context"], hidden_size=v["width"],
        intermediate_size=v["ffn"], num_hidden_layers=v["layers"], num_attention_heads=v["heads"],
        layer_norm_eps=v["norm_eps"], hidden_act="gelu", use_cache=False, tie_word_embeddings=v["tied"],
        rope_parameters={"rope_type": "default", "rope_theta": v["rope_theta"], "partial_rotary_factor": v["rotary_share"]},
        attn_implementation="eager", bos_token_id=0, eos_token_id=0)
    return transformers.GPTNeoXForCausalLM(config).to(dtype).train()


def build_gpt2(v, dtype):
    config = transformers.GPT2Config(
        vocab_size=v["vocab"], n_positions=v["context"], n_embd=v["width"], n_layer=v["layers"],
        n_head=v["heads"], n_inner=v["ffn"], activation_function="gelu_new", resid_pdrop=0.0,
        embd_pdrop=0.0, attn_pdrop=0.0, layer_norm_epsilon=v["norm_eps"], use_cache=False,
        tie_word_embeddings=v["tied"], attn_implementation="eager", bos_token_id=0, eos_token_id=0)
    model = transformers.GPT2LMHeadModel(config)
    if "experts" in v:
        model = Gpt2WithExperts(v, model, config)
    return model.to(dtype).train()


def fill(model, seed):
    """Seeded weights, far from the symmetric start: norm gains and biases matter in every result."""
    rng = np.random.Generator(np.random.PCG64(seed))
    with torch.no_grad():
        for name, p in model.named_parameters():
            is_gain = name.endswith("weight") and p.dim() == 1
            scale = 0.15 if p.dim() >= 2 else 0.3 if is_gain else 0.1
            values = (rng.standard_normal(tuple(p.shape)) * scale + float(is_gain)).astype(np.float32)
            p.copy_(torch.from_numpy(values))


def make_tokens(v):
    """A noisy walk over the ids, so that there is something to learn: (steps, batch, length + 1)."""
    rng = np.random.Generator(np.random.PCG64(1000 + v["seed"]))
    ids = np.empty((STEPS, v["batch"], v["length"] + 1), np.int32)
    ids[..., 0] = rng.integers(0, v["vocab"], ids.shape[:2])
    for t in range(1, ids.shape[2]):
        walk = (3 * ids[..., t - 1] + 7) % v["vocab"]
        ids[..., t] = np.where(rng.random(ids.shape[:2]) < 0.8, walk,
                               rng.integers(0, v["vocab"], ids.shape[:2]))
    return ids


def renamed_llama(t, v):
    """The tensors of LlamaForCausalLM and its kin by our names."""
    out = {"embed.token": t["model.embed_tokens.weight"], "final_norm.weight": t["model.norm.weight"]}
    keys = {"self_attn.q_proj": "attention.query", "self_attn.k_proj": "attention.key",
            "self_attn.v_proj": "attention.value", "self_attn.o_proj": "attention.output"}
    keys |= ({"post_attention_layernorm": "norm_1", "post_feedforward_layernorm": "norm_2"}
             if v["architecture"] == "olmo2" else
             {"input_layernorm": "norm_1", "post_attention_layernorm": "norm_2"})
    if v["architecture"] in ("qwen3", "olmo2", "olmoe"):
        keys |= {"self_attn.q_norm": "attention.query_norm", "self_attn.k_norm": "attention.key_norm"}
    keys |= {"mlp.gate": "mlp.router"} if "experts" in v else {
        f"mlp.{part}_proj": f"mlp.{part}" for part in ("gate", "up", "down")}
    for i in range(v["layers"]):
        theirs, ours = f"model.layers.{i}.", f"layers.{i}."
        out |= {f"{ours}{key}.weight": t[f"{theirs}{hf}.weight"] for hf, key in keys.items()}
        if v["architecture"] == "qwen2":
            out |= {f"{ours}attention.{key}.bias": t[f"{theirs}self_attn.{key[0]}_proj.bias"]
                    for key in ("query", "key", "value")}
        for e in range(v.get("experts", 0)):
            gate, up = np.split(t[theirs + "mlp.experts.gate_up_proj"][e], 2)
            down = t[theirs + "mlp.experts.down_proj"][e]
            for key, part in (("gate", gate), ("up", up), ("down", down)):
                out[f"{ours}mlp.experts.{e}.{key}.weight"] = part
    if not v["tied"]:
        out["head.weight"] = t["lm_head.weight"]
    return out


def renamed_gpt2(tensors, v):
    """GPT2LMHeadModel's tensors by our names; its Conv1D keeps (in, out), ours are (out, in)."""
    t = tensors
    out = {"embed.token": t["transformer.wte.weight"], "embed.position": t["transformer.wpe.weight"]}
    for i in range(v["layers"]):
        theirs, ours = f"transformer.h.{i}.", f"layers.{i}."
        packed = [np.split(t[theirs + f"attn.c_attn.{kind}"], 3, axis=-1) for kind in ("weight", "bias")]
        for j, part in enumerate(("query", "key", "value")):
            out[ours + f"attention.{part}.weight"] = packed[0][j].T
            out[ours + f"attention.{part}.bias"] = packed[1][j]
        for hf, key in (("ln_1", "norm_1"), ("ln_2", "norm_2")):
            for kind in ("weight", "bias"):
                out[ours + f"{key}.{kind}"] = t[theirs + f"{hf}.{kind}"]
        experts = [f"mlp.experts.{e}" for e in range(v.get("experts", 0))]
        matrices = [("attn.c_proj", "attention.output")]
        matrices += [(f"{mlp}.{hf}", f"{mlp}.{key}") for mlp in experts or ["mlp"]
                     for hf, key in (("c_fc", "up"), ("c_proj", "down"))]
        for hf, key in matrices:
            out[ours + f"{key}.weight"] = t[theirs + f"{hf}.weight"].T
            out[ours + f"{key}.bias"] = t[theirs + f"{hf}.bias"]
        if experts:
            out[ours + "mlp.router.weight"] = t[theirs + "mlp.router.weight"]
    for kind in ("weight", "bias"):
        out[f"final_norm.{kind}"] = t[f"transformer.ln_f.{kind}"]
    if not v["tied"]:
        out["head.weight"] = t["lm_head.weight"]
    return out


def renamed_neox(t, v):
    """GPTNeoXForCausalLM's tensors by our names; query, key and value alternate head by head."""
    out = {"embed.token": t["gpt_neox.embed_in.weight"]}
    for i in range(v["layers"]):
        theirs, ours = f"gpt_neox.layers.{i}.", f"layers.{i}."
        for kind in ("weight", "bias"):
            packed = t[theirs + f"attention.query_key_value.{kind}"]
            parts = packed.reshape(v["heads"], 3, v["width"] // v["heads"], -1)
            for j, part in enumerate(("query", "key", "value")):
                shape = (v["width"],) + packed.shape[1:]
                out[ours + f"attention.{part}.{kind}"] = parts[:, j].reshape(shape)
            for hf, key in (("input_layernorm", "norm_1"), ("post_attention_layernorm", "norm_2"),
                            ("attention.dense", "attention.output"), ("mlp.dense_h_to_4h", "mlp.up"),
                            ("mlp.dense_4h_to_h", "mlp.down")):
                out[ours + f"{key}.{kind}"] = t[theirs + f"{hf}.{kind}"]
    for kind in ("weight", "bias"):
        out[f"final_norm.{kind}"] = t[f"gpt_neox.final_layer_norm.{kind}"]
    if not v["tied"]:
        out["head.weight"] = t.get("embed_out.weight", t.get("lm_head.weight"))
    return out


RENAMED = {"gpt2": renamed_gpt2, "neox": renamed_neox}
BUILD = {"gpt2": build_gpt2, "neox": build_neox}


def snapshot(model, v, of):
    renamed = RENAMED.get(v["architecture"], renamed_llama)
    return renamed({n: of(p).detach().numpy().copy() for n, p in model.named_parameters()}, v)


def make_optimizer(model):
    o = OPTIMIZER
    parameters = list(model.parameters())
    groups = [{"params": [p for p in parameters if p.dim() >= 2], "weight_decay": o["decay"]},
              {"params": [p for p in parameters if p.dim() == 1], "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=o["rate"], betas=(o["beta1"], o["beta2"]), eps=o["eps"])


def run(v, tokens, dtype):
    """Everything that is stored, as arrays of this dtype."""
    model = BUILD.get(v["architecture"], build_llama)(v, dtype)
    if "core" in v:
        model = Looped(v, model)
    fill(model, v["seed"])
    optimizer = make_optimizer(model)
    results = {f"weights/{n}": a for n, a in snapshot(model, v, lambda p: p).items()}
    losses, norms = [], []
    for step, ids in enumerate(torch.from_numpy(tokens).long()):
        output = model(ids[:, :-1])
        logits = output.logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
        optimizer.zero_grad()
        balancing = v["router_loss"] * output.aux_loss if "experts" in v else 0
        (loss + balancing).backward()
        if step == 0:
            results["logits"] = logits.detach().numpy().copy()
            results |= {f"gradients/{n}": a for n, a in snapshot(model, v, lambda p: p.grad).items()}
        norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), v["clip"]).item())
        optimizer.step()
        losses.append(loss.item())
    results |= {"losses": np.array(losses), "norms": np.array(norms)}
    return results | {f"final/{n}": a for n, a in snapshot(model, v, lambda p: p).items() if not n.endswith(NO_GRADIENT)}


def stored_type(name):
    return "int32" if name == "tokens" else "float64" if name in ("losses", "norms") else "float32"


def scale_of(name, exact):
    """What differences in this tensor are relative to; None for inputs."""
    if name == "tokens" or name.startswith("weights/"):
        return None
    if name.endswith(NO_GRADIENT):
        name = name.replace("key.bias", "query.bias")
    return float(f"{np.abs(exact[name]).max():.6g}")


def deviation(name, exact, single):
    scale = scale_of(name, exact)
    return scale and float(f"{np.abs(exact[name] - single[name]).max() / scale:.2e}")


def write(path, v, tokens, exact, single):
    entries, blocks, offset = [], [], 0
    for name, array in {"tokens": tokens, **exact}.items():
        data = np.ascontiguousarray(array, np.dtype(stored_type(name)).newbyteorder("<"))
        block = data.tobytes() + bytes(-data.nbytes % 64)
        entries.append({"name": name, "type": stored_type(name), "shape": list(data.shape),
                        "offset": offset, "scale": scale_of(name, exact),
                        "fp32_deviation": deviation(name, exact, single)})
        blocks.append(block)
        offset += len(block)
    model = {k: value for k, value in v.items() if k not in ("batch", "length", "clip", "seed")}
    header = {"format": "stagedtrain golden 1", "model": model, "optimizer": {**OPTIMIZER, "clip": v["clip"]},
              "software": {"torch": torch.__version__, "transformers": transformers.__version__,
                           "numpy": np.__version__},
              "tensors": entries}
    line = json.dumps(header)
    line += " " * (-(len(line) + 1) % 64) + "\n"
    path.write_bytes(line.encode() + b"".join(blocks))


def report(path, exact, single):
    print(f"{path}: {path.stat().st_size} bytes")
    print("  losses", " ".join(f"{x:.4f}" for x in exact["losses"]))
    print("  norms ", " ".join(f"{x:.3f}" for x in exact["norms"]))
    for group in ("logits", "losses", "norms", "gradients/", "final/"):
        worst = max((deviation(n, exact, single), n) for n in exact if n.startswith(group))
        print(f"  fp32 strays by at most {worst[0]:.1e} ({worst[1]})")


def main():
    parser = argparse.ArgumentParser(description="make tests/golden/*.golden with PyTorch and transformers")
    parser.add_argument("--out", type=pathlib.Path,
                        default=pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden")
    parser.add_argument("--only", default="", help="make the files whose names begin so")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for name, v in VARIANTS.items():
        if not name.startswith(options.only):
            continue
        tokens = make_tokens(v)
        single = run(v, tokens, torch.float32)
        with Exact():
            exact = run(v, tokens, torch.float64)
        path = options.out / f"{name}.golden"
        write(path, v, tokens, exact, single)
        report(path, exact, single)


if __name__ == "__main__":
    main()
