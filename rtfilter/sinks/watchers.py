"""Whether anybody watches a v4l2loopback device: asked of the driver, or else of /proc."""

from __future__ import annotations

import errno
import os
import struct
import sys
from collections.abc import Callable
from pathlib import Path

from rtfilter.v4l2 import PROC, Ioctl, holder_pids, kernel_ioctl, node_index, query_node

# struct v4l2_event_subscription: type, id, flags, reserved. struct v4l2_event begins with type and, after
# padding, its data; 136 bytes where a long has 64 bits.
_SUBSCRIPTION = struct.Struct("=III20x")
_EVENT_BYTES = 136 if struct.calcsize("l") == 8 else 120
_EVENT_DATA_AT = 8
VIDIOC_SUBSCRIBE_EVENT = 0x40000000 | _SUBSCRIPTION.size << 16 | ord("V") << 8 | 90
VIDIOC_DQEVENT = 0x80000000 | _EVENT_BYTES << 16 | ord("V") << 8 | 89
# v4l2loopback's private event "client usage", since 0.13: V4L2_EVENT_PRIVATE_START + 0x08E00000 + 1.
CLIENT_USAGE = 0x10E00001
_SEND_INITIAL = 1

# Whether somebody watches now; cheap enough to be asked twice a second.
Watched = Callable[[], bool]


def watched(device: str, ioctl: Ioctl = kernel_ioctl, proc: Path = PROC) -> Watched | None:
    """How to tell whether somebody reads `device`, /dev/videoN; None where it can't be told.

    From v4l2loopback 0.13 on the driver itself tells who streams. Before, whoever has the device open
    counts, other than this process; those of other users can't be seen.
    """
    path = Path(device)
    if sys.platform != "linux" or node_index(path) < 0 or not query_node(path, ioctl=ioctl).is_loopback:
        return None
    if _streaming(path, ioctl) is not None:
        # A driver that stops answering is no reason to stop the picture.
        return lambda: _streaming(path, ioctl) is not False
    return lambda: any(pid != os.getpid() for pid in holder_pids(path, proc))


def _streaming(path: Path, ioctl: Ioctl) -> bool | None:
    """What the driver says; None when it has no such event.

    Subscribed anew each time: the first event is then the state itself, and no later one can be missed.
    """
    event = bytearray(_EVENT_BYTES)
    try:
        fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        try:
            ioctl(fd, VIDIOC_SUBSCRIBE_EVENT, bytearray(_SUBSCRIPTION.pack(CLIENT_USAGE, 0, _SEND_INITIAL)))
            ioctl(fd, VIDIOC_DQEVENT, event)
        finally:
            os.close(fd)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENOTTY, errno.ENOENT, errno.EAGAIN, errno.EBUSY, errno.ENODEV):
            return None
        raise
    (count,) = struct.unpack_from("=I", event, _EVENT_DATA_AT)
    return bool(count)
