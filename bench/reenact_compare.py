"""An edited picture against the real one: alignment, regions and measures. Called by `bench.reenact`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.face import landmarks as lm
from rtfilter.face.model import MorphableModel
from rtfilter.face.uv import FOLDS
from rtfilter.render.unwrap import fold_mask, paint
from rtfilter.system.arrays import U8

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

# Measure: whether more is better, what it is called in a table, its digits.
MEASURES: Final[Mapping[str, tuple[bool, str, int]]] = {
    "psnr_db": (True, "PSNR dB", 2),
    "ssim": (True, "SSIM", 4),
    "fold_gradient": (True, "fold gradients r", 4),
    "landmark_percent": (False, "landmarks % IOD", 2),
    "psnr_skin_db": (True, "skin, dB", 2),
    "psnr_parts_db": (True, "eyes and mouth, dB", 2),
    "psnr_raw_db": (True, "PSNR dB, raw", 2),
    "ssim_raw": (True, "SSIM, raw", 4),
}
_FOLD_TEXELS: Final = 256
_FOLD_SIGMA_IOD: Final = 0.012  # about a millimetre: finer is noise and pores, wherever they come to lie
_OPENING_GROWN_IOD: Final = 0.03
_OPENINGS: Final = (
    lm.EYE_RIGHT_OUTLINE,
    lm.EYE_LEFT_OUTLINE,
    (lm.MOUTH_CORNER_RIGHT, *lm.LIPS_OUTER_UPPER, lm.MOUTH_CORNER_LEFT, *lm.LIPS_OUTER_LOWER[::-1]),
)
_LUMA: Final = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True, slots=True)
class Truth:
    """The real picture B in A's pose, cut to the face.

    rgb: float32 [h, w, 3]. face, parts (eyes and mouth), folds: bool [h, w]. points_px: float32 [478, 2] in
    A's picture. corner: x, y of the cut in A's picture. iod_px: the face's scale.
    """

    rgb: F32
    face: Mask
    parts: Mask
    folds: Mask
    points_px: F32
    corner: tuple[int, int]
    iod_px: float

    def cut(self, rgb: U8) -> F32:
        """The same part of another picture of A's size."""
        x, y = self.corner
        height, width = self.face.shape
        return rgb[y : y + height, x : x + width].astype(np.float32)


