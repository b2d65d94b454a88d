"""Which cameras there are."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import cv2

from rtfilter.sources.quiet import silence_opencv
from rtfilter.system.v4l2 import DEVICES, SYSFS, Ioctl, kernel_ioctl, video_nodes

# Elsewhere than on Linux a camera is found by opening it, so few are tried.
PROBED_INDICES = 4


@dataclass(frozen=True, slots=True)
class CameraInfo:
    """A camera: `camera:INDEX` names it to rtfilter. `problem` is "" when it can be opened.

    virtual: it is a loopback device that another program writes to, perhaps rtfilter itself.
    """

    index: int
    path: str
    name: str
    problem: str = ""
    virtual: bool = False


def list_cameras(
    devices: Path = DEVICES, sysfs: Path = SYSFS, ioctl: Ioctl = kernel_ioctl
) -> list[CameraInfo]:
    """All cameras, by index; the arguments, for tests, are where Linux keeps them.

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
    """How messages call the camera that `target` (index or path) opens."""
    return f"camera:{target}"


def known_cameras() -> str:
    """The cameras in words, for the end of a message."""
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
