"""`FilterPool`: loaded filters that streams borrow. Called by `pipeline`, which borrows, and `server`."""

from __future__ import annotations

import threading
from collections.abc import Callable

from rtfilter.errors import GpuError, UsageError
from rtfilter.filter import FaceFilter


class FilterPool:
    """Filters kept loaded, lent to streams from any thread: loading one takes a second.

    spares: how many unused ones are kept; further ones are closed. The default is as many as there may be
        streams, so that none waits for its filter.
    """

    def __init__(self, make: Callable[[], FaceFilter] = FaceFilter, spares: int = 16) -> None:
        self._make = make
        self._spares = spares
        self._idle: list[FaceFilter] = []
        self._changing = threading.Lock()
        self._closed = False

    @property
    def idle(self) -> int:
        return len(self._idle)

    def warm_up(self) -> None:
        """Load one ahead; takes a second or, after an installation, ten."""
        self.give_back(self._make())

    def take(self) -> FaceFilter:
        """A filter without memory of a face. Raises UsageError once closed, and what loading one raises."""
        with self._changing:
            if self._closed:
                raise UsageError("the server is stopping: connect again when it is back")
            if self._idle:
                return self._idle.pop()
        return self._make()

    def give_back(self, face_filter: FaceFilter, error: BaseException | None = None) -> None:
        """Return a filter, to be lent again, without a profile, or closed.

        error: what it failed with. It is closed then, and after a GpuError so are the idle ones.
        """
        if error is None:
            if face_filter.profile is not None:
                face_filter.wear(None)
            face_filter.reset()
        with self._changing:
            keep = error is None and not self._closed and len(self._idle) < self._spares
            unusable = [] if keep else [face_filter]
            if keep:
                self._idle.append(face_filter)
            elif isinstance(error, GpuError):
                unusable, self._idle = [face_filter, *self._idle], []
        for each in unusable:
            each.close()

    def close(self) -> None:
        """Close the unused filters, and the lent ones when they come back."""
        with self._changing:
            self._closed = True
            idle, self._idle = self._idle, []
        for face_filter in idle:
            face_filter.close()
