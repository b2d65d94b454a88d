"""Rims of glasses, before and after an edit: they are rigid, so their shape must stay.

Real rims are found once for a clip: the closed line of strongest ridges around each eye, with the head held
still. Drawn ones have a known shape. Both are then traced in each frame, before and after the edit, by the
same tracer. Called by `bench.occlusion`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.bench.occlusion_measures import Run
from rtfilter.bench.occlusion_scenes import Clip, Occluder, composed, head_of, placed
from rtfilter.bench.occlusion_sheet import Sheet, Texture
from rtfilter.bench.occlusion_tracer import ANGLES, STEP_PX, closed_line, even, fine, normals_of, ridges, ways
from rtfilter.errors import InputError
from rtfilter.system.arrays import U8

F64 = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

RADIUS_IOD: Final = 0.27  # of drawn rims
CENTRES_IOD: Final = ((-0.34, 0.03), (0.34, 0.03))  # of both rims, from between the eyes
_WIRE_IOD: Final = 0.013
_METAL: Final = (52.0, 46.0, 44.0)
_RANGE_IOD: Final = (0.18, 0.38)  # where a real rim is looked for
_REACH_IOD: Final = 0.11  # from a rim, where it is looked for after the edit
_NEAR_IOD: Final = 0.03  # from the clip's rim, where it is looked for in a frame
_CLEAR: Final = 0.45  # of the median ridge, below which a place is not counted
_EYES_IOD: Final = ((-0.34, 0.06), (0.34, 0.06))  # about where middles of rims lie
_PLAIN: Final = 3.0  # times the median ridge, below which there is no rim
_GLASSES_IOD: Final = 0.06  # from glasses, within which skin is held with them
_SHOWN_FRAMES: Final = 8  # of a clip, from which real rims are found


def glasses() -> Texture:
    """Round rims with bridge and temples; the anchor lies between the eyes."""
    sheet = Sheet(-1.15, -0.45, 1.15, 0.5, 11)
    for x, y in CENTRES_IOD:
        ring = [(x + RADIUS_IOD * np.cos(a), y + RADIUS_IOD * np.sin(a)) for a in ANGLES]
        sheet.lay(sheet.line(ring, _WIRE_IOD, closed=True), _METAL)
        side = np.sign(x)
        far = x + side * RADIUS_IOD
        sheet.lay(sheet.line([(far, y - 0.03), (side * 1.1, y - 0.08)], _WIRE_IOD), _METAL)
    gap = CENTRES_IOD[1][0] - RADIUS_IOD
    sheet.lay(sheet.line([(-gap, 0.02), (0.0, -0.03), (gap, 0.02)], _WIRE_IOD), _METAL)
    return sheet.texture(0.0)


def with_glasses(clip: Clip) -> Clip:
    """The clip with drawn glasses, which move with the head and keep their shape."""
    texture, one = glasses(), Occluder("glasses", (0.0, 0.0), (0.0, 0.0), head=True)
    frames = [
        composed(rgb, placed(texture, one, head, rgb.shape[:2]), number)
        for number, (rgb, head) in enumerate(zip(clip.frames, _heads(clip), strict=True))
    ]
    return Clip(clip.name, tuple(frames), clip.points_px, clip.fps)


def drawn_rims(clip: Clip) -> list[F64]:
    """Both drawn rims in the head's frame, IODs from between the eyes; float64 [A, 2] each."""
    return [np.array(centre) + RADIUS_IOD * ways() for centre in CENTRES_IOD]


