"""Linux video nodes, queried through the kernel's V4L2 interface (uAPI, linux/videodev2.h).

Called by the camera, the virtual camera, `cam.watchers` and `rtfilter doctor`.
"""

from __future__ import annotations

import errno
import os
import re
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

DEVICES = Path("/dev")
SYSFS = Path("/sys/class/video4linux")
PROC = Path("/proc")

# struct v4l2_capability: driver, card, bus_info, version, capabilities, device_caps, reserved.
_CAPABILITY = struct.Struct("=16s32s32sIII12x")
VIDIOC_QUERYCAP = 0x80000000 | _CAPABILITY.size << 16 | ord("V") << 8 | 0
VIDIOC_STREAMON = 0x40000000 | 4 << 16 | ord("V") << 8 | 18
VIDIOC_STREAMOFF = 0x40000000 | 4 << 16 | ord("V") << 8 | 19
_CONTROL = struct.Struct("=Ii")  # struct v4l2_control: id, value
VIDIOC_G_CTRL = 0xC0000000 | _CONTROL.size << 16 | ord("V") << 8 | 27
_CAP_CAPTURE = 0x0000_0001 | 0x0000_1000  # single- and multi-planar
_CAP_OUTPUT = 0x0000_0002 | 0x0000_2000
_CAP_DEVICE_CAPS = 0x8000_0000
_BUF_TYPE_OUTPUT = 2

LOOPBACK_DRIVER = "v4l2 loopback"

# (file descriptor, request, buffer to fill or read); raises OSError.
Ioctl = Callable[[int, int, bytearray], None]


def kernel_ioctl(fd: int, request: int, buffer: bytearray) -> None:
    """The real ioctl. The module exists on Unix alone, so it is imported at the call."""
    import fcntl

    fcntl.ioctl(fd, request, buffer, True)


@dataclass(frozen=True, slots=True)
class VideoNode:
    """One /dev/videoN. problem: why it could not be queried; then it has no capabilities."""

    path: Path
    name: str
    driver: str = ""
    can_capture: bool = False
    can_output: bool = False
    problem: str = ""

    @property
    def index(self) -> int:
        """N of /dev/videoN."""
        return node_index(self.path)

    @property
    def is_loopback(self) -> bool:
        return self.driver == LOOPBACK_DRIVER


def node_index(path: Path) -> int:
    """N of a path that ends in videoN, -1 for another."""
    match = re.fullmatch(r"video(\d+)", path.name)
    return int(match[1]) if match else -1


def video_nodes(devices: Path = DEVICES, sysfs: Path = SYSFS, ioctl: Ioctl = kernel_ioctl) -> list[VideoNode]:
    """Every /dev/videoN, by number; empty where there are none (or the system is not Linux)."""
    paths = sorted((path for path in devices.glob("video*") if node_index(path) >= 0), key=node_index)
    return [query_node(path, sysfs, ioctl) for path in paths]


def query_node(path: Path, sysfs: Path = SYSFS, ioctl: Ioctl = kernel_ioctl) -> VideoNode:
    """The name, driver and capabilities of a node. A failure is its `problem`; nothing is raised."""
    name = _name_in_sysfs(path, sysfs)
    buffer = bytearray(_CAPABILITY.size)
    try:
        with _opened(path) as fd:
            ioctl(fd, VIDIOC_QUERYCAP, buffer)
    except OSError as error:
        return VideoNode(path, name or path.name, problem=_problem(error))
    driver, card, _bus, _version, capabilities, device_caps = _CAPABILITY.unpack(buffer)
    # A device has several nodes; only device_caps are those of this one.
    own = device_caps if capabilities & _CAP_DEVICE_CAPS else capabilities
    return VideoNode(
        path,
        name or _text(card) or path.name,
        driver=_text(driver),
        can_capture=bool(own & _CAP_CAPTURE),
        can_output=bool(own & _CAP_OUTPUT),
    )


def control_value(path: Path, control_id: int, ioctl: Ioctl = kernel_ioctl) -> int | None:
    """The value of a control of the node; None when it has no such control, or cannot be queried."""
    buffer = bytearray(_CONTROL.pack(control_id, 0))
    try:
        with _opened(path) as fd:
            ioctl(fd, VIDIOC_G_CTRL, buffer)
    except OSError:
        return None
    return int(_CONTROL.unpack(buffer)[1])


def attach_and_detach_output(path: Path, ioctl: Ioctl = kernel_ioctl) -> None:
    """Attach to the node as a writer, and detach: open, VIDIOC_STREAMON and STREAMOFF for output, close.

    EINVAL, the result of a node without a format, is ignored: the writer is registered by then.
    """
    with _opened(path) as fd:
        for request in (VIDIOC_STREAMON, VIDIOC_STREAMOFF):
            try:
                ioctl(fd, request, bytearray(struct.pack("=i", _BUF_TYPE_OUTPUT)))
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise


def holders(path: Path, proc: Path = PROC) -> list[str]:
    """The processes that have `path` open, as `name (pid N)`; without those of other users."""
    return [f"{_process_name(pid, proc)} (pid {pid})" for pid in holder_pids(path, proc)]


def holder_pids(path: Path, proc: Path = PROC) -> list[int]:
    """The numbers of those processes, in order; none where there is no /proc."""
    # Without Path objects: a desktop has thousands of open files, and this is called twice a second.
    wanted, found = str(path), []
    if not proc.is_dir():
        return []
    for pid in sorted(int(name) for name in os.listdir(proc) if name.isdecimal()):  # noqa: PTH208
        folder = f"{proc}/{pid}/fd"
        try:
            numbers = os.listdir(folder)  # noqa: PTH208
        except OSError:
            continue  # another user's, or gone meanwhile
        if any(_link(f"{folder}/{number}") == wanted for number in numbers):
            found.append(pid)
    return found


def _link(path: str) -> str:
    try:
        return os.readlink(path)  # noqa: PTH115
    except OSError:
        return ""  # closed meanwhile


def _process_name(pid: int, proc: Path) -> str:
    try:
        return (proc / str(pid) / "comm").read_text().strip()
    except OSError:
        return "a program"


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    # O_NONBLOCK: some drivers wait in open() for a device that is being reset.
    fd = os.open(path, os.O_RDWR | getattr(os, "O_NONBLOCK", 0))
    try:
        yield fd
    finally:
        os.close(fd)


def _name_in_sysfs(path: Path, sysfs: Path) -> str:
    try:
        return (sysfs / path.name / "name").read_text().strip()
    except OSError:
        return ""


def _text(raw: bytes) -> str:
    return raw.split(b"\0", 1)[0].decode(errors="replace").strip()


def _problem(error: OSError) -> str:
    if error.errno in (errno.EACCES, errno.EPERM):
        return "permission denied"
    if error.errno == errno.EBUSY:
        return "busy"
    if error.errno in (errno.ENOTTY, errno.EINVAL):
        return "not a video device"
    return (error.strerror or str(error)).lower()
