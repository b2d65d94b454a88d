"""How many pictures after a wish its effect is seen: read from the pictures alone, then from the timings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.frame import U8
from rtfilter.serve.bench.record import Change, Row

# The face of the demo at any size: rows and columns as shares of the picture.
FACE_ROWS, FACE_COLUMNS = (0.15, 0.75), (0.3, 0.7)
THUMB_PX = (96, 96)
# As many pictures are averaged for what it was like before and what it has become.
_OVER = 4


def thumb_of(luma: U8) -> U8:
    """The demo's face in a luma plane [H, W], so small that encoders' noise averages out: uint8 [96, 96]."""
    height, width = luma.shape
    top, bottom = (int(share * height) for share in FACE_ROWS)
    left, right = (int(share * width) for share in FACE_COLUMNS)
    return np.asarray(
        cv2.resize(luma[top:bottom, left:right], THUMB_PX, interpolation=cv2.INTER_AREA), np.uint8
    )


def reactions(
    changes: Sequence[Change], rows: Sequence[Row], thumbs: Sequence[U8], applied: Mapping[int, int]
) -> list[Change]:
    """`changes` with what was seen of each.

    rows, thumbs: every picture of a still scene in which nothing moves but by a wish.
    applied: by number of a picture, the newest wish in it, as the server's timings have it.

    A picture's place between before (0) and after (1) is its projection on the line between the two; what
    is at 0.5 or more has answered. A change that made no difference stays unanswered.
    """
    if not changes:
        return list(changes)
    pictures = np.stack(thumbs).reshape(len(thumbs), -1).astype(np.float32)
    arrivals_us = np.array([row.arrival_us for row in rows])
    found = []
    for place, change in enumerate(changes):
        end_us = changes[place + 1].sent_us if place + 1 < len(changes) else int(arrivals_us[-1]) + 1
        first, last = np.searchsorted(arrivals_us, (change.sent_us, end_us))
        answered = replace(change, applied_number=_first_applied(applied, change.seq))
        if first >= _OVER and last - first > 2 * _OVER:
            half = _first_half_way(pictures[first - _OVER : first], pictures[first:last])
            if half is not None:
                row = rows[first + half]
                answered = replace(answered, half_number=row.number, half_us=row.arrival_us)
        found.append(answered)
    return found


def _first_half_way(before: npt.NDArray[np.float32], since: npt.NDArray[np.float32]) -> int | None:
    start = before.mean(0)
    way = since[-_OVER:].mean(0) - start
    # Twice as far as one picture lies from the other when nothing was changed, or it was not seen.
    noise = max(float(np.abs(picture - start).mean()) for picture in before)
    if float(np.abs(way).mean()) <= max(2.0 * noise, 0.05):
        return None
    shares = (since - start) @ way / float(way @ way)
    reached = np.flatnonzero(shares >= 0.5)
    return int(reached[0]) if len(reached) else None


def _first_applied(applied: Mapping[int, int], seq: int) -> int:
    return min((number for number, newest in applied.items() if newest >= seq), default=-1)
