"""Which landmarks keep their edit as a graph: `rtfilter.face.visibility` for a batch.

Called by `expression.graph`.
"""

from __future__ import annotations

import numpy as np

from rtfilter.controls import BLENDSHAPE_COUNT
from rtfilter.engines.expression.values import Value
from rtfilter.face.landmarks import LANDMARK_COUNT
from rtfilter.face.visibility import FACING, FRONTAL, Visibility, part_weights


def kept(visibility: Visibility, view: Value, parts: Value) -> tuple[Value, Value]:
    """Shares of the edit that are kept, 0..1: by each landmark, [B, 478], and by each coefficient, in the
    skin's maps, [B, 52].

    view: [B, 6], the first two rows of the rotation. parts: [B, P].
    """
    away = view.columns([1, 2, 0]) * view.columns([5, 3, 4]) - view.columns([2, 0, 1]) * view.columns(
        [4, 5, 3]
    )
    # Both steps at once: how landmarks face the camera, and, last, how the whole head does.
    axes = np.concatenate([-visibility.normals, [[0.0, 0.0, 1.0]]])
    spans = np.concatenate([np.tile(FACING, (LANDMARK_COUNT, 1)), [FRONTAL[::-1]]])
    reach = spans[:, 1] - spans[:, 0]
    t = (away @ (axes / reach[:, None]).T - (spans[:, 0] / reach)[None]).clip(0.0, 1.0)
    hidden, turned = (1.0 - t * t * (3.0 - t * 2.0)).split(LANDMARK_COUNT, 1)
    covering = np.concatenate([part_weights(), visibility.coefficient_parts]).T
    free, coefficients = (1.0 - (1.0 - parts) @ covering).split(LANDMARK_COUNT, BLENDSHAPE_COUNT)
    return (1.0 - hidden * turned) * free, coefficients
