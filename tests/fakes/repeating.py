"""A virtual camera that keeps what it shows."""

from __future__ import annotations

from tests.fakes.live import ListSink


class RepeatingListSink(ListSink):
    """`ListSink`, which also counts repeats."""

    repeats = 0

    def repeat(self) -> None:
        assert self.frames, "nothing to repeat"
        self.repeats += 1
