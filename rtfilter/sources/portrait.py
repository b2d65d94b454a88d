"""`Portrait`: the demo's person at rest, and the inside of mouth and lids, which a warp cannot show.

An opening mouth shows teeth, which belong to the skull, and a cavity behind them; a closing lid shows
skin that the open eye hides. Both are painted after the warp. Called by `sources.demo`.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.face import landmarks as lm
from rtfilter.system.arrays import U8

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

# Colours of the parts that the portrait does not show, RGB.
CAVITY = np.array([52.0, 20.0, 20.0], np.float32)
TONGUE = np.array([70.0, 30.0, 30.0], np.float32)  # added towards the lower lip
LASHES = (66.0, 46.0, 36.0)
TONGUE_IOD = 0.10
# Softness of a painted edge, and of the shade that lips throw on the teeth, in inter-ocular distances.
EDGE_IOD, SHADE_IOD = 0.006, 0.03
LASH_IOD = 0.014
CREASE_IOD = 0.03  # from the open lid's line up to its crease
# Closing of an eye, as a share of its opening, from which its lid is painted, and where it is all painted.
LID_FROM, LID_ALL = 0.25, 0.75
_SUBPIXEL_BITS = 4

MOUTH = (
    lm.INNER_CORNER_RIGHT,
    *lm.LIPS_INNER_UPPER,
    lm.INNER_CORNER_LEFT,
    *lm.LIPS_INNER_LOWER[::-1],
)
EYES = (
    (lm.EYE_RIGHT_CORNERS, lm.EYE_RIGHT_UPPER, lm.EYE_RIGHT_LOWER),
    (lm.EYE_LEFT_CORNERS, lm.EYE_LEFT_UPPER, lm.EYE_LEFT_LOWER),
)


@dataclass(frozen=True, slots=True)
class Portrait:
    """The built-in portrait; see docs/model-cards/demo-portrait.md.

    rgb: uint8 [512, 512, 3], at rest, lips closed. points_px: float32 [478, 3], its landmarks.
    teeth: uint8 [h, w, 4], RGB and how much of a pixel is tooth; `teeth_at_px` is where its upper left
    corner lies in the portrait. lid_rgb: the lids' colour.
    """

    rgb: U8
    points_px: F32
    teeth: U8
    teeth_at_px: tuple[int, int]
    lid_rgb: tuple[float, float, float]

    @classmethod
    def builtin(cls) -> Portrait:
        assets = resources.files("rtfilter.sources").joinpath("assets")
        data = np.frombuffer(assets.joinpath("demo_portrait.jpg").read_bytes(), np.uint8)
        rgb = cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
        file = assets.joinpath("demo_portrait.npz")
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            x, y = (int(number) for number in archive["teeth_at_px"])
            red, green, blue = (float(number) for number in archive["lid_rgb"])
            points, teeth = archive["points_px"], archive["teeth"]
        return cls(np.asarray(rgb, np.uint8), points, teeth, (x, y), (red, green, blue))


def paint_parts(rgb: U8, portrait: Portrait, view: F64, rest_px: F32, moved_px: F32, iod_px: float) -> None:
    """Paint mouth and lids into a picture, in place.

    rgb: uint8 [H, W, 3]. view: picture_from_portrait [2, 3], pixels. rest_px, moved_px: the landmarks in the
    picture at rest and as shown, [478, 2 or more]. iod_px: an inter-ocular distance there.
    """
    _paint_mouth(rgb, portrait, view, moved_px[list(MOUTH), :2], iod_px)
    for corners, upper, lower in EYES:
        _paint_lid(rgb, portrait, rest_px[:, :2], moved_px[:, :2], (corners, upper, lower), iod_px)


def _paint_mouth(rgb: U8, portrait: Portrait, view: F64, lips_px: F32, iod_px: float) -> None:
    window = _window(rgb, lips_px, 3.0 * SHADE_IOD * iod_px)
    if window is None:
        return
    part, at = window
    opening = filled(part, lips_px - at)
    shade = _soft(opening, SHADE_IOD * iod_px)[..., None]
    rows = np.arange(part.shape[0], dtype=np.float32)[:, None, None] + np.float32(at[1])
    low = float(lips_px[:, 1].max())
    towards_lip = np.clip((rows - low) / (TONGUE_IOD * iod_px) + 1.0, 0.0, 1.0)
    inside = CAVITY + towards_lip * TONGUE
    placed = view.copy()
    placed[:, 2] += view[:, :2] @ np.array(portrait.teeth_at_px) - at
    size = (part.shape[1], part.shape[0])
    teeth = cv2.warpAffine(portrait.teeth, for_pixel_indices(placed), size, flags=cv2.INTER_LINEAR)
    tooth = teeth[..., 3:].astype(np.float32) / 255.0
    inside = inside + (teeth[..., :3] - inside) * tooth
    inside = CAVITY + (inside - CAVITY) * np.clip(1.1 * shade, 0.0, 1.0)
    _blend(part, inside, _soft(opening, EDGE_IOD * iod_px))


def _paint_lid(
    rgb: U8,
    portrait: Portrait,
    rest_px: F32,
    moved_px: F32,
    eye: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]],
    iod_px: float,
) -> None:
    corners, upper, lower = eye
    open_px = float(np.linalg.norm(rest_px[list(upper)] - rest_px[list(lower)], axis=1).mean())
    left_px = float(np.linalg.norm(moved_px[list(upper)] - moved_px[list(lower)], axis=1).mean())
    closed = 1.0 - left_px / max(open_px, 1e-6)
    share = float(np.clip((closed - LID_FROM) / (LID_ALL - LID_FROM), 0.0, 1.0))
    if share <= 0.0:
        return
    line = moved_px[[corners[0], *upper, corners[1]]]
    crease = rest_px[[corners[0], *upper, corners[1]]].copy()
    crease[1:-1, 1] -= CREASE_IOD * iod_px
    window = _window(rgb, np.concatenate([line, crease]), 4.0 * LASH_IOD * iod_px)
    if window is None:
        return
    part, at = window
    lid = filled(part, np.concatenate([line, crease[::-1]]) - at)
    soft = _soft(lid, 0.6 * CREASE_IOD * iod_px)
    _blend(part, np.full(part.shape, portrait.lid_rgb, np.float32), np.float32(share) * np.minimum(lid, soft))
    # What is left of the opening, and the lashes along it.
    opening = filled(part, np.concatenate([line, moved_px[list(lower[::-1])]]) - at)
    lashes = np.zeros(part.shape[:2], np.uint8)
    thick = max(1, round(LASH_IOD * iod_px))
    cv2.polylines(lashes, [_fixed(line - at)], False, (255,), thick, cv2.LINE_AA, _SUBPIXEL_BITS)
    drawn = _soft(lashes.astype(np.float32) / np.float32(255.0), 0.4 * thick)
    _blend(part, np.full(part.shape, LASHES, np.float32), np.float32(share) * np.maximum(opening, drawn))


def _window(rgb: U8, points_px: F32, margin_px: float) -> tuple[U8, F32] | None:
    """The part of the picture around the points, a view, and where it begins; None where it is outside."""
    height, width = rgb.shape[:2]
    x0, y0 = (int(v) for v in np.floor(points_px.min(0) - margin_px))
    x1, y1 = (int(v) + 1 for v in np.ceil(points_px.max(0) + margin_px))
    x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)
    if x1 <= x0 or y1 <= y0:
        return None
    return rgb[y0:y1, x0:x1], np.array([x0, y0], np.float32)


def filled(part: U8, polygon_px: F32) -> F32:
    """The share of each pixel that a polygon [N, 2] covers, float32 [h, w], 0..1."""
    mask = np.zeros(part.shape[:2], np.uint8)
    cv2.fillPoly(mask, [_fixed(polygon_px)], (255,), cv2.LINE_AA, _SUBPIXEL_BITS)
    return mask.astype(np.float32) / np.float32(255.0)


def _fixed(points_px: F32) -> npt.NDArray[np.int32]:
    """As OpenCV draws them: from pixel centres, in fractions of a pixel."""
    return np.asarray(np.round((points_px - 0.5) * (1 << _SUBPIXEL_BITS)), np.int32)


def _soft(mask: F32, sigma_px: float) -> F32:
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), max(sigma_px, 0.3)), np.float32)


def _blend(part: U8, colours: npt.NDArray[np.floating[Any]], share: F32) -> None:
    weight = share[..., None]
    part[:] = np.rint(part * (1.0 - weight) + colours * weight).astype(np.uint8)


def for_pixel_indices(view: F64) -> F64:
    """The same map for OpenCV, which counts from pixel centres where we count from their corners."""
    shifted = view.copy()
    shifted[:, 2] += 0.5 * view[:, :2].sum(1) - 0.5
    return shifted
