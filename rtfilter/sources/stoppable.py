"""`Stoppable`: a source that can be told to end early, as if it had no more frames."""

from __future__ import annotations

from collections.abc import Callable

from rtfilter.frame import Frame
from rtfilter.media.info import SourceInfo
from rtfilter.sources.base import Source


class Stoppable:
    """Hands out the frames of `source` until `stop`. It does not own `source`: the caller closes it.

    wake: ends a read of `source` that waits, and takes no lock; None where no read waits.
    stopped: whether `stop` was called.
    """

    def __init__(self, source: Source, wake: Callable[[], None] | None = None) -> None:
        self._source, self._wake = source, wake
        self.stopped = False

    @property
    def info(self) -> SourceInfo:
        return self._source.info

    def stop(self) -> None:
        """From now on there are no more frames. From any thread or a signal handler: it takes no lock."""
        self.stopped = True
        if self._wake is not None:
            self._wake()

    def read(self, timeout_s: float = 5.0) -> Frame | None:
        """The next frame of the source; None at its end and after `stop`."""
        return None if self.stopped else self._source.read(timeout_s)

    def close(self) -> None:
        """The same as `stop`: the source itself is the caller's."""
        self.stop()
