"""Brows in the basis of edits: both edges move alike, and nothing far from them changes."""

from __future__ import annotations

import numpy as np
import pytest

from rtfilter.controls import BLENDSHAPE_COUNT, BLENDSHAPE_INDEX, MIRROR
from rtfilter.face import landmarks as lm
from rtfilter.face.brows import REACH_ABOVE_IOD
from tests.faces import REFLECT, builtin

UPPER = [*lm.BROW_RIGHT_UPPER, *lm.BROW_LEFT_UPPER]
LOWER = [*lm.BROW_RIGHT_LOWER, *lm.BROW_LEFT_LOWER]


def test_both_edges_of_a_brow_move_alike() -> None:
    model = builtin()
    assert np.array_equal(model.edit_basis[:, UPPER], model.edit_basis[:, LOWER])
    mean = 0.5 * (model.expression_basis[:, UPPER] + model.expression_basis[:, LOWER])
    assert model.edit_basis[:, UPPER] == pytest.approx(mean, abs=1e-6)
    # Not so before, so that this test can fail: up to 0.008 IOD apart at a coefficient of 1.
    assert np.abs(model.expression_basis[:, UPPER] - model.expression_basis[:, LOWER]).max() > 0.005


def test_lids_lips_and_everything_far_from_brows_stays() -> None:
    model = builtin()
    change = np.abs(model.edit_basis - model.expression_basis).max(axis=(0, 2))
    brow = model.mean_iod[[*UPPER, *LOWER]]
    far = np.linalg.norm(model.mean_iod[:, None] - brow, axis=2).min(1) > REACH_ABOVE_IOD
    lids = [*lm.EYE_RIGHT_UPPER, *lm.EYE_LEFT_UPPER, *lm.EYE_RIGHT_CORNERS, *lm.IRIS_LEFT]
    assert far.sum() > 250
    assert not change[far].any()
    assert not change[lids].any()


def test_the_basis_of_edits_is_symmetric() -> None:
    model = builtin()
    reflected = (model.edit_basis * REFLECT.astype(np.float32))[list(MIRROR)][:, model.mirror]
    assert reflected == pytest.approx(model.edit_basis, abs=1e-6)


@pytest.mark.parametrize("column", range(52))
def test_no_triangle_around_a_brow_folds(column: int) -> None:
    """At a coefficient of 1, where the model's own basis folds none either."""
    model = builtin()

    def turns(points: np.ndarray) -> np.ndarray:
        a, b, c = (points[model.triangles[:, k], :2].astype(np.float64) for k in range(3))
        return (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])

    rest = turns(model.mean_iod)
    frontal = np.abs(rest) > 2e-4  # square IODs; the face's sides are seen edge-on
    own = turns(model.mean_iod + model.expression_basis[column]) * rest > 0
    edited = turns(model.mean_iod + model.edit_basis[column]) * rest > 0
    assert (edited | ~own)[frontal].all()


def test_lashes_keep_to_the_lid_when_a_brow_rises() -> None:
    """The band from lid to crease, about 0.06 IOD: stretched half as far again, it smeared lashes."""
    model = builtin()
    offset = np.zeros(BLENDSHAPE_COUNT)
    for name in ("browInnerUp", "browOuterUpLeft", "browOuterUpRight"):
        offset[BLENDSHAPE_INDEX[name]] = 1.4
    moved = model.mean_iod + model.edited_iod(offset)
    for lid, crease in ((159, 27), (386, 257)):
        before, after = (float(np.ptp(shape[[lid, crease], 1])) for shape in (model.mean_iod, moved))
        assert 1.0 <= after / before < 1.35  # 1.27 measured
        fitted = model.mean_iod + model.displacement_iod(offset)
        assert float(np.ptp(fitted[[lid, crease], 1])) / before > 1.4
