#!/usr/bin/env python3
"""Times PyTorch training steps of a GPT-2: the yardstick for stagedtrain's own.

    pytorch_step.py --layers 4 --width 128 --heads 4 --batch 16 --context 128 [--impl plain]
    pytorch_step.py --sgemm-peak
    pytorch_step.py --device cuda --bf16 ...     on a GPU, products in bfloat16 (autocast), weights in float32
    RANK=0 WORLD_SIZE=2 MASTER_ADDR=127.0.0.1 MASTER_PORT=29500 pytorch_step.py --ddp ...     one of two
                                                 processes under DistributedDataParallel with Gloo

A step is all that training does: forward, backward, clipping of the global gradient norm to 1, AdamW
(fused, decay on matrices only), zeroing of the gradients; fp32, no dropout, a new batch of random
tokens each step, the loss read once a step. Implementations:
  plain          a compact GPT-2 of our own on F.scaled_dot_product_attention, eager
  compile        the same under torch.compile (the first step's compilation is reported apart)
  transformers   Hugging Face's GPT2LMHeadModel with its SDPA attention, eager
  nanogpt        the GPT of the nanoGPT checkout that --nanogpt names, eager
  nanogpt-compile  the same under torch.compile
Prints one line of JSON. Needs torch; transformers only for its own implementation.
"""
import argparse
import contextlib
import json
import math
import os
import resource
import statistics
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x_BTC):
        split = [z.unflatten(2, (self.heads, -1)).transpose(1, 2)
                 for z in self.qkv(self.norm_1(x_BTC)).chunk(3, dim=2)]
        mixed = F.scaled_dot_product_attention(*split, is_causal=True)
        x_BTC = x_BTC + self.out(mixed.transpose(1, 2).flatten(2))
        return x_BTC + self.down(F.gelu(self.up(self.norm_2(x_BTC)), approximate="tanh"))


