"""A turned or shrunken part of a picture as a network's input. Called by `tracking.roi` and `detect`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rtfilter.kernels.cpu.crop import crop_rgb, crop_yuv
from rtfilter.planes import Planes
from rtfilter.system.arrays import U8

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]


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
    moved = picture_from_crop.copy()
    moved[:, 2] += 0.5 - 0.5 * picture_from_crop[:, :2].sum(1)
    return moved
