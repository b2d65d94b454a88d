"""The places on which the short-range face detector states its boxes.

Source: MediaPipe's SsdAnchorsCalculator with the options of face_detection_short_range (128 px, strides
8, 16, 16, 16, two anchors a layer, fixed size). Layers of one stride share their cells: two grids.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]

INPUT_PX: Final = 128
# Cell size in pixels of the input, and how many anchors lie on the middle of each cell.
GRIDS: Final = ((8, 2), (16, 6))
ANCHOR_COUNT: Final = sum((INPUT_PX // stride) ** 2 * count for stride, count in GRIDS)


@lru_cache(maxsize=1)
def anchors_px() -> F32:
    """Centres [896, 2] (x, y) in pixels of the detector's input, row by row, grid by grid; read-only."""
    grids = []
    for stride, count in GRIDS:
        middles = (np.arange(INPUT_PX // stride) + 0.5) * stride
        y, x = np.meshgrid(middles, middles, indexing="ij")
        grids.append(np.repeat(np.stack([x, y], axis=-1).reshape(-1, 2), count, axis=0))
    anchors: F32 = np.concatenate(grids).astype(np.float32)
    anchors.flags.writeable = False
    return anchors
