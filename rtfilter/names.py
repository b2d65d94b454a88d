"""Names and amounts as people type them: any case, synonyms, percent."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeVar

from rtfilter.errors import UsageError, nearest
from rtfilter.face.blendshapes import BLENDSHAPES

T = TypeVar("T")

EMOTIONS: Final = ("happy", "sad", "angry", "surprised", "fearful", "disgusted", "contempt", "neutral")

# By what else it is called. No word that could mean two.
_SYNONYMS: Final[Mapping[str, tuple[str, ...]]] = {
    "happy": ("smile", "smiling", "smiley", "happiness", "joy", "joyful"),
    "sad": ("sadness", "unhappy"),
    "angry": ("anger", "mad"),
    "surprised": ("surprise",),
    "fearful": ("fear", "afraid", "scared"),
    "disgusted": ("disgust",),
    "contempt": ("contemptuous",),
    "neutral": ("neutrality",),
}
_EMOTION_OF: Final = {
    **{name: name for name in EMOTIONS},
    **{word: name for name, words in _SYNONYMS.items() for word in words},
}

# No landmark lies on the tongue.
_UNSEEN: Final = "tongueOut"
EDITABLE: Final = tuple(name for name in BLENDSHAPES if name != _UNSEEN)
_BLENDSHAPES_OF: Final[dict[str, tuple[str, ...]]] = {name.lower(): (name,) for name in EDITABLE}
for _name in EDITABLE:
    if _name.endswith("Left") and _name.removesuffix("Left") + "Right" in EDITABLE:
        _BLENDSHAPES_OF.setdefault(
            _name.removesuffix("Left").lower(), (_name, _name.removesuffix("Left") + "Right")
        )


def emotion_name(text: object) -> str:
    """One of EMOTIONS. Raises UsageError with the nearest."""
    known = _EMOTION_OF.get(text.strip().lower()) if isinstance(text, str) else None
    if known is None:
        raise UsageError(f"unknown emotion {shown(text)}:{nearest(str(text)[:40], EMOTIONS)}")
    return known


def is_emotion(text: str) -> bool:
    """Whether `emotion_name` knows it."""
    return text.strip().lower() in _EMOTION_OF


def blendshape_names(text: object) -> tuple[str, ...]:
    """One of ARKit's names; both sides of one that came without. Raises UsageError with the nearest."""
    lowered = text.strip().lower() if isinstance(text, str) else ""
    if lowered == _UNSEEN.lower():
        raise UsageError(f"blendshape {_UNSEEN} moves nothing: no landmark lies on the tongue")
    if lowered not in _BLENDSHAPES_OF:
        # Not all 51 of them.
        hint = nearest(str(text)[:40], EDITABLE).partition(" Known:")[0]
        raise UsageError(f"unknown blendshape {shown(text)}:{hint} expected ARKit's names, such as jawOpen")
    return _BLENDSHAPES_OF[lowered]


def emotion_names(text: object) -> tuple[str, ...]:
    """The one emotion of that name, as `blendshape_names` gives one or two."""
    return (emotion_name(text),)


# By the field of `Controls`: what its names mean.
NAMES_IN: Final[Mapping[str, Callable[[object], tuple[str, ...]]]] = {
    "emotions": emotion_names,
    "blendshapes": blendshape_names,
}


def by_name(values: Mapping[str, T], names: Callable[[object], Iterable[str]]) -> dict[str, T]:
    """`values` under their proper names. Raises UsageError for a name that is unknown, or comes twice."""
    found: dict[str, T] = {}
    typed: dict[str, object] = {}
    for text, value in values.items():
        for name in names(text):
            if name in found:
                raise UsageError(
                    f"{name} came twice, as {shown(typed[name])} and {shown(text)}: leave one out"
                )
            found[name], typed[name] = value, text
    return found


def amount(text: str) -> float:
    """`0.5`, `.5`, `0,5` and `50%` as a number. Raises UsageError."""
    plain = text.strip()
    percent = plain.endswith("%")
    plain = plain.removesuffix("%").strip()
    if re.fullmatch(r"[+-]?\d*,\d+", plain):
        plain = plain.replace(",", ".")
    try:
        return float(plain) / (100.0 if percent else 1.0)
    except ValueError:
        raise UsageError(f"expected a number such as 0.5 or 50%, got {shown(text)}") from None


def shown(value: object) -> str:
    """What came, in at most 60 characters: it may have come over a network."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
