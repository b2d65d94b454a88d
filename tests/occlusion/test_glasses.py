"""Glasses on a rendered person: found, held in place, and forgotten when they are taken off."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from rtfilter.controls import Controls
from rtfilter.engines.ort.cpu import OnnxRunner
from rtfilter.filter import FaceFilter
from rtfilter.frame import Frame
from rtfilter.occlusion.band import COLUMNS, ROWS, STEP_IOD, Band
from rtfilter.occlusion.glasses import EVERY, Glasses, rims_on_the_processor
from rtfilter.occlusion.square import SIDE_PX, picture_from_square
from rtfilter.sources.demo import DemoSource
from rtfilter.tracking.roi import Roi
from tests.faces import builtin

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]

SIZE = (640, 480)
WIRE_IOD = 0.02
KINDS = {"round": (0.27, 0.26, 2.0), "square": (0.29, 0.22, 4.0)}  # half width, half height, power
Seen = tuple[U8, F32]


@pytest.fixture(scope="module")
def network() -> Iterator[OnnxRunner]:
    made = rims_on_the_processor()
    yield made
    made.close()


@pytest.fixture
def glasses(network: OnnxRunner) -> Glasses:
    return Glasses(network, builtin())


@pytest.fixture(scope="module")
def clip() -> list[Seen]:
    """Two seconds of the demo's person, who wears nothing, every third frame: colours and landmarks."""
    source = DemoSource(*SIZE, zoom=2.0)
    frames = [(np.array(source.frame(k).rgb), source.truth(k).points_px) for k in range(0, 60, 3)]
    source.close()
    return frames


def drawn(seen: Seen, kind: str, colour: tuple[int, int, int] = (40, 36, 34)) -> tuple[U8, U8]:
    """The picture with a pair of glasses on the face, and where: uint8 [H, W], 0 or 255."""
    rgb, points = seen
    wide, high, power = KINDS[kind]
    angles = np.linspace(0, 2 * np.pi, 80)
    cos, sin = np.cos(angles), np.sin(angles)
    outline = np.stack(
        [
            wide * np.sign(cos) * abs(cos) ** (2 / power),
            high * np.sign(sin) * abs(sin) ** (2 / power),
        ],
        axis=1,
    )
    band = Band(builtin())
    pose = band.pose(points)
    lines = [outline + np.array([side * 0.36, band.eyes_iod + 0.05]) for side in (-1.0, 1.0)]
    lines.append(
        np.array([(-0.36 + wide, band.eyes_iod), (0.0, band.eyes_iod - 0.03), (0.36 - wide, band.eyes_iod)])
    )
    mask = np.zeros(rgb.shape[:2], np.uint8)
    for line in lines:
        places = pose.project(np.column_stack([line, np.full(len(line), -0.05)]))[:, :2]
        width = max(round(WIRE_IOD * pose.scale_px_per_iod), 1)
        cv2.polylines(mask, [np.rint(places * 16 - 8).astype(np.int32)], False, (255,), width, cv2.LINE_AA, 4)
    share = mask[..., None] / 255.0
    return np.rint(rgb + share * (np.array(colour) - rgb)).astype(np.uint8), mask


def held_in_picture(glasses: Glasses, points: F32) -> npt.NDArray[np.bool_]:
    """Where rims are held, as a mask of the picture."""
    roi = Roi.of_landmarks(points)
    matrix = picture_from_square(roi)
    matrix[:, 2] += 0.5 * matrix[:, :2].sum(1) - 0.5
    level = glasses.held(roi, points)
    assert level.shape == (SIDE_PX, SIDE_PX)
    return np.asarray(cv2.warpAffine(level, matrix, SIZE, flags=cv2.INTER_LINEAR) >= 0.5)


def test_a_bare_face_wears_nothing(glasses: Glasses, clip: list[Seen]) -> None:
    for rgb, points in clip:
        glasses.see(rgb, points)
        assert not glasses.worn
    assert not glasses.held(Roi.of_landmarks(clip[0][1]), clip[0][1]).any()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("colour", [(40, 36, 34), (214, 206, 196)], ids=["dark", "bright"])
