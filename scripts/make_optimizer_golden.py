#!/usr/bin/env python3
"""Makes tests/golden/optimizers.golden: what the optimizers of PyTorch make of given gradients.

Needs torch 2.9 or later (torch.optim.Muon) and numpy:  python scripts/make_optimizer_golden.py
The format is that of scripts/make_golden.py; the same versions give the same bytes again. The
parameters are those of a small model, under our names and in our shapes; nothing is run through it.
The tensors are
  weights/NAME           before the first step
  gradients/STEP/NAME    of each step
  CASE/STEP/NAME         the weights after that step in the case, in float64
with the cases of CASES. Every case runs in float64 from float32 weights and gradients. Muon's
Newton-Schulz iterations are in bfloat16 in torch, whatever the weights are, which leaves two or three
digits; so they are taken from torch's own source with that conversion left out, and the case muon_bf16
has torch as it is. torch has no spectral scale: there the function that scales the rate is ours.
In step s, from 0, the learning rate is RATE (1 - s / 10) and gradients are multiplied by FACTOR, as
clipping does.
"""
import argparse
import inspect
import json
import math
import pathlib

import numpy as np
import torch
from torch.optim import _muon

STEPS, RATE, ADAMW_RATE, FACTOR, DECAY = 5, 2e-2, 3e-3, 0.7, 0.1
BETAS, EPS = (0.9, 0.95), 1e-8
MODEL = dict(architecture="llama", layers=1, width=12, heads=3, kv_heads=1, head_dim=4, ffn=9, vocab=7,
             context=8, tied=False, norm_eps=1e-5, experts=2, experts_per_token=1, router_loss=0.0)

# name: (the scale of Muon's update; None: SGD, the options of the optimizer)
CASES = {
    "muon": ("spectral", dict(momentum=0.95, nesterov=True)),
    "muon_plain": ("spectral", dict(momentum=0.9, nesterov=False)),
    "muon_original": ("original", dict(momentum=0.95, nesterov=True)),
    "muon_match_rms": ("match_rms_adamw", dict(momentum=0.95, nesterov=True)),
    "muon_bf16": ("original", dict(momentum=0.95, nesterov=True)),
    "sgd": (None, dict(momentum=0.9, nesterov=False)),
    "sgd_nesterov": (None, dict(momentum=0.8, nesterov=True)),
}


def shapes():
    m = MODEL
    query, key = m["heads"] * m["head_dim"], m["kv_heads"] * m["head_dim"]
    layer = {"attention.query": (query, m["width"]), "attention.key": (key, m["width"]),
             "attention.value": (key, m["width"]), "attention.output": (m["width"], query),
             "mlp.router": (m["experts"], m["width"])}
    for e in range(m["experts"]):
        layer |= {f"mlp.experts.{e}.gate": (m["ffn"], m["width"]), f"mlp.experts.{e}.up": (m["ffn"], m["width"]),
                  f"mlp.experts.{e}.down": (m["width"], m["ffn"])}
    layer |= {"norm_1": (m["width"],), "norm_2": (m["width"],)}
    named = {"embed.token": (m["vocab"], m["width"]), "head.weight": (m["vocab"], m["width"]),
             "final_norm.weight": (m["width"],)}
    return named | {f"layers.0.{key}.weight": shape for key, shape in layer.items()}


def is_muon_matrix(name, p):
    return name.startswith("layers.") and p.dim() == 2 and "router" not in name


def in_full_precision():
    """torch's Newton-Schulz iterations without the conversion to bfloat16."""
    source = inspect.getsource(_muon._zeropower_via_newtonschulz)
    assert source.count("grad.bfloat16()") == 1
    scope = dict(vars(_muon))
    exec(source.replace("grad.bfloat16()", "grad.clone()"), scope)
    return scope["_zeropower_via_newtonschulz"]


def spectral(lr, adjust_lr_fn, shape):
    return lr * math.sqrt(shape[0] / shape[1])


def decaying(parameters, decays):
    return [p for p in parameters if (p.dim() == 2) == decays]


