"""The measured emotions as the synthetic corpus acts them: face/assets/emotions.json, by sound state.

Made by `learn.emotions.measure`; what real speakers did, without the emphasis that the product adds. Called
by `data.acting`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPE_COUNT, BLENDSHAPE_INDEX, EMOTIONS
from rtfilter.errors import InputError

F64 = npt.NDArray[np.float64]

TABLE: Final = "emotions.json"
VERSION: Final = 1
STATES: Final = ("rest", "closed", "open", "rounded")
# Speech and gaze, which the corpus makes itself; how far the lips open is `openings`.
NOT_FELT: Final = ("jaw", "eyeLook", "mouthLeft", "mouthRight", "tongue")
_OPENING_RANGE: Final = (0.7, 2.0)


@dataclass(frozen=True)
class Measured:
    """Change against neutral speech at level 1.

    by_state: float64 [E, 4, 52], in the order of EMOTIONS and STATES. spread: float64 [E, 52], standard
    deviation over people. openings: float64 [E], mean gap of the lips against neutral's, while they speak.
    onset_s, offset_s: how long a feeling takes to come and to go. variation: how much of it comes and goes
    while it is held.
    """

    by_state: F64
    spread: F64
    openings: F64
    onset_s: float
    offset_s: float
    variation: float


def table_bytes() -> bytes:
    """The built-in table as it is written."""
    return resources.files("rtfilter.face").joinpath("assets", TABLE).read_bytes()


@cache
def measured() -> Measured:
    """The built-in table. Raises InputError for one of another version."""
    table: dict[str, Any] = json.loads(table_bytes())
    if table.get("version") != VERSION:
        raise InputError(
            f"{TABLE}: version {table.get('version')!r}, expected {VERSION}: install rtfilter anew"
        )
    count = len(EMOTIONS)
    by_state, spread = np.zeros((count, len(STATES), BLENDSHAPE_COUNT)), np.zeros((count, BLENDSHAPE_COUNT))
    openings = np.ones(count)
    for emotion, values in table["emotions"].items():
        row = EMOTIONS.index(emotion)
        for at, state in enumerate(STATES):
            by_state[row, at] = _vector(values["states"].get(state) or values["direction"])
        spread[row] = _vector(values["spread"])
        openings[row] = np.clip(values["gap_ratio"]["mean"], *_OPENING_RANGE)
    timing = table["timing"]
    return Measured(by_state, spread, openings, timing["onset_s"], timing["offset_s"], timing["variation"])


def _vector(amounts: Mapping[str, float]) -> F64:
    vector = np.zeros(BLENDSHAPE_COUNT)
    for name, amount in amounts.items():
        if not name.startswith(NOT_FELT):
            vector[BLENDSHAPE_INDEX[name]] = amount
    return vector
