"""The tracker on pictures whose faces are known: which one it takes, and when it lets go."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from rtfilter.frame import Frame
from rtfilter.sources.demo import DemoSource, portrait_rgb
from rtfilter.tracking.base import LANDMARK_COUNT, Landmarks
from rtfilter.tracking.mediapipe import MediaPipeTracker

WIDTH, HEIGHT, FPS = 720, 320, 30
LEFT, RIGHT = (180, 160), (520, 160)
HEAD = portrait_rgb()[10:270, 90:350]  # the face is half as wide, left and above of the middle
FACE_FROM_TILE = (0.015, -0.065)  # centre of the landmarks from the centre of the tile, in tile sides

Person = tuple[tuple[int, int], int]


@pytest.fixture(scope="module")
def shared_tracker() -> Iterator[MediaPipeTracker]:
    made = MediaPipeTracker()
    yield made
    made.close()


@pytest.fixture
def tracker(shared_tracker: MediaPipeTracker) -> MediaPipeTracker:
    """Loading the networks takes half a second, so they are loaded once and reset."""
    shared_tracker.reset()
    return shared_tracker


def scene(*people: Person) -> np.ndarray:
    """A grey picture with the portrait's head pasted at centres and sizes in pixels."""
    rgb = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    for (x, y), side in people:
        tile = cv2.resize(HEAD, (side, side), interpolation=cv2.INTER_AREA)
        x0, y0 = x - side // 2, y - side // 2
        rgb[y0 : y0 + side, x0 : x0 + side] = tile
    return rgb


def track(tracker: MediaPipeTracker, rgb: np.ndarray, seq: int = 0) -> Landmarks | None:
    return tracker.track(Frame.from_rgb(rgb, pts=seq * 1_000_000_000 // FPS, seq=seq))


def is_at(landmarks: Landmarks | None, person: Person) -> bool:
    """Whether these landmarks are that person's: centre within a tenth of the tile, and width."""
    assert landmarks is not None
    (x, y), side = person
    centre = landmarks.points_px[:, :2].mean(0)
    expected = np.array([x + FACE_FROM_TILE[0] * side, y + FACE_FROM_TILE[1] * side])
    width = float(np.ptp(landmarks.points_px[:, 0]))
    return bool(np.linalg.norm(centre - expected) < 0.1 * side and 0.3 < width / side < 0.42)


def test_it_finds_the_demos_face(tracker: MediaPipeTracker) -> None:
    demo = DemoSource(320, 240)
    frame = demo.frame(0)
    found = tracker.track(frame)
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
def test_there_is_no_face_where_there_is_none(tracker: MediaPipeTracker, rgb: np.ndarray) -> None:
    assert all(track(tracker, rgb, seq) is None for seq in range(2))


def test_an_8k_picture_has_its_landmarks_in_its_own_pixels(tracker: MediaPipeTracker) -> None:
    small = scene((RIGHT, 280))
    wide = np.zeros((4320, 7680, 3), np.uint8)
    large = cv2.resize(small, (7680, 7680 * HEIGHT // WIDTH), interpolation=cv2.INTER_LINEAR)
    wide[: large.shape[0]] = large
    found = track(tracker, wide)
    assert found is not None
    scale = 7680 / WIDTH
    shrunk = Landmarks(np.float32(found.points_px / scale), found.score)
    assert is_at(shrunk, (RIGHT, 280))


def test_a_picture_is_not_written_to(tracker: MediaPipeTracker) -> None:
    rgb = scene((LEFT, 160), (RIGHT, 280))
    before = rgb.copy()
    track(tracker, rgb)
    assert np.array_equal(rgb, before)


@pytest.mark.parametrize("larger", [LEFT, RIGHT])
def test_of_two_faces_the_larger_is_taken(tracker: MediaPipeTracker, larger: tuple[int, int]) -> None:
    smaller = RIGHT if larger is LEFT else LEFT
    for seq in range(3):
        assert is_at(track(tracker, scene((smaller, 180), (larger, 280)), seq), (larger, 280))


def test_it_stays_with_its_face_when_another_grows_larger(tracker: MediaPipeTracker) -> None:
    for seq, t in enumerate(np.linspace(0.0, 1.0, 16)):
        ours, other = round(280 - 110 * t), round(170 + 110 * t)
        found = track(tracker, scene((LEFT, other), (RIGHT, ours)), seq)
        assert is_at(found, (RIGHT, ours)), f"frame {seq}"


def test_it_lets_go_when_its_face_is_gone_and_takes_who_is_there(tracker: MediaPipeTracker) -> None:
    for seq in range(3):
        assert is_at(track(tracker, scene((LEFT, 160), (RIGHT, 280)), seq), (RIGHT, 280))
    later = [track(tracker, scene((LEFT, 280)), seq) for seq in range(3, 7)]
    assert all(found is None or is_at(found, (LEFT, 280)) for found in later)
    assert later[-1] is not None


def test_landmarks_belong_to_their_own_frame_across_a_cut(tracker: MediaPipeTracker) -> None:
    """A jump cut: never the face where it was a frame ago."""
    places = [LEFT] * 3 + [RIGHT] * 3 + [LEFT] * 3
    found = [track(tracker, scene((place, 280)), seq) for seq, place in enumerate(places)]
    for seq, (place, landmarks) in enumerate(zip(places, found, strict=True)):
        assert landmarks is None or is_at(landmarks, (place, 280)), f"frame {seq}"
    assert [found[k] is not None for k in (0, 2, 5, 8)] == [True] * 4


def test_a_face_that_moves_is_followed_without_delay(tracker: MediaPipeTracker) -> None:
    for seq in range(12):
        place = (200 + 24 * seq, 160)
        assert is_at(track(tracker, scene((place, 280)), seq), (place, 280)), f"frame {seq}"


def test_after_a_reset_the_larger_face_is_chosen_again(tracker: MediaPipeTracker) -> None:
    for seq, t in enumerate(np.linspace(0.0, 1.0, 16)):
        found = track(tracker, scene((LEFT, round(170 + 110 * t)), (RIGHT, round(280 - 110 * t))), seq)
    assert is_at(found, (RIGHT, 170))
    tracker.reset()
    assert is_at(track(tracker, scene((LEFT, 280), (RIGHT, 170)), 16), (LEFT, 280))


def test_a_face_that_was_lost_for_a_moment_is_the_same_one(tracker: MediaPipeTracker) -> None:
    """Hidden for four frames; meanwhile somebody larger came."""
    for seq in range(3):
        assert is_at(track(tracker, scene((LEFT, 240)), seq), (LEFT, 240))
    for seq in range(3, 7):
        assert track(tracker, scene(), seq) is None
    back = [track(tracker, scene((LEFT, 240), (RIGHT, 290)), seq) for seq in range(7, 10)]
    assert all(is_at(found, (LEFT, 240)) for found in back)


def test_after_long_enough_whoever_is_largest_is_taken(tracker: MediaPipeTracker) -> None:
    assert is_at(track(tracker, scene((LEFT, 240)), 0), (LEFT, 240))
    assert track(tracker, scene(), 1) is None
    assert is_at(track(tracker, scene((LEFT, 240), (RIGHT, 290)), 100), (RIGHT, 290))
