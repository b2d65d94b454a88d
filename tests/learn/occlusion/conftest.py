"""Squares, made once."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("torch", reason="needs the extra `learn` (PyTorch)")
    from tests.learn.occlusion.made import folder_of_squares

    return folder_of_squares(tmp_path_factory.mktemp("squares"))
