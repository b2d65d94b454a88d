"""Messages of the data channel and the WebSocket: parsed once, refused in one line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from rtfilter.controls import TABLES, Controls, by_name
from rtfilter.errors import UsageError, nearest

TYPES = ("controls", "preset", "paused", "ping")
LONGEST_MESSAGE = 16 * 1024
# JSON's own limit of depth is Python's stack; nothing here nests deeper than changes.emotions.name.
_DEEPEST = 8
_LARGEST_TIME = 1e18


@dataclass(frozen=True, slots=True)
class ChangeControls:
    """changes: a merge patch of `Controls.as_dict()`. seq: the sender's number for it, or None."""

    changes: Mapping[str, Any]
    seq: int | None


@dataclass(frozen=True, slots=True)
class ChoosePreset:
    name: str
    seq: int | None


@dataclass(frozen=True, slots=True)
class SetPaused:
    paused: bool


@dataclass(frozen=True, slots=True)
class Ping:
    t: float


Message = ChangeControls | ChoosePreset | SetPaused | Ping


class MessageError(UsageError):
    """A message that was not understood. seq: its number, where that much could be read."""

    def __init__(self, message: str, seq: int | None = None) -> None:
        super().__init__(message)
        self.seq = seq


def parse_message(text: str | bytes) -> Message:
    """One message of a client. Raises MessageError that says what came and what was expected."""
    if isinstance(text, bytes) or len(text) > LONGEST_MESSAGE:
        what = "binary" if isinstance(text, bytes) else f"{len(text)} characters"
        raise MessageError(f"expected a JSON text of at most {LONGEST_MESSAGE} characters, got {what}")
    body = parse_object(text)
    seq = body.get("seq")
    if seq is not None and (isinstance(seq, bool) or not isinstance(seq, int) or not 0 <= seq < 2**53):
        raise MessageError(f"seq: expected a whole number from 0, got {_short(seq)}")
    kind = body.get("type")
    if kind == "controls":
        if not isinstance(changes := body.get("changes"), dict):
            raise MessageError(f"changes: expected an object, got {_short(changes)}", seq)
        return ChangeControls(changes, seq)
    if kind == "preset":
        if not isinstance(name := body.get("name"), str):
            raise MessageError(f"name: expected a preset's name, got {_short(name)}", seq)
        return ChoosePreset(name, seq)
    if kind == "paused":
        if not isinstance(paused := body.get("paused"), bool):
            raise MessageError(f"paused: expected true or false, got {_short(paused)}", seq)
        return SetPaused(paused)
    if kind == "ping":
        if isinstance(t := body.get("t"), bool) or not isinstance(t, int | float):
            raise MessageError(f"t: expected a number, got {_short(t)}", seq)
        # 1e999 is infinite and 10^400 is no float; the answer would be no JSON.
        if not abs(t) < _LARGEST_TIME:
            raise MessageError(f"t: expected a number below {_LARGEST_TIME:g}, got {_short(t)}", seq)
        return Ping(float(t))
    raise MessageError(f"type: expected one of {', '.join(TYPES)}, got {_short(kind)}", seq)


def parse_object(text: str | bytes) -> dict[str, Any]:
    """A JSON object. Raises MessageError; NaN and Infinity, which JSON does not have, are refused."""
    try:
        body = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise MessageError(f"expected a JSON object, got what JSON does not know: {_short(text)}") from error
    if not isinstance(body, dict):
        raise MessageError(f"expected a JSON object, got {_short(body)}")
    if _deeper_than(body, _DEEPEST):
        raise MessageError(f"expected at most {_DEEPEST} levels of JSON, got more")
    return body


def merged(controls: Controls, changes: Mapping[str, Any]) -> Controls:
    """`controls` after the merge patch `changes` (RFC 7396): what is absent stays, null restores the default.

    Emotions and blendshapes merge by name, and null takes one out. Raises UsageError as `Controls` does.
    """
    known = [field.name for field in fields(Controls)]
    values = controls.as_dict()
    defaults = Controls().as_dict()
    for key, value in changes.items():
        if key not in known:
            raise UsageError(f"unknown control {_short(key)}:{nearest(str(key)[:40], known)}")
        if value is None:
            values[key] = defaults[key]
        elif key in TABLES and isinstance(value, Mapping):
            mix = {**values[key], **by_name(key, value)}
            values[key] = {name: amount for name, amount in mix.items() if amount is not None}
        else:
            values[key] = value
    return Controls(**values)


def _refuse_constant(name: str) -> float:
    raise ValueError(name)


def _deeper_than(value: object, levels: int) -> bool:
    if isinstance(value, dict):
        inner: list[object] = list(value.values())
    elif isinstance(value, list):
        inner = value
    else:
        return False
    return levels == 0 or any(_deeper_than(item, levels - 1) for item in inner)


def _short(value: object) -> str:
    """What came, in at most 60 printable characters: it is shown to people and written to logs."""
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
