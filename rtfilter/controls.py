"""`Controls`, the settings of an edit, and the names in them: emotions and ARKit's blendshapes.

A leaf: the command line, the server and callers of `FaceFilter` make it, `face` and the engines read it.
"""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any, Final, TypeVar

from rtfilter.errors import UsageError, nearest

T = TypeVar("T")

INTENSITY_MAX: Final = 1.5
SKIN_MAX: Final = 1.5

EMOTIONS: Final = ("happy", "sad", "angry", "surprised", "fearful", "disgusted", "contempt", "neutral")
# Words with one meaning only.
_SYNONYMS: Final[Mapping[str, str]] = {
    "happy": "smile smiling smiley happiness joy joyful",
    "sad": "sadness unhappy",
    "angry": "anger mad",
    "surprised": "surprise",
    "fearful": "fear afraid scared",
    "disgusted": "disgust",
    "contempt": "contemptuous",
    "neutral": "neutrality",
}

# In the order of every expression vector.
BLENDSHAPES: Final = (
    "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight",
    "cheekPuff", "cheekSquintLeft", "cheekSquintRight",
    "eyeBlinkLeft", "eyeBlinkRight", "eyeLookDownLeft", "eyeLookDownRight", "eyeLookInLeft",
    "eyeLookInRight", "eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight",
    "eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight",
    "jawForward", "jawLeft", "jawOpen", "jawRight",
    "mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft", "mouthFrownRight",
    "mouthFunnel", "mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthPressLeft",
    "mouthPressRight", "mouthPucker", "mouthRight", "mouthRollLower", "mouthRollUpper",
    "mouthShrugLower", "mouthShrugUpper", "mouthSmileLeft", "mouthSmileRight",
    "mouthStretchLeft", "mouthStretchRight", "mouthUpperUpLeft", "mouthUpperUpRight",
    "noseSneerLeft", "noseSneerRight", "tongueOut",
)  # fmt: skip
BLENDSHAPE_COUNT: Final = len(BLENDSHAPES)
BLENDSHAPE_INDEX: Final = {name: index for index, name in enumerate(BLENDSHAPES)}
_UNSEEN: Final = "tongueOut"
EDITABLE: Final = tuple(name for name in BLENDSHAPES if name != _UNSEEN)


def mirrored_name(name: str) -> str:
    """The blendshape that `name` becomes in a mirror; central ones stay."""
    sides = {"Left": "Right", "Right": "Left"}
    return re.sub("(Left|Right)$", lambda side: sides[side[0]], name)


MIRROR: Final = tuple(BLENDSHAPE_INDEX[mirrored_name(name)] for name in BLENDSHAPES)

# The fields of `Controls` that hold amounts by name, and what each name in lower case stands for.
_EMOTION_WORDS: Final = {
    word: (name,) for name in EMOTIONS for word in (name, *_SYNONYMS.get(name, "").split())
}
_BOTH_SIDES: Final = {
    name.removesuffix("Left").lower(): (name, mirrored_name(name))
    for name in EDITABLE
    if name.endswith("Left")
}
_WORDS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "emotions": _EMOTION_WORDS,
    "blendshapes": {**_BOTH_SIDES, **{name.lower(): (name,) for name in EDITABLE}},
}
TABLES: Final = tuple(_WORDS)
SWITCHES: Final = ("bypass", "occlusion")  # the fields that are true or false


