"""Speakers of the synthetic corpus: a face, a voice and habits, drawn by number. Called by `data.corpus`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPE_COUNT, BLENDSHAPES, EMOTIONS, MIRROR
from rtfilter.face.model import MorphableModel

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

VARIANTS: Final = ("m1", "f1", "m2", "f2", "m3", "f3", "m4", "f4", "m5", "f5", "m6", "m7")
# Standard deviations of the logarithm: of a person's side against the other, and of their habits.
_SIDE_SPREAD: Final = 0.12
_HABIT_SPREAD: Final = 0.15


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who speaks.

    neutral_iod: float32 [478, 3]. variant, pitch: of the voice. tempo: factor on words a minute. opening,
    rounding, spreading: factors on jaw and lips. expressiveness: factor on every emotion. sides: float64
    [52], factors on coefficients by side, about 1. personal: float64 [E, 52], how many of the measured
    standard deviations they are off in each emotion's coefficients. blinks_per_minute, head_deg: how often,
    and how far the head turns (standard deviation).
    """

    name: str
    neutral_iod: F32
    variant: str
    pitch: int
    tempo: float
    opening: float
    rounding: float
    spreading: float
    expressiveness: float
    sides: F64
    personal: F64
    blinks_per_minute: float
    head_deg: float

    @classmethod
    def draw(cls, model: MorphableModel, seed: int, number: int) -> Speaker:
        """The speaker of that number; the same for the same seed, whoever else is drawn."""
        random = np.random.default_rng([seed, 1, number])
        count = len(model.identity_scale)
        identity = np.clip(random.standard_normal(count), -2.0, 2.0) * model.identity_scale
        neutral = model.mean_iod + np.einsum("i,inc->nc", identity, model.identity_basis)
        lean = random.standard_normal() * _SIDE_SPREAD
        sides = np.exp(
            np.array([lean * (name.endswith("Left") - name.endswith("Right")) for name in BLENDSHAPES])
            + 0.04 * random.standard_normal(BLENDSHAPE_COUNT)
        )
        personal = np.clip(random.standard_normal((len(EMOTIONS), BLENDSHAPE_COUNT)), -1.5, 1.5)
        # Both sides alike: how they differ is in `sides`.
        personal = (personal + personal[:, MIRROR]) / np.where(
            np.arange(BLENDSHAPE_COUNT) == MIRROR, 2, 2**0.5
        )
        variant = VARIANTS[number % len(VARIANTS)]
        opening, rounding, spreading = np.exp(_HABIT_SPREAD * random.standard_normal(3))
        return cls(
            name=f"S{number:03d}",
            neutral_iod=neutral.astype(np.float32),
            variant=variant,
            pitch=int(np.clip(random.normal(50.0, 8.0), 25, 75)),
            tempo=float(np.clip(np.exp(0.08 * random.standard_normal()), 0.8, 1.25)),
            opening=float(opening),
            rounding=float(rounding),
            spreading=float(spreading),
            expressiveness=float(np.clip(np.exp(_HABIT_SPREAD * random.standard_normal()), 0.7, 1.3)),
            sides=sides,
            personal=personal,
            blinks_per_minute=float(random.uniform(10.0, 26.0)),
            head_deg=float(random.uniform(1.5, 4.0)),
        )
