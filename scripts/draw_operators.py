#!/usr/bin/env python3
"""Draws docs/operators.svg: what each operator makes of one matrix and of the layers of a small model.

    python scripts/draw_operators.py PATH/TO/stagedtrain CHECKPOINT

CHECKPOINT is any small state with several layers (a run's stages/NAME.h5). The blocks are those that
`stagedtrain grow --dry-run --json` prints, so the picture cannot say anything else than the program does.
"""
import html
import json
import pathlib
import subprocess
import sys

MATRIX = "layers.0.mlp.up.weight"
SIDE, GAP, CELL_WIDTH, CELL_HEIGHT, COLUMNS = 132, 14, 300, 216, 4

# The operator, its options, and a line below the picture. W, H, F, L stand for the source's sizes.
GROWTHS = [
    ("width", ["--factor", "2"], "W on the diagonal, +N and -N in each row"),
    ("clone", ["--factor", "2"], "W / 2 everywhere, +N and -N in each row"),
    ("rms_copy", ["--width", "{W*3//2}", "--ffn", "{F*3//2}"], "copies of a half, readers divided"),
    ("lemon", ["--width", "{W*5//2}", "--ffn", "{F*5//2}", "--layers", "{L+1}"],
     "two copies, the rest padded: random readers"),
    ("expand", ["--width", "{W*3//2}", "--ffn", "{F*3//2}", "--layers", "{L+1}"],
     "new rows and new readers random, outputs zero"),
    ("mask", ["--width", "{W*3//2}", "--ffn", "{F*3//2}", "--layers", "{L+1}"],
     "all that is new is random, behind a mask"),
    ("depth", ["--factor", "2"], "each new layer after its source, outputs zero"),
    ("stack", ["--factor", "2"], "plain copies on top"),
    ("llama_pro", ["--groups", "2"], "a silent layer after each group"),
    ("upcycle", ["--experts", "4"], "each expert is the old feed-forward"),
    ("merge", ["--with", "{SELF}"], "two states on the diagonal, nothing between"),
    ("coalesce", ["--width", "2", "--layers", "2"], "means of rows and layers, columns summed"),
    ("decoalesce", ["--width", "2", "--layers", "2"], "W / 2 everywhere, layers copied"),
    ("interpolate", ["--with", "{SELF}"], "a part of each state"),
    ("vocabulary", ["--size", "{V*5//4}"], "new rows: the mean of the old, and noise"),
    ("context", ["--length", "{C*3//2}"], "old positions stretched over the new"),
]
SHOWN = {"vocabulary": "embed.token", "context": "embed.position", "upcycle": "layers.0.mlp.experts.0.up.weight"}


def run(program, *arguments):
    done = subprocess.run([program, *arguments], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(arguments)}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def filled(option, sizes):
    return str(eval(option[1:-1], {}, sizes)) if option.startswith("{") else option


def block_rows(block):
    (row, column), (rows, columns) = block["to"], block["extent"]
    return row, column, rows, columns


def draw_matrix(tensor, x, y):
    rows, columns = (tensor["shape"] + [1])[:2]
    scale = SIDE / max(rows, columns)
    out = [f'<rect class="zero" x="{x}" y="{y}" width="{columns * scale:.1f}" height="{rows * scale:.1f}"/>']
    for block in tensor["value"]:
        row, column, height, width = block_rows(block)
        kind = block["kind"]
        name = {"copy": f"copy{block.get('state', 0)}", "normal": "random", "constant": "mean"}.get(kind, "mean")
        opacity = 1.0
        if kind == "noise":
            name = "random" if abs(block["scale"]) == 1 else "noise"
        if kind == "copy":
            opacity = 0.35 + 0.65 * min(1.0, abs(block["scale"]))
        out.append(f'<rect class="{name}" x="{x + column * scale:.1f}" y="{y + row * scale:.1f}" '
                   f'width="{width * scale:.1f}" height="{height * scale:.1f}" fill-opacity="{opacity:.2f}"/>')
        if kind == "noise" and name == "noise":
            out.append(f'<text class="sign" x="{x + (column + width / 2) * scale:.1f}" '
                       f'y="{y + (row + height / 2) * scale + 4:.1f}">{"+N" if block["scale"] > 0 else "−N"}</text>')
    return out


