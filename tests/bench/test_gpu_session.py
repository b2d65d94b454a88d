"""The GPU session's script, as far as a machine without a GPU can run it: on the host device."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from rtfilter.bench import gpu_machine, gpu_session
from rtfilter.bench.gpu_machine import BEST, CUDA, I420, ORT, PROCESSOR, RGB, SO_FAR, Machine
from rtfilter.controls import Controls
from rtfilter.engines.driver import Gpu, NoGpuError
from rtfilter.engines.prepare.choose import EngineChoice
from rtfilter.engines.trt.flavour import RTX, Flavour
from rtfilter.errors import GpuError, MissingExtraError
from tests.host_gpu.build import find_compiler

HOST = "tests.host_gpu.on_host"
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
    steps = ["facts", "lanes", "latency", "engines", "networks", "streams", "memory"]
    assert gpu_session.run_all(Machine(HOST), tmp_path, steps, 300.0) == 0
    document = json.loads((tmp_path / "gpu-host-device.json").read_text())
    assert document == json.loads((out / "gpu-host-device.json").read_text())
    found = document["steps"]
    assert list(found) == steps
    assert all("error" not in result for result in found.values())
    assert found["facts"]["device"] == HOST
    for compared in found["lanes"].values():
        if isinstance(compared, dict):
            assert compared["share_over_2_levels"] < 0.001
            assert compared["background_bit_exact"]
            assert compared["without_edit_bit_exact"]
    assert {name.split(", ")[1] for name in found["lanes"] if ", " in name} == {RGB, I420}
    (measured,) = found["latency"]["sizes"].values()
    as_rgb, in_planes = (measured[pixels] for pixels in (RGB, I420))
    assert 0 < in_planes["bytes_up"] < 0.7 * as_rgb["bytes_up"], "two formats were measured"
    assert {"upload", "crop", "render", "download", "graph"} <= set(as_rgb["device"])
    assert as_rgb["host"]["total"]["p50_ms"] > 0.0
    assert found["engines"]["face_mesh"]["landmarks"]["largest_difference"] == 0.0, "the same runtime twice"
    assert found["latency"]["bus_gb_s"]["up"] > 0.0
    for way in ("together", "own"):
        assert found["streams"][way]["2"]["flat_out"]["frames"] > 2


def printed(*lines: object) -> str:
    return "".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines)


@pytest.mark.parametrize(
    ("lines", "result"),
    [
        (("a library's line", {SO_FAR: {"a": 1}}, {"a": 1, "b": 2}), {"a": 1, "b": 2}),
        (({SO_FAR: {"a": 1}}, {SO_FAR: {"a": 1, "b": 2}}, '{"cut'), {"error": "it ended", "a": 1, "b": 2}),
        (({SO_FAR: {"a": 1}}, {"error": "GpuError: lost"}), {"a": 1, "error": "GpuError: lost"}),
        (("nothing that helps",), {"error": "it ended without a result"}),
    ],
)
def test_a_step_that_does_not_end_leaves_what_it_had_found(
    lines: tuple[object, ...], result: dict[str, object]
) -> None:
    assert gpu_session._result(printed(*lines), "it ended") == result


def test_a_step_that_takes_too_long_is_ended_with_all_that_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The child starts a process of its own, which writes to a file until it is ended."""
    ticks = tmp_path / "ticks"
    script = tmp_path / "slow.sh"
    script.write_text(
        f"#!/bin/sh\necho '{json.dumps({SO_FAR: {'first': 1}})}'\n"
        f"(while true; do echo >>{ticks}; sleep 0.05; done) &\nwait\n"
    )
    script.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(script))
    result = gpu_session._step(Machine(HOST), "facts", 5.5)
    assert result == {"error": "it took longer than 6 s", "first": 1}
    size = ticks.stat().st_size
    time.sleep(0.5)
    assert ticks.stat().st_size == size


def test_without_a_runtime_for_networks_these_run_on_the_processor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is tried, the kernels and the lane around the networks are measured on the GPU."""
    hopper = Gpu(0, "NVIDIA H100", (9, 0), 80 << 30, (13, 0))
    rtx, by_ort = (EngineChoice(hopper, flavour, "sm90", "") for flavour in (Flavour(RTX, "1", 13), None))

    def nothing(gpu: Gpu) -> EngineChoice:
        raise GpuError("nothing runs networks on it")

    def no_gpu() -> list[Gpu]:
        raise NoGpuError("none")

    for chosen, has_cuda, expected in (
        (lambda gpu: rtx, True, [ORT, PROCESSOR]),
        (lambda gpu: by_ort, True, [PROCESSOR]),
        (nothing, False, [PROCESSOR]),
    ):
        monkeypatch.setattr(gpu_machine, "find_gpus", lambda: [hopper])
        monkeypatch.setattr(gpu_machine, "choose_engine", chosen)
        monkeypatch.setattr("rtfilter.engines.ort.cuda.has_cuda", lambda has_cuda=has_cuda: has_cuda)
        tried: list[str] = []

        def step(machine: Machine, name: str, limit_s: float, tried: list[str] = tried) -> dict[str, object]:
            if name == "lanes":
                tried.append(machine.runtime)
            return {"error": "not here"}

        monkeypatch.setattr(gpu_session, "_step", step)
        gpu_session.run_all(Machine(CUDA), tmp_path, ["lanes"], 60.0)
        assert tried == [BEST, *expected]
    monkeypatch.setattr(gpu_machine, "find_gpus", no_gpu)
    assert gpu_session._other_runtime(Machine(CUDA)) is None


def test_networks_on_the_processor_give_the_same_lane() -> None:
    """All else on the device: here the host's, with its graphs in parts."""
    try:
        find_compiler()
    except MissingExtraError as error:
        pytest.skip(str(error))
    frames = gpu_machine.demo_frames(320, 240, 3, I420)
    lanes = [Machine(HOST, runtime).open_lane() for runtime in (BEST, PROCESSOR)]
    for frame in frames:
        ours, theirs = (lane.step(frame, Controls({"happy": 1.0}))[0] for lane in lanes)
        assert ours.planes is not None
        assert theirs.planes is not None
        assert ours.changed == theirs.changed
        assert ours.changed is not None
        assert all(map(np.array_equal, ours.planes.all, theirs.planes.all))
    for lane in lanes:
        lane.close()


def test_a_step_that_fails_costs_only_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert gpu_session.run_all(Machine(CUDA), tmp_path, ["engines", "facts"], 60.0) == 1
    found = json.loads((tmp_path / "gpu-session.json").read_text())["steps"]
    assert "error" in found["engines"]
    assert "missing" in found["facts"]
    assert gpu_session.run_all(Machine(HOST), tmp_path, ["facts"], 1.0) == 1
    found = json.loads((tmp_path / "gpu-host-device.json").read_text())["steps"]
    assert found["facts"]["error"] == "no time was left for it"


@pytest.mark.parametrize("script", ["gpu_session.sh", "gpu_pack.sh"])
def test_the_scripts_are_scripts(script: str) -> None:
    assert subprocess.run(["bash", "-n", str(ROOT / "bench" / script)]).returncode == 0
