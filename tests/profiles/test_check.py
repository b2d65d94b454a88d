"""Frames that cannot be learned from, made of a real picture: dark, covered, masked, blurred and so on."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from rtfilter.face.fit import FaceFit
from rtfilter.frame import Frame
from rtfilter.profiles.check import Checked, Problem, checked
from rtfilter.sources.portrait import Portrait
from rtfilter.tracking.engine import EngineTracker
from tests.faces import builtin
from tests.profiles.people import unwrapper

U8 = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def tracker() -> Iterator[EngineTracker]:
    tracker = EngineTracker()
    yield tracker
    tracker.close()


@pytest.fixture(scope="module")
def portrait() -> U8:
    return np.ascontiguousarray(Portrait.builtin().rgb[:400, :400])


def check(rgb: U8, tracker: EngineTracker, place: U8 | None = None) -> Checked:
    """The check of a picture; the face is found in `place`, by default in the picture itself."""
    tracker.reset()
    found = tracker.track(Frame.from_rgb(rgb if place is None else place))
    assert found is not None
    fit = FaceFit(builtin())
    face, _ = fit.step(fit.first_identity(), found.points_px, 0.0)
    return checked(rgb, found.points_px, face.pose, *unwrapper().unwrap(rgb, found.points_px))


def box_of(rgb: U8, tracker: EngineTracker) -> tuple[int, int, int, int]:
    tracker.reset()
    found = tracker.track(Frame.from_rgb(rgb))
    assert found is not None
    low, high = found.points_px[:, :2].min(0), found.points_px[:, :2].max(0)
    return (*low.astype(int).tolist(), *high.astype(int).tolist())


def test_a_good_picture_passes(portrait: U8, tracker: EngineTracker) -> None:
    found = check(portrait, tracker)
    assert found.problem is None
    assert 60 < found.luma < 240
    assert found.sharpness > 0.05


def test_darkness(portrait: U8, tracker: EngineTracker) -> None:
    dark = (portrait * 0.12).astype(np.uint8)
    assert check(dark, tracker, portrait).problem is Problem.DARK


def test_too_much_light(portrait: U8, tracker: EngineTracker) -> None:
    bright = np.clip(portrait.astype(np.float32) * 4.0, 0, 255).astype(np.uint8)
    assert check(bright, tracker, portrait).problem is Problem.BRIGHT


@pytest.mark.parametrize("colour", [(0, 0, 0), (235, 238, 242), (90, 150, 210)])
def test_a_mask_over_the_mouth(portrait: U8, tracker: EngineTracker, colour: tuple[int, int, int]) -> None:
    left, top, right, bottom = box_of(portrait, tracker)
    masked = portrait.copy()
    masked[top + int(0.55 * (bottom - top)) : bottom, left:right] = colour
    assert check(masked, tracker, portrait).problem is Problem.COVERED


def test_something_held_before_half_of_the_face(portrait: U8, tracker: EngineTracker) -> None:
    left, top, right, bottom = box_of(portrait, tracker)
    covered = portrait.copy()
    covered[top:bottom, left : left + (right - left) // 2] = (20, 60, 30)
    assert check(covered, tracker, portrait).problem is Problem.COVERED


def test_blur(portrait: U8, tracker: EngineTracker) -> None:
    blurred = np.asarray(cv2.GaussianBlur(portrait, (0, 0), 9.0), np.uint8)
    assert check(blurred, tracker, portrait).problem is Problem.BLURRED


def test_a_small_face(portrait: U8, tracker: EngineTracker) -> None:
    small = np.full((140, 140, 3), 120, np.uint8)
    small[30:110, 30:110] = cv2.resize(portrait, (80, 80), interpolation=cv2.INTER_AREA)
    assert check(small, tracker).problem is Problem.SMALL


def test_a_face_at_the_edge_of_the_picture(portrait: U8, tracker: EngineTracker) -> None:
    left, _, right, _ = box_of(portrait, tracker)
    cut = portrait.copy()
    shift = left + (right - left) // 4
    tracker.reset()
    found = tracker.track(Frame.from_rgb(portrait))
    assert found is not None
    fit = FaceFit(builtin())
    points = found.points_px - np.array([shift, 0, 0], np.float32)
    face, _ = fit.step(fit.first_identity(), points, 0.0)
    rgb = np.ascontiguousarray(cut[:, shift:])
    assert checked(rgb, points, face.pose, *unwrapper().unwrap(rgb, points)).problem is Problem.CUT


def test_people_of_all_skins_pass(shared, tracker: EngineTracker) -> None:
    """One frame of each clip: no face is taken for covered, dark or blurred."""
    from rtfilter.sources.file import FileSource

    clips = (
        sorted((shared / "footage").glob("*.mp4")) + sorted((shared / "footage/spectre").glob("*.mp4"))[:4]
    )
    for clip in clips:
        source = FileSource(clip)
        for _ in range(12):
            frame = source.read()
        source.close()
        assert frame is not None
        problem = check(frame.rgb, tracker).problem
        assert problem in (None, Problem.TURNED, Problem.CUT), f"{clip.name}: {problem}"
