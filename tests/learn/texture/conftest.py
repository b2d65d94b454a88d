"""Maps of two people who do not exist, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.learn.texture.made import settings


@pytest.fixture(scope="session")
def maps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("torch", reason="needs the extra `learn` (PyTorch)")
    from rtfilter.learn.texture import unwrap

    folder = tmp_path_factory.mktemp("maps")
    config = settings(folder, folder)
    counted: list[tuple[int, int | None]] = []
    unwrap.main(config, progress=lambda *one: counted.append(one))
    assert counted == [(1, 2), (2, 2)]
    return folder / "out/unwrap"
