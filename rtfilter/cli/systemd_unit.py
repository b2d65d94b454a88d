"""The virtual camera as a systemd user service: the text of its unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rtfilter.cli.settings import target_given

UNIT_NAME = "rtfilter-cam.service"
_VALUES = ("input", "device", "preset", "valence", "arousal", "intensity", "mouth", "smoothing", "width",
           "height", "fps", "lane")  # fmt: skip
_OF_PANEL = ("port", "token_file")
_FLAGS = ("compare", "no_idle", "panel", "allow_cpu")


def unit_text(command: Sequence[str]) -> str:
    """The unit that runs `command`, whose first word is an absolute path."""
    return f"""\
[Unit]
Description=rtfilter's virtual camera
# A camera that is plugged in later, or a module that is loaded later, is waited for without end.
StartLimitIntervalSec=0

[Service]
ExecStart={" ".join(map(_quoted, command))}
Restart=on-failure
RestartSec=5
# A usage mistake does not mend itself.
RestartPreventExitStatus=2
TimeoutStopSec=15
NoNewPrivileges=yes

[Install]
WantedBy=default.target
"""


def cam_command(python: str, arguments: Mapping[str, Any]) -> list[str]:
    """The command line that runs `rtfilter cam` with these parsed arguments, without progress."""
    words = [python, "-m", "rtfilter", "cam", "--quiet"]
    for name in (*_VALUES, *(_OF_PANEL if arguments.get("panel") else ())):
        if (value := arguments.get(name)) is not None:
            words += [f"--{name.replace('_', '-')}", f"{value:g}" if isinstance(value, float) else str(value)]
    target = target_given(arguments)
    for option, key in (("--emotion", "emotions"), ("--blendshape", "blendshapes")):
        for name, amount in target.get(key, {}).items():
            words += [option, f"{name}={amount:g}"]
    return words + [f"--{name.replace('_', '-')}" for name in _FLAGS if arguments.get(name)]


def _quoted(word: str) -> str:
    """A word of ExecStart: systemd expands % and $, and splits at blanks, outside and inside of quotes."""
    word = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{word}"' if not word or any(letter in word for letter in " '\t;\"\\") else word
