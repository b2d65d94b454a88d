"""Operators side by side against the same ones by themselves, in a model of branches like the face mesh's."""

from __future__ import annotations

import numpy as np
import pytest

from rtfilter.engines.onnx import convert
from rtfilter.engines.onnx.groups import Group, side_by_side, without_repeats
from rtfilter.engines.onnx.reader import Model, read_model
from rtfilter.engines.onnx.style import ForProcessor, Plain, Style
from rtfilter.engines.spec import F32
from tests.engines.tflite_files import Array, Step, run_onnx, tflite_file, window_options

LANDMARKS, SIDE, CHANNELS = 12, 14, 4
WIDE = 2 * CHANNELS
STYLES = [Plain(), ForProcessor()]
RNG = np.random.default_rng(8)


def one_by_one(model: Model) -> list[Group]:
    return [(operator,) for operator in model.operators]


class Branches:
    """Three looks at one picture through small networks of one build, the last two in two branches."""

    def __init__(self) -> None:
        self.constants: dict[str, Array] = {
            "pad": np.array([[0, 0], [0, 0], [0, 0], [0, CHANNELS]], np.int32)
        }
        self.steps: list[Step] = []
        self.outputs: list[str] = []
        for lane in "abc":
            self.look(lane)
            for branch in "1" if lane == "a" else "12":
                self.end(lane, lane + branch, points=5 if branch == "1" else 2)

    def weights(self, name: str, *shape: int) -> str:
        self.constants[name] = RNG.normal(0, 0.5, shape).astype(np.float32)
        return name

    def look(self, lane: str) -> None:
        where = {
            "left_rotation_idx": ord(lane) % 5, "right_rotation_idx": 7, "target_rotation_radians": 0.0,
            "scale_x": 1.5, "scale_y": 1.5, "output_width": 4, "output_height": 4,
            "subset_idxs": RNG.choice(LANDMARKS, 4 + ord(lane) % 3, replace=False).tolist(),
        }  # fmt: skip
        read = {"output_height": 4, "output_width": 4}
        depthwise = {**window_options(0, (2, 2)), "depthMultiplier": 1}
        pool = {**window_options(1, (2, 2)), "filterHeight": 2, "filterWidth": 2}
        first = [
            f"r{lane}",
            self.weights(f"dw{lane}", 1, 3, 3, CHANNELS),
            self.weights(f"db{lane}", CHANNELS),
        ]
        second = [
            f"d{lane}",
            self.weights(f"cw{lane}", WIDE, 1, 1, CHANNELS),
            self.weights(f"cb{lane}", WIDE),
        ]
        half, wide = [1, 2, 2, CHANNELS], [1, 2, 2, WIDE]
        self.steps += [
            Step("Landmarks2TransformMatrix", ["landmarks"], f"m{lane}", [1, 4, 4], where, version=2),
            Step(
                "TransformTensorBilinear",
                ["picture", f"m{lane}"],
                f"r{lane}",
                [1, 4, 4, CHANNELS],
                read,
                version=2,
            ),
            Step("DEPTHWISE_CONV_2D", first, f"d{lane}", half, depthwise),
            Step("CONV_2D", second, f"c{lane}", wide, window_options(1, (1, 1))),
            Step("MAX_POOL_2D", [f"r{lane}"], f"x{lane}", half, pool),
            Step("PAD", [f"x{lane}", "pad"], f"q{lane}", wide),
            Step("ADD", [f"q{lane}", f"c{lane}"], f"s{lane}", wide),
            Step("PRELU", [f"s{lane}", self.weights(f"a{lane}", 1, 1, WIDE)], f"g{lane}", wide),
        ]

    def end(self, lane: str, own: str, points: int) -> None:
        flat, rows = [1, 1, 1, 2 * points], [1, points, 2]
        last = [
            f"h{own}",
            self.weights(f"w{own}", 2 * points, 2, 2, WIDE),
            self.weights(f"b{own}", 2 * points),
        ]
        self.steps += [
            Step("PRELU", [f"g{lane}", self.weights(f"e{own}", 1, 1, WIDE)], f"h{own}", [1, 2, 2, WIDE]),
            Step("CONV_2D", last, f"v{own}", flat, window_options(1, (2, 2))),
            Step("RESHAPE", [f"v{own}"], f"p{own}", rows),
            Step("TransformLandmarks", [f"p{own}", f"m{lane}"], f"t{own}", rows, version=2),
            Step("RESHAPE", [f"t{own}"], f"out{own}", flat),
        ]
        self.outputs.append(f"out{own}")

    def file(self) -> bytes:
        shapes = {"landmarks": [1, LANDMARKS, 3], "picture": [1, SIDE, SIDE, CHANNELS]}
        return tflite_file(shapes, self.constants, self.steps, self.outputs)


def scenes(*spreads: float) -> dict[str, F32]:
    """A batch: landmarks around the middle of a picture, so far apart."""
    landmarks = [RNG.normal(SIDE / 2, spread, (LANDMARKS, 3)) for spread in spreads]
    picture = RNG.normal(0, 1, (len(spreads), SIDE, SIDE, CHANNELS))
    return {"landmarks": np.array(landmarks, np.float32), "picture": picture.astype(np.float32)}


@pytest.mark.parametrize("style", STYLES)
def test_lanes_compute_what_the_operators_compute_one_by_one(
    style: Style, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, inputs = Branches().file(), scenes(3.0, 1.0)
    together = run(content, style, **inputs)
    monkeypatch.setattr(convert, "side_by_side", one_by_one)
    alone = run(content, style, **inputs)
    assert len(alone) == 5
    for came, wanted in zip(together, alone, strict=True):
        np.testing.assert_allclose(came, wanted, rtol=0, atol=2e-5)


def test_what_is_alike_stands_side_by_side() -> None:
    model = without_repeats(read_model(Branches().file(), "test"))
    groups = side_by_side(model)
    sizes = {(group[0].kind, len(group)) for group in groups}
    assert {("TransformTensorBilinear", 3), ("ADD", 3), ("TransformLandmarks", 5), ("CONV_2D", 5)} <= sizes
    assert not {kind for kind, size in sizes if size == 1}
    assert sorted(map(id, model.operators)) == sorted(id(operator) for group in groups for operator in group)


def test_what_is_computed_twice_is_computed_once() -> None:
    steps = [
        Step("RELU", ["x"], "a", [1, 2, 2, 3]),
        Step("RELU", ["x"], "b", [1, 2, 2, 3]),
        Step("ADD", ["a", "b"], "y", [1, 2, 2, 3]),
    ]
    content = tflite_file({"x": [1, 2, 2, 3]}, {}, steps)
    assert [operator.kind for operator in without_repeats(read_model(content, "test")).operators] == [
        "RELU",
        "ADD",
    ]
    x = RNG.normal(0, 1, (1, 2, 2, 3)).astype(np.float32)
    (y,) = run(content, Plain(), x=x)
    np.testing.assert_allclose(y, 2 * np.maximum(x, 0))


def run(content: bytes, style: Style, **inputs: F32) -> list[Array]:
    return list(run_onnx(content, inputs, style).values())
