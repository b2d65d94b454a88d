"""Argument parsing whose errors are one line with the nearest suggestion."""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn, TypeVar

from rtfilter.config import amount
from rtfilter.controls import in_range
from rtfilter.errors import UsageError, nearest

T = TypeVar("T")


class Parser(argparse.ArgumentParser):
    """A parser that raises UsageError instead of printing its usage and exiting."""

    def __init__(self, **keywords: Any) -> None:
        # An abbreviation that works today is ambiguous tomorrow; a suggestion is as quick.
        super().__init__(allow_abbrev=False, **keywords)

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see {self.prog} --help")

    def reject(self, unknown: Sequence[str]) -> NoReturn:
        """Raise UsageError for arguments that nobody took, with the nearest option of this parser."""
        argument = unknown[0].partition("=")[0]
        options = re.findall(r"(?<![\w-])--[a-z][a-z-]*", self.format_help())
        close = difflib.get_close_matches(argument, options, n=1, cutoff=0.5)
        hint = f": did you mean {close[0]}?" if close else ""
        self.error(f"unknown argument {argument!r}{hint}")


def checked(convert: Callable[[str], T]) -> Callable[[str], T]:
    """`convert` as an argparse type that keeps the message of a UsageError."""

    def converted(text: str) -> T:
        try:
            return convert(text)
        except UsageError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return converted


def one_of(
    kind: str, names: Sequence[str], synonyms: Mapping[str, str] | None = None
) -> Callable[[str], str]:
    """An argparse type that takes one of `names`, in any case or by a synonym, and suggests the nearest."""

    def named(text: str) -> str:
        name = text.strip().lower()
        name = (synonyms or {}).get(name, name)
        if name not in names:
            raise UsageError(f"unknown {kind} {text!r}:{nearest(text, names)}")
        return name

    return checked(named)


def number(low: float, high: float) -> Callable[[str], float]:
    """An argparse type for a number in [low, high]."""

    def ranged(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise UsageError(f"expected a number in {low:g}..{high:g}, got {text!r}") from None
        return in_range("value", value, low, high)

    return checked(ranged)


def share(low: float, high: float) -> Callable[[str], float]:
    """An argparse type for a number in [low, high] that may be typed in percent."""
    return checked(lambda text: in_range("value", amount(text), low, high))


def count(text: str) -> int:
    """A whole number above 0."""
    if not (text.isascii() and text.isdigit()) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, got {text!r}")
    return int(text)


def port(text: str) -> int:
    """A port, 0 for any free one."""
    if not (text.isascii() and text.isdigit()) or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"expected a port, 0..65535, got {text!r}")
    return int(text)
