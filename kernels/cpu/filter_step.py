"""One filtered pixel as LLVM vector code, for filters of four and of six taps. Called by `resample`.

The compiler does not make these vectors by itself. With four colour bytes a pixel, a filter row is one
load of 16 lanes, or one of 16 and one of 8. Measured on one core (Zen 5), with all of `resample_rows`: 3.4 ns
a pixel with four taps and 5.9 with six (AVX2 alone: 7.5); copying 4 bytes takes 0.04.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

LOADED_PIXELS = {4: 4, 6: 6}  # pixels of a row, by taps
# Bytes of a row that one load brings, by taps: first and number, the last group the shortest.
GROUPS = {4: ((0, 16),), 6: ((0, 16), (16, 8))}

_F32, _I8, _I32, _I64 = ir.FloatType(), ir.IntType(8), ir.IntType(32), ir.IntType(64)


def _make_step(taps: int) -> Any:
    lanes = LOADED_PIXELS[taps] * 4

    def step(
        typing_context: Any,
        rgbx: Any,
        start: Any,
        stride: Any,
        row_weights: Any,
        row_phase: Any,
        lane_weights: Any,
        lane_phase: Any,
        out: Any,
        target: Any,
    ) -> Any:
        index = types.intp
        kinds = (rgbx, index, index, row_weights, index, lane_weights, index, out, index)
        return types.void(*kinds), _generator(taps, lanes, lit=False)

    return intrinsic(step)


def _make_lit_step(taps: int) -> Any:
    lanes = LOADED_PIXELS[taps] * 4

    def step(
        typing_context: Any,
        rgbx: Any,
        start: Any,
        stride: Any,
        row_weights: Any,
        row_phase: Any,
        lane_weights: Any,
        lane_phase: Any,
        colour: Any,
        gain: Any,
        out: Any,
        target: Any,
    ) -> Any:
        index = types.intp
        filters = (row_weights, index, lane_weights, index)
        kinds = (rgbx, index, index, *filters, colour, types.float32, out, index)
        return types.void(*kinds), _generator(taps, lanes, lit=True)

    return intrinsic(step)


def _generator(taps: int, lanes: int, lit: bool) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        _, start, stride, _, row_phase, _, lane_phase, *lights, _, target = arguments
        out = len(arguments) - 2
        base = {
            n: context.make_array(signature.args[n])(context, builder, arguments[n]).data
            for n in (0, 3, 5, 7, out)
        }
        first = builder.gep(base[0], [start])
        weight_at = builder.gep(base[3], [builder.mul(row_phase, ir.Constant(_I64, taps))])
        lane_at = builder.gep(base[5], [builder.mul(lane_phase, ir.Constant(_I64, lanes))])
        total = None
        for begin, width in GROUPS[taps]:
            kinds = (ir.VectorType(_I8, width), ir.VectorType(_I32, width), ir.VectorType(_F32, width))
            group = None
            for row in range(taps):
                away = builder.mul(stride, ir.Constant(_I64, row))
                place = builder.gep(first, [builder.add(away, ir.Constant(_I64, begin))])
                loaded = builder.load(builder.bitcast(place, kinds[0].as_pointer()), align=1)
                pixels = builder.sitofp(builder.zext(loaded, kinds[1]), kinds[2])
                weight = builder.load(builder.gep(weight_at, [ir.Constant(_I64, row)]))
                part = builder.fmul(pixels, _splat(builder, weight, width), flags=("fast",))
                group = part if group is None else builder.fadd(part, group, flags=("fast",))
            place = builder.gep(lane_at, [ir.Constant(_I64, begin)])
            across = builder.load(builder.bitcast(place, kinds[2].as_pointer()), align=4)
            group = _halved(builder, builder.fmul(group, across, flags=("fast",)), width, GROUPS[taps][-1][1])
            total = group if total is None else builder.fadd(total, group, flags=("fast",))
        total = _halved(builder, total, GROUPS[taps][-1][1], 4)
        if lit:
            four = ir.VectorType(_F32, 4)
            colour = builder.load(builder.bitcast(base[7], four.as_pointer()), align=4)
            change = builder.fmul(colour, _splat(builder, lights[1], 4), flags=("fast",))
            factor = builder.fadd(change, ir.Constant(four, [1.0] * 4), flags=("fast",))
            total = builder.fmul(total, factor, flags=("fast",))
        for bound, order in ((0.0, ">"), (255.0, "<")):
            limit = ir.Constant(total.type, [bound] * 4)
            total = builder.select(builder.fcmp_ordered(order, total, limit), total, limit)
        rounded = builder.fadd(total, ir.Constant(total.type, [0.5] * 4))
        whole = builder.fptosi(rounded, ir.VectorType(_I32, 4))
        # Three bytes in two stores: the fourth would overwrite the neighbour, which may be still.
        packed = builder.bitcast(builder.trunc(whole, ir.VectorType(_I8, 4)), _I32)
        pixel = builder.gep(base[out], [target])
        two = builder.bitcast(pixel, ir.IntType(16).as_pointer())
        builder.store(builder.trunc(packed, ir.IntType(16)), two, align=1)
        third = builder.trunc(builder.lshr(packed, ir.Constant(_I32, 16)), _I8)
        builder.store(third, builder.gep(pixel, [ir.Constant(_I64, 2)]))
        return context.get_dummy_value()

    return generate


def _halved(builder: Any, total: Any, width: int, to: int) -> Any:
    """A vector's halves added up until it has `to` lanes."""
    while width > to:
        width //= 2
        low, high = list(range(width)), list(range(width, 2 * width))
        total = builder.fadd(_shuffle(builder, total, low), _shuffle(builder, total, high), flags=("fast",))
    return total


def _splat(builder: Any, number: Any, lanes: int) -> Any:
    """A vector of `lanes` times the same number."""
    empty = ir.Constant(ir.VectorType(_F32, lanes), ir.Undefined)
    return _shuffle(builder, builder.insert_element(empty, number, ir.Constant(_I32, 0)), [0] * lanes)


def _shuffle(builder: Any, vector: Any, picks: list[int]) -> Any:
    mask = ir.Constant(ir.VectorType(_I32, len(picks)), picks)
    return builder.shuffle_vector(vector, ir.Constant(vector.type, ir.Undefined), mask)


# filter_step(rgbx, start, stride, row_weights, row_phase, lane_weights, lane_phase, out, target): writes
# `out[target : target + 3]`, the filter at byte `start` of `rgbx`, whose rows are `stride` bytes apart.
# lit_step(.., lane_phase, colour, gain, out, target): times `1 + gain * colour`, a float32 [4].
# All arrays flat; nothing is checked.
filter_step_4, filter_step_6 = _make_step(4), _make_step(6)
lit_step_4, lit_step_6 = _make_lit_step(4), _make_lit_step(6)
