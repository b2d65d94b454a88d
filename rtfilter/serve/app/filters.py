"""`FilterPool`: filters kept warm, since loading one takes a second and connecting should not."""

from __future__ import annotations

import threading
from collections.abc import Callable

from rtfilter.errors import UsageError
from rtfilter.filter import FaceFilter

Make = Callable[[], FaceFilter]


class FilterPool:
    """Lends filters, one to a stream; from any thread.

    spares: how many unused ones are kept for the next to come; more are closed. As many as there may be
        streams, by default: a stream that starts should not wait for one to load.
    """

    def __init__(self, make: Make = FaceFilter, spares: int = 16) -> None:
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
        """A filter that knows no face yet. Raises UsageError once closed, and what loading one raises."""
        with self._changing:
            if self._closed:
                raise UsageError("the server is stopping: connect again when it is back")
            if self._idle:
                return self._idle.pop()
        return self._make()

    def give_back(self, face_filter: FaceFilter) -> None:
        """A filter that its stream is done with: to be lent again, or closed."""
        face_filter.reset()
        with self._changing:
            keep = not self._closed and len(self._idle) < self._spares
            if keep:
                self._idle.append(face_filter)
        if not keep:
            face_filter.close()

    def close(self) -> None:
        """Close the unused filters, and the lent ones when they come back."""
        with self._changing:
            self._closed = True
            idle, self._idle = self._idle, []
        for face_filter in idle:
            face_filter.close()
