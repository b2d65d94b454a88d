"""The progress bar: seen on a terminal, silent anywhere else."""

from __future__ import annotations

import io

import pytest

from rtfilter.cli.terminal import ProgressBar, progress_text


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_silent_where_there_is_no_terminal() -> None:
    stream = io.StringIO()
    with ProgressBar(stream) as bar:
        bar(1, 2)
        bar(2, 2)
    assert stream.getvalue() == ""


def test_a_terminal_sees_the_end_even_when_redraws_are_skipped() -> None:
    stream = Terminal()
    with ProgressBar(stream) as bar:
        for done in range(1, 1001):
            bar(done, 1000)
    text = stream.getvalue()
    assert "100% 1000/1000 frames" in text
    assert text.endswith("\n")
    assert text.count("\r") < 50
    bar.close()
    assert stream.getvalue() == text


def test_nothing_is_drawn_for_no_frames() -> None:
    stream = Terminal()
    ProgressBar(stream).close()
    assert stream.getvalue() == ""


@pytest.mark.parametrize(
    ("done", "total", "elapsed_s", "expected"),
    [
        (30, 120, 1.0, ["25% 30/120 frames", "30.0 fps", "0:03 left"]),
        (30, 3630, 1.0, ["2:00 left"]),
        (130, 120, 1.0, ["100% 130/130 frames", "0:00 left"]),
        (5, None, 2.0, ["5 frames, 2.5 fps"]),
        (0, 10, 0.0, ["0% 0/10 frames", "0.0 fps"]),
    ],
)
def test_the_line(done: int, total: int | None, elapsed_s: float, expected: list[str]) -> None:
    line = progress_text(done, total, elapsed_s)
    assert all(part in line for part in expected), line
