"""The expression graph as plans for many faces at once; tests/engines/test_builder.py has every target."""

from __future__ import annotations

import pytest

from rtfilter.engines.expression.layout import EXPRESSION
from rtfilter.engines.trt.builder import build_plan
from rtfilter.engines.trt.flavour import Flavour
from rtfilter.engines.trt.plans import FP32
from tests.engines.expression_streams import builtin_graph


@pytest.mark.parametrize("batch", [4, 64])
@pytest.mark.parametrize("target", ["sm75", "sm89"])
def test_it_builds_for_many_faces(rtx: Flavour, target: str, batch: int) -> None:
    """Measured: 1 to 3 s, 8 to 12 MB."""
    plan = build_plan(builtin_graph(), EXPRESSION, batch, FP32, target, rtx)
    assert 1e6 < len(plan) < 40e6
