"""Figures of a client's record: age, losses, the slope of the age, reaction to changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.bench.common import percentiles
from rtfilter.bench.webrtc_record import Change, ClientRecord, Row
from rtfilter.system.arrays import U8

F64 = npt.NDArray[np.float64]

_US_PER_MS, _US_PER_MIN = 1e3, 60e6
# A line is laid through the medians of this many stretches: neighbouring pictures wait for each other, so the
# errors of single ones are not independent and would make the slope look surer than it is.
_STRETCHES = 60
_FEWEST_PER_STRETCH = 10
# The face of the demo at any size: rows and columns as shares of the picture.
FACE_ROWS, FACE_COLUMNS = (0.15, 0.75), (0.3, 0.7)
THUMB_PX = (96, 96)
# As many pictures are averaged for the state before, and for the state after.
_OVER = 4
_SEEN = 0.15


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
    (rise, _), covariance = np.polyfit(x, y, 1, cov=True)
    length_min = float(minutes[-1] - minutes[0])
    return {
        "ms_per_min": round(float(rise), 4),
        "standard_error": round(float(np.sqrt(covariance[0, 0])), 4),
        "drift_ms": round(float(rise) * length_min, 3),
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


def thumb_of(luma: U8) -> U8:
    """The demo's face in a luma plane [H, W], so small that encoders' noise averages out: uint8 [96, 96]."""
    height, width = luma.shape
    top, bottom = (int(share * height) for share in FACE_ROWS)
    left, right = (int(share * width) for share in FACE_COLUMNS)
    return np.asarray(
        cv2.resize(luma[top:bottom, left:right], THUMB_PX, interpolation=cv2.INTER_AREA), np.uint8
    )


def reactions(changes: Sequence[Change], rows: Sequence[Row], thumbs: Sequence[U8]) -> list[Change]:
    """`changes` with the reaction to each filled in; one that made no difference stays as it is.

    rows, thumbs: every picture of a still scene, which only the changes alter.

    A picture's place between before (0) and after (1) is its projection on the line between the two. From
    0.15 on the change is seen, well above what encoders make of a still picture.
    """
    if not changes:
        return []
    pictures = np.stack(thumbs).reshape(len(thumbs), -1).astype(np.float32)
    arrivals_us = np.array([row.arrival_us for row in rows])
    ends_us = [*(change.sent_us for change in changes[1:]), int(arrivals_us[-1]) + 1]
    found = []
    for change, end_us in zip(changes, ends_us, strict=True):
        first, last = np.searchsorted(arrivals_us, (change.sent_us, end_us))
        if first >= _OVER and last - first > 2 * _OVER:
            shares = _shares_of_the_way(pictures[first - _OVER : first], pictures[first:last])
            seen = np.flatnonzero(shares >= _SEEN)
            if len(seen):
                change = replace(change, seen_number=rows[first + seen[0]].number)
        found.append(change)
    return found


def _shares_of_the_way(
    before: npt.NDArray[np.float32], since: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """How far each picture of `since` is on the way from `before` to the last; empty without a way."""
    start = before.mean(0)
    way = since[-_OVER:].mean(0) - start
    # Twice as far as one picture lies from the others when nothing was changed, or there is no way.
    noise = max(float(np.abs(picture - start).mean()) for picture in before)
    if float(np.abs(way).mean()) <= max(2.0 * noise, 0.05):
        return np.zeros(0, np.float32)
    return np.asarray((since - start) @ way / float(way @ way), np.float32)


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
