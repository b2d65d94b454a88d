"""`PartSource`: the part of a video from one moment to another. Called by `cli.run`."""

from __future__ import annotations

from dataclasses import replace

from rtfilter.errors import UsageError
from rtfilter.frame import Frame
from rtfilter.sources.base import Source
from rtfilter.sources.file import FileSource


class PartSource:
    """The frames of `source` from `start_s` on, counted from its first one, and for `length_s` from there.

    whole: the source, whose times stay, and which is closed with this. Raises UsageError when there is none.
    """

    def __init__(self, source: Source, start_s: float, length_s: float | None) -> None:
        self.whole = source
        frame = first = source.read()
        origin_s = _start_s(first)
        if isinstance(source, FileSource) and source.origin_s is not None:
            origin_s = source.origin_s
        # A frame belongs to the moment when it begins; a nanosecond is what rounding may take.
        from_s = origin_s + start_s - 1e-9
        self._end_s = float("inf") if length_s is None else from_s + length_s
        last_s = origin_s
        while frame is not None and _start_s(frame) < from_s:
            last_s = _start_s(frame)
            frame = source.read()
        if frame is None or _start_s(frame) >= self._end_s:
            there = (
                f"the last picture is at {last_s - origin_s:.2f} s"
                if frame is None
                else "no picture is there"
            )
            raise UsageError(
                f"--start {start_s:g} of {source.info.name}: {there}; begin earlier or take more"
            )
        self._pending: Frame | None = frame
        count = None if length_s is None else max(1, round(length_s * float(source.info.fps)))
        all_frames = source.info.frame_count
        if all_frames is not None:
            rest = max(1, all_frames - round(start_s * float(source.info.fps)))
            count = rest if count is None else min(count, rest)
        self.info = replace(source.info, frame_count=count)
        self._ended = False

    def read(self, timeout_s: float = 5.0) -> Frame | None:
        """The next frame of the part; None after its last."""
        frame, self._pending = self._pending, None
        if frame is None and not self._ended:
            frame = self.whole.read(timeout_s)
        if frame is None or _start_s(frame) >= self._end_s:
            self._ended = True
            return None
        return frame

    def close(self) -> None:
        """Close the source."""
        self.whole.close()


def _start_s(frame: Frame | None) -> float:
    return 0.0 if frame is None else float(frame.pts * frame.time_base)
