"""Cameras: which there are, and one opened by OpenCV. Called by `sources.camera`, `cli.cam` and `serve`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import cv2
import numpy as np

from rtfilter.errors import DeviceError
from rtfilter.system.arrays import U8
from rtfilter.system.clock import NS_PER_MS, NS_PER_S, Clock, monotonic_ns
from rtfilter.system.v4l2 import (
    DEVICES,
    SYSFS,
    Ioctl,
    holders,
    kernel_ioctl,
    node_index,
    query_node,
    video_nodes,
)

# Elsewhere than on Linux a camera is found by opening it, so few are tried.
PROBED_INDICES = 4
# Two buffers: the driver fills one while the other is decoded. With one it has nowhere to put the frame
# that arrives meanwhile, and the rate halves; the default of four can hold frames that are old.
DRIVER_BUFFERS = 2
# Above this an uncompressed stream at 30 fps does not fit through USB 2.
UNCOMPRESSED_PIXELS = 640 * 480
# A JPEG damaged on the wire is skipped; as many as this in a row are a broken stream.
DAMAGED_IN_A_ROW = 30
OLDEST_STAMP_NS = NS_PER_S


@dataclass(frozen=True, slots=True)
class CameraInfo:
    """A camera, `camera:INDEX` on the command line.

    problem: why it cannot be opened, "" when it can. virtual: a loopback device that a program writes to.
    """

    index: int
    path: str
    name: str
    problem: str = ""
    virtual: bool = False


def list_cameras(
    devices: Path = DEVICES, sysfs: Path = SYSFS, ioctl: Ioctl = kernel_ioctl
) -> list[CameraInfo]:
    """All cameras, by index.

    On Linux no camera is switched on for this. Nodes that give no pictures (metadata, encoders, outputs)
    are left out; a node that may not be opened is listed with its problem.
    """
    if sys.platform != "linux":
        return _probed()
    return [
        CameraInfo(node.index, str(node.path), node.name, node.problem, node.is_loopback)
        for node in video_nodes(devices, sysfs, ioctl)
        if node.can_capture or node.problem
    ]


def camera_name(target: int | str) -> str:
    """The name in messages of the camera with this index or path."""
    return f"camera:{target}"


def known_cameras() -> str:
    """The cameras in words, as the end of a message."""
    found = list_cameras()
    if not found:
        return "no camera was found; plug one in, or try the input 'demo'"
    described = ", ".join(
        f"camera:{camera.index} ({camera.name}{': ' + camera.problem if camera.problem else ''})"
        for camera in found
    )
    return f"there are: {described}"


def _probed() -> list[CameraInfo]:
    silence_opencv()
    found = []
    for index in range(PROBED_INDICES):
        video = cv2.VideoCapture(index)
        if video.isOpened():
            found.append(CameraInfo(index, str(index), f"camera {index}"))
        video.release()
    return found


def silence_opencv() -> None:
    """Turn OpenCV's log on standard error off in this process; rtfilter reports in its own lines."""
    library: Any = cv2
    if hasattr(library, "setLogLevel"):
        library.setLogLevel(0)
    else:  # from 4.12 on
        library.utils.logging.setLogLevel(library.utils.logging.LOG_LEVEL_SILENT)


class Picture(NamedTuple):
    """A picture of a camera: uint8 [H, W, 3] RGB, and its capture time on the monotonic clock."""

    rgb: U8
    captured_ns: int


