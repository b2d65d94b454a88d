"""The expression graph with the learned editor in it, against NumPy: whole streams, with all that happens."""

from __future__ import annotations

import pytest

from rtfilter.cpu.followed import Followed
from rtfilter.engines.expression.graph import expression_graph
from rtfilter.engines.expression.host import TargetWriter
from rtfilter.engines.expression.layout import EXPRESSION, model_key
from rtfilter.engines.ort.cpu import OnnxRunner
from rtfilter.face.learned_weights import EditorWeights
from rtfilter.face.skin import SkinMaps
from tests.engines.expression_streams import GraphStream, NumpyStream, differences
from tests.engines.heads import SIZE, head
from tests.engines.test_expression import MEASURED, eventful
from tests.faces import builtin

# The editor follows each frame's coefficients, on which the lanes agree to 9e-5; the formula smooths them.
LEARNED = {"offset": 1e-4, "displacement_iod": 7e-6}
MODEL = builtin().with_editor(EditorWeights.builtin())


def streams() -> tuple[NumpyStream, GraphStream]:
    """Both lanes with the editor; the graph's host says so too."""
    numpy, graph = NumpyStream(), GraphStream(runner=OnnxRunner(expression_graph(MODEL), EXPRESSION))
    numpy._lane._people = Followed(MODEL, 0.2, SkinMaps.builtin(), alone=True)
    graph._writer = TargetWriter(0.2, learned=True)
    return numpy, graph


@pytest.mark.parametrize("seed", range(2))
def test_the_lanes_agree(seed: int) -> None:
    numpy, graph = streams()
    worst: dict[str, float] = {}
    edited = 0
    for points, controls, time_s in eventful(head(seed, 240)):
        if controls.bypass:
            numpy.restart()
            graph.restart()
            continue
        one, two = (stream.step(points, controls, SIZE, time_s) for stream in (numpy, graph))
        edited += one.offset is not None and bool(abs(one.offset).max() > 0.05)
        for name, off in differences(one, two).items():
            worst[name] = max(worst.get(name, 0.0), off)
    assert edited > 100
    for name, off in worst.items():
        assert off <= 3 * (MEASURED | LEARNED)[name], (name, worst)


def test_another_editor_is_another_network() -> None:
    assert model_key(MODEL) != model_key(builtin())
    assert expression_graph(MODEL) != expression_graph(builtin())
