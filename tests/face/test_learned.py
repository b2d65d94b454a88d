"""The learned editor at work: files that are none are refused; without a request the face stays."""

from __future__ import annotations

import io
import logging
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rtfilter.controls import BLENDSHAPES, EMOTIONS, Controls
from rtfilter.errors import InputError, UsageError
from rtfilter.face.edit import FaceEditor
from rtfilter.face.fit import FaceState
from rtfilter.face.landmarks import LIPS_INNER_LOWER
from rtfilter.face.learned import LearnedEditor
from rtfilter.face.learned_weights import EditorWeights, face_model_key, named_editor
from rtfilter.face.mouth import MouthGuard, lip_gaps
from rtfilter.face.pose import Pose
from rtfilter.filter import FaceFilter
from rtfilter.frame import Frame
from tests.faces import ScriptedTracker, builtin, coefficients, face_px, texture, with_expression

WEIGHTS = EditorWeights.builtin()
MODEL = builtin().with_editor(WEIGHTS)
FPS = 30.0


def changed(**arrays: Any) -> bytes:
    """The committed editor with some arrays replaced; None leaves one out."""
    with np.load(io.BytesIO(WEIGHTS.to_bytes())) as archive:
        values: dict[str, Any] = {key: archive[key] for key in archive.files} | arrays
    file = io.BytesIO()
    np.savez(file, **{key: value for key, value in values.items() if value is not None})
    return file.getvalue()


def face(expression: np.ndarray) -> FaceState:
    neutral = builtin().mean_iod.astype(np.float64)
    pose = Pose(np.eye(3), np.zeros(3), 100.0)
    shape = with_expression(neutral, expression)
    return FaceState(pose, np.zeros(len(builtin().identity_scale)), expression, shape, neutral, 0.0)


def talked(controls: Controls, frames: int = 45, model: Any = MODEL) -> np.ndarray:
    """Offsets of a mouth that opens and closes, [frames, 52]."""
    editor = FaceEditor(model, 0.0)
    state, offsets = editor.first_state(), []
    for k in range(frames):
        seen = coefficients(jawOpen=0.5 * max(np.sin(0.6 * k), 0.0))
        offset, state = editor.step(state, face(seen), controls, 1.0, k / FPS)
        offsets.append(offset)
    return np.array(offsets)


def test_the_committed_editor_was_trained_on_the_committed_face_model() -> None:
    assert WEIGHTS.face_model == face_model_key(builtin().expression_basis), (
        "the face model has changed: train the editor again, as docs/model-cards/editor.md says"
    )
    assert "rtfilter learn editor" in WEIGHTS.made_by


def test_a_saved_editor_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    path.write_bytes(WEIGHTS.to_bytes())
    for again in (EditorWeights.load(path), named_editor(str(path))):
        assert again is not None
        assert again.key == WEIGHTS.key
        assert (again.face_model, again.made_by) == (WEIGHTS.face_model, WEIGHTS.made_by)
    assert named_editor("closed") is None
    assert named_editor(" Learned ") is WEIGHTS


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no editor, or a damaged one"),
        (WEIGHTS.to_bytes()[:2000], "no editor, or a damaged one"),
        (changed(version=np.array(9)), "editor format 9, expected 1"),
        (changed(version=None), "no editor, or a damaged one"),
        (changed(base=None), r"base is .* expected finite float \[8, 52\]"),
        (changed(base=np.full((8, 52), np.nan, np.float32)), "base is"),
        (changed(last=np.zeros((3, 3), np.float32)), "last is"),
        (changed(first=np.zeros((64, 77), object)), "no editor, or a damaged one"),
        (changed(tau_s=np.zeros(0, np.float32)), "a memory of 0 numbers, expected 1..32"),
        (changed(tau_s=np.full(99, 1.0, np.float32)), "a memory of 99 numbers"),
        (changed(tau_s=np.full(len(WEIGHTS.tau_s), 1e-9, np.float32)), "a time constant is below"),
    ],
)
def test_what_is_no_editor_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(InputError, match=said):
        EditorWeights.from_bytes(data, "a file")


def test_names_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"unknown editor 'learnt': did you mean 'learned'\?") as caught:
        named_editor("learnt")
    assert str(caught.value).endswith("Or the path of a .npz file of `rtfilter learn export`.")
    with pytest.raises(InputError, match="cannot read the editor"):
        named_editor(str(tmp_path / "none.npz"))


def test_an_editor_of_another_face_model_is_told(caplog: pytest.LogCaptureFixture) -> None:
    other = EditorWeights.from_bytes(changed(face_model=np.array("another")), "a file")
    with caplog.at_level(logging.WARNING, "rtfilter.face"):
        builtin().with_editor(other)
    assert "trained on another face model" in caplog.text


@pytest.mark.parametrize(
    "controls", [Controls(), Controls({"happy": 1.0}, intensity=0.0), Controls(mouth=0.0)]
)
def test_no_request_is_exactly_no_edit(controls: Controls) -> None:
    assert not talked(controls).any()


