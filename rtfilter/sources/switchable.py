"""`SwitchableSource`: one source for the loop, while the camera behind it is silent, lost or replaced."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from rtfilter.errors import DeviceError
from rtfilter.frame import Frame
from rtfilter.media.info import SourceInfo
from rtfilter.sources.base import Source

# How long one read of a silent camera lasts; after it the camera may have been replaced.
READ_S = 0.5
_AFTER_ERROR_S = 0.1


class SwitchableSource:
    """Gives the frames of `first`, later of whatever took its place, and waits when there are none.

    resting: asked for every frame; while it says True, they are thrown away.
    given_from: the source that the last frame came from.
    problem: why the camera is silent, one line; "" when it is not.
    """

    def __init__(self, first: Source, resting: Callable[[], bool] = lambda: False) -> None:
        self._current = first
        self._resting = resting
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._seq = -1
        self._last_seq: int | None = None
        self.given_from: Source | None = None
        self.problem = ""

    @property
    def info(self) -> SourceInfo:
        return self._current.info

    def switch(self, source: Source) -> None:
        """Take frames from `source` and close the one before, which may take a second."""
        with self._lock:
            before, self._current = self._current, source
            closed = self._closed.is_set()
        before.close()
        if closed:
            source.close()

    def leave(self) -> None:
        """Close the current source and wait for `switch`: the same device can't be open twice."""
        self.switch(_Between(self.info))

    def read(self, timeout_s: float = 5.0) -> Frame | None:
        """The next frame, however long it takes; None at the end of the current source or after `close`.

        A camera that is silent raises nothing here: `problem` tells. `seq` runs on over replacements and
        rests, with a gap only for frames that the camera dropped in between.
        """
        while not self._closed.is_set():
            source = self._current
            try:
                frame = source.read(READ_S)
            except DeviceError as error:
                if source is self._current:
                    self.problem = str(error)
                self._closed.wait(_AFTER_ERROR_S)
                continue
            if source is not self._current:
                continue
            if frame is None:
                return None
            self.problem = ""
            if self._resting():
                self._last_seq = None
                continue
            return self._numbered(source, frame)
        return None

    def close(self) -> None:
        """Close the current source; a waiting `read` returns None."""
        with self._lock:
            self._closed.set()
            current = self._current
        current.close()

    def _numbered(self, source: Source, frame: Frame) -> Frame:
        runs_on = self._last_seq is not None and source is self.given_from
        self._seq += frame.seq - (self._last_seq or 0) if runs_on else 1
        self._last_seq, self.given_from = frame.seq, source
        return replace(frame, seq=self._seq)


class _Between:
    """In place of a camera that was closed so that it can be opened anew."""

    def __init__(self, info: SourceInfo) -> None:
        self.info = info

    def read(self, timeout_s: float = 5.0) -> Frame | None:
        raise DeviceError(f"{self.info.name} is being opened anew")

    def close(self) -> None:
        pass
