"""Opening a camera: every refusal says why and what to do; capture times come from the driver if sane."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from rtfilter.errors import DeviceError
from rtfilter.sources.capture import (
    CameraInfo,
    OpenCvCapture,
    device_path,
    known_cameras,
    list_cameras,
    open_camera,
    refuse_unusable,
)
from rtfilter.system.clock import NS_PER_MS, NS_PER_S
from tests.fakes.kernel import CAPTURE, META_CAPTURE, OUTPUT, FakeKernel, FakeNode

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux: V4L2 is its video interface")
NOW_NS = 1_000 * NS_PER_S


@pytest.fixture
def kernel(tmp_path: Path) -> FakeKernel:
    return FakeKernel(tmp_path)


@linux
def test_a_camera_that_is_not_there() -> None:
    with pytest.raises(DeviceError, match=r"camera:97 is not there \(/dev/video97\): (no camera|there are)"):
        open_camera(97, 1280, 720, 30)


@linux
@pytest.mark.parametrize("path", ["/dev/null", __file__])
def test_a_path_that_is_no_camera(path: str) -> None:
    with pytest.raises(DeviceError, match="is not a camera: expected a number or /dev/videoN"):
        open_camera(path, 1280, 720, 30)


@linux
@pytest.mark.parametrize(
    ("node", "says"),
    [
        (FakeNode(errno=errno.EACCES), r"no permission for .*video0: sudo usermod -aG video \$USER"),
        (FakeNode(errno=errno.EBUSY), "does not open: another program may be using it; close that one"),
        (FakeNode(errno=errno.ENOTTY), "cannot be used .*not a video device"),
        (FakeNode("v4l2 loopback", "rtfilter", OUTPUT), "gives no pictures .* is 'rtfilter'"),
        (FakeNode(caps=META_CAPTURE), "gives no pictures"),
    ],
)
def test_nodes_that_are_refused(kernel: FakeKernel, node: FakeNode, says: str) -> None:
    path = kernel.add("video0", node)
    with pytest.raises(DeviceError, match=says) as refused:
        refuse_unusable(path, 0, kernel.ioctl)
    assert "\n" not in str(refused.value)


@linux
def test_a_busy_camera_names_the_program_that_has_it(kernel: FakeKernel) -> None:
    path = kernel.add("video0", FakeNode(errno=errno.EBUSY))
    with path.open(), pytest.raises(DeviceError, match=r"in use by .+ \(pid \d+\); close that one"):
        refuse_unusable(path, 0, kernel.ioctl)


@linux
def test_a_camera_passes(kernel: FakeKernel) -> None:
    refuse_unusable(kernel.add("video0", FakeNode()), 0, kernel.ioctl)


@linux
def test_paths_follow_links(tmp_path: Path) -> None:
    node = tmp_path / "video5"
    node.touch()
    link = tmp_path / "usb-Webcam-index0"
    link.symlink_to(node)
    assert device_path(str(link)) == node.resolve()
    assert device_path(3) == Path("/dev/video3")


@linux
def test_opencv_is_silent_on_stderr() -> None:
    code = (
        "import cv2\n"
        "from rtfilter.errors import DeviceError\n"
        "from rtfilter.sources.capture import open_camera\n"
        "try:\n    open_camera(97, 640, 480, 30)\n"
        "except DeviceError:\n    pass\n"
        "assert not cv2.VideoCapture(97, cv2.CAP_V4L2).isOpened()\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert (ended.stdout, ended.stderr) == ("", "")


@linux
def test_cameras_are_listed_without_what_gives_no_pictures(kernel: FakeKernel) -> None:
    kernel.add("video0", FakeNode(), sysfs_name="HD Webcam")
    kernel.add("video1", FakeNode(caps=META_CAPTURE))
    kernel.add("video2", FakeNode("v4l2 loopback", "rtfilter", OUTPUT))
    kernel.add("video3", FakeNode("v4l2 loopback", "other", CAPTURE))
    kernel.add("video4", FakeNode(errno=errno.EACCES), sysfs_name="Locked")
    assert list_cameras(kernel.devices, kernel.sysfs, kernel.ioctl) == [
        CameraInfo(0, str(kernel.devices / "video0"), "HD Webcam"),
        CameraInfo(3, str(kernel.devices / "video3"), "other", virtual=True),
        CameraInfo(4, str(kernel.devices / "video4"), "Locked", "permission denied"),
    ]


def test_known_cameras_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules[list_cameras.__module__]
    monkeypatch.setattr(module, "list_cameras", list)
    assert "demo" in known_cameras()
    cameras = [
        CameraInfo(0, "/dev/video0", "HD"),
        CameraInfo(4, "/dev/video4", "Locked", "permission denied"),
    ]
    monkeypatch.setattr(module, "list_cameras", lambda: cameras)
    assert known_cameras() == "there are: camera:0 (HD), camera:4 (Locked: permission denied)"


class FakeVideo:
    """The part of cv2.VideoCapture that is used; `pictures` has None for one that can't be decoded."""

    def __init__(self, pictures: list[npt.NDArray[np.uint8] | None], backend: str, stamp_ms: float) -> None:
        self.pictures, self.backend, self.stamp_ms = pictures, backend, stamp_ms

    def getBackendName(self) -> str:
        return self.backend

    def get(self, prop: int) -> float:
        return {cv2.CAP_PROP_POS_MSEC: self.stamp_ms}.get(prop, 0.0)

    def grab(self) -> bool:
        return bool(self.pictures)

    def retrieve(self) -> tuple[bool, npt.NDArray[np.uint8] | None]:
        picture = self.pictures.pop(0)
        return picture is not None, picture


BLUE_BGR = np.full((4, 6, 3), (255, 0, 0), np.uint8)


@pytest.mark.parametrize(
    ("backend", "ago_ns", "expected_ago_ns"),
    [
        ("V4L2", 20 * NS_PER_MS, 20 * NS_PER_MS),
        ("V4L2", NOW_NS, 0),  # a driver that does not stamp
        ("V4L2", -5 * NS_PER_MS, 0),  # another clock
        ("V4L2", 3 * NS_PER_S, 0),
        ("FFMPEG", 20 * NS_PER_MS, 0),
    ],
)
def test_capture_time_is_the_drivers_where_it_can_be(backend: str, ago_ns: int, expected_ago_ns: int) -> None:
    video = FakeVideo([BLUE_BGR], backend, (NOW_NS - ago_ns) / NS_PER_MS)
    picture = OpenCvCapture(video, clock=lambda: NOW_NS).read()
    assert picture is not None
    assert picture.captured_ns == NOW_NS - expected_ago_ns


def test_colours_are_rgb_and_grey_becomes_grey_rgb() -> None:
    capture = OpenCvCapture(FakeVideo([BLUE_BGR, np.full((4, 6), 7, np.uint8)], "FFMPEG", 0))
    blue, grey = capture.read(), capture.read()
    assert blue is not None
    assert grey is not None
    assert (blue.rgb == (0, 0, 255)).all()
    assert grey.rgb.shape == (4, 6, 3)
    assert (grey.rgb == 7).all()


def test_damaged_pictures_are_skipped_and_a_broken_stream_is_lost() -> None:
    damaged_once = OpenCvCapture(FakeVideo([None, None, BLUE_BGR], "FFMPEG", 0))
    assert damaged_once.read() is not None
    assert damaged_once.read() is None
    assert OpenCvCapture(FakeVideo([None] * 100, "FFMPEG", 0)).read() is None
