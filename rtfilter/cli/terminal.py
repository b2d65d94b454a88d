"""What commands write to stderr: messages, the lane, interruptions, and status lines of a terminal."""

from __future__ import annotations

import signal
import sys
import time
from typing import TYPE_CHECKING, TextIO, TypeVar

from rtfilter.gpu.choose import LaneChoice

if TYPE_CHECKING:
    from rtfilter.cam.loop import LoopReport

EXIT_INTERRUPTED = 128 + signal.SIGINT
S = TypeVar("S", bound="StatusLine")
_REDRAW_S = 0.1
_BAR_CELLS = 30


class InterruptedJob(KeyboardInterrupt):
    """An interruption that has been reported already, with what was kept."""


def notify(message: str) -> None:
    """Write one line for the user."""
    print(f"rtfilter: {message}", file=sys.stderr, flush=True)


def announce(choice: LaneChoice, quiet: bool) -> None:
    """Write which lane was chosen; when `quiet`, only if a GPU is used, or present and unused."""
    if choice.loud or not quiet:
        notify(choice.line)


def cause(error: KeyboardInterrupt) -> str:
    """The signal's name. Python's own handler of SIGINT gives none."""
    return str(error) or "SIGINT"


def report_interruption(error: KeyboardInterrupt, what: str = "", program: str = "rtfilter") -> None:
    """Write one line; `what` is how far the job had come and what was kept."""
    print(f"{program}: interrupted ({cause(error)}){what and ' '}{what}", file=sys.stderr, flush=True)


class StatusLine:
    """A line of a terminal that is redrawn in place. Closing it, or leaving its `with`, ends the line.

    stream: default stderr. Nothing is written when it is not a terminal.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._visible = self._stream.isatty()
        self._drawn = False

    def draw(self, text: str) -> None:
        """Replace the line by `text`."""
        if self._visible:
            self._drawn = True
            self._stream.write(f"\r{text}\x1b[K")
            self._stream.flush()

    def close(self) -> None:
        """Go to the next line, if anything was drawn."""
        if self._drawn:
            self._drawn = False
            self._stream.write("\n")
            self._stream.flush()

    def __enter__(self: S) -> S:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class ProgressBar(StatusLine):
    """Frames done of a file, with rate and time left. Called by `pipeline` and `quality.evaluate`.

    unit: what is counted, where it is not frames; `learn` counts clips and steps.
    """

    def __init__(self, stream: TextIO | None = None, unit: str = "frames") -> None:
        super().__init__(stream)
        self._unit = unit
        self._started_s = time.monotonic()
        self._drawn_s = -_REDRAW_S
        self._last: tuple[int, int | None] | None = None

    def __call__(self, done: int, total: int | None) -> None:
        """Show `done` frames of `total` (None: unknown), at most ten times a second."""
        self._last = (done, total)
        elapsed_s = time.monotonic() - self._started_s
        if elapsed_s - self._drawn_s >= _REDRAW_S:
            self._drawn_s = elapsed_s
            self.draw(progress_text(done, total, elapsed_s, self._unit))

    def close(self) -> None:
        """Show the final state."""
        if self._last is not None:
            elapsed_s = time.monotonic() - self._started_s
            self.draw(progress_text(*self._last, elapsed_s, self._unit))
            self._last = None
        super().close()


def progress_text(done: int, total: int | None, elapsed_s: float, unit: str = "frames") -> str:
    """The line for `done` frames, or others, in `elapsed_s`; with bar and time left where `total` is known.

    `total` may be an estimate: more frames than that show as full.
    """
    rate = done / elapsed_s if elapsed_s > 0.0 else 0.0
    per_second = f"{rate:.1f} {'fps' if unit == 'frames' else 'a second'}"
    if not total:
        return f"{done} {unit}, {per_second}"
    share = min(1.0, done / total)
    cells = round(share * _BAR_CELLS)
    left_s = max(0, total - done) / rate if rate > 0.0 else 0.0
    minutes, seconds = divmod(round(left_s), 60)
    bar = "#" * cells + "-" * (_BAR_CELLS - cells)
    return (
        f"[{bar}] {share:4.0%} {done}/{max(done, total)} {unit}, {per_second}, {minutes}:{seconds:02d} left"
    )


class LiveLine(StatusLine):
    """Rate, delay and drops of a live run. Called by `cam.loop.LiveLoop`."""

    def __call__(self, report: LoopReport, state: str = "") -> None:
        """Show the report, after the `state` in words."""
        self.draw(f"{state}{': ' if state else ''}{live_text(report)}")


def live_text(report: LoopReport) -> str:
    """The line for a report; the delay is the median from capture to output."""
    rate = report.written / report.seconds if report.seconds > 0.0 else 0.0
    age = report.timings.get("age_at_sink")
    delay = f", {age['p50_ms']:.0f} ms from capture to output" if age is not None else ""
    # A running loop has one frame on its way, which is not dropped.
    dropped = report.dropped_before_filter + max(report.dropped_before_sink - 1, 0)
    return f"{rate:.1f} fps{delay}, {dropped} dropped (Ctrl-C ends)"
