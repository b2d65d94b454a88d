"""The asset: bounded to skin, low rank without loss that shows, eight bits, and what is committed."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from rtfilter.controls import BLENDSHAPE_COUNT, BLENDSHAPE_INDEX, EMOTIONS, MIRROR
from rtfilter.face import landmarks as lm
from rtfilter.face.emotion import Target
from rtfilter.face.model import MorphableModel
from rtfilter.face.skin import SkinMaps
from rtfilter.face.uv import skin_uv
from rtfilter.learn.skin import assemble
from rtfilter.learn.skin.normalise import Grid
from rtfilter.render.unwrap import fold_mask

NO_EXPRESSION = np.zeros(BLENDSHAPE_COUNT)


@pytest.fixture(scope="module")
def grid() -> Grid:
    return Grid(96, MorphableModel.builtin())


def offset(emotion: str) -> np.ndarray:
    amounts = np.zeros(len(EMOTIONS))
    amounts[EMOTIONS.index(emotion)] = 1.0
    return Target.of_mix(amounts).offset(NO_EXPRESSION)


def gain(maps: SkinMaps, change: np.ndarray) -> np.ndarray:
    return np.einsum("k,kij->ij", maps.weights(NO_EXPRESSION, change), maps.maps)


def test_no_map_touches_lips_eyes_and_the_outside(grid: Grid) -> None:
    share, uv = assemble.edges(grid), skin_uv()
    untouched = [*lm.IRIS_RIGHT, *lm.IRIS_LEFT, *lm.LIPS_MIDDLE_UPPER, *lm.LIPS_MIDDLE_LOWER, *lm.FACE_OVAL]
    for landmark in untouched:
        column, row = np.floor(uv[landmark] * grid.size).astype(int)
        assert share[row, column] < 0.1, landmark  # measured: 0.08, at the chin
    for name in ("nasolabial", "glabella", "chin", "forehead"):
        assert share[fold_mask(name, grid.size) > 0.9].mean() > 0.6, name
    np.testing.assert_allclose(share, share[:, ::-1], atol=1e-6)


def test_few_maps_show_what_all_would(grid: Grid) -> None:
    rng = np.random.default_rng(0)
    smooth = rng.normal(size=(BLENDSHAPE_COUNT, 9)) @ grid.light * 0.05
    maps = assemble.low_rank(smooth, grid, np.ones(3))
    change = offset("happy")
    shown = assemble.edges(grid)
    whole = grid.spread((change * assemble.MEASURED @ smooth).astype(np.float32)) * shown
    whole = assemble.sharper(whole) * (shown > 0.0)
    off = gain(maps, change) - whole
    # Nine functions, sixteen maps: what is left is the size of the edges' texels.
    assert np.abs(off).max() < 0.05 * np.abs(whole).max()


def test_a_fold_is_deepened_and_a_broad_shade_is_not() -> None:
    side = 128
    fold, shade = np.zeros((side, side), np.float32), np.zeros((side, side), np.float32)
    fold[:, side // 2] = 1.0
    shade[:] = np.sin(np.linspace(0.0, np.pi, side))
    assert assemble.sharper(fold)[64, 64] > 1.8
    # Half a wave of the face's width: (2 pi / 256 * 4 texels)^2 / 2 = 0.5 % of detail.
    inner = slice(16, -16)
    np.testing.assert_allclose(assemble.sharper(shade)[inner, inner], shade[inner, inner], rtol=0.006)
    np.testing.assert_allclose(assemble.sharper(fold).sum(), fold.sum(), rtol=1e-3)


def test_eight_bits_lose_half_a_step(grid: Grid, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    maps = assemble.low_rank(rng.normal(size=(BLENDSHAPE_COUNT, int(grid.inside.sum()))), grid, np.ones(3))
    assemble.save(maps, tmp_path / "skin.npz")
    again = SkinMaps.from_npz(io.BytesIO((tmp_path / "skin.npz").read_bytes()), "again")
    step = np.abs(maps.maps).max((1, 2)) / 127
    assert (np.abs(again.maps - maps.maps).max((1, 2)) <= 0.51 * step).all()
    assert (again.mixing == maps.mixing).all()


def test_the_committed_maps_fold_where_faces_fold() -> None:
    maps = SkinMaps.builtin()
    assert maps.count > 0
    happy, angry = gain(maps, offset("happy")), gain(maps, offset("angry"))
    around = fold_mask("nasolabial", maps.side) > 0.5
    assert np.quantile(happy[around], 0.2) < -0.04 < np.median(happy)
    between = fold_mask("glabella", maps.side) > 0.5
    assert angry[between].mean() < -0.02


def test_the_committed_maps_are_symmetric_small_and_no_paint() -> None:
    maps = SkinMaps.builtin()
    for emotion in EMOTIONS:
        change = offset(emotion)
        shown = gain(maps, change)
        other = gain(maps, change[list(MIRROR)])
        # One step of eight bits of sixteen maps.
        np.testing.assert_allclose(shown, other[:, ::-1], atol=0.02)
        assert np.abs(shown).max() < 0.5
    assert not gain(maps, np.eye(BLENDSHAPE_COUNT)[BLENDSHAPE_INDEX["eyeLookUpLeft"]]).any()
    assert np.abs(maps.colour - 1.0).max() < 0.3
    asset = Path(assemble.__file__).resolve().parents[2] / "face" / "assets" / "skin.npz"
    assert asset.stat().st_size < 500_000
