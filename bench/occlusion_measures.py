"""What an edit did to things before a face, and to the face beside them. Called by `bench.occlusion`.

All of it is read from pixels: the picture that went in, the one that came out, and where the thing lies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.bench.occlusion_scenes import Clip, Scene
from rtfilter.face import landmarks as lm
from rtfilter.system.arrays import U8

F32 = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

INSIDE_PX: Final = 2.0  # nearer to a thing's rim, its pixels hold skin too
AWAY_IOD: Final = 0.2  # nearer to a thing, the edit may fade
BAND_IOD: Final = 0.2
REACH_IOD: Final = 0.3  # beyond the outline of the face, how far an edit may reach
LEAST_PX: Final = 40  # of a frame, below which it is not counted
ALLOWED: Final = 0.01  # share of a thing's pixels in an edit that is called held
BACK: Final = 0.8  # share of the edit of the free face that is called back
STEADY_FRAMES: Final = 3
CORE_IOD: Final = 0.06  # from the face's outline inwards, where an edit fades by design
_OPAQUE: Final = 252
_LUMA: Final = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True, slots=True)
class Regions:
    """Of one frame, bool [H, W]. deep: the thing's own pixels within the edit's reach. free: skin away from
    it. band: skin beside it. covered: skin under it. face: the face without its rim."""

    deep: Mask
    free: Mask
    band: Mask
    covered: Mask
    face: Mask


def regions(alpha: U8, points_px: F32, iod_px: float) -> Regions:
    """Of a thing's alpha uint8 [H, W] and the landmarks of the uncovered face."""
    oval = filled(points_px[list(lm.FACE_OVAL), :2], alpha.shape)
    inward = cv2.distanceTransform(oval.astype(np.uint8), cv2.DIST_L2, 5)
    outward = cv2.distanceTransform((~oval).astype(np.uint8), cv2.DIST_L2, 5)
    depth = cv2.distanceTransform((alpha >= _OPAQUE).astype(np.uint8), cv2.DIST_L2, 5)
    bare = alpha <= 2
    away = np.full(alpha.shape, np.inf, np.float32)
    if not bare.all():
        away = np.asarray(cv2.distanceTransform(bare.astype(np.uint8), cv2.DIST_L2, 5), np.float32)
    return Regions(
        deep=(depth > INSIDE_PX) & (outward < REACH_IOD * iod_px),
        free=oval & (away > AWAY_IOD * iod_px),
        band=oval & (away > INSIDE_PX) & (away < BAND_IOD * iod_px),
        covered=oval & (depth > INSIDE_PX),
        face=inward > CORE_IOD * iod_px,
    )


def filled(outline: F32, shape: tuple[int, ...]) -> Mask:
    """The inside of points [N, 2] in pixels; bool [H, W]."""
    picture = np.zeros(shape[:2], np.uint8)
    cv2.fillPoly(picture, [np.asarray(np.round((outline - 0.5) * 16), np.int32)], (1,), shift=4)
    return picture > 0


def change(before: U8, after: U8) -> F32:
    """What an edit added to luma, in levels; float32 [H, W]."""
    return np.asarray((after.astype(np.float32) - before.astype(np.float32)) @ _LUMA, np.float32)


def most_change(before: U8, after: U8) -> npt.NDArray[np.int16]:
    """The largest change among the three colours of a pixel, in levels; int16 [H, W]."""
    return np.asarray(np.abs(after.astype(np.int16) - before.astype(np.int16)).max(axis=2))


@dataclass(frozen=True, slots=True)
class Run:
    """A clip or scene and what the filter made of it. seen: the frames in which it saw a face."""

    before: Sequence[U8]
    after: Sequence[U8]
    seen: Sequence[bool]


@dataclass(frozen=True, slots=True)
class Truth:
    """Of a scene: where everything lies, in a box that holds all that an edit reaches.

    rows, columns: the box. areas: of each frame, cut to it. phases: see `Scene`. under: skin that is covered
    while the thing rests. free_from: the first frame in which all of it is free again.
    """

    rows: slice
    columns: slice
    areas: tuple[Regions, ...]
    phases: tuple[int, ...]
    under: Mask
    free_from: int
    fps: float

    def cut(self, rgb: U8) -> U8:
        return rgb[self.rows, self.columns]


def truth_of(clip: Clip, scene: Scene) -> Truth:
    """Where things lie in every frame of a scene."""
    iod_px = clip.iod_px
    every = np.concatenate([points[list(lm.FACE_OVAL), :2] for points in clip.points_px])
    low = np.maximum(np.floor(every.min(0) - REACH_IOD * iod_px).astype(int), 0)
    high = np.ceil(every.max(0) + REACH_IOD * iod_px).astype(int)
    rows, columns = slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))
    areas = tuple(
        regions(alpha[rows, columns], points - np.array([*low, 0.0], np.float32), iod_px)
        for alpha, points in zip(scene.alphas, clip.points_px, strict=True)
    )
    resting = [area.covered for area, phase in zip(areas, scene.phases, strict=True) if phase == 2]
    under = np.mean(resting, axis=0) > 0.9
    covered = [n for n, alpha in enumerate(scene.alphas) if (alpha[rows, columns][under] > 2).any()]
    last = max(covered) + 1 if covered else len(areas)
    return Truth(rows, columns, areas, scene.phases, under, last, clip.fps)


