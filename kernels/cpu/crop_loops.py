"""The loops of `crop`, a row in passes: places, bytes under them, values. First and last are vector code.

Planes are addresses, not arrays: Numba compiles anew for each kind of array (contiguous or not,
read-only or not), in the middle of a stream. Nothing is checked here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from rtfilter.kernels.cpu import CACHE

F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]
U32 = npt.NDArray[np.uint32]

# Where a plane lies: address of its first sample, bytes from row to row, columns, rows. Two of each at least,
# for they are read in pairs.
PlaneAt = tuple[int, int, int, int]

# Samples are prefetched so many rows ahead. The rows of a turned square cross those of the picture, which no
# processor predicts: without it such a crop takes up to three times as long out of main memory.
ROWS_AHEAD = 6


def _make_load(count: int) -> Any:
    def load(typing_context: Any, address: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            word = ir.IntType(8 * count)
            found = builder.load(builder.inttoptr(arguments[0], word.as_pointer()), align=1)
            return found if count == 4 else builder.zext(found, ir.IntType(32))

        return types.uint32(types.int64), generate

    return intrinsic(load)


# So many bytes at an address, the first the lowest, as uint32.
_load_2 = _make_load(2)
_load_4 = _make_load(4)


@intrinsic
def _prefetch(typing_context: Any, address: Any) -> Any:
    """Prefetch an address, which need not be valid."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
        prefetch = builder.module.declare_intrinsic("llvm.prefetch", [pointer], kind)
        to_read, to_be_kept, data = number(0), number(3), number(1)
        builder.call(prefetch, [builder.inttoptr(arguments[0], pointer), to_read, to_be_kept, data])
        return context.get_dummy_value()

    return types.void(types.int64), generate


@njit(cache=CACHE, nogil=True)
def rgb_rows(plane: PlaneAt, matrix: F32, out: F32, black: bool, scale: float, bias: float) -> None:
    """See `crop_rgb`. matrix: float32 [6]."""
    side = out.shape[2]
    floats, words = np.empty((5, side), np.float32), np.empty((4, side), np.uint32)
    x, y, inside, right, low = floats[0], floats[1], floats[2], floats[3], floats[4]
    above, above_2, below, below_2 = words[0], words[1], words[2], words[3]
    at = np.empty(side, np.int32)
    one, times, plus = np.float32(1.0), np.float32(scale), np.float32(bias)
    address, pitch, ahead = plane[0], plane[1], _bytes_ahead(matrix, plane, one, one, 3)
    for row in range(out.shape[1]):
        _places(matrix, row, plane, black, x, y, inside)
        _pairs(x, y, one, one, plane, 3, at, right, low)
        for k in range(side):
            # Of two pixels the bytes 0 to 3 and 2 to 5: all of them, and none that lies behind.
            first = address + at[k]
            _prefetch(first + ahead)
            above[k], above_2[k] = _load_4(first), _load_4(first + 2)
            below[k], below_2[k] = _load_4(first + pitch), _load_4(first + pitch + 2)
        red, green, blue = out[0, row], out[1, row], out[2, row]
        for k in range(side):
            a, c, r, b, weight = above[k], below[k], right[k], low[k], inside[k] * times
            red[k] = _mixed(_byte(a, 0), _byte(a, 24), _byte(c, 0), _byte(c, 24), r, b) * weight + plus
            a2, c2 = above_2[k], below_2[k]
            green[k] = _mixed(_byte(a, 8), _byte(a2, 16), _byte(c, 8), _byte(c2, 16), r, b) * weight + plus
            blue[k] = _mixed(_byte(a, 16), _byte(a2, 24), _byte(c, 16), _byte(c2, 24), r, b) * weight + plus


@njit(cache=CACHE, nogil=True)
def yuv_rows(
    luma: PlaneAt,
    cb: PlaneAt,
    cr: PlaneAt,
    share_x: float,
    share_y: float,
    colours: F32,
    matrix: F32,
    out: F32,
    black: bool,
    scale: float,
    bias: float,
) -> None:
    """See `crop_yuv`. share_x, share_y: chroma samples in a pixel. colours: float32 [12]. matrix: [6]."""
    side = out.shape[2]
    floats, words = np.empty((7, side), np.float32), np.empty((3, side), np.uint32)
    x, y, inside, right, low = floats[0], floats[1], floats[2], floats[3], floats[4]
    coarse_right, coarse_low = floats[5], floats[6]
    at = np.empty(side, np.int32)
    one, times, plus = np.float32(1.0), np.float32(scale), np.float32(bias)
    sx, sy = np.float32(share_x), np.float32(share_y)
    ahead = _bytes_ahead(matrix, luma, one, one, 1)
    ahead_cb, ahead_cr = _bytes_ahead(matrix, cb, sx, sy, 1), _bytes_ahead(matrix, cr, sx, sy, 1)
    for row in range(out.shape[1]):
        _places(matrix, row, luma, black, x, y, inside)
        _pairs(x, y, one, one, luma, 1, at, right, low)
        _load_quads(luma, at, ahead, words[0])
        _pairs(x, y, sx, sy, cb, 1, at, coarse_right, coarse_low)
        _load_quads(cb, at, ahead_cb, words[1])
        if cr[1] != cb[1]:
            _pairs(x, y, sx, sy, cr, 1, at, coarse_right, coarse_low)
        _load_quads(cr, at, ahead_cr, words[2])
        red, green, blue = out[0, row], out[1, row], out[2, row]
        for k in range(side):
            r, b, weight = coarse_right[k], coarse_low[k], inside[k]
            ys = _mixed_quad(words[0, k], right[k], low[k])
            us, vs = _mixed_quad(words[1, k], r, b), _mixed_quad(words[2, k], r, b)
            # Outside is black, not the colour of three zeros.
            red[k] = _clipped(weight * _dot(colours, 0, ys, us, vs)) * times + plus
            green[k] = _clipped(weight * _dot(colours, 4, ys, us, vs)) * times + plus
            blue[k] = _clipped(weight * _dot(colours, 8, ys, us, vs)) * times + plus