def draw_layers(tensors, x, y):
    """From below: each layer with the number of its source; silent ones are framed only."""
    layers = {}
    for tensor in tensors:
        part = tensor["name"].split(".")
        if part[0] == "layers" and "norm_1.weight" in tensor["name"]:
            sources = sorted({b["source"].split(".")[1] for b in tensor["gradient"] + tensor["value"]
                              if b["kind"] == "copy"})
            layers[int(part[1])] = [", ".join(sources) or "new", tensor["new"], False]
    for tensor in tensors:
        if tensor["name"].endswith("attention.output.weight"):
            layers[int(tensor["name"].split(".")[1])][2] = not tensor["value"]
    height = min(20, SIDE / max(len(layers), 1))
    out = []
    for i, (source, is_new, silent) in layers.items():
        top = y + SIDE - (i + 1) * height
        kind = "silent" if silent else "new" if is_new else "old"
        out.append(f'<rect class="{kind}" x="{x}" y="{top:.1f}" width="64" height="{height - 2:.1f}"/>')
        out.append(f'<text class="layer" x="{x + 32}" y="{top + height / 2 + 3:.1f}">{source}</text>')
    return out


def cell(program, checkpoint, sizes, growth, x, y):
    name, options, words = growth
    options = [filled(option, sizes) for option in options]
    plan = run(program, "grow", checkpoint, "--operator", name, *options, "--dry-run", "--json")
    tensors = plan["steps"][-1]["tensors"]
    shown = SHOWN.get(name, MATRIX)
    tensor = next(t for t in tensors if t["name"] == shown)
    size = "x".join(str(n) for n in tensor["shape"])
    out = [f'<text class="name" x="{x}" y="{y}">{name}</text>',
           f'<text class="words" x="{x}" y="{y + 15}">{html.escape(words)}</text>',
           f'<text class="size" x="{x}" y="{y + SIDE + 40}">{shown.replace("layers.0.", "")} {size}</text>']
    return out + draw_matrix(tensor, x, y + 24) + draw_layers(tensors, x + SIDE + 30, y + 24)


STYLE = """
  text { font: 11px sans-serif; fill: #222 } .name { font: bold 14px sans-serif } .words, .size { fill: #555 }
  .sign, .layer { text-anchor: middle; font-size: 10px } .layer { fill: #fff }
  .page { fill: #fff } .zero { fill: #f2f2f2; stroke: #999 } .copy0 { fill: #3b78c3; stroke: #fff }
  .copy1 { fill: #c3573b; stroke: #fff } .random { fill: #e0a93b } .mean { fill: #5da35d } .noise { fill: none }
  .old { fill: #3b78c3 } .new { fill: #7fa8da } .silent { fill: #b9b9b9 }
  @media (prefers-color-scheme: dark) {
    text { fill: #ddd } .words, .size { fill: #aaa } .page { fill: #1b1b1b } .zero { fill: #2c2c2c; stroke: #777 }
  }
"""
LEGEND = [("copy0", "the source's numbers; paler: scaled down"), ("copy1", "another state's"),
          ("random", "random, of the source's size"), ("mean", "means"), ("zero", "zero"),
          ("old", "an old layer, with its number"), ("new", "a new layer"), ("silent", "a new layer with outputs zero")]


def legend(y):
    out = []
    for i, (kind, words) in enumerate(LEGEND):
        x, top = 20 + i % 4 * CELL_WIDTH, y + i // 4 * 20
        out.append(f'<rect class="{kind}" x="{x}" y="{top}" width="14" height="12"/>')
        out.append(f'<text x="{x + 20}" y="{top + 10}">{words}</text>')
    return out


def main():
    program, checkpoint = sys.argv[1:3]
    model = run(program, "show", checkpoint, "--json")["model"]
    sizes = {"W": model["width"], "F": model["ffn"], "L": model["layers"], "V": model["vocab"],
             "C": model["context"], "SELF": checkpoint}
    body = []
    for i, growth in enumerate(GROWTHS):
        x, y = 20 + i % COLUMNS * CELL_WIDTH, 30 + i // COLUMNS * CELL_HEIGHT
        body += cell(program, checkpoint, sizes, growth, x, y)
    width, height = COLUMNS * CELL_WIDTH, 30 + (len(GROWTHS) + COLUMNS - 1) // COLUMNS * CELL_HEIGHT
    body += legend(height)
    height += 50
    path = pathlib.Path(__file__).resolve().parent.parent / "docs" / "operators.svg"
    path.write_text(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">\n'
                    f'<!-- Made by scripts/draw_operators.py -->\n<style>{STYLE}</style>\n'
                    f'<rect class="page" width="{width}" height="{height}"/>\n' + "\n".join(body) + "\n</svg>\n")
    print(path)


if __name__ == "__main__":
    main()