def occluder_figures(truth: Truth, covered: Run, alone: Run) -> dict[str, float | None]:
    """Of one scene and one edit, against the same edit of the uncovered clip.

    changed_rest, changed_moving: percent of the thing's pixels, more than 2 px inside, that changed, while it
    rests and while it comes or goes. levels_mean, levels_max: by how much, over all of those pixels.
    elsewhere: the edit's energy on skin away from the thing over that of the uncovered clip. flicker: the
    edit's change from frame to frame on skin beside it, over that of the uncovered clip. in_ms: from the
    first covered frame until less than a hundredth of the thing changes; None: never. out_ms: from the first
    free frame until the edit of the skin that was covered is back; None: never. seen: percent of frames with
    a face while the thing rests.
    """
    pairs = [(truth.cut(a), truth.cut(b)) for a, b in zip(covered.before, covered.after, strict=True)]
    worst, own = [most_change(*pair) for pair in pairs], [change(*pair) for pair in pairs]
    free = [change(truth.cut(a), truth.cut(b)) for a, b in zip(alone.before, alone.after, strict=True)]
    rest, moving, levels, elsewhere, flicker = (Share() for _ in range(5))
    most = 0
    for number, (phase, area) in enumerate(zip(truth.phases, truth.areas, strict=True)):
        if phase not in (1, 2, 3):
            continue
        diff = worst[number][area.deep]
        if diff.size >= LEAST_PX:
            (rest if phase == 2 else moving).add(np.count_nonzero(diff), diff.size)
            levels.add(float(diff.sum()), diff.size)
            most = max(most, int(diff.max()))
        if phase == 2 and np.count_nonzero(area.free) >= LEAST_PX:
            elsewhere.add(energy(own[number], area.free), energy(free[number], area.free))
        both = area.band & truth.areas[number - 1].band
        if phase == 2 and np.count_nonzero(both) >= LEAST_PX:
            flicker.add(
                energy(own[number] - own[number - 1], both), energy(free[number] - free[number - 1], both)
            )
    return {
        "changed_rest": rest.percent,
        "changed_moving": moving.percent,
        "levels_mean": levels.value,
        "levels_max": float(most) if levels.value is not None else None,
        "elsewhere": elsewhere.value,
        "flicker": flicker.value,
        "in_ms": _in_ms(truth, worst),
        "out_ms": _out_ms(truth, own, free),
        "seen": 100.0
        * float(np.mean([s for s, p in zip(covered.seen, truth.phases, strict=True) if p == 2])),
    }


def _in_ms(truth: Truth, worst: Sequence[npt.NDArray[np.int16]]) -> float | None:
    held: list[bool] = []
    for number, (phase, area) in enumerate(zip(truth.phases, truth.areas, strict=True)):
        size = np.count_nonzero(area.deep)
        if phase in (1, 2) and (held or size >= LEAST_PX):
            held.append(np.count_nonzero(worst[number][area.deep]) <= ALLOWED * size)
    first = first_steady(held)
    return None if first is None else 1000.0 * first / truth.fps


def _out_ms(truth: Truth, own: Sequence[F32], free: Sequence[F32]) -> float | None:
    back = [
        energy(own[n], truth.under) >= BACK * energy(free[n], truth.under)
        for n in range(truth.free_from, len(own))
    ]
    first = first_steady(back)
    return None if first is None else 1000.0 * first / truth.fps


def first_steady(good: Sequence[bool]) -> int | None:
    """The first of STEADY_FRAMES good ones in a row (or of all that are left); None without any."""
    for number in range(len(good)):
        if all(good[number : number + STEADY_FRAMES]):
            return number
    return None


class Share:
    """A sum over another."""

    def __init__(self) -> None:
        self._part = self._whole = 0.0

    def add(self, part: float, whole: float) -> None:
        self._part += part
        self._whole += whole

    @property
    def value(self) -> float | None:
        return self._part / self._whole if self._whole > 0.0 else None

    @property
    def percent(self) -> float | None:
        return None if self.value is None else 100.0 * self.value


def energy(values: F32, where: Mask) -> float:
    """The sum of absolute values in a region."""
    return float(np.abs(values[where]).sum(dtype=np.float64))


def rounded(figures: Mapping[str, float | None]) -> dict[str, float | None]:
    """With three digits after the point."""
    return {name: None if value is None else round(value, 3) for name, value in figures.items()}