def truth_of(
    rgb: U8, points_px: F32, target_px: F32, size: tuple[int, int], iod_px: float, model: MorphableModel
) -> Truth:
    """B's picture and landmarks brought to A's by the similarity of their rigid landmarks.

    target_px: float32 [478, 3], A's landmarks. size: width and height of A's picture. iod_px: A's scale.
    """
    rigidity = model.rigidity.astype(np.float64)
    matrix = similarity(points_px[:, :2], target_px[:, :2], rigidity)
    width, height = size
    indices = matrix.copy()
    indices[:, 2] += matrix[:, :2] @ np.array([0.5, 0.5]) - 0.5  # landmarks count from pixels' corners
    warped = cv2.warpAffine(rgb, indices, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    inside = cv2.warpAffine(np.full(rgb.shape[:2], 255, np.uint8), indices, size, flags=cv2.INTER_LINEAR)
    points = (points_px[:, :2] @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
    oval = points[list(lm.FACE_OVAL)]
    low = np.clip(np.floor(oval.min(0)).astype(int) - 2, 0, (width - 1, height - 1))
    high = np.clip(np.ceil(oval.max(0)).astype(int) + 2, low + 1, size)
    shape = (int(high[1] - low[1]), int(high[0] - low[0]))
    shift = np.concatenate([points - low, points_px[:, 2:]], axis=1).astype(np.float32)
    known = inside[low[1] : high[1], low[0] : high[0]] == 255
    face = _filled(shift[list(lm.FACE_OVAL), :2], shape) & known
    parts = openings(shift, shape, iod_px) & face
    folds = fold_regions(shift, shape, model) & face & ~parts
    cut = warped[low[1] : high[1], low[0] : high[0]].astype(np.float32)
    return Truth(cut, face, parts, folds, points, (int(low[0]), int(low[1])), iod_px)


def similarity(source: F32, target: F32, weights: F64) -> F64:
    """Scale, turn and shift [2, 3] that take points [N, 2] to others, least squares under `weights` [N]."""
    share = weights / weights.sum()
    here, there = share @ source.astype(np.float64), share @ target.astype(np.float64)
    a, b = source - here, target - there
    power = float(share @ (a * a).sum(1))
    along = float(share @ (a * b).sum(1)) / power
    turned = float(share @ (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])) / power
    linear = np.array([[along, -turned], [turned, along]])
    return np.concatenate([linear, (there - linear @ here)[:, None]], axis=1)


def fold_regions(points_px: F32, shape: tuple[int, int], model: MorphableModel) -> Mask:
    """Where skin folds, `face.uv.FOLDS`, on a face with landmarks float32 [478, 3]; bool [h, w]."""
    texture = np.max([fold_mask(name, _FOLD_TEXELS) for name in FOLDS], axis=0)
    painted, _ = paint(texture[..., None], points_px, model.triangles, *shape)
    return np.asarray(painted[..., 0] > 0.5)


def openings(points_px: F32, shape: tuple[int, int], iod_px: float) -> Mask:
    """Eyes and mouth, lips and lids included; bool [h, w]."""
    inside = np.zeros(shape, np.uint8)
    grown = max(1, round(_OPENING_GROWN_IOD * iod_px))
    for opening in _OPENINGS:
        line = [_fixed(points_px[list(opening), :2])]
        cv2.fillPoly(inside, line, (1,), shift=4)
        cv2.polylines(inside, line, True, (1,), 2 * grown, shift=4)
    return inside > 0


def measured(edited: F32, truth: Truth, edited_points_px: F32 | None) -> dict[str, float | None]:
    """Every measure but the raw ones after one gain, that of the faces' medians; None: nothing to measure.

    edited: float32 [h, w, 3], the same cut. edited_points_px: landmarks found in the edited picture.
    """
    gain = median_luma(truth.rgb, truth.face) / max(median_luma(edited, truth.face), 1.0)
    matched = np.asarray(edited * np.float32(gain), np.float32)
    error = None
    if edited_points_px is not None:
        away = np.hypot(*(edited_points_px[: lm.SURFACE_COUNT, :2] - truth.points_px[: lm.SURFACE_COUNT]).T)
        error = 100.0 * float(away.mean()) / truth.iod_px
    return {
        "psnr_db": psnr_db(matched, truth.rgb, truth.face),
        "ssim": ssim(matched @ _LUMA, truth.rgb @ _LUMA, truth.face),
        "fold_gradient": gradient_correlation(matched @ _LUMA, truth.rgb @ _LUMA, truth),
        "landmark_percent": error,
        "psnr_skin_db": psnr_db(matched, truth.rgb, truth.face & ~truth.parts),
        "psnr_parts_db": psnr_db(matched, truth.rgb, truth.parts) if truth.parts.any() else None,
        "psnr_raw_db": psnr_db(edited, truth.rgb, truth.face),
        "ssim_raw": ssim(edited @ _LUMA, truth.rgb @ _LUMA, truth.face),
    }


def median_luma(rgb: F32, region: Mask) -> float:
    """Of the pixels in a region."""
    return float(np.median((rgb @ _LUMA)[region]))


def psnr_db(one: F32, other: F32, region: Mask) -> float:
    """Of RGB values 0..255 in a region; at most 99."""
    square = float(np.square(one[region] - other[region]).mean(dtype=np.float64))
    return min(10.0 * float(np.log10(255.0**2 / max(square, 1e-9))), 99.0)


def ssim(one: F32, other: F32, region: Mask) -> float:
    """Structural similarity (Wang et al. 2004; Gaussian window of 1.5 px) of luma 0..255 in a region."""

    def blurred(picture: F32) -> F32:
        return np.asarray(cv2.GaussianBlur(picture, (11, 11), 1.5), np.float32)

    a, b = blurred(one), blurred(other)
    aa, bb, ab = blurred(one * one) - a * a, blurred(other * other) - b * b, blurred(one * other) - a * b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    alike = ((2 * a * b + c1) * (2 * ab + c2)) / ((a * a + b * b + c1) * (aa + bb + c2))
    return float(alike[region].mean(dtype=np.float64))


def gradient_correlation(one: F32, other: F32, truth: Truth) -> float | None:
    """Pearson's r of luma gradients, x and y together, where skin folds, at the scale of folds."""
    if not truth.folds.any():
        return None
    sigma = max(_FOLD_SIGMA_IOD * truth.iod_px, 0.8)
    values = []
    for picture in (one, other):
        soft = cv2.GaussianBlur(np.ascontiguousarray(picture, np.float32), (0, 0), sigma)
        slopes = [cv2.Sobel(soft, cv2.CV_32F, x, 1 - x)[truth.folds] for x in (1, 0)]
        values.append(np.concatenate(slopes).astype(np.float64))
    a, b = (each - each.mean() for each in values)
    power = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / power if power > 0.0 else None


def _filled(outline: F32, shape: tuple[int, int]) -> Mask:
    picture = np.zeros(shape, np.uint8)
    cv2.fillPoly(picture, [_fixed(outline)], (1,), shift=4)
    return picture > 0


def _fixed(points: F32) -> npt.NDArray[np.int32]:
    """Points in pixels as OpenCV's fixed-point pixel indices with four binary places."""
    return np.asarray(np.round((points - 0.5) * 16), np.int32)
