"""`LoopReport`: what a live loop did, counted and timed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from rtfilter.system.clock import StageSummary


@dataclass(frozen=True, slots=True)
class LoopReport:
    """Counts of frames since the loop began, and its timings.

    captured: from the first frame that the loop took to the last one, dropped ones included.
    filtered: frames that went through the filter; written: frames that the sink took.
    dropped_before_filter: replaced by a newer frame before the filter was free.
    dropped_before_sink: filtered, then replaced by a newer one before the sink was free (while the
        loop runs, a frame on its way counts here too).
    seconds: since the first frame.
    timings: by stage; `age_at_filter` and `age_at_sink` (capture to sink) are delays of whole frames,
        `filter`, `filter.*` and `sink` are work.
    """

    captured: int
    filtered: int
    written: int
    seconds: float
    timings: dict[str, StageSummary]

    @property
    def dropped_before_filter(self) -> int:
        return self.captured - self.filtered

    @property
    def dropped_before_sink(self) -> int:
        return self.filtered - self.written

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON-ready values, the drops included."""
        return {
            **asdict(self),
            "dropped_before_filter": self.dropped_before_filter,
            "dropped_before_sink": self.dropped_before_sink,
        }
