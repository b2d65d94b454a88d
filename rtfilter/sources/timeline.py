"""Timestamps that rise, for every picture of a file: those that have none get the place that is theirs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction

import av

from rtfilter.frame import NANOSECONDS

# Pictures without a time that wait for one that has it. Streams that have none at all give no more than this.
_AHEAD = 16


def timed(pictures: Iterable[av.VideoFrame], fps: Fraction) -> Iterator[tuple[av.VideoFrame, int]]:
    """Pictures, each with its time in units of its time base.

    Those without one lie before the next that has one, at the rate `fps`, or evenly where there is less room;
    after the last that has one they go on at that rate. One that does not rise is moved to one tick after
    its predecessor.
    """
    waiting: list[av.VideoFrame] = []
    last: int | None = None
    looks_ahead = True
    for picture in pictures:
        waiting.append(picture)
        if picture.pts is None and looks_ahead:
            looks_ahead = len(waiting) < _AHEAD
            if looks_ahead:
                continue
        for one, pts in _placed(waiting, last, fps):
            last = pts
            yield one, pts
        waiting = []
    yield from _placed(waiting, last, fps)


def _placed(
    pictures: list[av.VideoFrame], last: int | None, fps: Fraction
) -> Iterator[tuple[av.VideoFrame, int]]:
    """Pictures of which none but the last may have a time. last: the time of the one before."""
    if not pictures:
        return
    step = Fraction(max(1, round(1 / (fps * (pictures[0].time_base or NANOSECONDS)))))
    end = pictures[-1].pts
    if last is None:
        first = Fraction(0) if end is None else end - step * (len(pictures) - 1)
    else:
        if end is not None:
            step = min(step, Fraction(end - last, len(pictures)))
        first = last + step
    for index, picture in enumerate(pictures):
        pts = int(first + index * step) if picture.pts is None else picture.pts
        last = pts if last is None else max(pts, last + 1)
        yield picture, last
