"""Figures of a client's record: age, losses, the slope of the age, reaction to changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from rtfilter.bench.common import percentiles
from rtfilter.bench.webrtc_record import Change, ClientRecord, Row

F64 = npt.NDArray[np.float64]

_US_PER_MS, _US_PER_MIN = 1e3, 60e6
# A line is laid through the medians of this many stretches: neighbouring pictures wait for each other, so the
# errors of single ones are not independent and would make the slope look surer than it is.
_STRETCHES = 60
_FEWEST_PER_STRETCH = 10


def age_ms(rows: Sequence[Row]) -> F64:
    """Milliseconds from when each picture was due until it was received; unreadable ones left out."""
    return np.array([row.arrival_us - row.time_us for row in rows if row.number >= 0]) / _US_PER_MS


def figures(records: Sequence[ClientRecord]) -> dict[str, Any]:
    """The figures of one contender's records, JSON-ready; counts are sums over the records.

    age: percentiles in milliseconds. dropped: numbers between the first and the last received that never
    came, without those that the sender came too late for (`skipped`). repeated: numbers that came more than
    once. unreadable: stamps whose checksum failed.
    """
    ages = [age_ms(record.rows) for record in records]
    body: dict[str, Any] = {
        "age": percentiles(np.concatenate(ages)),
        "received": sum(len(record.rows) for record in records),
        "given": sum(record.given for record in records),
        "skipped": sum(record.skipped for record in records),
        "dropped": sum(_dropped(record) for record in records),
        "repeated": sum(_repeated(record.rows) for record in records),
        "unreadable": sum(row.number < 0 for record in records for row in record.rows),
        "round_p50_ms": [round(float(np.median(each)), 2) for each in ages if len(each)],
    }
    stages = [record.stages_ms for record in records if record.stages_ms]
    return {**body, "stages_ms": stages[-1]} if stages else body


def slope(rows: Sequence[Row]) -> dict[str, float] | None:
    """How the age changes: ms per minute and its standard error, by least squares; None of too few pictures.

    The line goes through the medians of up to 60 stretches of equal length; drift_ms is its rise over the
    whole record.
    """
    read = [row for row in rows if row.number >= 0]
    stretches = min(_STRETCHES, len(read) // _FEWEST_PER_STRETCH)
    if stretches < 3:
        return None
    minutes = np.array([row.arrival_us for row in read]) / _US_PER_MIN
    parts = np.array_split(np.arange(len(read)), stretches)
    ages = age_ms(read)
    x = np.array([minutes[part].mean() for part in parts])
    y = np.array([np.median(ages[part]) for part in parts])
    from_middle = x - x.mean()
    spread = float(from_middle @ from_middle)
    rise = float(from_middle @ (y - y.mean())) / spread
    left = y - y.mean() - rise * from_middle
    error = float(np.sqrt(left @ left / (stretches - 2) / spread))
    length_min = float(minutes[-1] - minutes[0])
    return {
        "ms_per_min": round(rise, 4),
        "standard_error": round(error, 4),
        "drift_ms": round(rise * length_min, 3),
        "minutes": round(length_min, 2),
        "stretches": stretches,
    }


def course(rows: Sequence[Row], points: int = 120) -> list[tuple[float, float, float]]:
    """The age over time for a plot: seconds since the first picture, median and 99th percentile in ms."""
    read = [row for row in rows if row.number >= 0]
    if not read:
        return []
    ages = age_ms(read)
    seconds = (np.array([row.arrival_us for row in read]) - read[0].arrival_us) / 1e6
    parts = np.array_split(np.arange(len(read)), min(points, len(read)))
    return [
        (
            round(float(seconds[part].mean()), 2),
            round(float(np.median(ages[part])), 2),
            round(float(np.percentile(ages[part], 99)), 2),
        )
        for part in parts
    ]


def reaction(changes: Sequence[Change]) -> dict[str, Any]:
    """How soon changes of the controls showed.

    sent, unanswered: how many were sent, and how many of them never seen. pictures_seen: spread of the
    pictures from sending to the first changed one; 1 is the first that was taken after sending.
    """
    seen = [change.seen_number - change.sent_number for change in changes if change.seen_number >= 0]
    spread = {"min": min(seen), "median": float(np.median(seen)), "max": max(seen)} if seen else None
    return {"sent": len(changes), "unanswered": len(changes) - len(seen), "pictures_seen": spread}


def _dropped(record: ClientRecord) -> int:
    numbers = {row.number for row in record.rows if row.number >= 0}
    if not numbers:
        return 0
    unreadable = sum(row.number < 0 for row in record.rows)
    missing = max(numbers) - min(numbers) + 1 - len(numbers)
    return max(missing - record.skipped - unreadable, 0)


def _repeated(rows: Sequence[Row]) -> int:
    numbers = [row.number for row in rows if row.number >= 0]
    return len(numbers) - len(set(numbers))
