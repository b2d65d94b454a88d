"""Edited RGB -> YUV planes that keep the source's own bytes wherever nothing was edited.

A YUV -> RGB -> YUV round trip moves a good part of all bytes by a level or two. So the planes are
taken from the source's picture, and only what the edit changed is added to them, as a difference:

    Y' = Y + M_y (rgb_out - rgb_in)        C' = C + mean over the block of M_c (rgb_out - rgb_in)

with M the RGB -> YUV matrix. No difference, no change, bit for bit.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.colour import Samples, YuvSpec, block_mean, rgb_to_yuv
from rtfilter.errors import UsageError
from rtfilter.frame import U8, Box

F32 = npt.NDArray[np.float32]

# Luma may differ from its RGB by rounding alone, unless RGB was clipped (highlights above nominal
# white, shadows below black). There the excess belongs to the old pixel and must not move into the new.
_LUMA_SLACK = 3.0

# Strips whose float32 arrays stay in the cache and in the allocator's hands: a whole picture at once is
# three times slower (fresh pages). Even, so that no chroma block is cut.
_STRIP_ROWS = 32


def add_edit(
    planes: list[U8], original: U8, edited: U8, box: Box, spec: YuvSpec, shift: tuple[int, int]
) -> None:
    """Add the edit inside `box` to `planes`, in place.

    planes: Y [H, W], Cb and Cr [ceil(H / 2**shift_y), ceil(W / 2**shift_x)], uint8, writable: those that
        `original` was decoded from.
    original, edited: RGB uint8 [H, W, 3].
    box: holds every pixel that differs; it is widened to whole chroma blocks.
    shift: log2 of the chroma subsampling (x, y).

    Where edited is original the bytes stay. Elsewhere luma is exact to 1 level (to 4 where the source lay
    outside of what RGB can show), and chroma to 1 level of its block's mean.
    """
    box = _whole_blocks(box, edited.shape[1], edited.shape[0], shift)
    for top in range(box.y0, box.y1, _STRIP_ROWS):
        strip = Box(box.x0, top, box.x1, min(top + _STRIP_ROWS, box.y1))
        if strip.x0 < strip.x1:
            _add_strip(planes, original, edited, strip, spec, shift)


def _add_strip(
    planes: list[U8], original: U8, edited: U8, box: Box, spec: YuvSpec, shift: tuple[int, int]
) -> None:
    inside = np.s_[box.y0 : box.y1, box.x0 : box.x1]
    before, after = original[inside], edited[inside]
    change_rgb = cv2.subtract(after, before, dtype=cv2.CV_32F)
    change_yuv = cv2.transform(change_rgb, spec.yuv_from_rgb[:, :3])
    changes = [np.asarray(part, np.float32).reshape(after.shape[:2]) for part in cv2.split(change_yuv)]
    _drop_clipped_excess(changes[0], planes[0][inside], before, spec)
    shift_x, shift_y = shift
    corner = (box.y0 >> shift_y, box.x0 >> shift_x)
    _add(planes[0], (box.y0, box.x0), changes[0])
    _add(planes[1], corner, block_mean(changes[1], shift_x, shift_y))
    _add(planes[2], corner, block_mean(changes[2], shift_x, shift_y))


def rgb_to_i420(rgb: U8, matrix: str = "bt709", full_range: bool = False) -> U8:
    """A whole picture as I420: flat uint8 [H * W + 2 * ceil(H / 2) * ceil(W / 2)], Y then U then V.

    matrix: "bt601", "bt709" or "bt2020". Raises UsageError for another name.
    """
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8:
        raise UsageError(f"expected uint8 [H, W, 3], got {rgb.dtype} {list(rgb.shape)}")
    return np.concatenate([plane.ravel() for plane in rgb_to_yuv(rgb, YuvSpec(matrix, full_range), 1, 1)])


def _whole_blocks(box: Box, width: int, height: int, shift: tuple[int, int]) -> Box:
    step_x, step_y = 1 << shift[0], 1 << shift[1]
    return Box(
        max(box.x0, 0) // step_x * step_x,
        max(box.y0, 0) // step_y * step_y,
        min(-(-box.x1 // step_x) * step_x, width),
        min(-(-box.y1 // step_y) * step_y, height),
    )


def _drop_clipped_excess(change: F32, luma: U8, rgb: U8, spec: YuvSpec) -> None:
    yuv = np.asarray(cv2.transform(rgb, spec.yuv_from_rgb)).reshape(rgb.shape)
    expected = np.asarray(cv2.extractChannel(yuv, 0), np.uint8).reshape(luma.shape)
    far = np.asarray(cv2.absdiff(np.ascontiguousarray(luma), expected)).reshape(luma.shape) > _LUMA_SLACK
    if not far.any():
        return
    far &= change != 0.0
    excess = luma[far].astype(np.float32) - expected[far]
    change[far] -= excess - np.clip(excess, -_LUMA_SLACK, _LUMA_SLACK)


def _add(plane: U8, corner: tuple[int, int], change: Samples) -> None:
    top, left = corner
    part = plane[top : top + change.shape[0], left : left + change.shape[1]]
    # OpenCV adds in float32, rounds to nearest and saturates: adding 0.0 is exact.
    added = cv2.add(np.ascontiguousarray(part), change, dtype=cv2.CV_8U)
    part[...] = np.asarray(added, np.uint8).reshape(part.shape)
