#!/usr/bin/env python3
"""Scores raw uint16 token ids with the programs that exported models are for, as `stagedtrain eval` does.

  score_elsewhere.py IDS.bin --context T --folder FOLDER    by transformers (needs torch)
  score_elsewhere.py IDS.bin --context T --gguf FILE        by llama.cpp (needs xllamacpp)

Prints the mean loss in nats per token over consecutive windows of T predictions. Uses two threads, or as many as
OMP_NUM_THREADS says.
"""
import argparse
import ctypes
import os

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


class LlamaBatch(ctypes.Structure):
    """llama_batch of llama.h."""
    _fields_ = [("n_tokens", ctypes.c_int32), ("token", ctypes.POINTER(ctypes.c_int32)), ("embd", ctypes.c_void_p),
                ("pos", ctypes.POINTER(ctypes.c_int32)), ("n_seq_id", ctypes.POINTER(ctypes.c_int32)),
                ("seq_id", ctypes.POINTER(ctypes.POINTER(ctypes.c_int32))), ("logits", ctypes.POINTER(ctypes.c_int8))]


class LlamaParams(ctypes.Structure):
    """Parameters of a model or context, as llama.cpp fills them in: only passed on. At least as large as either."""
    _fields_ = [("content", ctypes.c_uint64 * 64)]


def llama_library():
    """The functions of llama.h in xllamacpp's module: its own interface gives no probabilities of a prompt's tokens."""
    import xllamacpp.xllamacpp
    library = ctypes.CDLL(xllamacpp.xllamacpp.__file__)
    for name, result, arguments in (
            ("model_default_params", LlamaParams, []), ("context_default_params", LlamaParams, []),
            ("model_load_from_file", ctypes.c_void_p, [ctypes.c_char_p, LlamaParams]),
            ("init_from_model", ctypes.c_void_p, [ctypes.c_void_p, LlamaParams]),
            ("set_n_threads", None, [ctypes.c_void_p, ctypes.c_int32, ctypes.c_int32]),
            ("n_batch", ctypes.c_uint32, [ctypes.c_void_p]), ("n_ctx", ctypes.c_uint32, [ctypes.c_void_p]),
            ("model_get_vocab", ctypes.c_void_p, [ctypes.c_void_p]), ("vocab_n_tokens", ctypes.c_int32, [ctypes.c_void_p]),
            ("batch_init", LlamaBatch, [ctypes.c_int32] * 3), ("decode", ctypes.c_int32, [ctypes.c_void_p, LlamaBatch]),
            ("get_logits_ith", ctypes.POINTER(ctypes.c_float), [ctypes.c_void_p, ctypes.c_int32]),
            ("get_memory", ctypes.c_void_p, [ctypes.c_void_p]), ("memory_clear", None, [ctypes.c_void_p, ctypes.c_bool])):
        function = getattr(library, "llama_" + name)
        function.restype, function.argtypes = result, arguments
    return library


def llama_cpp_losses(path, context):
    llama = llama_library()
    llama.llama_backend_init()
    model = llama.llama_model_load_from_file(str(path).encode(), llama.llama_model_default_params())
    assert model, f"{path}: llama.cpp does not load it"
    run = llama.llama_init_from_model(model, llama.llama_context_default_params())
    assert min(llama.llama_n_ctx(run), llama.llama_n_batch(run)) >= context, "llama.cpp's default context is too short"
    llama.llama_set_n_threads(run, THREADS, THREADS)
    vocab = llama.llama_vocab_n_tokens(llama.llama_model_get_vocab(model))
    batch = llama.llama_batch_init(context, 0, 1)

    def losses(ids, targets):
        batch.n_tokens = len(ids)
        for place, token in enumerate(ids):
            batch.token[place], batch.pos[place], batch.n_seq_id[place] = int(token), place, 1
            batch.seq_id[place][0], batch.logits[place] = 0, 1
        llama.llama_memory_clear(llama.llama_get_memory(run), True)
        assert llama.llama_decode(run, batch) == 0
        rows = [numpy.ctypeslib.as_array(llama.llama_get_logits_ith(run, place), (vocab,)) for place in range(len(ids))]
        logits = numpy.stack(rows).astype(numpy.float64)
        largest = logits.max(1)
        sums = largest + numpy.log(numpy.exp(logits - largest[:, None]).sum(1))
        return list(sums - logits[numpy.arange(len(ids)), targets])
    return losses


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
