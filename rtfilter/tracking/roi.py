"""The turned square around a face that the mesh network sees: its geometry, its pixels, and the way back.

Geometry and sampling are MediaPipe's (DetectionsToRects, RectTransformation, ImageToTensor and
LandmarkProjection with the options of face_landmark_front_cpu), so the network sees what it was released
with.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.kernels.cpu.points import box_of_points, carried_points
from rtfilter.planes import Planes
from rtfilter.system.arrays import U8
from rtfilter.tracking.detect import Detection, sample

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

CROP_PX: Final = 192
MARGIN: Final = 1.5  # side of the square over the longer side of the face's box
RIGHT_EYE, LEFT_EYE = 33, 263  # outer corners
_RIGHT_EYE_KEY, _LEFT_EYE_KEY = 0, 1  # of the detector
SIDE_MIN_PX: Final = 4.0  # less is no face
# Limits of `Roi.followed`: position in sides, logarithm of the size, angle. Measured on eight clips:
# landmarks shake 0.85 times as much as with a square laid anew around each frame's (0.7 times on calm clips),
# and lie 0.35 % of an IOD from those; with rest as large as reach it is 0.82 times and 0.6 %.
REST: Final = (0.002, 0.003, math.radians(0.2))
REACH: Final = (0.02, 0.03, math.radians(2.0))
GLIDE_S: Final = 0.06


@dataclass(frozen=True, slots=True)
class Roi:
    """A square in the picture: centre and side in pixels, turned clockwise by `angle_rad`."""

    x: float
    y: float
    side: float
    angle_rad: float

    @classmethod
    def of_detection(cls, face: Detection) -> Roi:
        """Around a detector's box, upright to its eyes."""
        right, left = face.keypoints_px[_RIGHT_EYE_KEY].tolist(), face.keypoints_px[_LEFT_EYE_KEY].tolist()
        side = max(MARGIN * max(face.width, face.height), SIDE_MIN_PX)
        return cls(face.x, face.y, side, math.atan2(left[1] - right[1], left[0] - right[0]))

    @classmethod
    def of_landmarks(cls, points_px: F32) -> Roi:
        """Around float32 [478, 3] landmarks, upright to the outer corners of the eyes."""
        x0, y0, x1, y1 = box_of_points(points_px)
        right, left = points_px[RIGHT_EYE].tolist(), points_px[LEFT_EYE].tolist()
        side = max(MARGIN * max(x1 - x0, y1 - y0), SIDE_MIN_PX)
        angle_rad = math.atan2(left[1] - right[1], left[0] - right[0])
        return cls((x0 + x1) / 2, (y0 + y1) / 2, side, angle_rad)

    def followed(self, wanted: Roi, elapsed_s: float) -> Roi:
        """This square moved towards `wanted`, which lies around the landmarks found in it `elapsed_s` later.

        Landmarks depend a little on their square, so a square laid anew around each frame's landmarks feeds
        their noise back. This one rests within REST, glides with the time constant GLIDE_S, and is never
        farther off than REACH. It cannot overshoot.
        """
        share = -math.expm1(-max(elapsed_s, 0.0) / GLIDE_S)
        dx, dy = wanted.x - self.x, wanted.y - self.y
        far = math.hypot(dx, dy) / self.side
        step = _step(far, share, 0) / far if far > 0.0 else 0.0
        growth = _step(math.log(wanted.side / self.side), share, 1)
        turn = _step(math.remainder(wanted.angle_rad - self.angle_rad, 2 * math.pi), share, 2)
        angle_rad = math.remainder(self.angle_rad + turn, 2 * math.pi)
        return Roi(self.x + step * dx, self.y + step * dy, self.side * math.exp(growth), angle_rad)

    def picture_from_crop(self) -> F64:
        """The affine matrix [2, 3] from pixels of the crop (0..192) to pixels of the picture.

        It also maps pixel indices to pixel indices: MediaPipe takes no half pixel into account there, so its
        landmarks, and ours, lie up to half a *crop's* pixel off.
        """
        scale = self.side / CROP_PX
        a, b = scale * math.cos(self.angle_rad), scale * math.sin(self.angle_rad)
        middle = CROP_PX / 2
        return np.array(
            [[a, -b, self.x - middle * (a - b)], [b, a, self.y - middle * (a + b)]],
        )

    def project(self, points_crop: F32) -> F32:
        """Landmarks [478, 3] in crop pixels (z in their unit) as new float32 [478, 3] in picture pixels."""
        (a, _, x0), (b, _, y0) = self.picture_from_crop().tolist()
        return np.asarray(carried_points(points_crop, a, b, x0, y0, self.side / CROP_PX))


def crop(pixels: U8 | Planes, roi: Roi, out: F32) -> None:
    """Write the square into `out`, float32 [3, 192, 192], 0..1; bilinear, the border repeated."""
    sample(pixels, roi.picture_from_crop(), out)


def _step(left: float, share: float, which: int) -> float:
    """The step when `left` remains; which: index of REST and REACH."""
    size = abs(left)
    return math.copysign(max(share * max(size - REST[which], 0.0), size - REACH[which], 0.0), left)
