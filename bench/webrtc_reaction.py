"""The first picture that shows a change of the controls, by its pixels. Called by `bench.webrtc_client`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.bench.webrtc_record import Change, Row
from rtfilter.system.arrays import U8

# The face of the demo at any size: rows and columns as shares of the picture.
FACE_ROWS, FACE_COLUMNS = (0.15, 0.75), (0.3, 0.7)
THUMB_PX = (96, 96)
# As many pictures are averaged for the state before, and for the state after.
_OVER = 4
_SEEN = 0.15


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
