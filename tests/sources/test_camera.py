"""The camera source: newest picture, unplugging and back, freezing, changes of size, a clean end."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from itertools import repeat
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from rtfilter.errors import DeviceError, UsageError
from rtfilter.frame import Frame
from rtfilter.sources.camera import CameraSource
from rtfilter.sources.capture import Capture, OpenCvCapture, Picture
from rtfilter.system.clock import NS_PER_S, monotonic_ns
from rtfilter.system.threads import start_thread
from tests.fakes.live import GUARD_S, Opener, ScriptedCapture, eventually, own_threads, picture

ENDLESS = repeat(picture(9))


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert eventually(lambda: not own_threads()), own_threads()


def camera(*captures: ScriptedCapture | DeviceError) -> CameraSource:
    return CameraSource(0, open_capture=Opener(list(captures)), first_retry_s=0.005)


def read_all(source: CameraSource, count: int) -> list[Frame]:
    frames = []
    for _ in range(count):
        frame = source.read(GUARD_S)
        assert frame is not None
        frames.append(frame)
    return frames


def test_frames_carry_their_capture_time() -> None:
    before_ns = monotonic_ns()
    source = camera(ScriptedCapture(picture(n) for n in repeat(3)))
    frames = read_all(source, 5)
    source.close()
    for frame in frames:
        assert before_ns <= frame.captured_ns <= monotonic_ns()
        assert frame.pts_ns == frame.captured_ns
        assert (frame.width, frame.height, int(frame.rgb[0, 0, 0])) == (8, 6, 3)
    stamps_ns = [frame.captured_ns for frame in frames]
    assert stamps_ns == sorted(set(stamps_ns))


def test_what_the_camera_gives_is_told_and_what_was_requested_is_asked() -> None:
    opener = Opener([ScriptedCapture(ENDLESS, fps=29.97, size=(640, 480))])
    source = CameraSource("2", 1280, 720, 30, open_capture=opener)
    source.close()
    assert opener.asked == [(2, 1280, 720, 30)]
    info = source.info
    assert (info.name, info.width, info.height, info.live) == ("camera:2", 640, 480, True)
    assert info.fps == Fraction(2997, 100)


def test_a_camera_that_tells_nothing_is_taken_at_the_request() -> None:
    source = CameraSource(0, 320, 240, 15, open_capture=Opener([ScriptedCapture(ENDLESS, 0.0, (0, 0))]))
    source.close()
    assert (source.info.width, source.info.height, source.info.fps) == (320, 240, 15)


def test_the_newest_wins_and_the_gap_in_seq_shows_the_drops() -> None:
    late, end = threading.Event(), threading.Event()
    source = camera(ScriptedCapture([*(picture(n) for n in range(20)), late, picture(99), end]))
    assert eventually(lambda: source.dropped == 19)
    first = source.read(GUARD_S)
    late.set()
    second = source.read(GUARD_S)
    end.set()
    source.close()
    assert first is not None
    assert second is not None
    assert [(f.seq, int(f.rgb[0, 0, 0])) for f in (first, second)] == [(19, 19), (20, 99)]


def test_absent_camera_is_refused_at_once() -> None:
    with pytest.raises(DeviceError, match="camera:7 is not there"):
        CameraSource(7, open_capture=Opener([]))


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ((0, 720, 30), "got 0x720"),
        ((1280, 99999, 30), "got 1280x99999"),
        ((1280, 720, 0), r"1\.\.1000 frames a second, got 0"),
    ],
)
def test_requests_that_no_camera_meets(target: tuple[int, int, float], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        CameraSource(0, *target, open_capture=Opener([]))


def test_an_unplugged_camera_comes_back_and_both_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    before = ScriptedCapture([picture(1), None])
    dead = ScriptedCapture([None])  # opens, but gives nothing yet
    after = ScriptedCapture(repeat(picture(2, 16, 12)))
    gone = DeviceError("camera:0 is not there")
    with caplog.at_level(logging.WARNING):
        source = camera(before, gone, gone, dead, gone, after)
        assert eventually(lambda: len(caplog.records) == 2)
        frame = source.read(GUARD_S)
        while frame is not None and frame.width == 8:
            frame = source.read(GUARD_S)
        source.close()
    assert frame is not None
    assert (frame.width, frame.height) == (16, 12)
    assert [record.message for record in caplog.records] == [
        "camera:0 gives no more pictures; waiting for it to come back",
        "camera:0 is back, 16x12",
    ]
    assert (before.closed, dead.closed, after.closed) == (1, 1, 1)


def test_seq_runs_on_over_a_reconnect() -> None:
    source = camera(ScriptedCapture([picture(1), None]), ScriptedCapture(repeat(picture(2))))
    assert eventually(lambda: source.dropped > 3)
    seqs = [frame.seq for frame in read_all(source, 3)]
    source.close()
    assert seqs == sorted(set(seqs))
    assert seqs[0] >= 4


def test_a_frozen_camera_is_an_error_and_goes_on_being_tried() -> None:
    thaw, end = threading.Event(), threading.Event()
    source = camera(ScriptedCapture([picture(1), thaw, picture(2), end]))
    read_all(source, 1)
    for _ in range(2):
        with pytest.raises(DeviceError, match=r"camera:0 is frozen; .*no picture for \d+\.\d s"):
            source.read(0.02)
    thaw.set()
    assert int(read_all(source, 1)[0].rgb[0, 0, 0]) == 2
    end.set()
    source.close()


def test_an_unplugged_camera_is_an_error_that_says_so() -> None:
    source = camera(ScriptedCapture([picture(1), None]))
    read_all(source, 1)
    assert eventually(lambda: own_threads() == ["rtfilter-camera"])
    with pytest.raises(DeviceError, match="camera:0 is gone; plug it in again"):
        source.read(0.1)
    source.close()


def test_a_change_of_size_gives_frames_of_the_new_size() -> None:
    step, end = threading.Event(), threading.Event()
    source = camera(ScriptedCapture([picture(1, 8, 6), step, picture(1, 33, 21), end]))
    sizes = [(frame.width, frame.height) for frame in read_all(source, 1)]
    step.set()
    sizes += [(frame.width, frame.height) for frame in read_all(source, 1)]
    end.set()
    source.close()
    assert sizes == [(8, 6), (33, 21)]


def test_close_wakes_a_waiting_read_and_can_be_repeated() -> None:
    thaw = threading.Event()
    capture = ScriptedCapture([thaw])
    source = camera(capture)
    got: list[Frame | None] = []
    reader = start_thread("reader", lambda: got.append(source.read(GUARD_S)))
    time.sleep(0.01)
    closer = start_thread("closer", source.close)
    reader.join(GUARD_S)
    assert got == [None]
    thaw.set()
    closer.join(GUARD_S)
    source.close()
    assert source.read(0.01) is None
    assert capture.closed == 1


def test_a_camera_that_hangs_in_its_driver_does_not_hold_up_the_close() -> None:
    thaw = threading.Event()
    capture = ScriptedCapture([picture(1), thaw])
    source = camera(capture)
    read_all(source, 1)
    began_s = time.monotonic()
    source.close()
    assert time.monotonic() - began_s < GUARD_S / 2
    assert capture.closed == 0  # still in the driver; released by its own thread when that lets go
    thaw.set()
    assert eventually(lambda: capture.closed == 1)


def test_a_fault_in_the_capture_reaches_the_reader() -> None:
    class Faulty(ScriptedCapture):
        def read(self) -> Picture | None:
            raise cv2.error("broken")

    source = camera(Faulty([]))
    with pytest.raises(cv2.error, match="broken"):
        source.read(GUARD_S)
    source.close()


# A real cv2.VideoCapture on a real file, paced as a camera is.

COUNT, RATE, LEVEL_STEP = 12, 100, 20


class PacedFile(OpenCvCapture):
    """Frames at the rate of a camera; the end of the file looks like an unplugged one."""

    def read(self) -> Picture | None:
        time.sleep(1 / RATE)
        return super().read()


@pytest.fixture(params=[("cam.avi", "mjpeg", "yuvj420p"), ("cam.y4m", "wrapped_avframe", "yuv420p")])
def video(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    name, codec, pixels = request.param
    path = tmp_path / name
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, pixels
        for n in range(COUNT):
            rgb = np.full((48, 64, 3), (n * LEVEL_STEP, 0, 0), np.uint8)
            frame = av.VideoFrame.from_ndarray(rgb, "rgb24").reformat(format=pixels)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_real_pictures_in_rgb_in_order_through_a_reconnect(video: Path) -> None:
    def open_file(_target: int | str, _width: int, _height: int, _fps: float) -> Capture:
        return PacedFile(cv2.VideoCapture(str(video)))

    source = CameraSource(str(video), open_capture=open_file, first_retry_s=0.005)
    frames = read_all(source, 2 * COUNT)
    source.close()
    assert (source.info.width, source.info.height, source.info.fps) == (64, 48, 30)
    seqs = [frame.seq for frame in frames]
    assert seqs == sorted(set(seqs))
    for frame in frames:
        red, green, blue = frame.rgb.reshape(-1, 3).mean(axis=0)
        assert red == pytest.approx(frame.seq % COUNT * LEVEL_STEP, abs=6)
        assert max(green, blue) <= 6
        assert frame.rgb.flags.c_contiguous
    ages_s = [(monotonic_ns() - frame.captured_ns) / NS_PER_S for frame in frames]
    assert ages_s == sorted(ages_s, reverse=True)
