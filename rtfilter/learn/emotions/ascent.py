"""The search for an emotion's accents, judged by recognisers. Called by `learn.emotions.accent`.

    argmax_a  mean_j log(p_j + 0.03) - sum_r w_r log(p_r + 0.05) - strength |a|^2         |a| <= 1

p_j: judge j's mean probability of the emotion over all frames, edited with measured x EMPHASIS + a, opposed
shapes and kept ones as in the product. r: what it is confused with (fear, for sad: 0.4; happy, for all
others: 0.3), p_r over all judges. a: one number a named shape, both sides alike. Central differences, then
a search along the gradient; two rounds. The same input gives the same accents.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPE_COUNT, BLENDSHAPE_INDEX
from rtfilter.errors import Notify
from rtfilter.face.emotion import EMPHASIS, KEPT, OPPOSED, SPOKEN, measured

F64 = npt.NDArray[np.float64]
Accents = Mapping[str, float]
Look = Callable[[F64], list[dict[str, float]]]

# What may be added; a name without a side stands for both. Jaw and gaze are the speaker's.
SHAPES: Final = (
    "browDown", "browInnerUp", "browOuterUp", "cheekSquint", "eyeBlink", "eyeSquint", "eyeWide",
    "mouthDimple", "mouthFrown", "mouthFunnel", "mouthLowerDown", "mouthPress", "mouthPucker",
    "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthSmile", "mouthStretch", "mouthUpperUp",
    "noseSneer",
)  # fmt: skip
FLOOR: Final = 0.03  # a judge that sees nothing at all shall not decide alone
RIVAL_FLOOR: Final = 0.05
FEAR_IN_SAD: Final = 0.4
HAPPY_IN_OTHERS: Final = 0.3
ROUNDS: Final = 2
STEP: Final = 0.25
RATES: Final = (0.2, 0.5, 1.0, 2.0, 3.5)
MOST_A_ROUND: Final = 0.5
BOUND: Final = 1.0
LEAST: Final = 0.05  # smaller accents are not named; all are rounded to it


@dataclass(frozen=True, slots=True)
class Found:
    """accents: as they go on. value: of the objective. seen: each judge's mean probabilities by emotion."""

    accents: dict[str, float]
    value: float
    seen: list[dict[str, float]]


def both_sides(name: str) -> list[int]:
    """The places of a shape's two sides, or of the shape itself."""
    names = [name] if name in BLENDSHAPE_INDEX else [name + "Left", name + "Right"]
    return [BLENDSHAPE_INDEX[one] for one in names]


def direction(emotion: str, accents: Accents) -> F64:
    """What `face.emotion.directions` has for an emotion, with these accents in place of its own: f64 [52]."""
    row = np.zeros(BLENDSHAPE_COUNT)
    for name, amount in measured()[emotion].items():
        if not name.startswith(SPOKEN):
            row[BLENDSHAPE_INDEX[name]] = EMPHASIS[emotion] * amount
    for name, amount in accents.items():
        row[both_sides(name)] += amount
    for name, at in BLENDSHAPE_INDEX.items():
        if name.startswith(KEPT):
            row[at] = max(row[at], 0.0)
    for name, share in OPPOSED[emotion].items():
        both = both_sides(name)
        row[both] = np.where(row[both] > 0.0, row[both], np.minimum(row[both], -share))
    return row


def rivals(emotion: str) -> dict[str, float]:
    """What the emotion is confused with, and how much that weighs."""
    fear = {"fearful": FEAR_IN_SAD} if emotion == "sad" else {}
    return fear | ({} if emotion == "happy" else {"happy": HAPPY_IN_OTHERS})


def objective(emotion: str, accents: Accents, seen: Sequence[Mapping[str, float]], strength: float) -> float:
    """See the file's docstring. A rival that no judge knows does not count."""
    value = float(np.mean([np.log(one[emotion] + FLOOR) for one in seen]))
    for rival, weight in rivals(emotion).items():
        known = [one[rival] for one in seen if rival in one]
        if known:
            value -= weight * float(np.log(np.mean(known) + RIVAL_FLOOR))
    return value - strength * sum(amount * amount for amount in accents.values())


def ascend(emotion: str, look: Look, strength: float, notify: Notify, rounds: int = ROUNDS) -> Found:
    """The best accents that were met, from none. look: judges' answers to a direction."""

    def at(accents: dict[str, float]) -> Found:
        seen = look(direction(emotion, accents))
        return Found(accents, objective(emotion, accents, seen, strength), seen)

    best = at(dict.fromkeys(SHAPES, 0.0))
    notify(f"  start    {_line(best, emotion)}")
    for number in range(1, rounds + 1):
        centre = best.accents
        slope = {name: _slope(at, centre, name) for name in SHAPES}
        for rate in RATES:
            moved = {
                name: float(
                    np.clip(
                        centre[name] + np.clip(rate * slope[name], -MOST_A_ROUND, MOST_A_ROUND), -BOUND, BOUND
                    )
                )
                for name in SHAPES
            }
            tried = at(moved)
            best = tried if tried.value > best.value else best
        notify(f"  round {number}  {_line(best, emotion)}  {words(rounded(best.accents)) or 'no accents'}")
        if best.accents is centre:
            break  # the same slope again
    return best


def _slope(at: Callable[[dict[str, float]], Found], centre: Accents, name: str) -> float:
    up, down = (at({**centre, name: centre[name] + step}).value for step in (STEP, -STEP))
    return (up - down) / (2 * STEP)


def rounded(accents: Accents) -> dict[str, float]:
    """Accents of 0.05 and more, rounded to 0.05; the largest first."""
    found = {name: round(round(amount / LEAST) * LEAST, 2) for name, amount in accents.items()}
    large = {name: found[name] for name, amount in accents.items() if abs(amount) >= LEAST}
    return dict(sorted(large.items(), key=lambda item: (-abs(item[1]), item[0])))


def words(accents: Accents) -> str:
    return ", ".join(f"{name} {amount:+.2f}" for name, amount in accents.items())


def _line(found: Found, emotion: str) -> str:
    shown = " ".join(f"{one[emotion]:.3f}" for one in found.seen)
    return f"{found.value:+.3f}  {emotion} {shown}"
