"""The change of shading by an edit as a graph: `rtfilter.face.light.Shading.gain_log` for a batch.

Called by `expression.graph`.
"""

from __future__ import annotations

from rtfilter.controls import BLENDSHAPE_COUNT
from rtfilter.engines.expression.values import Value
from rtfilter.face.landmarks import LANDMARK_COUNT
from rtfilter.face.light import DARKEST, LEAST_SHADING, LIMIT_LOG, PAINTED, STRENGTH, Shading


def gain_log(shading: Shading, light: Value, rotation: Value, offset: Value) -> Value:
    """Log gain [B, 478] at the landmarks; 0 for no offset or no light.

    light: [B, 4], in the camera's frame. rotation: [B, 9], camera_from_head. offset: [B, 52].
    """
    head = rotation.reshape(-1, 3, 3).turned() @ light.part(1, 4).reshape(-1, 3, 1)
    before = (head.reshape(-1, 3) @ shading.normals.T) + light.part(0, 1)
    basis = (STRENGTH * shading.turned).reshape(BLENDSHAPE_COUNT, -1)
    turned = ((offset @ basis).reshape(-1, LANDMARK_COUNT, 3) @ head).reshape(-1, LANDMARK_COUNT)
    least = (before.reduce("ReduceMean", [1]) * DARKEST).at_least(LEAST_SHADING)
    after = (before + turned).at_least(least)
    return (after / before.at_least(least)).function("Log").clip(-LIMIT_LOG, LIMIT_LOG) * PAINTED
