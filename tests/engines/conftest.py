"""The real networks, made once for all tests, in a cache of their own."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from rtfilter.engines.prepare.files import prepare
from rtfilter.engines.trt.flavour import RTX, Flavour, find_flavour


@pytest.fixture(scope="session")
def onnx_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The ONNX file of every network, by its name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RTFILTER_CACHE", str(tmp_path_factory.mktemp("networks")))
        return prepare()


@pytest.fixture(scope="session")
def rtx() -> Flavour:
    """TensorRT for RTX, which builds without a GPU."""
    if importlib.util.find_spec(RTX) is None:
        pytest.skip("needs TensorRT for RTX, which is missing: pip install tensorrt-rtx-cu12")
    return find_flavour(RTX)
