"""The device contract as the processor keeps it: order, graphs, memory, mistakes that a GPU would hide."""

from __future__ import annotations

import ctypes
import re
import threading

import numpy as np
import pytest

from rtfilter.errors import GpuError
from rtfilter.kernels import blocks, launch
from tests.host_gpu.device import HostDevice
from tests.kernels.on_host import Bench, block

IDENTITY = np.float32([1, 0, 0, 0, 1, 0])


def points_job(bench: Bench, count: int = 4) -> tuple:
    parameters = block(blocks.POINTS, picture_from_crop=IDENTITY, z_scale=1.0)
    memory = (bench.empty((1, count, 3), np.float32), bench.empty(1, np.float32))
    out = (bench.empty((1, count, 3), np.float32), bench.empty(1, np.float32))
    return bench.put(parameters), *memory, *out


@pytest.mark.parametrize("shape", [(), 5, (0,), (3, 4), (2, 0, 7), (1, 1, 1, 2)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.uint64, blocks.CROP])
def test_memory_is_zero_aligned_and_of_its_shape(shape: int | tuple[int, ...], dtype: np.dtype) -> None:
    device = HostDevice()
    memory = device.empty(shape, dtype)
    assert memory.shape == ((shape,) if isinstance(shape, int) else shape)
    assert memory.dtype == dtype
    assert memory.nbytes == int(np.prod(memory.shape)) * np.dtype(dtype).itemsize
    assert memory.pointer % 256 == 0
    assert not memory.array.view(np.uint8).any() if memory.array.ndim else True
    host, there = device.mapped(shape, dtype)
    assert host.ctypes.data == there.pointer
    assert device.pinned(shape, dtype).shape == memory.shape


@pytest.mark.parametrize(("shape", "dtype"), [(-1, np.uint8), ((2, -3), np.float32), (3, object)])
def test_memory_that_cannot_be_is_refused(shape: int | tuple[int, ...], dtype: type) -> None:
    with pytest.raises(ValueError, match="expected numbers of a shape without negative sides"):
        HostDevice().empty(shape, dtype)


def test_parts_share_memory() -> None:
    device = HostDevice()
    whole = device.empty(64, np.uint8)
    part = whole.part(16, (2, 3), np.float32)
    part.array[...] = 1.0
    assert part.pointer == whole.pointer + 16
    assert whole.array.view(np.float32)[4:10].tolist() == [1.0] * 6
    assert whole.array.view(np.float32).sum() == 6.0
    assert part.part(8, 1, np.int32).array[0] == np.float32(1.0).view(np.int32)