def test_glasses_are_found_at_once_and_held_where_they_are(
    glasses: Glasses, clip: list[Seen], kind: str, colour: tuple[int, int, int]
) -> None:
    for number, seen in enumerate(clip[:8]):
        glasses.see(drawn(seen, kind, colour)[0], seen[1])
        assert glasses.worn or number < 5
    for seen in clip[8:]:
        _, rims = drawn(seen, kind, colour)
        held = held_in_picture(glasses, seen[1])
        near = cv2.dilate(held.astype(np.uint8), np.ones((3, 3))) > 0
        assert near[rims > 128].mean() > 0.9
        assert held.mean() < 4.0 * (rims > 128).mean()  # lenses and skin are free


def test_the_eyes_behind_clear_lenses_are_free(glasses: Glasses, clip: list[Seen]) -> None:
    for seen in clip[:6]:
        glasses.see(drawn(seen, "round")[0], seen[1])
    points = clip[6][1]
    held = held_in_picture(glasses, points)
    for x, y in points[[468, 473, 159, 386, 145, 374], :2]:
        assert not held[int(y), int(x)]


def test_what_is_held_moves_with_the_head_and_keeps_its_shape(glasses: Glasses, clip: list[Seen]) -> None:
    for seen in clip[:6]:
        glasses.see(drawn(seen, "round")[0], seen[1])
    points = clip[6][1]
    one = glasses.held(Roi.of_landmarks(points), points)
    moved = points * np.float32(1.25) + np.array([31.0, -17.0, 4.0], np.float32)
    other = glasses.held(Roi.of_landmarks(moved), moved)
    assert one.max() >= 0.5
    assert np.abs(one - other).max() < 0.02
    # Brows and lids are no part of it.
    raised = points.copy()
    raised[[70, 63, 105, 66, 107, 300, 293, 334, 296, 336, 159, 386, 145, 374], 1] -= 9.0
    roi = Roi.of_landmarks(points)
    assert np.array_equal(glasses.held(roi, raised), one)


def test_glasses_that_are_taken_off_are_forgotten_within_two_seconds(
    glasses: Glasses, clip: list[Seen]
) -> None:
    for seen in clip:
        glasses.see(drawn(seen, "round")[0], seen[1])
    assert glasses.worn
    looks = 0
    while glasses.worn:
        glasses.see(*clip[looks % len(clip)])
        looks += 1
        assert looks <= 20  # at ten looks a second
    assert looks > EVERY  # and not by one look


def test_a_head_that_is_turned_away_changes_nothing(glasses: Glasses, clip: list[Seen]) -> None:
    for seen in clip[:8]:
        glasses.see(drawn(seen, "square")[0], seen[1])
    middle = clip[0][1].mean(0)
    angle = np.radians(40.0)
    turn = np.array([[np.cos(angle), 0, -np.sin(angle)], [0, 1, 0], [np.sin(angle), 0, np.cos(angle)]])
    for rgb, points in clip * 2:  # without glasses, as far as can be seen
        glasses.see(rgb, ((points - middle) @ turn.T + middle).astype(np.float32))
    assert glasses.worn


def test_a_new_person_starts_anew(glasses: Glasses, clip: list[Seen]) -> None:
    for seen in clip[:8]:
        glasses.see(drawn(seen, "round")[0], seen[1])
    glasses.reset()
    assert not glasses.worn
    assert not held_in_picture(glasses, clip[0][1]).any()


def test_the_band_lies_over_the_eyes(clip: list[Seen]) -> None:
    band, points = Band(builtin()), clip[0][1]
    pose = band.pose(points)
    matrix = band.picture_from_band(pose)
    inverse = np.linalg.inv(matrix[:, :2])
    for index, side in ((33, -1.0), (263, 1.0)):
        x, y = inverse @ (points[index, :2] - matrix[:, 2])
        assert x == pytest.approx(COLUMNS / 2 + side * 0.5 / STEP_IOD, abs=8.0)
        assert 0.3 * ROWS < y < 0.6 * ROWS
    assert band.see(clip[0][0], pose).shape == (3, ROWS, COLUMNS)


def test_rims_are_the_cameras_own_in_a_strong_edit(clip: list[Seen]) -> None:
    """Of the drawn wire, hardly a pixel is changed, while the skin around it is."""
    with FaceFilter(lane="cpu", fade_s=0.0) as face_filter:
        for number, seen in enumerate(clip[:14]):
            rgb, rims = drawn(seen, "round")
            frame = Frame.from_rgb(rgb, pts=number * 100_000_000, seq=number)
            out = face_filter.step(frame, Controls({"surprised": 1.0})).frame.rgb
    changed = (out != rgb).any(2)
    assert changed.mean() > 0.02
    assert changed[rims > 128].mean() < 0.05
