"""Messages of clients: parsed once, refused in one line; and `LiveControls`, which they change.

Called by `session` for every message, by `api` and `preset_store` for bodies of requests.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from rtfilter.controls import TABLES, Controls, by_name
from rtfilter.errors import UsageError, nearest
from rtfilter.system.clock import NS_PER_S, monotonic_ns

TYPES = ("controls", "preset", "paused", "ping")
LONGEST_MESSAGE = 16 * 1024
# Sliders send one message a screen refresh at most.
MESSAGES_PER_S = 240
# JSON's own limit of depth is Python's stack; nothing here nests deeper than changes.emotions.name.
_DEEPEST = 8
_LARGEST_TIME = 1e18

# Called with the new controls, and the number of the message that changed them.
ControlsListener = Callable[[Controls, "int | None"], None]


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


class LiveControls:
    """The controls of one session: changed from any thread, read before every frame.

    Changes are serial: none is lost when two threads change at once.
    """

    def __init__(self, controls: Controls) -> None:
        self._newest: tuple[Controls, int | None] = (controls, None)
        self._changing = threading.Lock()
        self._listeners: list[ControlsListener] = []

    @property
    def current(self) -> Controls:
        return self._newest[0]

    @property
    def newest(self) -> tuple[Controls, int | None]:
        """The controls, and the number of the last numbered message in them; of one moment."""
        return self._newest

    def change(self, changes: Mapping[str, Any], seq: int | None = None) -> Controls:
        """Apply a merge patch. Raises UsageError and changes nothing when it is not valid."""
        return self._set(lambda before: merged(before, changes), seq)

    def replace(self, controls: Controls) -> Controls:
        """Replace the controls whole."""
        return self._set(lambda _: controls, None)

    def choose(self, values: Mapping[str, Any], seq: int | None = None) -> Controls:
        """Apply a preset: its mix replaces the present one; of the other controls, those that it names."""
        mix: dict[str, Any] = {"emotions": {}, "blendshapes": {}, "valence": 0.0, "arousal": 0.0}
        preset = {**mix, "bypass": False, **values}
        return self._set(lambda before: before.with_(**preset), seq)

    def listen(self, listener: ControlsListener) -> Callable[[], None]:
        """Call `listener` after every change, in the thread that made it. Returns how to stop that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def _set(self, step: Callable[[Controls], Controls], seq: int | None) -> Controls:
        with self._changing:
            before, last_seq = self._newest
            after = step(before)
            self._newest = (after, last_seq if seq is None else seq)
        for listener in list(self._listeners):
            listener(after, seq)
        return after
