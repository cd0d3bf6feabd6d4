#!/usr/bin/env python3
"""Speed of `stagedtrain data` with byte-level BPE against the `tokenizers` library, on the same text and cores.

usage: tokenizer_bench.py TEXT TOKENIZER.json [--program build/release/stagedtrain] [--threads 2] [--rounds 3]

Needs `pip install tokenizers`. Both are run in turns; the best of the rounds counts. Ours is the whole command: it
reads the tokenizer and the text, checks UTF-8 and that nothing is lost, and writes both files. The library only encodes,
from strings of 64 KiB that are in memory already.
"""
import argparse
import os
import pathlib
import subprocess
import tempfile
import time


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=pathlib.Path)
    parser.add_argument("tokenizer")
    parser.add_argument("--program", default="build/release/stagedtrain")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    os.environ["RAYON_NUM_THREADS"] = str(options.threads)  # before the library starts its threads
    import tokenizers

    library = tokenizers.Tokenizer.from_file(options.tokenizer)
    text, size = options.text.read_text(), options.text.stat().st_size
    pieces = [text[i : i + 65536] for i in range(0, len(text), 65536)]
    best = {"stagedtrain": 0.0, "tokenizers": 0.0}
    for _ in range(options.rounds):
        start = time.perf_counter()
        library.encode_batch_fast(pieces, add_special_tokens=False)
        best["tokenizers"] = max(best["tokenizers"], size / (time.perf_counter() - start))
        with tempfile.TemporaryDirectory() as folder:
            command = [options.program, "data", options.text, "--tokenizer", options.tokenizer, "--out", folder]
            start = time.perf_counter()
            subprocess.run([*command, "--threads", str(options.threads)], check=True, stdout=subprocess.DEVNULL)
            best["stagedtrain"] = max(best["stagedtrain"], size / (time.perf_counter() - start))
    for name, speed in best.items():
        print(f"{name:12} {speed / 1e6:8.2f} MB/s")
    print(f"ratio        {best['stagedtrain'] / best['tokenizers']:8.2f}")


if __name__ == "__main__":
    main()
