"""Which landmarks keep their edit as a graph: `rtfilter.face.visibility` for a batch.

Called by `expression.graph`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPE_COUNT
from rtfilter.engines.expression.values import Value
from rtfilter.face.landmarks import LANDMARK_COUNT
from rtfilter.face.visibility import NODES_X, NODES_Y, STEP_X, STEP_Y, Visibility, part_weights


def kept(visibility: Visibility, view: Value, parts: Value) -> tuple[Value, Value]:
    """Shares of the edit that are kept, 0..1: by each landmark, [B, 478], and by each coefficient, in the
    skin's maps, [B, 52].

    view: [B, 6], the first two rows of the rotation. parts: [B, P].
    """
    away = view.columns([1, 2]) * view.columns([5, 3]) - view.columns([2, 0]) * view.columns([4, 5])
    across = _hats(away.part(0, 1), STEP_X, NODES_X).reshape(-1, len(NODES_X), 1)
    along = _hats(away.part(1, 2), STEP_Y, NODES_Y).reshape(-1, 1, len(NODES_Y))
    hidden = (across * along).reshape(-1, len(visibility.table)) @ (1.0 - visibility.table)
    covering = np.concatenate([part_weights(), visibility.coefficient_parts]).T
    free, coefficients = (1.0 - (1.0 - parts) @ covering).split(LANDMARK_COUNT, BLENDSHAPE_COUNT)
    return (1.0 - hidden) * free, coefficients


def _hats(value: Value, step: float, nodes: npt.NDArray[np.int64]) -> Value:
    """The weights of the nodes on both sides of `value` [B, 1], [B, K]."""
    place = (value * (1.0 / step)).clip(float(nodes[0]), float(nodes[-1]))
    return (1.0 - (place - nodes[None].astype(np.float64)).function("Abs")).at_least(0.0)
