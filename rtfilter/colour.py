"""YUV and RGB: the matrix of a decoded picture, and the arithmetic of both directions.

Only 8-bit samples. Source of the matrices: ITU-R BT.601-7, BT.709-6 and BT.2020-2 (their luma weights
kr and kb fix everything else), range scaling as in BT.709-6 section 4 (limited) or JFIF (full).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.errors import UsageError, nearest
from rtfilter.system.arrays import U8
from rtfilter.system.buffers import Allocate, fresh

if TYPE_CHECKING:
    import av

F64 = npt.NDArray[np.float64]
Samples = npt.NDArray[np.integer[Any] | np.floating[Any]]

# Luma weights (kr, kb) by the name that is used in arguments.
MATRICES = {
    "bt601": (0.299, 0.114),
    "bt709": (0.2126, 0.0722),
    "bt2020": (0.2627, 0.0593),
    "fcc": (0.30, 0.11),
    "smpte240m": (0.212, 0.087),
}

# ITU-T H.273 MatrixCoefficients, as FFmpeg's AVColorSpace numbers them.
UNSPECIFIED = 2
_NAME_OF_TAG = {1: "bt709", 4: "fcc", 5: "bt601", 6: "bt601", 7: "smpte240m", 9: "bt2020"}
TAG_OF_NAME = {"bt709": 1, "fcc": 4, "bt601": 6, "smpte240m": 7, "bt2020": 9}

# AVColorRange.
RANGE_LIMITED, RANGE_FULL = 1, 2

# Planar 8-bit formats, with log2 of the chroma subsampling (x, y). The "j" names mean full range.
PLANAR_FORMATS = {
    "yuv420p": (1, 1),
    "yuvj420p": (1, 1),
    "yuv422p": (1, 0),
    "yuvj422p": (1, 0),
    "yuv444p": (0, 0),
    "yuvj444p": (0, 0),
}

SD_BELOW_PX = 720


@dataclass(frozen=True)
class YuvSpec:
    """How 8-bit Y, Cb, Cr samples relate to R'G'B': a matrix name and a range."""

    matrix: str
    full_range: bool

    def __post_init__(self) -> None:
        if self.matrix not in MATRICES:
            raise UsageError(f"unknown colour matrix {self.matrix!r}:{nearest(self.matrix, MATRICES)}")

    @property
    def yuv_from_rgb(self) -> F64:
        """float64 [3, 4], read-only: (Y, Cb, Cr) = m[:, :3] @ rgb + m[:, 3], all in 0..255 units."""
        return _matrices(self)[0]

    @property
    def rgb_from_yuv(self) -> F64:
        """float64 [3, 4], read-only: the inverse of `yuv_from_rgb`."""
        return _matrices(self)[1]

    def _yuv_from_rgb(self) -> F64:
        kr, kb = MATRICES[self.matrix]
        kg = 1.0 - kr - kb
        luma = np.array([kr, kg, kb])
        cb = (np.array([0.0, 0.0, 1.0]) - luma) / (2.0 * (1.0 - kb))
        cr = (np.array([1.0, 0.0, 0.0]) - luma) / (2.0 * (1.0 - kr))
        luma_scale, chroma_scale = (1.0, 1.0) if self.full_range else (219.0 / 255.0, 224.0 / 255.0)
        linear = np.stack([luma * luma_scale, cb * chroma_scale, cr * chroma_scale])
        offset = np.array([[0.0 if self.full_range else 16.0], [128.0], [128.0]])
        return np.hstack([linear, offset])


@lru_cache
def _matrices(spec: YuvSpec) -> tuple[F64, F64]:
    """Both directions, kept for each spec: LAPACK's inverse, small as it is, wakes OpenBLAS's threads, which
    spin on a processor for longer than a picture lasts."""
    forward = spec._yuv_from_rgb()
    inverse = np.linalg.inv(forward[:, :3])
    backward = np.hstack([inverse, -inverse @ forward[:, 3:]])
    forward.flags.writeable = backward.flags.writeable = False
    return forward, backward


