"""Irises of the CPU renderer, completed where the edit opens the lids: `kernels.cpu.iris` on a surface."""

from __future__ import annotations

import numpy as np

from rtfilter.face.deform import Displacement
from rtfilter.kernels.cpu.iris import IRIS_NUMBERS, measure_irises
from rtfilter.kernels.topology import Opening
from rtfilter.render.room import iris_share
from rtfilter.render.surface import Surface
from rtfilter.system.arrays import Box


def complete_irises(
    surface: Surface, box: Box, displacement: Displacement, eyes: tuple[Opening, ...], band_iod: float
) -> None:
    """Paint what the lids uncover of irises into a surface whose `box` has been painted.

    Afterwards, by one thread: mixed twice, a pixel that both of the warp's threads paint would be another.
    """
    if not eyes:
        return
    records = np.empty((len(eyes), IRIS_NUMBERS), np.float32)
    loops = tuple((eye.above, eye.rim) for eye in eyes)
    how = (displacement.points_px, displacement.offset_px, band_iod * displacement.iod_px, loops)
    measure_irises(surface.rgbx, surface.reach.x0, surface.reach.y0, *how, records)
    for record in records:
        if displacement.room is not None and record[9] > 0.0:
            record[9] *= iris_share(record, displacement.room)
        if record[9] > 0.0:
            surface.complete(record, box)
