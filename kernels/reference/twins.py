"""What crop, points and add_edit mean, in plain NumPy: for tests, and to read beside the .cu files.

The warp's twins are the CPU lane's own kernels: extend.py, rasterise.py and resample.py. The crop has one
there as well, crop.py, which is tested against this one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from rtfilter.kernels.blocks import BORDER_ZERO

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
U8 = npt.NDArray[np.uint8]


def crop(rgb: U8, picture_from_crop: F64, side: int, border: int, scale: float, bias: float) -> F64:
    """float64 [3, side, side] of a whole picture [H, W, 3]; see CropParameters."""
    x, y = _places(picture_from_crop, side)
    planes = sampled(rgb.astype(np.float64), x, y, border).transpose(2, 0, 1)
    return np.asarray(planes * scale + bias)


def crop_yuv(
    planes: list[U8],
    rgb_from_yuv: F64,
    picture_from_crop: F64,
    side: int,
    border: int,
    scale: float,
    bias: float,
    shift: tuple[int, int] = (1, 1),
) -> F64:
    """As `crop`, of a picture in Y [H, W] and Cb, Cr [h, w], sides divided by 2**shift (x, y), rounded up.

    Luma and chroma are sampled apart, chroma in the middle of its pixels; then converted, and clipped. What
    of the sample lies outside the picture is black, where the border is zero.
    """
    x, y = _places(picture_from_crop, side)
    luma, cb, cr = (plane.astype(np.float64) for plane in planes)
    coarse = x / (1 << shift[0]), y / (1 << shift[1])
    yuv = [sampled(luma, x, y, border), *(sampled(plane, *coarse, 0) for plane in (cb, cr))]
    inside = sampled(np.ones(luma.shape), x, y, border)
    rows = [m[0] * yuv[0] + inside * (m[1] * yuv[1] + m[2] * yuv[2] + m[3]) for m in rgb_from_yuv]
    return np.asarray(np.stack(rows).clip(0.0, 255.0) * scale + bias)


def sampled(plane: F64, x: F64, y: F64, border: int) -> F64:
    """Bilinear samples of [H, W] or [H, W, C] at places of any shape, pixel centres at + 0.5. Beyond the
    border lies its last pixel, or zero."""
    height, width = plane.shape[:2]
    # Far outside is outside, for NaN too: it is taken for the left and upper border's.
    across = np.clip(np.nan_to_num(x - 0.5, nan=-2.0), -2.0, width + 1.0)
    down = np.clip(np.nan_to_num(y - 0.5, nan=-2.0), -2.0, height + 1.0)
    left, top = np.floor(across).astype(int), np.floor(down).astype(int)
    total: Any = 0.0
    for step_y in (0, 1):
        for step_x in (0, 1):
            j, i = left + step_x, top + step_y
            weight = np.abs(1 - step_x - (across - left)) * np.abs(1 - step_y - (down - top))
            if border == BORDER_ZERO:
                weight = weight * ((j >= 0) & (j < width) & (i >= 0) & (i < height))
            found = plane[i.clip(0, height - 1), j.clip(0, width - 1)]
            total = total + (weight[..., None] if plane.ndim == 3 else weight) * found
    return np.asarray(total, np.float64)


def points(
    landmarks: F32, presence: F32, picture_from_crop: F64, z_scale: float, threshold: float
) -> tuple[F64, F64]:
    """Landmarks [B, N, 3] in the picture, all matrices alike, and float64 [B] whether there is a face."""
    moved = np.einsum("rc,bnc->bnr", picture_from_crop[:, :2], landmarks[:, :, :2].astype(np.float64))
    moved = moved + picture_from_crop[:, 2]
    out = np.concatenate([moved, landmarks[:, :, 2:].astype(np.float64) * z_scale], axis=2)
    whole = (np.abs(np.nan_to_num(out, nan=np.inf)) < 1e9).all((1, 2))
    out[~whole] = 0.0
    return out, (whole & (presence >= threshold)).astype(np.float64)


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


def _places(picture_from_crop: F64, side: int) -> tuple[F64, F64]:
    """Where the crop's pixel centres lie in the picture: x and y, [side, side] each."""
    v, u = np.mgrid[:side, :side] + 0.5
    m = picture_from_crop
    return m[0, 0] * u + m[0, 1] * v + m[0, 2], m[1, 0] * u + m[1, 1] * v + m[1, 2]
