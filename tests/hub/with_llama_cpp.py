#!/usr/bin/env python3
"""Lets llama.cpp run exported GGUFs of each architecture and type: its likeliest tokens, and what it writes.

  .deps/readers/bin/python tests/hub/with_llama_cpp.py --program build/test/stagedtrain [--only NAME]

The log-probabilities of its five likeliest tokens are compared with those that transformers computes from the same
GGUF, imported and exported to a folder in f32: so the weights are the same, and what differs is arithmetic (with Q8_0
llama.cpp rounds activations too). In f32 and f16 both it and `eval --sample` continue 20 prompts greedily.
Leaves with 77, skipped, where xllamacpp, torch, transformers or gguf are missing (scripts/setup.sh --tests makes a
Python that has them).
"""
import argparse
import json
import pathlib
import struct
import sys
import tempfile
import urllib.request

try:
    import tokenizers
    import torch
    import transformers
    import xllamacpp
    from transformers.utils import sentencepiece_model_pb2_new as sentencepiece

    import real_readers
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

LIMITS = {"f32": 5e-3, "f16": 5e-3, "bf16": 2e-2, "q8_0": 0.2}  # of a log-probability, in nats
SIZES = {name: sizes for name, (_, sizes) in real_readers.ARCHITECTURES.items()}
SIZES["llama with experts"] = "heads: 4, kv_heads: 2, experts: 3"
SIZES["qwen3 with experts"] = "heads: 4, kv_heads: 2, head_dim: 10, experts: 3"
SIZES["olmoe with experts"] = "heads: 4, experts: 3, norm_topk: false"
# Without its scaling, the model of "llama3" differs by 1.4e-3.
ROPE_LIMITS = LIMITS | {"f32": 3e-4}
ROPE = "heads: 4, kv_heads: 2, rope_factor: 4, rope_scaling: "
SIZES["llama with linear rope"] = ROPE + "linear"
SIZES["llama with llama3 rope"] = ROPE + "llama3, rope_low: 0.5, rope_high: 3, rope_original: 24"
GREEDY = ("gpt2", "llama")  # each of their prompts starts the program once
PROMPTS = [f"line {number * 7} of " for number in range(20)]
CONTEXT = 64
NEW_TOKENS = 32
FAILED = []


def check(what, value, limit):
    good = value <= limit
    print(f"{'ok  ' if good else 'FAIL'} {what}: {value:.3g} (at most {limit:g})", flush=True)
    if not good:
        FAILED.append(what)


def server_of(path):
    settings = xllamacpp.CommonParams()
    settings.model.path = str(path)
    settings.n_ctx = settings.n_batch = settings.n_ubatch = CONTEXT
    settings.n_parallel = 1
    settings.warmup = False
    settings.verbosity = -1
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = 1
    return xllamacpp.Server(settings)


def complete(server, ids, **options):
    answer = server.handle_completions({"prompt": ids, "temperature": 0, "cache_prompt": False, "ignore_eos": False,
                                        **options})
    assert "choices" in answer, answer
    return answer["choices"][0]


def top_five_difference(server, model, prompts):
    worst = 0
    for ids in prompts:
        with torch.no_grad():
            exact = torch.log_softmax(model(torch.tensor([ids])).logits[0, -1].double(), -1)
        top = complete(server, ids, n_predict=1, n_probs=5)["logprobs"]["content"][0]["top_logprobs"]
        assert len(top) == 5, top
        worst = max(worst, *(abs(one["logprob"] - float(exact[one["id"]])) for one in top))
    return worst


def different_texts(server, checkpoint):
    """How many prompts llama.cpp continues differently from us."""
    different = 0
    for prompt in PROMPTS:
        ours = real_readers.program("eval", checkpoint, "--sample", NEW_TOKENS, "--prompt", prompt, "--temperature", 0,
                                    "--threads", 1)
        theirs = complete(server, list(prompt.encode()), n_predict=NEW_TOKENS)["text"]
        different += ours.rstrip("\n").removeprefix(prompt) != theirs.rstrip("\n")
    return different


def check_architecture(folder, name):
    checkpoint = real_readers.make_checkpoint(folder, name.split()[0], SIZES[name], "true", CONTEXT)
    for dtype, limit in (ROPE_LIMITS if "rope" in name else LIMITS).items():
        path, back = folder / f"{dtype}.gguf", folder / f"{dtype}.h5"
        real_readers.program("export", checkpoint, path, "--to", "gguf", "--dtype", dtype)
        real_readers.program("import", path, back)
        real_readers.program("export", back, folder / dtype, "--to", "hf")
        model = transformers.AutoModelForCausalLM.from_pretrained(folder / dtype, dtype=torch.float32)
        server = server_of(path)
        check(f"{name}, {dtype}: log-probabilities of the five likeliest tokens",
              top_five_difference(server, model, [list(prompt.encode()) for prompt in PROMPTS]), limit)
        if name in GREEDY and dtype in ("f32", "f16"):
            check(f"{name}, {dtype}: prompts that llama.cpp continues differently", different_texts(server, back), 0)


