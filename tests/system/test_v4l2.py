"""Video nodes of Linux: what they say is understood, and what can't be asked is told."""

from __future__ import annotations

import errno
import sys
from pathlib import Path

import pytest

from rtfilter.system.v4l2 import (
    VIDIOC_QUERYCAP,
    VIDIOC_STREAMOFF,
    VIDIOC_STREAMON,
    attach_and_detach_output,
    holders,
    node_index,
    query_node,
    video_nodes,
)
from tests.fakes.kernel import CAPTURE, META_CAPTURE, OUTPUT, FakeKernel, FakeNode

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux: V4L2 is its video interface")


@pytest.fixture
def kernel(tmp_path: Path) -> FakeKernel:
    return FakeKernel(tmp_path)


def test_request_numbers_are_those_of_the_uapi_header() -> None:
    assert (VIDIOC_QUERYCAP, VIDIOC_STREAMON, VIDIOC_STREAMOFF) == (0x80685600, 0x40045612, 0x40045613)


def test_node_index() -> None:
    assert node_index(Path("/dev/video12")) == 12
    assert node_index(Path("/dev/video")) == -1
    assert node_index(Path("/dev/video1x")) == -1


def test_nodes_come_by_number_with_their_own_capabilities(kernel: FakeKernel) -> None:
    # A webcam's second node carries metadata alone, but repeats what the whole device can do.
    kernel.add("video10", FakeNode(card="Late"))
    kernel.add("video1", FakeNode(caps=META_CAPTURE, whole_device_caps=CAPTURE | META_CAPTURE))
    kernel.add("video0", FakeNode(card="Card"), sysfs_name="HD Webcam: HD Webcam")
    kernel.add("video2", FakeNode("v4l2 loopback", "rtfilter", OUTPUT))
    (kernel.devices / "video-card").touch()
    nodes = video_nodes(kernel.devices, kernel.sysfs, kernel.ioctl)
    assert [node.index for node in nodes] == [0, 1, 2, 10]
    assert [node.name for node in nodes] == ["HD Webcam: HD Webcam", "Webcam", "rtfilter", "Late"]
    assert [node.can_capture for node in nodes] == [True, False, False, True]
    assert [node.can_output for node in nodes] == [False, False, True, False]
    assert [node.is_loopback for node in nodes] == [False, False, True, False]
    assert not any(node.problem for node in nodes)


def test_no_devices_folder_is_no_nodes(tmp_path: Path) -> None:
    assert video_nodes(tmp_path / "none", tmp_path) == []


@pytest.mark.parametrize(
    ("number", "problem"),
    [
        (errno.EACCES, "permission denied"),
        (errno.EPERM, "permission denied"),
        (errno.EBUSY, "busy"),
        (errno.ENOTTY, "not a video device"),
        (errno.ENODEV, "refused"),
    ],
)
def test_a_node_that_cannot_be_asked_says_why(kernel: FakeKernel, number: int, problem: str) -> None:
    path = kernel.add("video0", FakeNode(errno=number), sysfs_name="Webcam")
    node = query_node(path, kernel.sysfs, kernel.ioctl)
    assert (node.problem, node.name, node.can_capture) == (problem, "Webcam", False)


def test_the_real_kernel_refuses_a_file_that_is_no_device(tmp_path: Path) -> None:
    path = tmp_path / "video0"
    path.touch()
    assert query_node(path).problem == "not a video device"
    assert query_node(tmp_path / "video1").problem == "no such file or directory"
    with pytest.raises(OSError, match="ioctl"):
        attach_and_detach_output(path)


def test_a_writer_for_a_moment_ignores_that_there_is_no_format(kernel: FakeKernel) -> None:
    path = kernel.add("video0", FakeNode(stream_errno=errno.EINVAL))
    attach_and_detach_output(path, kernel.ioctl)
    assert kernel.writers == ["video0"]
    kernel.nodes["video0"].stream_errno = errno.EIO
    with pytest.raises(OSError, match="refused"):
        attach_and_detach_output(path, kernel.ioctl)


def test_holders_are_named(tmp_path: Path) -> None:
    held, free = tmp_path / "held", tmp_path / "free"
    free.touch()
    with held.open("w"):
        own = Path("/proc/self").readlink()
        command = Path("/proc/self/comm").read_text().strip()
        assert holders(held) == [f"{command} (pid {own})"]
        assert holders(free) == []
    assert holders(held) == []
