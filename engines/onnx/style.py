"""Operators with one form for GPUs and one for processors, of the same result. Called by `onnx`."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from onnx import TensorProto

from rtfilter.engines.onnx.graph import OnnxGraph

_OUTSIDE = 4.0  # in GridSample's units, where -1..1 is the picture: so far out that only zeros are read


class Style(Protocol):
    def prelu(self, graph: OnnxGraph, value: str, slopes: npt.NDArray[Any]) -> str:
        """max(x, 0) + slope * min(x, 0), one slope a channel; slopes: [channels]."""
        ...

    def sample(
        self, graph: OnnxGraph, value: str, shape: tuple[int, int, int], places: str, lanes: int
    ) -> str:
        """Read a picture between its pixels.

        shape: channels, height, width of `value`. places: [batch, lanes, n, xy], pixel centres at integers.
        Returns [batch, lanes, channels, n]: bilinear inside, 0 for a place beyond the outer pixels' centres.
        """
        ...


class Plain:
    """ONNX's own operators, which TensorRT has kernels for."""

    def prelu(self, graph: OnnxGraph, value: str, slopes: npt.NDArray[Any]) -> str:
        return graph.add("PRelu", [value, graph.constant(slopes.reshape(-1, 1, 1))])

    def sample(
        self, graph: OnnxGraph, value: str, shape: tuple[int, int, int], places: str, lanes: int
    ) -> str:
        _, height, width = shape
        halves = np.array([width - 1, height - 1], dtype=np.float32) / 2
        grid = graph.add("Sub", [graph.add("Div", [places, graph.constant(halves)]), graph.constant(1.0)])
        farthest = graph.add("ReduceMax", [graph.add("Abs", [grid])], axes=[3], keepdims=1)
        outside = graph.add("Greater", [farthest, graph.constant(1.0)])
        grid = graph.add("Where", [outside, graph.constant(_OUTSIDE), grid])
        read = graph.add(
            "GridSample", [value, grid], mode="bilinear", padding_mode="zeros", align_corners=1
        )  # [B, channels, lanes, n]
        return graph.add("Transpose", [read], perm=[0, 2, 1, 3])


class ForProcessor:
    """What ONNX Runtime computes quickly on a processor.

    Its fast convolutions keep pictures in blocks of channels. PRelu does not support these, so it costs two
    conversions, and it is slow besides; as convolutions of single channels it needs no conversion.
    GridSample goes through the picture channel by channel.
    """

    def prelu(self, graph: OnnxGraph, value: str, slopes: npt.NDArray[Any]) -> str:
        factors = slopes.astype(np.float32).reshape(-1, 1, 1, 1)
        linear = _scaled(graph, value, factors)
        if np.all(slopes <= 1):
            # (1 - slope) max(x, 0) = max((1 - slope) x, 0), and a convolution's ReLU costs nothing.
            bent = graph.add("Relu", [_scaled(graph, value, 1 - factors)])
        else:
            bent = _scaled(graph, graph.add("Relu", [value]), 1 - factors)
        return graph.add("Add", [bent, linear])

    def sample(
        self, graph: OnnxGraph, value: str, shape: tuple[int, int, int], places: str, lanes: int
    ) -> str:
        channels, height, width = shape
        # The channels of a pixel lie together here, and are taken from the four pixels around each place.
        pixels = graph.add("Transpose", [value], perm=[0, 2, 3, 1])
        pixels = graph.reshape(pixels, [0, height * width, channels])
        xy = graph.add("Transpose", [graph.reshape(places, [0, -1, 2])], perm=[0, 2, 1])  # [B, xy, lanes * n]
        corner = graph.add("Floor", [xy])
        first = graph.add("Mul", [corner, graph.constant([[1.0], [float(width)]])])
        first = graph.add("ReduceSum", [first, graph.constant([1], np.int64)], keepdims=1)
        four = graph.add("Add", [first, graph.constant([[0.0], [1.0], [float(width)], [width + 1.0]])])
        # Places beyond the last row and column have the weight 0, and so have all outside the picture.
        four = graph.add("Clip", [four, graph.constant(0.0), graph.constant(height * width - 1.0)])
        four = graph.reshape(graph.add("Cast", [four], to=int(TensorProto.INT64)), [0, -1, 1])
        taken = graph.reshape(graph.add("GatherND", [pixels, four], batch_dims=1), [0, 4, -1, channels])
        weighed = graph.add("Mul", [taken, _weights(graph, xy, corner, (height, width))])
        # A sum over four rows, as a product, which takes a quarter of ReduceSum's time.
        read = graph.add("MatMul", [graph.constant([[1.0] * 4]), graph.reshape(weighed, [0, 4, -1])])
        return graph.add("Transpose", [graph.reshape(read, [0, lanes, -1, channels])], perm=[0, 1, 3, 2])


def _scaled(graph: OnnxGraph, value: str, factors: npt.NDArray[Any]) -> str:
    """Each channel times its factor, [channels, 1, 1, 1]."""
    return graph.add("Conv", [value, graph.constant(factors)], group=len(factors), kernel_shape=[1, 1])


def _weights(graph: OnnxGraph, xy: str, corner: str, side: tuple[int, int]) -> str:
    """[B, 4, n, 1]: of the pixels around each place, row by row; 0 for a place beyond the outer centres."""
    high = graph.add("Sub", [xy, corner])
    low = graph.add("Sub", [graph.constant(1.0), high])
    columns = graph.add("Concat", [graph.slice(low, 1, 0, 1), graph.slice(high, 1, 0, 1)], axis=1)
    rows = graph.add("Concat", [graph.slice(low, 1, 1, 2), graph.slice(high, 1, 1, 2)], axis=1)
    last = graph.constant([[side[1] - 1.0], [side[0] - 1.0]])
    short = graph.add("Min", [xy, graph.add("Sub", [last, xy])])
    nearest = graph.add("ReduceMin", [short], axes=[1], keepdims=1)
    inside = graph.add("GreaterOrEqual", [nearest, graph.constant(0.0)])
    rows = graph.add("Mul", [rows, graph.add("Cast", [inside], to=int(TensorProto.FLOAT))])
    rows = graph.add("Unsqueeze", [rows, graph.constant([2], np.int64)])
    columns = graph.add("Unsqueeze", [columns, graph.constant([1], np.int64)])
    return graph.reshape(graph.add("Mul", [rows, columns]), [0, 4, -1, 1])
