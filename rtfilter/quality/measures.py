"""Expression, jitter and pixels before and after an edit; definitions: docs/evaluation.md.

A measure is None where the video has nothing to measure: jitter of a single frame, background where the face
fills the picture. The mouth is in `quality.mouth`. Called by `quality.evaluate`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPE_INDEX, BLENDSHAPES
from rtfilter.face import landmarks as lm

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]
U8 = npt.NDArray[np.uint8]

# The face's surroundings, in half sizes of its landmarks' box: an edit may fade out in there.
SURROUNDINGS: Final = 1.6
FACE_BOX_MIN_PX: Final = 16

# A name without a side is the mean of both.
GROUPS: Final = {
    "smile": "mouthSmile", "frown": "mouthFrown", "dimple": "mouthDimple", "stretch": "mouthStretch",
    "press": "mouthPress", "jaw_open": "jawOpen", "brow_down": "browDown", "brow_inner_up": "browInnerUp",
    "brow_outer_up": "browOuterUp", "eye_wide": "eyeWide", "squint": "eyeSquint", "blink": "eyeBlink",
    "cheek_squint": "cheekSquint", "sneer": "noseSneer",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class FacePairs:
    """The same face in N frames of both clips.

    frame: int64 [N], frame numbers, rising. source_px, edited_px: float32 [N, 478, 3].
    px_per_iod: float64 [N], the source's scale, used for both so that an edit cannot change the ruler.
    down: float64 [N, 2], the unit vector from forehead to chin in the source's picture.
    change: float64 [N, 52], by how much every coefficient differs in the edited clip.
    """

    frame: I64
    source_px: F32
    edited_px: F32
    px_per_iod: F64
    down: F64
    change: F64


@dataclass(frozen=True, slots=True)
class EmotionMeasure:
    """Mean changes: coefficients by blendshape name, groups of them, and the mouth corners against the
    lips' middle (positive: up)."""

    groups: dict[str, float]
    coefficients: dict[str, float]
    corner_lift_iod: float


@dataclass(frozen=True, slots=True)
class JitterMeasure:
    """Shake of the source's face, of the edited one, their ratio, and of the edit alone."""

    source_iod: float | None
    edited_iod: float | None
    ratio: float | None
    edit_iod: float | None


@dataclass(frozen=True, slots=True)
class PixelMeasure:
    """sharpness: edited over source. background_diff: mean difference in grey levels far from the face;
    background_worst: the largest one of any pixel in any frame."""

    sharpness: float | None
    background_diff: float | None
    background_worst: int | None


def emotion(pairs: FacePairs) -> EmotionMeasure:
    """Mean change of the expression."""
    change = pairs.change.mean(0)
    lift = (_lift_iod(pairs.edited_px, pairs) - _lift_iod(pairs.source_px, pairs)).mean()
    coefficients = {name: float(value) for name, value in zip(BLENDSHAPES, change, strict=True)}
    groups = {group: float(change[_indices(name)].mean()) for group, name in GROUPS.items()}
    return EmotionMeasure(groups, coefficients, float(lift))


def jitter(pairs: FacePairs) -> JitterMeasure:
    """Second differences over time: near zero for smooth motion, large for shake."""
    ahead = np.flatnonzero((pairs.frame[2:] - pairs.frame[:-2]) == 2) + 1
    if len(ahead) == 0:
        return JitterMeasure(None, None, None, None)
    scale = pairs.px_per_iod[ahead]
    shakes = []
    for points in (pairs.source_px, pairs.edited_px):
        shakes.append(float(np.median(np.median(_second_difference(points, ahead), axis=1) / scale)))
    # The mean: most of the face moves with the head only, so a median would miss a shaking mouth.
    edit = _second_difference(pairs.edited_px - pairs.source_px, ahead).mean(1) / scale
    ratio = shakes[1] / shakes[0] if shakes[0] > 0.0 else None
    return JitterMeasure(shakes[0], shakes[1], ratio, float(np.median(edit)))


class Pixels:
    """Accumulator of sharpness and background differences over pairs of frames."""

    def __init__(self) -> None:
        self._sharpness: list[float] = []
        self._background: list[float] = []
        self._worst = 0

    def add(self, source: U8, edited: U8, source_points_px: F32) -> None:
        """One pair: uint8 [H, W, 3] each, and the source's landmarks [478, 3]."""
        height, width = source.shape[:2]
        surface = source_points_px[: lm.SURFACE_COUNT, :2]
        low, high = surface.min(0), surface.max(0)
        centre, half = (low + high) / 2, (high - low) / 2
        x0, y0, x1, y1 = _box(centre, half, width, height)
        if min(x1 - x0, y1 - y0) >= FACE_BOX_MIN_PX:
            before, after = (_detail(rgb[y0:y1, x0:x1]) for rgb in (source, edited))
            if before > 0.0:
                self._sharpness.append(after / before)
        x0, y0, x1, y1 = _box(centre, SURROUNDINGS * half, width, height)
        outside = height * width - max(x1 - x0, 0) * max(y1 - y0, 0)
        if outside > 0:
            difference = np.asarray(cv2.absdiff(source, edited), np.uint8)
            difference[y0:y1, x0:x1] = 0
            self._background.append(float(difference.sum(dtype=np.int64)) / (3 * outside))
            self._worst = max(self._worst, int(difference.max()))

    def measure(self) -> PixelMeasure:
        """Median sharpness, mean and worst background difference so far."""
        return PixelMeasure(
            sharpness=float(np.median(self._sharpness)) if self._sharpness else None,
            background_diff=float(np.mean(self._background)) if self._background else None,
            background_worst=self._worst if self._background else None,
        )


def _indices(name: str) -> list[int]:
    if name in BLENDSHAPE_INDEX:
        return [BLENDSHAPE_INDEX[name]]
    return [BLENDSHAPE_INDEX[name + side] for side in ("Left", "Right")]


def _lift_iod(points_px: F32, pairs: FacePairs) -> F64:
    """How far the mouth corners lie above the middle of the inner lips."""
    middle = points_px[:, [lm.LIP_UPPER_INNER, lm.LIP_LOWER_INNER], :2].mean(1)
    corners = points_px[:, [lm.MOUTH_CORNER_LEFT, lm.MOUTH_CORNER_RIGHT], :2].mean(1)
    return np.asarray(((middle - corners) * pairs.down).sum(1) / pairs.px_per_iod, np.float64)


def _second_difference(points_px: F32, at: I64) -> F64:
    """|p(t-1) - 2 p(t) + p(t+1)| of every landmark in the picture: [len(at), 478], pixels."""
    flat = points_px[..., :2].astype(np.float64)
    bend = flat[at - 1] - 2.0 * flat[at] + flat[at + 1]
    return np.asarray(np.hypot(bend[..., 0], bend[..., 1]))


def _box(centre: F32, half: F32, width: int, height: int) -> tuple[int, int, int, int]:
    x0, y0 = np.clip(np.floor(centre - half), 0, (width, height)).astype(int)
    x1, y1 = np.clip(np.ceil(centre + half), 0, (width, height)).astype(int)
    return int(x0), int(y0), int(x1), int(y1)


def _detail(rgb: U8) -> float:
    """Mean |Laplacian| of the grey picture."""
    grey = cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2GRAY)
    return float(np.abs(cv2.Laplacian(grey, cv2.CV_32F)).mean())