def optimizers(case, parameters):
    """The optimizers that make a step together, each with the rate of its first step."""
    scale, options = CASES[case]
    if scale is None:
        return [(torch.optim.SGD([{"params": decaying(parameters.values(), True), "weight_decay": DECAY},
                                  {"params": decaying(parameters.values(), False)}], lr=RATE, **options), RATE)]
    matrices = [p for name, p in parameters.items() if is_muon_matrix(name, p)]
    others = [p for name, p in parameters.items() if not is_muon_matrix(name, p)]
    muon = torch.optim.Muon(matrices, lr=RATE, weight_decay=DECAY, **options,
                            adjust_lr_fn="original" if scale == "spectral" else scale)
    adamw = torch.optim.AdamW([{"params": decaying(others, True), "weight_decay": DECAY},
                               {"params": decaying(others, False), "weight_decay": 0.0}],
                              lr=ADAMW_RATE, betas=BETAS, eps=EPS)
    return [(muon, RATE), (adamw, ADAMW_RATE)]


def run(case, weights, gradients):
    as_it_is = _muon._zeropower_via_newtonschulz, _muon._adjust_lr
    if case != "muon_bf16":
        _muon._zeropower_via_newtonschulz = in_full_precision()
    if CASES[case][0] == "spectral":
        _muon._adjust_lr = spectral
    parameters = {n: torch.nn.Parameter(torch.from_numpy(a.astype(np.float64))) for n, a in weights.items()}
    pair = optimizers(case, parameters)
    results = {}
    for step in range(STEPS):
        for name, p in parameters.items():
            p.grad = FACTOR * torch.from_numpy(gradients[step][name].astype(np.float64))
        for optimizer, rate in pair:
            for group in optimizer.param_groups:
                group["lr"] = rate * (1 - step / 10)
            optimizer.step()
        results |= {f"{case}/{step}/{n}": p.detach().numpy().copy() for n, p in parameters.items()}
    _muon._zeropower_via_newtonschulz, _muon._adjust_lr = as_it_is
    return results


def write(path, tensors):
    entries, blocks, offset = [], [], 0
    for name, array in tensors.items():
        data = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        block = data.tobytes() + bytes(-data.nbytes % 64)
        scale = None if array.dtype == np.float32 else float(f"{np.abs(array).max():.6g}")
        entries.append({"name": name, "type": array.dtype.name, "shape": list(array.shape), "offset": offset,
                        "scale": scale, "fp32_deviation": scale and 0.0})
        blocks.append(block)
        offset += len(block)
    header = {"format": "stagedtrain golden 1", "model": MODEL,
              "optimizer": {"rate": RATE, "beta1": BETAS[0], "beta2": BETAS[1], "eps": EPS, "decay": DECAY,
                            "clip": FACTOR},
              "software": {"torch": torch.__version__, "numpy": np.__version__}, "tensors": entries}
    line = json.dumps(header)
    line += " " * (-(len(line) + 1) % 64) + "\n"
    path.write_bytes(line.encode() + b"".join(blocks))


def main():
    parser = argparse.ArgumentParser(description="make tests/golden/optimizers.golden with PyTorch")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent
                        / "tests" / "golden" / "optimizers.golden")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rng = np.random.Generator(np.random.PCG64(18))

    def drawn(scale):
        return {n: (scale * rng.standard_normal(s)).astype(np.float32) for n, s in shapes().items()}

    weights, gradients = drawn(0.2), [drawn(0.05) for _ in range(STEPS)]
    tensors = {f"weights/{n}": a for n, a in weights.items()}
    for step, of_step in enumerate(gradients):
        tensors |= {f"gradients/{step}/{n}": a for n, a in of_step.items()}
    for case in CASES:
        results = run(case, weights, gradients)
        keep = range(STEPS) if case == "muon" else [STEPS - 1]
        tensors |= {n: a for n, a in results.items() if int(n.split("/")[1]) in keep}
    write(options.out, tensors)
    print(f"{options.out}: {options.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
