"""Frames from what users have: arrays of either order, PyAV's pictures, and times of every kind."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np
import pytest

from rtfilter import Controls, FaceFilter, Frame
from rtfilter.errors import FrameError
from rtfilter.filter import StepReport
from tests.faces import ScriptedTracker, builtin, face_px, texture

PICTURE = texture(320, 240)
HAPPY = Controls({"happy": 1.0}, occlusion=False)


@pytest.fixture
def face_filter() -> Iterator[FaceFilter]:
    with FaceFilter(tracker=ScriptedTracker([face_px()]), model=builtin()) as made:
        yield made


def test_without_pts_a_frame_is_of_now() -> None:
    before = time.monotonic_ns()
    frame = Frame.from_rgb(PICTURE)
    assert before <= frame.pts_ns == frame.captured_ns <= time.monotonic_ns()


def test_a_stream_without_pts_is_edited(face_filter: FaceFilter) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(12):
            out, _ = face_filter.step(Frame.from_rgb(PICTURE), HAPPY)
            time.sleep(0.005)
    assert out.changed is not None


def test_numbers_of_frames_with_their_rate_are_times(face_filter: FaceFilter) -> None:
    frames = [Frame.from_rgb(PICTURE, pts=number, fps=29.97) for number in range(12)]
    assert frames[3].pts_ns == pytest.approx(3e9 / 29.97, abs=1)
    assert frames[3].captured_ns == frames[3].pts_ns
    shown = [face_filter.step(frame, HAPPY).frame for frame in frames]
    assert shown[-1].changed is not None
    assert Frame.from_rgb(PICTURE, pts=1, fps=Fraction(30000, 1001)).time_base == Fraction(1001, 30000)


@pytest.mark.parametrize("step", [1, 0, -1, 33, 3000, 33_333], ids=lambda step: f"{step} ns")
def test_time_that_stands_still_is_said_once(face_filter: FaceFilter, step: int) -> None:
    """Numbers of frames, milliseconds, 90 kHz ticks and microseconds, taken for nanoseconds."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for number in range(40):
            face_filter.step(Frame.from_rgb(PICTURE, pts=number * step), HAPPY)
    assert [warning.filename for warning in told] == [__file__]
    assert "cannot fade in: give pts in nanoseconds" in str(told[0].message)


def test_quick_streams_repeated_stamps_and_single_pictures_are_let_be(face_filter: FaceFilter) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for number in range(40):  # a thousand frames a second
            face_filter.step(Frame.from_rgb(PICTURE, pts=number * 1_000_000), HAPPY)
        for number in range(40):  # every second stamp twice
            face_filter.step(Frame.from_rgb(PICTURE, pts=number // 2 * 33_333_333), HAPPY)
        for _ in range(40):
            face_filter.reset()
            face_filter.step(Frame.from_rgb(PICTURE, pts=0), HAPPY)


@pytest.mark.parametrize("pts", [0.5, "1", True, np.float64(3)])
def test_a_pts_that_is_no_whole_number_is_refused(pts: object) -> None:
    with pytest.raises(FrameError, match=r"expected whole nanoseconds, got .*round\(seconds \* 1e9\)"):
        Frame.from_rgb(PICTURE, pts=pts)  # type: ignore[arg-type]


@pytest.mark.parametrize("fps", [0, -1, float("nan"), float("inf"), "x"])
def test_a_rate_that_is_none_is_refused(fps: object) -> None:
    with pytest.raises(FrameError, match="fps: expected frames a second"):
        Frame.from_rgb(PICTURE, pts=1, fps=fps)  # type: ignore[arg-type]
    with pytest.raises(FrameError, match="fps needs the frame's number"):
        Frame.from_rgb(PICTURE, fps=30)


def test_numpys_whole_numbers_are_times() -> None:
    assert Frame.from_rgb(PICTURE, pts=np.int64(5)).pts == 5  # type: ignore[arg-type]


def test_bgr_is_rgb_the_other_way_round() -> None:
    frame = Frame.from_bgr(PICTURE, pts=7, seq=2)
    assert np.array_equal(frame.rgb, PICTURE[:, :, ::-1])
    assert frame.rgb.flags.c_contiguous
    assert np.array_equal(frame.bgr, PICTURE)
    assert (frame.pts, frame.seq) == (7, 2)
    with pytest.raises(FrameError, match="BGRA; drop the alpha"):
        Frame.from_bgr(np.zeros((4, 4, 4), np.uint8))


@pytest.mark.parametrize("pixel_format", ["yuv420p", "nv12", "rgb24", "bgr24", "yuv420p10le", "gray"])
def test_a_picture_of_pyav_keeps_its_time_and_colours(pixel_format: str) -> None:
    flat = np.broadcast_to(np.array([180, 90, 60], np.uint8), (48, 64, 3))
    picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(flat), format="rgb24").reformat(
        format=pixel_format
    )
    picture.pts, picture.time_base, picture.duration = 3000, Fraction(1, 90_000), 1500
    frame = Frame.from_av(picture, seq=4)
    assert (frame.pts_ns, frame.seq, frame.native) == (33_333_333, 4, picture)
    assert frame.duration == 1500
    assert (frame.width, frame.height) == (64, 48)
    assert (frame.planes is not None) == pixel_format.startswith(("yuv", "nv12"))
    if pixel_format != "gray":
        assert np.abs(frame.rgb.astype(int) - flat).max() <= 3


def test_what_is_no_picture_of_pyavs_is_refused() -> None:
    with pytest.raises(FrameError, match=r"expected an av\.VideoFrame, got ndarray"):
        Frame.from_av(PICTURE)  # type: ignore[arg-type]


def test_a_picture_of_pyav_without_a_pts_is_of_now() -> None:
    picture = av.VideoFrame(64, 48, "yuv420p")
    picture.time_base = Fraction(1, 30)
    assert abs(Frame.from_av(picture).pts_ns - time.monotonic_ns()) < 1e9


def test_coefficients_have_their_names(face_filter: FaceFilter) -> None:
    assert StepReport().coefficients == {}
    report = face_filter.step(Frame.from_rgb(PICTURE, pts=0), HAPPY).report
    assert len(report.coefficients) == 52
    assert report.coefficients["jawOpen"] == report.state.expression[24]  # type: ignore[union-attr]