@pytest.mark.parametrize(
    ("offset", "shape", "dtype", "message"),
    [
        (60, 2, np.float32, "bytes 60 to 68 are not within memory of 64 bytes"),
        (-4, 1, np.float32, "not within"),
        (0, 65, np.uint8, "not within"),
        (2, 1, np.float32, "must lie at a multiple of 4"),
        (4, 1, blocks.CROP, "not within"),
    ],
)
def test_parts_that_do_not_fit_are_refused(offset: int, shape: int, dtype: np.dtype, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        HostDevice().empty(64, np.uint8).part(offset, shape, dtype)


def test_nothing_happens_before_it_is_waited_for() -> None:
    bench = Bench()
    host, back = bench.device.pinned(3, np.int32), bench.device.pinned(3, np.int32)
    there = bench.empty(3, np.int32)
    host[:] = 1, 2, 3
    bench.stream.upload(there, host)
    bench.stream.download(back, there)
    assert not back.any()
    host[:] = 4, 5, 6  # too early: the copy may or may not have it; here it always has
    bench.stream.wait()
    assert back.tolist() == [4, 5, 6]
    bench.stream.wait()


def test_a_graph_does_it_all_again_with_what_is_there_then() -> None:
    bench, ran = Bench(), []
    parameters, landmarks, presence, points, present = points_job(bench)
    given, found = bench.device.pinned((1, 4, 3), np.float32), bench.device.pinned((1, 4, 3), np.float32)

    def record() -> None:
        bench.stream.upload(landmarks, given)
        launch.points(bench.stream, parameters, landmarks, presence, points, present)
        bench.stream.call(lambda: ran.append(1))
        bench.stream.download(found, points)

    graph = bench.stream.capture(record)
    bench.stream.wait()
    assert not ran, "recording runs nothing"
    for value in (1.5, -2.0):
        given[...] = value
        graph.launch()
        bench.stream.wait()
        assert (found == value).all()
    graph.launch()
    graph.launch()
    bench.stream.wait()
    assert len(ran) == 4


@pytest.mark.parametrize("what", ["empty", "pinned", "mapped", "wait", "mark", "capture"])
def test_what_a_recording_cannot_hold_is_refused(what: str) -> None:
    bench = Bench()
    forbidden = {
        "empty": lambda: bench.device.empty(4, np.uint8),
        "pinned": lambda: bench.device.pinned(4, np.uint8),
        "mapped": lambda: bench.device.mapped(4, np.uint8),
        "wait": bench.stream.wait,
        "mark": bench.stream.mark,
        "capture": lambda: bench.stream.capture(lambda: None),
    }
    with pytest.raises(ValueError, match="not possible while a graph is being recorded"):
        bench.stream.capture(forbidden[what])
    forbidden[what]()  # and is possible again


def test_others_may_make_memory_while_one_records() -> None:
    bench, made = Bench(), []
    other = threading.Thread(target=lambda: made.append(bench.device.empty(4, np.uint8)))

    def record() -> None:
        other.start()
        other.join()

    bench.stream.capture(record)
    assert len(made) == 1


def test_marks_tell_the_time_between() -> None:
    stream = Bench().stream
    first, last = stream.mark(), stream.mark()
    with pytest.raises(ValueError, match="wait"):
        last.since_ms(first)
    stream.wait()
    assert 0.0 <= last.since_ms(first) < 1000.0


@pytest.mark.parametrize(
    ("host", "there"),
    [
        (np.zeros(4, np.int32), (4, np.float32)),
        (np.zeros(4, np.int32), (5, np.int32)),
        (np.zeros((4, 4), np.int32)[:, :2], (8, np.int32)),
    ],
    ids=["type", "size", "not in one piece"],
)
def test_copies_that_do_not_fit_are_refused(host: np.ndarray, there: tuple) -> None:
    bench = Bench()
    with pytest.raises(ValueError, match="a copy needs the same type and size in one piece"):
        bench.stream.upload(bench.empty(*there), host)


def test_copies_of_memory_that_is_not_pinned_are_refused() -> None:
    bench = Bench()
    there, pinned = bench.empty(4, np.int32), bench.device.pinned(16, np.int32)
    bench.stream.upload(there, pinned[4:8])
    for host in (np.zeros(4, np.int32), np.zeros(4, np.int32)):
        with pytest.raises(ValueError, match=re.escape("int32 [4] is not memory of Device.pinned or mapped")):
            bench.stream.download(host, there)
    mapped, side = bench.device.mapped(4, np.int32)
    bench.stream.upload(side, mapped)
    for _ in range(200):  # what is let go is given out again, at the same place
        again = bench.device.pinned(int(np.random.default_rng(_).integers(1, 9)) * 4, np.int32)
        bench.stream.upload(there, again[:4])
    bench.stream.wait()


class Parameters(ctypes.Structure):
    _fields_ = (("a", ctypes.c_int),)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), r"expected arguments of \[8, 8, 8, 8, 8, 4\] bytes, got \[\]"),
        ((np.int32(1),) * 6, r"got \[4, 4, 4, 4, 4, 4\]"),
        ((Parameters(),) * 5 + (np.float64(1),), r"got \[4, 4, 4, 4, 4, 8\]"),
        ((1, 2, 3, 4, 5, 6), "NumPy scalars and parameter blocks, got int"),
    ],
)
def test_wrong_arguments_are_refused(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Bench().stream.launch("points", (1, 1, 1), (256, 1, 1), *arguments)


@pytest.mark.parametrize(
    ("grid", "threads"),
    [((0, 1, 1), (1, 1, 1)), ((1, 1, 1), (1025, 1, 1)), ((1, 65536, 1), (1, 1, 1)), ((1, 1, 1), (1, -1, 1))],
)
def test_extents_that_no_gpu_takes_are_refused(grid: tuple, threads: tuple) -> None:
    with pytest.raises(ValueError, match="kernel points: cannot launch"):
        Bench().stream.launch("points", grid, threads)


def test_an_unknown_kernel_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no kernel 'crpo': known are add_edit, carry_out"):
        Bench().stream.launch("crpo", (1, 1, 1), (1, 1, 1))


def test_a_kernel_that_writes_outside_is_caught() -> None:
    bench = Bench()
    parameters, landmarks, presence, points, present = points_job(bench, 8)
    short = points.part(0, (1, 8, 3), np.float32)
    tight = bench.empty((1, 6, 3), np.float32)
    bench.stream.launch(
        "points", (1, 1, 1), (256, 1, 1), parameters, landmarks, presence, tight, present, np.int32(8)
    )
    with pytest.raises(GpuError, match=r"written outside the device memory float32 \[1, 6, 3\]"):
        bench.stream.wait()
    launch.points(bench.stream, parameters, landmarks, presence, short, present)
    bench.stream.wait()


def test_a_closed_device_does_nothing_more() -> None:
    bench = Bench()
    memory = bench.empty(4, np.uint8)
    bench.device.close()
    bench.device.close()
    for use in (lambda: bench.device.empty(4, np.uint8), bench.device.stream, bench.stream.mark):
        with pytest.raises(ValueError, match="this device is closed"):
            use()
    assert memory.nbytes == 4
