"""The affine crop of crop.cu and kernels/cpu/crop.py in plain NumPy, for tests and to read beside them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

F64 = npt.NDArray[np.float64]
U8 = npt.NDArray[np.uint8]

# Beyond the picture lies its last pixel, or black; crop.cu has the former alone.
BORDER_REPLICATE, BORDER_ZERO = 0, 1


def crop(rgb: U8, picture_from_crop: F64, side: int, border: int, scale: float, bias: float) -> F64:
    """float64 [3, side, side] of a whole picture [H, W, 3]. border: BORDER_REPLICATE or BORDER_ZERO."""
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


def _places(picture_from_crop: F64, side: int) -> tuple[F64, F64]:
    """Where the crop's pixel centres lie in the picture: x and y, [side, side] each."""
    v, u = np.mgrid[:side, :side] + 0.5
    m = picture_from_crop
    return m[0, 0] * u + m[0, 1] * v + m[0, 2], m[1, 0] * u + m[1, 1] * v + m[1, 2]
