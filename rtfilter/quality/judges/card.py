"""`Card`: what a judge's file cannot say of itself: labels, range of values, crop. Called by the judges.

Read from a JSON document beside the model, `FILE.json` for `FILE`; docs/evaluation.md lists its keys.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rtfilter.errors import InputError, nearest

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]

_SIDE_MAX_IOD = 10.0


@dataclass(frozen=True, slots=True)
class Card:
    """How a judge wants its picture.

    low, high: what black and white become, where mean is (). mean, std: by channel, of values 0..1 (as for
    ImageNet). bgr: blue first. grey: without colour, in all channels. size_px: side of the picture where the
    model leaves it free. side_iod, down_iod: the square's side and how far its centre lies below the middle
    of the eyes. labels: of the outputs, in order.
    """

    low: float = -1.0
    high: float = 1.0
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    bgr: bool = False
    grey: bool = False
    size_px: int = 0
    side_iod: float = 2.2
    down_iod: float = 0.24
    labels: tuple[str, ...] = ()

    def values(self, picture: U8) -> F32:
        """A picture uint8 [H, W, C], RGB or grey, as float32 in the order and the range of the card."""
        ordered = picture[..., ::-1] if self.bgr else picture
        unit = ordered.astype(np.float32) / np.float32(255)
        if self.mean:
            return (unit - np.array(self.mean, np.float32)) / np.array(self.std, np.float32)
        return unit * np.float32(self.high - self.low) + np.float32(self.low)


def card_path(model: Path) -> Path:
    """Where the card of a model lies: `judge.onnx.json` beside `judge.onnx`."""
    return model.with_name(model.name + ".json")


def read_card(model: Path, default: Card) -> Card:
    """The card beside `model`, or `default` where there is none. Keys left out are the default's.

    Raises InputError: not JSON, an unknown key, a value of another kind.
    """
    path = card_path(model)
    if not path.is_file():
        return default
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as JSON ({error}): correct it, or remove it") from error
    if not isinstance(document, dict):
        raise InputError(f'{path}: expected an object such as {{"range": [0, 1]}}, got {document!r:.60}')
    changes: dict[str, Any] = {}
    for key, value in document.items():
        if key not in _READERS:
            raise InputError(f"{path}: unknown key {key!r}.{nearest(key, _READERS)}")
        found = _READERS[key](value)
        if found is None:
            raise InputError(f"{path}: {key}: expected {_EXPECTED[key]}, got {json.dumps(value)[:60]}")
        changes.update(found)
    if ("mean" in changes) != ("std" in changes) or len(changes.get("mean", ())) != len(
        changes.get("std", ())
    ):
        raise InputError(f"{path}: mean and std belong together, of one length: give both or neither")
    return replace(default, **changes)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _numbers(value: Any, counts: tuple[int, ...]) -> tuple[float, ...] | None:
    if not isinstance(value, list) or len(value) not in counts:
        return None
    numbers = [_number(one) for one in value]
    return tuple(one for one in numbers if one is not None) if None not in numbers else None


def _range(value: Any) -> Mapping[str, Any] | None:
    ends = _numbers(value, (2,))
    return {"low": ends[0], "high": ends[1]} if ends is not None and ends[0] < ends[1] else None


def _mean(value: Any) -> Mapping[str, Any] | None:
    found = _numbers(value, (1, 3))
    return None if found is None else {"mean": found}


def _std(value: Any) -> Mapping[str, Any] | None:
    found = _numbers(value, (1, 3))
    return {"std": found} if found is not None and min(found) > 0.0 else None


def _colour(value: Any) -> Mapping[str, Any] | None:
    known = value in ("rgb", "bgr", "grey")
    return {"bgr": value == "bgr", "grey": value == "grey"} if known else None


def _size(value: Any) -> Mapping[str, Any] | None:
    valid = isinstance(value, int) and not isinstance(value, bool) and 8 <= value <= 1024
    return {"size_px": value} if valid else None


def _crop(value: Any) -> Mapping[str, Any] | None:
    if not isinstance(value, dict) or set(value) != {"side_iod", "down_iod"}:
        return None
    side, down = _number(value["side_iod"]), _number(value["down_iod"])
    if side is None or down is None or not 0.1 <= side <= _SIDE_MAX_IOD or abs(down) > _SIDE_MAX_IOD:
        return None
    return {"side_iod": side, "down_iod": down}


def _labels(value: Any) -> Mapping[str, Any] | None:
    valid = isinstance(value, list) and value and all(isinstance(one, str) and one for one in value)
    return {"labels": tuple(value)} if valid else None


_READERS = {
    "range": _range,
    "mean": _mean,
    "std": _std,
    "colour": _colour,
    "size_px": _size,
    "crop": _crop,
    "labels": _labels,
}
_EXPECTED = {
    "range": "[black, white], rising",
    "mean": "one number or three, of values 0..1",
    "std": "one number or three, above 0",
    "colour": '"rgb", "bgr" or "grey"',
    "size_px": "a whole number from 8 to 1024",
    "crop": '{"side_iod": 0.1..10, "down_iod": -10..10}',
    "labels": 'a list of names such as ["angry", "happy"]',
}
