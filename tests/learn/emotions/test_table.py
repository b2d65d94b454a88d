"""The committed table: complete, plausible, of the built-in face model, and no one's own."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

import numpy as np
import pytest

from rtfilter.controls import BLENDSHAPES, EMOTIONS, mirrored_name
from rtfilter.learn.emotions.pool import ARTICULATORS
from rtfilter.learn.emotions.solver import ASIDE, GAZE, LEFT_OUT
from rtfilter.learn.emotions.states import STATES
from rtfilter.learn.emotions.table import LEAST, face_model_hash

TEXT = resources.files("rtfilter.face").joinpath("assets", "emotions.json").read_text(encoding="utf-8")
TABLE: dict[str, Any] = json.loads(TEXT)
ROWS = TABLE["emotions"]


def test_it_was_measured_with_the_built_in_face_model() -> None:
    assert TABLE["version"] == 1
    assert TABLE["face_model"] == face_model_hash(), "python -m rtfilter.learn.emotions.measure makes it anew"
    assert len(TEXT) < 100_000


def test_every_emotion_but_neutral_is_there() -> None:
    assert list(ROWS) == [emotion for emotion in EMOTIONS if emotion != "neutral"]


@pytest.mark.parametrize("emotion", ROWS)
def test_a_row_is_more_than_one_persons_and_names_coefficients(emotion: str) -> None:
    row = ROWS[emotion]
    assert row["people"] >= 2
    assert row["matched_people"] >= 2
    for values in (row["direction"], *row["states"].values()):
        assert set(values) <= set(BLENDSHAPES) - {*GAZE, *LEFT_OUT, *ASIDE}
        assert all(LEAST <= abs(value) <= 1.5 for value in values.values())
    assert set(row["states"]) == set(STATES) == set(row["state_people"])
    assert set(row["spread"]) == set(row["agreement"]) == set(row["direction"])


def test_the_spread_of_two_people_is_no_emotions_own() -> None:
    """Lips that speak were measured on the two matched people alone."""
    assert {row["matched_people"] for row in ROWS.values()} == {2}
    for name in ARTICULATORS:
        assert len({row["spread"][name] for row in ROWS.values() if name in row["spread"]}) <= 1, name


@pytest.mark.parametrize("emotion", ROWS)
def test_both_sides_are_alike_but_in_contempt(emotion: str) -> None:
    direction = ROWS[emotion]["direction"]
    alike = all(direction.get(mirrored_name(name)) == value for name, value in direction.items())
    assert alike == (emotion != "contempt")
    if emotion == "contempt":
        one_sided = ("mouthSmile", "mouthDimple", "mouthUpperUp")
        right, left = (
            sum(direction.get(name + side, 0.0) for name in one_sided) for side in ("Right", "Left")
        )
        assert right > left + 0.1


def test_what_independent_eyes_saw_is_in_it() -> None:
    """By another tracker's scores: upper lip in happy, lids in sad, eyes and brows in angry."""

    def of(emotion: str, name: str) -> float:
        return float(ROWS[emotion]["direction"].get(name, 0.0))

    assert of("happy", "mouthSmileLeft") > 0.3
    assert of("happy", "mouthUpperUpLeft") > 0.2
    assert of("sad", "eyeSquintLeft") + of("sad", "eyeBlinkLeft") > 0.25
    assert of("sad", "mouthFrownLeft") > 0.1
    assert of("sad", "browInnerUp") < 0.5 * of("fearful", "browInnerUp")
    assert of("angry", "browDownLeft") > 0.3
    assert of("angry", "eyeSquintLeft") > 0.2
    assert of("surprised", "browInnerUp") > 0.3
    assert of("disgusted", "mouthUpperUpLeft") > 0.1
    assert ROWS["happy"]["width_ratio"]["mean"] < 1.3
    assert ROWS["happy"]["width_ratio"]["roundest"] <= ROWS["happy"]["width_ratio"]["widest"]


def test_lips_yield_to_speech_and_brows_do_not() -> None:
    gains = TABLE["gains"]
    for state in ("closed", "rounded"):
        assert gains[state]["upper_lip"] < 0.8
        assert gains[state]["brows"] == pytest.approx(1.0, abs=0.15)
    smile = {state: ROWS["happy"]["states"][state].get("mouthSmileLeft", 0.0) for state in STATES}
    assert smile["closed"] < smile["open"]
    assert smile["rounded"] < smile["open"]


def test_onsets_are_quicker_than_offsets() -> None:
    timing = TABLE["timing"]
    assert 0.05 < timing["onset_s"] < timing["offset_s"] < 1.0
    assert np.isfinite(list(timing.values())).all()
