"""The state of the loopback module is read rightly, and a device that is stuck comes back."""

from __future__ import annotations

import errno
import platform
import sys
from pathlib import Path

import pytest

from rtfilter.sinks.v4l2loopback import LoopbackState, loopback_state, offer_output, revive
from rtfilter.system.v4l2 import VideoNode, query_node
from tests.fakes.kernel import CAPTURE, OUTPUT, FakeKernel, FakeNode

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="needs Linux: v4l2loopback is a module of its kernel"
)
LOOPBACK = "v4l2 loopback"


@pytest.fixture
def kernel(tmp_path: Path) -> FakeKernel:
    return FakeKernel(tmp_path)


def stuck() -> FakeNode:
    """As 0.12.7 leaves a device of exclusive_caps=1 after its first clean close."""
    return FakeNode(LOOPBACK, "rtfilter", caps=0, after_writer=OUTPUT, stream_errno=errno.EINVAL)


def state_of(kernel: FakeKernel) -> LoopbackState:
    root = kernel.root
    places = root / "module", root / "modules", kernel.devices, kernel.sysfs
    return loopback_state(*places, kernel.ioctl, root / "dkms")


def load_module(root: Path, version: str, exclusive_caps: str) -> None:
    (root / "module" / "parameters").mkdir(parents=True)
    (root / "module" / "version").write_text(version + "\n")
    (root / "module" / "parameters" / "exclusive_caps").write_text(exclusive_caps + "\n")


def test_a_stuck_device_comes_back(kernel: FakeKernel) -> None:
    path = kernel.add("video3", stuck())
    assert revive(None, kernel.devices, kernel.sysfs, kernel.ioctl) == [path]
    assert kernel.writers == ["video3"]
    assert query_node(path, kernel.sysfs, kernel.ioctl).can_output
    assert revive(None, kernel.devices, kernel.sysfs, kernel.ioctl) == []
    assert kernel.writers == ["video3"]


def test_nothing_else_is_touched(kernel: FakeKernel) -> None:
    kernel.add("video0", FakeNode(caps=0))  # another driver's
    kernel.add("video1", FakeNode(LOOPBACK, caps=OUTPUT))  # ready for a writer
    kernel.add("video2", FakeNode(LOOPBACK, caps=CAPTURE))  # somebody is writing
    kernel.add("video3", FakeNode(LOOPBACK, caps=0, errno=errno.EACCES))
    assert revive(None, kernel.devices, kernel.sysfs, kernel.ioctl) == []
    assert kernel.writers == []


def test_only_the_device_that_was_named_is_revived(kernel: FakeKernel) -> None:
    kernel.add("video3", stuck())
    path = kernel.add("video4", stuck())
    assert revive(str(path), kernel.devices, kernel.sysfs, kernel.ioctl) == [path]
    assert kernel.writers == ["video4"]
    assert revive(str(kernel.devices / "video9"), kernel.devices, kernel.sysfs, kernel.ioctl) == []


def test_a_device_that_stays_stuck_is_told_and_not_raised(
    kernel: FakeKernel, caplog: pytest.LogCaptureFixture
) -> None:
    kernel.add("video3", FakeNode(LOOPBACK, caps=0, stream_errno=errno.EIO))
    assert revive(None, kernel.devices, kernel.sysfs, kernel.ioctl) == []
    assert "modprobe -r v4l2loopback && sudo modprobe v4l2loopback" in caplog.text


def test_a_closing_writer_makes_its_device_offer_output_though_somebody_watches(kernel: FakeKernel) -> None:
    path = kernel.add("video3", FakeNode(LOOPBACK, caps=CAPTURE, after_writer=CAPTURE | OUTPUT))
    assert offer_output(path, kernel.sysfs, kernel.ioctl)
    assert offer_output(path, kernel.sysfs, kernel.ioctl)
    assert kernel.writers == ["video3"]


def test_absent_module(kernel: FakeKernel) -> None:
    state = state_of(kernel)
    assert (state.installed, state.loaded, state.version, state.exclusive_caps) == (False, False, "", ())
    assert state.advice == (
        "load the virtual camera module: sudo apt install v4l2loopback-dkms"
        ' && sudo modprobe v4l2loopback devices=1 exclusive_caps=1 card_label="rtfilter"'
    )


def test_module_that_is_installed_but_not_loaded(kernel: FakeKernel) -> None:
    folder = kernel.root / "modules" / platform.release()
    folder.mkdir(parents=True)
    (folder / "modules.dep").write_text("updates/dkms/v4l2loopback.ko.xz: kernel/videodev.ko.xz\n")
    state = state_of(kernel)
    assert (state.installed, state.loaded) == (True, False)
    assert "apt install" not in state.advice
    assert "sudo modprobe v4l2loopback devices=1 exclusive_caps=1" in state.advice


def test_loaded_module_that_is_ready(kernel: FakeKernel) -> None:
    load_module(kernel.root, "0.12.7", "Y,N,N,N,N,N,N,N")
    kernel.add("video0", FakeNode())
    kernel.add("video3", FakeNode(LOOPBACK, "rtfilter", OUTPUT))
    state = state_of(kernel)
    assert (state.installed, state.loaded, state.version) == (True, True, "0.12.7")
    assert state.exclusive_caps == (True,)
    assert [node.path.name for node in state.nodes] == ["video3"]
    assert state.can_reattach is False
    assert state.advice == ""


def test_a_version_that_the_module_does_not_tell_is_the_one_that_was_built(kernel: FakeKernel) -> None:
    load_module(kernel.root, "", "Y")
    assert (state_of(kernel).version, state_of(kernel).can_reattach) == ("", None)
    (kernel.root / "dkms" / "0.12.7").mkdir(parents=True)
    (kernel.root / "dkms" / "kernel-6.1.0-amd64-x86_64").symlink_to("0.12.7")
    assert (state_of(kernel).version, state_of(kernel).can_reattach) == ("0.12.7", False)
    (kernel.root / "dkms" / "0.15.0").mkdir()
    assert state_of(kernel).version == ""


def test_loaded_module_without_exclusive_caps(kernel: FakeKernel) -> None:
    load_module(kernel.root, "0.14.0", "N,N")
    kernel.add("video3", FakeNode(LOOPBACK, "rtfilter", OUTPUT | CAPTURE))
    state = state_of(kernel)
    assert state.can_reattach is True
    assert "exclusive_caps=1" in state.advice
    assert "modprobe -r" in state.advice


def test_loaded_module_without_devices(kernel: FakeKernel) -> None:
    load_module(kernel.root, "0.13.2", "Y")
    assert "without devices" in state_of(kernel).advice


@pytest.mark.parametrize("version", ["", "git", "0"])
def test_unknown_version_is_not_guessed(version: str) -> None:
    assert LoopbackState(True, True, version, (), ()).can_reattach is None


def test_denied_device_is_recognised_by_being_virtual(kernel: FakeKernel) -> None:
    load_module(kernel.root, "0.13.2", "Y")
    denied = kernel.add("video3", FakeNode(LOOPBACK, errno=errno.EACCES))
    kernel.add("video4", FakeNode(errno=errno.EACCES))
    real = kernel.root / "devices" / "virtual" / "video4linux" / "video3"
    real.mkdir(parents=True)
    kernel.sysfs.mkdir()
    (kernel.sysfs / "video3").symlink_to(real)
    state = state_of(kernel)
    assert [node.path for node in state.nodes] == [denied]
    assert isinstance(state.nodes[0], VideoNode)
    assert "usermod -aG video" in state.advice
