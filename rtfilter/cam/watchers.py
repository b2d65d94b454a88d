"""Watchers: programs that read a v4l2loopback device, by its driver or by /proc. Called by `cli.cam`."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys
from collections.abc import Callable
from io import FileIO
from pathlib import Path

from rtfilter.system.v4l2 import PROC, Ioctl, holder_pids, kernel_ioctl, node_index, query_node

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
# inotify(7): IN_OPEN; IN_CLOSE_WRITE and IN_CLOSE_NOWRITE.
_OPENED, _CLOSED = 0x20, 0x18
# So many calls in a row are answered without a look at /proc when no open or close was seen.
_CALLS_WITHOUT_CHECK = 10

# Whether a program reads the device now; cheap enough to be called twice a second.
Watched = Callable[[], bool]


def watched(device: str, ioctl: Ioctl = kernel_ioctl, proc: Path = PROC) -> Watched | None:
    """A check for readers of `device`, /dev/videoN; None where there is no way to check.

    From v4l2loopback 0.13 on the driver reports its streams. Before, every other process that has the
    device open counts; those of other users can't be seen.
    """
    path = Path(device)
    if sys.platform != "linux" or node_index(path) < 0 or not query_node(path, ioctl=ioctl).is_loopback:
        return None
    if _streaming(path, ioctl) is not None:
        # A driver that reports no more is no reason to stop the picture.
        return lambda: _streaming(path, ioctl) is not False
    return _Holders(path, proc)


class _Holders:
    """Whether another process has `path` open. To look through all of them costs tens of milliseconds on a
    desktop, so it is done when the file was opened or closed since, or now and then."""

    def __init__(self, path: Path, proc: Path) -> None:
        self._path = path
        self._proc = proc
        self._changes = _changes_of(path)
        self._looks = 0
        self._unlooked = 0
        self._held = False

    def __call__(self) -> bool:
        if self._changes is None or self._changes.read() is not None:
            # Once more the next time: the event comes just before the process has the file.
            self._looks = 2
        if self._looks > 0 or self._unlooked >= _CALLS_WITHOUT_CHECK:
            self._looks, self._unlooked = max(self._looks - 1, 0), 0
            self._held = any(pid != os.getpid() for pid in holder_pids(self._path, self._proc))
        else:
            self._unlooked += 1
        return self._held


def _changes_of(path: Path) -> FileIO | None:
    """An inotify file that can be read once `path` is opened or closed; None where there is none."""
    libc = ctypes.CDLL(None)
    fd = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    if fd < 0:
        return None
    changes = FileIO(fd)
    return changes if libc.inotify_add_watch(fd, os.fsencode(path), _OPENED | _CLOSED) >= 0 else None


def _streaming(path: Path, ioctl: Ioctl) -> bool | None:
    """Whether the driver reports a stream; None when it has no such event.

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
