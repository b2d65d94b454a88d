"""The mask over time: in and out within 100 ms, no flicker, no islands, and distances to the line itself."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest

from rtfilter.occlusion.mask import BACKGROUND, FAR_PX, GROW_PX, OCCLUDER, RIMS, HeldMask
from rtfilter.occlusion.square import SIDE_PX

STILL = np.eye(2, 3)
FRAMES_IN_100_MS = 3


def look(
    kind: int = OCCLUDER, sure: float = 1.0, size: int = 30, at: tuple[int, int] = (40, 40)
) -> np.ndarray:
    seen = np.full((3, SIDE_PX, SIDE_PX), 0.02, np.float32)
    seen[kind, at[0] : at[0] + size, at[1] : at[1] + size] = sure
    return seen


NOTHING = look(size=0)


def step(mask: HeldMask, seen: np.ndarray, before_from_now: np.ndarray, frames: float) -> None:
    mask.carry(before_from_now)
    mask.take(seen, frames)


def held(mask: HeldMask) -> np.ndarray:
    return mask.distances(1.0) == 0.0


@pytest.mark.parametrize("kind", [OCCLUDER, BACKGROUND, RIMS])
@pytest.mark.parametrize("sure", [1.0, 0.75])
def test_in_and_out_within_100_ms(kind: int, sure: float) -> None:
    mask = HeldMask()
    step(mask, NOTHING, STILL, 1.0)
    assert not held(mask).any()
    for _ in range(FRAMES_IN_100_MS):
        step(mask, look(kind, sure), STILL, 1.0)
    assert held(mask)[45:65, 45:65].all()
    for _ in range(10):
        step(mask, look(kind, sure), STILL, 1.0)
    for _ in range(FRAMES_IN_100_MS):
        step(mask, NOTHING, STILL, 1.0)
    assert not held(mask).any()


def test_what_is_sure_is_held_in_the_first_frame() -> None:
    mask = HeldMask()
    step(mask, NOTHING, STILL, 1.0)
    step(mask, look(), STILL, 1.0)
    assert held(mask)[45:65, 45:65].all()


def test_the_first_look_is_believed() -> None:
    mask = HeldMask()
    step(mask, look(sure=0.6), STILL, 1.0)
    assert held(mask)[45:65, 45:65].all()


@pytest.mark.parametrize("around", [0.5, 0.45])
def test_noise_around_the_threshold_does_not_flicker(around: float) -> None:
    mask, rng = HeldMask(), np.random.default_rng(0)
    places = []
    for _ in range(60):
        step(mask, look(sure=around + float(rng.uniform(-0.06, 0.06))), STILL, 1.0)
        places.append(held(mask)[55, 55])
    assert sum(a != b for a, b in pairwise(places)) <= 1


def test_looks_that_are_further_apart_count_more() -> None:
    often, seldom = HeldMask(), HeldMask()
    for mask, times, frames in ((often, 3, 1.0), (seldom, 1, 3.0)):
        step(mask, NOTHING, STILL, 1.0)
        for _ in range(times):
            step(mask, look(sure=0.9), STILL, frames)
    assert np.abs(often.level - seldom.level).max() < 0.13  # the hold's


def test_what_is_held_moves_with_the_head() -> None:
    mask = HeldMask()
    for _ in range(5):
        step(mask, look(), STILL, 1.0)
    shift = np.array([[1.0, 0.0, -12.0], [0.0, 1.0, 0.0]])  # this square's place x was at x - 12
    step(mask, look(at=(40, 52)), shift, 1.0)
    assert held(mask)[45:65, 57:77].all()
    assert not held(mask)[45:65, 40:48].any(), "nothing stays behind"


@pytest.mark.parametrize("angle_deg", [0.0, 20.0, 45.0])
@pytest.mark.parametrize("place", [40.0, 40.3, 40.7])
def test_distances_are_to_the_line_itself(angle_deg: float, place: float) -> None:
    # A soft edge, straight, at any angle: the distance is known.
    y, x = np.mgrid[:SIDE_PX, :SIDE_PX].astype(np.float64)
    angle = np.radians(angle_deg)
    across = (x - place) * np.cos(angle) + (y - 48) * np.sin(angle)
    seen = look(size=0)
    seen[OCCLUDER] = np.clip(0.5 - across / 3.0, 0.0, 1.0)
    mask = HeldMask()
    step(mask, seen, STILL, 1.0)
    distance = mask.distances(2.0)
    inner = np.zeros((SIDE_PX, SIDE_PX), bool)
    inner[12:-12, 12:-12] = True
    want = 2.0 * np.maximum(across - GROW_PX, 0.0)
    off = np.abs(distance - want)[inner & (want < 40)]
    # Measured: 0.24 pixels of the square beside the line, where a source lies half a sample aside.
    assert off.max() < 2 * 0.26


def test_distances_slope_as_distances_do() -> None:
    noise = cv2.GaussianBlur(
        np.random.default_rng(1).random((SIDE_PX, SIDE_PX)).astype(np.float32), (0, 0), 3
    )
    seen = look(size=0)
    seen[OCCLUDER] = np.clip((noise - noise.mean()) / noise.std() * 0.4 + 0.3, 0, 1)
    mask = HeldMask()
    step(mask, seen, STILL, 1.0)
    distance = mask.distances(1.0)
    assert (distance > 0).any()
    assert (distance == 0).any()
    for axis in (0, 1):
        # 1 exactly; the line's place within a sample adds what it is off from one sample to the next.
        assert np.abs(np.diff(distance, axis=axis)).max() < 1.5


def test_nothing_held_is_far_from_everything() -> None:
    mask = HeldMask()
    step(mask, NOTHING, STILL, 1.0)
    assert (mask.distances(0.5) == 0.5 * FAR_PX).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, 7.0])
def test_what_is_no_probability_is_held(bad: float) -> None:
    mask = HeldMask()
    seen = look(size=0)
    seen[OCCLUDER] = bad
    for _ in range(3):
        step(mask, seen, STILL, 1.0)
    assert held(mask).all()
    for _ in range(4):
        step(mask, NOTHING, STILL, 1.0)
    assert not held(mask).any(), "and it is over when numbers come again"
