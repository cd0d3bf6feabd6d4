#!/usr/bin/env python3
"""Checks the documentation's manners: width, links, and that a reader can reach every page.

usage: check_docs.py [ROOT]
- Lines have at most 100 characters; tables, code, links and generated pages apart.
- A relative link leads to a file of the tree.
- README.md and docs/README.md link to every page of docs/.
Exits with 1 and one line for each fault.
"""

import re
import sys
from pathlib import Path

WIDTH = 100
GENERATED = {"docs/cli.md", "docs/schedule-reference.md"}  # by scripts/make_docs.sh
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def prose_lines(text):
    """(number, line) of everything that is not in a code block, fenced or indented."""
    in_code = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            in_code = not in_code
        elif not in_code and not line.startswith("    "):
            yield number, line


def is_unbreakable(line):
    """A row of a table, or a single long word such as an address."""
    return line.startswith("|") or len(line.split()) <= 2


def faults_of(root, page):
    text = (root / page).read_text(encoding="utf-8")
    for number, line in prose_lines(text):
        if len(line) > WIDTH and page not in GENERATED and not is_unbreakable(line):
            yield f"{page}:{number}: {len(line)} characters; prose wraps at {WIDTH}"
        for target in LINK.findall(line):
            if "://" not in target and not (root / page).parent.joinpath(target).exists():
                yield f"{page}:{number}: leads to {target}, which is not there"


def unreachable(root, pages):
    for start in ("README.md", "docs/README.md"):
        folder = (root / start).parent
        linked = {(folder / target).resolve() for target in LINK.findall((root / start).read_text(encoding="utf-8"))}
        for page in pages:
            if page.startswith("docs/") and page != start and (root / page).resolve() not in linked:
                yield f"{page}: {start} does not link to it"


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[1])
    pages = [str(p.relative_to(root)) for folder in ("", "docs", "bench") for p in sorted((root / folder).glob("*.md"))]
    faults = [fault for page in pages for fault in faults_of(root, page)]
    faults += unreachable(root, pages)
    print("\n".join(faults) or f"{len(pages)} pages: no fault")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
