"""`LiveLine`: rate, delay and drops of a live run, on one line of a terminal; silent anywhere else."""

from __future__ import annotations

import sys
from typing import TextIO

from rtfilter.cam.loop_report import LoopReport


class LiveLine:
    """Callable as `LiveLoop`'s `on_tick`; leaving its `with` ends the line. stream: default stderr."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._visible = self._stream.isatty()
        self._drawn = False

    def __call__(self, report: LoopReport, state: str = "") -> None:
        """Show the state of the loop; `state` in words before it."""
        if self._visible:
            self._drawn = True
            self._stream.write(f"\r{state}{': ' if state else ''}{live_text(report)}\x1b[K")
            self._stream.flush()

    def __enter__(self) -> LiveLine:
        return self

    def __exit__(self, *_: object) -> None:
        if self._drawn:
            self._stream.write("\n")
            self._stream.flush()
            self._drawn = False


def live_text(report: LoopReport) -> str:
    """The line for a report; the delay is the median from capture to output."""
    rate = report.written / report.seconds if report.seconds > 0.0 else 0.0
    age = report.timings.get("age_at_sink")
    delay = f", {age['p50_ms']:.0f} ms from capture to output" if age is not None else ""
    # A running loop has one frame on its way, which is not dropped.
    dropped = report.dropped_before_filter + max(report.dropped_before_sink - 1, 0)
    return f"{rate:.1f} fps{delay}, {dropped} dropped (Ctrl-C ends)"
