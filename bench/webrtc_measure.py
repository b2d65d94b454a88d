"""What is measured: who is how late, whether the age grows, how soon wishes are answered."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from rtfilter.bench.webrtc_contenders import CONTENDERS, FILTERED, Ring, take_turns
from rtfilter.bench.webrtc_figures import course, figures, reaction, slope
from rtfilter.bench.webrtc_record import Change, ClientSpec

Tell = Callable[[str], None]

# Each turns the picture over: an edit that comes, an edit that goes.
_WISHES: list[dict[str, Any]] = [
    {"intensity": 1.5},
    {"intensity": 0.0},
    {"intensity": 1.5},
    {"bypass": True},
    {"bypass": False},
    {"intensity": 0.0},
]
_BEFORE_WISHES = {"emotions": {"happy": 1.0}, "intensity": 0.0, "smoothing": 0.0}


def compare(
    ring: Ring, names: Iterable[str], base: ClientSpec, rounds: int, tell: Tell
) -> dict[str, dict[str, Any]]:
    """The figures of every contender by name, in one run."""
    records = take_turns(ring, names, base, rounds, tell)
    return {
        name: {"title": CONTENDERS[name].title, **figures(found, base.fps)} for name, found in records.items()
    }


def endure(ring: Ring, base: ClientSpec, minutes: float, tell: Tell, name: str = FILTERED) -> dict[str, Any]:
    """One contender for `minutes` without a break: its figures, the slope of its age, and its course."""
    tell(f"{minutes:g} min: {CONTENDERS[name].title}")
    record = ring.run(name, replace(base, seconds=60.0 * minutes))
    return {
        "title": CONTENDERS[name].title,
        **figures([record], base.fps),
        "slope": slope(record.rows),
        "course": course(record.rows),
    }


def wish(ring: Ring, base: ClientSpec, tell: Tell, times: int = 2) -> dict[str, Any]:
    """How many pictures after the slider its effect is seen, on a still picture and without smoothing."""
    wishes = _WISHES * times
    tell(f"{len(wishes)} wishes over the data channel")
    spec = replace(
        base,
        controls=_BEFORE_WISHES,
        channel=True,
        still=True,
        changes=wishes,
        seconds=(len(wishes) + 1.5) * base.change_every_s,
    )
    record = ring.run(FILTERED, spec)
    return {**reaction(record.changes), "each": [_each(spec, change) for change in record.changes]}


def _each(spec: ClientSpec, change: Change) -> dict[str, Any]:
    def after(number: int) -> int | None:
        return number - change.sent_number if number >= 0 else None

    return {
        "changes": spec.changes[change.seq - 1],
        "pictures_seen": after(change.seen_number),
        "pictures_half": after(change.half_number),
        "pictures_applied": after(change.applied_number),
    }
