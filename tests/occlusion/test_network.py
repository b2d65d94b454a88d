"""The committed network: its file, its ranges."""

from __future__ import annotations

import numpy as np

from rtfilter.engines.networks import OCCLUSION
from rtfilter.occlusion.network import network_bytes, on_the_processor

MOST_BYTES = 300_000


def test_the_file_is_small() -> None:
    assert 50_000 < len(network_bytes()) <= MOST_BYTES


def test_any_input_gives_probabilities() -> None:
    runner = on_the_processor()
    rng = np.random.default_rng(0)
    for pixels in (
        rng.random((1, 7, 96, 96)),
        np.zeros((1, 7, 96, 96)),
        np.ones((1, 7, 96, 96)),
    ):
        held = runner.run(pixels=pixels.astype(np.float32))["held"]
        assert held.shape == OCCLUSION.outputs[0].at(1)
        assert np.isfinite(held).all()
        assert 0.0 <= held.min() <= held.max() <= 1.0
    runner.close()
