"""Paintings are prepared ahead, and what is of no more use is not prepared."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest

from rtfilter.frame import Frame
from rtfilter.render import painting
from rtfilter.render.painting import Painter
from rtfilter.system.arrays import Box
from rtfilter.system.helper import HelperThread

RGB = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)


@pytest.fixture
def helper() -> Iterator[HelperThread]:
    thread = HelperThread("test-painting")
    yield thread
    thread.close()


def test_frames_in_which_nobody_is_painted_do_not_pile_up_at_a_busy_helper(
    helper: HelperThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Frame] = []
    surface_of = painting.surface_of
    monkeypatch.setattr(
        painting, "surface_of", lambda frame, *how: (made.append(frame), surface_of(frame, *how))[1]
    )
    painter = Painter(helper)
    first = painter.begin(Frame.from_rgb(RGB))
    with first.of(Box(10, 10, 40, 40)):
        pass
    painter.end(first)
    made.clear()
    free = threading.Event()
    helper.submit(free.wait, 10.0)
    for seq in range(6):
        frame = Frame.from_rgb(RGB, seq=seq)
        painter.prepare(frame)
        assert painter.end(painter.begin(frame)).changed is None
    free.set()
    helper.submit(int).result(10.0)
    assert not made
    painter.prepare(frame)
    helper.submit(int).result(10.0)
    assert made == [frame], "a free helper prepares"
