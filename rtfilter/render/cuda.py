"""The device's renderer: displacements and regions of pictures in, changed boxes out.

The counterpart of `CpuRenderer`, for a batch of faces on any `kernels.device.Device`. What it queues can be
captured into a graph; nothing of it waits.
"""

from __future__ import annotations

from copy import copy

import numpy as np
import numpy.typing as npt

from rtfilter.kernels.device import Device, DeviceArray, Stream
from rtfilter.kernels.warp import Warp
from rtfilter.render.mesh import RingedMesh
from rtfilter.system.arrays import Box


class CudaRenderer:
    """Renders a batch of faces; its memory is the device's, about 7 MiB a face."""

    def __init__(self, device: Device, stream: Stream, mesh: RingedMesh, batch: int = 1) -> None:
        self._warp = Warp(device, stream, mesh.topology(), batch)

    def for_fewer(self, batch: int) -> CudaRenderer:
        """One for a smaller batch, in the same memory: only one of them may be at work at a time."""
        fewer = copy(self)
        fewer._warp = self._warp.for_fewer(batch)
        return fewer

    @property
    def reports(self) -> DeviceArray:
        """`blocks.REPORT` [B]: what was changed; see `changed_box`."""
        return self._warp.reports

    def record(
        self,
        stream: Stream,
        shown: tuple[DeviceArray, DeviceArray, DeviceArray],
        source: DeviceArray,
        soften: DeviceArray,
        resample: DeviceArray,
        changed: DeviceArray,
    ) -> None:
        """Queue all of it.

        shown: points_px float32 [B, 478, 3], offset_px float32 [B, 478, 2] and iod_px float32 [B], as the
        fields of `Displacement`; a displacement that is shorter than can be seen, zero too, changes nothing.
        source: uint8, the regions. soften, resample: blocks, [B], filled by `set_region`. changed: uint8,
        the boxes, on the device or mapped.
        """
        self._warp.find_flow(stream, *shown, soften)
        self._warp.resample(stream, resample, source, changed)


def set_region(
    soften: npt.NDArray[np.void],
    resample: npt.NDArray[np.void],
    region: Box,
    size: tuple[int, int],
    pitch: int,
    offset: int,
) -> None:
    """Fill one picture's blocks (SOFTEN and RESAMPLE, each a single one).

    region: of the picture, its corner even. size: width and height of the picture. pitch: bytes from row to
    row of the region, and of the changed box. offset: where both begin in their memory, in bytes.
    """
    corner = (region.x0, region.y0, region.x1 - region.x0, region.y1 - region.y0)
    soften["picture_width"], soften["picture_height"] = size
    for name, value in zip(("region_x", "region_y", "region_width", "region_height"), corner, strict=True):
        soften[name] = resample[name] = value
    resample["source_offset"] = resample["changed_offset"] = offset
    resample["source_pitch"] = resample["changed_pitch"] = pitch


def changed_box(report: npt.NDArray[np.void]) -> Box | None:
    """The box of a picture's REPORT: what `changed` holds; None where nothing was changed."""
    box = _box(report, "")
    return box if box.x0 < box.x1 and box.y0 < box.y1 else None


def wanted_box(report: npt.NDArray[np.void]) -> Box | None:
    """The box as it would be, had the region been large enough; None where nothing moves."""
    box = _box(report, "wanted_")
    return box if box.x0 < box.x1 and box.y0 < box.y1 else None


def _box(report: npt.NDArray[np.void], prefix: str) -> Box:
    return Box(*(int(report[prefix + side]) for side in ("x0", "y0", "x1", "y1")))
