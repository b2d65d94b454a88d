"""One source for the loop, whatever happens to the camera behind it."""

from __future__ import annotations

import threading

import numpy as np

from rtfilter.errors import DeviceError
from rtfilter.frame import Frame
from rtfilter.sources.switchable import SwitchableSource
from tests.fakes.live import HangingSource, ListSource, eventually

PIXELS = np.zeros((6, 8, 3), np.uint8)


def frame(seq: int) -> Frame:
    return Frame(PIXELS, pts=seq, seq=seq)


def test_numbers_run_on_with_the_camera_s_own_gaps() -> None:
    source = SwitchableSource(ListSource([frame(5), frame(6), frame(9)], live=True))
    assert [source.read().seq for _ in range(3)] == [0, 1, 4]
    source.switch(ListSource([frame(100), frame(102)], live=True))
    assert [source.read().seq for _ in range(2)] == [5, 7]
    assert source.read() is None


def test_a_silent_camera_raises_nothing_and_tells() -> None:
    silent = DeviceError("camera:0 is gone; plug it in again")
    source = SwitchableSource(ListSource([frame(0), silent, silent, frame(1)], live=True))
    assert source.read() is not None
    read = threading.Thread(target=source.read)
    read.start()
    assert eventually(lambda: "plug it in again" in source.problem)
    read.join(10)
    assert source.problem == ""


def test_the_one_before_is_closed_and_the_wait_goes_on_with_the_new() -> None:
    old = HangingSource()
    source = SwitchableSource(old)
    got: list[Frame | None] = []
    read = threading.Thread(target=lambda: got.append(source.read()))
    read.start()
    source.switch(ListSource([frame(3)], live=True))
    read.join(10)
    assert old.closed.is_set()
    assert got[0] is not None


def test_left_for_a_while_it_waits() -> None:
    source = SwitchableSource(HangingSource())
    got: list[Frame | None] = []
    read = threading.Thread(target=lambda: got.append(source.read()))
    read.start()
    source.leave()
    assert eventually(lambda: "opened anew" in source.problem)
    assert not got
    source.switch(ListSource([frame(0)], live=True))
    read.join(10)
    assert got[0] is not None


def test_frames_at_rest_are_thrown_away_and_leave_no_gap() -> None:
    resting = [False, True, True, False]
    source = SwitchableSource(ListSource([frame(n) for n in range(5)], live=True), lambda: resting.pop(0))
    assert source.read().seq == 0
    after = source.read()
    assert after is not None
    assert (after.pts, after.seq) == (3, 1)


def test_close_ends_a_wait_and_what_is_switched_to_later() -> None:
    old, late = HangingSource(), ListSource([], live=True)
    source = SwitchableSource(old)
    read = threading.Thread(target=source.read)
    read.start()
    source.close()
    read.join(10)
    assert not read.is_alive()
    source.switch(late)
    assert late.closed.is_set()
    assert source.read() is None
