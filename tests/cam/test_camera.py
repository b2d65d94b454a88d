"""One source for the loop, whatever happens to the camera behind it."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np

from rtfilter.cam.camera import CameraChoice, CamSource
from rtfilter.errors import DeviceError
from rtfilter.frame import Frame
from rtfilter.sources.base import Source
from tests.fakes.live import HangingSource, ListSource, eventually

PIXELS = np.zeros((6, 8, 3), np.uint8)
OTHER = CameraChoice("1", 8, 6, 30.0)


def frame(seq: int) -> Frame:
    return Frame(PIXELS, pts=seq, seq=seq)


def cam(first: Source, *others: Source, resting: Callable[[], bool] = lambda: False) -> CamSource:
    """The source of a job whose other cameras are `others`, one after another."""
    left = list(others)
    return CamSource(first, CameraChoice("0", 8, 6, 30.0), lambda *_: left.pop(0), resting)


def test_numbers_run_on_with_the_cameras_own_gaps() -> None:
    other = ListSource([frame(100), frame(102)], live=True)
    source = cam(ListSource([frame(5), frame(6), frame(9)], live=True), other)
    assert [source.read().seq for _ in range(3)] == [0, 1, 4]
    source.switch(OTHER)
    assert [source.read().seq for _ in range(2)] == [5, 7]
    assert source.read() is None


def test_what_is_not_live_is_paced_once() -> None:
    demo = cam(ListSource([frame(0)]), ListSource([frame(0)]))
    assert demo.info.live
    demo.switch(OTHER)
    assert demo.info.live
    demo.close()


def test_a_silent_camera_raises_nothing_and_has_a_problem() -> None:
    silent = DeviceError("camera:0 is gone; plug it in again")
    source = cam(ListSource([frame(0), silent, silent, frame(1)], live=True))
    assert source.read() is not None
    read = threading.Thread(target=source.read)
    read.start()
    assert eventually(lambda: "plug it in again" in source.problem)
    read.join(10)
    assert source.problem == ""


def test_the_one_before_is_closed_and_the_wait_goes_on_with_the_new() -> None:
    old = HangingSource()
    source = cam(old, ListSource([frame(3)], live=True))
    got: list[Frame | None] = []
    read = threading.Thread(target=lambda: got.append(source.read()))
    read.start()
    source.switch(OTHER)
    read.join(10)
    assert old.closed.is_set()
    assert got[0] is not None


def test_while_the_same_camera_is_opened_anew_it_waits() -> None:
    opening = threading.Event()

    def open_camera(*_: object) -> Source:
        assert opening.wait(10)
        return ListSource([frame(0)], live=True)

    choice = CameraChoice("0", 8, 6, 30.0)
    source = CamSource(HangingSource(), choice, open_camera, lambda: False)
    got: list[Frame | None] = []
    threads = [
        threading.Thread(target=lambda: got.append(source.read())),
        threading.Thread(target=source.switch, args=(choice,)),
    ]
    for thread in threads:
        thread.start()
    assert eventually(lambda: "opened anew" in source.problem)
    assert not got
    opening.set()
    for thread in threads:
        thread.join(10)
    assert got[0] is not None


def test_frames_at_rest_are_thrown_away_and_leave_no_gap() -> None:
    resting = [False, True, True, False]
    source = cam(ListSource([frame(n) for n in range(5)], live=True), resting=lambda: resting.pop(0))
    assert source.read().seq == 0
    after = source.read()
    assert after is not None
    assert (after.pts, after.seq) == (3, 1)


def test_close_ends_a_wait_and_what_is_switched_to_later() -> None:
    old, late = HangingSource(), ListSource([], live=True)
    source = cam(old, late)
    read = threading.Thread(target=source.read)
    read.start()
    source.close()
    read.join(10)
    assert not read.is_alive()
    source.switch(OTHER)
    assert late.closed.is_set()
    assert source.read() is None
