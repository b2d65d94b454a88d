"""`NullSink`: takes every frame and keeps none; for measurements and dry runs."""

from __future__ import annotations

from rtfilter.frame import Frame


class NullSink:
    """Counts frames. complete: None until closed, then whether the run was whole."""

    def __init__(self) -> None:
        self.frames = 0
        self.complete: bool | None = None

    def write(self, frame: Frame) -> None:
        """Count one frame."""
        self.frames += 1

    def close(self, complete: bool) -> None:
        """Remember how it ended."""
        self.complete = complete
