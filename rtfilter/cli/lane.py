"""The lane of a command: chosen before anything is opened, said in one line before it is loaded."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from typing import Any

from rtfilter.gpu.choose import AUTO, LaneChoice, choose_lane


def chosen_lane(arguments: argparse.Namespace, values: Mapping[str, Any]) -> LaneChoice:
    """The lane of parsed arguments and merged settings.

    Raises UsageError for an unknown lane, GpuError for a CUDA lane that cannot be had.
    """
    return choose_lane(values.get("lane", AUTO), fall_back=arguments.allow_cpu)


def announce(choice: LaneChoice, quiet: bool) -> None:
    """Say the lane; when `quiet`, only where a GPU is used, or is there and is not used."""
    if choice.loud or not quiet:
        say(choice.line)


def say(line: str) -> None:
    """One line for the user, beside whatever goes to stdout."""
    print(f"rtfilter: {line}", file=sys.stderr, flush=True)