def real_rims(clip: Clip) -> list[F64]:
    """As `drawn_rims`, of glasses that the person wears. Raises InputError where no line closes."""
    heads = _heads(clip)
    step = max(1, len(heads) // _SHOWN_FRAMES)
    iod_px = clip.iod_px
    radii = np.arange(_RANGE_IOD[0], _RANGE_IOD[1], STEP_PX / iod_px)
    rims = []
    for centre in _EYES_IOD:
        middle = np.array(centre)
        for _ in range(3):  # each time about the middle of the line that was found
            places = middle + radii[None, :, None] * ways()[:, None]
            shown = [
                ridges(clip.frames[n], to_picture(places.reshape(-1, 2), heads[n]).reshape(places.shape))
                for n in range(0, len(heads), step)
            ]
            strength = np.abs(np.median(shown, axis=0))
            found = closed_line(even(strength))
            rim = middle + radii[found][:, None] * ways()
            middle = (rim.max(0) + rim.min(0)) / 2
        if np.median(strength[np.arange(len(rim)), found]) < _PLAIN * np.median(strength):
            raise InputError(f"{clip.name}: no rim around an eye: give a clip of somebody who wears glasses")
        rims.append(rim)
    return rims


def spectacles(clip: Clip, rims: Sequence[F64]) -> list[Mask]:
    """Of each frame, where rims, bridge and temples lie, with what is near them; bool [H, W]."""
    masks = []
    for rgb, head in zip(clip.frames, _heads(clip), strict=True):
        drawn = np.zeros(rgb.shape[:2], np.uint8)
        thick = round(2 * _GLASSES_IOD * float(head[2]))
        right, left = sorted(rims, key=lambda rim: float(rim[:, 0].mean()))
        y = float(np.mean([(rim[:, 1].min() + rim[:, 1].max()) / 2 for rim in rims])) - 0.08
        ends = [(right[:, 0].min(), -1.2), (left[:, 0].min(), right[:, 0].max()), (1.2, left[:, 0].max())]
        bars = [np.array([(a, y), (b, y)], np.float64) for a, b in ends]
        for line, closed in [*((rim, True) for rim in rims), *((bar, False) for bar in bars)]:
            places = np.round((to_picture(line, head) - 0.5) * 16).astype(np.int32)
            cv2.polylines(drawn, [places], closed, (1,), thick, shift=4)
        masks.append(drawn > 0)
    return masks


def traced(before: U8, after: U8, head: F64, rims: Sequence[F64]) -> tuple[F64, F64, F64]:
    """Points on both rims and their normals, float64 [N, 2] each, and how far along those the rims lie after
    an edit, float64 [N]; pixels. Only where the ridge is clear before and after.
    """
    iod_px = float(head[2])
    near, far = (
        np.arange(-reach, reach + 1e-9, STEP_PX) for reach in (_NEAR_IOD * iod_px, _REACH_IOD * iod_px)
    )
    points, normals, moved = [], [], []
    for rim in rims:
        line = to_picture(rim, head)
        normal = normals_of(line)
        ridge = ridges(before, line[:, None] + near[None, :, None] * normal[:, None])
        at = closed_line(even(np.abs(ridge)))
        rows = np.arange(len(line))
        line = line + near[at][:, None] * normal
        signs = np.sign(ridge[rows, at])  # a rim is dark or bright along a stretch
        signs = np.where(sum(np.roll(signs, k) for k in range(-3, 4)) > 0.0, 1.0, -1.0)[:, None]
        # The same search in both pictures: of one that is untouched it finds the same.
        scale, clear, found = 0.0, np.ones(len(line), bool), []
        for rgb in (before, after):
            ridge = signs * ridges(rgb, line[:, None] + far[None, :, None] * normal[:, None])
            at = closed_line(even(ridge))
            scale = scale or float(np.median(ridge[rows, at]))
            clear &= ridge[rows, at] > _CLEAR * scale
            found.append(fine(far, ridge, at))
        points.append((line + found[0][:, None] * normal)[clear])
        normals.append(normal[clear])
        moved.append((found[1] - found[0])[clear])
    return np.concatenate(points), np.concatenate(normals), np.concatenate(moved)


def shape_deviation(points: F64, normals: F64, moved: F64) -> F64:
    """What the best shift and turn leave of displacements along normals; their unit, float64 [N].

    Along a line itself nothing can be seen, so only displacements across it count.
    """
    middle = points - points.mean(0)
    turn = normals[:, 1] * middle[:, 0] - normals[:, 0] * middle[:, 1]
    rigid = np.column_stack([normals, turn])
    return np.asarray(np.abs(moved - rigid @ np.linalg.lstsq(rigid, moved, rcond=None)[0]))


def rim_figures(clip: Clip, rims: Sequence[F64], run: Run) -> dict[str, float | None]:
    """Of all frames: rms_px, p95_px of the deviation of shape; the same in percent of an IOD; and moved_px,
    by how much rims move at all, in the mean."""
    left, shift = [], []
    for number, head in enumerate(_heads(clip)):
        if number < clip.fps * 0.3:  # the edit fades in
            continue
        points, normals, moved = traced(run.before[number], run.after[number], head, rims)
        if len(points) < len(ANGLES) // 2:
            continue
        left.append(shape_deviation(points, normals, moved))
        shift.append(float(np.abs(moved).mean()))
    if not left:
        return dict.fromkeys(("rms_px", "p95_px", "rms_percent", "p95_percent", "moved_px"))
    rms = float(np.sqrt(np.mean([np.square(one).mean() for one in left])))
    p95 = float(np.mean([np.percentile(one, 95) for one in left]))
    percent = 100.0 / clip.iod_px
    return {
        "rms_px": rms,
        "p95_px": p95,
        "rms_percent": rms * percent,
        "p95_percent": p95 * percent,
        "moved_px": float(np.mean(shift)),
    }


def to_picture(places_iod: npt.NDArray[Any], head: npt.NDArray[Any]) -> F64:
    """Places in the head's frame [N, 2] as pixels. head: as of `head_of`."""
    x, y, iod, roll = head
    turn = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]])
    return np.asarray((x, y) + iod * places_iod @ turn.T)


def _heads(clip: Clip) -> F64:
    """As of `head_of`, a row a frame, without the shake of tracking."""
    heads = np.array([head_of(points) for points in clip.points_px])
    padded = np.pad(heads, ((2, 2), (0, 0)), mode="edge")
    weights = np.array([1.0, 2.0, 3.0, 2.0, 1.0]) / 9.0
    return np.asarray(sum(w * padded[k : k + len(heads)] for k, w in enumerate(weights)))
