"""What our messages and documents tell people to type."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from rtfilter.cli.verbs import LEARN_STEPS, VERBS

ROOT = Path(__file__).resolve().parents[1]
HOLE = "{}"  # what an f-string fills in

_VERBS = "|".join(VERBS)
_COMMAND = re.compile(rf"(?<![\w/.-])rtfilter ((?:{_VERBS})\b[^'\"`\n;,|<>#()]*)")
_ACTIONS = ["prepare", "build", "list", "clear", "show", "save", "remove", "edit", "webrtc", *LEARN_STEPS]


@cache
def messages() -> tuple[tuple[str, str], ...]:
    """Every text in the product's code with its place, docstrings left out; holes of f-strings as `{}`."""
    found = []
    for folder in ("rtfilter", "engines", "kernels"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            # The links below rtfilter/ lead to the other two folders.
            if "learn" not in path.parts and path.parts[len(ROOT.parts) + 1] not in ("engines", "kernels"):
                found += [(f"{path.relative_to(ROOT)}:{line}", text) for line, text in _texts(path)]
    return tuple(found)


def _texts(path: Path) -> Iterator[tuple[int, str]]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            skipped.add(id(node.value))  # a docstring
        elif isinstance(node, ast.JoinedStr):
            skipped.update(id(part) for part in node.values)
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value
        elif isinstance(node, ast.JoinedStr):
            parts = (part.value if isinstance(part, ast.Constant) else HOLE for part in node.values)
            yield node.lineno, "".join(map(str, parts))


@cache
def documents() -> tuple[tuple[str, str], ...]:
    """Every line of the documents for users, and of the panel's code, with its place."""
    files = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
    files += [path for path in (ROOT / "rtfilter/serve/static").iterdir() if path.suffix in (".js", ".html")]
    return tuple(
        (f"{path.relative_to(ROOT)}:{number}", line)
        for path in sorted(files)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
    )


def commands(text: str) -> list[list[str]]:
    """The command lines of `rtfilter` in a text, without prose that follows and without optional parts."""
    return [_words(found) for found in _COMMAND.findall(re.sub(r" \[[^]]*\]", "", text))]


def _words(line: str) -> list[str]:
    """The verb, and what can belong to it: actions, options with their values, placeholders."""
    try:
        words = shlex.split(line)
    except ValueError:
        words = line.split()
    taken = words[:1]
    for word in words[1:]:
        value = taken[-1].startswith("-") or "=" in word
        if not (value or word.startswith("-") or word in _ACTIONS or is_placeholder(word)):
            break
        taken.append(word.rstrip(".:") or word)
    return [word for word in taken if word != "..."]


def is_placeholder(word: str) -> bool:
    """`FILE`, `NAME`, `...`, or the hole of an f-string."""
    return word in (HOLE, "...") or re.fullmatch(r"[A-Z][A-Z0-9.]*", word) is not None