class PlainGPT2(nn.Module):
    def __init__(self, layers, width, heads, context, vocab):
        super().__init__()
        self.token, self.position = nn.Embedding(vocab, width), nn.Embedding(context, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        for name, p in self.named_parameters():
            if p.dim() == 2:
                residual = name.endswith(("out.weight", "down.weight"))
                nn.init.normal_(p, std=0.02 / math.sqrt(2 * layers) if residual else 0.02)
            elif name.endswith("bias"):
                nn.init.zeros_(p)

    def forward(self, inputs_BT, targets_BT):
        x_BTC = self.token(inputs_BT) + self.position.weight[:inputs_BT.shape[1]]
        for block in self.blocks:
            x_BTC = block(x_BTC)
        logits_BTV = F.linear(self.norm(x_BTC), self.token.weight)
        return F.cross_entropy(logits_BTV.flatten(0, 1), targets_BT.flatten())


class TransformersGPT2(nn.Module):
    def __init__(self, layers, width, heads, context, vocab):
        super().__init__()
        import transformers
        config = transformers.GPT2Config(
            vocab_size=vocab, n_positions=context, n_embd=width, n_layer=layers, n_head=heads,
            resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, use_cache=False, bos_token_id=0,
            eos_token_id=0, attn_implementation="sdpa")
        self.inner = transformers.GPT2LMHeadModel(config).train()

    def forward(self, inputs_BT, targets_BT):
        logits_BTV = self.inner(inputs_BT).logits
        return F.cross_entropy(logits_BTV.flatten(0, 1), targets_BT.flatten())


class NanoGPT(nn.Module):
    def __init__(self, checkout, layers, width, heads, context, vocab):
        super().__init__()
        sys.path.insert(0, checkout)
        import model  # nanoGPT's model.py
        sys.stdout, stdout = sys.stderr, sys.stdout
        self.inner = model.GPT(model.GPTConfig(block_size=context, vocab_size=vocab, n_layer=layers, n_head=heads,
                                               n_embd=width, dropout=0.0, bias=True))
        sys.stdout = stdout

    def forward(self, inputs_BT, targets_BT):
        return self.inner(inputs_BT, targets_BT)[1]


def make_model(a):
    sizes = (a.layers, a.width, a.heads, a.context, a.vocab)
    if a.impl.startswith("nanogpt"):
        model = NanoGPT(a.nanogpt, *sizes)
    else:
        model = (TransformersGPT2 if a.impl == "transformers" else PlainGPT2)(*sizes)
    return torch.compile(model) if a.impl.endswith("compile") else model


def resident_mib():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() >> 20


# The passes over a process's share of a batch. DDP exchanges gradients during the last one.
def backward(model, ids, a):
    parts = ids.chunk(a.passes)
    for i, part in enumerate(parts):
        waits = a.ddp and i + 1 < len(parts)
        with model.no_sync() if waits else contextlib.nullcontext():
            with torch.autocast(a.device, torch.bfloat16, enabled=a.bf16):
                loss = model(part[:, :-1].contiguous(), part[:, 1:].contiguous()) / len(parts)
            loss.backward()
    return loss * len(parts)


def make_step(model, batches, a):
    matrices = [p for p in model.parameters() if p.dim() == 2]
    others = [p for p in model.parameters() if p.dim() != 2]
    optimizer = torch.optim.AdamW([{"params": matrices, "weight_decay": 0.1},
                                   {"params": others, "weight_decay": 0.0}],
                                  lr=1e-3, betas=(0.9, 0.95), eps=1e-8, fused=True)

    def step(i):
        ids = batches[i % len(batches)]
        loss = backward(model, ids, a)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.item()

    return step


def seconds_of(work):
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def time_training(a):
    torch.manual_seed(a.seed)
    before = resident_mib()
    model = make_model(a).to(a.device)
    count = sum(p.numel() for p in model.parameters())
    if a.ddp:
        model = nn.parallel.DistributedDataParallel(model, gradient_as_bucket_view=True)  # on the current device
    batches = [torch.randint(0, a.vocab, (a.batch, a.context + 1), device=a.device) for _ in range(8)]
    step = make_step(model, batches, a)
    first, loss = seconds_of(lambda: step(0))
    for i in range(1, a.warmup):
        step(i)
    times, cpu_times = [], []
    while len(times) < a.steps and sum(times) < a.seconds:
        cpu_start = time.process_time()
        taken, loss = seconds_of(lambda: step(a.warmup + len(times)))
        times.append(taken)
        cpu_times.append(time.process_time() - cpu_start)
    tokens, median = a.batch * a.context, statistics.median(times)
    return {"impl": a.impl, "layers": a.layers, "width": a.width, "heads": a.heads, "batch": a.batch,
            "context": a.context, "vocab": a.vocab, "threads": a.threads, "params": count,
            "steps": len(times), "steps_ms": [round(t * 1e3, 2) for t in times],
            "tokens_per_second": round(tokens / median, 1),
            "tokens_per_second_mean": round(tokens * len(times) / sum(times), 1),
            "step_ms": round(median * 1e3, 2), "best_step_ms": round(min(times) * 1e3, 2),
            "best_cpu_ms": round(min(cpu_times) * 1e3, 2),
            "first_step_ms": round(first * 1e3, 1), "loss": round(loss, 5),
            "peak_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, "start_rss_mib": before}


def time_sgemm(a):
    result = {"impl": "sgemm", "threads": a.threads}
    for n in (1024, 2048):
        x, y = torch.randn(n, n), torch.randn(n, n)
        for _ in range(3):
            x @ y
        times = [seconds_of(lambda: x @ y)[0] for _ in range(max(10, 40 * 1024 // n))]
        result[f"gflops_{n}"] = round(2 * n**3 / statistics.median(times) / 1e9, 1)
        result[f"gflops_{n}_best"] = round(2 * n**3 / min(times) / 1e9, 1)
    return result


def main():
    parser = argparse.ArgumentParser(description="time PyTorch training steps of a GPT-2")
    for name, fallback in dict(layers=4, width=128, heads=4, batch=16, context=128, vocab=256, threads=2,
                               steps=50, warmup=3, seed=1, passes=1).items():
        parser.add_argument(f"--{name}", type=int, default=fallback)
    parser.add_argument("--impl", default="plain",
                        choices=("plain", "compile", "transformers", "nanogpt", "nanogpt-compile"))
    parser.add_argument("--ddp", action="store_true", help="one process of several; --batch is its share")
    parser.add_argument("--nanogpt", help="a checkout of nanoGPT")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--bf16", action="store_true", help="products in bfloat16")
    parser.add_argument("--seconds", type=float, default=60, help="time no longer than this")
    parser.add_argument("--sgemm-peak", action="store_true", help="GFLOP/s of square matrix products")
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    if a.ddp:
        if a.device == "cuda":
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        torch.distributed.init_process_group("nccl" if a.device == "cuda" else "gloo")
    result = time_sgemm(a) if a.sgemm_peak else time_training(a)
    if not a.ddp or torch.distributed.get_rank() == 0:
        print(json.dumps(result), flush=True)
    if a.ddp:
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
