"""Messages of clients: parsed once, refused in one line.

Called by `handle` for every message, by `api` and `preset_store` for bodies of requests.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from rtfilter.controls import TABLES, Controls, by_name
from rtfilter.errors import UsageError, nearest
from rtfilter.system.clock import NS_PER_S, monotonic_ns

TYPES = ("controls", "preset", "choose", "paused", "ping")
LONGEST_MESSAGE = 16 * 1024
# Sliders send one message a screen refresh at most.
MESSAGES_PER_S = 240
# JSON's own limit of depth is Python's stack; nothing here nests deeper than changes.emotions.name.
_DEEPEST = 8
_LARGEST_TIME = 1e18


@dataclass(frozen=True, slots=True)
class ChangeControls:
    """changes: a merge patch of `Controls.as_dict()`, for everybody. people: one by a person's number, or
    None for somebody who is to be as everybody. seq: the sender's number for it, or None."""

    changes: Mapping[str, Any]
    seq: int | None
    people: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChoosePreset:
    """person: whom it is for; None: everybody."""

    name: str
    seq: int | None
    person: int | None = None


@dataclass(frozen=True, slots=True)
class ChooseFace:
    """x, y: in shares of the picture's width and height, from the top left."""

    x: float
    y: float
    seq: int | None


@dataclass(frozen=True, slots=True)
class SetPaused:
    paused: bool


@dataclass(frozen=True, slots=True)
class Ping:
    t: float


Message = ChangeControls | ChoosePreset | ChooseFace | SetPaused | Ping


class MessageError(UsageError):
    """A message that cannot be parsed. seq: its number, where that much could be read."""

    def __init__(self, message: str, seq: int | None = None) -> None:
        super().__init__(message)
        self.seq = seq


def parse_message(text: str | bytes) -> Message:
    """One message of a client. Raises MessageError with what came and what was expected."""
    if isinstance(text, bytes) or len(text) > LONGEST_MESSAGE:
        what = "binary" if isinstance(text, bytes) else f"{len(text)} characters"
        raise MessageError(f"expected a JSON text of at most {LONGEST_MESSAGE} characters, got {what}")
    body = parse_object(text)
    seq = body.get("seq")
    if seq is not None and (isinstance(seq, bool) or not isinstance(seq, int) or not 0 <= seq < 2**53):
        raise MessageError(f"seq: expected a whole number from 0, got {_short(seq)}")
    kind = body.get("type")
    if kind == "controls":
        people = body.get("people", {})
        if not isinstance(changes := body.get("changes", {} if people else None), dict):
            raise MessageError(f"changes: expected an object, got {_short(changes)}", seq)
        if not isinstance(people, dict):
            raise MessageError(f"people: expected an object, got {_short(people)}", seq)
        return ChangeControls(changes, seq, people)
    if kind == "preset":
        if not isinstance(name := body.get("name"), str):
            raise MessageError(f"name: expected a preset's name, got {_short(name)}", seq)
        person = body.get("person")
        if person is not None and (isinstance(person, bool) or not isinstance(person, int)):
            raise MessageError(f"person: expected a person's number, got {_short(person)}", seq)
        return ChoosePreset(name, seq, person)
    if kind == "choose":
        return ChooseFace(*place_in(body, seq), seq)
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


def place_in(body: Mapping[str, Any], seq: int | None = None) -> tuple[float, float]:
    """The place {"x", "y"} in a picture. Raises MessageError."""
    place = []
    for name in ("x", "y"):
        share = body.get(name)
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0.0 <= share <= 1.0:
            raise MessageError(f"{name}: expected a share of the picture, 0..1, got {_short(share)}", seq)
        place.append(float(share))
    return place[0], place[1]


def person_number(key: object) -> int:
    """A person's number, of a key of JSON. Raises MessageError."""
    text = str(key)
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):
        raise MessageError(f"people: expected numbers of people, got {_short(key)}")
    return int(text)


def parse_object(text: str | bytes) -> dict[str, Any]:
    """A JSON object. Raises MessageError, also for NaN and Infinity, which JSON does not have."""
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

    Emotions and blendshapes merge by name, and null removes one. Raises UsageError as `Controls` does.
    """
    known = [each.name for each in fields(Controls)]
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
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_deeper_than(item, levels - 1) for item in inner)


def _short(value: object) -> str:
    """`value` in at most 60 printable characters, for messages and logs."""
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


class MessageBudget:
    """The limit of messages per second of one client."""

    def __init__(self) -> None:
        self._second = -1
        self._count = 0

    def spend(self) -> bool:
        """Whether one more message may be handled this second."""
        second = monotonic_ns() // NS_PER_S
        if second != self._second:
            self._second, self._count = second, 0
        self._count += 1
        return self._count <= MESSAGES_PER_S
