"""The expression graph on turned heads with covered parts, against the editor itself."""

from __future__ import annotations

import numpy as np
import pytest

from rtfilter.controls import Controls
from rtfilter.engines.expression.layout import TARGET
from rtfilter.face.edit import FaceEditor, Held
from rtfilter.face.fit import FaceFit
from rtfilter.face.landmarks import share_inside
from rtfilter.face.skin import SkinMaps
from rtfilter.face.visibility import ALL_PARTS, PART_COUNT
from tests.engines.expression_streams import GraphStream
from tests.engines.heads import FPS, SIZE, head
from tests.faces import builtin

LIGHT = np.array([0.4, -0.2, 0.1, -0.15], np.float32)


@pytest.mark.parametrize("seed", range(2))
def test_parts_and_turned_heads_are_numpys(seed: int) -> None:
    """Heads that turn as far as 75 degrees, and parts that come and go. Measured: 1.2e-6 IOD, and 2e-6 of the
    log gain and 8e-6 of the weights of the skin's maps."""
    fit, editor = FaceFit(builtin()), FaceEditor(builtin(), 0.2, SkinMaps.builtin())
    person, state = fit.first_identity(), editor.first_state()
    graph, rng = GraphStream(light=LIGHT), np.random.default_rng(seed)
    target, parts, shares = Controls({"surprised": 1.0}, mouth=0.3), ALL_PARTS, []
    for k, points in enumerate(head(seed, 120)):
        if k % 10 == 5:
            parts = rng.uniform(0.0, 1.0, PART_COUNT).astype(np.float32)
        graph.parts = parts
        shown = graph.step(points, target, SIZE, k / FPS)
        face, person = fit.step(person, points, k / FPS)
        offset, state = editor.step(state, face, target, share_inside(points, *SIZE), k / FPS)
        wanted = editor.displace(state, Held(face, points, offset, target.skin, LIGHT, parts))
        assert shown.displacement is not None
        came = shown.displacement
        apart_px = np.abs(came.offset_px - wanted.offset_px).max()
        assert apart_px <= 4e-6 * wanted.iod_px
        assert np.abs(came.gain_log - wanted.gain_log).max() <= 8e-6
        assert np.abs(came.skin_weights - wanted.skin_weights).max() <= 3e-5
        shares.append(np.linalg.norm(wanted.offset_px, axis=1).max() / wanted.iod_px)
    assert max(shares) > 0.02  # something was moved


def test_the_row_says_all_parts_unless_it_is_told() -> None:
    graph = GraphStream()
    graph.step(head(0, 1)[0], Controls({"happy": 1.0}), SIZE, 0.0)
    assert (TARGET.of(graph.target[0], "parts") == 1.0).all()
