"""Checks of shapes, copies and arguments, for every `Device`."""

from __future__ import annotations

import ctypes
import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
import numpy.typing as npt

from rtfilter.kernels.device import Argument, DeviceArray, HostArray, Shape

# Held while GPU memory is made or freed, and while a library records in CUDA's strictest mode, as ONNX
# Runtime does: in that mode CUDA refuses such calls of any thread, and ends the recording.
unsafe_in_capture = threading.RLock()

# A thread records on one stream at a time; other threads may go on making memory.
_capturing: ContextVar[bool] = ContextVar("rtfilter_capturing", default=False)


@contextmanager
def capturing() -> Iterator[None]:
    """Inside, `check_no_capture` refuses. ValueError where this thread is recording already."""
    check_no_capture("recording")
    token = _capturing.set(True)
    try:
        yield
    finally:
        _capturing.reset(token)


def check_no_capture(what: str) -> None:
    """ValueError while this thread records a graph."""
    if _capturing.get():
        raise ValueError(f"{what} is not possible while a graph is being recorded: do it before")


def size_of(shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
    """Bytes."""
    return math.prod(shape) * dtype.itemsize


def checked_shape(shape: Shape, dtype: npt.DTypeLike) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and dtype in one form. ValueError for a negative side or Python objects."""
    dims, kind = (shape,) if isinstance(shape, int) else tuple(int(side) for side in shape), np.dtype(dtype)
    if min(dims, default=1) < 0 or kind.hasobject:
        raise ValueError(f"expected numbers of a shape without negative sides, got {kind} {list(dims)}")
    return dims, kind


def part_of(
    whole: DeviceArray, offset_bytes: int, shape: Shape, dtype: npt.DTypeLike
) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and dtype of `DeviceArray.part`. ValueError unless it lies, aligned, within `whole`."""
    dims, kind = checked_shape(shape, dtype)
    end = offset_bytes + size_of(dims, kind)
    if offset_bytes < 0 or end > whole.nbytes:
        raise ValueError(f"bytes {offset_bytes} to {end} are not within memory of {whole.nbytes} bytes")
    if (whole.pointer + offset_bytes) % kind.alignment:
        raise ValueError(f"offset of {offset_bytes} bytes: {kind} must lie at a multiple of {kind.alignment}")
    return dims, kind


def check_copy(device: DeviceArray, host: HostArray) -> None:
    """ValueError unless the one can be copied to the other byte by byte."""
    if device.dtype != host.dtype or device.nbytes != host.nbytes or not host.flags.c_contiguous:
        raise ValueError(
            "a copy needs the same type and size in one piece, got "
            f"{device.dtype} {list(device.shape)} on the device and {host.dtype} {list(host.shape)}"
            f"{'' if host.flags.c_contiguous else ' (not contiguous)'} on the host"
        )


def packed_arguments(arguments: Sequence[Argument]) -> list[bytes]:
    """The bytes of each argument as a kernel gets them. ValueError for other types."""
    return [_packed(argument) for argument in arguments]


def _packed(argument: Argument) -> bytes:
    if isinstance(argument, np.generic):
        return argument.tobytes()
    if isinstance(argument, ctypes.Structure):
        return bytes(argument)
    pointer = getattr(argument, "pointer", None)
    if isinstance(pointer, int):
        return pointer.to_bytes(8, "little")
    raise ValueError(
        f"a kernel takes device memory, NumPy scalars and parameter blocks, got {type(argument).__name__}"
    )
