"""Maps of people whose folds are known: recovered, balanced between people and sides, and agreed on."""

from __future__ import annotations

import numpy as np
import pytest

from rtfilter.controls import BLENDSHAPE_INDEX, MIRROR
from rtfilter.face.model import MorphableModel
from rtfilter.learn.skin import colour, proof
from rtfilter.learn.skin.expressions import offset_of
from rtfilter.learn.skin.fit import tell
from rtfilter.learn.skin.normalise import Grid, Ratios
from rtfilter.learn.skin.proof import Person
from tests.learn.skin.made import SMILES, bump, folds, smiles

NOISE = 0.05


@pytest.fixture(scope="module")
def grid() -> Grid:
    return Grid(48, MorphableModel.builtin())


@pytest.fixture(scope="module")
def mirror(grid: Grid) -> np.ndarray:
    numbers = np.full(grid.inside.shape, -1)
    numbers[grid.inside] = np.arange(grid.inside.sum())
    return numbers[:, ::-1][grid.inside]


def person(grid: Grid, seed: int, truth: np.ndarray, frames: int = 120, quiet: str = "neutral") -> Person:
    """Smiles are labelled happy, and what is not a smile as given."""
    rng = np.random.default_rng(seed)
    expression = smiles(rng, frames)
    ratio = expression @ truth + rng.normal(0, NOISE, (frames, truth.shape[1])) + rng.normal(0, 0.1)
    ratios = Ratios(ratio.astype(np.float32), np.ones(ratio.shape, np.float32), np.zeros(1, np.float32))
    emotions = np.where(expression[:, SMILES[0]] > 0.3, "happy", quiet)
    return Person(f"p{seed}", ratios, expression, emotions, np.full(frames, "take"))


def test_folds_are_found_and_what_nobody_did_stays_zero(grid: Grid, mirror: np.ndarray) -> None:
    truth = folds(grid)
    people = {f"p{n}": person(grid, n, truth, quiet="happy") for n in range(8)}
    maps = tell(people, grid, mirror).maps(people)
    smile = np.eye(52)[SMILES].sum(0)
    real, found = smile @ truth, smile @ maps
    assert np.corrcoef(real, found)[0, 1] > 0.97  # measured: 0.996
    assert 0.4 < (real @ found) / (real @ real) < 1.0  # measured: 0.60: drawn to 0, and softened
    assert not maps[BLENDSHAPE_INDEX["jawOpen"]].any()
    assert np.abs(maps[list(MIRROR)] - maps[:, mirror]).max() < 1e-6


def test_somebody_with_fifty_times_the_frames_does_not_rule(grid: Grid, mirror: np.ndarray) -> None:
    truth, other = folds(grid), np.zeros_like(folds(grid))
    other[SMILES] = 0.4 * (bump(grid, 0.35, 0.1) + bump(grid, 0.65, 0.1))
    people = {f"p{n}": person(grid, n, truth, quiet="happy") for n in range(4)}
    people["loud"] = person(grid, 9, other, frames=6000, quiet="happy")
    found = np.eye(52)[SMILES].sum(0) @ tell(people, grid, mirror).maps(people)
    own = np.eye(52)[SMILES].sum(0) @ truth
    theirs = np.eye(52)[SMILES].sum(0) @ other
    # Measured: 0.23 and 0.35. All frames alike would give 0.90 and 0.08.
    assert (found @ theirs) / (theirs @ theirs) < 0.3 < (found @ own) / (own @ own)


def test_people_agree_where_they_fold_alike(grid: Grid, mirror: np.ndarray) -> None:
    common, people = folds(grid), {}
    for n in range(10):
        rng = np.random.default_rng(50 + n)
        own = np.zeros_like(common)
        for _ in range(6):
            u = rng.uniform(0.1, 0.9)
            own[SMILES] += rng.normal(0, 0.2) * (bump(grid, u, 0.15) + bump(grid, 1 - u, 0.15))
        people[f"p{n}"] = person(grid, n, common + own)
    told = tell(people, grid, mirror)
    share = told.agreement(list(people))
    at_fold, above = bump(grid, 0.68, 0.6) > 0.5, bump(grid, 0.5, 0.15, 0.1) > 0.5
    assert share[at_fold].mean() > 0.6 > share[above].mean()
    assert share.min() >= 0.0
    assert share.max() <= 1.0


def test_the_scores_of_people_left_out(grid: Grid) -> None:
    truth = folds(grid)
    people = {"p1": person(grid, 1, truth, frames=600)}
    right = proof.prove(people, lambda name: truth, grid)["p1"]["happy"]["seen"]["nasolabial"]
    assert right["r"] > 0.9
    assert right["explained"] > 0.8
    assert 0.85 < right["gain"] < 1.15
    none = proof.prove(people, lambda name: 0 * truth, grid)["p1"]["happy"]["seen"]["nasolabial"]
    assert none["r"] == none["explained"] == 0.0
    wrong = proof.prove(people, lambda name: -truth, grid)["p1"]["happy"]["seen"]["nasolabial"]
    assert wrong["explained"] < -1.0


def test_nobody_without_two_feelings_is_scored(grid: Grid) -> None:
    alone = person(grid, 1, folds(grid))
    alone = Person("p1", alone.ratios, alone.expression, np.full(120, "happy"), alone.takes)
    assert proof.prove({"p1": alone}, lambda name: folds(grid), grid) == {}


def test_colours_of_a_fold_are_measured_in_spite_of_noise(grid: Grid) -> None:
    rng = np.random.default_rng(4)
    expression = smiles(rng, 60)
    predicted = (expression @ folds(grid)).astype(np.float32)
    shares = np.array([0.8, 1.05, 1.2])
    logs = np.log(np.array([170.0, 120.0, 90.0])) + shares * predicted[..., None]
    rgb = np.zeros((60, grid.size, grid.size, 3), np.uint8)
    rgb[:, grid.inside] = np.clip(np.exp(logs) + rng.normal(0, 3, logs.shape), 0, 255).round()
    found = colour.shares([colour.sums(rgb, np.ones(predicted.shape, np.float32), predicted, grid)])
    # What luminance does itself, by its share of each channel.
    of_luma = colour.LUMA * [170.0, 120.0, 90.0]
    luminance = shares @ of_luma / of_luma.sum()
    np.testing.assert_allclose(found, shares / luminance, atol=0.05)


def test_an_emotion_asks_for_what_an_edit_does() -> None:
    assert not offset_of("neutral").any()
    happy = offset_of("happy")
    assert happy[SMILES].min() > 0.5
    assert not happy[BLENDSHAPE_INDEX["eyeLookUpLeft"]]
