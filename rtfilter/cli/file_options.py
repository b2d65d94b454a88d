"""The options of files and pipes: codec and quality, size and format."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable

from rtfilter.cli.parser import Parser, one_of

CODECS = ("h264", "hevc", "ffv1", "vp9", "gif")
PIPE_FORMATS = ("y4m", "mkv", "raw")
# As `frame.MAX_SIDE_PX`, which would load NumPy here.
MAX_SIDE_PX = 16384
LONGEST_S = 86_400.0
_MULTIPLES = {"": 1, "k": 1_000, "m": 1_000_000}


def quality_options(parser: Parser) -> None:
    parser.add_argument(
        "--codec",
        type=one_of("codec", CODECS),
        help="h264, hevc, ffv1 (lossless), vp9 or gif (default: h264, but vp9 in .webm and gif in .gif)",
    )
    parser.add_argument(
        "--crf",
        type=_whole,
        metavar="N",
        help="quality; smaller is better (default: h264 18, hevc and vp9 20)",
    )
    parser.add_argument(
        "--bitrate", type=bitrate, metavar="4M", help="in place of --crf: average bits a second, as 800k, 4M"
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        help="refuse to write a file that cannot keep the tracks, tags and picture formats of the input",
    )


def pipe_options(parser: Parser) -> None:
    group = parser.add_argument_group("pipes (-i -, -o -)")
    group.add_argument(
        "--size",
        type=size,
        metavar="WxH",
        help="stdin is raw RGB of this size; of a camera or demo: its size",
    )
    group.add_argument(
        "--format",
        type=one_of("format", PIPE_FORMATS),
        help="of stdout: y4m (default), raw (RGB), or mkv, which keeps times",
    )


def part_options(parser: Parser) -> None:
    parser.add_argument(
        "--start", metavar="S", type=seconds(0.0), help="of a file: begin there, in seconds or as MM:SS"
    )


def seconds(low: float) -> Callable[[str], float]:
    """An argparse type for a time of `low` s to a day: `90`, `1:30`, `0:01:30.5`."""

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


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"expected a whole number, 0 or above, got {text!r}")
    return int(text)


def bitrate(text: str) -> int:
    """`800k` or `2.5M` as bits a second."""
    matched = re.fullmatch(r"(\d{1,10}(?:\.\d{1,6})?|\.\d{1,6})([kKmM]?)", text)
    if matched is None:
        raise argparse.ArgumentTypeError(f"expected bits a second like 800k or 4M, got {text!r}")
    return round(float(matched[1]) * _MULTIPLES[matched[2].lower()])
