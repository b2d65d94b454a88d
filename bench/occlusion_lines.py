"""Straight lines behind a person, before and after an edit; and the matte that puts them there.

A person before a plain wall is cut out by GrabCut (Rother et al. 2004), started from the wall's colour and
the landmarks, and set before a drawn grid. Called by `bench.occlusion` and `bench.occlusion_crowd`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.bench.occlusion_measures import Run, filled, most_change, regions
from rtfilter.bench.occlusion_scenes import Clip
from rtfilter.errors import InputError
from rtfilter.face import landmarks as lm
from rtfilter.system.arrays import U8

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

SPACING_PX: Final = 24
_WALL: Final = (206.0, 200.0, 188.0)
_LINE: Final = (66.0, 58.0, 54.0)
_WIDTH_PX: Final = 1.1  # of a line's Gaussian profile
_HALF_PX: Final = 8  # of the window across a line
_STEP_PX: Final = 3  # along a line
_MATTE_PX: Final = 320  # the matte is cut at this size
_FAR: Final = 26.0  # of a colour from the wall's, in levels, that is no wall
_PLAIN: Final = 0.5  # share of a picture's rim that must be of the wall's colour


class Lines(NamedTuple):
    """Points on the grid's lines, x, y of pixels' corners, float64 [N, 2]; across: 0 where the line stands
    upright (so it is looked for along x), 1 where it lies."""

    points: F64
    across: npt.NDArray[np.int64]


def matte(rgb: U8, points_px: F32) -> F32:
    """How much of each pixel is the person, 0..1, float32 [H, W]. Raises InputError before a busy wall."""
    height, width = rgb.shape[:2]
    share = _MATTE_PX / max(height, width)
    small = cv2.resize(rgb, (round(width * share), round(height * share)), interpolation=cv2.INTER_AREA)
    points = points_px[:, :2] * np.float32(share)
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB).astype(np.float32)
    rows, columns = small.shape[:2]
    rim = np.zeros((rows, columns), bool)
    rim[: rows // 12, :] = True
    rim[: rows // 2, : columns // 14] = rim[: rows // 2, -(columns // 14) :] = True
    far = _from_wall(lab, rim)
    if np.mean(far[rim] < _FAR) < _PLAIN:
        raise InputError("the wall behind this person is not plain: give a clip before a plain wall")
    head = filled(points[list(lm.FACE_OVAL)], small.shape)
    labels = np.where(far > _FAR, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[(far < 0.35 * _FAR) & rim] = cv2.GC_BGD
    labels[head] = cv2.GC_FGD
    cv2.setRNGSeed(0)
    wall, person_colours = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(small, labels, (0, 0, 1, 1), wall, person_colours, 2, cv2.GC_INIT_WITH_MASK)
    person = np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    person = np.asarray(cv2.morphologyEx(person, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)), np.uint8)
    _, parts = cv2.connectedComponents(person)
    person = np.asarray(parts == np.bincount(parts[head & (person > 0)]).argmax()).astype(np.uint8)
    soft = cv2.GaussianBlur(person.astype(np.float32), (0, 0), 0.8)
    whole = cv2.resize(soft, (width, height), interpolation=cv2.INTER_CUBIC)
    # Half a pixel inwards: no wall comes along.
    return np.asarray(np.clip((whole - 0.35) / 0.6, 0.0, 1.0), np.float32)


def mattes_of(clip: Clip) -> list[F32]:
    """Of every frame. Raises InputError, with the clip's name, before a busy wall."""
    try:
        return [matte(rgb, points) for rgb, points in zip(clip.frames, clip.points_px, strict=True)]
    except InputError as error:
        raise InputError(f"{clip.name}: {error}") from error


def _from_wall(lab: F32, rim: Mask) -> F32:
    """Distance of each colour from a wall that is fitted to the rim as a plane in x and y, twice."""
    rows, columns = rim.shape
    y, x = np.mgrid[:rows, :columns].astype(np.float64)
    basis = np.stack([np.ones_like(x), x / columns, y / rows], axis=-1)
    kept = rim
    far = np.zeros(rim.shape)
    for _ in range(3):
        wall = np.linalg.lstsq(basis[kept], lab[kept].astype(np.float64), rcond=None)[0]
        far = np.linalg.norm(lab - basis @ wall, axis=-1)
        kept = rim & (far < max(float(np.median(far[kept])) * 3.0, 6.0))
    return far.astype(np.float32)


