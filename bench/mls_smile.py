"""A smile by moving least squares on FaceMesh's landmarks: a contender of `bench.latency`.

Similarity deformation of Schaefer, McPhail, Warren: Image deformation using moving least squares
(SIGGRAPH 2006, section 2.2), on a coarse grid over the face, then OpenCV's remap. It moves the corners of
the mouth and holds the rest, whatever the speech, the head's turn or the frame before.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.face import landmarks as lm

F32 = npt.NDArray[np.float32]
C64 = npt.NDArray[np.complex64]
U8 = npt.NDArray[np.uint8]

GRID = 24
MARGIN = 0.15  # of the face's box, so that the warp can fade out beside the cheeks
# Held: eyes, nose, the middle of the lips, and the outline of the face.
ANCHORS = (33, 133, 362, 263, 1, 4, 98, 327, 0, 17, 10, 152, 234, 454, 172, 397)


class MlsSmile:
    """amount_iod: how far each mouth corner moves, half of it outwards and all of it up."""

    def __init__(self, amount_iod: float = 0.07) -> None:
        self._amount_iod = amount_iod
        self._fade = _fade_to_edges()

    def apply(self, rgb: U8, points_px: F32) -> U8:
        """A copy of `rgb` [H, W, 3] with a smile, given its landmarks, float32 [478, 2 or 3]."""
        height, width = rgb.shape[:2]
        x0, y0, x1, y1 = _face_box(points_px, width, height)
        if x1 - x0 < GRID or y1 - y0 < GRID:
            return rgb.copy()
        before, after = self._controls(points_px)
        columns = np.linspace(x0, x1 - 1, GRID, dtype=np.float32)
        rows = np.linspace(y0, y1 - 1, GRID, dtype=np.float32)
        # Backwards: where the pixel at each grid point comes from.
        grid = (columns[None, :] + 1j * rows[:, None]).astype(np.complex64)
        flow = (similarity(after, before, grid.ravel()).reshape(GRID, GRID) - grid) * self._fade
        size = (x1 - x0, y1 - y0)
        map_x = cv2.resize(flow.real.astype(np.float32), size) + np.arange(x0, x1, dtype=np.float32)
        map_y = cv2.resize(flow.imag.astype(np.float32), size) + np.arange(y0, y1, dtype=np.float32)[:, None]
        out = rgb.copy()
        out[y0:y1, x0:x1] = cv2.remap(rgb, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return out

    def _controls(self, points_px: F32) -> tuple[C64, C64]:
        """Control points before and after, as complex numbers x + iy."""
        chosen = points_px[[*ANCHORS, lm.MOUTH_CORNER_RIGHT, lm.MOUTH_CORNER_LEFT], :2]
        before = (chosen[:, 0] + 1j * chosen[:, 1]).astype(np.complex64)
        eyes = points_px[lm.EYE_OUTER_LEFT, :2] - points_px[lm.EYE_OUTER_RIGHT, :2]
        across = complex(eyes[0], eyes[1]) * self._amount_iod
        after = before.copy()
        after[-2] += -0.5 * across - 1j * across
        after[-1] += 0.5 * across - 1j * across
        return before, after


def similarity(p: C64, q: C64, v: C64) -> C64:
    """Where the similarity deformation that takes controls p [K] to q [K] takes the points v [N].

    In complex numbers the best similarity around v is z -> a (z - p*) + q* with
    a = sum w conj(p - p*) (q - q*) / sum w |p - p*|^2 and w = 1 / |p - v|^2.
    """
    distance = p[None, :] - v[:, None]
    weights = 1.0 / np.maximum(distance.real**2 + distance.imag**2, 1e-4)
    weights /= weights.sum(1, keepdims=True)
    p_star, q_star = (weights * p).sum(1), (weights * q).sum(1)
    p_hat, q_hat = p[None, :] - p_star[:, None], q[None, :] - q_star[:, None]
    turn = (weights * p_hat.conj() * q_hat).sum(1) / (weights * (p_hat.real**2 + p_hat.imag**2)).sum(1)
    return np.asarray(turn * (v - p_star) + q_star, np.complex64)


def _face_box(points_px: F32, width: int, height: int) -> tuple[int, int, int, int]:
    low, high = points_px[: lm.SURFACE_COUNT, :2].min(0), points_px[: lm.SURFACE_COUNT, :2].max(0)
    margin = MARGIN * (high - low)
    x0, y0 = np.clip(low - margin, 0, (width, height)).astype(int)
    x1, y1 = np.clip(high + margin, 0, (width, height)).astype(int)
    return int(x0), int(y0), int(x1), int(y1)


def _fade_to_edges() -> F32:
    side = 1.0 - np.linspace(-1.0, 1.0, GRID, dtype=np.float32) ** 6
    return np.asarray(side[:, None] * side[None, :], np.float32)
