"""What is not expression leaves a frame: exposure, light, sliding. What is, stays."""

from __future__ import annotations

import numpy as np
import pytest

from rtfilter.face.model import MorphableModel
from rtfilter.learn.skin.normalise import Grid, log_luminance, normalise
from tests.learn.skin.made import bump, folds, skin, smiles

NOISE = 0.02


@pytest.fixture(scope="module")
def grid() -> Grid:
    return Grid(64, MorphableModel.builtin())


def lamps(grid: Grid, rng: np.random.Generator, count: int) -> np.ndarray:
    amounts = rng.normal(0.0, 0.15, (count, len(grid.light)))
    amounts[:, 0] = rng.normal(0.0, 0.4, count)  # exposure
    return amounts @ grid.light


def test_lamps_and_turned_heads_leave_nothing(grid: Grid) -> None:
    rng = np.random.default_rng(0)
    seen = skin(grid, rng) + lamps(grid, rng, 12) + rng.normal(0, NOISE, (12, int(grid.inside.sum())))
    found = normalise(seen.astype(np.float32), np.ones(seen.shape, np.float32), np.ones(12), grid)
    assert np.std(seen - seen.mean(0)) > 0.2
    # Measured: the noise itself, 0.019.
    assert np.std(found.log_ratio) < 1.2 * NOISE


def test_a_fold_stays_under_changing_light(grid: Grid) -> None:
    rng = np.random.default_rng(1)
    expression = smiles(rng, 40)
    real = expression @ folds(grid)
    seen = skin(grid, rng) + lamps(grid, rng, 40) + real + rng.normal(0, NOISE, real.shape)
    quiet = np.exp(-np.square(expression).sum(1) / 0.3) + 0.02
    found = normalise(seen.astype(np.float32), np.ones(seen.shape, np.float32), quiet, grid).log_ratio
    y, x = found - found.mean(0), real - real.mean(0)
    slope = (x * y).sum() / (x * x).sum()
    assert 0.75 < slope < 1.05  # measured: 0.89; what is broad in a fold goes with the light


def test_sliding_skin_is_no_fold(grid: Grid) -> None:
    rng = np.random.default_rng(2)
    brows = bump(grid, 0.3, 0.2) + bump(grid, 0.7, 0.2)
    still = (skin(grid, rng) - brows).astype(np.float32)
    shifted = np.roll(grid.spread(still), 1, axis=1)[grid.inside]
    seen = np.array([still] * 9 + [shifted], np.float32)
    weight = np.ones(seen.shape, np.float32)
    edge = np.abs(shifted - still) > 1.0  # texels that the roll brought in from outside
    weight[:, edge] = 0.0
    found = normalise(seen, weight, np.array([1.0] * 9 + [0.02]), grid).log_ratio[-1]
    near = ~edge & (brows > 0.05)
    assert np.std(found[near]) < 0.5 * np.std((shifted - still)[near])


def test_glare_and_black_do_not_count(grid: Grid) -> None:
    rgb = np.full((1, 64, 64, 3), 128, np.uint8)
    rgb[0, :20], rgb[0, 44:] = 255, 2
    logs, weight = log_luminance(rgb, np.full((1, 64, 64), 255, np.uint8), grid)
    rows = np.nonzero(grid.inside)[0]
    assert weight[0, (rows < 20) | (rows >= 44)].max() == 0.0
    assert weight[0, (rows > 22) & (rows < 41)].min() == 1.0
    assert np.isfinite(logs).all()


def test_a_hand_over_the_face_is_trusted_less(grid: Grid) -> None:
    rng = np.random.default_rng(3)
    seen = np.repeat(skin(grid, rng)[None], 8, 0) + rng.normal(0, NOISE, (8, int(grid.inside.sum())))
    rows = np.nonzero(grid.inside)[0]
    seen[-1, rows > 40] -= 1.0
    far = rows < 26
    found = normalise(seen.astype(np.float32), np.ones(seen.shape, np.float32), np.ones(8), grid)
    assert found.weight[-1, rows > 42].mean() < 0.6 < 0.8 < found.weight[-1, far].mean()
