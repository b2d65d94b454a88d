"""What anatomy expects of an emotion before anything is measured, and the people's changes drawn towards it.

Action units after EMFACS (Ekman, Friesen): happiness 6+12, sadness 1+4+15, surprise 1+2+5, fear 1+2+4+5+20,
anger 4+5+7+23, disgust 9+15+16, contempt R12+R14. Jaw and opening (26) are the speaker's. One unit is that
emotion's strongest action; how much of it speech shows is measured, once for all emotions (`pool.scale_of`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPE_COUNT, BLENDSHAPE_INDEX

F64 = npt.NDArray[np.float64]

# A name without a side stands for both.
PRIOR: Final[Mapping[str, Mapping[str, float]]] = {
    "happy": {"mouthSmile": 1.0, "cheekSquint": 0.6, "eyeSquint": 0.3, "mouthDimple": 0.2},
    "sad": {"browInnerUp": 0.7, "browDown": 0.3, "mouthFrown": 0.7, "eyeSquint": 0.3, "mouthShrugLower": 0.2},
    "angry": {"browDown": 1.0, "eyeSquint": 0.6, "noseSneer": 0.3, "mouthPress": 0.2, "mouthUpperUp": 0.2},
    "surprised": {"browInnerUp": 0.9, "browOuterUp": 0.9, "eyeWide": 0.9},
    "fearful": {"browInnerUp": 1.0, "browOuterUp": 0.4, "eyeWide": 0.9, "mouthStretch": 0.5},
    "disgusted": {
        "noseSneer": 1.0, "browDown": 0.6, "mouthUpperUp": 0.6, "mouthFrown": 0.4, "cheekSquint": 0.4,
        "eyeSquint": 0.4,
    },
    "contempt": {"mouthSmileRight": 0.9, "mouthDimpleRight": 0.6, "cheekSquintRight": 0.3},
}  # fmt: skip


def prior_row(emotion: str) -> F64:
    """The prior of one emotion, float64 [52]."""
    row = np.zeros(BLENDSHAPE_COUNT)
    for name, amount in PRIOR[emotion].items():
        for full in (name,) if name in BLENDSHAPE_INDEX else (f"{name}Left", f"{name}Right"):
            row[BLENDSHAPE_INDEX[full]] = amount
    return row
