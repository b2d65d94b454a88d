"""Surfaces of the CPU renderer: a part of the frame to read, and a copy of all of it to write.

For RGB and for YUV planes. `render.cpu` makes them while the tracker runs, before it is known what will move.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from rtfilter.frame import Frame
from rtfilter.kernels.cpu.add_edit import add_edit_rows, paint_planes_shared
from rtfilter.kernels.cpu.iris_paint import iris_extent, paint_iris
from rtfilter.kernels.cpu.resample import MARGIN_PX, resample_shared
from rtfilter.planes import Planes
from rtfilter.system.arrays import U8, Box
from rtfilter.system.buffers import Allocate, fresh

F32 = npt.NDArray[np.float32]
I32 = npt.NDArray[np.int32]

STILL_PX = 1 / 24  # a shorter shift changes no pixel visibly, and costs as much


@dataclass(frozen=True, slots=True)
class Warp:
    """flow: backward flow on the grid. origin: its corner and cell. weights, lanes: of the filter. gain: on
    the grid too, or [0, 0]; colour, quiet: of it, see `resample_rows`."""

    flow: F32
    origin: F32
    weights: F32
    lanes: F32
    gain: F32
    colour: F32
    quiet: float

    @property
    def arguments(self) -> tuple[F32, F32, F32, F32, float, F32, F32, float]:
        """flow to quiet of `resample_rows`."""
        gain = (self.gain, self.colour, self.quiet)
        return self.flow, self.origin, self.weights, self.lanes, STILL_PX, *gain


class RgbSurface:
    """The surface of an RGB picture. painted: the copy; reach: the part of it that is prepared, as `rgbx`."""

    def __init__(self, rgb: U8, reach: Box, empty: Allocate = fresh, painted: U8 | None = None) -> None:
        self.reach, self._rgb, self._empty = reach, rgb, empty
        self.rgbx = _with_margin(rgb[reach.y0 : reach.y1, reach.x0 : reach.x1], empty)
        self.painted = _copy(rgb, empty) if painted is None else painted

    def beside(self, reach: Box) -> RgbSurface:
        """Another reach of the picture, on the same copy."""
        return RgbSurface(self._rgb, reach, self._empty, self.painted)

    def paint(self, warp: Warp, box: Box, progress: I32, from_top: bool) -> bool:
        """Paint rows of a box within reach until none is left; see `resample_shared`."""
        bounds = np.array([*box, *self.reach[:2], 0, 0], np.int32)
        how = (bounds, self.painted, progress, from_top)
        return bool(resample_shared(self.rgbx, *warp.arguments, *how))

    def complete(self, record: F32, box: Box) -> None:
        """Complete an iris within a painted box; record: of `measure_iris`."""
        paint_iris(record, self.painted, 0, 0, iris_extent(record, np.array(box, np.int32)))


class PlanesSurface:
    """The surface of YUV planes: only the reach is converted, and its changes are added to the planes."""

    def __init__(
        self, planes: Planes, reach: Box, empty: Allocate = fresh, painted: Planes | None = None
    ) -> None:
        self.reach, self._planes, self._empty = reach, planes, empty
        self._part = part = planes.around(reach, empty)
        self._corner = part.corner
        left, top = reach.x0 - part.corner[0], reach.y0 - part.corner[1]
        inside = part.rgb[top : top + reach.y1 - reach.y0, left : left + reach.x1 - reach.x0]
        self.rgbx = _with_margin(inside, empty)
        self.painted = planes.copy(empty) if painted is None else painted
        self._matrix = planes.spec.yuv_from_rgb.astype(np.float32)

    def beside(self, reach: Box) -> PlanesSurface:
        """As `RgbSurface.beside`."""
        return PlanesSurface(self._planes, reach, self._empty, self.painted)

    def paint(self, warp: Warp, box: Box, progress: I32, from_top: bool) -> bool:
        """As `RgbSurface.paint`."""
        bounds = np.array([*box, *self.reach[:2], *self._corner], np.int32)
        part, out = self._part, self.painted
        picture = ((part.luma, part.cb, part.cr), part.rgb, self._matrix)
        written = (out.shift, (out.luma, out.cb, out.cr))
        how = (bounds, *picture, *written, progress, from_top)
        return bool(paint_planes_shared(self.rgbx, *warp.arguments, *how))

    def complete(self, record: F32, box: Box) -> None:
        """As `RgbSurface.complete`."""
        part, out = self._part, self.painted
        extent = iris_extent(record, np.array(box, np.int32))
        if extent[0] >= extent[2] or extent[1] >= extent[3]:
            return
        paint_iris(record, part.rgb, *self._corner, extent)
        bounds = np.array([*extent, *self.reach[:2], *self._corner], np.int32)
        before = self.rgbx.view(np.uint32)
        add_edit_rows(
            *(part.luma, part.cb, part.cr, before, part.rgb, self._matrix, out.shift, bounds),
            *(out.luma, out.cb, out.cr, int(extent[1]), int(extent[3])),
        )


Surface = RgbSurface | PlanesSurface


def surface_of(frame: Frame, reach: Box, empty: Allocate = fresh) -> Surface:
    """A frame's surface, with `reach` prepared."""
    planes = frame.planes
    return RgbSurface(frame.rgb, reach, empty) if planes is None else PlanesSurface(planes, reach, empty)


def _copy(rgb: U8, empty: Allocate) -> U8:
    copy = empty(*rgb.shape)
    copy[...] = rgb
    return copy


def _with_margin(inside: U8, empty: Allocate) -> U8:
    """uint8 [h, w, 3] with four bytes a pixel and its edges repeated, as uint8 [h, 4 * w]."""
    pad, (height, width) = MARGIN_PX, inside.shape[:2]
    rgbx = empty(height + 2 * pad, width + 2 * pad, 4)
    cv2.cvtColor(inside, cv2.COLOR_RGB2RGBA, dst=rgbx[pad : pad + height, pad : pad + width])
    middle = rgbx[pad : pad + height]
    middle[:, :pad], middle[:, pad + width :] = middle[:, pad, None], middle[:, pad + width - 1, None]
    rgbx[:pad], rgbx[pad + height :] = rgbx[pad], rgbx[pad + height - 1]
    return rgbx.reshape(height + 2 * pad, -1)
