"""TFLite files as they are, and as they should not be: read whole, or refused in one line, and soon."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtfilter.engines.onnx.face_graphs import face_detector, face_mesh
from rtfilter.engines.onnx.reader import read_model
from rtfilter.engines.prepare.models import DETECTOR, MESH, ModelFile, tflite_model
from rtfilter.errors import InputError
from tests.engines.tflite_files import Step, tflite_file, window_options

BOTH = [DETECTOR, MESH]
# A whole mesh takes 0.06 s to read; the rest is for a busy machine.
SOON_S = 10.0


def small_file() -> bytes:
    weights = np.random.default_rng(0).normal(0, 1, (4, 3, 3, 2)).astype(np.float32)
    constants = {"w": weights, "b": np.zeros(4, np.float32)}
    step = Step("CONV_2D", ["x", "w", "b"], "y", [1, 3, 3, 4], window_options(0, (2, 2)))
    return tflite_file({"x": [1, 5, 6, 2]}, constants, [step])


def test_a_file_is_read_as_it_was_written() -> None:
    model = read_model(small_file(), "small")
    assert [tensor.name for tensor in model.tensors] == ["x", "w", "b", "y"]
    assert (model.inputs, model.outputs) == ((0,), (3,))
    (operator,) = model.operators
    assert (operator.kind, operator.inputs, operator.outputs) == ("CONV_2D", (0, 1, 2), (3,))
    assert operator.options["Padding"] == "SAME"
    assert operator.options["StrideH"] == 2
    assert operator.options["FusedActivationFunction"] == "NONE"
    weights = model.tensors[1].data
    assert weights is not None
    assert weights.shape == (4, 3, 3, 2)
    assert model.tensors[0].data is None


@pytest.mark.parametrize("model", BOTH, ids=lambda model: model.name)
def test_mediapipes_models_are_understood(model: ModelFile) -> None:
    read = read_model(tflite_model(model, print), model.name)
    kinds = {operator.kind for operator in read.operators}
    assert "CONV_2D" in kinds
    assert not {kind for kind in kinds if kind.startswith("operator ")}


@pytest.mark.parametrize("model", BOTH, ids=lambda model: model.name)
@pytest.mark.parametrize("share", [0.0, 0.0001, 0.01, 0.3, 0.5, 0.9, 0.99, 0.9999])
def test_a_truncated_model_is_refused(model: ModelFile, share: float) -> None:
    whole = tflite_model(model, print)
    with pytest.raises(InputError, match=r"^cut: "):
        read_model(whole[: int(share * len(whole))], "cut")


@pytest.mark.parametrize(
    "content", [b"", b"TFL3", bytes(8), b"\0" * 4 + b"TFL3" + b"\xff" * 64, b"PK\3\4" * 9]
)
def test_what_is_no_model_is_refused(content: bytes) -> None:
    with pytest.raises(InputError, match=r"^thing: .*"):
        read_model(content, "thing")


def complaint(action: Callable[[], object]) -> str:
    """What our error says; "" where there is none. Any other error is the test's failure."""
    try:
        action()
    except InputError as error:
        return str(error)
    return ""


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damaged_bytes_are_refused_or_harmless_and_soon(data: st.DataObject) -> None:
    """Any error but ours, or a loop over a length that the file cannot have, fails here."""
    content = bytearray(small_file())
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place] = data.draw(st.sampled_from([0x00, 0x01, 0x7F, 0x80, 0xFF]))
    started_s = time.monotonic()
    assert "\n" not in complaint(lambda: read_model(bytes(content), "damaged"))
    assert time.monotonic() - started_s < SOON_S


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_a_damaged_real_model_ends_in_a_file_or_in_one_line(data: st.DataObject) -> None:
    """Down to the ONNX file: the tables of the model lie before and behind its weights."""
    model, make = data.draw(st.sampled_from([(DETECTOR, face_detector), (MESH, face_mesh)]))
    content = bytearray(tflite_model(model, print))
    tables = [*range(60_000), *range(len(content) - 60_000, len(content))]
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.sampled_from(tables))] ^= data.draw(st.integers(1, 255))
    started_s = time.monotonic()
    assert "\n" not in complaint(lambda: make(bytes(content), "damaged"))
    assert time.monotonic() - started_s < SOON_S


def test_a_constant_shorter_than_its_shape_is_refused() -> None:
    """Its last number is cut off: the length of the vector before it says one number less."""
    content = bytearray(small_file())
    weights = np.random.default_rng(0).normal(0, 1, (4, 3, 3, 2)).astype(np.float32).tobytes()
    place = bytes(content).index(weights)
    content[place - 4 : place] = (len(weights) - 4).to_bytes(4, "little")
    with pytest.raises(InputError, match=r"tensor w: 284 bytes for float32 \[4, 3, 3, 2\]"):
        read_model(bytes(content), "cut")
