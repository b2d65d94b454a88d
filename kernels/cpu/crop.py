"""The affine crop on the processor, in crop.cu's arithmetic, out of RGB or YUV planes. For `tracking`.

Samples go straight into a network's input; nothing of the picture is read but the pixels under them.
kernels/reference/crop.py is its readable twin.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rtfilter.kernels.cpu.crop_loops import PlaneAt, rgb_rows, yuv_rows
from rtfilter.kernels.cpu.points import box_of_points, carried_points

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
U8 = npt.NDArray[np.uint8]

_REACH_MAX = 1 << 31  # bytes from a plane's first row to its last, as 32 bits count them


def crop_rgb(
    rgb: U8, picture_from_crop: F64, out: F32, scale: float, bias: float, black_border: bool = False
) -> None:
    """Write `value * scale + bias` of bilinear samples, value in 0..255, into `out`.

    Args:
        rgb: uint8 [H, W, 3], rows may be padded.
        picture_from_crop: affine [2, 3] in pixels, whose centres lie at + 0.5 on both sides.
        out: float32 [3, h, w], contiguous.
        black_border: beyond the picture lies black, else its last pixel.

    Raises:
        ValueError: other types or sizes.
    """
    plane, _kept = _plane_of(rgb, 3)
    matrix = _floats("picture_from_crop", picture_from_crop, 6)
    rgb_rows(plane, matrix, _checked(out), black_border, scale, bias)


def crop_yuv(
    planes: list[U8],
    shift: tuple[int, int],
    rgb_from_yuv: F64,
    picture_from_crop: F64,
    out: F32,
    scale: float,
    bias: float,
    black_border: bool = False,
) -> None:
    """As `crop_rgb`, of Y [H, W] and of Cb and Cr [h, w], sampled apart and then converted.

    shift: log2 of the chroma subsampling (x, y); a sample lies in the middle of its pixels. rgb_from_yuv:
    affine [3, 4] in units of 0..255, as of `YuvSpec`.
    """
    luma, _kept = _plane_of(planes[0], 1)
    cb, _kept_cb = _plane_of(planes[1], 1)
    cr, _kept_cr = _plane_of(planes[2], 1)
    if cb[2:] != cr[2:]:
        raise ValueError(f"expected Cb and Cr of one size, got {planes[1].shape} and {planes[2].shape}")
    matrix = _floats("picture_from_crop", picture_from_crop, 6)
    colours = _floats("rgb_from_yuv", rgb_from_yuv, 12)
    shares = 0.5 ** shift[0], 0.5 ** shift[1]
    yuv_rows(luma, cb, cr, *shares, colours, matrix, _checked(out), black_border, scale, bias)


def warm_up() -> None:
    """Compile both and `points`, or load them from Numba's cache, so that the first picture does not wait."""
    matrix, out = np.zeros((2, 3)), np.empty((3, 1, 1), np.float32)
    points = carried_points(np.zeros((1, 3), np.float32), 1.0, 0.0, 0.0, 0.0, 1.0)
    box_of_points(points)
    crop_rgb(np.zeros((2, 2, 3), np.uint8), matrix, out, 1.0, 0.0)
    crop_yuv([np.zeros((2, 2), np.uint8)] * 3, (0, 0), np.zeros((3, 4)), matrix, out, 1.0, 0.0)


def _plane_of(samples: U8, channels: int) -> tuple[PlaneAt, U8]:
    """Where samples lie, and the array that must live until they are read.

    A side of one sample is doubled, for pairs are read.
    """
    wanted = (samples.dtype == np.uint8, samples.ndim, samples.shape[2:])
    if wanted != ((True, 2, ()) if channels == 1 else (True, 3, (channels,))) or samples.size == 0:
        kind = "[H, W]" if channels == 1 else "[H, W, 3]"
        raise ValueError(f"expected uint8 {kind}, got {samples.dtype} {list(samples.shape)}")
    rows, columns = samples.shape[:2]
    if rows == 1:
        samples = samples.repeat(2, axis=0)
    if columns == 1:
        samples = samples.repeat(2, axis=1)
    pixels_apart = (1,) if channels == 1 else (channels, 1)
    if samples.strides[1:] != pixels_apart or abs(samples.strides[0]) * rows >= _REACH_MAX:
        samples = np.ascontiguousarray(samples)
    # `samples.ctypes` makes objects, and takes three times as long.
    address: int = samples.__array_interface__["data"][0]
    return (address, samples.strides[0], columns, rows), samples


def _floats(name: str, values: F64, count: int) -> F32:
    flat = np.asarray(values, np.float32).ravel()
    if len(flat) != count:
        raise ValueError(f"{name}: expected {count} numbers, got {list(np.shape(values))}")
    return flat


def _checked(out: F32) -> F32:
    if out.dtype != np.float32 or out.ndim != 3 or len(out) != 3 or not out.flags.carray:
        raise ValueError(f"out: expected contiguous float32 [3, h, w], got {out.dtype} {list(out.shape)}")
    return out
