#!/usr/bin/env python3
"""Prints the table of losses that scripts/grow_real_model.sh has collected and writes them as a page.

  real_model_page.py DIR TOKENS     reads DIR/losses.tsv, losses on TOKENS tokens, and what lies beside it;
                                    writes DIR/report.html

The page has the losses by program, the plan of each training beside what was measured, the loss while
it trained and a text before and after. Everything but the losses is left out where it is missing.
"""
import base64
import html
import json
import pathlib
import re
import sys

PROGRAMS = ("stagedtrain", "transformers", "llama.cpp")
STYLE = """body{font:16px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#222}
table{border-collapse:collapse;margin:1em 0}th,td{padding:.3em .6em;border-bottom:1px solid #ccc;text-align:right}
th:first-child,td:first-child{text-align:left}td+td{white-space:nowrap}pre{white-space:pre-wrap;background:#f4f4f4;padding:1em}img{max-width:100%}"""


def read_losses(path):
    """{model: {program: loss}} in the order in which the models were scored."""
    losses = {}
    for line in path.read_text().splitlines():
        model, program, loss = line.split("\t")
        losses.setdefault(model, {})[program] = loss
    return losses


def loss_rows(losses):
    yield ["model", *PROGRAMS, "largest difference"]
    for model, by in losses.items():
        values = [float(loss) for loss in by.values()]
        difference = f"{max(values) - min(values):.5f}" if len(values) > 1 else ""
        yield [model, *(by.get(program, "") for program in PROGRAMS), difference]


def as_text(rows):
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def as_table(rows):
    lines = []
    for number, row in enumerate(rows):
        kind = "td" if number else "th"
        lines.append("<tr>" + "".join(f"<{kind}>{html.escape(cell)}</{kind}>" for cell in row) + "</tr>")
    return "<table>" + "".join(lines) + "</table>"


def last_event(run, kind):
    events = [json.loads(line) for line in (run / "run.jsonl").read_text().splitlines()]
    return [event for event in events if event["event"] == kind][-1]


def training_rows(folder):
    """What `plan` said of each training, and what it was; [] if nothing was trained."""
    plans = {path.name.split(".")[0]: json.loads(path.read_text()) for path in sorted(folder.glob("*.plan.json"), reverse=True)}
    if not plans:
        return []
    before = json.loads((folder / "before.json").read_text())
    with_error = "{loss:.4f} ± {stderr:.4f}".format
    rows = [["precision", "steps", "memory, planned", "measured", "time, planned", "measured", "loss before", "after"]]
    for precision, plan in plans.items():
        end, step = (last_event(folder / f"run-{precision}", kind) for kind in ("end", "step"))
        rows.append([precision, str(plan["total_steps"]),
                     memory(plan["stages"][0]["memory_bytes"]), memory(step["memory_bytes"]),
                     f"{plan['costs']['total']['training_seconds']:.0f} s", f"{end['seconds']:.0f} s",
                     with_error(**before), with_error(**end)])
    return rows


def memory(size):
    return f"{size / 2**30:.1f} GiB" if size >= 2**29 else f"{size / 2**20:.0f} MiB"


def training_picture(folder):
    """The first figure of `stagedtrain report`'s page, as an image of its own."""
    page = folder / "training.html"
    found = page.exists() and re.search(r'href="data:image/svg\+xml;base64,([^"]*)"', page.read_text())
    if not found:
        return ""
    svg = base64.b64decode(found[1]).decode().replace('fill="none"', 'fill="white"', 1)
    data = base64.b64encode(svg.encode()).decode()
    return f'<h2>The loss while training</h2><img alt="loss against steps" src="data:image/svg+xml;base64,{data}">'


def samples(folder):
    texts = [(title, folder / name) for title, name in (("As imported", "before.txt"), ("Deeper, trained in fp32", "after.txt"))]
    return "".join(f"<h3>{title}</h3><pre>{html.escape(path.read_text())}</pre>" for title, path in texts if path.exists())


def page(folder, tokens, losses):
    model = json.loads((folder / "model.json").read_text())
    parts = ["<!doctype html><html lang='en'><meta charset='utf-8'><title>A grown model</title>",
             f"<style>{STYLE}</style><h1>A pretrained model, grown</h1>",
             f"<p>{model['parameters']:,} parameters as imported. Mean loss in nats per token on the first {tokens} tokens ",
             "of the validation text, by the program that computed it. Where weights are quantised, llama.cpp rounds ",
             "activations too, so its losses differ there.</p>", as_table(loss_rows(losses))]
    training = training_rows(folder)
    if training:
        parts += ["<h2>Training the new layers</h2><p>One seed. Losses are on the validation text, ± their standard ",
                  "error over windows; the memory and time planned are those that <code>plan</code> gave beforehand.</p>",
                  as_table(training), training_picture(folder)]
        parts.append("<h2>A text before and after</h2><p>The likeliest tokens after “Light”.</p>" + samples(folder))
    return "".join(parts) + "</html>\n"


def main():
    folder, tokens = pathlib.Path(sys.argv[1]), sys.argv[2]
    losses = read_losses(folder / "losses.tsv")
    print(as_text(list(loss_rows(losses))))
    training = training_rows(folder)
    if training:
        print("\n" + as_text(training))
    (folder / "report.html").write_text(page(folder, tokens, losses))
    print(f"\nThe page: {folder / 'report.html'}")


if __name__ == "__main__":
    main()