def test_a_filter_without_a_request_hands_back_the_very_pixels() -> None:
    frames = [Frame.from_rgb(texture(seed=k), pts=k * 33_000_000, seq=k) for k in range(3)]
    with FaceFilter(lane="cpu", tracker=ScriptedTracker([face_px()]), editor="learned", fade_s=0.0) as one:
        for frame in frames:
            out, report = one.step(frame, Controls({"happy": 0.0, "sad": 1.0}, intensity=0.0))
            assert report.landmarks is not None
            assert out.changed is None
            assert np.array_equal(out.rgb, frame.rgb)
        later = Frame.from_rgb(texture(seed=9), pts=400_000_000, seq=3)
        # Nothing covers the face that the tracker tells of.
        changed, _ = one.step(later, Controls({"happy": 1.0}, mouth=0.3, occlusion=False))
        assert changed.changed is not None


@pytest.mark.parametrize(
    ("model", "editor", "kept"),
    [(MODEL, None, True), (MODEL, "closed", False), (None, None, False), (builtin(), "learned", True)],
)
def test_the_editor_is_the_named_one_else_the_models(model: Any, editor: str | None, kept: bool) -> None:
    tracker = ScriptedTracker([face_px()])
    controls, seen = Controls({"happy": 1.0}, mouth=0.3), Frame.from_rgb(texture(seed=1), pts=0, seq=0)
    with FaceFilter(lane="cpu", tracker=tracker, model=model, editor=editor, fade_s=0.0) as one:
        edited, _ = one.step(seen, controls)
    with FaceFilter(
        lane="cpu",
        tracker=ScriptedTracker([face_px()]),
        model=builtin(),
        editor="learned" if kept else "closed",
        fade_s=0.0,
    ) as other:
        assert np.array_equal(edited.rgb, other.step(seen, controls)[0].rgb)


def test_a_filter_says_what_is_wrong_with_its_editor(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read the editor"):
        FaceFilter(lane="cpu", tracker=ScriptedTracker([None]), editor=str(tmp_path / "none.npz"))


def test_offsets_by_name_are_those_of_the_closed_form() -> None:
    controls = Controls(blendshapes={"browInnerUp": 0.6, "mouthSmile": 0.3}, mouth=0.5)
    np.testing.assert_allclose(talked(controls), talked(controls, model=builtin()), atol=1e-12)


@pytest.mark.parametrize("emotion", EMOTIONS[:-1])
def test_every_emotion_shows_and_grows(emotion: str) -> None:
    quiet, full = (talked(Controls({emotion: level}, mouth=0.3)) for level in (0.5, 1.0))
    motion = [np.linalg.norm(builtin().displacement_iod(each[-1])) for each in (quiet, full)]
    assert motion[1] > 1.3 * motion[0] > 0.0


def test_closed_lips_stay_closed_at_any_setting() -> None:
    gaps, rest = MouthGuard(builtin()).gap_rows, face(coefficients())
    shut = rest.shape_iod.copy()
    shut[list(LIPS_INNER_LOWER), 1] -= lip_gaps(shut)
    closed = replace(rest, shape_iod=shut)
    for emotion in EMOTIONS[:-1]:
        for mouth in (0.0, 0.5, 1.0):
            editor = FaceEditor(MODEL, 0.0)
            controls = Controls({emotion: 1.5}, mouth=mouth)
            offset, _ = editor.step(editor.first_state(), closed, controls, 1.0, 0.0)
            assert np.abs(gaps @ offset).max() < 0.006, (emotion, mouth)


def test_a_request_arrives_at_once_on_the_first_frame_and_smoothly_later() -> None:
    editor = LearnedEditor(WEIGHTS)
    happy = np.array([float(name == "happy") for name in EMOTIONS])
    rest, state = coefficients(), editor.first_state()
    first, state = editor.step(state, rest, happy, 0.5, 0.5, 0.0)
    assert np.abs(first).max() > 0.1
    following = [first]
    for k in range(1, 40):
        offset, state = editor.step(state, rest, 0.0 * happy, 0.5, 0.5, k / FPS)
        following.append(offset)
    smile = np.array(following)[:, BLENDSHAPES.index("mouthSmileLeft")]
    assert (np.diff(smile) < 1e-9).all()
    assert 0.5 * smile[0] < smile[2] < smile[0]
    assert smile[-1] < 0.05 * smile[0]


def test_a_pause_or_a_step_back_starts_anew() -> None:
    editor, rest = LearnedEditor(WEIGHTS), coefficients(jawOpen=0.4)
    ones = np.ones(len(EMOTIONS)) * 0.3
    fresh, _ = editor.step(editor.first_state(), rest, ones, 0.5, 0.5, 9.0)
    for time_s in (9.0, 3.0):
        _, state = editor.step(editor.first_state(), coefficients(), 0.0 * ones, 0.5, 0.5, 4.0)
        offset, _ = editor.step(state, rest, ones, 0.5, 0.5, time_s)
        np.testing.assert_allclose(offset, fresh, atol=1e-12)


def test_a_frame_takes_a_fifth_of_a_millisecond_at_most() -> None:
    """Measured 26 us on one core; the best of many, since other programs run beside."""
    editor, amounts = LearnedEditor(WEIGHTS), np.full(len(EMOTIONS), 0.5)
    state, seen, best = editor.first_state(), coefficients(jawOpen=0.3), 1.0
    for k in range(300):
        start = time.perf_counter()
        _, state = editor.step(state, seen, amounts, 0.5, 0.5, k / FPS)
        best = min(best, time.perf_counter() - start)
    assert best < 2e-4
