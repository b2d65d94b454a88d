"""A one-line progress bar on a terminal; silent anywhere else."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TextIO

_REDRAW_S = 0.1
_BAR_CELLS = 30


class ProgressBar:
    """Callable as `transcode`'s `progress`; `close()` (or leaving its `with`) ends the line.

    stream: default stderr. Nothing is written when it is not a terminal.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._visible = self._stream.isatty()
        self._started_s = time.monotonic()
        self._drawn_s = -_REDRAW_S
        self._last: tuple[int, int | None] | None = None

    def __call__(self, done: int, total: int | None) -> None:
        """Show `done` frames of `total` (None: unknown), at most ten times a second."""
        if not self._visible:
            return
        self._last = (done, total)
        elapsed_s = time.monotonic() - self._started_s
        if elapsed_s - self._drawn_s >= _REDRAW_S:
            self._drawn_s = elapsed_s
            self._draw(done, total, elapsed_s)

    def close(self) -> None:
        """Draw the final state and go to the next line. May be called twice."""
        if self._last is not None:
            self._draw(*self._last, time.monotonic() - self._started_s)
            self._stream.write("\n")
            self._stream.flush()
            self._last = None

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def _draw(self, done: int, total: int | None, elapsed_s: float) -> None:
        self._stream.write("\r" + progress_text(done, total, elapsed_s) + "\x1b[K")
        self._stream.flush()


def progress_text(done: int, total: int | None, elapsed_s: float) -> str:
    """The line for `done` frames in `elapsed_s`; with a bar and the time left where `total` is known.

    `total` may be an estimate: more frames than that show as full.
    """
    fps = done / elapsed_s if elapsed_s > 0.0 else 0.0
    if not total:
        return f"{done} frames, {fps:.1f} fps"
    share = min(1.0, done / total)
    cells = round(share * _BAR_CELLS)
    left_s = max(0, total - done) / fps if fps > 0.0 else 0.0
    minutes, seconds = divmod(round(left_s), 60)
    bar = "#" * cells + "-" * (_BAR_CELLS - cells)
    return (
        f"[{bar}] {share:4.0%} {done}/{max(done, total)} frames, {fps:.1f} fps, {minutes}:{seconds:02d} left"
    )
