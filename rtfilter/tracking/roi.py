"""Where the face mesh network looks: a turned square around the face, and the way there and back.

Geometry and sampling are MediaPipe's (DetectionsToRects, RectTransformation, ImageToTensor and
LandmarkProjection with the options of face_landmark_front_cpu): the network sees what it was released with.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.frame import U8
from rtfilter.tracking.detect import Detection

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

CROP_PX: Final = 192
MARGIN: Final = 1.5  # side of the square over the longer side of the face's box
RIGHT_EYE, LEFT_EYE = 33, 263  # outer corners
_RIGHT_EYE_KEY, _LEFT_EYE_KEY = 0, 1  # of the detector
SIDE_MIN_PX: Final = 4.0  # less is no face
# How far the square may be off before it follows; see `followed`. Of its side, and in radians.
SLACK_SHARE: Final = 0.02
SLACK_SIZE: Final = 0.03
SLACK_RAD: Final = math.radians(2.0)


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
        (x0, y0), (x1, y1) = points_px[:, :2].min(0).tolist(), points_px[:, :2].max(0).tolist()
        right, left = points_px[RIGHT_EYE].tolist(), points_px[LEFT_EYE].tolist()
        side = max(MARGIN * max(x1 - x0, y1 - y0), SIDE_MIN_PX)
        angle_rad = math.atan2(left[1] - right[1], left[0] - right[0])
        return cls((x0 + x1) / 2, (y0 + y1) / 2, side, angle_rad)

    def followed(self, wanted: Roi) -> Roi:
        """This square, moved, grown and turned towards `wanted` by no more than what exceeds the slack.

        Landmarks depend a little on the square that they were found in. A square laid anew around each
        frame's landmarks hands their noise to the next frame's; with slack it stands still while the face
        does, and when it moves it moves without a jump. (The play operator: non-expansive, so it cannot
        oscillate by itself.)
        """
        dx, dy = wanted.x - self.x, wanted.y - self.y
        far, slack = math.hypot(dx, dy), SLACK_SHARE * self.side
        share = (far - slack) / far if far > slack else 0.0
        growth = _beyond(math.log(wanted.side / self.side), SLACK_SIZE)
        turn = _beyond(math.remainder(wanted.angle_rad - self.angle_rad, 2 * math.pi), SLACK_RAD)
        angle_rad = math.remainder(self.angle_rad + turn, 2 * math.pi)
        return Roi(self.x + share * dx, self.y + share * dy, self.side * math.exp(growth), angle_rad)

    def picture_from_crop(self) -> F64:
        """The affine matrix [2, 3] from pixels of the crop (0..192) to pixels of the picture.

        It also says which pixel a crop's pixel is read from, index to index: MediaPipe takes no half pixel
        into account there, so its landmarks, and ours, lie up to half a *crop's* pixel off.
        """
        scale = self.side / CROP_PX
        a, b = scale * math.cos(self.angle_rad), scale * math.sin(self.angle_rad)
        middle = CROP_PX / 2
        return np.array(
            [[a, -b, self.x - middle * (a - b)], [b, a, self.y - middle * (a + b)]],
        )

    def project(self, points_crop: F32) -> F32:
        """Landmarks [478, 3] in crop pixels (z in their unit) as new float32 [478, 3] in picture pixels."""
        (a, minus_b, x0), (b, _, y0) = self.picture_from_crop().tolist()
        x, y = points_crop[:, 0], points_crop[:, 1]
        out = np.empty_like(points_crop, np.float32)
        out[:, 0] = x * np.float32(a) + y * np.float32(minus_b) + np.float32(x0)
        out[:, 1] = x * np.float32(b) + y * np.float32(a) + np.float32(y0)
        out[:, 2] = points_crop[:, 2] * np.float32(self.side / CROP_PX)
        return out


def crop(rgb: U8, roi: Roi) -> U8:
    """The square as the network sees it: uint8 [192, 192, 3], bilinear; beyond the picture, its border."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    size = (CROP_PX, CROP_PX)
    matrix = roi.picture_from_crop()
    return np.asarray(
        cv2.warpAffine(rgb, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE), np.uint8
    )


def _beyond(value: float, slack: float) -> float:
    """What of `value` exceeds the slack, with its sign."""
    return math.copysign(max(abs(value) - slack, 0.0), value)
