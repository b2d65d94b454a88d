"""Whether somebody watches: as the driver tells it, or as /proc does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rtfilter.cam import watchers
from rtfilter.cam.watchers import watched
from tests.fakes.kernel import CAPTURE, FakeKernel, FakeNode
from tests.fakes.live import eventually

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux: only there the driver tells")


def loopback(watchers: int | None) -> FakeNode:
    return FakeNode("v4l2 loopback", "rtfilter", CAPTURE, watchers=watchers)


def test_the_driver_tells_from_0_13_on(tmp_path: Path) -> None:
    kernel = FakeKernel(tmp_path)
    node = loopback(0)
    look = watched(str(kernel.add("video4", node)), kernel.ioctl, tmp_path / "no-proc")
    assert look is not None
    assert not look()
    node.watchers = 1
    assert look()
    node.watchers = None  # the module was taken away
    assert look()


def test_before_that_whoever_has_it_open_watches_but_not_we(tmp_path: Path) -> None:
    kernel = FakeKernel(tmp_path)
    path = kernel.add("video4", loopback(None))
    look = watched(str(path), kernel.ioctl)
    assert look is not None
    with path.open():
        assert not look()
    keep = f"kept = open({str(path)!r}); input()"
    reader = subprocess.Popen([sys.executable, "-c", keep], stdin=subprocess.PIPE)
    try:
        assert eventually(look)
    finally:
        reader.kill()
        reader.wait()
    assert not look()


def test_processes_are_looked_through_only_when_something_happened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = FakeKernel(tmp_path)
    path = kernel.add("video4", loopback(None))
    looks: list[Path] = []
    monkeypatch.setattr(watchers, "holder_pids", lambda path, _: looks.append(path) or [])
    look = watched(str(path), kernel.ioctl)
    assert look is not None
    for _ in range(10):
        look()
    quiet = len(looks)
    assert quiet <= 3
    path.open().close()
    for _ in range(5):
        look()
    assert len(looks) == quiet + 2
    for _ in range(30):
        look()
    assert quiet + 2 < len(looks) <= quiet + 6


@pytest.mark.parametrize("device", ["recorder 0", "OBS Virtual Camera", "/dev/null"])
def test_another_camera_can_not_be_told(device: str) -> None:
    assert watched(device) is None


def test_a_webcam_is_no_virtual_camera(tmp_path: Path) -> None:
    kernel = FakeKernel(tmp_path)
    assert watched(str(kernel.add("video0", FakeNode())), kernel.ioctl) is None


def test_nothing_stays_open(tmp_path: Path) -> None:
    kernel = FakeKernel(tmp_path)
    look = watched(str(kernel.add("video4", loopback(1))), kernel.ioctl)
    assert look is not None
    look()
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        look()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
