"""The face detector's input and output as arrays: a letterboxed picture, and faces with key points.

Called by the trackers of both lanes, which run the network. Formulas: MediaPipe's
TensorsToDetectionsCalculator and NonMaxSuppressionCalculator (WEIGHTED) with the options of
face_detection_short_range; BlazeFace (Bazarevsky et al. 2019, section 3.4) on blending boxes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.kernels.cpu.crop import crop_rgb, crop_yuv
from rtfilter.planes import Planes
from rtfilter.system.arrays import U8
from rtfilter.tracking.crossing import Spot
from rtfilter.tracking.tiles import Tile, whole

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

INPUT_PX: Final = 128
# Cell size in pixels of the input, and how many anchors lie on the middle of each cell.
GRIDS: Final = ((8, 2), (16, 6))
SCORE_MIN: Final = 0.5
TILE_SCORE_MIN: Final = 0.6  # of parts of the picture, which are many
OVERLAP_MIN: Final = 0.3  # intersection over union from which two boxes show one face
KEYPOINT_COUNT: Final = 6  # right eye, left eye, nose, mouth, right ear, left ear: the subject's own sides


@dataclass(frozen=True, slots=True)
class Letterbox:
    """Where a picture lies in the detector's square.

    left, top: of the picture within the square, in its pixels. scale: pixels of the picture in one of the
        square.
    """

    left: float
    top: float
    scale: float


@dataclass(frozen=True, slots=True)
class Detection:
    """A face: its box's centre and size in pixels of the picture, score 0..1, float32 [6, 2] key points."""

    x: float
    y: float
    width: float
    height: float
    score: float
    keypoints_px: F32

    @property
    def spot(self) -> Spot:
        """Where it is and how large, for telling people apart."""
        return Spot(self.x, self.y, max(self.width, self.height))


def letterbox(pixels: U8 | Planes, out: F32, tile: Tile | None = None) -> Letterbox:
    """Write a picture as the detector takes it into `out`: float32 [3, 128, 128], -1..1, with black bars.

    It is read as MediaPipe reads it: bilinear, not averaged. Averaged, small faces are found less often: 59 %
    against 71 % of faces a tenth of the picture wide. tile: default the whole picture, its middle on the
    square's.
    """
    height, width = pixels.shape[:2]
    tile = tile or whole(width, height)
    scale = tile.side / INPUT_PX
    matrix = np.array([[scale, 0.0, tile.x], [0.0, scale, tile.y]])
    sample(pixels, matrix, out, scale=2.0 / 255.0, bias=-1.0, black_border=True)
    return Letterbox(-tile.x / scale, -tile.y / scale, scale)


