"""Rows of a picture shared between two threads, which wait for each other without the system. For `resample`.

A thread that the system wakes comes back 0.05 ms later on an idle machine, and milliseconds later on a busy
one. So whoever has no rows left looks, for as long as a few rows take, whether the other is done.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit, types
from numba.extending import intrinsic

from rtfilter.kernels.cpu import CACHE

I32 = npt.NDArray[np.int32]

CHUNK_ROWS = 8  # that a worker claims at a time
# Looks of a worker that waits: 0.2 to 0.4 ms, longer than a chunk of any picture takes.
LOOKS = 400_000
# What the worker from the bottom is doing.
_AWAY, _WORKING, _DONE = 0, 1, 2


def first_progress(top: int, bottom: int) -> I32:
    """What two workers on rows `top` <= y < `bottom` share: the first unclaimed row, the one after the last,
    and what the worker from the bottom is doing."""
    return np.array([top, bottom, _AWAY], np.int32)


@intrinsic
def _fence(typing_context: Any) -> Any:
    """What was written before is seen by the other thread before anything is read after."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(), generate


@intrinsic
def _seen(typing_context: Any, numbers: Any, index: Any) -> Any:
    """A number of an int32 array as it is now, not as it was read before."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        return builder.load_atomic(builder.gep(data, [arguments[1]]), "acquire", 4)

    return types.int32(numbers, types.intp), generate


@njit(cache=CACHE, nogil=True)
def begin(progress: I32, from_top: bool) -> None:
    """Called by each worker before its first `claimed_rows`. progress: of `first_progress`."""
    if not from_top:
        progress[2] = _WORKING
        _fence()


@njit(cache=CACHE, nogil=True)
def claimed_rows(progress: I32, from_top: bool) -> tuple[int, int]:
    """The rows that one of two workers does next, first and end; end <= first when none are left.

    A worker that starts late does less. Both may claim the rows where they meet; they then write the same
    bytes. from_top: whether this worker claims rows from the top.
    """
    start, stop = _seen(progress, 0), _seen(progress, 1)
    if from_top:
        first, last = start, min(start + CHUNK_ROWS, stop)
        if last > first:
            progress[0] = last
    else:
        # A chunk begins with a chroma block, also below a picture's odd last row.
        first, last = max((stop - 1) // CHUNK_ROWS * CHUNK_ROWS, start), stop
        if last > first:
            progress[1] = first
    return first, last


@njit(cache=CACHE, nogil=True)
def finish(progress: I32, from_top: bool) -> bool:
    """Called by each worker after its last rows. Whether all is painted, and the other paints no more.

    False to the worker from the top when the other one is still at work after LOOKS.
    """
    _fence()
    if not from_top:
        progress[2] = _DONE
        return True
    looks = 0
    while looks < LOOKS and _seen(progress, 2) == _WORKING:
        looks += 1
    return looks < LOOKS
