"""Networks of users: every layout is read from the file, and what is no such network is one clear line."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from rtfilter.errors import InputError, MissingExtraError, RtfilterError
from rtfilter.quality.judges.card import Card, card_path, read_card
from rtfilter.quality.judges.emotion import EmotionJudge
from rtfilter.quality.judges.identity import open_descriptor
from rtfilter.quality.judges.network import open_network
from rtfilter.quality.judges.picture import PictureInput
from tests.engines.tflite_files import Step, tflite_file, window_options
from tests.quality.judges.nets import FLOAT, UINT8, brightness, linear, plain, save

COLOURS = np.zeros((8, 8, 3), np.uint8)
COLOURS[:, :4] = (255, 0, 51)  # left half: red 1, green 0, blue 0.2


@pytest.mark.parametrize(
    ("shape", "kind", "card", "expected"),
    [
        ([1, 1, 8, 8], FLOAT, Card(low=0, high=1), 0.5 * (0.299 + 0.114 * 0.2)),
        ([1, 8, 8, 1], FLOAT, Card(low=0, high=1), 0.5 * (0.299 + 0.114 * 0.2)),
        (["batch", 3, 8, 8], FLOAT, Card(low=0, high=1), 0.2),
        ([1, 8, 8, 3], FLOAT, Card(low=0, high=255), 51.0),
        ([1, 3, 8, 8], FLOAT, Card(low=-1, high=1), -0.6),
        ([1, 3, 8, 8], UINT8, Card(low=-1, high=1), 51.0),  # bytes are pixels, whatever the range
        ([1, 3, 8, 8], FLOAT, Card(mean=(0.5, 0.0, 0.1), std=(0.5, 1.0, 0.1)), (0.0 + 0.0 + 0.0) / 3),
    ],
)
def test_range_and_layout(tmp_path: Path, shape: list[int], kind: int, card: Card, expected: float) -> None:
    network = open_network(brightness(tmp_path / "net.onnx", shape, [1.0], kind=kind))
    picture = PictureInput.of(network, card)
    assert picture.side_px == 8
    (answer,) = network.run(picture.values(COLOURS)[None])
    assert float(answer[0, 0]) == pytest.approx(expected, rel=0.02, abs=1e-4)


@pytest.mark.parametrize("shape", [[1, 3, 8, 8], [1, 8, 8, 3]])
def test_places_and_channels_arrive_where_they_belong(tmp_path: Path, shape: list[int]) -> None:
    # One output a channel of the left half, one of the right half's red.
    weights = np.zeros((*shape[1:], 4))
    if shape[1] == 3:
        for channel in range(3):
            weights[channel, :, :4, channel] = 1 / 32
        weights[0, :, 4:, 3] = 1 / 32
    else:
        for channel in range(3):
            weights[:, :4, channel, channel] = 1 / 32
        weights[:, 4:, 0, 3] = 1 / 32
    network = open_network(linear(tmp_path / "net.onnx", shape, weights.reshape(-1, 4)))
    for bgr, expected in ((False, [1, 0, 0.2, 0]), (True, [0.2, 0, 1, 0])):
        picture = PictureInput.of(network, Card(low=0, high=1, bgr=bgr))
        (answer,) = network.run(picture.values(COLOURS)[None])
        np.testing.assert_allclose(answer[0], expected, atol=1e-3)


def tflite_brightness(path: Path, side: int = 8) -> Path:
    """A TFLite network: mean of the grey picture times 1, 2 and -1."""
    kernel = np.ones((3, side, side, 1), np.float32) / side**2 * np.float32([1, 2, -1])[:, None, None, None]
    step = Step("CONV_2D", ["x", "kernel", "bias"], "y", [1, 1, 1, 3], window_options(1, (1, 1)))
    constants = {"kernel": kernel, "bias": np.zeros(3, np.float32)}
    path.write_bytes(tflite_file({"x": [1, side, side, 1]}, constants, [step]))
    return path


def test_tflite_runs_whatever_its_file_is_called(tmp_path: Path) -> None:
    network = open_network(tflite_brightness(tmp_path / "net.bin"))
    picture = PictureInput.of(network, Card(low=0, high=1))
    assert (picture.side_px, picture.channels, picture.channels_first) == (8, 1, False)
    (answer,) = network.run(picture.values(np.full((8, 8, 3), 102, np.uint8))[None])
    np.testing.assert_allclose(answer.ravel(), [0.4, 0.8, -0.4], atol=1e-6)


def test_without_the_runtime_a_tflite_file_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tflite_brightness(tmp_path / "net.tflite")
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(MissingExtraError, match="pip install ai-edge-litert, or give the network as ONNX"):
        open_network(path)


def test_without_dlib_its_file_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "net.dat"
    path.write_bytes(b"some network of dlib")
    monkeypatch.setitem(sys.modules, "dlib", None)
    with pytest.raises(MissingExtraError, match=r"net\.dat is a network of dlib.*pip install dlib-bin"):
        open_descriptor(path)


def missing(path: Path) -> None:
    return


def folder(path: Path) -> None:
    path.mkdir()


def empty(path: Path) -> None:
    path.touch()


def text(path: Path) -> None:
    path.write_text("<html>404</html>")


def keras(path: Path) -> None:
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(200))


def cut_off(path: Path) -> None:
    brightness(path, [1, 1, 8, 8], [1.0, 2.0])
    path.write_bytes(path.read_bytes()[:-100])


def false_tflite(path: Path) -> None:
    path.write_bytes(bytes([28, 0, 0, 0]) + b"TFL3" + bytes(range(200)))


def flat(path: Path) -> None:
    brightness(path, [1, 64], [1.0, 2.0])


def oblong(path: Path) -> None:
    brightness(path, [1, 3, 8, 16], [1.0, 2.0])


def five_channels(path: Path) -> None:
    brightness(path, [1, 5, 8, 8], [1.0, 2.0])


def batch_of_four(path: Path) -> None:
    brightness(path, [4, 3, 8, 8], [1.0, 2.0])


def free_size(path: Path) -> None:
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["y"]),
    ]
    save(path, {"x": (FLOAT, [1, 3, "h", "w"])}, {"y": [1, 3]}, nodes, {})


def two_inputs(path: Path) -> None:
    shapes = {"x": (FLOAT, [1, 3, 8, 8]), "y": (FLOAT, [1, 3, 8, 8])}
    save(path, shapes, {"z": [1, 3, 8, 8]}, [helper.make_node("Add", ["x", "y"], ["z"])], {})


def not_a_number(path: Path) -> None:
    # The root of minus a square.
    steps = [("Flatten", "x", "a"), ("Abs", "a", "b"), ("Neg", "b", "c"), ("Sqrt", "c", "y")]
    nodes = [helper.make_node(kind, [before], [after]) for kind, before, after in steps]
    save(path, {"x": (FLOAT, [1, 1, 8, 8])}, {"y": [1, 64]}, nodes, {})


def of_integers(path: Path) -> None:
    nodes = [helper.make_node("Cast", ["x"], ["y"], to=FLOAT)]
    save(path, {"x": (7, [1, 1, 8, 8])}, {"y": [1, 1, 8, 8]}, nodes, {})


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (missing, "no such file"),
        (folder, "is a folder"),
        (empty, "is empty"),
        (text, "cannot be loaded as ONNX"),
        (keras, "not one of PyTorch or Keras; export it first"),
        (cut_off, "cannot be loaded as ONNX"),
        (false_tflite, "cannot be loaded as TFLite"),
        (flat, r"takes float32 \[1, 64\]; expected one square picture"),
        (oblong, "a picture of 16x8; expected one square picture"),
        (five_channels, r"takes float32 \[1, 5, 8, 8\]; expected"),
        (batch_of_four, r"takes float32 \[4, 3, 8, 8\]; expected"),
        (free_size, '"size_px": SIDE'),
        (two_inputs, r"has 2 inputs \(x float32 \[1, 3, 8, 8\], y"),
        (not_a_number, "NaN or infinity"),
        (of_integers, r"takes tensor\(int64\), expected tensor\(float\)"),
    ],
)
@pytest.mark.parametrize("judge", [EmotionJudge, open_descriptor])
def test_what_is_no_such_network_is_one_line(
    tmp_path: Path, make: Callable[[Path], None], expected: str, judge: Callable[[Path], object]
) -> None:
    path = tmp_path / "net.onnx"
    make(path)
    with pytest.raises(RtfilterError, match=expected) as raised:
        judge(path)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_free_size_is_that_of_the_card(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    free_size(path)
    card_path(path).write_text('{"size_px": 24}')
    picture = PictureInput.of(open_network(path), read_card(path, Card()))
    assert picture.side_px == 24


def test_a_card_says_what_the_file_cannot(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    assert read_card(path, Card(low=0.0)) == Card(low=0.0)
    document = {
        "range": [0, 255],
        "colour": "bgr",
        "crop": {"side_iod": 3, "down_iod": 0.5},
        "labels": ["happy", "sad"],
    }
    card_path(path).write_text(json.dumps(document))
    found = read_card(path, Card(low=-1.0, high=1.0))
    assert (found.low, found.high, found.bgr, found.side_iod, found.down_iod) == (0, 255, True, 3, 0.5)
    assert found.labels == ("happy", "sad")


def test_a_card_may_ask_for_grey_in_all_channels(tmp_path: Path) -> None:
    path = brightness(tmp_path / "net.onnx", [1, 3, 8, 8], [1.0])
    card_path(path).write_text('{"colour": "grey", "range": [0, 255]}')
    picture = PictureInput.of(open_network(path), read_card(path, Card()))
    seen = picture.values(plain((200, 100, 10), 8, 8))
    assert seen.shape == (3, 8, 8)
    np.testing.assert_allclose(seen, round(0.299 * 200 + 0.587 * 100 + 0.114 * 10), atol=0.6)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ("{", "cannot be read as JSON"),
        ("[1]", "expected an object"),
        ('{"label": ["a"]}', r"unknown key 'label'\. did you mean 'labels'"),
        ('{"labels": []}', "labels: expected a list of names"),
        ('{"range": [1, 0]}', r"range: expected \[black, white\], rising, got \[1, 0\]"),
        ('{"range": [true, 2]}', "range: expected"),
        ('{"mean": [0.5]}', "mean and std belong together"),
        ('{"mean": [0.5, 0.5], "std": [1, 1]}', "mean: expected one number or three"),
        ('{"mean": [0.5], "std": [0]}', "std: expected"),
        ('{"colour": "sepia"}', "colour: expected"),
        ('{"size_px": 2}', "size_px: expected a whole number"),
        ('{"crop": {"side_iod": 0, "down_iod": 0}}', "crop: expected"),
        ('{"crop": 2}', "crop: expected"),
    ],
)
def test_a_wrong_card_is_one_line(tmp_path: Path, document: str, expected: str) -> None:
    path = tmp_path / "net.onnx"
    card_path(path).write_text(document)
    with pytest.raises(InputError, match=expected) as raised:
        read_card(path, Card())
    assert "net.onnx.json" in str(raised.value)
