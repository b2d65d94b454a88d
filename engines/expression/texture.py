"""The texture network as a graph: how an edit of the expression changes a person's skin, by their StyleGAN.

The generator runs twice, for the expression before and after, and the difference of the two log textures
comes out. `learn.texture.export` writes such a file; `expression.texture_delta` runs it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.controls import BLENDSHAPE_COUNT
from rtfilter.engines.onnx.graph import OnnxGraph
from rtfilter.engines.spec import NetworkSpec, TensorSpec

F32 = npt.NDArray[np.float32]

VERSION: Final = 1
FORMAT: Final = "rtfilter texture"
# As `learn.texture.network` has them.
SLOPE: Final = 0.2
EPSILON: Final = 1e-8
# Of the channels, in what is called luminance.
LUMINANCE: Final = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class PersonCode:
    """One person in W+. latent: [R, D], at expression 0. directions: [52, R * D]. low, high: [52], the range
    of each coefficient that is known of them; beyond it the texture stays as it is at its end."""

    latent: F32
    directions: F32
    low: F32
    high: F32


def texture_spec(size: int) -> NetworkSpec:
    """The interface of a network for maps of `size` texels a side."""
    return NetworkSpec(
        name="texture",
        version=VERSION,
        inputs=(
            TensorSpec("expression", (None, BLENDSHAPE_COUNT), "coefficients before the edit, 0..1"),
            TensorSpec("offset", (None, BLENDSHAPE_COUNT), "what the edit adds to them"),
        ),
        outputs=(
            TensorSpec("gain_log", (None, size, size), "log gain of luminance, in the UV of face.uv"),
            TensorSpec("colour", (None, 3), "share of each channel in it"),
        ),
        half=True,
    )


def texture_graph(
    weights: Mapping[str, F32], person: PersonCode, mask: F32, colour: F32, scale: float, made_by: str
) -> bytes:
    """The ONNX file.

    weights: of the generator, by the names of `learn.texture.network.Generator.weights`. mask: [S, S], of
    the skin. colour: [3]. scale: log gain of one unit of what is generated.
    """
    graph = OnnxGraph()
    count, width = person.latent.shape
    before = _latents(graph, "expression", person)
    after = _latents(graph, graph.add("Add", ["expression", "offset"]), person)
    parts = [_generated(graph, weights, codes, count, width) for codes in (after, before)]
    change = graph.add("Sub", parts)
    shares = np.array(LUMINANCE, np.float32).reshape(1, 3, 1, 1)
    grey = graph.add("Conv", [change, graph.constant(shares)])
    gain = graph.add("Mul", [grey, graph.constant(scale * mask[None, None])])
    graph.add("Squeeze", [gain, graph.constant([1], np.int64)], "gain_log")
    nothing = graph.add("Mul", [graph.slice("offset", 1, 0, 3), graph.constant(0.0)])
    graph.add("Add", [nothing, graph.constant(colour.reshape(1, 3))], "colour")
    return graph.finish(texture_spec(len(mask)), f"{FORMAT} {VERSION}, made by {made_by}")


def _latents(graph: OnnxGraph, expression: str, person: PersonCode) -> str:
    """W+ of an expression, [B, R * D]."""
    within = graph.add("Max", [expression, graph.constant(person.low[None])])
    within = graph.add("Min", [within, graph.constant(person.high[None])])
    moved = graph.add("MatMul", [within, graph.constant(person.directions)])
    return graph.add("Add", [moved, graph.constant(person.latent.reshape(1, -1))])


def _generated(graph: OnnxGraph, weights: Mapping[str, F32], codes: str, count: int, width: int) -> str:
    """What the generator makes of W+ without noise, [B, 3, S, S]."""
    x, picture = graph.constant(weights["constant"]), ""
    for number in range(count):
        w = graph.slice(codes, 1, number * width, (number + 1) * width)
        if number:
            x, picture = _doubled(graph, x), _doubled(graph, picture)
        for part in ("first", "second"):
            x = _activated(graph, _modulated(graph, weights, f"{number}.{part}", x, w, True))
        x = graph.add("Add", [x, graph.constant(weights[f"{number}.fixed"])])
        own = _modulated(graph, weights, f"{number}.picture", x, w, False)
        picture = graph.add("Add", [picture, own]) if picture else own
    return picture


def _modulated(
    graph: OnnxGraph, weights: Mapping[str, F32], name: str, x: str, w: str, demodulate: bool
) -> str:
    kernel, bias = weights[f"{name}.kernel"], weights[f"{name}.bias"]
    matrix = graph.add("MatMul", [w, graph.constant(weights[f"{name}.style"].T)])
    style = graph.add("Add", [matrix, graph.constant(weights[f"{name}.style_bias"][None])])
    scaled = graph.add("Mul", [x, graph.reshape(style, [0, kernel.shape[1], 1, 1])])
    pad = kernel.shape[2] // 2
    y = graph.add(
        "Conv", [scaled, graph.constant(kernel)], pads=[pad] * 4, kernel_shape=list(kernel.shape[2:])
    )
    if demodulate:
        power = np.square(kernel).sum((2, 3)).T
        total = graph.add("MatMul", [graph.add("Mul", [style, style]), graph.constant(power)])
        root = graph.add("Sqrt", [graph.add("Add", [total, graph.constant(EPSILON)])])
        y = graph.add("Div", [y, graph.reshape(root, [0, kernel.shape[0], 1, 1])])
    return graph.add("Add", [y, graph.constant(bias.reshape(1, -1, 1, 1))])


def _activated(graph: OnnxGraph, x: str) -> str:
    leaky = graph.add("LeakyRelu", [x], alpha=SLOPE)
    return graph.add("Mul", [leaky, graph.constant(math.sqrt(2.0))])


def _doubled(graph: OnnxGraph, x: str) -> str:
    scales = graph.constant([1.0, 1.0, 2.0, 2.0])
    return graph.add("Resize", [x, "", scales], mode="linear", coordinate_transformation_mode="half_pixel")
