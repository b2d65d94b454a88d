"""Whether a frame can be learned from, and if not, what the person can do. Called by `profiles.gather`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.face.landmarks import share_inside
from rtfilter.face.pose import Pose
from rtfilter.profiles.textures import LUMA

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]


class Problem(Enum):
    """Why a frame is not used; the value is what to do."""

    NO_FACE = "no face is seen: sit before the camera"
    TWO_FACES = "there is more than one face: only the person who is enrolled may be in the picture"
    SMALL = "the face is too small: come closer to the camera"
    CUT = "a part of the face is outside the picture: move to its middle"
    TURNED = "the face is turned too far: look towards the camera"
    DARK = "it is too dark: put a lamp in front of you"
    BRIGHT = "it is too bright: less light, or turn away from the window"
    COVERED = "something covers the face: take off a mask, keep hands and hair away"
    BLURRED = "the picture is blurred: hold still, clean the lens, or give it more light"


LEAST_IOD_PX: Final = 40.0
LEAST_INSIDE: Final = 0.97
TURNED_DEG: Final = (35.0, 28.0)  # yaw, pitch
DARK_LUMA, BRIGHT_LUMA = 38.0, 243.0  # of encoded 0..255, the median of the skin
# Over 26 people the 95th percentile of the Laplacian, against the mean, of a face of 100 px an IOD is 0.07
# or more.
LEAST_SHARPNESS: Final = 0.03
FACE_PX: Final = 100.0
# Regions that skin of one colour has to fill, as top, bottom, left, right in shares of the texture's side.
REGIONS: Final = (
    (0.06, 0.16, 0.35, 0.65),  # forehead
    (0.30, 0.45, 0.46, 0.54),  # bridge of the nose
    (0.43, 0.59, 0.23, 0.39),  # cheeks
    (0.43, 0.59, 0.61, 0.77),
    (0.85, 0.95, 0.40, 0.60),  # chin
    (0.70, 0.84, 0.20, 0.32),  # jaw
    (0.70, 0.84, 0.68, 0.80),
)
# How far a region's colour (log red/green, log blue/green) and brightness (log) may be from the median
# region's. Over 26 people, one of them with half of the face in shadow: at most 0.26 and 0.96.
REGION_COLOUR, REGION_BRIGHT = 0.32, 1.7
COVERED_REGIONS: Final = 2  # one alone may be a fringe or a shadow
# A mask: chin and jaw have one colour among themselves, and another than the rest. (Of 19 clips none is.)
LOWER: Final = (4, 5, 6)
MASK_SPREAD, MASK_COLOUR = 0.06, 0.18
REGION_SEEN, REGION_TEXELS = 0.3, 8


@dataclass(frozen=True, slots=True)
class Checked:
    """A frame with a face. problem: None where it can be learned from. luma: 0..255; sharpness: see above."""

    problem: Problem | None
    luma: float
    sharpness: float


def checked(rgb: U8, points_px: F32, pose: Pose, texture: F32, weight: F32) -> Checked:
    """The check of one frame: picture uint8 [H, W, 3], landmarks [478, 3], unwrapped texture and weight."""
    luma = _skin_luma(texture, weight)
    sharpness = _sharpness(rgb, points_px, pose.scale_px_per_iod)
    yaw, pitch, _ = pose.yaw_pitch_roll_deg
    problem = None
    if pose.scale_px_per_iod < LEAST_IOD_PX:
        problem = Problem.SMALL
    elif abs(yaw) > TURNED_DEG[0] or abs(pitch) > TURNED_DEG[1]:
        problem = Problem.TURNED
    elif share_inside(points_px, rgb.shape[1], rgb.shape[0]) < LEAST_INSIDE:
        problem = Problem.CUT
    elif luma < DARK_LUMA:
        problem = Problem.DARK
    elif luma > BRIGHT_LUMA:
        problem = Problem.BRIGHT
    elif len(covered_regions(texture, weight)) >= COVERED_REGIONS:
        problem = Problem.COVERED
    elif sharpness < LEAST_SHARPNESS:
        problem = Problem.BLURRED
    return Checked(problem, luma, sharpness)


def covered_regions(texture: F32, weight: F32) -> list[int]:
    """Indices of REGIONS that have not the colour, or the brightness, of the others."""
    side = len(texture)
    found: list[tuple[int, F32]] = []
    for number, (top, bottom, left, right) in enumerate(REGIONS):
        at = np.s_[round(top * side) : round(bottom * side), round(left * side) : round(right * side)]
        seen = weight[at] > REGION_SEEN
        if int(seen.sum()) < REGION_TEXELS:
            continue
        logs = np.log(np.median(texture[at][seen], axis=0) + 4.0)
        bright = float(logs @ LUMA)
        found.append((number, np.array([logs[0] - logs[1], logs[2] - logs[1], bright], np.float32)))
    if not found:
        return []
    values = np.stack([value for _, value in found])
    off = np.abs(values - np.median(values, axis=0))
    odd = (np.hypot(off[:, 0], off[:, 1]) > REGION_COLOUR) | (off[:, 2] > REGION_BRIGHT)
    lower = np.array([number in LOWER for number, _ in found])
    if lower.sum() >= COVERED_REGIONS and (~lower).sum() >= COVERED_REGIONS:
        colours = values[:, :2]
        below = colours[lower].mean(0)
        spread = float(np.linalg.norm(colours[lower] - below, axis=1).max())
        apart = float(np.linalg.norm(below - np.median(colours[~lower], axis=0)))
        odd |= lower & (spread < MASK_SPREAD and apart > MASK_COLOUR)
    return [number for (number, _), is_odd in zip(found, odd, strict=True) if is_odd]


def _skin_luma(texture: F32, weight: F32) -> float:
    seen = weight > REGION_SEEN
    return float(np.median(texture[seen] @ LUMA)) if seen.any() else 0.0


def _sharpness(rgb: U8, points_px: F32, scale_px: float) -> float:
    """95th percentile of the Laplacian's size over the mean of the face, at FACE_PX an IOD."""
    low = np.maximum(points_px[:, :2].min(0), 0.0).astype(int)
    high = np.minimum(points_px[:, :2].max(0), (rgb.shape[1], rgb.shape[0])).astype(int)
    if (high - low < 8).any():
        return 0.0
    gray = cv2.cvtColor(rgb[low[1] : high[1], low[0] : high[0]], cv2.COLOR_RGB2GRAY).astype(np.float32)
    share = FACE_PX / max(scale_px, 1.0)
    way = cv2.INTER_AREA if share < 1.0 else cv2.INTER_LINEAR
    face = cv2.resize(gray, None, fx=share, fy=share, interpolation=way)
    edges = np.abs(cv2.Laplacian(face, cv2.CV_32F))
    return float(np.percentile(edges, 95) / max(float(face.mean()), 1.0))
