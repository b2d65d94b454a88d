"""Edited RGB -> YUV planes that keep the source's own bytes wherever nothing was edited.

A YUV -> RGB -> YUV round trip moves a good part of all bytes by a level or two. So the planes are
taken from the source's picture, and only what the edit changed is added to them, as a difference:

    Y' = Y + M_y (rgb_out - rgb_in)        C' = C + mean over the block of M_c (rgb_out - rgb_in)

with M the RGB -> YUV matrix. No difference, no change, bit for bit.
"""

from __future__ import annotations

import cv2
import numpy as np

from rtfilter.colour import YuvSpec, block_mean, rgb_to_yuv
from rtfilter.errors import UsageError
from rtfilter.frame import U8, Box

# Luma may differ from its RGB by rounding alone, unless RGB was clipped (highlights above nominal
# white, shadows below black). There the excess belongs to the old pixel and must not move into the new.
_LUMA_SLACK = 3.0


def add_edit(
    planes: list[U8], original: U8, edited: U8, box: Box, spec: YuvSpec, shift: tuple[int, int]
) -> None:
    """Add the edit inside `box` to `planes`, in place.

    planes: Y [H, W], Cb and Cr [ceil(H / 2**shift_y), ceil(W / 2**shift_x)], uint8, writable: those that
        `original` was decoded from.
    original, edited: RGB uint8 [H, W, 3].
    box: holds every pixel that differs; it is widened to whole chroma blocks.
    shift: log2 of the chroma subsampling (x, y).

    Where edited is original the bytes stay. Elsewhere luma is exact to 1 level within its range, and
    chroma to 1 level of its block's mean.
    """
    box = _whole_blocks(box, edited.shape[1], edited.shape[0], shift)
    if box.x0 >= box.x1 or box.y0 >= box.y1:
        return
    inside = np.s_[box.y0 : box.y1, box.x0 : box.x1]
    before, after = original[inside], edited[inside]
    change_rgb = cv2.subtract(after, before, dtype=cv2.CV_32F)
    change = np.asarray(cv2.transform(change_rgb, spec.yuv_from_rgb[:, :3]), np.float32)
    change = change.reshape(*after.shape)
    luma = planes[0][inside]
    luma_change = np.ascontiguousarray(change[..., 0])
    _drop_clipped_excess(luma_change, luma, before, spec)
    luma[...] = _sum_u8(luma, luma_change)
    means = block_mean(np.ascontiguousarray(change[..., 1:]), *shift)
    shift_x, shift_y = shift
    for index, plane in enumerate(planes[1:]):
        top, left = box.y0 >> shift_y, box.x0 >> shift_x
        part = plane[top : top + means.shape[0], left : left + means.shape[1]]
        part[...] = _sum_u8(part, np.ascontiguousarray(means[..., index], np.float32))


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


def _drop_clipped_excess(
    change: np.ndarray[tuple[int, ...], np.dtype[np.float32]], luma: U8, rgb: U8, spec: YuvSpec
) -> None:
    expected = np.asarray(cv2.transform(rgb, spec.yuv_from_rgb[:1]), np.uint8).reshape(luma.shape)
    excess = np.asarray(cv2.subtract(luma, expected, dtype=cv2.CV_32F)).reshape(luma.shape)
    clipped = (np.abs(excess) > _LUMA_SLACK) & (change != 0.0)
    if clipped.any():
        change[clipped] -= excess[clipped] - np.clip(excess[clipped], -_LUMA_SLACK, _LUMA_SLACK)


def _sum_u8(samples: U8, change: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> U8:
    # OpenCV adds in float32, rounds to nearest and saturates: adding 0.0 is exact.
    added = cv2.add(np.ascontiguousarray(samples), change, dtype=cv2.CV_8U)
    return np.asarray(added, np.uint8).reshape(samples.shape)
