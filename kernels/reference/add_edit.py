"""add_edit.cu in plain NumPy, for tests and to read beside it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
U8 = npt.NDArray[np.uint8]


def add_edit(planes: list[U8], before: U8, after: U8, yuv_from_rgb: F64) -> list[U8]:
    """Y [h, w], Cb and Cr [ceil(h / 2), ceil(w / 2)] with the change from `before` to `after`, RGB [h, w, 3].

    Y' = Y + M_y (after - before), chroma by its block's mean; M the matrix [3, 4] in units of 0..255. Luma
    differs from that of its RGB by rounding alone, unless RGB was clipped there (highlights above nominal
    white, shadows below black): what is more than 3 levels belongs to the old pixel, and goes with it.

    In float32 and the kernel's order, so that both round alike.
    """
    m = yuv_from_rgb.astype(np.float32)
    old = before.astype(np.float32)
    change = after.astype(np.float32) - old
    moved = [row[0] * change[..., 0] + row[1] * change[..., 1] + row[2] * change[..., 2] for row in m]
    shown = m[0, 0] * old[..., 0] + m[0, 1] * old[..., 1] + m[0, 2] * old[..., 2] + m[0, 3]
    gap = planes[0].astype(np.float32) - _to_bytes(shown)
    moved[0] = np.where(moved[0] != 0.0, moved[0] - (gap - gap.clip(-3.0, 3.0)), 0.0)
    return [
        _to_bytes(plane.astype(np.float32) + part)
        for plane, part in zip(planes, (moved[0], *map(_block_means, moved[1:])), strict=True)
    ]


def _block_means(values: F32) -> F32:
    """Over blocks of 2 x 2 of [h, w]; of what they have, at the far edges."""
    height, width = values.shape
    whole = np.zeros(((height + 1) // 2 * 2, (width + 1) // 2 * 2), np.float32)
    whole[:height, :width] = values
    here = np.zeros_like(whole)
    here[:height, :width] = 1.0
    sums, counts = ((of[::2] + of[1::2])[:, ::2] + (of[::2] + of[1::2])[:, 1::2] for of in (whole, here))
    return np.asarray(sums * (np.float32(1.0) / counts), np.float32)


def _to_bytes(values: F32) -> U8:
    return np.asarray(np.rint(values.clip(0.0, 255.0)), np.uint8)