@dataclass(frozen=True, slots=True)
class Controls:
    """The settings of an edit. Immutable, validated at construction; replaced whole, from any thread.

    Args:
        emotions: intensity by emotion, each 0..1.5 (above 1 is exaggeration). Emotions mix. Names in any
            case, and synonyms such as `smile`, are stored as in EMOTIONS.
        intensity: factor on the emotions, 0..1.5.
        mouth: speech against emotion, 0..1. 1 keeps opening and width of the lips, 0 lets emotion open and
            widen them.
        valence, arousal: -1..1 each; added to `emotions` through the circumplex mapping.
        smoothing: 0..1; 0 follows the request within a frame or two, 1 is the calmest edit.
        skin: 0..1.5; how strongly folds and light of the skin follow the edit, 0 only moves the skin.
        bypass: True passes every frame through untouched.
        occlusion: hands and things over the face, glasses' rims and what is behind the person stay as they
            are; False edits over them.
        blendshapes: offsets by ARKit's names, each -1.5..1.5, added to those of the emotions before smoothing
            and mouth protection. A name without a side (`mouthSmile`) means both. A closed eyelid gets no
            further offset.

    Raises:
        UsageError: an unknown name, with the nearest known one, or an amount outside its range.
    """

    emotions: Mapping[str, float] = field(default_factory=dict)
    intensity: float = 1.0
    mouth: float = 0.4
    valence: float = 0.0
    arousal: float = 0.0
    smoothing: float = 0.5
    skin: float = 1.0
    bypass: bool = False
    occlusion: bool = True
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
            ("skin", 0.0, SKIN_MAX),
        ):
            object.__setattr__(self, name, in_range(name, getattr(self, name), low, high))
        for name in SWITCHES:
            if not isinstance(getattr(self, name), bool):
                raise UsageError(f"{name}: expected true or false, got {shown(getattr(self, name))}")

    def with_(self, **changes: Any) -> Controls:
        """A copy with some fields replaced."""
        return replace(self, **changes)

    def as_dict(self) -> dict[str, Any]:
        """The fields as JSON values; `Controls(**d)` restores them."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return {key: dict(value) if key in TABLES else value for key, value in values.items()}

    @property
    def has_target(self) -> bool:
        """Whether there is any emotion or blendshape."""
        return bool(self.emotions or self.valence or self.arousal or self.blendshapes)


# How many people one filter follows at most, and the word for that.
FACES_MAX: Final = 16
ALL_FACES: Final = "all"
CONTROL_KEYS: Final = tuple(one.name for one in fields(Controls))


def _amounts(table: str, values: object, low: float) -> Mapping[str, float]:
    if not isinstance(values, Mapping):
        got = type(values).__name__
        raise UsageError(f"{table}: expected a mapping of name to {low:g}..{INTENSITY_MAX}, got {got}")
    what = table.removesuffix("s")
    known = by_name(table, values)
    return MappingProxyType(
        {name: in_range(f"{what} {name}", value, low, INTENSITY_MAX) for name, value in known.items()}
    )


def face_count(faces: object) -> int:
    """How many faces `1`, another number, or `all` mean. Raises UsageError for anything else."""
    count: object = faces
    if isinstance(faces, str):
        text = faces.strip().lower()
        count = FACES_MAX if text == ALL_FACES else None
        if text.isascii() and text.isdigit() and len(text) <= 9:  # Python refuses thousands of digits
            count = int(text)
    if isinstance(count, numbers.Integral) and not isinstance(count, bool):  # so that NumPy's scalars do
        count = int(count)
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= FACES_MAX:
        raise UsageError(f"faces: expected 1..{FACES_MAX} or {ALL_FACES}, got {shown(faces)}")
    return count


def in_range(name: str, value: object, low: float, high: float) -> float:
    """`value` as a finite float. Raises UsageError outside [low, high]."""
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


def is_emotion(text: str) -> bool:
    """Whether `text` is an emotion or a synonym of one, in any case."""
    return text.strip().lower() in _EMOTION_WORDS


def by_name(table: str, values: Mapping[str, T]) -> dict[str, T]:
    """`values` of a table of `Controls` under their proper names.

    Raises UsageError for an unknown name, or for two names that mean the same.
    """
    found: dict[str, T] = {}
    typed: dict[str, object] = {}
    for text, value in values.items():
        for name in _names_of(table, text):
            if name in found:
                raise UsageError(
                    f"{name} came twice, as {shown(typed[name])} and {shown(text)}: leave one out"
                )
            found[name], typed[name] = value, text
    return found


def _names_of(table: str, text: object) -> tuple[str, ...]:
    lowered = text.strip().lower() if isinstance(text, str) else ""
    if lowered in _WORDS[table]:
        return _WORDS[table][lowered]
    if table == "emotions":
        raise UsageError(f"unknown emotion {shown(text)}:{nearest(str(text)[:40], EMOTIONS)}")
    if lowered == _UNSEEN.lower():
        raise UsageError(f"blendshape {_UNSEEN} moves nothing: no landmark lies on the tongue")
    # Not all 51 of them.
    hint = nearest(str(text)[:40], EDITABLE).partition(" Known:")[0]
    raise UsageError(f"unknown blendshape {shown(text)}:{hint} expected ARKit's names, such as jawOpen")


def shown(value: object) -> str:
    """`value` as messages quote it: at most 60 characters, since it may have come over a network."""
    try:
        text = repr(value)
    except ValueError:  # of a number of thousands of digits
        return "a number of too many digits"
    return text if len(text) <= 60 else f"{text[:57]}..."
