"""What the expression graph's file depends on, known without making it."""

from __future__ import annotations

import hashlib

import numpy as np

from rtfilter.face.model import MorphableModel

# Counts what changes the file that is made of the same face model: this folder, and `rtfilter.face`.
BUILDER_VERSION = 2


def model_key(model: MorphableModel) -> str:
    """Names the builder and all of the face model that the graph holds."""
    digest = hashlib.sha256()
    for array in (
        model.mean_iod,
        model.expression_basis,
        model.identity_basis,
        model.identity_scale,
        model.rigidity,
    ):
        digest.update(repr(array.shape).encode())
        digest.update(np.ascontiguousarray(array, "<f4").tobytes())
    return f"expression builder {BUILDER_VERSION}, face model {digest.hexdigest()}"
