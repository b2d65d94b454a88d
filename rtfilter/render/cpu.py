"""The CPU renderer: displacement and frame to frame; pixels that do not move stay as they are.

Called by `filter` and by the demo.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rtfilter.face.deform import Displacement
from rtfilter.face.skin import GAIN_MAX, SkinMaps
from rtfilter.face.uv import skin_uv
from rtfilter.frame import Frame
from rtfilter.kernels.cpu import rasterise, resample
from rtfilter.kernels.cpu.extend import place_on_grid
from rtfilter.kernels.cpu.gain import changed_extent, soften_gain
from rtfilter.kernels.cpu.two_workers import first_progress
from rtfilter.render.gain import SkinGain
from rtfilter.render.irises import complete_irises
from rtfilter.render.mesh import RingedMesh
from rtfilter.render.openings import BAND_IOD
from rtfilter.render.painting import Painter, Painting
from rtfilter.render.room import limit, within_room
from rtfilter.render.surface import STILL_PX, Warp
from rtfilter.render.warm_up import displaced_face, pictures
from rtfilter.system.arrays import Box
from rtfilter.system.helper import HelperThread

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]

CELLS_PER_IOD = 48  # one grid cell is about 1.9 mm of face, whatever the resolution
GRID_MAX = 512
SKINS_MAX = 8  # whose maps are kept ready
# A face larger than this carries no detail at the scale of single pixels (lens, compression), so that four
# filter taps keep its sharpness as six do, at a third of the cost.
LARGE_IOD_PX = 130.0


class Field(NamedTuple):
    """What a displacement does, on a grid of cells.

    flow: float32 [gh, gw, 2], backward, in pixels. gain: float32 [gh, gw], what is added to the skin's
    brightness as a share of it; or [0, 0]. origin: float32 [3], the grid's corner and the size of a cell, in
    pixels.
    """

    flow: F32
    gain: F32
    origin: F32


class CpuRenderer:
    """Renders on two threads; one instance serves one stream.

    skin: the maps that `Displacement.skin_weights` weigh; `use_skin` swaps them between frames.
    """

    def __init__(self, mesh: RingedMesh, skin: SkinMaps | None = None) -> None:
        self._mesh, self._eyes = mesh, mesh.eyes
        self.use_skin(skin or SkinMaps.none())
        weights = {taps: resample.filter_weights(taps) for taps in (4, 6)}
        self._filters = {taps: (weights[taps], resample.lane_weights(weights[taps])) for taps in weights}
        self._helper = HelperThread("rtfilter-render")
        self._memory = _Grids.of(160 * 128)
        self._painter = Painter(self._helper)

    def close(self) -> None:
        self._helper.close()

    def use_skin(self, skin: SkinMaps) -> None:
        """Paint these maps from now on, where a displacement has none of its own."""
        self._skin, self._gains = skin, {skin: SkinGain(skin, skin_uv())}

    def warm_up(self) -> None:
        """Compile (or load from Numba's cache) every kernel, so that the first frame does not wait."""
        face = displaced_face()
        for frame in pictures():
            self.render(frame, face)
        self.field(face, lit=False)

    def render(self, frame: Frame, displacement: Displacement) -> Frame:
        """`frame` with the face moved and lit; the same array where nothing changes."""
        return self.render_all(frame, (displacement,))

    def render_all(self, frame: Frame, displacements: Sequence[Displacement]) -> Frame:
        """As `render`, of several faces, the nearest last; their order decides nothing but rounding."""
        painting = self._painter.begin(frame)
        for displacement in displacements:
            self._paint(displacement, painting)
        return self._painter.end(painting)

    def prepare(self, frame: Frame) -> None:
        """Copy the frame that is rendered next, and convert the planes it needs, while the tracker runs."""
        self._painter.prepare(frame)

    def _paint(self, displacement: Displacement, painting: Painting) -> None:
        displacement = within_room(displacement, _cell_of(displacement))
        gain = self._gain_of(displacement)
        lit = gain.take(displacement)
        if not lit and float(np.abs(displacement.offset_px).max(initial=0.0)) < STILL_PX:
            return
        field = self._field(displacement, gain, lit)
        box = _changed_box(field, gain.quiet, *painting.size)
        if box is None:
            return
        filters = self._filters[4 if displacement.iod_px > LARGE_IOD_PX else 6]
        warp = Warp(field.flow, field.origin, *filters, field.gain, gain.colour, gain.quiet)
        progress = first_progress(box.y0, box.y1)
        with painting.of(box) as surface:
            self._helper.step_aside()
            below = self._helper.submit(surface.paint, warp, box, progress, False)
            # A helper that has not started by then finds nothing left to do.
            if not surface.paint(warp, box, progress, True):
                below.result()
            complete_irises(surface, box, displacement, self._eyes, BAND_IOD)

    def _gain_of(self, displacement: Displacement) -> SkinGain:
        """The gain of the maps that a displacement weighs."""
        skin = displacement.skin or self._skin
        if skin not in self._gains:
            if len(self._gains) >= SKINS_MAX:  # of people who left
                self._gains = {self._skin: self._gains[self._skin]}
            self._gains[skin] = SkinGain(skin, skin_uv())
        return self._gains[skin]

    def field(self, displacement: Displacement, lit: bool = False) -> Field:
        """What a displacement does; with its gain if `lit`. The next call writes into the same memory."""
        skin = self._gain_of(displacement)
        return self._field(displacement, skin, skin.take(displacement) and lit)

    def _field(self, displacement: Displacement, skin: SkinGain, lit: bool) -> Field:
        """`field`, of a displacement whose gain was taken."""
        vertices, offsets = self._mesh.extend(displacement)
        origin, rows, columns = place_on_grid(vertices, offsets, _cell_of(displacement), GRID_MAX)
        if self._memory.cells < rows * columns:
            self._memory = _Grids.of(rows * columns * 5 // 4)
        flow, soft, depth, log_gain = self._memory.numbers(rows, columns)
        label = self._memory.labels[: rows * columns].reshape(rows, columns)
        drawn = (vertices, offsets, self._mesh.triangles, self._mesh.labels, flow, label, depth)
        gain = _NO_GAIN
        if lit:
            skin.add_up()
            rasterise.rasterise_lit(*drawn, log_gain, skin.uv, skin.light, skin.texture)
            gain = depth  # which is of no more use
            soften_gain(log_gain, label, GAIN_MAX, gain)
        else:
            rasterise.rasterise_flow(*drawn, _NOTHING_SHOWN)
        rasterise.soften_flow(flow, label, soft)
        field = Field(soft, gain, origin.astype(np.float32))
        if displacement.room is not None:
            limit(*field, displacement.room)
        return field


def _cell_of(displacement: Displacement) -> float:
    return max(1.0, displacement.iod_px / CELLS_PER_IOD)


_NO_GAIN = np.zeros((0, 0), np.float32)
_NOTHING_SHOWN = np.zeros((0, 0), np.int32)


@dataclass
class _Grids:
    """Memory of the grids, reused by every frame: fresh pages cost as much as filling them."""

    cells: int
    floats: F32
    labels: U8

    @classmethod
    def of(cls, cells: int) -> _Grids:
        return cls(cells, np.empty(6 * cells, np.float32), np.empty(cells, np.uint8))

    def numbers(self, rows: int, columns: int) -> tuple[F32, F32, F32, F32]:
        """Two grids of pairs and two of single numbers."""
        cells = rows * columns
        pairs, singles = self.floats[: 4 * cells], self.floats[4 * cells : 6 * cells]
        flow, soft = pairs.reshape(2, rows, columns, 2)
        one, two = singles.reshape(2, rows, columns)
        return flow, soft, one, two


def _changed_box(field: Field, quiet: float, width: int, height: int) -> Box | None:
    """The even-aligned box of pixels that a field can change, within the picture; None without any."""
    left, top, right, bottom = changed_extent(field.flow, field.gain, STILL_PX * 0.7, quiet)
    if right < left:
        return None
    corner_x, corner_y, cell = field.origin.tolist()
    # One cell more on every side: pixels between a changing and a still cell change a little.
    x0 = math.floor(corner_x + (left - 0.5) * cell) & ~1
    y0 = math.floor(corner_y + (top - 0.5) * cell) & ~1
    x1 = (math.ceil(corner_x + (right + 1.5) * cell) + 1) & ~1
    y1 = (math.ceil(corner_y + (bottom + 1.5) * cell) + 1) & ~1
    box = Box(max(x0, 0), max(y0, 0), min(x1, width), min(y1, height))
    return box if box.x0 < box.x1 and box.y0 < box.y1 else None
