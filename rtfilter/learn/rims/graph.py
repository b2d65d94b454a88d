"""The rims' network as an ONNX file, with weights of 16 bits that are widened when it is loaded."""

from __future__ import annotations

from rtfilter.engines.networks import RIMS
from rtfilter.learn.occlusion.graph import Writer
from rtfilter.learn.occlusion.network import Layer
from rtfilter.learn.rims.network import RimsNetwork


def rims_graph(network: RimsNetwork, comment: str) -> bytes:
    """The file. network: in evaluation mode."""
    writer = Writer()
    graph = writer.graph
    kept = [writer.stack(network.stem, graph.add("Sub", [RIMS.inputs[0].name, graph.constant(0.5)]))]
    for down in network.down:
        kept.append(writer.stack(down, kept[-1]))
    value = kept.pop()
    worn, rims = network.worn, network.head
    assert worn.bias is not None
    assert rims.bias is not None
    mean = graph.add("ReduceMean", [value], axes=[2, 3], keepdims=1)
    answer = graph.reshape(writer.layer(Layer(worn.weight, worn.bias, 1, 1), mean), (-1, 1))
    graph.add("Sigmoid", [answer], RIMS.outputs[1].name)
    for up, merge in reversed(list(zip(network.up, network.merge, strict=True))):
        larger = writer.enlarged(writer.stack(up, value))
        value = writer.stack(merge, graph.add("Relu", [graph.add("Add", [larger, kept.pop()])]))
    value = writer.layer(Layer(rims.weight, rims.bias, 1, 1), value)
    graph.add("Sigmoid", [value], RIMS.outputs[0].name)
    return graph.finish(RIMS, comment)
