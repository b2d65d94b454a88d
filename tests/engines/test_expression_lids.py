"""The room of the lids as a graph, against NumPy: also for a model whose mean face has its eyes shut."""

from __future__ import annotations

import numpy as np
import pytest

from rtfilter.controls import BLENDSHAPE_COUNT
from rtfilter.engines.expression.edit import lid_room
from rtfilter.engines.expression.values import Formula
from rtfilter.engines.onnx.graph import OnnxGraph
from rtfilter.engines.ort.cpu import OnnxRunner
from rtfilter.engines.spec import NetworkSpec, TensorSpec
from rtfilter.face import lids
from tests.faces import builtin

MEAN = builtin().mean_iod.astype(np.float64)
SPEC = NetworkSpec(
    name="lids",
    version=1,
    inputs=(TensorSpec("neutral", (None, MEAN.size), "IOD"),),
    outputs=(TensorSpec("room", (None, BLENDSHAPE_COUNT), "0..1"),),
    half=False,
)


def narrowed(share: float) -> np.ndarray:
    shape = MEAN.copy()
    for upper, lower in ((lids.LEFT_UPPER, lids.LEFT_LOWER), (lids.RIGHT_UPPER, lids.RIGHT_LOWER)):
        shape[upper, 1] += share * (MEAN[lower, 1] - MEAN[upper, 1])
    return shape


@pytest.mark.parametrize("shut", [0.0, 1.0, 1.2])
def test_the_lanes_agree_on_the_room_of_the_lids(shut: float) -> None:
    f = Formula(graph := OnnxGraph())
    lid_room(f.input("neutral"), narrowed(shut)).called("room")
    runner = OnnxRunner(graph.finish(SPEC, "lids"), SPEC)
    for share in (0.0, 0.3, 0.6):
        person = narrowed(share).astype(np.float32)
        got = runner.run(neutral=person.reshape(1, -1))["room"][0]
        np.testing.assert_allclose(got, lids.room(person.astype(np.float64), narrowed(shut)), atol=1e-6)
        assert shut == 0.0 or (got == 1.0).all()  # any eyes are wider than the model's
