"""Which runtime is taken for which GPU, and that whatever is missing is named with the command."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from rtfilter.engines.driver import Gpu
from rtfilter.engines.networks import FACE_DETECTOR
from rtfilter.engines.prepare import choose
from rtfilter.engines.prepare.choose import EngineChoice, choose_engine, make_runner
from rtfilter.engines.trt.flavour import FULL, PORTABLE, RTX, Flavour
from rtfilter.engines.trt.plans import PlanCache
from rtfilter.errors import GpuError
from rtfilter.system.installation import install_extra
from tests.fakes.immediate import ImmediateDevice

FULL_12 = Flavour(FULL, "10.13.3", 12)


def gpu(capability: tuple[int, int] = (8, 9), cuda: tuple[int, int] = (12, 9)) -> Gpu:
    return Gpu(0, "NVIDIA GeForce RTX 4070", capability, 12 << 30, cuda)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """CuPy and neither TensorRT nor ONNX Runtime for CUDA; to be changed by the test."""
    monkeypatch.setattr(choose, "installed_flavours", list)
    monkeypatch.setattr(choose, "_ort_has_cuda", lambda: False)
    monkeypatch.setattr(choose, "package_version", lambda name: None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    return monkeypatch


def with_flavours(installed: pytest.MonkeyPatch, *flavours: Flavour) -> None:
    installed.setattr(choose, "installed_flavours", lambda: list(flavours))


def test_plans_for_the_very_gpu_come_first(installed: pytest.MonkeyPatch, rtx: Flavour) -> None:
    on_12 = Flavour(RTX, rtx.version, 12)
    with_flavours(installed, on_12, FULL_12)
    taken = choose_engine(gpu())
    assert (taken.flavour, taken.target, taken.second_best) == (on_12, "sm89", False)
    assert (
        taken.why == f"{on_12} runs the networks on NVIDIA GeForce RTX 4070, compute capability 8.9, 12.0 GiB"
    )
    # A data-centre GPU, which TensorRT for RTX has no plans for: the other one, where it is installed.
    assert choose_engine(gpu((9, 0))).flavour == FULL_12
    with_flavours(installed, on_12)
    portable = choose_engine(gpu((9, 0)))
    assert (portable.flavour, portable.target) == (on_12, PORTABLE)
    assert "sm90 has no plans of its own" in portable.why


def test_a_tensorrt_that_is_not_made_for_the_gpu_comes_after_onnx_runtime(
    installed: pytest.MonkeyPatch, rtx: Flavour
) -> None:
    on_13 = Flavour(RTX, rtx.version, 13)
    with_flavours(installed, on_13)
    installed.setattr(choose, "_ort_has_cuda", lambda: True)
    hopper = gpu((9, 0), (13, 0))
    taken = choose_engine(hopper)
    assert (taken.flavour, taken.second_best) == (None, True)
    assert f"{on_13} is not made for sm90: ONNX Runtime runs the networks" in taken.why
    assert "pip install" not in taken.why, "nothing that could be installed makes it better"
    assert choose_engine(gpu(cuda=(13, 0))).flavour == on_13


def test_without_tensorrt_onnx_runtime_is_taken_and_told(installed: pytest.MonkeyPatch) -> None:
    installed.setattr(choose, "_ort_has_cuda", lambda: True)
    taken = choose_engine(gpu())
    assert taken.flavour is None
    assert taken.second_best
    assert "TensorRT is not installed" in taken.why
    assert install_extra("gpu") in taken.why


def test_a_tensorrt_that_the_driver_is_too_old_for(installed: pytest.MonkeyPatch) -> None:
    with_flavours(installed, Flavour(FULL, "11.0", 13))
    with pytest.raises(GpuError, match=r"CUDA 12\.9, needed is 13\.0 \(driver 580 or newer\)"):
        choose_engine(gpu())
    installed.setattr(choose, "_ort_has_cuda", lambda: True)
    assert "driver is too old" in choose_engine(gpu()).why


def test_nothing_installed_names_the_command(installed: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        GpuError, match=r"nothing that runs networks on it: TensorRT is not installed: .*pip inst"
    ):
        choose_engine(gpu())
    installed.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(GpuError, match=rf"CuPy is missing.*{re.escape(install_extra('gpu'))}"):
        choose_engine(gpu())


def test_a_cupy_of_the_next_cuda(installed: pytest.MonkeyPatch) -> None:
    with_flavours(installed, FULL_12)
    installed.setattr(choose, "package_version", lambda name: "13.6" if name == "cupy-cuda13x" else None)
    with pytest.raises(GpuError, match=r"cupy-cuda13x cannot be used: its driver is too old"):
        choose_engine(gpu())
    assert choose_engine(gpu(cuda=(13, 0))).flavour == FULL_12


def test_a_gpu_that_will_not_do_is_said_before_anything_else(installed: pytest.MonkeyPatch) -> None:
    with pytest.raises(GpuError, match=r"RTX 4070: it is too old: its compute capability is 6\.1"):
        choose_engine(gpu((6, 1)))


def test_a_runner_on_a_machine_without_a_gpu_builds_its_plan_and_says_what_is_missing(
    rtx: Flavour, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prepared_cache: Path
) -> None:
    shutil.copytree(prepared_cache, tmp_path / "cache")
    monkeypatch.setenv("RTFILTER_CACHE", str(tmp_path / "cache"))
    said: list[str] = []
    choice = EngineChoice(gpu(), rtx, "sm89", "")
    for _ in range(2):
        with pytest.raises(GpuError, match="cannot load face_detector: there is no NVIDIA driver"):
            make_runner(choice, FACE_DETECTOR, 1, ImmediateDevice(), said.append)
    assert said == ["building face_detector (fp16, batch 1) for sm89"]
    (entry,) = PlanCache().entries()
    assert entry.key is not None
    assert (entry.key.network, entry.key.target, entry.key.precision) == ("face_detector", "sm89", "fp16")


def test_a_plan_that_turns_out_not_to_run_is_built_anew_once(
    rtx: Flavour, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prepared_cache: Path
) -> None:
    shutil.copytree(prepared_cache, tmp_path / "cache")
    monkeypatch.setenv("RTFILTER_CACHE", str(tmp_path / "cache"))
    built: list[int] = []

    def torn(*arguments: object) -> bytes:
        built.append(1)
        return b"no plan"

    monkeypatch.setattr("rtfilter.engines.trt.builder.build_plan", torn)
    said: list[str] = []
    choice = EngineChoice(gpu(), rtx, "sm86", "")
    with pytest.raises(GpuError, match="rejects its plan of face_detector"):
        make_runner(choice, FACE_DETECTOR, 1, ImmediateDevice(), said.append)
    assert len(built) == 2
    assert sum("it is built anew" in line for line in said) == 1
    assert PlanCache().entries() == []
