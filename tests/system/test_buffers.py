"""Memory that is used again: never while anything refers to it."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from rtfilter.controls import Controls
from rtfilter.filter import FaceFilter
from rtfilter.sources.demo import DemoSource
from rtfilter.system.buffers import SMALL, Buffers

SHAPE = (300, 400, 3)


def places_of(arrays: list[np.ndarray]) -> set[int]:
    return {array.ctypes.data for array in arrays}


def test_the_memory_of_a_dropped_array_is_given_again() -> None:
    empty = Buffers()
    first = empty(*SHAPE)
    address = first.ctypes.data
    assert empty(*SHAPE).ctypes.data != address, "it is still there"
    del first
    again = [empty(*SHAPE) for _ in range(3)]
    assert address in places_of(again)
    before = places_of(again)
    del again
    assert empty(290, 400, 3).ctypes.data in before, "a little less goes into it too"


@pytest.mark.parametrize(
    "kept",
    [
        lambda array: array[5:, 3:, 1],
        lambda array: array.reshape(-1),
        lambda array: array.reshape(-1).view(np.uint32),
        lambda array: memoryview(array),
        lambda array: np.asarray(array).T,
        lambda array: {"in": [array]},
    ],
    ids=["a part", "a row", "words", "a memory view", "turned", "a container"],
)
def test_what_anything_refers_to_is_not_given_again(kept: object) -> None:
    empty = Buffers()
    array = empty(*SHAPE)
    address, still = array.ctypes.data, kept(array)  # type: ignore[operator]
    del array
    assert address not in places_of([empty(*SHAPE) for _ in range(8)])
    del still
    assert address in places_of([empty(*SHAPE) for _ in range(9)])


class Interrupted(list):
    """The arrays that are kept; before one is taken, another thread has time to ask for memory."""

    def __init__(self, empty: Buffers, arrays: list[np.ndarray]) -> None:
        super().__init__(arrays)
        self._empty, self.given = empty, []

    def pop(self, index: int = -1) -> np.ndarray:
        if threading.current_thread() is threading.main_thread():
            self.thread = threading.Thread(target=lambda: self.given.append(self._empty(*SHAPE)))
            self.thread.start()
            self.thread.join(0.2)
        return super().pop(index)


def test_two_threads_never_get_the_same_memory() -> None:
    """The renderer's helper may still be preparing the frame before, in which nothing was to be painted."""
    empty = Buffers()
    free, used = empty(*SHAPE), empty(*SHAPE)
    empty._kept = kept = Interrupted(empty, empty._kept)
    del free
    ours = empty(*SHAPE)
    kept.thread.join(5.0)
    assert len(places_of([used, ours, *kept.given])) == 3


def test_arrays_are_what_was_asked_for_and_few_are_kept() -> None:
    empty = Buffers(most=3)
    arrays = [empty(*SHAPE) for _ in range(9)]
    for number, array in enumerate(arrays):
        assert array.shape == SHAPE
        assert array.flags.c_contiguous
        array[...] = number
    assert [int(array.max()) for array in arrays] == list(range(9))
    assert len(empty._kept) == 3
    assert empty(2 * SMALL, 3).shape == (2 * SMALL, 3), "of another size"
    assert empty(4, 5).shape == (4, 5)


def test_frames_that_a_caller_keeps_keep_their_pixels() -> None:
    """And frames that are dropped do not cost new memory every time."""
    source, controls = DemoSource(640, 360, zoom=2.0), Controls({"happy": 1.0})
    with FaceFilter(lane="cpu", fade_s=0.0) as face_filter:
        shown = [face_filter.step(source.frame(k), controls).frame for k in range(12)]
        before = [frame.rgb.copy() for frame in shown]
        places = [face_filter.step(source.frame(k), controls).frame.rgb.ctypes.data for k in range(12, 24)]
    source.close()
    assert all(np.array_equal(frame.rgb, rgb) for frame, rgb in zip(shown, before, strict=True))
    assert len({frame.rgb.ctypes.data for frame in shown}) == len(shown)
    assert len(set(places)) < 6
