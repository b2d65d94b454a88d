"""What doctor says of the virtual camera, and that each fault has a command that mends it."""

from __future__ import annotations

import errno
import sys
from pathlib import Path
from typing import Any

import pytest

from rtfilter.cli.doctor_devices import check_loopback
from rtfilter.cli.doctor_software import Check
from rtfilter.sinks.v4l2loopback import CID_KEEP_FORMAT, loopback_state
from tests.fakes.kernel import CAPTURE, OUTPUT, FakeKernel, FakeNode

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="needs Linux: v4l2loopback is a module of its kernel"
)


def checks(root: Path, caps: str | None, version: str = "0.12.7", **nodes: FakeNode) -> list[Check]:
    """caps: the module's parameter; None: it is not loaded."""
    kernel = FakeKernel(root)
    if caps is not None:
        (root / "module" / "parameters").mkdir(parents=True)
        (root / "module" / "version").write_text(version)
        (root / "module" / "parameters" / "exclusive_caps").write_text(caps)
    for name, node in nodes.items():
        kernel.add(name, node)
        if node.errno:  # what can't be asked is known by where it lies
            (root / "devices" / "virtual" / name).mkdir(parents=True)
            kernel.sysfs.mkdir(exist_ok=True)
            (kernel.sysfs / name).symlink_to(root / "devices" / "virtual" / name)
    places = root / "module", root / "modules", kernel.devices, kernel.sysfs
    return check_loopback(loopback_state(*places, kernel.ioctl, root / "dkms"), kernel.ioctl)


def loopback(caps: int = OUTPUT, **options: Any) -> FakeNode:
    return FakeNode("v4l2 loopback", "rtfilter", caps, **options)


def test_all_is_well(tmp_path: Path) -> None:
    module, device = checks(tmp_path, "Y,N", "0.15.0", video4=loopback(controls={CID_KEEP_FORMAT: 0}))
    assert (module.status, module.detail) == ("ok", "version 0.15.0, 1 device(s)")
    assert device.name.endswith("video4")
    assert (device.status, device.fix) == ("ok", "")
    assert "free, exclusive_caps=1, keep_format=0" in device.detail


def test_an_old_version_is_told_and_mended_without_the_user(tmp_path: Path) -> None:
    module, _ = checks(tmp_path, "Y", video4=loopback())
    assert module.status == "ok"
    assert "before 0.14 a closed device stays closed, which rtfilter mends" in module.detail


def test_no_module_and_no_device(tmp_path: Path) -> None:
    (absent,) = checks(tmp_path, None)
    assert (absent.status, absent.detail) == ("warn", "not installed")
    assert "apt install v4l2loopback-dkms && sudo modprobe v4l2loopback" in absent.fix
    (empty,) = checks(tmp_path, "Y")
    assert "modprobe -r v4l2loopback" in empty.fix


@pytest.mark.parametrize(
    ("caps", "node", "detail", "fix"),
    [
        ("Y", loopback(errno=errno.EACCES), "permission denied", "sudo usermod -aG video $USER"),
        ("Y", loopback(errno=errno.EBUSY), "busy", "modprobe -r v4l2loopback"),
        ("N", loopback(), "exclusive_caps=0, so browsers will not list it", "exclusive_caps=1"),
        ("Y", loopback(controls={CID_KEEP_FORMAT: 1}), "keep_format=1", "video4 -c keep_format=0"),
    ],
)
def test_a_fault_has_its_command(caps: str, node: FakeNode, detail: str, fix: str, tmp_path: Path) -> None:
    _, device = checks(tmp_path, caps, video4=node)
    assert device.status == "warn"
    assert detail in device.detail
    assert fix in device.fix


def test_the_second_device_has_its_own_capabilities(tmp_path: Path) -> None:
    _, first, second = checks(tmp_path, "Y,N", video4=loopback(), video5=loopback())
    assert (first.status, second.status) == ("ok", "warn")


def test_who_writes_is_named(tmp_path: Path) -> None:
    node = loopback(CAPTURE)
    (tmp_path / "dev").mkdir()
    with (tmp_path / "dev" / "video4").open("w"):
        _, device = checks(tmp_path, "Y", video4=node)
    assert device.status == "ok"
    assert "in use by" in device.detail
    assert "pid" in device.detail
