"""`rtfilter/face/assets/emotions.json`: what the measured emotions look like as a file.

Means over two or more people. Where fewer than three are known, the spread beside a mean is that of all
emotions: mean and spread of two would give what each of them shows. Written by `learn.emotions.measure`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPES
from rtfilter.face.model import ASSET
from rtfilter.learn.emotions.by_sound import PARTS, part_mask
from rtfilter.learn.emotions.pool import Pooled
from rtfilter.system.files import write_text_atomically

F64 = npt.NDArray[np.float64]

VERSION: Final = 1
LEAST: Final = 0.02  # smaller values are left out: landmarks do not show them
DIGITS: Final = 3
Ratios = Mapping[str, float | list[float]]


@dataclass(frozen=True)
class Measured:
    """Everything that the table says of one emotion.

    pooled: during speech. states: by sound state, float64 [52]; state_people: how many people show it; with 0
    or 1 the state follows from all emotions' gains. width_ratio, gap_ratio: of the lips;
    matched: how many people these rest on.
    """

    pooled: Pooled
    states: Mapping[str, F64]
    state_people: Mapping[str, int]
    width_ratio: Ratios
    gap_ratio: Ratios
    matched: int


def face_model_hash() -> str:
    """The built-in face model's first 12 digits of SHA-256: coefficients have a meaning in it only."""
    data = resources.files("rtfilter.face").joinpath("assets", ASSET).read_bytes()
    return hashlib.sha256(data).hexdigest()[:12]


def document(
    emotions: Mapping[str, Measured],
    timing: Mapping[str, float | int],
    gains: Mapping[str, Mapping[str, float]],
    sources: Sequence[str],
    prior_scale: float,
) -> dict[str, Any]:
    """The table as JSON's types, rounded."""
    return {
        "version": VERSION,
        "face_model": face_model_hash(),
        "emotions": {name: _row(measured) for name, measured in emotions.items()},
        "timing": {name: _rounded(value) for name, value in timing.items()},
        "gains": {state: {part: _rounded(v) for part, v in row.items()} for state, row in gains.items()},
        "prior_scale": _rounded(prior_scale),
        "sources": list(sources),
    }


def write(path: Path, table: Mapping[str, Any]) -> None:
    """Write the table, a line for each group of numbers. Raises OutputError."""
    write_text_atomically(path, _lines(table, 0) + "\n")


def _lines(value: Any, depth: int) -> str:
    """JSON with what holds no further objects on one line."""
    if not isinstance(value, Mapping) or not any(isinstance(inner, Mapping) for inner in value.values()):
        return json.dumps(value)
    pad = " " * (depth + 1)
    rows = [f"{pad}{json.dumps(name)}: {_lines(inner, depth + 1)}" for name, inner in value.items()]
    return "{\n" + ",\n".join(rows) + "\n" + " " * depth + "}"


def _row(measured: Measured) -> dict[str, Any]:
    pooled = measured.pooled
    return {
        "people": pooled.people,
        "matched_people": measured.matched,
        "frames": pooled.frames,
        "direction": _named(pooled.mean),
        "spread": {name: _rounded(pooled.spread[BLENDSHAPES.index(name)]) for name in _named(pooled.mean)},
        "agreement": {
            name: _rounded(pooled.consistency[BLENDSHAPES.index(name)]) for name in _named(pooled.mean)
        },
        "states": {state: _named(values) for state, values in measured.states.items()},
        "state_people": dict(measured.state_people),
        "width_ratio": {name: _rounded(value) for name, value in measured.width_ratio.items()},
        "gap_ratio": {name: _rounded(value) for name, value in measured.gap_ratio.items()},
        "pause_gain": _rounded(_pause_gain(pooled.mean, measured.states["rest"])),
    }


def _pause_gain(speech: F64, rest: F64) -> float:
    """The amplitude in pauses over that in speech, lips left out: they are the speaker's."""
    mask = np.any([part_mask(part) for part in PARTS if part != "lips"], axis=0)
    power = float(speech[mask] @ speech[mask])
    return float(rest[mask] @ speech[mask]) / power if power > 0.0 else 1.0


def _named(values: F64) -> dict[str, float]:
    return {
        name: _rounded(value) for name, value in zip(BLENDSHAPES, values, strict=True) if abs(value) >= LEAST
    }


def _rounded(value: Any) -> Any:
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    return int(value) if isinstance(value, int) else round(float(value), DIGITS)
