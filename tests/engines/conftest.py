"""The real networks, made once for all tests, in a cache of their own."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from rtfilter.engines.prepare.files import NETWORKS, network_bytes, prepare
from rtfilter.engines.trt.flavour import RTX, Flavour, find_flavour


@pytest.fixture(scope="session")
def prepared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that holds every network, and nothing else."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RTFILTER_CACHE", str(folder))
        prepare()
    return folder


@pytest.fixture(scope="session")
def onnx_files(prepared_cache: Path) -> dict[str, bytes]:
    """The ONNX file of every network, by its name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RTFILTER_CACHE", str(prepared_cache))
        return {spec.name: network_bytes(spec) for spec in NETWORKS}


@pytest.fixture(scope="session")
def rtx() -> Flavour:
    """TensorRT for RTX, which builds without a GPU."""
    if importlib.util.find_spec(RTX) is None:
        pytest.skip("needs TensorRT for RTX, which is missing: pip install tensorrt-rtx-cu12")
    return find_flavour()
