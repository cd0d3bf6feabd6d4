#!/usr/bin/env python3
"""Scores raw uint16 token ids with the programs that exported models are for, as `stagedtrain eval` does.

  score_elsewhere.py IDS.bin --context T --folder FOLDER    by transformers (needs torch)
  score_elsewhere.py IDS.bin --context T --gguf FILE        by llama.cpp (needs xllamacpp)

Prints the mean loss in nats per token over consecutive windows of T predictions. Uses two threads, or as many as
OMP_NUM_THREADS says.
"""
import argparse
import os
import pathlib
import struct
import tempfile

import numpy

THREADS = int(os.environ.get("OMP_NUM_THREADS", 2))


def windows(path, context):
    """Inputs and targets of each window: rows of T ids, the targets one place further."""
    ids = numpy.fromfile(path, dtype=numpy.uint16).astype(numpy.int64)
    for start in range(0, len(ids) - context, context):
        yield ids[start:start + context], ids[start + 1:start + context + 1]


def transformers_losses(folder):
    import torch
    import transformers
    torch.set_num_threads(THREADS)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)

    def losses(ids, targets):
        with torch.no_grad():
            logits = model(torch.tensor(ids[None])).logits[0].double()
        return torch.nn.functional.cross_entropy(logits, torch.tensor(targets), reduction="none").tolist()
    return losses


def with_longer_context(path, context, folder):
    """The file, or a copy of it that promises one token more than a window has.

    The server needs room for the token that it predicts, and gives a model no more context than its file promises.
    Rotary positions do not depend on the promise.
    """
    data = pathlib.Path(path).read_bytes()
    key = b"llama.context_length" + struct.pack("<I", 4)  # type 4: uint32
    place = data.index(key) + len(key)
    if struct.unpack_from("<I", data, place)[0] > context:
        return path
    copy = pathlib.Path(folder) / "longer.gguf"
    copy.write_bytes(data[:place] + struct.pack("<I", 2 * context) + data[place + 4:])
    return copy


def llama_cpp_losses(path, context):
    """The server's own probabilities, one request for each token; it keeps what it has computed of the window."""
    import xllamacpp
    settings = xllamacpp.CommonParams()
    with tempfile.TemporaryDirectory() as folder:
        settings.model.path = str(with_longer_context(path, context, folder))
        return llama_cpp_loss_of(xllamacpp, settings, context)


def llama_cpp_loss_of(xllamacpp, settings, context):
    settings.n_ctx = settings.n_batch = settings.n_ubatch = 2 * context
    settings.n_parallel = 1
    settings.warmup = False
    settings.verbosity = -1
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = THREADS
    server = xllamacpp.Server(settings)

    def loss(before, target):
        # The bias makes the server choose the target; the probability it reports is the one before any bias.
        answer = server.handle_completions({
            "prompt": [int(token) for token in before], "n_predict": 1, "n_probs": 1, "cache_prompt": True,
            "temperature": 0, "logit_bias": [[int(target), 1e5]], "ignore_eos": False})
        assert "choices" in answer, answer
        chosen = answer["choices"][0]["logprobs"]["content"][0]
        assert chosen["id"] == target, (chosen["id"], target)
        return -chosen["logprob"]
    return lambda ids, targets: [loss(ids[:i + 1], target) for i, target in enumerate(targets)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ids")
    parser.add_argument("--context", type=int, required=True)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--folder")
    source.add_argument("--gguf")
    options = parser.parse_args()
    score = transformers_losses(options.folder) if options.folder else llama_cpp_losses(options.gguf, options.context)
    losses = [loss for ids, targets in windows(options.ids, options.context) for loss in score(ids, targets)]
    print(f"{sum(losses) / len(losses):.5f}")


if __name__ == "__main__":
    main()