@lru_cache(maxsize=1)
def anchors_px() -> F32:
    """Anchors [896, 2] (x, y) in pixels of the detector's input, row by row, grid by grid; read-only.

    Source: MediaPipe's SsdAnchorsCalculator with the options of face_detection_short_range (strides 8, 16,
    16, 16, two anchors a layer, fixed size). Layers of one stride share their cells: two grids.
    """
    grids = []
    for stride, count in GRIDS:
        middles = (np.arange(INPUT_PX // stride) + 0.5) * stride
        y, x = np.meshgrid(middles, middles, indexing="ij")
        grids.append(np.repeat(np.stack([x, y], axis=-1).reshape(-1, 2), count, axis=0))
    anchors: F32 = np.concatenate(grids).astype(np.float32)
    anchors.flags.writeable = False
    return anchors


def detections(boxes: F32, logits: F32, box: Letterbox) -> list[Detection]:
    """The faces in a letterboxed picture, the surest first.

    boxes: float32 [896, 16], centre x and y, width, height and six key points, in pixels of the square,
        places relative to the anchors. logits: float32 [896].
    """
    found = np.flatnonzero(logits >= math.log(SCORE_MIN / (1.0 - SCORE_MIN)))
    if len(found) == 0:
        return []
    scores = 1.0 / (1.0 + np.exp(-np.clip(logits[found].astype(np.float64), -100.0, 100.0)))
    order = np.argsort(-scores, kind="stable")
    found, scores = found[order], scores[order]
    raw = boxes[found].astype(np.float64)
    anchors = anchors_px()[found]
    raw[:, 0:2] += anchors
    raw[:, 4:] += np.tile(anchors, KEYPOINT_COUNT)
    corners = np.concatenate([raw[:, 0:2] - raw[:, 2:4] / 2, raw[:, 0:2] + raw[:, 2:4] / 2], axis=1)
    values = np.concatenate([corners, raw[:, 4:]], axis=1)
    return [_in_picture(mean, score, box) for mean, score in _blended(values, scores)]


def faces_in(tile: Tile, faces: Sequence[Detection], width: int, height: int) -> list[Detection]:
    """Those that were found in a part of a picture surely enough, and that none of its sides cuts.

    width, height: of the picture, whose own border may cut a face.
    """

    def is_whole(face: Detection) -> bool:
        x0, x1 = face.x - face.width / 2, face.x + face.width / 2
        y0, y1 = face.y - face.height / 2, face.y + face.height / 2
        right, bottom = tile.x + tile.side, tile.y + tile.side
        across = (x0 >= tile.x or tile.x <= 0) and (x1 <= right or right >= width)
        return across and (y0 >= tile.y or tile.y <= 0) and (y1 <= bottom or bottom >= height)

    return [face for face in faces if face.score >= TILE_SCORE_MIN and is_whole(face)]


def _blended(values: F64, scores: F64) -> list[tuple[F64, float]]:
    """For each face the mean of the boxes that overlap its surest, weighted by score; the surest's score."""
    blended = []
    left = np.arange(len(scores))
    while len(left) > 0:
        same = _overlap(values[left], values[left[0]]) > OVERLAP_MIN
        same[0] = True  # a box without area overlaps nothing, not even itself
        weights = scores[left[same]]
        mean = (values[left[same]] * weights[:, None]).sum(0) / weights.sum()
        blended.append((mean, float(scores[left[0]])))
        left = left[~same]
    return blended


def _overlap(boxes: F64, one: F64) -> F64:
    """Intersection over union of boxes [N, >= 4] (x0, y0, x1, y1) with one."""
    low, high = np.maximum(boxes[:, 0:2], one[0:2]), np.minimum(boxes[:, 2:4], one[2:4])
    shared = np.prod(np.maximum(high - low, 0.0), axis=1)
    areas = np.prod(np.maximum(boxes[:, 2:4] - boxes[:, 0:2], 0.0), axis=1)
    area = max(one[2] - one[0], 0.0) * max(one[3] - one[1], 0.0)
    return np.asarray(shared / np.maximum(areas + area - shared, 1e-12))


def _in_picture(values: F64, score: float, box: Letterbox) -> Detection:
    points = (values.reshape(-1, 2) - (box.left, box.top)) * box.scale
    (x0, y0), (x1, y1) = points[0].tolist(), points[1].tolist()
    keypoints = np.asarray(points[2:], np.float32)
    return Detection((x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0, score, keypoints)


def sample(
    pixels: U8 | Planes,
    picture_from_crop: F64,
    out: F32,
    scale: float = 1.0 / 255.0,
    bias: float = 0.0,
    black_border: bool = False,
) -> None:
    """Write bilinear samples of a picture into `out`, float32 [3, h, w] RGB, as 0..255 * scale + bias.

    pixels: of a frame, RGB or planes, which stay planes. picture_from_crop: affine [2, 3] from pixel index to
    pixel index. Beyond the picture its border is repeated, or it is black.
    """
    matrix = between_centres(picture_from_crop)
    if isinstance(pixels, Planes):
        colours = pixels.spec.rgb_from_yuv
        crop_yuv(pixels.all, pixels.shift, colours, matrix, out, scale, bias, black_border)
    else:
        crop_rgb(pixels, matrix, out, scale, bias, black_border)


def between_centres(picture_from_crop: F64) -> F64:
    """A map [2, 3] between pixel indices as one between coordinates with pixel centres at + 0.5."""
    return np.array([[a, b, x + 0.5 - 0.5 * (a + b)] for a, b, x in picture_from_crop.tolist()])
