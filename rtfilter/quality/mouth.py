"""The mouth before and after an edit: gap, area and width of the lips; definitions: docs/evaluation.md.

Called by `quality.evaluate`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.face import landmarks as lm
from rtfilter.quality.measures import FacePairs

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

# A source gap below the first is closed, an edited one below the second still is. Between them lies the
# tracker's scatter, so that lips which rest at the limit are not counted as opened.
CLOSED_IOD: Final = 0.03
STILL_CLOSED_IOD: Final = 0.045
# Lips that move less than this (standard deviation of the gap) show the tracker's noise, not speech.
SPEAKING_IOD: Final = 0.004
# The same of the width. Two trackings of one clip, shifted and with noise, differ by 0.0014 to 0.0026; the
# widths of six people who speak vary by 0.017 to 0.058.
SHAPING_IOD: Final = 0.008
# Frames in a fifth, at least: the mean of fewer is one moment.
FIFTH_MIN_FRAMES: Final = 5

_INNER_LIPS: Final = (
    lm.INNER_CORNER_RIGHT,
    *lm.LIPS_INNER_UPPER,
    lm.INNER_CORNER_LEFT,
    *reversed(lm.LIPS_INNER_LOWER),
)


@dataclass(frozen=True, slots=True)
class MouthMeasure:
    """What an edit left of the lips' speech. Lengths in IODs of the source; None: not measurable.

    gap_r, gap_gain: Pearson's r and the slope of edited over source inner-lip gap. area_r: r of the area
    between the inner lips. width_r, width_gain: the same of the distance between the mouth corners;
    width_ratio: its mean after over that before. roundest_fifth, widest_fifth: widening (after / before - 1)
    of the fifth of the frames in which the source's mouth is narrowest or widest; roundest_less_widest: the
    difference, above 0 where round mouths lose their shape. closures: source frames with closed lips;
    closures_kept: the share of them that stays closed.
    """

    gap_r: float | None
    gap_gain: float | None
    gap_rmse_iod: float
    area_r: float | None
    width_r: float | None
    width_gain: float | None
    width_ratio: float
    roundest_fifth: float | None
    widest_fifth: float | None
    roundest_less_widest: float | None
    closures: int
    closures_kept: float | None


def mouth(pairs: FacePairs) -> MouthMeasure:
    """Agreement of the lips before and after, over all pairs."""
    gap, gap_after = (_distances_iod(points, pairs, *_GAP) for points in (pairs.source_px, pairs.edited_px))
    width, width_after = (
        _distances_iod(points, pairs, *_WIDTH) for points in (pairs.source_px, pairs.edited_px)
    )
    area, area_after = (_areas_iod2(points, pairs) for points in (pairs.source_px, pairs.edited_px))
    speaks, shapes = float(gap.std()) >= SPEAKING_IOD, float(width.std()) >= SHAPING_IOD
    gap_r, gap_gain = _agreement(gap, gap_after) if speaks else (None, None)
    width_r, width_gain = _agreement(width, width_after) if shapes else (None, None)
    roundest, widest = _fifths(width, width_after) if shapes else (None, None)
    closed = gap < CLOSED_IOD
    return MouthMeasure(
        gap_r=gap_r,
        gap_gain=gap_gain,
        gap_rmse_iod=float(np.sqrt(np.square(gap_after - gap).mean())),
        area_r=_agreement(area, area_after)[0] if speaks else None,
        width_r=width_r,
        width_gain=width_gain,
        width_ratio=float(width_after.mean() / max(float(width.mean()), 1e-9)),
        roundest_fifth=roundest,
        widest_fifth=widest,
        roundest_less_widest=None if roundest is None or widest is None else roundest - widest,
        closures=int(closed.sum()),
        closures_kept=float((gap_after[closed] < STILL_CLOSED_IOD).mean()) if closed.any() else None,
    )


_GAP: Final = (lm.LIP_UPPER_INNER, lm.LIP_LOWER_INNER)
_WIDTH: Final = (lm.MOUTH_CORNER_RIGHT, lm.MOUTH_CORNER_LEFT)


def _agreement(source: F64, edited: F64) -> tuple[float | None, float | None]:
    """Pearson's r at zero lag, and the slope of edited over source."""
    source0, edited0 = source - source.mean(), edited - edited.mean()
    power, edited_power = float(np.square(source0).sum()), float(np.square(edited0).sum())
    shared = float((source0 * edited0).sum())
    if power <= 0.0:
        return None, None
    return shared / np.sqrt(power * edited_power) if edited_power > 0.0 else None, shared / power


def _fifths(source: F64, edited: F64) -> tuple[float | None, float | None]:
    """Widening of the narrowest and of the widest fifth of the source's frames."""
    count = len(source) // 5
    if count < FIFTH_MIN_FRAMES:
        return None, None
    order = np.argsort(source, kind="stable")
    ends = order[:count], order[-count:]
    roundest, widest = (float(edited[at].mean() / source[at].mean() - 1.0) for at in ends)
    return roundest, widest


def _distances_iod(points_px: F32, pairs: FacePairs, one: int, other: int) -> F64:
    between = points_px[:, one, :2] - points_px[:, other, :2]
    return np.asarray(np.hypot(between[:, 0], between[:, 1]) / pairs.px_per_iod, np.float64)


def _areas_iod2(points_px: F32, pairs: FacePairs) -> F64:
    """Area of the polygon of the inner lips, in squared IODs."""
    outline = points_px[:, list(_INNER_LIPS), :2].astype(np.float64) / pairs.px_per_iod[:, None, None]
    ahead = np.roll(outline, -1, axis=1)
    doubled = (outline[..., 0] * ahead[..., 1] - outline[..., 1] * ahead[..., 0]).sum(1)
    return np.asarray(np.abs(doubled) / 2.0, np.float64)