@njit(cache=CACHE, nogil=True)
def _places(matrix: F32, row: int, plane: PlaneAt, black: bool, x: F32, y: F32, inside: F32) -> None:
    """Where a row's samples lie in the picture, in pixels, and how much of each is not beyond the border."""
    half, one, zero = np.float32(0.5), np.float32(1.0), np.float32(0.0)
    width, height = np.float32(plane[2]), np.float32(plane[3])
    v = np.float32(row) + half
    for k in range(len(x)):
        u = np.float32(k) + half
        x[k] = matrix[0] * u + matrix[1] * v + matrix[2]
        y[k] = matrix[3] * u + matrix[4] * v + matrix[5]
    for k in range(len(x)):
        inside[k] = one
    if black:
        for k in range(len(x)):
            across, down = min(x[k], width - x[k]) + half, min(y[k], height - y[k]) + half
            across, down = across if across > zero else zero, down if down > zero else zero
            inside[k] = min(across, one) * min(down, one)


@njit(cache=CACHE, nogil=True)
def _pairs(
    x: F32,
    y: F32,
    share_x: np.float32,
    share_y: np.float32,
    plane: PlaneAt,
    step: int,
    at: I32,
    right: F32,
    low: F32,
) -> None:
    """For each place the byte of the upper left of four samples, and how much the right and lower weigh.

    x, y: in pixels, of which one is share_x by share_y samples of this plane. Beyond its border a place is as
    if on it; no number is as if zero.
    """
    pitch, apart = np.int32(plane[1]), np.int32(step)
    most_x, most_y = np.float32(plane[2] - 1), np.float32(plane[3] - 1)
    last_x, last_y = np.int32(max(plane[2] - 2, 0)), np.int32(max(plane[3] - 2, 0))
    half, zero = np.float32(0.5), np.float32(0.0)
    for k in range(len(x)):
        across, down = x[k] * share_x - half, y[k] * share_y - half
        across, down = across if across > zero else zero, down if down > zero else zero
        across, down = across if across < most_x else most_x, down if down < most_y else most_y
        j, i = min(np.int32(across), last_x), min(np.int32(down), last_y)
        right[k], low[k] = across - np.float32(j), down - np.float32(i)
        at[k] = np.int32(i * pitch + j * apart)


@njit(cache=CACHE, nogil=True)
def _load_quads(plane: PlaneAt, at: I32, ahead: int, quads: U32) -> None:
    """Four samples each, upper left to lower right."""
    address, pitch = plane[0], plane[1]
    for k in range(len(at)):
        first = address + at[k]
        _prefetch(first + ahead)
        quads[k] = _load_2(first) | (_load_2(first + pitch) << np.uint32(16))


@njit(cache=CACHE, nogil=True)
def _bytes_ahead(matrix: F32, plane: PlaneAt, share_x: np.float32, share_y: np.float32, step: int) -> int:
    """How far from a sample the one lies that is ROWS_AHEAD rows of the crop below."""
    dx, dy = matrix[1] * share_x * ROWS_AHEAD, matrix[4] * share_y * ROWS_AHEAD
    if not (abs(dx) < plane[2] and abs(dy) < plane[3]):
        return 0
    return int(dy) * plane[1] + int(dx) * step


@njit(cache=CACHE, nogil=True)
def _byte(word: np.uint32, low_bit: int) -> np.float32:
    return np.float32(np.int32((word >> np.uint32(low_bit)) & np.uint32(255)))


@njit(cache=CACHE, nogil=True)
def _mixed(
    a: np.float32, b: np.float32, c: np.float32, d: np.float32, right: np.float32, low: np.float32
) -> np.float32:
    """Bilinear: a and b above, c and d below."""
    left, high = np.float32(1.0) - right, np.float32(1.0) - low
    return high * (left * a + right * b) + low * (left * c + right * d)


@njit(cache=CACHE, nogil=True)
def _mixed_quad(quad: np.uint32, right: np.float32, low: np.float32) -> np.float32:
    return np.float32(_mixed(_byte(quad, 0), _byte(quad, 8), _byte(quad, 16), _byte(quad, 24), right, low))


@njit(cache=CACHE, nogil=True)
def _dot(colours: F32, first: int, ys: np.float32, us: np.float32, vs: np.float32) -> np.float32:
    return np.float32(
        colours[first] * ys + colours[first + 1] * us + colours[first + 2] * vs + colours[first + 3]
    )


@njit(cache=CACHE, nogil=True)
def _clipped(value: np.float32) -> np.float32:
    """Into 0..255."""
    zero, most = np.float32(0.0), np.float32(255.0)
    value = value if value > zero else zero
    return value if value < most else most
