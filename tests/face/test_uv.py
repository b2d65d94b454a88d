"""The layout of skin textures: inside the square, symmetric, and the right way round."""

from __future__ import annotations

import numpy as np

from rtfilter.face import landmarks as lm
from rtfilter.face.model import MorphableModel
from rtfilter.face.uv import FOLDS, MARGIN, skin_uv


def test_it_fills_the_square_but_for_a_margin() -> None:
    uv = skin_uv()
    assert uv.shape == (478, 2)
    assert uv.dtype == np.float32
    np.testing.assert_allclose(uv.min(0), MARGIN, atol=1e-6)
    np.testing.assert_allclose(uv.max(0), 1 - MARGIN, atol=1e-6)


def test_it_is_mirror_symmetric() -> None:
    uv, mirror = skin_uv(), MorphableModel.builtin().mirror
    # Measured: 2.7e-6, the rounding of the dense face's float32.
    np.testing.assert_allclose(uv[mirror], np.stack([1 - uv[:, 0], uv[:, 1]], 1), atol=1e-5)


def test_it_is_upright_and_not_mirrored() -> None:
    uv, mean = skin_uv(), MorphableModel.builtin().mean_iod
    assert uv[10, 1] < uv[lm.NOSE_TIP, 1] < uv[lm.CHIN, 1]
    assert uv[lm.EYE_OUTER_RIGHT, 0] < uv[lm.NOSE_TIP, 0] < uv[lm.EYE_OUTER_LEFT, 0]
    surface = slice(0, lm.SURFACE_COUNT)
    for axis in (0, 1):
        assert np.corrcoef(uv[surface, axis], mean[surface, axis])[0, 1] > 0.97


def test_irises_lie_within_their_lids() -> None:
    uv = skin_uv()
    for iris, lids in ((lm.IRIS_RIGHT, lm.EYE_RIGHT_CORNERS), (lm.IRIS_LEFT, lm.EYE_LEFT_CORNERS)):
        across = sorted(uv[list(lids), 0])
        assert (across[0] < uv[list(iris), 0]).all()
        assert (uv[list(iris), 0] < across[1]).all()


def test_nobody_can_change_it_for_others() -> None:
    assert not skin_uv().flags.writeable


def test_folds_lie_beside_the_landmarks_they_are_named_after() -> None:
    uv = skin_uv()
    inside = {"nasolabial": (205, 425), "crows_feet": (143, 372), "glabella": (8,), "chin": (199,)}
    for name, landmarks in inside.items():
        for polygon, landmark in zip(FOLDS[name], landmarks, strict=True):
            off = np.abs(np.array(polygon).mean(0) - uv[landmark])
            assert off.max() < 0.06, f"{name}: {off}"
    brows = uv[[*lm.BROW_RIGHT_UPPER, *lm.BROW_LEFT_UPPER], 1]
    assert np.array(FOLDS["forehead"][0])[:, 1].mean() < brows.min()
