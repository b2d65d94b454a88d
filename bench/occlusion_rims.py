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
from rtfilter.errors import InputError
from rtfilter.system.arrays import U8

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

RADIUS_IOD: Final = 0.27  # of drawn rims
CENTRES_IOD: Final = ((-0.34, 0.03), (0.34, 0.03))  # of both rims, from between the eyes
_WIRE_IOD: Final = 0.013
_METAL: Final = (52.0, 46.0, 44.0)
_ANGLES: Final = np.linspace(0.0, 2 * np.pi, 120, endpoint=False)
_RANGE_IOD: Final = (0.18, 0.38)  # where a real rim is looked for
_REACH_IOD: Final = 0.11  # from a rim, where it is looked for after the edit
_NEAR_IOD: Final = 0.03  # from the clip's rim, where it is looked for in a frame
_STEP_PX: Final = 0.5
_FINE_PX: Final = 1.3  # sigma of a ridge
_STIFF: Final = 0.15  # what a step of the line's radius costs
_CLEAR: Final = 0.45  # of the median ridge, below which a place is not counted
_EYES_IOD: Final = ((-0.34, 0.06), (0.34, 0.06))  # about where middles of rims lie
_PLAIN: Final = 3.0  # times the median ridge, below which there is no rim
_SHOWN_FRAMES: Final = 8  # of a clip, from which real rims are found


def glasses() -> Texture:
    """Round rims with bridge and temples; the anchor lies between the eyes."""
    sheet = Sheet(-1.15, -0.45, 1.15, 0.5, 11)
    for x, y in CENTRES_IOD:
        ring = [(x + RADIUS_IOD * np.cos(a), y + RADIUS_IOD * np.sin(a)) for a in _ANGLES]
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
    return [np.array(centre) + RADIUS_IOD * _ways() for centre in CENTRES_IOD]


def real_rims(clip: Clip) -> list[F64]:
    """As `drawn_rims`, of glasses that the person wears. Raises InputError where no line closes."""
    heads = _heads(clip)
    step = max(1, len(heads) // _SHOWN_FRAMES)
    iod_px = clip.iod_px
    radii = np.arange(_RANGE_IOD[0], _RANGE_IOD[1], _STEP_PX / iod_px)
    rims = []
    for centre in _EYES_IOD:
        middle = np.array(centre)
        for _ in range(3):  # each time about the middle of the line that was found
            places = middle + radii[None, :, None] * _ways()[:, None]
            shown = [
                _ridges(clip.frames[n], to_picture(places.reshape(-1, 2), heads[n]).reshape(places.shape))
                for n in range(0, len(heads), step)
            ]
            strength = np.abs(np.median(shown, axis=0))
            found = _closed(_even(strength))
            rim = middle + radii[found][:, None] * _ways()
            middle = (rim.max(0) + rim.min(0)) / 2
        if np.median(strength[np.arange(len(rim)), found]) < _PLAIN * np.median(strength):
            raise InputError(f"{clip.name}: no rim around an eye: give a clip of somebody who wears glasses")
        rims.append(rim)
    return rims


def traced(before: U8, after: U8, head: F64, rims: Sequence[F64]) -> tuple[F64, F64, F64]:
    """Points on both rims and their normals, float64 [N, 2] each, and how far along those the rims lie after
    an edit, float64 [N]; pixels. Only where the ridge is clear before and after.
    """
    iod_px = float(head[2])
    near, far = (
        np.arange(-reach, reach + 1e-9, _STEP_PX) for reach in (_NEAR_IOD * iod_px, _REACH_IOD * iod_px)
    )
    points, normals, moved = [], [], []
    for rim in rims:
        line = to_picture(rim, head)
        normal = _normals(line)
        ridge = _ridges(before, line[:, None] + near[None, :, None] * normal[:, None])
        at = _closed(_even(np.abs(ridge)))
        rows = np.arange(len(line))
        line = line + near[at][:, None] * normal
        signs = np.sign(ridge[rows, at])  # a rim is dark or bright along a stretch
        signs = np.where(sum(np.roll(signs, k) for k in range(-3, 4)) > 0.0, 1.0, -1.0)[:, None]
        # The same search in both pictures: of one that is untouched it finds the same.
        scale, clear, found = 0.0, np.ones(len(line), bool), []
        for rgb in (before, after):
            ridge = signs * _ridges(rgb, line[:, None] + far[None, :, None] * normal[:, None])
            at = _closed(_even(ridge))
            scale = scale or float(np.median(ridge[rows, at]))
            clear &= ridge[rows, at] > _CLEAR * scale
            found.append(_fine(far, ridge, at))
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
        if len(points) < len(_ANGLES) // 2:
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


def _ways() -> F64:
    return np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)


def _normals(line: F64) -> F64:
    along = np.roll(line, -1, 0) - np.roll(line, 1, 0)
    across = np.stack([along[:, 1], -along[:, 0]], axis=1)
    return np.asarray(across / np.linalg.norm(across, axis=1, keepdims=True))


def _ridges(rgb: U8, places: F64) -> F64:
    """Second difference of luma along the last axis but one of places [A, S, 2]: above 0 is a dark line."""
    luma = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    maps = [np.ascontiguousarray(places[..., c] - 0.5, np.float32) for c in range(2)]
    values = cv2.remap(luma, maps[0], maps[1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    soft = cv2.GaussianBlur(values, (0, 0), sigmaX=_FINE_PX / _STEP_PX, sigmaY=0.6)
    padded = np.pad(soft, ((0, 0), (2, 2)), mode="edge").astype(np.float64)
    return np.asarray(padded[:, :-4] - 2.0 * padded[:, 2:-2] + padded[:, 4:])


def _even(strength: F64) -> F64:
    """Strengths of ridges as 0..1.5, so that no glint outweighs a rim."""
    return np.asarray(np.clip(strength / max(float(np.percentile(strength, 92)), 1e-6), 0.0, 1.5))


def _closed(strength: F64) -> npt.NDArray[np.int64]:
    """Of each row a place, so that their strengths are most and neighbours' places near; closed, int [A].

    Twice around by dynamic programming; the second half's line closes.
    """
    rows, width = strength.shape
    twice = np.concatenate([strength, strength])
    steps = np.arange(-2, 3)
    best, back = twice[0].copy(), np.zeros((2 * rows, width), np.int64)
    for row in range(1, 2 * rows):
        padded = np.pad(best, 2, constant_values=-np.inf)
        choices = np.stack([padded[2 + s : 2 + s + width] - _STIFF * abs(s) for s in steps])
        back[row] = choices.argmax(0)
        best = choices.max(0) + twice[row]
    path = np.zeros(2 * rows, np.int64)
    path[-1] = int(best.argmax())
    for row in range(2 * rows - 1, 0, -1):
        path[row - 1] = path[row] + steps[back[row, path[row]]]
    middle = rows // 2
    return np.concatenate([path[rows : rows + middle], path[middle:rows]])


def _fine(places: F64, ridge: F64, at: npt.NDArray[np.int64]) -> F64:
    """Between the steps: the top of a parabola through three values."""
    inner = np.clip(at, 1, ridge.shape[1] - 2)
    rows = np.arange(len(inner))
    left, middle, right = (ridge[rows, inner + s] for s in (-1, 0, 1))
    bend = left - 2 * middle + right
    shift = np.where(bend < -1e-9, 0.5 * (left - right) / np.where(bend < -1e-9, bend, 1.0), 0.0)
    return np.asarray(places[inner] + np.clip(shift, -1.0, 1.0) * _STEP_PX)