# ---- SentencePiece models.

TEXT = "The cat  sat on the mat. naïve 数字 \U0001f642 don't\n\n\tthe end of 1,024 lines; über \u00a0 x\n"


def pieces_of(text):
    """A SentencePiece model of the kind bpe, trained on a text: its merges, then its characters, and all bytes."""
    trained = tokenizers.Tokenizer(tokenizers.models.BPE())
    trained.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace()
    trained.train_from_iterator([text], tokenizers.trainers.BpeTrainer(vocab_size=200, show_progress=False))
    merges = ["".join(pair) for pair in json.loads(trained.to_str())["model"]["merges"]]
    words = list(dict.fromkeys(merges + sorted(set(text.replace(" ", "▁")) - set("\n\tü\U0001f642"))))
    model = sentencepiece.ModelProto()
    kinds = model.SentencePiece.Type
    for piece, kind in [("<unk>", kinds.UNKNOWN), ("<s>", kinds.CONTROL), ("</s>", kinds.CONTROL)] + [
            (f"<0x{byte:02X}>", kinds.BYTE) for byte in range(256)]:
        model.pieces.add(piece=piece, score=0, type=kind)
    for rank, word in enumerate(words):
        model.pieces.add(piece=word, score=-rank)
    model.trainer_spec.model_type = model.trainer_spec.ModelType.BPE
    model.trainer_spec.byte_fallback = True
    model.normalizer_spec.name = "identity"
    model.normalizer_spec.remove_extra_whitespaces = False
    return model.SerializeToString(), len(model.pieces)


def check_pieces(folder):
    """Ids of texts: those of the SentencePiece library, with which `data` encodes, and those of llama.cpp."""
    training = (pathlib.Path(__file__).parents[2] / "docs" / "growth.md").read_text() + TEXT
    spec, count = pieces_of(training)
    (folder / "pieces.model").write_bytes(spec)
    texts = [TEXT, training[:20000]]
    for number, text in enumerate(texts):
        (folder / f"{number}.txt").write_text(text)
    (folder / "s.yaml").write_text(f"""
data: {{train: {folder}/data/train.bin, validation: {folder}/data/validation.bin}}
model: {{architecture: llama, layers: 1, width: 32, heads: 4, ffn: 64, context: 24, vocab: {count}}}
batch: {{sequences: 4}}
lr: {{peak: 0.05, warmup: 1, decay: 1}}
stages: [{{name: only, for: 1}}]
""")
    documents = [folder / "0.txt", folder / "1.txt"]
    prepare = ("data", *documents, "--split", "document", "--validation", "50%", "--tokenizer", folder / "pieces.model")
    real_readers.program(*prepare, "--out", folder / "data")
    real_readers.program(*prepare, "--out", folder / "bare", "--format", "nanogpt")
    real_readers.program("train", folder / "s.yaml", "--out", folder / "run", "--threads", 1)
    checkpoint, path = folder / "run" / "stages" / "only.h5", folder / "pieces.gguf"
    real_readers.program("export", checkpoint, path, "--to", "gguf")
    server = server_of(path)

    def ids_of(text):
        body = json.dumps({"content": text, "add_special": False}).encode()
        request = urllib.request.Request(server.listening_address + "/tokenize", body, {"Content-Type": "application/json"})
        return json.load(urllib.request.urlopen(request))["tokens"]
    ours = []
    for name in ("train.bin", "val.bin"):
        data = (folder / "bare" / name).read_bytes()
        ours.append(list(struct.unpack(f"<{len(data) // 2}H", data)))
    theirs = [ids_of(text) for text in texts]
    check(f"SentencePiece, {sum(map(len, ours))} ids: texts whose ids differ", sum(ids not in ours for ids in theirs), 0)
    real_readers.program("import", path, folder / "back.h5")
    (folder / "again").mkdir()
    real_readers.program("export", folder / "back.h5", folder / "again" / path.name, "--to", "gguf")
    check("SentencePiece: whether the GGUF changes when it is imported and exported again",
          int(path.read_bytes() != (folder / "again" / path.name).read_bytes()), 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--only", default="", help="architectures whose name begins so")
    options = parser.parse_args()
    real_readers.PROGRAM = options.program
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as top:
        for name in SIZES:
            if name.startswith(options.only):
                folder = pathlib.Path(top) / name.replace(" ", "-")
                folder.mkdir()
                check_architecture(folder, name)
        if "SentencePiece".startswith(options.only):
            folder = pathlib.Path(top) / "pieces"
            folder.mkdir()
            check_pieces(folder)
    print(f"{len(FAILED)} checks failed" if FAILED else "all checks passed")
    return 1 if FAILED else 0


if __name__ == "__main__":
    sys.exit(main())
