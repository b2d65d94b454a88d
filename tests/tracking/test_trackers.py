"""The tracker on pictures whose faces are known: which one it takes, and when it lets go."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from rtfilter.sources.demo import DemoSource
from rtfilter.tracking.base import LANDMARK_COUNT, Landmarks
from rtfilter.tracking.engine import EngineTracker
from tests.tracking.scenes import HEIGHT, LEFT, RIGHT, WIDTH, is_at, scene, track


def test_it_finds_the_demos_face(engine: EngineTracker) -> None:
    demo = DemoSource(320, 240)
    frame = demo.frame(0)
    found = engine.track(frame)
    assert found is not None
    assert found.points_px.shape == (LANDMARK_COUNT, 3)
    assert found.points_px.dtype == np.float32
    assert np.isfinite(found.points_px).all()
    assert 0.0 <= found.score <= 1.0
    truth = demo.truth(0)
    error = np.linalg.norm((found.points_px - truth.points_px)[:, :2], axis=1) / truth.pose.scale_px_per_iod
    assert np.median(error) < 0.02, "of an IOD; measured 0.005 to 0.010"
    demo.close()


@pytest.mark.parametrize(
    "rgb",
    [
        np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8),
        np.zeros((240, 320, 3), np.uint8),
        np.full((1080, 1920, 3), 255, np.uint8),
        np.zeros((1, 1, 3), np.uint8),
        np.zeros((1, 4000, 3), np.uint8),
        np.zeros((15, 15, 3), np.uint8),
        np.zeros((17, 4000, 3), np.uint8),
        np.zeros((16384, 20, 3), np.uint8),
    ],
    ids=lambda rgb: "x".join(map(str, rgb.shape[:2])),
)
def test_there_is_no_face_where_there_is_none(engine: EngineTracker, rgb: np.ndarray) -> None:
    assert all(track(engine, rgb, seq) is None for seq in range(2))


def test_an_8k_picture_has_its_landmarks_in_its_own_pixels(engine: EngineTracker) -> None:
    small = scene((RIGHT, 280))
    wide = np.zeros((4320, 7680, 3), np.uint8)
    large = cv2.resize(small, (7680, 7680 * HEIGHT // WIDTH), interpolation=cv2.INTER_LINEAR)
    wide[: large.shape[0]] = large
    found = track(engine, wide)
    assert found is not None
    scale = 7680 / WIDTH
    shrunk = Landmarks(np.float32(found.points_px / scale), found.score)
    assert is_at(shrunk, (RIGHT, 280))


def test_a_picture_is_not_written_to(engine: EngineTracker) -> None:
    rgb = scene((LEFT, 160), (RIGHT, 280))
    before = rgb.copy()
    track(engine, rgb)
    assert np.array_equal(rgb, before)


@pytest.mark.parametrize("larger", [LEFT, RIGHT])
def test_of_two_faces_the_larger_is_taken(engine: EngineTracker, larger: tuple[int, int]) -> None:
    smaller = RIGHT if larger is LEFT else LEFT
    for seq in range(3):
        assert is_at(track(engine, scene((smaller, 180), (larger, 280)), seq), (larger, 280))


def test_it_stays_with_its_face_when_another_grows_larger(engine: EngineTracker) -> None:
    for seq, t in enumerate(np.linspace(0.0, 1.0, 16)):
        ours, other = round(280 - 110 * t), round(170 + 110 * t)
        found = track(engine, scene((LEFT, other), (RIGHT, ours)), seq)
        assert is_at(found, (RIGHT, ours)), f"frame {seq}"


def test_it_lets_go_when_its_face_is_gone_and_takes_who_is_there(engine: EngineTracker) -> None:
    for seq in range(3):
        assert is_at(track(engine, scene((LEFT, 160), (RIGHT, 280)), seq), (RIGHT, 280))
    later = [track(engine, scene((LEFT, 280)), seq) for seq in range(3, 7)]
    assert all(found is None or is_at(found, (LEFT, 280)) for found in later)
    assert later[-1] is not None


def test_landmarks_belong_to_their_own_frame_across_a_cut(engine: EngineTracker) -> None:
    """A jump cut: never the face where it was a frame ago."""
    places = [LEFT] * 3 + [RIGHT] * 3 + [LEFT] * 3
    found = [track(engine, scene((place, 280)), seq) for seq, place in enumerate(places)]
    for seq, (place, landmarks) in enumerate(zip(places, found, strict=True)):
        assert landmarks is None or is_at(landmarks, (place, 280)), f"frame {seq}"
    assert [found[k] is not None for k in (0, 2, 5, 8)] == [True] * 4


def test_a_face_that_moves_is_followed_without_delay(engine: EngineTracker) -> None:
    for seq in range(12):
        place = (200 + 24 * seq, 160)
        assert is_at(track(engine, scene((place, 280)), seq), (place, 280)), f"frame {seq}"


def test_after_a_reset_the_larger_face_is_chosen_again(engine: EngineTracker) -> None:
    for seq, t in enumerate(np.linspace(0.0, 1.0, 16)):
        found = track(engine, scene((LEFT, round(170 + 110 * t)), (RIGHT, round(280 - 110 * t))), seq)
    assert is_at(found, (RIGHT, 170))
    engine.reset()
    assert is_at(track(engine, scene((LEFT, 280), (RIGHT, 170)), 16), (LEFT, 280))


def test_a_face_that_was_lost_for_a_moment_is_the_same_one(engine: EngineTracker) -> None:
    """Hidden for four frames; meanwhile somebody larger came."""
    for seq in range(3):
        assert is_at(track(engine, scene((LEFT, 240)), seq), (LEFT, 240))
    for seq in range(3, 7):
        assert track(engine, scene(), seq) is None
    back = [track(engine, scene((LEFT, 240), (RIGHT, 290)), seq) for seq in range(7, 10)]
    assert all(is_at(found, (LEFT, 240)) for found in back)


def test_after_long_enough_whoever_is_largest_is_taken(engine: EngineTracker) -> None:
    assert is_at(track(engine, scene((LEFT, 240)), 0), (LEFT, 240))
    assert track(engine, scene(), 1) is None
    assert is_at(track(engine, scene((LEFT, 240), (RIGHT, 290)), 100), (RIGHT, 290))
