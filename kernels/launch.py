"""Starting each picture kernel: sizes are checked and the launch's extents computed here, and nowhere else.

All arrays lie on the device, batch first; what the parameter blocks hold is explained in the .cu files.
ValueError for an array of the wrong type or size. Nothing waits, and everything can be captured.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from rtfilter.kernels import blocks
from rtfilter.kernels.device import DeviceArray, Stream

# Named alike in the .cu files; tests compare them.
CROP_BLOCK_X, CROP_BLOCK_Y = 32, 8
POINTS_BLOCK = 256
YUV_BLOCK_X, YUV_BLOCK_Y = 32, 8
EDIT_BLOCK_X, EDIT_BLOCK_Y = 32, 8

# Blocks that go through all tiles in strides, because a graph freezes their number and only the device knows
# how large the picture or the box is: as many as a usual face needs, in tiles of 64 x 16 and 128 x 16 pixels.
YUV_BLOCKS = 256
EDIT_BLOCKS = 128


def crop(stream: Stream, parameters: DeviceArray, source: DeviceArray, pixels: DeviceArray) -> None:
    """Affine crops of the pictures in `source` (uint8, any shape) into a network's input.

    parameters: CROP [B]. pixels: float32 [B, 3, side_y, side_x], written.
    """
    batch = batch_of(parameters, blocks.CROP)
    check_memory("source", source, np.uint8)
    if pixels.dtype != np.float32 or len(pixels.shape) != 4 or pixels.shape[:2] != (batch, 3):
        raise _wrong("pixels", pixels, f"float32 [{batch}, 3, side, side]")
    tall, wide = pixels.shape[2:]
    grid = (whole(wide, CROP_BLOCK_X), whole(tall, CROP_BLOCK_Y), batch)
    block = (CROP_BLOCK_X, CROP_BLOCK_Y, 1)
    stream.launch("crop", grid, block, parameters, source, pixels, np.int32(wide), np.int32(tall))


def points(
    stream: Stream,
    parameters: DeviceArray,
    landmarks: DeviceArray,
    presence: DeviceArray,
    points_px: DeviceArray,
    present: DeviceArray,
) -> None:
    """Landmarks in crop pixels to picture pixels, and whether there is a face.

    parameters: POINTS [B]. landmarks: float32 [B, N, 3]. presence: float32 [B]. Written: points_px, float32
    [B, N, 3], zeros where a landmark is not finite; present, float32 [B], 0 or 1.
    """
    batch = batch_of(parameters, blocks.POINTS)
    if len(landmarks.shape) != 3:
        raise _wrong("landmarks", landmarks, f"float32 [{batch}, N, 3]")
    count = landmarks.shape[1]
    for name, array, shape in (
        ("landmarks", landmarks, (batch, count, 3)),
        ("points_px", points_px, (batch, count, 3)),
        ("presence", presence, (batch,)),
        ("present", present, (batch,)),
    ):
        check_memory(name, array, np.float32, shape)
    block = (POINTS_BLOCK, 1, 1)
    arguments = (parameters, landmarks, presence, points_px, present, np.int32(count))
    stream.launch("points", (1, 1, batch), block, *arguments)


def rgb_from_yuv(stream: Stream, parameters: DeviceArray, yuv: DeviceArray, rgb: DeviceArray) -> None:
    """8-bit 4:2:0 pictures to RGB, both uint8 of any shape. parameters: YUV [B], the matrix rgb_from_yuv."""
    _convert(stream, "rgb_from_yuv", parameters, yuv, rgb)


def yuv_from_rgb(stream: Stream, parameters: DeviceArray, rgb: DeviceArray, yuv: DeviceArray) -> None:
    """RGB pictures to 8-bit 4:2:0; as `rgb_from_yuv`, with the matrix yuv_from_rgb."""
    _convert(stream, "yuv_from_rgb", parameters, rgb, yuv)


def add_edit(
    stream: Stream,
    parameters: DeviceArray,
    reports: DeviceArray,
    before: DeviceArray,
    after: DeviceArray,
    planes: DeviceArray,
    changed: DeviceArray,
) -> None:
    """The changed boxes as 4:2:0: the planes they came in, and what was painted in RGB. All uint8.

    parameters: ADD_EDIT [B]. reports: REPORT [B]. before: the regions in RGB. after: the boxes, of
    `Warp.resample`. changed: written, on the device or mapped.
    """
    batch = batch_of(parameters, blocks.ADD_EDIT)
    check_memory("reports", reports, blocks.REPORT, (batch,))
    for name, array in (("before", before), ("after", after), ("planes", planes), ("changed", changed)):
        check_memory(name, array, np.uint8)
    grid, block = (EDIT_BLOCKS, 1, batch), (EDIT_BLOCK_X, EDIT_BLOCK_Y, 1)
    stream.launch("add_edit", grid, block, parameters, reports, before, after, planes, changed)


def _convert(
    stream: Stream,
    kernel: str,
    parameters: DeviceArray,
    source: DeviceArray,
    target: DeviceArray,
) -> None:
    batch = batch_of(parameters, blocks.YUV)
    check_memory("source", source, np.uint8)
    check_memory("target", target, np.uint8)
    grid, block = (YUV_BLOCKS, 1, batch), (YUV_BLOCK_X, YUV_BLOCK_Y, 1)
    stream.launch(kernel, grid, block, parameters, source, target)


def whole(size: int, part: int) -> int:
    return -(-size // part)


def batch_of(parameters: DeviceArray, dtype: np.dtype[Any]) -> int:
    """The batch: how many blocks there are."""
    if parameters.dtype != dtype or len(parameters.shape) != 1 or not parameters.shape[0]:
        raise _wrong("parameters", parameters, f"[B] blocks of {', '.join(dtype.names or ())}")
    return parameters.shape[0]


def check_memory(
    name: str, array: DeviceArray, dtype: npt.DTypeLike, shape: tuple[int, ...] | None = None
) -> None:
    if array.dtype != dtype or (shape is not None and array.shape != shape):
        raise _wrong(name, array, f"{np.dtype(dtype)} {'' if shape is None else list(shape)}".strip())


def _wrong(name: str, array: DeviceArray, expected: str) -> ValueError:
    return ValueError(f"{name}: expected {expected}, got {array.dtype} {list(array.shape)}")
