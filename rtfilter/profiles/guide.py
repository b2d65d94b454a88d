"""What a person who enrols is asked to do, and how much of it was shown. Called by `gather`, `report`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPE_INDEX

Floats = npt.NDArray[np.floating[Any]]

QUIET_POWER: Final = 0.6  # sum of squared coefficients of a face that shows little
QUIET_FRAMES: Final = 12
HELD_SHARE: Final = 0.97  # a direction was shown as strongly as its strongest 3 % of frames


@dataclass(frozen=True, slots=True)
class Prompt:
    """One thing to do. coefficients: whose mean tells how strongly it is shown, 0..1; wanted: enough of it.

    turn_deg: for turning the head, the range of yaw that is enough, in place of coefficients.
    """

    key: str
    text: str
    coefficients: tuple[str, ...]
    wanted: float
    turn_deg: float = 0.0


PROMPTS: Final = (
    Prompt("neutral", "look straight at the camera, relaxed", (), 0.0),
    Prompt("smile", "smile broadly, with your teeth", ("mouthSmileLeft", "mouthSmileRight"), 0.45),
    Prompt(
        "brows up",
        "raise your brows, as if surprised",
        ("browInnerUp", "browOuterUpLeft", "browOuterUpRight"),
        0.30,
    ),
    Prompt("speech", "say a sentence: the quick brown fox jumps over the lazy dog", ("jawOpen",), 0.15),
    Prompt("frown", "frown, as if angry", ("browDownLeft", "browDownRight"), 0.30),
    Prompt(
        "nose", "wrinkle your nose and lift your upper lip", ("mouthUpperUpLeft", "mouthUpperUpRight"), 0.30
    ),
    Prompt("sad", "press your lips and pull the corners down", ("mouthFrownLeft", "mouthFrownRight"), 0.20),
    Prompt("turn", "turn your head slowly, a little to both sides", (), 0.0, turn_deg=20.0),
)
BY_KEY: Final = {prompt.key: prompt for prompt in PROMPTS}


def shown_amount(prompt: Prompt, expressions: Floats, yaws_deg: Floats) -> float:
    """How much of a prompt was shown, 1 is enough; of expressions [N, 52] and yaws [N] in degrees."""
    if not len(expressions):
        return 0.0
    if prompt.turn_deg:
        low, high = np.percentile(yaws_deg, (3.0, 97.0))
        return min(float(high - low) / prompt.turn_deg, 1.0)
    if not prompt.coefficients:
        # Quiet: half of the frames that a second has.
        quiet = np.square(expressions).sum(1) < QUIET_POWER
        return min(float(quiet.sum()) / QUIET_FRAMES, 1.0)
    columns = [BLENDSHAPE_INDEX[name] for name in prompt.coefficients]
    strength = np.quantile(expressions[:, columns].mean(1), HELD_SHARE)
    return min(float(strength) / prompt.wanted, 1.0)


def coverage(expressions: Floats, yaws_deg: Floats) -> dict[str, float]:
    """How much of each prompt was shown, by its key, 0..1."""
    return {prompt.key: round(shown_amount(prompt, expressions, yaws_deg), 2) for prompt in PROMPTS}


def prompt_at(elapsed_s: float, seconds: float) -> tuple[Prompt, float]:
    """The prompt at a time of an enrolment of so many seconds, and the time left for it in seconds."""
    share_s = seconds / len(PROMPTS)
    number = min(int(elapsed_s / share_s), len(PROMPTS) - 1)
    return PROMPTS[number], max((number + 1) * share_s - elapsed_s, 0.0)
