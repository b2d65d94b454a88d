"""Advice that can be followed: whatever our messages and documents tell people to type exists."""

from __future__ import annotations

import importlib.util
import itertools
import re

import pytest

from rtfilter.cli.main import build_parser, parse
from rtfilter.config import settings_from_environment
from rtfilter.errors import UsageError
from tests.advice import HOLE, ROOT, commands, documents, is_placeholder, messages

# Options of other programs that our texts hold, by the program. A new one of ours is found in a parser.
OTHERS = {
    "pip": "--abi --dest --disable-pip-version-check --force-reinstall --implementation --no-deps --no-input "
    "--only-binary --platform --python-version",
    "uv and pipx": "--pip-args --python --python-platform --reinstall --with",
    "git": "--porcelain --short --untracked-files",
    "docker": "--gpus",
    "nvidia-smi": "--format --query-gpu",
    "xcode-select": "--install",
    "nvrtc": "--gpu-architecture --ptxas-options",
}
# What may stand where a text has a hole.
FILLED = ("demo", "friendly", "show", "save", "remove", "happy=0.5", "25")


def parses(words: list[str]) -> str:
    """ "" when the command line takes them, filled in somehow; else what it says."""
    holes = words.count(HOLE)
    said = ""
    for fill in itertools.product(FILLED, repeat=holes):
        given = iter(fill)
        line = [next(given) if word == HOLE else "x.mp4" if is_placeholder(word) else word for word in words]
        try:
            parse(line)
        except UsageError as error:
            said = str(error)
            if said.startswith(f"argument {words[-1]}: expected one argument"):
                return ""  # the option is named, without a value
        except SystemExit:  # --help
            return ""
        else:
            return ""
    return said


def test_every_command_in_a_message_or_document_is_one() -> None:
    seen, wrong = set(), []
    for place, text in (*messages(), *documents()):
        for words in commands(text):
            seen.add(" ".join(words[:2]))
            # A bare verb in a sentence names the verb; some need an input to run.
            if len(words) > 1 and (problem := parses(words)):
                wrong.append(f"{place}: rtfilter {' '.join(words)}: {problem}")
    assert {"engines prepare", "run --input", "presets show"} <= seen
    assert not wrong, "\n".join(wrong)


def test_every_option_in_a_message_is_one() -> None:
    _, parsers = build_parser()
    known = {"--help", "--version", *" ".join(OTHERS.values()).split()}
    for parser in parsers.values():
        known.update(option for action in parser._actions for option in action.option_strings)
    named = {
        option: place
        for place, text in messages()
        for option in re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", text)
    }
    assert {"--emotion", "--force", "--token-file"} <= set(named)
    assert not {option: place for option, place in named.items() if option not in known}


def test_every_variable_of_ours_that_is_named_anywhere_is_accepted() -> None:
    named = {
        variable: place
        for place, text in (*messages(), *documents())
        for variable in re.findall(r"\bRTFILTER_[A-Z_]*[A-Z]\b", text)
    }
    assert "RTFILTER_CACHE" in named
    refused = {}
    for variable, place in named.items():
        try:
            settings_from_environment({variable: "/some/where"})
        except UsageError as error:
            if f"unknown {variable}" in str(error):
                refused[variable] = f"{place}: {error}"
    assert not refused


def test_every_module_that_is_to_be_run_is_there() -> None:
    for place, text in (*messages(), *documents()):
        for name in re.findall(r"python3? -m ((?:rtfilter|bench)(?:\.\w+)*)", text):
            assert importlib.util.find_spec(name) is not None, f"{place}: {name}"


def test_every_target_of_make_in_the_documents_is_one() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for place, line in documents():
        for name in re.findall(r"`make ([a-z-]+)`|^ {4}make ([a-z-]+)", line):
            assert "".join(name) in targets, f"{place}: make {''.join(name)}"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("run 'rtfilter engines prepare' again", [["engines", "prepare"]]),
        ("try: rtfilter run --input camera:0 -o null", [["run", "--input", "camera:0", "-o", "null"]]),
        ("rtfilter presets show {} tells more", [["presets", "show", "{}"]]),
        ("rtfilter evaluate SOURCE EDITED [--json]", [["evaluate", "SOURCE", "EDITED"]]),
        ("rtfilter cam is in use; rtfilter works", [["cam"]]),
    ],
)  # fmt: skip
def test_what_counts_as_a_command(text: str, found: list[list[str]]) -> None:
    assert commands(text) == found