class Capture(Protocol):
    """A camera that is open. One thread uses it."""

    @property
    def fps(self) -> float:
        """Frames per second that the camera announces, 0 where unknown."""
        ...

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels that the camera announces; a picture may differ."""
        ...

    def read(self) -> Picture | None:
        """Wait for the next picture; None when the camera gives no more and must be opened anew."""
        ...

    def close(self) -> None: ...


# (index or path, width, height, fps) to an open camera; raises DeviceError.
OpenCapture = Callable[["int | str", int, int, float], Capture]


class OpenCvCapture:
    """A `cv2.VideoCapture` that is open."""

    def __init__(self, video: cv2.VideoCapture, clock: Clock = monotonic_ns) -> None:
        self._video = video
        self._clock = clock
        # V4L2 stamps a picture at the driver, on the monotonic clock; other backends count from the start.
        self._stamps = video.getBackendName() == "V4L2"

    @property
    def fps(self) -> float:
        return float(self._video.get(cv2.CAP_PROP_FPS))

    @property
    def size(self) -> tuple[int, int]:
        width = self._video.get(cv2.CAP_PROP_FRAME_WIDTH)
        return int(width), int(self._video.get(cv2.CAP_PROP_FRAME_HEIGHT))

    def read(self) -> Picture | None:
        for _ in range(DAMAGED_IN_A_ROW):
            if not self._video.grab():
                return None
            # Taken before decoding, which lasts several milliseconds and is part of the delay.
            captured_ns = self._captured_ns(self._clock())
            decoded, picture = self._video.retrieve()
            if decoded and picture is not None and picture.size:
                grey = picture.ndim == 2 or picture.shape[2] == 1
                code = cv2.COLOR_GRAY2RGB if grey else cv2.COLOR_BGR2RGB
                return Picture(np.asarray(cv2.cvtColor(picture, code), np.uint8), captured_ns)
        return None

    def close(self) -> None:
        self._video.release()

    def _captured_ns(self, now_ns: int) -> int:
        if not self._stamps:
            return now_ns
        stamp_ns = int(self._video.get(cv2.CAP_PROP_POS_MSEC) * NS_PER_MS)
        # Some drivers stamp with another clock; such a stamp is far off, and ours must do.
        return stamp_ns if now_ns - OLDEST_STAMP_NS <= stamp_ns <= now_ns else now_ns


def open_camera(target: int | str, width: int, height: int, fps: float) -> Capture:
    """A camera opened by index or path (`/dev/video0`, `/dev/v4l/by-id/...`) at about this size and rate.

    Raises DeviceError, with the cause and what to do: absent, no permission, in use, not a camera.
    """
    silence_opencv()
    if sys.platform == "linux":
        path = device_path(target)
        refuse_unusable(path, target)
        video = cv2.VideoCapture(node_index(path), cv2.CAP_V4L2)
    else:
        path = Path(str(target))
        by_index = isinstance(target, int)
        video = cv2.VideoCapture(target, cv2.CAP_ANY) if by_index else cv2.VideoCapture(target)
    if not video.isOpened():
        video.release()
        raise DeviceError(f"{camera_name(target)} does not open: {_why_not(path)}")
    if width * height > UNCOMPRESSED_PIXELS:
        video.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
    video.set(cv2.CAP_PROP_FRAME_WIDTH, width)
    video.set(cv2.CAP_PROP_FRAME_HEIGHT, height)
    video.set(cv2.CAP_PROP_FPS, fps)
    video.set(cv2.CAP_PROP_BUFFERSIZE, DRIVER_BUFFERS)
    return OpenCvCapture(video)


def device_path(target: int | str) -> Path:
    """The /dev/videoN that `target` means on Linux, links followed."""
    return DEVICES / f"video{target}" if isinstance(target, int) else Path(target).resolve()


def refuse_unusable(path: Path, target: int | str, ioctl: Ioctl = kernel_ioctl) -> None:
    """Raise DeviceError for a Linux node that is no camera that could be opened."""
    name = camera_name(target)
    if not path.exists():
        raise DeviceError(f"{name} is not there ({path}): {known_cameras()}")
    if node_index(path) < 0:
        raise DeviceError(f"{name} is not a camera: expected a number or /dev/videoN; {known_cameras()}")
    node = query_node(path, ioctl=ioctl)
    if node.problem == "permission denied":
        raise DeviceError(
            f"{name}: no permission for {path}: sudo usermod -aG video $USER, then log in again"
        )
    if node.problem == "busy":
        raise DeviceError(f"{name} does not open: {_why_not(path)}")
    if node.problem:
        raise DeviceError(f"{name} cannot be used ({path}: {node.problem}): {known_cameras()}")
    if not node.can_capture:
        raise DeviceError(f"{name} gives no pictures ({path} is {node.name!r}): {known_cameras()}")


def _why_not(path: Path) -> str:
    users = ", ".join(holders(path)) if sys.platform == "linux" else ""
    why = f"in use by {users}" if users else "another program may be using it"
    return f"{why}; close that one, or choose another: {known_cameras()}"
