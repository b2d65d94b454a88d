"""Visemes: what each phone asks of lips and jaw, blended by dominance functions (Cohen, Massaro 1993).

    coefficient(t) = sum_p D_p(t) target_p / sum_p D_p(t),   D_p(t) = alpha_p exp(-distance(t, p) / reach)

A phone pulls every coefficient towards its target with a dominance that decays in time before and after it,
separately for jaw, rounding and lips; so rounding begins before a rounded vowel, and passes through a /t/.
Amounts are typical of plain speech in ARKit's coefficients. Called by `data.corpus`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPE_COUNT, BLENDSHAPE_INDEX
from rtfilter.learn.data.speech import PAUSE
from rtfilter.learn.data.track import Phone

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]

# Coefficients of each articulator; a name without a side stands for both.
GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "jaw": ("jawOpen", "jawForward"),
    "round": ("mouthFunnel", "mouthPucker"),
    "lips": (
        "mouthLowerDown", "mouthUpperUp", "mouthStretch", "mouthSmile", "mouthPress", "mouthRollLower",
        "mouthRollUpper", "mouthShrugUpper", "mouthShrugLower",
    ),
}  # fmt: skip
# How far a dominance reaches, in seconds to 1/e: before the phone, and after it.
REACH_S: Final = {"jaw": (0.055, 0.05), "round": (0.10, 0.06), "lips": (0.05, 0.045)}


@dataclass(frozen=True, slots=True)
class Viseme:
    """targets: amounts by coefficient. jaw, round, lips: dominance (alpha) of each group. closed: how far the
    lips close, 0..1; at 1 they meet."""

    targets: Mapping[str, float]
    jaw: float = 1.0
    round: float = 1.0
    lips: float = 0.6
    closed: float = 0.0


VISEMES: Final[Mapping[str, Viseme]] = {
    "silence": Viseme({}, 0.5, 0.5, 0.5, closed=0.7),
    "PBM": Viseme(
        {"jawOpen": 0.05, "mouthPress": 0.2, "mouthRollLower": 0.15, "mouthRollUpper": 0.12},
        0.7, 0.15, 2.0, closed=1.0,
    ),
    "FV": Viseme(
        {"jawOpen": 0.06, "mouthRollLower": 0.35, "mouthUpperUp": 0.12, "mouthShrugUpper": 0.1},
        0.8, 0.3, 1.8, closed=0.6,
    ),
    "TH": Viseme({"jawOpen": 0.10, "mouthLowerDown": 0.1}, 0.7, 0.3, 0.7, closed=0.2),
    "T": Viseme({"jawOpen": 0.09, "mouthLowerDown": 0.09}, 0.6, 0.1, 0.4),
    "S": Viseme({"jawOpen": 0.05, "mouthStretch": 0.1, "mouthLowerDown": 0.16}, 1.2, 0.25, 0.8),
    "SH": Viseme({"jawOpen": 0.08, "mouthFunnel": 0.35, "mouthPucker": 0.1}, 1.2, 1.2, 0.8),
    "K": Viseme({"jawOpen": 0.17, "mouthLowerDown": 0.06}, 0.4, 0.1, 0.3),
    "R": Viseme({"jawOpen": 0.09, "mouthFunnel": 0.12, "mouthPucker": 0.25}, 0.6, 0.9, 0.6, closed=0.2),
    "W": Viseme({"jawOpen": 0.05, "mouthPucker": 0.55, "mouthFunnel": 0.08}, 0.8, 1.8, 1.0, closed=0.35),
    "A": Viseme({"jawOpen": 0.42, "mouthLowerDown": 0.15, "mouthUpperUp": 0.05}),
    "AE": Viseme({"jawOpen": 0.38, "mouthStretch": 0.1, "mouthLowerDown": 0.18, "mouthUpperUp": 0.08}),
    "UH": Viseme({"jawOpen": 0.24, "mouthLowerDown": 0.07}, 0.8, 0.6, 0.5),
    "EH": Viseme({"jawOpen": 0.28, "mouthStretch": 0.12, "mouthLowerDown": 0.14}),
    "I": Viseme({"jawOpen": 0.13, "mouthStretch": 0.18, "mouthSmile": 0.06, "mouthLowerDown": 0.1}),
    "U": Viseme({"jawOpen": 0.09, "mouthPucker": 0.45, "mouthFunnel": 0.2}, 1.0, 1.7, 1.0),
    "O": Viseme({"jawOpen": 0.24, "mouthFunnel": 0.3, "mouthPucker": 0.22}, 1.0, 1.5, 0.9),
    "AO": Viseme({"jawOpen": 0.34, "mouthFunnel": 0.28, "mouthPucker": 0.08}, 1.0, 1.2, 0.8),
    "ER": Viseme({"jawOpen": 0.15, "mouthFunnel": 0.12, "mouthPucker": 0.12}, 0.8, 0.9, 0.6),
}  # fmt: skip
NAMES: Final = tuple(VISEMES)

# espeak-ng's phones of English; a diphthong is two visemes, half its time each.
PHONES: Final[Mapping[str, tuple[str, ...]]] = {
    PAUSE: ("silence",), ";": ("I",), "?": ("silence",),
    "p": ("PBM",), "b": ("PBM",), "m": ("PBM",), "f": ("FV",), "v": ("FV",), "T": ("TH",), "D": ("TH",),
    "t": ("T",), "d": ("T",), "n": ("T",), "l": ("T",), "s": ("S",), "z": ("S",), "S": ("SH",),
    "Z": ("SH",), "tS": ("SH",), "dZ": ("SH",), "k": ("K",), "g": ("K",), "N": ("K",), "h": ("K",),
    "x": ("K",), "r": ("R",), "w": ("W",), "j": ("I",),
    "A:": ("A",), "A@": ("A", "ER"), "0": ("A",), "a": ("AE",), "aa": ("AE",), "V": ("UH",), "@": ("UH",),
    "@L": ("T",), "E": ("EH",), "e@": ("EH", "ER"), "3": ("ER",), "3:": ("ER",), "I": ("I",), "i": ("I",),
    "i:": ("I",), "i@": ("I", "ER"), "U": ("U",), "u": ("U",), "u:": ("U",), "U@": ("U", "ER"),
    "O:": ("AO",), "O@": ("AO", "ER"), "o@": ("O", "ER"), "O": ("AO",), "oU": ("O", "U"),
    "aU": ("A", "U"), "aI": ("A", "I"), "aI@": ("A", "I"), "eI": ("EH", "I"), "OI": ("AO", "I"),
}  # fmt: skip

# Of a closing phone: lips are closed between these shares of it; the ramps beside.
CLOSED_SHARE: Final = (0.1, 0.6)
CLOSING_S: Final = 0.065
OPENING_S: Final = 0.055
# In silence lips come together slowly, and part before they speak.
RESTING_S: Final = 0.16


@dataclass(frozen=True, slots=True)
class Articulation:
    """What speech asks of T frames. speech: float64 [T, 52], 0..1, without closure. closure: float64 [T],
    0..1; exactly 1 while the lips meet. viseme: int64 [T], index into NAMES."""

    speech: F64
    closure: F64
    viseme: I64


def visemes_of(phone: str) -> tuple[str, ...]:
    """The visemes of one of espeak-ng's phones; variants such as `@2` and `a#` are their bare phone's."""
    for end in range(len(phone), 0, -1):
        if phone[:end] in PHONES:
            return PHONES[phone[:end]]
    return ("UH",)


def articulate(phones: Sequence[Phone], time_s: F64) -> Articulation:
    """Lips and jaw at `time_s` [T] for phones that follow each other."""
    parts: list[tuple[float, float, str]] = []
    for start, end, phone in phones:
        names = visemes_of(phone)
        edges = np.linspace(start, end, len(names) + 1)
        parts += [(float(a), float(b), name) for a, b, name in zip(edges[:-1], edges[1:], names, strict=True)]
    starts = np.array([part[0] for part in parts])
    ends = np.array([part[1] for part in parts])
    # A quarter of the phone around its middle has full dominance.
    middle, core = (starts + ends) / 2.0, (ends - starts) / 8.0
    past = time_s[:, None] - middle[None]
    distance = np.maximum(np.abs(past) - core, 0.0)
    speech = np.zeros((len(time_s), BLENDSHAPE_COUNT))
    for group, members in GROUPS.items():
        before_s, after_s = REACH_S[group]
        alpha = np.array([getattr(VISEMES[name], group) for _, _, name in parts])
        dominance = alpha * np.exp(-distance / np.where(past < 0.0, before_s, after_s))
        dominance /= dominance.sum(1, keepdims=True)
        for member in members:
            amounts = np.array([VISEMES[name].targets.get(member, 0.0) for _, _, name in parts])
            if amounts.any():
                speech[:, list(both_sides(member))] = (dominance @ amounts)[:, None]
    last = np.clip(np.searchsorted(starts, time_s, side="right") - 1, 0, len(parts) - 1)
    viseme = np.array([NAMES.index(name) for _, _, name in parts])[last]
    return Articulation(speech, _closure(parts, time_s), viseme)


def _closure(parts: Sequence[tuple[float, float, str]], time_s: F64) -> F64:
    """How far the lips are closed, [T]: smooth ramps beside each closing phone, and in silence.

    Every closure has at least one frame, the nearest: a viewer would otherwise never see it.
    """
    closure = np.zeros(len(time_s))
    for index, (start, end, name) in enumerate(parts):
        level = VISEMES[name].closed
        if level == 0.0:
            continue
        closing_s, opening_s = CLOSING_S, OPENING_S
        first, last = (start + share * (end - start) for share in CLOSED_SHARE)
        if name == "silence":
            closing_s = opening_s = RESTING_S
            first = start + RESTING_S if index else -np.inf
            last = end - RESTING_S if index < len(parts) - 1 else np.inf
            if last < first:
                continue  # too short to come together
        else:
            middle = (first + last) / 2.0
            nearest = float(time_s[np.abs(time_s - middle).argmin()])
            if abs(nearest - middle) < CLOSING_S:
                first, last = min(first, nearest), max(last, nearest)
        rising = np.clip(1.0 - (first - time_s) / closing_s, 0.0, 1.0)
        falling = np.clip(1.0 - (time_s - last) / opening_s, 0.0, 1.0)
        ramp = np.minimum(rising, falling)
        closure = np.maximum(closure, level * ramp * ramp * (3.0 - 2.0 * ramp))
    return closure


def both_sides(name: str) -> tuple[int, ...]:
    """Indices of a coefficient, or of its two sides."""
    if name in BLENDSHAPE_INDEX:
        return (BLENDSHAPE_INDEX[name],)
    return BLENDSHAPE_INDEX[name + "Left"], BLENDSHAPE_INDEX[name + "Right"]
