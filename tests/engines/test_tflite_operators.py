"""Each operator's ONNX nodes against what TFLite's own runtime computes with the same file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtfilter.engines.onnx.style import ForProcessor, Plain
from rtfilter.engines.spec import F32
from rtfilter.errors import InputError
from tests.engines.tflite_files import (
    Array,
    Step,
    converted,
    run_onnx,
    run_tflite,
    tflite_file,
    window_options,
)

SAME, VALID = 0, 1
NONE, RELU, RELU_N1_TO_1, RELU6, TANH = range(5)
# Sums of up to some hundred products of numbers about 1, in another order: measured 4e-6 at most.
TOLERANCE = 2e-5
RNG = np.random.default_rng(4)


def noise(*shape: int) -> F32:
    return RNG.normal(0, 1, shape).astype(np.float32)


def check(
    inputs: Mapping[str, Sequence[int]], constants: Mapping[str, Array], steps: Sequence[Step]
) -> dict[str, Array]:
    """Both styles agree with TFLite, for each of three inputs and for all three as one batch."""
    content = tflite_file(inputs, constants, steps)
    wanted = []
    fed = [{name: noise(*shape) for name, shape in inputs.items()} for _ in range(3)]
    for one in fed:
        wanted.append(run_tflite(content, one))
        for style in (Plain(), ForProcessor()):
            came = run_onnx(content, one, style)
            for name, array in wanted[-1].items():
                assert came[name].shape == array.shape
                np.testing.assert_allclose(came[name], array, rtol=0, atol=TOLERANCE)
    together = {name: np.concatenate([one[name] for one in fed]) for name in inputs}
    for name, array in run_onnx(content, together, Plain()).items():
        expected = np.concatenate([one[name] for one in wanted])
        np.testing.assert_allclose(array, expected, rtol=0, atol=TOLERANCE)
    return wanted[0]


def reach(size: int, kernel: int, stride: int, padding: int, dilation: int = 1) -> int:
    covered = (kernel - 1) * dilation + 1
    return -(-size // stride) if padding == SAME else (size - covered) // stride + 1


@settings(max_examples=40, deadline=None)
@given(
    size=st.tuples(st.integers(5, 11), st.integers(5, 11)),
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 2),
    padding=st.sampled_from([SAME, VALID]),
    channels=st.sampled_from([(3, 5), (4, 8), (1, 1)]),
    multiplier=st.sampled_from([0, 1, 2]),
)
def test_convolutions_pad_as_tflite_does(
    size: tuple[int, int],
    kernel: tuple[int, int],
    stride: int,
    dilation: int,
    padding: int,
    channels: tuple[int, int],
    multiplier: int,
) -> None:
    """multiplier 0: a full convolution; else a depthwise one with so many filters a channel."""
    if (kernel[0] - 1) * dilation >= size[0] or (kernel[1] - 1) * dilation >= size[1]:
        dilation = 1
    stride = stride if dilation == 1 else 1  # TFLite's own kernels know no other pair
    inner, outer = channels
    options = window_options(padding, (stride, stride))
    options |= {"dilationHFactor": dilation, "dilationWFactor": dilation}
    if multiplier:
        outer, weights = inner * multiplier, noise(1, *kernel, inner * multiplier)
        options["depthMultiplier"] = multiplier
    else:
        weights = noise(outer, *kernel, inner)
    shape = [1, *(reach(n, k, stride, padding, dilation) for n, k in zip(size, kernel, strict=True)), outer]
    kind = "DEPTHWISE_CONV_2D" if multiplier else "CONV_2D"
    step = Step(kind, ["x", "w", "b"], "y", shape, options)
    check({"x": [1, *size, inner]}, {"w": weights, "b": noise(outer)}, [step])


@pytest.mark.parametrize("activation", [NONE, RELU, RELU_N1_TO_1, RELU6])
@pytest.mark.parametrize("kind", ["CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D", "ADD", "MUL"])
def test_fused_activations(kind: str, activation: int) -> None:
    options: dict[str, int] = {"fusedActivationFunction": activation}
    names, constants = ["x", "c"], {"c": 4 * noise(1, 6, 6, 4)}
    if kind == "CONV_2D":
        names, constants = ["x", "w", "b"], {"w": 4 * noise(4, 1, 1, 4), "b": noise(4)}
        options |= window_options(VALID, (1, 1), activation)
    elif kind == "DEPTHWISE_CONV_2D":
        names, constants = ["x", "w", "b"], {"w": 4 * noise(1, 1, 1, 4), "b": noise(4)}
        options |= {**window_options(VALID, (1, 1), activation), "depthMultiplier": 1}
    elif kind == "MAX_POOL_2D":
        names, constants = ["x"], {}
        options |= {**window_options(SAME, (1, 1), activation), "filterHeight": 2, "filterWidth": 2}
    y = check({"x": [1, 6, 6, 4]}, constants, [Step(kind, names, "y", [1, 6, 6, 4], options)])["y"]
    assert {NONE: True, RELU: y.min() == 0, RELU_N1_TO_1: abs(y).max() == 1, RELU6: y.min() == 0}[activation]


@pytest.mark.parametrize("padding", [SAME, VALID])
@pytest.mark.parametrize("size", [(6, 6), (7, 5)])
def test_max_pool(padding: int, size: tuple[int, int]) -> None:
    options = {**window_options(padding, (2, 2)), "filterHeight": 2, "filterWidth": 2}
    shape = [1, *(reach(n, 2, 2, padding) for n in size), 3]
    check({"x": [1, *size, 3]}, {}, [Step("MAX_POOL_2D", ["x"], "y", shape, options)])


def test_weights_of_half_width() -> None:
    options = window_options(SAME, (2, 2))
    constants = {"w16": noise(8, 3, 3, 3).astype(np.float16), "b16": noise(8).astype(np.float16)}
    steps = [
        Step("DEQUANTIZE", ["w16"], "w", [8, 3, 3, 3]),
        Step("DEQUANTIZE", ["b16"], "b", [8]),
        Step("CONV_2D", ["x", "w", "b"], "y", [1, 5, 5, 8], options),
    ]
    check({"x": [1, 10, 10, 3]}, constants, steps)


def test_relu_and_prelu_with_slopes_of_any_sign() -> None:
    slopes = np.array([-4.2, 0.0, 0.25, 1.0, 6.2], np.float32).reshape(1, 1, 5)
    steps = [Step("PRELU", ["x", "a"], "p", [1, 4, 6, 5]), Step("RELU", ["p"], "y", [1, 4, 6, 5])]
    check({"x": [1, 4, 6, 5]}, {"a": slopes}, steps[:1])
    check({"x": [1, 4, 6, 5]}, {"a": slopes}, steps)


@pytest.mark.parametrize("widths", [[[0, 0], [0, 0], [0, 0], [0, 4]], [[0, 0], [1, 2], [3, 0], [2, 1]]])
def test_pad(widths: list[list[int]]) -> None:
    shape = [n + sum(width) for n, width in zip([1, 4, 5, 3], widths, strict=True)]
    check({"x": [1, 4, 5, 3]}, {"p": np.array(widths, np.int32)}, [Step("PAD", ["x", "p"], "y", shape)])


@pytest.mark.parametrize("axis", [1, 2, 3, -1])
def test_concatenation_of_pictures(axis: int) -> None:
    shapes = {"a": [1, 2, 3, 4], "b": [1, 2, 3, 4]}
    shape = [1, 2, 3, 4]
    shape[axis] *= 2
    check(shapes, {}, [Step("CONCATENATION", ["a", "b"], "y", shape, {"axis": axis})])


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ([1, 4, 4, 6], [1, 32, 3]),  # pixels to rows of numbers: TFLite's order must be kept
        ([1, 1, 1, 12], [1, 4, 3]),
        ([1, 4, 3], [1, 1, 1, 12]),
        ([1, 4, 6], [1, 2, 2, 6]),
        ([1, 2, 6, 2], [1, 3, 4, 2]),
        ([1, 4, 4, 1], [1, 16, 1]),
    ],
)
def test_reshape_keeps_the_order(source: list[int], target: list[int]) -> None:
    step = Step("RESHAPE", ["x", "s"], "y", target, {"newShape": target})
    check({"x": source}, {"s": np.array(target, np.int32)}, [step])


@pytest.mark.parametrize(
    ("shape", "begin", "end", "stride", "made"),
    [
        ([1, 1, 1, 9], [0, 0, 0, 0], [1, 1, 1, 9], [1, 1, 1, 1], [1, 1, 1, 9]),
        ([1, 6, 7, 4], [0, 1, 2, 1], [1, 6, 7, 4], [1, 2, 3, 1], [1, 3, 2, 3]),
        ([1, 8, 3], [0, -4, 0], [1, -1, 2], [1, 1, 1], [1, 3, 2]),
    ],
)
def test_strided_slice(
    shape: list[int], begin: list[int], end: list[int], stride: list[int], made: list[int]
) -> None:
    limits = {
        name: np.array(values, np.int32) for name, values in zip("bes", (begin, end, stride), strict=True)
    }
    check(
        {"x": shape},
        limits,
        [Step("STRIDED_SLICE", ["x", *"bes"], "y", made, {"beginMask": 1, "endMask": 1})],
    )


@pytest.mark.parametrize("shape", [[1], [1, 1, 3], [1, 5, 3]])
def test_product_with_a_constant(shape: list[int]) -> None:
    check({"x": [1, 5, 3]}, {"c": noise(*shape)}, [Step("MUL", ["x", "c"], "y", [1, 5, 3])])


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (Step("SOFTMAX", ["x"], "y", [1, 4, 4, 3]), "SOFTMAX is not known; known: ADD, "),
        (Step("ADD", ["x", "x"], "y", [1, 4, 4, 3], {"fusedActivationFunction": TANH + 1}), "SIGN_BIT"),
        (Step("RESHAPE", ["x"], "y", [48, 1]), "the batch must stay"),
        (Step("PRELU", ["x", "full"], "y", [1, 4, 4, 3]), "one slope a channel"),
        (Step("CONV_2D", ["x", "full", "b"], "y", [1, 4, 4, 3], window_options(SAME, (1, 1))), "makes y"),
        (Step("DEQUANTIZE", ["b"], "y", [3]), "expected float16"),
        (Step("CONCATENATION", ["x", "x"], "y", [2, 4, 4, 3], {"axis": 0}), "batch cannot be joined"),
    ],
)
def test_what_cannot_be_written_is_refused(step: Step, said: str) -> None:
    content = tflite_file({"x": [1, 4, 4, 3]}, {"full": noise(4, 4, 5), "b": noise(3)}, [step])
    with pytest.raises(InputError, match=said):
        converted(content, Plain())
