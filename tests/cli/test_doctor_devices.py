"""What doctor says of the GPU: without one all is well, with one whatever is missing is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from rtfilter.cli import doctor_devices
from rtfilter.cli.doctor_devices import check_gpu
from rtfilter.cli.doctor_software import Check
from rtfilter.engines.driver import Gpu, NoGpuError
from rtfilter.engines.trt.flavour import RTX, Flavour
from rtfilter.engines.trt.plans import PlanCache, plan_key
from rtfilter.errors import GpuError
from rtfilter.system.installation import install_extra, install_packages
from tests.engines.small import SMALL, small_onnx

GOOD = Gpu(0, "NVIDIA GeForce RTX 4070", (8, 9), 12 << 30, (12, 9), 8 << 30)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PlanCache:
    monkeypatch.setenv("RTFILTER_CACHE", str(tmp_path))
    return PlanCache()


def checks(find: Callable[[], list[Gpu]]) -> dict[str, Check]:
    return {check.name: check for check in check_gpu(find)}


def none() -> list[Gpu]:
    raise NoGpuError("there is no NVIDIA driver (libcuda.so.1 is not found): install one")


def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_devices, "package_version", lambda name: None)
    monkeypatch.setattr(doctor_devices, "installed_flavours", list)


def test_without_a_gpu_nothing_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    for installed in (True, False):
        if not installed:
            nothing_installed(monkeypatch)
        found = checks(none)
        assert {check.status for check in found.values()} == {"ok"}
        assert found["gpu"].detail.startswith("none, so the CPU is used (there is no NVIDIA driver")
        assert "`auto` takes cpu" in found["lane"].detail


def test_a_gpu_and_all_that_belongs_to_it() -> None:
    found = checks(lambda: [GOOD, Gpu(1, "Second", (12, 0), 32 << 30, (12, 9))])
    assert found["gpu"].detail == "NVIDIA GeForce RTX 4070, compute capability 8.9, 12.0 GiB, 8.0 GiB free"
    assert found["gpu 1"].detail == "Second, compute capability 12.0, 32.0 GiB"
    assert "serves CUDA up to 12.9" in found["gpu driver"].detail
    assert "none yet in" in found["plans"].detail


def test_a_gpu_without_its_packages_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing_installed(monkeypatch)
    found = checks(lambda: [GOOD])
    for name in ("cupy", "tensorrt"):
        assert found[name].status == "warn"
        assert found[name].fix == install_extra("gpu")


@pytest.mark.parametrize(
    ("gpu", "said"),
    [
        (Gpu(0, "A", (8, 9), 12 << 30, (11, 4)), "driver is too old"),
        (Gpu(0, "A", (6, 1), 12 << 30, (12, 9)), "it is too old"),
        (Gpu(0, "A", (8, 9), 12 << 30, (12, 9), 1 << 20), "1 MiB of memory free"),
    ],
)
def test_a_gpu_that_will_not_do(gpu: Gpu, said: str) -> None:
    found = checks(lambda: [gpu])
    assert found["gpu"].status == "warn"
    assert said in found["gpu"].detail
    assert found["gpu"].fix == "until then the CPU is used"
    assert "`auto` takes cpu" in found["lane"].detail
    assert said in found["lane"].detail


def test_a_driver_that_does_not_work() -> None:
    def broken() -> list[Gpu]:
        raise GpuError("the NVIDIA driver does not work: restart the machine")

    found = checks(broken)
    assert (found["gpu"].status, found["lane"].status) == ("warn", "ok")
    assert "restart the machine" in found["gpu"].detail
    assert "gpu driver" not in found


def test_a_tensorrt_that_does_not_load(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_devices, "installed_flavours", lambda: [Flavour("tensorrt_gone", "1", 12)])
    check = checks(none)["tensorrt"]
    assert check.status == "warn"
    assert "does not load" in check.detail
    assert check.fix == install_packages("tensorrt-gone-cu12", anew=True)


def test_two_builds_of_tensorrt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_devices, "installed_flavours", lambda: [Flavour(RTX, "1.7", None)])
    monkeypatch.setattr("rtfilter.engines.trt.flavour.package_version", lambda wheel: "1.7")
    check = checks(none)["tensorrt"]
    assert check.status == "warn"
    assert check.fix.startswith("pip uninstall -y tensorrt-rtx-cu12 tensorrt-rtx-cu13")


def test_plans_are_counted_and_bad_ones_told(cache: PlanCache) -> None:
    key = plan_key(small_onnx(), SMALL, 1, "fp16", "sm89", Flavour(RTX, "1.7", 12))
    cache.plan(key).get(lambda: bytes(3_000_000))
    assert checks(none)["plans"].detail == f"1 for sm89 by tensorrt_rtx, 3 MB, in {cache.folder}"
    cache.plan(key).path.write_bytes(b"torn")
    check = checks(none)["plans"]
    assert (check.status, check.fix) == ("warn", "rtfilter engines clear")


def test_a_cache_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "plans").write_text("a file where the folder should be")
    check = checks(none)["plans"]
    assert check.status == "warn"
    assert "RTFILTER_CACHE" in check.fix
