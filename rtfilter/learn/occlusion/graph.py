"""The occlusion network as an ONNX file, with weights of 16 bits that are widened when it is loaded."""

from __future__ import annotations

from typing import Final

import numpy as np
from torch import Tensor, nn

from rtfilter.engines.networks import OCCLUSION
from rtfilter.engines.onnx.graph import OnnxGraph
from rtfilter.learn.occlusion.network import (
    ALIKE,
    AROUND_PX,
    CHANNELS_OUT,
    DARK,
    DIFFERENCE,
    LEAST_KNOWN,
    SHUFFLE,
    STEEP,
    UNLIKE,
    Block,
    Conv,
    Layer,
    OcclusionNetwork,
)  # fmt: skip

CENTRE: Final = 0.5  # taken from every input


def occlusion_graph(network: OcclusionNetwork, comment: str) -> bytes:
    """The file. network: in evaluation mode."""
    writer = Writer()
    graph = writer.graph
    value = writer.stack(network.fine, writer.conv(network.stem, writer.compared()))
    kept = [value]
    for down, deep in zip(network.down, network.deep, strict=True):
        kept.append(writer.stack(deep, writer.stack(down, kept[-1])))
    value = kept.pop()
    for up, merge in reversed(list(zip(network.up, network.merge, strict=True))):
        larger = writer.enlarged(writer.stack(up, value))
        joined = graph.add("Relu", [graph.add("Add", [larger, kept.pop()])])
        value = writer.stack(merge, joined)
    last = network.head
    assert last.bias is not None
    logits = writer.layer(Layer(last.weight, last.bias, 1, 1), value)
    value = graph.add("Sub", [logits, writer.alike()])
    value = graph.add("DepthToSpace", [value], blocksize=SHUFFLE, mode="CRD")
    graph.add("Sigmoid", [value], OCCLUSION.outputs[0].name)
    return graph.finish(OCCLUSION, comment)


class Writer:
    """Layers of the network as nodes of a graph."""

    def __init__(self) -> None:
        self.graph = OnnxGraph()

    def compared(self) -> str:
        """See `network.compared`."""
        graph, pixels = self.graph, OCCLUSION.inputs[0].name
        seen, look, known = (graph.slice(pixels, 1, *ends) for ends in ((0, 3), (3, 6), (6, 7)))
        apart = graph.add("Abs", [graph.add("Sub", [seen, look])])
        self._off, self._look, self._known = graph.add("Mul", [apart, known]), look, known
        gained = graph.add("Mul", [self._off, graph.constant(DIFFERENCE)])
        centred = graph.add("Sub", [pixels, graph.constant(CENTRE)])
        return graph.add("Concat", [centred, gained], axis=1)

    def alike(self) -> str:
        """What `network.likeness` takes from the last layer's channels; after `compared`."""
        graph, constant = self.graph, self.graph.constant
        off, look, known = (self._mean(one, 2, 2, 0) for one in (self._off, self._look, self._known))
        bright = graph.add("Add", [graph.add("ReduceMean", [look], axes=[1]), constant(DARK)])
        share = graph.add("Div", [graph.add("ReduceMax", [off], axes=[1]), bright])
        near, there = (self._mean(one, AROUND_PX, 1, AROUND_PX // 2) for one in (share, known))
        there = graph.add("Max", [there, constant(LEAST_KNOWN)])
        unlike = graph.add("Mul", [graph.add("Div", [near, there]), constant(STEEP / UNLIKE)])
        alike = graph.add("Clip", [graph.add("Sub", [constant(STEEP), unlike]), constant(0.0), constant(1.0)])
        first = np.zeros((1, CHANNELS_OUT * SHUFFLE**2, 1, 1), np.float32)
        first[:, : SHUFFLE**2] = ALIKE
        return graph.add("Mul", [graph.add("Mul", [alike, known]), constant(first)])

    def _mean(self, value: str, side: int, stride: int, reach: int) -> str:
        return self.graph.add(
            "AveragePool",
            [value],
            kernel_shape=[side] * 2,
            strides=[stride] * 2,
            pads=[reach] * 4,
            count_include_pad=1,
        )

    def stack(self, module: nn.Module, value: str) -> str:
        """Any part that is a chain of convolutions and blocks."""
        if isinstance(module, nn.Sequential):
            for one in module:
                value = self.stack(one, value)
            return value
        if isinstance(module, Block):
            moved = self.conv(module.point, self.conv(module.deep, value))
            return self.graph.add("Relu", [self.graph.add("Add", [moved, value])])
        assert isinstance(module, Conv)
        return self.conv(module, value)

    def conv(self, conv: Conv, value: str) -> str:
        value = self.layer(conv.plain(), value)
        return self.graph.add("Relu", [value]) if conv.active else value

    def layer(self, layer: Layer, value: str) -> str:
        reach = layer.kernel.shape[-1] // 2
        return self.graph.add(
            "Conv",
            [value, self._weights(layer.kernel), self.graph.constant(layer.bias.detach().numpy())],
            kernel_shape=list(layer.kernel.shape[2:]),
            strides=[layer.stride] * 2,
            pads=[reach] * 4,
            group=layer.groups,
        )

    def enlarged(self, value: str) -> str:
        """Twice as large, each pixel repeated."""
        scales = self.graph.constant([1.0, 1.0, 2.0, 2.0])
        how = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        return self.graph.add("Resize", [value, "", scales], **how)

    def _weights(self, kernel: Tensor) -> str:
        narrow = self.graph.constant(kernel.detach().numpy(), np.float16)
        return self.graph.add("Cast", [narrow], to=1)  # float32
