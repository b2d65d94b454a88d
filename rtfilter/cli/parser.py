"""An argument parser whose errors are one line, and the types of its values.

Called by `cli.main`, `cli.options` and the benchmarks.
"""

from __future__ import annotations

import argparse
import difflib
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn, TypeVar

from rtfilter.config import amount
from rtfilter.controls import in_range
from rtfilter.errors import UsageError, nearest

T = TypeVar("T")

# As `frame.MAX_SIDE_PX`, which would load NumPy here.
MAX_SIDE_PX = 16384
LONGEST_S = 86_400.0
_MULTIPLES = {"": 1, "k": 1_000, "m": 1_000_000}


class Parser(argparse.ArgumentParser):
    """A parser that raises UsageError instead of printing its usage and exiting."""

    def __init__(self, **keywords: Any) -> None:
        # An abbreviation that works today is ambiguous tomorrow; a suggestion is as quick.
        super().__init__(allow_abbrev=False, **keywords)

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see {self.prog} --help")

    def reject(self, unknown: Sequence[str]) -> NoReturn:
        """Raise UsageError for unknown arguments, with the nearest option of this parser."""
        argument = unknown[0].partition("=")[0]
        options = re.findall(r"(?<![\w-])--[a-z][a-z-]*", self.format_help())
        close = difflib.get_close_matches(argument, options, n=1, cutoff=0.5)
        hint = f": did you mean {close[0]}?" if close else ""
        # argparse takes names in a row only: those after an option are unknown to it.
        named_in_a_row = any(one.nargs == "*" for one in self._actions if not one.option_strings)
        if named_in_a_row and not argument.startswith("-"):
            hint = ": give names before the options"
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
    """A type for one of `names`, in any case or by a synonym."""

    def named(text: str) -> str:
        name = text.strip().lower()
        name = (synonyms or {}).get(name, name)
        if name not in names:
            raise UsageError(f"unknown {kind} {text!r}:{nearest(text, names)}")
        return name

    return checked(named)


def number(low: float, high: float) -> Callable[[str], float]:
    """A type for a number in [low, high]."""

    def ranged(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise UsageError(f"expected a number in {low:g}..{high:g}, got {text!r}") from None
        return in_range("value", value, low, high)

    return checked(ranged)


def share(low: float, high: float) -> Callable[[str], float]:
    """A type for a number in [low, high] that may be typed in percent."""
    return checked(lambda text: in_range("value", amount(text), low, high))


def _whole(expected: str, low: int, high: float = math.inf) -> Callable[[str], int]:
    def count(text: str) -> int:
        if not (text.isascii() and text.isdigit()) or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"expected {expected}, got {text!r}")
        return int(text)

    return count


count = _whole("a whole number above 0", 1)
whole = _whole("a whole number, 0 or above", 0)
port = _whole("a port, 0..65535", 0, 65535)


def seconds(low: float) -> Callable[[str], float]:
    """A type for a time of `low` s to a day: `90`, `1:30`, `0:01:30.5`."""

    def timed(text: str) -> float:
        matched = re.fullmatch(r"(?:(?:(\d{1,2}):)?([0-5]?\d):)?(\d{1,6}(?:\.\d{1,9})?|\.\d{1,9})", text)
        if matched is None or (matched[2] is not None and float(matched[3]) >= 60):
            raise argparse.ArgumentTypeError(f"expected seconds like 90.5, or HH:MM:SS, got {text!r}")
        value = int(matched[1] or 0) * 3600 + int(matched[2] or 0) * 60 + float(matched[3])
        if not low <= value <= LONGEST_S:
            raise argparse.ArgumentTypeError(f"expected {low:g}..{LONGEST_S:g} seconds, got {text!r}")
        return value

    return timed


def size(text: str) -> tuple[int, int]:
    """`1280x720` as width and height in pixels."""
    matched = re.fullmatch(r"([1-9]\d{0,4})[xX]([1-9]\d{0,4})", text)
    if matched is None or max(int(matched[1]), int(matched[2])) > MAX_SIDE_PX:
        raise argparse.ArgumentTypeError(f"expected WxH like 1280x720, at most {MAX_SIDE_PX}, got {text!r}")
    return int(matched[1]), int(matched[2])


def bitrate(text: str) -> int:
    """`800k` or `2.5M` as bits a second."""
    matched = re.fullmatch(r"(\d{1,10}(?:\.\d{1,6})?|\.\d{1,6})([kKmM]?)", text)
    if matched is None:
        raise argparse.ArgumentTypeError(f"expected bits a second like 800k or 4M, got {text!r}")
    return round(float(matched[1]) * _MULTIPLES[matched[2].lower()])
