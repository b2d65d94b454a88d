"""MediaPipe's own operators against their formulas, written out one number at a time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtfilter.engines.onnx.style import ForProcessor, Plain, Style
from rtfilter.engines.spec import F32
from rtfilter.errors import InputError
from tests.engines.tflite_files import Array, Step, converted, run_onnx, tflite_file

COUNT = 12  # landmarks
SIDE, CHANNELS, READ = 14, 4, 6
STYLES = [Plain(), ForProcessor()]
RNG = np.random.default_rng(7)
WHERE: dict[str, Any] = {
    "left_rotation_idx": 2,
    "right_rotation_idx": 5,
    "target_rotation_radians": 0.0,
    "scale_x": 1.5,
    "scale_y": 1.25,
    "output_width": READ,
    "output_height": READ,
    "subset_idxs": [0, 3, 4, 7, 9],
}


def matrix(landmarks: F32, options: dict[str, Any]) -> Array:
    """Landmarks2TransformMatrix, version 2: shift, turn, scale, shift, each as a 4x4 matrix."""
    left, right = landmarks[options["left_rotation_idx"]], landmarks[options["right_rotation_idx"]]
    angle = options["target_rotation_radians"] - math.atan2(right[1] - left[1], right[0] - left[0])
    turned = [turn(angle) @ [*landmarks[i, :2], 0, 1] for i in options["subset_idxs"]]
    high, low = np.max(turned, axis=0), np.min(turned, axis=0)
    centre = turn(-angle) @ [*((high + low) / 2)[:2], 0, 1]
    width, height = options["output_width"], options["output_height"]
    scale = np.diag([
        options["scale_x"] * (high - low)[0] / width, options["scale_y"] * (high - low)[1] / height, 1, 1,
    ])  # fmt: skip
    return shift(centre[0], centre[1]) @ turn(-angle) @ scale @ shift(-width / 2, -height / 2)


def turn(angle: float) -> Array:
    result = np.eye(4)
    result[:2, :2] = [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    return result


def shift(x: float, y: float) -> Array:
    result = np.eye(4)
    result[:2, 3] = x, y
    return result


def read_at(picture: F32, picture_from_read: Array, side: int) -> Array:
    """TransformTensorBilinear, version 2, of [rows, columns, channels]."""
    rows, columns, channels = picture.shape
    result = np.zeros((side, side, channels))
    for i in range(side):
        for j in range(side):
            x, y = (picture_from_read @ [j + 0.5, i + 0.5, 0, 1])[:2] - 0.5
            if not (0 <= x <= columns - 1 and 0 <= y <= rows - 1):
                continue
            x0, y0 = math.floor(x), math.floor(y)
            for dy, dx in [(0, 0), (0, 1), (1, 0), (1, 1)]:
                weight = (1 - abs(x - x0 - dx)) * (1 - abs(y - y0 - dy))
                if weight > 0:
                    result[i, j] += weight * picture[y0 + dy, x0 + dx]
    return result


def attention_file(options: dict[str, Any], factor: Array | None = None) -> bytes:
    """Landmarks and a picture in; what is read, and points carried back through the scaled matrix, out."""
    steps = [
        Step("Landmarks2TransformMatrix", ["landmarks"], "m", [1, 4, 4], options, version=2),
        Step("TransformTensorBilinear", ["picture", "m"], "read", [1, READ, READ, CHANNELS],
             {"output_height": READ, "output_width": READ}, version=2),
        Step("MUL", ["m", "factor"], "scaled", [1, 4, 4]),
        Step("TransformLandmarks", ["points", "scaled"], "back", [1, 4, 2], version=2),
    ]  # fmt: skip
    shapes = {"landmarks": [1, COUNT, 3], "picture": [1, SIDE, SIDE, CHANNELS], "points": [1, 4, 2]}
    factor = np.ones((1, 4, 4), np.float32) if factor is None else factor
    return tflite_file(shapes, {"factor": factor}, steps, ["read", "back"])


def scene(spread: float = 3.0, centre: float = SIDE / 2) -> dict[str, F32]:
    made = {
        "landmarks": RNG.normal(centre, spread, (1, COUNT, 3)),
        "picture": RNG.normal(0, 1, (1, SIDE, SIDE, CHANNELS)),
        "points": RNG.uniform(0, READ, (1, 4, 2)),
    }
    return {name: array.astype(np.float32) for name, array in made.items()}


@settings(max_examples=30, deadline=None)
@given(
    spread=st.floats(0.05, 8),
    centre=st.floats(-10, 25),
    target=st.sampled_from([0.0, 0.7, -2.0]),
    style=st.sampled_from(STYLES),
)
def test_operators_follow_their_formulas(spread: float, centre: float, target: float, style: Style) -> None:
    """Inside, across the border, and far outside of the picture."""
    inputs, options = scene(spread, centre), {**WHERE, "target_rotation_radians": target}
    factor = RNG.uniform(0.5, 4, (1, 4, 4)).astype(np.float32)
    read, back = run(attention_file(options, factor), style, **inputs)
    wanted = matrix(inputs["landmarks"][0], options)
    exact = read_at(inputs["picture"][0], wanted, READ)
    # Beside the outer pixels' centres the rounding of a place decides between a value and nothing.
    unsure = abs(exact) - abs(read[0])
    agree = abs(read[0] - exact) < 2e-4
    assert agree.mean() > 0.97, unsure
    carried = [(factor[0] * wanted) @ [*point, 0, 1] for point in inputs["points"][0]]
    np.testing.assert_allclose(back[0], np.array(carried)[:, :2], rtol=1e-5, atol=2e-4)


def test_both_styles_read_the_same_and_a_batch_as_its_parts() -> None:
    content = attention_file(WHERE)
    scenes = [scene(), scene(0.5, 2.0), scene(6.0)]
    together = {name: np.concatenate([one[name] for one in scenes]) for name in scenes[0]}
    batch = run(content, Plain(), **together)
    single = [run(content, Plain(), **one) for one in scenes]
    joined = [np.concatenate(parts) for parts in zip(*single, strict=True)]
    for results in (joined, run(content, ForProcessor(), **together)):
        for came, wanted in zip(results, batch, strict=True):
            np.testing.assert_allclose(came, wanted, rtol=0, atol=5e-5)


@pytest.mark.parametrize("style", STYLES)
def test_landmarks_in_one_point_read_that_point(style: Style) -> None:
    """No extent, and no line to turn upright: the mark of a network that saw nothing."""
    inputs = scene()
    inputs["landmarks"][:] = 3.5
    read, back = run(attention_file(WHERE), style, **inputs)
    np.testing.assert_allclose(read[0], np.broadcast_to(inputs["picture"][0, 3, 3], read[0].shape), atol=1e-5)
    np.testing.assert_allclose(back, 3.5, atol=1e-5)


@pytest.mark.parametrize("style", STYLES)
def test_places_far_away_read_zeros_not_rubbish(style: Style) -> None:
    read, _ = run(attention_file(WHERE), style, **scene(centre=1e6))
    assert not read.any()
    read, _ = run(attention_file(WHERE), style, **scene(centre=-1e6))
    assert not read.any()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"subset_idxs": [0, COUNT]}, "expected some of 12 landmarks"),
        ({"subset_idxs": []}, "Landmarks2TransformMatrix that makes m"),
        ({"left_rotation_idx": -1}, "expected some of 12 landmarks"),
        ({"scale_x": None}, "scale_x"),
    ],
)
def test_options_that_make_no_sense_are_refused(change: dict[str, Any], said: str) -> None:
    options = {name: value for name, value in {**WHERE, **change}.items() if value is not None}
    with pytest.raises(InputError, match=said):
        converted(attention_file(options), Plain())


def test_another_version_of_an_operator_is_refused() -> None:
    step = Step("TransformLandmarks", ["p", "m"], "y", [1, 4, 2], version=1)
    with pytest.raises(InputError, match="expected version 2"):
        converted(tflite_file({"p": [1, 4, 2], "m": [1, 4, 4]}, {}, [step]), Plain())


def run(content: bytes, style: Style, **inputs: F32) -> list[Array]:
    return list(run_onnx(content, inputs, style).values())
