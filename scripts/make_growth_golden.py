#!/usr/bin/env python3
"""Makes tests/golden/growth_*.golden: small models grown by the formulas of the papers, in numpy alone.

Needs numpy:  python scripts/make_growth_golden.py [--out tests/golden]
The format is that of scripts/make_golden.py, with float64 tensors
  weights/NAME             of the small model: random
  OPERATOR/NAME            of the grown one, as the paper defines it:
    width         Staged Training (arXiv 2203.06211, section 3.2), factor 3: matrices block-diagonal,
                  everything else repeated
    clone         HyperCloning (arXiv 2409.12903), factor 3: a layer whose inputs and outputs both grow
                  is W/3 in all nine blocks, one whose outputs grow repeats, one whose inputs grow W/3
    stack         G_stack (arXiv 2405.15319), factor 2: layer l of the new model is layer l mod L
    llama_pro     LLaMA-Pro (arXiv 2401.02415), 2 groups: a copy of each group's last layer after it,
                  with the output matrices of its attention and feed-forward zero
A head that is the token embedding has its division by the factor in the final norm (all papers keep
the head apart; docs/growth.md).
Nothing here knows of stagedtrain's rules: which axis of a tensor grows is written down by name.
"""
import argparse
import json
import pathlib
import re

import numpy as np

GPT2 = {"architecture": "gpt2", "layers": 2, "width": 6, "heads": 2, "kv_heads": 2, "head_dim": 3, "ffn": 10,
        "vocab": 7, "context": 5, "norm_eps": 1e-5}
LLAMA = {"architecture": "llama", "layers": 2, "width": 6, "heads": 4, "kv_heads": 2, "head_dim": 4, "ffn": 9,
         "vocab": 7, "context": 5, "norm_eps": 1e-5}
VARIANTS = {"growth_gpt2": {**GPT2, "tied": True}, "growth_gpt2_untied": {**GPT2, "tied": False},
            "growth_llama": {**LLAMA, "tied": False}}

# Which axes of a tensor grow in width: rows (outputs), columns (inputs).
GROWING = {
    "embed.token": (False, True), "embed.position": (False, True), "head.weight": (False, True),
    "attention.query.weight": (True, True), "attention.key.weight": (True, True),
    "attention.value.weight": (True, True), "attention.output.weight": (True, True),
    "mlp.up.weight": (True, True), "mlp.gate.weight": (True, True), "mlp.down.weight": (True, True),
}


def shapes(m):
    d, f, q, k = m["width"], m["ffn"], m["heads"] * m["head_dim"], m["kv_heads"] * m["head_dim"]
    gpt2 = m["architecture"] == "gpt2"
    layer = {"norm_1.weight": (d,), "attention.query.weight": (q, d), "attention.key.weight": (k, d),
             "attention.value.weight": (k, d), "attention.output.weight": (d, q), "norm_2.weight": (d,),
             "mlp.up.weight": (f, d), "mlp.down.weight": (d, f)}
    if gpt2:
        layer |= {"norm_1.bias": (d,), "attention.query.bias": (q,), "attention.key.bias": (k,),
                  "attention.value.bias": (k,), "attention.output.bias": (d,), "norm_2.bias": (d,),
                  "mlp.up.bias": (f,), "mlp.down.bias": (d,)}
    else:
        layer["mlp.gate.weight"] = (f, d)
    out = {"embed.token": (m["vocab"], d), "final_norm.weight": (d,)}
    if gpt2:
        out |= {"embed.position": (m["context"], d), "final_norm.bias": (d,)}
    if not m["tied"]:
        out["head.weight"] = (m["vocab"], d)
    for i in range(m["layers"]):
        out |= {f"layers.{i}.{key}": shape for key, shape in layer.items()}
    return out


def key_of(name):
    return re.sub(r"^layers\.\d+\.", "", name)


def widened(name, w, k, tied, block):
    """block: the matrix of k x k coefficients of a layer whose two axes grow."""
    key = key_of(name)
    if w.ndim == 1:
        return np.tile(w, k) / (k if tied and key.startswith("final_norm") else 1)
    rows, columns = GROWING[key]
    if rows and columns:
        return np.kron(block, w)
    return np.tile(w, (1, k)) / (k if key == "head.weight" else 1)


def width(m, weights, k=3):
    return {n: widened(n, w, k, m["tied"], np.eye(k)) for n, w in weights.items()}


def clone(m, weights, k=3):
    return {n: widened(n, w, k, m["tied"], np.full((k, k), 1 / k)) for n, w in weights.items()}


def by_layers(m, weights, layers):
    """layers: for each new layer the old one, and whether its outputs are zero."""
    out = {n: w for n, w in weights.items() if not n.startswith("layers.")}
    for new, (old, silent) in enumerate(layers):
        for name, w in weights.items():
            if not name.startswith(f"layers.{old}."):
                continue
            zero = silent and key_of(name).rsplit(".", 1)[0] in ("attention.output", "mlp.down")
            out[f"layers.{new}.{key_of(name)}"] = np.zeros_like(w) if zero else w
    return out


def stack(m, weights):
    return by_layers(m, weights, [(i % m["layers"], False) for i in range(2 * m["layers"])])


def llama_pro(m, weights):
    layers, size = [], m["layers"] // 2
    for i in range(m["layers"]):
        layers.append((i, False))
        if (i + 1) % size == 0:
            layers.append((i, True))
    return by_layers(m, weights, layers)


def write(path, model, tensors):
    entries, blocks, offset = [], [], 0
    for name, array in tensors.items():
        data = np.ascontiguousarray(array, "<f8")
        block = data.tobytes() + bytes(-data.nbytes % 64)
        entries.append({"name": name, "type": "float64", "shape": list(data.shape), "offset": offset,
                        "scale": None, "fp32_deviation": None})
        blocks.append(block)
        offset += len(block)
    optimizer = {"rate": 0, "beta1": 0, "beta2": 0, "eps": 0, "decay": 0, "clip": 0}
    line = json.dumps({"format": "stagedtrain golden 1", "model": model, "optimizer": optimizer,
                       "software": {"numpy": np.__version__}, "tensors": entries})
    line += " " * (-(len(line) + 1) % 64) + "\n"
    path.write_bytes(line.encode() + b"".join(blocks))


def main():
    parser = argparse.ArgumentParser(description="make tests/golden/growth_*.golden with numpy")
    parser.add_argument("--out", type=pathlib.Path,
                        default=pathlib.Path(__file__).resolve().parent.parent / "tests" / "golden")
    options = parser.parse_args()
    for name, model in VARIANTS.items():
        random = np.random.default_rng(7)
        weights = {n: random.standard_normal(shape) for n, shape in sorted(shapes(model).items())}
        tensors = {f"weights/{n}": w for n, w in weights.items()}
        for operator in (width, clone, stack, llama_pro):
            tensors |= {f"{operator.__name__}/{n}": w for n, w in operator(model, weights).items()}
        path = options.out / f"{name}.golden"
        write(path, model, tensors)
        print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
