#!/usr/bin/env python3
"""Compares the ids of `stagedtrain data` with those of `tokenizers` and `tiktoken`, on random strings.

  .deps/readers/bin/python tests/data/with_tokenizers.py --program build/test/stagedtrain [--strings 20000]

A byte-level BPE is trained on the project's own pages. It is used with each split of words that a tokenizer.json may
have, and as a rank file. The strings mix scripts, emoji, code, digits and white space; each is a document of its own.
Leaves with 77, skipped, where tokenizers, tiktoken or numpy are missing (scripts/setup.sh --tests makes a Python that
has them).
"""
import argparse
import base64
import collections
import itertools
import json
import pathlib
import random
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
try:
    import numpy
    import tiktoken
    import tokenizers
    from tiktoken_ext.openai_public import r50k_pat_str

    import make_tokenizer_golden as golden
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

END = "<|endoftext|>"
GPT2_RANKS = 50256  # by which a rank file is taken for one of GPT-2's split


def strings(count):
    rng = random.Random(5)
    for _ in range(count):
        yield golden.random_text(rng).replace(END, "<|end|>") or " "


def our_ids(program, folder, texts, tokenizer, end):
    """The ids of each text, which is a document of JSON lines, in the order of the files. `end` is the separator's id."""
    (folder / "texts.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    done = subprocess.run([program, "data", folder / "texts.jsonl", "--out", folder / "out", "--tokenizer", tokenizer,
                           "--separator", END, "--split", "document", "--format", "nanogpt", "--force"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for part in ("train", "val"):
        ids = numpy.fromfile(folder / "out" / f"{part}.bin", numpy.uint16)
        for number, piece in enumerate(numpy.split(ids, numpy.flatnonzero(ids == end))[:-1]):
            yield tuple(piece.tolist()[number > 0:])


def compare(name, ours, theirs, texts):
    """Every text's ids occur as often in ours; some documents are in the other file, so order says nothing."""
    left = collections.Counter(ours)
    left.subtract(map(tuple, theirs))
    text_of = dict(zip(map(tuple, theirs), texts))
    wrong = [ids for ids, count in left.items() if count < 0]
    print(f"{'FAIL' if any(left.values()) else 'ok  '} {name}: {len(texts)} strings, {len(wrong)} with other ids", flush=True)
    for ids in wrong[:3]:
        print(f"  {text_of[ids]!r}: expected {ids}")
    return sum(map(abs, left.values()))


def byte_tokens(tokenizer):
    """The bytes of each token, by id, without the added ones."""
    alphabet = {character: byte for byte, character in byte_alphabet().items()}
    text = json.loads(tokenizer.to_str())
    added = {one["content"] for one in text["added_tokens"]}
    return [bytes(alphabet[c] for c in token)
            for token, _ in sorted(text["model"]["vocab"].items(), key=lambda item: item[1]) if token not in added]


def byte_alphabet():
    """GPT-2's character of each byte."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in kept]
    return {byte: chr(byte if byte in kept else 256 + others.index(byte)) for byte in range(256)}


def ranks(tokenizer):
    """The tokens by rank, filled up to GPT-2's number with merges of bytes that UTF-8 never has."""
    tokens = byte_tokens(tokenizer)
    never = [bytes([byte]) for byte in range(0xF5, 0x100)]
    filling = (b"".join(parts) for size in (2, 3, 4, 5) for parts in itertools.product(never, repeat=size))
    return tokens + list(itertools.islice(filling, GPT2_RANKS - len(tokens)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--strings", type=int, default=20000, help="with each of six tokenizers")
    options = parser.parse_args()
    texts = list(strings(options.strings))
    tokenizer = golden.trained(ROOT)
    wrong = 0
    with tempfile.TemporaryDirectory() as top:
        folder = pathlib.Path(top)
        for kind in ("gpt2", "llama3", "qwen2", "smollm", "none"):
            tokenizer.pre_tokenizer = golden.pre_tokenizer(kind)
            tokenizer.save(str(folder / "tokenizer.json"))
            theirs = [one.ids for one in tokenizer.encode_batch(texts, add_special_tokens=False)]
            ours = our_ids(options.program, folder, texts, folder / "tokenizer.json", tokenizer.token_to_id(END))
            wrong += compare(f"tokenizers, split {kind}", ours, theirs, texts)
        tokens = ranks(tokenizer)
        (folder / "gpt2.tiktoken").write_text("".join(f"{base64.b64encode(token).decode()} {rank}\n"
                                                      for rank, token in enumerate(tokens)))
        encoding = tiktoken.Encoding("gpt2", pat_str=r50k_pat_str, special_tokens={END: GPT2_RANKS},
                                     mergeable_ranks={token: rank for rank, token in enumerate(tokens)})
        theirs = [encoding.encode_ordinary(text) for text in texts]
        ours = our_ids(options.program, folder, texts, folder / "gpt2.tiktoken", GPT2_RANKS)
        wrong += compare("tiktoken, GPT-2", ours, theirs, texts)
    print("some ids differ" if wrong else "all ids are equal")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
