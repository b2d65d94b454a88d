"""The GPU session's script, as far as a machine without a GPU can run it: on the host device."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from bench import gpu_floor, gpu_session
from bench.gpu_machine import CUDA, HOST, Machine
from rtfilter.engines.networks import FACE_MESH
from rtfilter.engines.prepare import prepared
from rtfilter.errors import MissingExtraError
from rtfilter.kernels.host_build import find_compiler

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RTFILTER_CACHE", str(tmp_path_factory.getbasetemp() / "gpu-session"))


def test_every_step_that_is_measured_ends_in_the_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        find_compiler()
    except MissingExtraError as error:
        pytest.skip(str(error))
    out = tmp_path / "out"
    out.mkdir()
    monkeypatch.setenv("OUT", str(out))
    steps = ["facts", "lanes", "engines", "floor"]
    assert gpu_session.run_all(Machine(HOST), tmp_path, steps, 300.0) == 0
    document = json.loads((tmp_path / "gpu-host-device.json").read_text())
    assert document == json.loads((out / "gpu-host-device.json").read_text())
    found = document["steps"]
    assert list(found) == steps
    assert found["facts"]["device"] == "host"
    for compared in found["lanes"].values():
        if isinstance(compared, dict):
            assert compared["share_over_2_levels"] < 0.001
            assert compared["background_bit_exact"]
            assert compared["no_wish_bit_exact"]
    assert found["engines"]["face_mesh"]["landmarks"]["largest_difference"] == 0.0, "the same runtime twice"
    assert found["floor"]["bus_gb_s"]["up"] > 0.0


def test_a_step_that_fails_costs_only_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert gpu_session.run_all(Machine(CUDA), tmp_path, ["engines", "facts"], 60.0) == 1
    found = json.loads((tmp_path / "gpu-session.json").read_text())["steps"]
    assert "error" in found["engines"]
    assert "missing" in found["facts"]
    assert gpu_session.run_all(Machine(HOST), tmp_path, ["facts"], 1.0) == 1
    found = json.loads((tmp_path / "gpu-host-device.json").read_text())["steps"]
    assert found["facts"]["error"] == "no time was left for it"


def test_the_operations_of_a_network_are_counted() -> None:
    """87 million of the face mesh: two for each of its 43.5 million products."""
    counted = gpu_floor.flops(prepared(FACE_MESH).read_bytes(), FACE_MESH)
    assert 60e6 < counted < 120e6


@pytest.mark.parametrize("script", ["gpu_session.sh", "gpu_pack.sh"])
def test_the_scripts_are_scripts(script: str) -> None:
    assert subprocess.run(["bash", "-n", str(ROOT / "bench" / script)]).returncode == 0
