"""Emotions as offsets: nothing from nothing, continuous, symmetric, and never at the cost of speech."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtfilter.controls import BLENDSHAPE_INDEX, BLENDSHAPES, EMOTIONS, INTENSITY_MAX, MIRROR, Controls
from rtfilter.face import emotion
from rtfilter.face import landmarks as lm
from tests.faces import builtin, coefficients, offset_of

FELT = EMOTIONS[:-1]  # neutral alone adds nothing
SPOKEN = [i for i, name in enumerate(BLENDSHAPES) if name.startswith(("jaw", "eyeLook", "tongue"))]
AFFECT = [i for i, name in enumerate(BLENDSHAPES) if name.startswith(emotion.AFFECT)]
REST = np.zeros(52)

expressions = st.lists(st.floats(0.0, 1.0), min_size=52, max_size=52).map(np.array)
mixes = st.lists(st.floats(0.0, 1.5), min_size=len(EMOTIONS), max_size=len(EMOTIONS)).map(np.array)


def target_offset(expression: np.ndarray = REST, **emotions: float) -> np.ndarray:
    return offset_of(emotion.mix(Controls(emotions)), expression)


@given(expressions)
@settings(max_examples=40, deadline=None)
def test_no_target_is_exactly_no_offset(expression: np.ndarray) -> None:
    assert not offset_of(emotion.mix(Controls()), expression).any()
    assert not offset_of(emotion.mix(Controls({"happy": 1.0, "sad": 0.5}, intensity=0.0)), expression).any()


@pytest.mark.parametrize("name", FELT)
def test_every_emotion_moves_something(name: str) -> None:
    assert np.abs(target_offset(**{name: 1.0})).max() > 0.3


def test_every_emotion_has_a_direction() -> None:
    assert set(emotion.measured()) == set(EMOTIONS) - {"neutral"}
    assert set(emotion.EMPHASIS) == set(emotion.ACCENTS) == set(emotion.OPPOSED) == set(emotion.measured())
    assert set(emotion.CIRCUMPLEX) <= set(EMOTIONS)
    assert EMOTIONS[-1] == "neutral"


@pytest.mark.parametrize(
    ("name", "shape"), [(name, shape) for name, shapes in emotion.ACCENTS.items() for shape in shapes]
)
def test_every_accent_does_something(name: str, shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    without = {key: amount for key, amount in emotion.ACCENTS[name].items() if key != shape}
    whole = emotion.directions()  # cached: before the change
    monkeypatch.setattr(emotion, "ACCENTS", {**emotion.ACCENTS, name: without})
    change = np.abs(emotion.directions.__wrapped__() - whole)
    assert change[EMOTIONS.index(name)].max() > 1e-3
    assert not np.delete(change, EMOTIONS.index(name), axis=0).any()


@given(st.sampled_from(EMOTIONS), expressions)
@settings(max_examples=80, deadline=None)
def test_every_blendshape_grows_with_intensity(name: str, expression: np.ndarray) -> None:
    steps = np.array(
        [target_offset(expression, **{name: amount}) for amount in np.linspace(0.0, INTENSITY_MAX, 16)]
    )
    assert (np.diff(np.abs(steps), axis=0) >= -1e-12).all()
    assert (steps * steps[-1] >= 0).all(), "no blendshape changes its direction on the way"


@given(expressions, mixes)
@settings(max_examples=80, deadline=None)
def test_only_contempt_is_lopsided(expression: np.ndarray, amounts: np.ndarray) -> None:
    amounts[EMOTIONS.index("contempt")] = 0.0
    mirrored = offset_of(amounts, expression[list(MIRROR)])[list(MIRROR)]
    assert np.array_equal(mirrored, offset_of(amounts, expression))
    one_sided = target_offset(contempt=1.0)
    assert not np.array_equal(one_sided[list(MIRROR)], one_sided)


@given(expressions, mixes)
@settings(max_examples=80, deadline=None)
def test_an_edit_takes_no_more_than_there_is_and_adds_no_more_than_the_limit(
    expression: np.ndarray, amounts: np.ndarray
) -> None:
    reached = expression + offset_of(amounts, expression)
    assert (reached >= -1e-12).all()
    assert (reached <= emotion.LIMIT + 1e-12).all()


@pytest.mark.parametrize("intensity", [0.5, 1.0, 1.5])
def test_a_smile_on_a_smile_adds_less_than_on_a_straight_face(intensity: float) -> None:
    smiles = ["mouthSmileLeft", "mouthSmileRight"]
    own = np.linspace(0.0, 1.0, 6)
    added = np.array(
        [target_offset(coefficients(mouthSmile=e), happy=intensity)[BLENDSHAPE_INDEX[smiles[0]]] for e in own]
    )
    assert (np.diff(added) < 0).all()
    assert (np.diff(own + added) > 0).all(), "who smiles more still smiles more"
    assert own[-1] + added[-1] < 2.0 * max(own[-1], added[0])


@given(expressions, st.floats(0.0, 1.5))
@settings(max_examples=60, deadline=None)
def test_neutral_draws_back_feeling_and_nothing_else(expression: np.ndarray, amount: float) -> None:
    offset = target_offset(expression, neutral=amount)
    rest = np.setdiff1d(np.arange(52), AFFECT)
    assert not offset[rest].any()
    assert (offset[AFFECT] <= 0).all()
    eyes_open = expression.copy()
    eyes_open[[BLENDSHAPE_INDEX["eyeBlinkLeft"], BLENDSHAPE_INDEX["eyeBlinkRight"]]] = 0.0
    assert eyes_open[AFFECT] + target_offset(eyes_open, neutral=1.0)[AFFECT] == pytest.approx(0.0, abs=1e-12)


@given(expressions, mixes)
@settings(max_examples=60, deadline=None)
def test_jaw_and_gaze_belong_to_the_person(expression: np.ndarray, amounts: np.ndarray) -> None:
    assert not offset_of(amounts, expression)[SPOKEN].any()


@given(expressions, mixes)
@settings(max_examples=60, deadline=None)
def test_closed_lids_stay_closed(expression: np.ndarray, amounts: np.ndarray) -> None:
    expression[[BLENDSHAPE_INDEX["eyeBlinkLeft"], BLENDSHAPE_INDEX["eyeBlinkRight"]]] = 1.0
    offset = offset_of(amounts, expression)
    for name in ("eyeWideLeft", "eyeWideRight", "eyeSquintLeft", "eyeSquintRight"):
        assert offset[BLENDSHAPE_INDEX[name]] == 0.0
    for name in ("eyeBlinkLeft", "eyeBlinkRight"):
        assert offset[BLENDSHAPE_INDEX[name]] <= 0.0, "lowered lids do not press a closed eye"


def test_a_wink_leaves_the_other_eye_alone() -> None:
    offset = target_offset(coefficients(eyeBlinkLeft=1.0), surprised=1.0)
    assert offset[BLENDSHAPE_INDEX["eyeWideLeft"]] == 0.0
    assert (
        offset[BLENDSHAPE_INDEX["eyeWideRight"]]
        == target_offset(surprised=1.0)[BLENDSHAPE_INDEX["eyeWideRight"]]
        > 0
    )


@given(expressions, mixes, st.integers(0, 2**16))
@settings(max_examples=60, deadline=None)
def test_a_small_step_is_a_small_change(expression: np.ndarray, amounts: np.ndarray, seed: int) -> None:
    """Of the mix and of the face alike. No number changes by more than a few times the step."""
    rng = np.random.default_rng(seed)
    before = offset_of(amounts, expression)
    step = 1e-4
    mixed = offset_of(np.maximum(amounts + rng.uniform(-step, step, len(EMOTIONS)), 0.0), expression)
    moved = offset_of(amounts, np.clip(expression + rng.uniform(-step, step, 52), 0.0, 1.0))
    assert np.abs(mixed - before).max() < 20 * step
    assert np.abs(moved - before).max() < 20 * step


@given(st.permutations(FELT), st.floats(1e-6, 1e-4))
@settings(max_examples=40, deadline=None)
def test_small_amounts_mix_linearly(order: list[str], amount: float) -> None:
    """On a face at rest, for what two emotions do not want in opposite directions."""
    one, two = order[:2]
    alone, other = target_offset(**{one: amount}), target_offset(**{two: amount})
    together = target_offset(**{one: amount, two: amount})
    agreed = (emotion.directions()[[EMOTIONS.index(one), EMOTIONS.index(two)]] >= 0).all(0)
    assert agreed.sum() > 20
    assert together[agreed] == pytest.approx((alone + other)[agreed], rel=1e-3, abs=1e-12)
    assert target_offset(**{one: 2 * amount})[agreed] == pytest.approx(2 * alone[agreed], rel=1e-3, abs=1e-12)


def test_intensity_scales_the_whole_mix() -> None:
    controls = Controls({"happy": 0.8, "sad": 0.2}, valence=0.3, arousal=-0.4)
    assert emotion.mix(controls.with_(intensity=0.5)) == pytest.approx(0.5 * emotion.mix(controls))
    assert emotion.mix(controls)[EMOTIONS.index("happy")] > 0.8


def test_the_centre_of_the_circumplex_is_no_edit() -> None:
    assert not emotion.from_valence_arousal(0.0, 0.0).any()
    assert not emotion.mix(Controls(valence=0.0, arousal=0.0)).any()


@given(st.floats(-1.0, 1.0), st.floats(-1.0, 1.0), st.floats(0.0, 2 * np.pi))
@settings(max_examples=200, deadline=None)
def test_a_path_through_the_circumplex_is_a_path_through_expressions(
    valence: float, arousal: float, towards: float
) -> None:
    """Measured over 20 000 pairs: the amounts together change by at most 4.2 times the step."""
    step = 1e-3
    here = emotion.from_valence_arousal(valence, arousal)
    there = emotion.from_valence_arousal(valence + step * np.cos(towards), arousal + step * np.sin(towards))
    assert np.abs(there - here).sum() < 8 * step
    assert (here >= 0).all()


@pytest.mark.parametrize("radius", [1e-12, 1e-6, 1e-3, 0.1])
def test_near_the_centre_the_angle_does_not_matter(radius: float) -> None:
    for angle in np.linspace(0.0, 2 * np.pi, 24):
        amounts = emotion.from_valence_arousal(radius * np.cos(angle), radius * np.sin(angle))
        assert amounts.sum() <= radius


@pytest.mark.parametrize("name", sorted(emotion.CIRCUMPLEX))
def test_an_emotion_leads_in_its_own_direction(name: str) -> None:
    place = np.array(emotion.CIRCUMPLEX[name])
    amounts = emotion.from_valence_arousal(*(place / np.hypot(*place)))
    assert EMOTIONS[int(amounts.argmax())] == name
    assert amounts.sum() == pytest.approx(1.0, abs=1e-6)


def moved(name: str, landmark: int) -> np.ndarray:
    return builtin().displacement_iod(target_offset(**{name: 1.0}))[landmark]


@pytest.mark.parametrize(
    ("name", "landmark", "upwards"),
    [
        ("happy", lm.MOUTH_CORNER_LEFT, True),
        ("sad", lm.MOUTH_CORNER_LEFT, False),
        ("sad", lm.BROW_LEFT_UPPER[-1], True),
        ("angry", lm.BROW_LEFT_UPPER[-1], False),
        ("surprised", lm.BROW_LEFT_UPPER[-1], True),
        ("surprised", lm.BROW_LEFT_UPPER[1], True),
        ("surprised", lm.EYE_LEFT_UPPER[3], True),
        ("fearful", lm.BROW_LEFT_UPPER[-1], True),
        ("fearful", lm.EYE_LEFT_UPPER[3], True),
        ("disgusted", lm.LIPS_OUTER_UPPER[5], True),
        ("contempt", lm.MOUTH_CORNER_RIGHT, True),
    ],
)
def test_an_emotion_looks_like_itself(name: str, landmark: int, upwards: bool) -> None:
    assert (moved(name, landmark)[1] < -0.01) if upwards else (moved(name, landmark)[1] > 0.01)


def test_a_smile_is_wider_and_contempt_one_sided() -> None:
    assert moved("happy", lm.MOUTH_CORNER_LEFT)[0] > 0.01
    assert -moved("contempt", lm.MOUTH_CORNER_RIGHT)[1] > 3 * abs(moved("contempt", lm.MOUTH_CORNER_LEFT)[1])
