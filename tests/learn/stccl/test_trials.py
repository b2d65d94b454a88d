"""Trials of the metric: a window that is meant not to match does not."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from rtfilter.errors import InputError  # noqa: E402
from rtfilter.learn.stccl import pairs, trials  # noqa: E402
from tests.learn.stccl import speakers  # noqa: E402


def test_a_misaligned_window_is_never_the_aligned_one(tmp_path: Path) -> None:
    speakers.write(tmp_path / "short", people=2, frames=pairs.WINDOW)
    speakers.write(tmp_path / "longer", people=1, frames=pairs.WINDOW + 1)
    short, longer = (pairs.load_pairs(tmp_path / name) for name in ("short", "longer"))
    found = trials.trials_of([*short, *longer])
    assert len(found.source) == len(longer)
    assert all(not torch.equal(a, b) for a, b in zip(found.target, found.misaligned, strict=True))
    with pytest.raises(InputError, match="no clip is longer than 9 frames"):
        trials.trials_of(short)
