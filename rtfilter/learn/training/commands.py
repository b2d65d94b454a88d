"""The command that made a file, as the file tells it: what is a path on this machine is left out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def command_of(step: str, config_path: Path, overrides: Sequence[str], paths: Sequence[str]) -> str:
    """The command of a step of `rtfilter learn`. paths: keys whose values are left out, as are all that look
    like one."""
    told = [f"rtfilter learn {step} {config_path.name}"]
    for text in overrides:
        key, _, value = (part.strip() for part in text.partition("="))
        is_path = key.rpartition(".")[2] in paths or any(mark in value for mark in ("/", "\\", "~"))
        told.append(f"--set {key}={'...' if is_path else value}")
    return " ".join(told)
