"""Launchers of the picture kernels: they check sizes and compute extents. Called by `gpu.graph`.

All arrays lie on the device, batch first; the parameter blocks are explained in the .cu files. ValueError for
an array of the wrong type or size. Nothing waits, and everything can be captured.
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
CARRY_BLOCK = 256

# Blocks that go through all tiles in strides: a graph freezes their number, and only the device knows how
# large the picture or the box is. As many as a usual face needs, in tiles of 64 x 16 and 128 x 16 pixels.
YUV_BLOCKS = 256
EDIT_BLOCKS = 128


def crop(stream: Stream, parameters: DeviceArray, source: DeviceArray, pixels: DeviceArray) -> None:
    """Affine crops of the pictures in `source` (uint8, any shape) into a network's input.

    Args:
        parameters: CROP [B].
        pixels: float32 [B, 3, side_y, side_x], written.
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

    Args:
        parameters: POINTS [B].
        landmarks: float32 [B, N, 3].
        presence: float32 [B].
        points_px: float32 [B, N, 3], written; zeros where a landmark is not finite.
        present: float32 [B], written; 0 or 1.
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
    arguments = (parameters, landmarks, presence, points_px, present, np.int32(count))
    stream.launch("points", (1, 1, batch), (POINTS_BLOCK, 1, 1), *arguments)


def rgb_from_yuv(stream: Stream, parameters: DeviceArray, yuv: DeviceArray, rgb: DeviceArray) -> None:
    """8-bit 4:2:0 pictures to RGB, both uint8 of any shape. parameters: YUV [B]."""
    batch = batch_of(parameters, blocks.YUV)
    check_memory("yuv", yuv, np.uint8)
    check_memory("rgb", rgb, np.uint8)
    grid, block = (YUV_BLOCKS, 1, batch), (YUV_BLOCK_X, YUV_BLOCK_Y, 1)
    stream.launch("rgb_from_yuv", grid, block, parameters, yuv, rgb)


def add_edit(
    stream: Stream,
    parameters: DeviceArray,
    reports: DeviceArray,
    before: DeviceArray,
    after: DeviceArray,
    planes: DeviceArray,
    changed: DeviceArray,
) -> None:
    """The changed boxes as 4:2:0: the source's planes plus what the warp changed in RGB. Pictures are uint8.

    Args:
        parameters: ADD_EDIT [B].
        reports: REPORT [B].
        before: the regions in RGB.
        after: the boxes in RGB, of `Warp.resample`.
        planes: the regions' planes.
        changed: written; on the device or mapped.
    """
    batch = batch_of(parameters, blocks.ADD_EDIT)
    check_memory("reports", reports, blocks.REPORT, (batch,))
    for name, array in (("before", before), ("after", after), ("planes", planes), ("changed", changed)):
        check_memory(name, array, np.uint8)
    grid, block = (EDIT_BLOCKS, 1, batch), (EDIT_BLOCK_X, EDIT_BLOCK_Y, 1)
    stream.launch("add_edit", grid, block, parameters, reports, before, after, planes, changed)


def carry_out(stream: Stream, parameters: DeviceArray, table: DeviceArray, state: DeviceArray) -> None:
    """state[b] = table[from of b]. parameters: CARRY [B]. table: float32 [R, S]. state: float32 [B, S]."""
    _carry(stream, "carry_out", parameters, state, (table, state))


def carry_back(stream: Stream, parameters: DeviceArray, state: DeviceArray, table: DeviceArray) -> None:
    """table[to of b] = state[b]; as `carry_out`. No two of a batch may name one row."""
    _carry(stream, "carry_back", parameters, state, (state, table))


def _carry(
    stream: Stream,
    kernel: str,
    parameters: DeviceArray,
    state: DeviceArray,
    order: tuple[DeviceArray, DeviceArray],
) -> None:
    batch, size = batch_of(parameters, blocks.CARRY), state.shape[-1]
    for array in order:
        check_memory("state and table", array, np.float32, (array.shape[0], size))
    if state.shape[0] != batch:
        raise _wrong("state", state, f"[{batch}, {size}]")
    grid = (whole(size, CARRY_BLOCK), 1, batch)
    stream.launch(kernel, grid, (CARRY_BLOCK, 1, 1), parameters, *order, np.int32(size))


def whole(size: int, part: int) -> int:
    """How many parts hold `size`."""
    return -(-size // part)


def batch_of(parameters: DeviceArray, dtype: np.dtype[Any]) -> int:
    """The number of parameter blocks."""
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
