#!/usr/bin/env python3
"""Makes tests/golden/tokenizers.json: ids that the `tokenizers` library gives for random strings.

usage: make_tokenizer_golden.py [--strings 200] [--tokenizer FILE.json] [--out FILE]   Needs `tokenizers`.

A small byte-level BPE is trained on the project's own pages; or a real tokenizer.json is taken. The file
holds the tokenizer.json and a list of splits {name, pre_tokenizer, cases: [[text, ids], ...]}. tests/tokenizers/bpe_tokenizer_test.cc reads it, or the file that STAGEDTRAIN_TOKENIZER_CASES
names; with --strings 10000 --out cases.json that is the long comparison.
"""
import argparse
import json
import pathlib
import random

import tokenizers
from tokenizers import Regex, decoders, models, pre_tokenizers, trainers

SPLIT = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
         r"|\s+(?!\S)|\s+")
PARTS = ["hello", "World", "growth", " the", " a", "'s", "'LL", "'ve", "don't", "1", "23", "4567890", "٣٤", "Ⅷ½", "\n", "\n\n", "\r\n",
         " ", "  ", "     ", "\t", " ", " ", "　", "\u180e", "é", "é", "ß", "Ж", "привет", "漢字", "かな", "한국어", "🙂", "👩‍👩‍👧", "‮", "{}",
         "();", "==>", "...", "#!", "_", "-", "<|endoftext|>", "<|end", "<|im_start|>", "\x00", "\x7f", "´", "﷽", "𝒳", "²", "़", "हिन्दी",
         "שלום", "العربية", "ไทย", "ქართული", "Ελληνικά", "Ǆǅǆ", "ﬁ", "İı", "ﾊﾟ", "０１２", "𝟘𝟙", "१२३", "⅔", "①", "\u00a0", "\u0085", "\u2028",
         "\u202f", "\u200b", "\u200d", "\ufeff", "\ufffd", "\u0301", "\u0345", "🏳️‍🌈", "👍🏽", "🇩🇪", "\U0010ffff", "\ue000", "def f(x):\n\treturn x",
         "for (int i = 0; i < n; ++i)", "a->b::c", "/* */", "// ", "<p class=\"x\">", "''", '"', "I'Ll", "we'd", "´s", "’s", "'S", "'ſ", "x'", "\v", "\f",
         "\r", "\r\n\r\n", " \n ", "\n  ", "\t\t", "1e-5", "3.14", "1,000", "0x7F", "$100", "50%", "C++", "naïve", "日本語123", "٪", "€"]


def pre_tokenizer(kind):
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=kind in ("gpt2", "smollm"))
    if kind == "smollm":
        return pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), level])
    if kind in ("llama3", "qwen2"):
        pattern = Regex(SPLIT % ("{1,3}" if kind == "llama3" else ""))
        return pre_tokenizers.Sequence([pre_tokenizers.Split(pattern, "isolated"), level])
    return level


def trained(root):
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer("gpt2")
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=640, show_progress=False, special_tokens=["<|endoftext|>", "<|im_start|>"],
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator([(root / "docs" / name).read_text() for name in ("growth.md", "house.md")], trainer)
    return tokenizer


def random_text(rng):
    def part():
        if rng.random() < 0.75:
            return rng.choice(PARTS)
        return chr(rng.choice([rng.randrange(32, 127), rng.randrange(160, 0x2fff), rng.randrange(0x3000, 0xd7ff),
                               rng.randrange(0x1f300, 0x1f6ff)]))
    return "".join(part() for _ in range(rng.randrange(0, 14)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    root = pathlib.Path(__file__).resolve().parent.parent
    parser.add_argument("--strings", type=int, default=200)
    parser.add_argument("--tokenizer")
    parser.add_argument("--out", default=root / "tests/golden/tokenizers.json")
    options = parser.parse_args()
    rng = random.Random(11)
    tokenizer = tokenizers.Tokenizer.from_file(options.tokenizer) if options.tokenizer else trained(root)
    base, splits = json.loads(tokenizer.to_str()), []
    for kind in ["given"] if options.tokenizer else ["gpt2", "llama3", "qwen2", "smollm", "none"]:
        if kind != "given":
            tokenizer.pre_tokenizer = pre_tokenizer(kind)
        texts = [random_text(rng) for _ in range(options.strings)]
        cases = [[text, tokenizer.encode(text, add_special_tokens=False).ids] for text in texts]
        splits.append({"name": kind, "pre_tokenizer": json.loads(tokenizer.to_str())["pre_tokenizer"], "cases": cases})
    entries = {"tokenizer": base, "splits": splits}
    pathlib.Path(options.out).write_text(json.dumps(entries, ensure_ascii=False, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
