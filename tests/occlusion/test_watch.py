"""The watch on a rendered person who talks: what comes over the face is held at once, and not learned."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from rtfilter.colour import YuvSpec, rgb_to_yuv
from rtfilter.engines.ort.cpu import OnnxRunner
from rtfilter.face.landmarks import BROW_LEFT_UPPER, BROW_RIGHT_UPPER
from rtfilter.face.visibility import PARTS
from rtfilter.frame import Frame
from rtfilter.occlusion.network import on_the_processor
from rtfilter.occlusion.watch import FORGET_S, LOOK_EVERY, Occlusion, OcclusionWatch
from rtfilter.planes import Planes
from rtfilter.sources.demo import DemoSource
from rtfilter.tracking.base import Landmarks
from rtfilter.tracking.engine import EngineTracker
from tests.faces import builtin

Seen = tuple[Frame, Landmarks]
FRAMES = 40
MOUTH = PARTS.index("mouth")
BROWS = [PARTS.index("brow_right"), PARTS.index("brow_left")]
COLOURS = {"blue": (40, 90, 200), "skin": (214, 160, 130), "white": (240, 240, 240), "black": (12, 12, 14)}


@pytest.fixture(scope="module")
def network() -> Iterator[OnnxRunner]:
    made = on_the_processor()
    yield made
    made.close()


@pytest.fixture
def watch(network: OnnxRunner) -> OcclusionWatch:
    return OcclusionWatch(network, builtin().triangles)


@pytest.fixture(scope="module")
def clip() -> list[Seen]:
    source, tracker, seen = DemoSource(640, 480), EngineTracker(), []
    while len(seen) < FRAMES:
        frame = source.read()
        assert frame is not None
        landmarks = tracker.track(frame)
        assert landmarks is not None
        seen.append((frame, landmarks))
    source.close()
    tracker.close()
    return seen


def bar_of(landmarks: Landmarks, colour: str = "blue") -> tuple[slice, slice]:
    """Over the mouth, from beside one cheek to beside the other."""
    x, y = landmarks.points_px[13, :2].astype(int)
    tall = int(np.ptp(landmarks.points_px[:, 1]) / 7)
    return slice(y - tall, y + tall), slice(x - 110, x + 110)


def with_bar(frame: Frame, bar: tuple[slice, slice], colour: str = "blue") -> Frame:
    rgb = frame.rgb.copy()
    rgb[bar] = COLOURS[colour]
    return Frame.from_rgb(rgb, pts=frame.pts_ns)


def distances(seen: Occlusion, width: int = 640, height: int = 480) -> np.ndarray:
    """Of each pixel, without interpolation."""
    x, y = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    at = np.einsum("ij,hwj->hwi", seen.room.room_from_picture, np.stack([x, y, np.ones_like(x)], -1))
    at = np.clip(at.astype(int), 0, 95)
    return np.asarray(seen.room.distance[at[..., 1], at[..., 0]])


def oval(landmarks: Landmarks, shape: tuple[int, int] = (480, 640)) -> np.ndarray:
    """Well within the face, from the brows down: the portrait has a fringe, and hair over a face is held."""
    import cv2

    points = landmarks.points_px[:468, :2]
    brows = int(points[list(BROW_RIGHT_UPPER + BROW_LEFT_UPPER), 1].max())
    points = (points - points.mean(0)) * 0.8 + points.mean(0)
    inside = cv2.fillConvexPoly(np.zeros(shape, np.uint8), cv2.convexHull(points.astype(np.int32)), 1) > 0
    inside[:brows] = False
    return inside


@pytest.mark.parametrize("colour", COLOURS)
def test_a_bar_is_held_at_once_and_let_go_within_100_ms(
    watch: OcclusionWatch, clip: list[Seen], colour: str
) -> None:
    for number, (frame, landmarks) in enumerate(clip[:36]):
        bar = bar_of(landmarks)
        covered = 15 <= number < 27
        shown = with_bar(frame, bar, colour) if covered else frame
        seen = watch.see(shown, landmarks, frame.pts_ns * 1e-9)
        held = distances(seen) == 0.0
        inner = (slice(bar[0].start + 4, bar[0].stop - 4), slice(bar[1].start + 50, bar[1].stop - 50))
        if 18 <= number < 27:
            # Measured 0.89 for a bar of the skin's own colour.
            assert held[inner].mean() > (0.85 if colour == "skin" else 0.9), number
        if number >= 30 or 3 < number < 15:
            assert held[oval(landmarks)].mean() < 0.01, number
        if 22 <= number < 27:
            assert seen.parts[MOUTH] < 0.05
            assert seen.parts[BROWS].min() > 0.9
        if number < 15 or number > 34:
            assert seen.parts.min() > 0.9  # measured 0.93: the fringe reaches a brow


def test_a_bar_is_seen_in_its_first_frame(watch: OcclusionWatch, clip: list[Seen]) -> None:
    for number, (frame, landmarks) in enumerate(clip[:17]):
        bar = bar_of(landmarks)
        seen = watch.see(with_bar(frame, bar) if number == 16 else frame, landmarks, frame.pts_ns * 1e-9)
    inner = (slice(bar[0].start + 4, bar[0].stop - 4), slice(bar[1].start + 50, bar[1].stop - 50))
    assert (distances(seen) == 0.0)[inner].mean() > 0.9


def test_the_background_is_held_and_the_face_is_not(watch: OcclusionWatch, clip: list[Seen]) -> None:
    for frame, landmarks in clip[:12]:
        seen = watch.see(frame, landmarks, frame.pts_ns * 1e-9)
    held = distances(seen) == 0.0
    points = landmarks.points_px[:468, :2]
    beside = (points.mean(0) + 1.7 * (points[[127, 356, 234, 454]] - points.mean(0))).astype(int)
    assert held[beside[:, 1], beside[:, 0]].all()
    assert not held[oval(landmarks)].any()


def test_what_stays_for_a_minute_does_not_become_the_face(watch: OcclusionWatch, clip: list[Seen]) -> None:
    time_s = 0.0
    for number in range(20 + 300):
        frame, landmarks = clip[number % 20]
        bar = bar_of(landmarks)
        time_s += 1 / 30 if number < 40 else 0.2  # a minute, at five frames a second
        shown = with_bar(frame, bar, "skin") if number >= 20 else frame
        seen = watch.see(shown, landmarks, time_s)
    inner = (slice(bar[0].start + 4, bar[0].stop - 4), slice(bar[1].start + 50, bar[1].stop - 50))
    assert (distances(seen) == 0.0)[inner].mean() > 0.9  # measured 0.95: the last look is two frames old
    assert seen.parts[MOUTH] < 0.05


def test_a_face_that_trembles_is_not_looked_at_in_every_frame(
    watch: OcclusionWatch, clip: list[Seen]
) -> None:
    looks = 0
    for number in range(240):
        frame, landmarks = clip[number % len(clip)]
        watch.see(frame, landmarks, number / 30)
        looks += number >= 120 and watch._unseen == 0
    # Measured: 48 of 120; all of them before, with the fringe of the demo, which changes at every look.
    assert looks < 70


def test_the_same_frames_give_the_same_answers(network: OnnxRunner, clip: list[Seen]) -> None:
    both = [OcclusionWatch(network, builtin().triangles) for _ in range(2)]
    for number, (frame, landmarks) in enumerate(clip[:20]):
        shown = with_bar(frame, bar_of(landmarks)) if number > 10 else frame
        one, two = (each.see(shown, landmarks, frame.pts_ns * 1e-9) for each in both)
        assert np.array_equal(one.room.distance, two.room.distance)
        assert np.array_equal(one.room.room_from_picture, two.room.room_from_picture)
        assert np.array_equal(one.parts, two.parts)


def test_planes_are_seen_as_rgb_is(network: OnnxRunner, clip: list[Seen]) -> None:
    rgb, planes = (OcclusionWatch(network, builtin().triangles) for _ in range(2))
    spec = YuvSpec("bt709", full_range=False)
    for number, (frame, landmarks) in enumerate(clip[:16]):
        shown = with_bar(frame, bar_of(landmarks)) if number > 8 else Frame.from_rgb(frame.rgb)
        in_planes = Frame(Planes(*rgb_to_yuv(shown.rgb, spec, 1, 1), (1, 1), spec))
        one = rgb.see(shown, landmarks, number / 30)
        two = planes.see(in_planes, landmarks, number / 30)
    apart = (one.room.distance == 0.0) != (two.room.distance == 0.0)
    assert apart.mean() < 0.02


def test_the_network_looks_at_every_third_quiet_frame(watch: OcclusionWatch, clip: list[Seen]) -> None:
    frame, landmarks = clip[0]
    looks = []
    for number in range(60):
        watch.see(frame, landmarks, number / 30)
        looks.append(watch._unseen == 0)
    assert sum(looks[30:]) == 30 // LOOK_EVERY


def test_somebody_else_is_learned_anew(watch: OcclusionWatch, clip: list[Seen]) -> None:
    for frame, landmarks in clip[:20]:
        watch.see(frame, landmarks, frame.pts_ns * 1e-9)
    known = watch._appearance.known
    assert known > 0.5
    frame, landmarks = clip[20]
    last_s = clip[19][0].pts_ns * 1e-9
    for changed, time_s in ((replace(landmarks, person=landmarks.person + 7), last_s + 0.03),):
        watch.see(frame, changed, time_s)
        assert watch._appearance.known < 0.5 * known
    for frame, landmarks in clip[:20]:
        watch.see(frame, landmarks, last_s + 2 + frame.pts_ns * 1e-9)
    for away_s in (FORGET_S + 0.1, -1.0):
        time_s = watch._seen_s + away_s
        watch.see(frame, landmarks, time_s)
        assert watch._appearance.known < 0.5 * known
        for frame, landmarks in clip[:20]:
            watch.see(frame, landmarks, time_s + frame.pts_ns * 1e-9)


def test_a_face_that_left_is_not_learned(watch: OcclusionWatch, clip: list[Seen]) -> None:
    for frame, landmarks in clip[:20]:
        watch.see(frame, landmarks, frame.pts_ns * 1e-9)
    mean = watch._appearance._mean.copy()
    for number in range(6):
        frame, landmarks = clip[20]
        watch.see(Frame.from_rgb(frame.rgb[::-1].copy()), landmarks, 20 / 30 + number / 30, learn=False)
    assert np.array_equal(watch._appearance._mean, mean)


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (17, 31), (64, 48)])
def test_pictures_smaller_than_the_square(
    watch: OcclusionWatch, clip: list[Seen], size: tuple[int, int]
) -> None:
    frame = Frame.from_rgb(np.full((size[1], size[0], 3), 90, np.uint8))
    for number in range(5):
        seen = watch.see(frame, clip[number][1], number / 30)
        assert np.isfinite(seen.room.distance).all()
        assert np.isfinite(seen.room.room_from_picture).all()


@pytest.mark.parametrize("scale", [0.004, 0.05, 3.0, 40.0])
@pytest.mark.parametrize("shift", [0.0, -300.0, 5000.0])
def test_faces_of_any_size_and_place(
    watch: OcclusionWatch, clip: list[Seen], scale: float, shift: float
) -> None:
    frame, landmarks = clip[0]
    placed = replace(landmarks, points_px=landmarks.points_px * np.float32(scale) + np.float32(shift))
    for number in range(5):
        seen = watch.see(frame, placed, number / 30)
        assert (seen.room.distance >= 0.0).all()
        assert np.isfinite(seen.room.room_from_picture).all()
        assert ((seen.parts >= 0.0) & (seen.parts <= 1.0)).all()
