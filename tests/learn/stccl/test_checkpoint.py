"""Checkpoints of STCCL: what cannot be gone on from is one clear line."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytest.importorskip("tensorboard", reason="TensorBoard is not installed")

from rtfilter.errors import InputError, UsageError  # noqa: E402
from rtfilter.learn.stccl.train import CHECKPOINT, main  # noqa: E402
from tests.learn.stccl import speakers  # noqa: E402
from tests.learn.stccl.test_train import config  # noqa: E402


@pytest.fixture(scope="module")
def tracks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tracks")
    speakers.write(folder)
    return folder


def test_a_checkpoint_that_cannot_be_used_is_one_clear_line(tmp_path: Path, tracks: Path) -> None:
    path = config(tmp_path, tracks)
    with pytest.raises(InputError, match="no checkpoint to resume from"):
        main(path, resume=True)
    main(path)
    saved = tmp_path / "run/stccl" / CHECKPOINT
    whole = saved.read_bytes()
    with pytest.raises(UsageError, match=r"tau = 0\.07: give the same settings"):
        main(path, ["stccl.tau=0.1"], resume=True)
    saved.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"damaged, or no checkpoint .*without --resume") as caught:
        main(path, resume=True)
    assert "\n" not in str(caught.value)
    saved.write_bytes(b"nothing of the kind")
    with pytest.raises(InputError, match="damaged, or no checkpoint"):
        main(path, resume=True)
    saved.write_bytes(whole)
    other = torch.load(saved, weights_only=True)
    torch.save({**other, "version": 7}, saved)
    with pytest.raises(InputError, match="7, expected rtfilter-stccl-checkpoint 1"):
        main(path, resume=True)
    optimiser = {**other["optimiser"], "param_groups": []}
    without = {key: value for key, value in other["network"].items() if key != "heads.time.3.0.weight"}
    for change in ({"network": without}, {"network": 3}, {"run": 3}, {"optimiser": optimiser}, {"step": "x"}):
        torch.save({**other, **change}, saved)
        with pytest.raises(InputError, match=r"checkpoint\.pt: damaged .*without --resume") as caught:
            main(path, resume=True)
        assert "\n" not in str(caught.value)
    for name in ("run", "network", "optimiser", "step"):
        torch.save({key: value for key, value in other.items() if key != name}, saved)
        with pytest.raises(InputError, match="damaged"):
            main(path, resume=True)