def spec_for_size(width: int, height: int) -> YuvSpec:
    """What an untagged picture means: BT.601 for SD, else BT.709; limited range.

    The shorter side decides, so that turning a picture upright does not change its colours.
    """
    return YuvSpec("bt601" if min(width, height) < SD_BELOW_PX else "bt709", full_range=False)


def spec_of(picture: av.VideoFrame) -> YuvSpec | None:
    """The matrix and range of a decoded YUV picture; None where its matrix is not one of ours."""
    guess = spec_for_size(picture.width, picture.height)
    tag = int(picture.colorspace)
    name = guess.matrix if tag == UNSPECIFIED else _NAME_OF_TAG.get(tag)
    if name is None:
        return None
    full = picture.format.name.startswith("yuvj") or int(picture.color_range) == RANGE_FULL
    return YuvSpec(name, full)


def planes_of(picture: av.VideoFrame) -> list[U8]:
    """Views, one per plane, of an 8-bit planar picture: uint8 [h, w] each, without row padding.

    They share the picture's memory; a decoded picture may be the decoder's own reference: only read it.
    """
    views = []
    for plane in picture.planes:
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
        views.append(rows[:, : plane.width])
    return views


def yuv_to_rgb(planes: list[U8], spec: YuvSpec, empty: Allocate = fresh) -> U8:
    """RGB uint8 [H, W, 3] of Y [H, W], Cb and Cr [h, w] (full or half size, rounded up); bicubic chroma.

    Chroma samples sit in the middle of their block. Against float64 arithmetic with the same bicubic
    kernel the largest error measured is 2 (fixed-point kernels and rounding); the mean is below 0.4.
    """
    luma, *chroma = (np.ascontiguousarray(plane) for plane in planes)
    large = [luma, *(_upsampled(plane, luma.shape, empty) for plane in chroma)]
    merged = cv2.merge(large, dst=empty(*luma.shape, 3))
    return np.asarray(cv2.transform(merged, spec.rgb_from_yuv, dst=empty(*luma.shape, 3)), np.uint8)


def _upsampled(plane: U8, shape: tuple[int, ...], empty: Allocate) -> U8:
    height, width = shape
    if plane.shape == (height, width):
        return plane
    # Odd sides: chroma is rounded up, so the doubled plane is one sample too large; cut, don't squeeze.
    doubled_h = plane.shape[0] * (1 if plane.shape[0] == height else 2)
    doubled_w = plane.shape[1] * (1 if plane.shape[1] == width else 2)
    room = empty(doubled_h, doubled_w)
    large = cv2.resize(plane, (doubled_w, doubled_h), dst=room, interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(large.reshape(doubled_h, doubled_w)[:height, :width])


def rgb_to_yuv(rgb: U8, spec: YuvSpec, shift_x: int, shift_y: int) -> list[U8]:
    """Y, Cb, Cr planes of uint8 [H, W, 3]; chroma is the mean over 2**shift_x by 2**shift_y blocks.

    Sides that the block does not divide are rounded up. Rounding is to nearest, within 0.7 of float64
    in luma (measured; fixed-point kernels).
    """
    yuv = cv2.transform(rgb, spec.yuv_from_rgb)
    luma, cb, cr = cv2.split(np.asarray(yuv).reshape(*rgb.shape))
    return [
        np.asarray(luma, np.uint8),
        *(np.asarray(block_mean(plane, shift_x, shift_y), np.uint8) for plane in (cb, cr)),
    ]


def block_mean(plane: Samples, shift_x: int, shift_y: int) -> Samples:
    """Mean over blocks of 2**shift_x by 2**shift_y samples of [H, W] or [H, W, C], uint8 or float32.

    Incomplete blocks at the far edges take the mean of what they have.
    """
    if shift_x == 0 and shift_y == 0:
        return plane
    height, width = plane.shape[:2]
    pad_x, pad_y = -width % (1 << shift_x), -height % (1 << shift_y)
    if pad_x or pad_y:
        plane = np.asarray(cv2.copyMakeBorder(plane, 0, pad_y, 0, pad_x, cv2.BORDER_REPLICATE))
    size = ((width + pad_x) >> shift_x, (height + pad_y) >> shift_y)
    small = np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA))
    return small.reshape(size[1], size[0], *plane.shape[2:])
