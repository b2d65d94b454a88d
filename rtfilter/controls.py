"""`Controls`: what the user asks for. Immutable; replaced whole, from any thread."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from rtfilter.errors import UsageError
from rtfilter.names import EMOTIONS, NAMES_IN, by_name, shown

__all__ = ["EMOTIONS", "INTENSITY_MAX", "Controls", "in_range"]

INTENSITY_MAX = 1.5


@dataclass(frozen=True, slots=True)
class Controls:
    """The wish for the picture, validated at construction.

    emotions: intensity by emotion name, each 0..1.5 (above 1 is exaggeration); mixes freely. Names are taken
        in any case, and a few synonyms (`smile`); they are kept as in EMOTIONS.
    intensity: factor on the whole emotion mix, 0..1.5.
    mouth: speech against emotion, 0..1: 1 keeps the lips' shape everywhere, 0 lets emotion win.
    valence, arousal: -1..1 each; added to `emotions` through the circumplex mapping.
    smoothing: 0..1; 0 follows the request within a frame or two, 1 is the calmest edit.
    bypass: True passes every frame through untouched.
    blendshapes: offsets by ARKit's names, each -1.5..1.5, added to what the emotions ask; smoothed with it,
        and kept from hiding speech. A name without a side (`mouthSmile`) means both. A lid that is down is
        not pressed further.

    Raises UsageError with the nearest known emotion, or the permitted range.
    """

    emotions: Mapping[str, float] = field(default_factory=dict)
    intensity: float = 1.0
    mouth: float = 1.0
    valence: float = 0.0
    arousal: float = 0.0
    smoothing: float = 0.5
    bypass: bool = False
    blendshapes: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for table, low in (("emotions", 0.0), ("blendshapes", -INTENSITY_MAX)):
            object.__setattr__(self, table, _amounts(table, getattr(self, table), low))
        for name, low, high in (
            ("intensity", 0.0, INTENSITY_MAX),
            ("mouth", 0.0, 1.0),
            ("valence", -1.0, 1.0),
            ("arousal", -1.0, 1.0),
            ("smoothing", 0.0, 1.0),
        ):
            object.__setattr__(self, name, in_range(name, getattr(self, name), low, high))
        if not isinstance(self.bypass, bool):
            raise UsageError(f"bypass: expected true or false, got {shown(self.bypass)}")

    def with_(self, **changes: Any) -> Controls:
        """A copy with some fields replaced, validated anew."""
        return replace(self, **changes)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON-ready values, `Controls(**d)` restores them."""
        return {
            "emotions": dict(self.emotions),
            "intensity": self.intensity,
            "mouth": self.mouth,
            "valence": self.valence,
            "arousal": self.arousal,
            "smoothing": self.smoothing,
            "bypass": self.bypass,
            "blendshapes": dict(self.blendshapes),
        }

    @property
    def has_target(self) -> bool:
        """Whether an emotion or a blendshape is asked for at all."""
        return bool(self.emotions or self.valence or self.arousal or self.blendshapes)


def _amounts(table: str, values: object, low: float) -> Mapping[str, float]:
    if not isinstance(values, Mapping):
        got = type(values).__name__
        raise UsageError(f"{table}: expected a mapping of name to {low:g}..{INTENSITY_MAX}, got {got}")
    known = by_name(values, NAMES_IN[table])
    what = table.removesuffix("s")
    return MappingProxyType(
        {name: in_range(f"{what} {name}", value, low, INTENSITY_MAX) for name, value in known.items()}
    )


def in_range(name: str, value: object, low: float, high: float) -> float:
    """`value` as a finite float within [low, high], or a UsageError naming both."""
    # Real, so that NumPy's scalars do; its booleans are none.
    try:
        real = isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # an integer that no float holds
        real = False
    if not real or not isinstance(value, numbers.Real):
        raise UsageError(f"{name}: expected a number in {low:g}..{high:g}, got {repr(value)[:60]}")
    number = float(value)
    if not low <= number <= high:
        raise UsageError(f"{name}: {number:g} is out of range, expected {low:g}..{high:g}")
    return number
