"""Compiles what fits and edits a face, by editing the mean one before the first frame. For `cpu`."""

from __future__ import annotations

import numpy as np

from rtfilter.controls import Controls
from rtfilter.face.edit import FaceEditor, Held
from rtfilter.face.fit import FaceFit
from rtfilter.face.model import MorphableModel

SCALE_PX = 100.0


def warm_up(model: MorphableModel, fit: FaceFit, editor: FaceEditor) -> None:
    """Compile the kernels of fit and edit, or load them from Numba's cache, so that no face waits for it."""
    points = (SCALE_PX * model.mean_iod).astype(np.float32)
    identity, edit = fit.first_identity(), editor.first_state()
    for time_s in (0.0, 1 / 30):
        state, identity = fit.step(identity, points, time_s)
        offset, edit = editor.step(edit, state, Controls({"happy": 1.0}), 1.0, time_s)
        editor.displace(edit, Held(state, points, offset, 1.0, np.ones(4, np.float32)))