def grid(shape: tuple[int, ...]) -> U8:
    """A wall with thin dark lines, upright and lying, and some grain; RGB uint8 [H, W, 3]."""
    height, width = shape[:2]
    dark = np.zeros((height, width), np.float32)
    for size, axis in ((width, 1), (height, 0)):
        at = np.arange(size) + 0.5
        nearest = np.abs(at[:, None] - _places(size)[None]).min(1)
        profile = np.exp(-0.5 * (nearest / _WIDTH_PX) ** 2).astype(np.float32)
        dark = np.maximum(dark, np.expand_dims(profile, 1 - axis))
    wall, line = np.array(_WALL, np.float32), np.array(_LINE, np.float32)
    grain = np.random.default_rng(3).normal(0.0, 1.5, (height, width, 3))
    mixed = wall + dark[..., None] * (line - wall) + grain
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)


def _places(size: int) -> F64:
    """Where lines lie along a side, off the pixels' centres by different parts."""
    return np.arange(SPACING_PX / 2 + 0.3, size, SPACING_PX + 0.13)


def before_grid(frames: Sequence[U8], mattes: Sequence[F32]) -> list[U8]:
    """The person before the grid."""
    wall = grid(frames[0].shape)
    return [over(rgb, alpha, wall) for rgb, alpha in zip(frames, mattes, strict=True)]


def over(rgb: U8, alpha: F32, wall: U8) -> U8:
    """A picture with a matte before another one; the wall's own values where the matte is 0."""
    share = alpha[..., None]
    return np.rint(rgb * share + wall * (1.0 - share)).astype(np.uint8)


def line_points(shape: tuple[int, ...], clear: Mask) -> Lines:
    """Points on lines whose whole window across lies where `clear`, off the crossings."""
    height, width = shape[:2]
    points, across = [], []
    for axis, (size, other) in enumerate(((width, height), (height, width))):
        along = np.arange(_HALF_PX + 0.5, other - _HALF_PX, _STEP_PX)
        along = along[np.abs(along[:, None] - _places(other)[None]).min(1) > 4.5]
        for place in _places(size):
            if not _HALF_PX + 1 < place < size - _HALF_PX - 1:
                continue
            for far in along:
                points.append((place, far) if axis == 0 else (far, place))
                across.append(axis)
    lines = Lines(np.array(points), np.array(across))
    rows, columns = _windows(lines)
    inside = clear[rows, columns].all(1)
    return Lines(lines.points[inside], lines.across[inside])


def _windows(lines: Lines) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows and columns of the pixels across each line, int [N, 2 _HALF_PX + 1] each."""
    shift = np.arange(-_HALF_PX, _HALF_PX + 1)[None]
    at = np.floor(lines.points).astype(np.int64)
    upright = (lines.across == 0)[:, None]
    return at[:, 1:] + np.where(upright, 0, shift), at[:, :1] + np.where(upright, shift, 0)


def line_places(rgb: U8, lines: Lines) -> F64:
    """Where each line is found, in pixels from the middle of its window; float64 [N].

    A parabola through the lowest values of the profile across it, smoothed. Only pixels of its window count.
    """
    rows, columns = _windows(lines)
    luma = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    profile = cv2.GaussianBlur(luma[rows, columns], (7, 1), 1.0, borderType=cv2.BORDER_REPLICATE)
    low = np.clip(profile[:, 1:-1].argmin(1) + 1, 1, 2 * _HALF_PX - 1)
    every = np.arange(len(low))
    left, middle, right = (profile[every, low + step].astype(np.float64) for step in (-1, 0, 1))
    bend = left - 2 * middle + right
    return np.asarray(low - _HALF_PX + 0.5 * (left - right) / np.where(np.abs(bend) < 1e-6, 1.0, bend))


def line_figures(clip: Clip, mattes: Sequence[F32], run: Run) -> dict[str, float | None]:
    """px_max, px_p99: by how much the grid's lines moved outside the person, in pixels, over all frames.
    changed: percent of the wall's pixels near the face that changed. levels_max: by how much, at most."""
    moved: list[F64] = []
    wrong = wall = most = 0
    empty = np.zeros(clip.frames[0].shape[:2], np.uint8)
    for number, (before, after) in enumerate(zip(run.before, run.after, strict=True)):
        if number < clip.fps * 0.3:  # the edit fades in
            continue
        clear = cv2.erode((mattes[number] == 0.0).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        reach = ~regions(empty, clip.points_px[number], clip.iod_px).face
        lines = line_points(before.shape, clear)
        moved.append(np.abs(line_places(after, lines) - line_places(before, lines)))
        diff = most_change(before, after)[clear & reach]
        wrong, wall = wrong + np.count_nonzero(diff), wall + diff.size
        most = max(most, int(diff.max(initial=0)))
    every = np.concatenate(moved) if moved else np.zeros(0)
    if not every.size or not wall:
        return {"px_max": None, "px_p99": None, "changed": None, "levels_max": None}
    return {
        "px_max": float(every.max()),
        "px_p99": float(np.percentile(every, 99)),
        "changed": 100.0 * wrong / wall,
        "levels_max": float(most),
    }
