"""Drawn glasses, pictures to learn from, settings, and a few steps of training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the learn extra")

import torch

from rtfilter.engines.networks import RIMS
from rtfilter.engines.ort.cpu import OnnxRunner
from rtfilter.errors import InputError, UsageError
from rtfilter.learn.rims.bands import Bands, RimsSettings
from rtfilter.learn.rims.draw import with_glasses, with_lines
from rtfilter.learn.rims.graph import rims_graph
from rtfilter.learn.rims.network import RimsNetwork
from rtfilter.learn.rims.picture import composed
from rtfilter.learn.rims.train import batch, difference, loss_of, trained
from rtfilter.occlusion.band import COLUMNS, ROWS


def bare(count: int = 4) -> np.ndarray:
    """Bands without anything: smooth colours."""
    rng = np.random.default_rng(5)
    ramps = np.linspace(90, 190, ROWS)[:, None, None] + rng.uniform(-20, 20, (count, 1, 1, 3))
    return np.broadcast_to(ramps, (count, ROWS, COLUMNS, 3)).astype(np.uint8).copy()


def test_glasses_change_the_band_where_their_mask_says() -> None:
    rng = np.random.default_rng(0)
    band = bare(1)[0].astype(np.float32) / 255
    shares = []
    for _ in range(30):
        shown, mask = with_glasses(band, rng)
        assert np.isfinite(shown).all()
        assert mask.shape == (ROWS, COLUMNS)
        assert 0.0 <= mask.min() <= mask.max() <= 1.0
        assert (mask > 0.5).any()
        shares.append(np.abs(shown - band).max(2)[mask > 0.5].mean() > 0.03)
    assert np.mean(shares) > 0.8  # a rim may have the skin's own colour


def test_lines_are_drawn_and_are_no_rims() -> None:
    rng = np.random.default_rng(1)
    band = bare(1)[0].astype(np.float32) / 255
    assert np.abs(with_lines(band, rng) - band).max() > 0.02


def test_a_picture_has_rims_only_where_glasses_are_worn() -> None:
    rng = np.random.default_rng(2)
    worn = []
    for _ in range(40):
        pixels, rims, wears = composed(bare(1)[0], rng)
        assert pixels.shape == RIMS.inputs[0].at(1)[1:]
        assert rims.shape == RIMS.outputs[0].at(1)[2:]
        assert pixels.min() >= 0.0
        assert pixels.max() <= 1.0
        assert (rims.max() > 0.3) == bool(wears)
        worn.append(wears)
    assert 0.3 < np.mean(worn) < 0.9


def test_training_learns_and_its_file_says_the_same() -> None:
    torch.set_num_threads(1)
    known, lines = bare(), []
    settings = RimsSettings(people=("a:b",), steps=12, batch=4)
    network = trained(known, settings, 3, lines.append, None)
    pixels, rims, worn = batch(known, 8, np.random.default_rng(9))
    with torch.no_grad():
        after = float(loss_of(*network(pixels), rims, worn))
        before = float(loss_of(*RimsNetwork().eval()(pixels), rims, worn))
    assert after < before
    content = rims_graph(network, "a test")
    assert difference(network, content) < 0.02
    runner = OnnxRunner(content, RIMS)
    found = runner.run(pixels=pixels[:1].numpy())
    assert found["rims"].shape == RIMS.outputs[0].at(1)
    runner.close()


def test_the_same_seed_gives_the_same_network() -> None:
    settings = RimsSettings(people=("a:b",), steps=2, batch=2)
    one, other = (trained(bare(), settings, 3, lambda line: None, None) for _ in range(2))
    for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, "people: expected some"),
        ({"people": ("a:b",), "steps": 0}, "steps: expected 1 or more"),
        ({"people": ("a:b",), "rate": 2.0}, "rate: expected more than 0"),
        ({"people": ("a:b",), "held_out": ("c",)}, "'c' is not one of people"),
        ({"people": ("nowhere",)}, "NAME:VIDEO"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, object], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        RimsSettings(**settings)  # type: ignore[arg-type]


def test_a_damaged_or_foreign_file_of_bands_is_refused(tmp_path: Path) -> None:
    settings, path = RimsSettings(people=("a:b",)), tmp_path / "bands.npz"
    path.write_bytes(b"nonsense")
    with pytest.raises(InputError, match="damaged"):
        Bands.read(path, settings, lambda line: None)
    np.savez(path, rgb=bare(), names=np.array(["x"] * 4))
    with pytest.raises(InputError, match="of other people"):
        Bands.read(path, settings, lambda line: None)
    np.savez(path, rgb=bare(), names=np.array(["a"] * 4))
    assert len(Bands.read(path, settings, lambda line: None).of(["a"])) == 4
