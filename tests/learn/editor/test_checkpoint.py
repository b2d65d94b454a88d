"""Checkpoints of the editor: what is none, or is damaged, is refused in one line, and runs no code."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the extra `learn` (PyTorch)")
pytest.importorskip("tensorboard", reason="needs the extra `learn` (tensorboard)")

from rtfilter.errors import InputError  # noqa: E402
from rtfilter.learn.editor import export, train  # noqa: E402
from rtfilter.learn.editor.checkpoint import Checkpoint  # noqa: E402
from tests.learn.editor.clips import write_tracks  # noqa: E402
from tests.learn.editor.test_train import settings  # noqa: E402


@pytest.fixture(scope="module")
def tracks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tracks(tmp_path_factory.mktemp("tracks"), people=2)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read"),
        (b"not a checkpoint", "no checkpoint, or a damaged one"),
        ({"format": "another"}, "not a checkpoint of the editor"),
        ({"format": "rtfilter-editor", "version": 99}, "checkpoint version 99, expected 1"),
        ({"format": "rtfilter-editor", "version": 1, "step": 3}, "damaged checkpoint"),
    ],
)
def test_what_is_no_checkpoint_is_refused(tmp_path: Path, content: Any, said: str) -> None:
    path = tmp_path / "editor.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(InputError, match=said):
        export.main(path)


def test_a_checkpoint_of_another_form_is_one_line(tracks: Path, tmp_path: Path) -> None:
    config = settings(tmp_path, tracks, 1)
    path = train.main(config)
    whole = torch.load(path, weights_only=True)
    weights = {key: value for key, value in whole["network"].items() if key != "first.weight"}
    assert len(weights) == len(whole["network"]) - 1
    for change in ({"network": weights}, {"settings": 3}, {"network": [1]}, {"step": "4"}, {"face_model": 2}):
        torch.save({**whole, **change}, path)
        for act in (lambda: export.main(path), lambda: train.main(config, resume=True)):
            with pytest.raises(InputError, match=r"editor\.pt: damaged .*train again") as caught:
                act()
            assert "\n" not in str(caught.value)
    torch.save({**whole, "settings": {}}, path)
    with pytest.raises(InputError, match=r"damaged .*memory"):
        export.main(path)
    for optimiser in ({}, {**whole["optimiser"], "param_groups": []}):
        torch.save({**whole, "optimiser": optimiser}, path)
        with pytest.raises(InputError, match="damaged checkpoint"):
            train.main(config, resume=True)


def test_a_checkpoint_runs_no_code(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return os.mkdir, (str(tmp_path / "owned"),)

    torch.save(Evil(), tmp_path / "editor.pt")
    with pytest.raises(InputError):
        Checkpoint.load(tmp_path / "editor.pt")
    assert not (tmp_path / "owned").exists()
