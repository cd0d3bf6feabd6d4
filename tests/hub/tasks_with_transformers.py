#!/usr/bin/env python3
"""Compares `stagedtrain eval --tasks` with transformers: log-likelihoods, accuracies and perplexity.

  tasks_with_transformers.py --program build/test/stagedtrain [--model FILE.gguf] [--examples 120]

The rules of lm-evaluation-harness are written out below, from its description: spaces at the end of a context
belong to the continuation; both are encoded together, and the context also alone; the beginning of a long text is cut off; acc_norm divides by
the characters of the choice. Without --model a random llama with a tokenizer of its own is scored, whose context is
shorter than some of the texts. Leaves with 77, skipped, where torch, transformers or tokenizers are missing.
"""
import argparse
import json
import math
import pathlib
import random
import subprocess
import sys
import tempfile

try:
    import tokenizers
    import torch
    import transformers
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

LIMIT = 1e-4  # of a log-likelihood, in nats
WORDS = ("the old river naïve 数字 über 7 1,024 don't (see) \U0001f642 Light word word. of of a to and x=y; ----- "
         "Zürich tokens growth layer").split()


def program(path, *arguments):
    done = subprocess.run([path, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, arguments))}: exit {done.returncode}\n{done.stderr}")
    return done.stdout


def random_text(rng, words):
    return rng.choice((" ", " ", "  ", "\n")).join(rng.choice(WORDS) for _ in range(words))


def examples(rng, count, longest):
    """Multiple choice and last words; contexts that end in white space, continuations with and without a space."""
    for number in range(count):
        if number % 3 == 2:
            yield {"text": random_text(rng, rng.randrange(2, longest)) + " " + rng.choice(WORDS)}
            continue
        end = rng.choice(("", "", "", " ", "  ", "\n", ":\n\n", "\t", "\u00a0", "\u3000 ", "\v"))
        start = rng.choice((" ", " ", "", "  "))
        choices = [start + random_text(rng, rng.randrange(1, 5)) for _ in range(rng.randrange(2, 5))]
        yield {"context": "Q: " + random_text(rng, rng.randrange(1, longest)) + end, "continuations": choices,
               "gold": rng.randrange(len(choices))}


def random_model(folder):
    """A random llama of odd sizes, whose BPE is trained on its own words."""
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    alphabet = tokenizers.pre_tokenizers.ByteLevel.alphabet()
    rng = random.Random(5)
    tokenizer.train_from_iterator((random_text(rng, 30) for _ in range(200)),
                                  tokenizers.trainers.BpeTrainer(vocab_size=330, initial_alphabet=alphabet,
                                                                  show_progress=False))
    torch.manual_seed(3)
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(
        vocab_size=tokenizer.get_vocab_size(), hidden_size=36, intermediate_size=52, num_hidden_layers=3,
        num_attention_heads=6, num_key_value_heads=2, max_position_embeddings=61))
    with torch.no_grad():
        for tensor in model.parameters():
            tensor.mul_(5 if tensor.dim() > 1 else 1)
    model.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))


class Reference:
    """What lm-evaluation-harness computes with transformers' model of a folder."""

    def __init__(self, folder, context):
        self.model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        self.tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.context = context

    def ids(self, text):
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def score(self, context, continuation):
        """The log-likelihood of a continuation, and whether each of its tokens is the likeliest."""
        kept = context.rstrip()
        continuation = context[len(kept):] + continuation
        before = self.ids(kept)
        whole = before + self.ids(kept + continuation)[len(before):]
        count = len(whole) - len(before)
        whole = whole[-(self.context + 1):]
        with torch.no_grad():
            logits = self.model(torch.tensor([whole[:-1]])).logits[0, -count:].double()
        wanted = torch.tensor(whole[-count:])
        each = torch.log_softmax(logits, 1).gather(1, wanted[:, None])
        return float(each.sum()), bool((logits.argmax(1) == wanted).all())


def expected(reference, tasks):
    """The figures of `eval --tasks --json`, computed by the reference."""
    likelihoods, hits, exact, last = [], {"acc": 0, "acc_norm": 0, "acc_bytes": 0}, 0, []
    for task in tasks:
        if "text" in task:
            words = task["text"].split(" ")
            value, greedy = reference.score(" ".join(words[:-1]), " " + words[-1])
            likelihoods.append([value])
            last.append(value)
            exact += greedy
            continue
        values = [reference.score(task["context"], choice)[0] for choice in task["continuations"]]
        choices = [choice.removeprefix(" ") for choice in task["continuations"]]
        likelihoods.append(values)
        sizes = {"acc": [1 for _ in choices], "acc_norm": list(map(len, choices)),
                 "acc_bytes": [len(choice.encode()) for choice in choices]}
        for key, by in sizes.items():
            hits[key] += max(range(len(values)), key=lambda i: values[i] / by[i]) == task["gold"]
    count = len(tasks) - len(last)
    return likelihoods, {key: hit / count for key, hit in hits.items()}, {
        "acc": exact / len(last), "perplexity": math.exp(-sum(last) / len(last))}


def compare(got, wanted):
    likelihoods, choice, last = wanted
    worst = 0.0
    failed = []
    for number, (ours, theirs) in enumerate(zip(got["log_likelihoods"], likelihoods, strict=True)):
        difference = max(abs(a - b) for a, b in zip(ours, theirs, strict=True))
        worst = max(worst, difference)
        if difference > LIMIT:
            failed.append(f"example {number}: log-likelihoods {ours}, transformers {theirs}")
    for kind, figures in (("multiple_choice", choice), ("last_word", last)):
        for key, value in figures.items():
            if not math.isclose(got[kind][key], value, rel_tol=1e-4, abs_tol=1e-12):
                failed.append(f"{kind} {key}: {got[kind][key]}, transformers {value}")
    print(f"{sum(map(len, likelihoods))} continuations, largest difference of a log-likelihood {worst:.2g}; "
          f"{choice}; {last}")
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", required=True)
    parser.add_argument("--model", help="a GGUF instead of the random model")
    parser.add_argument("--examples", type=int, default=120)
    options = parser.parse_args()
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as top:
        top = pathlib.Path(top)
        folder, checkpoint, context = top / "hf", top / "model.h5", 61
        if options.model:
            context = 256
            program(options.program, "import", options.model, checkpoint, "--context", context)
            program(options.program, "export", checkpoint, folder, "--to", "hf")
        else:
            folder.mkdir()
            random_model(folder)
            program(options.program, "import", folder, checkpoint)
        tasks = list(examples(random.Random(1), options.examples, 40))
        (top / "tasks.jsonl").write_text("".join(json.dumps(task) + "\n" for task in tasks))
        got = json.loads(program(options.program, "eval", checkpoint, "--tasks", top / "tasks.jsonl", "--json"))["tasks"]
        failed = compare(got, expected(Reference(folder, context), tasks))
    for line in failed[:20]:
        print("FAIL", line)
    print(f"{len(failed)} checks failed" if failed else "all checks passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
