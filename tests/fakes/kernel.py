"""A kernel with video nodes: the answers of ioctl for plain files that stand for /dev/videoN."""

from __future__ import annotations

import errno
import struct
from dataclasses import dataclass, field
from pathlib import Path

from rtfilter.cam.watchers import VIDIOC_DQEVENT, VIDIOC_SUBSCRIBE_EVENT
from rtfilter.system.v4l2 import VIDIOC_G_CTRL, VIDIOC_QUERYCAP, VIDIOC_STREAMOFF, VIDIOC_STREAMON

CAPTURE, OUTPUT, META_CAPTURE, STREAMING = 0x1, 0x2, 0x0080_0000, 0x0400_0000
DEVICE_CAPS = 0x8000_0000


@dataclass
class FakeNode:
    """What one node answers. `errno`: QUERYCAP fails with it. `after_writer`: its caps once a writer went.

    `controls`: values by id. `watchers`: what the client usage event tells; None: it has no such event.
    `stream_errno`: STREAMON and STREAMOFF fail with it, though the writer is noted, as the driver does.
    """

    driver: str = "uvcvideo"
    card: str = "Webcam"
    caps: int = CAPTURE
    whole_device_caps: int | None = None
    errno: int = 0
    after_writer: int | None = None
    stream_errno: int = 0
    controls: dict[int, int] = field(default_factory=dict)
    watchers: int | None = None


@dataclass
class FakeKernel:
    """Nodes by name below `root / "dev"`, their names below `root / "sys"`."""

    root: Path
    nodes: dict[str, FakeNode] = field(default_factory=dict)
    writers: list[str] = field(default_factory=list)

    @property
    def devices(self) -> Path:
        return self.root / "dev"

    @property
    def sysfs(self) -> Path:
        return self.root / "sys"

    def add(self, name: str, node: FakeNode, sysfs_name: str = "") -> Path:
        self.devices.mkdir(exist_ok=True)
        self.nodes[name] = node
        (self.devices / name).touch()
        if sysfs_name:
            (self.sysfs / name).mkdir(parents=True)
            (self.sysfs / name / "name").write_text(sysfs_name + "\n")
        return self.devices / name

    def ioctl(self, fd: int, request: int, buffer: bytearray) -> None:
        name = Path(f"/proc/self/fd/{fd}").readlink().name
        node = self.nodes[name]
        if request == VIDIOC_QUERYCAP:
            if node.errno:
                raise OSError(node.errno, "refused")
            whole = node.caps if node.whole_device_caps is None else node.whole_device_caps
            texts = node.driver.encode(), node.card.encode(), b"usb-0000:00:14.0-1"
            buffer[:] = struct.pack(
                "=16s32s32sIII12x", *texts, 0x060100, whole | DEVICE_CAPS | STREAMING, node.caps | STREAMING
            )
        elif request in (VIDIOC_STREAMON, VIDIOC_STREAMOFF):
            assert bytes(buffer) == struct.pack("=i", 2)  # V4L2_BUF_TYPE_VIDEO_OUTPUT
            if request == VIDIOC_STREAMON:
                self.writers.append(name)
                if node.after_writer is not None:
                    node.caps = node.after_writer
            if node.stream_errno:
                raise OSError(node.stream_errno, "refused")
        elif request == VIDIOC_G_CTRL:
            control_id, _ = struct.unpack("=Ii", buffer)
            if control_id not in node.controls:
                raise OSError(errno.EINVAL, "no such control")
            buffer[:] = struct.pack("=Ii", control_id, node.controls[control_id])
        elif request == VIDIOC_SUBSCRIBE_EVENT:
            if node.watchers is None:
                raise OSError(errno.EINVAL, "no such event")
            # V4L2_EVENT_SUB_FL_SEND_INITIAL: the state itself comes first.
            assert struct.unpack("=III20x", buffer) == (0x08000000 + 0x08E00000 + 1, 0, 1)
        elif request == VIDIOC_DQEVENT:
            struct.pack_into("=I", buffer, 0, 0x08000000 + 0x08E00000 + 1)
            struct.pack_into("=I", buffer, 8, node.watchers or 0)
        else:
            raise OSError(errno.ENOTTY, "unknown request")
