"""The last part of a batch's graph: from displaced landmarks to changed boxes in the pictures' own format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import numpy as np

from rtfilter.kernels import launch
from rtfilter.kernels.device import Device, DeviceArray, Stream
from rtfilter.render.cuda import CudaRenderer


class PaintMemory(NamedTuple):
    """parameters: blocks [B] by name. regions: uint8, what was uploaded. shown: see `CudaRenderer.record`.
    changed: uint8, written: the changed boxes, on the device or mapped."""

    parameters: Mapping[str, DeviceArray]
    regions: DeviceArray
    shown: tuple[DeviceArray, DeviceArray, DeviceArray]
    changed: DeviceArray


class Paint(Protocol):
    def queue(self, stream: Stream) -> None:
        """Queue all of it; it can be captured."""
        ...


class PaintRgb:
    """Of regions in RGB."""

    def __init__(self, renderer: CudaRenderer, memory: PaintMemory) -> None:
        self._renderer, self._memory = renderer, memory

    def queue(self, stream: Stream) -> None:
        """See `Paint`."""
        up, regions, shown, changed = self._memory
        self._renderer.record(stream, shown, regions, up["soften"], up["resample"], changed)


class PaintPlanes:
    """Of regions in 4:2:0: what is seen of them in RGB is warped, and the difference added to the planes. The
    RGB of both stays on the device: `size` bytes each."""

    def __init__(self, device: Device, renderer: CudaRenderer, memory: PaintMemory, size: int) -> None:
        self._renderer, self._memory = renderer, memory
        self._before, self._after = device.empty(size, np.uint8), device.empty(size, np.uint8)

    def queue(self, stream: Stream) -> None:
        """See `Paint`."""
        up, regions, shown, changed = self._memory
        launch.rgb_from_yuv(stream, up["yuv"], regions, self._before)
        self._renderer.record(stream, shown, self._before, up["soften"], up["resample"], self._after)
        painted = (self._before, self._after, regions, changed)
        launch.add_edit(stream, up["edit"], self._renderer.reports, *painted)
