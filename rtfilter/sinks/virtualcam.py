"""The virtual camera, which conferencing programs see as a webcam. Called by `cli`."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from rtfilter.colour import YuvSpec
from rtfilter.errors import DeviceError, MissingExtraError, UsageError
from rtfilter.frame import Frame
from rtfilter.sinks.v4l2loopback import loopback_state, offer_output, revive
from rtfilter.system.arrays import U8
from rtfilter.system.installation import install_extra
from rtfilter.system.v4l2 import holders, node_index, query_node

SENT = YuvSpec("bt601", full_range=False)

_PLAIN_SYSTEMS = {
    "darwin": "install OBS Studio 30 or later and start its virtual camera once",
    "win32": "install OBS Studio, which brings a virtual camera",
}


class _Camera(Protocol):
    """The part of `pyvirtualcam.Camera` that is used."""

    device: str

    def send(self, frame: U8) -> None: ...

    def close(self) -> None: ...


class VirtualCameraSink:
    """A virtual camera of fixed size; frames of other sizes are fitted in, with black bars.

    width, height: of the camera, even, 2..16384 px; 1280x720 suits most conferencing programs.
    fps: what the camera announces. Frames are sent as they come: the source sets the pace.
    device: /dev/videoN on Linux, a camera name elsewhere; None takes the first free one.
    backend: a pyvirtualcam backend by name; None tries all.

    Colours are sent as I420 in BT.601 limited range, which is what webcams and their readers assume.

    Raises MissingExtraError without pyvirtualcam, UsageError for an odd size or an unknown backend,
    DeviceError, with the command that mends it, when no camera opens.
    """

    def __init__(
        self,
        width: int = 1280,
        height: int = 720,
        fps: float = 30.0,
        device: str | None = None,
        backend: str | None = None,
    ) -> None:
        if width % 2 or height % 2 or not (2 <= width <= 16384 and 2 <= height <= 16384):
            raise UsageError(f"virtual camera size: expected even sides of 2..16384 px, got {width}x{height}")
        if not 1 <= fps <= 1000:
            raise UsageError(f"virtual camera rate: expected 1..1000 frames a second, got {fps:g}")
        self._size = (width, height)
        self._canvas: U8 = np.zeros((height, width, 3), np.uint8)
        self._fitted_size = (0, 0)
        self._i420: U8 = np.full((height * 3 // 2, width), 128, np.uint8)
        self._i420[:height] = 16
        self._camera: _Camera | None = _open_camera(width, height, fps, device, backend)
        self.device = self._camera.device

    def write(self, frame: Frame) -> None:
        """Send one frame now. Raises DeviceError when the camera is gone."""
        planes = frame.to_planes()
        if planes is not None and (planes.spec, planes.shift, planes.shape[::-1]) == (
            SENT,
            (1, 1),
            self._size,
        ):
            np.concatenate([plane.ravel() for plane in planes.all], out=self._i420.reshape(-1))
        else:
            cv2.cvtColor(self._fit(frame.rgb), cv2.COLOR_RGB2YUV_I420, dst=self._i420)
        self.repeat()

    def repeat(self) -> None:
        """Send the last frame again, without converting it anew; black before the first."""
        if self._camera is None:
            raise DeviceError(f"virtual camera {self.device} is closed; open a new sink")
        try:
            self._camera.send(self._i420)
        except (RuntimeError, OSError) as error:
            raise DeviceError(
                f"virtual camera {self.device} takes no more frames ({_one_line(error)}):"
                " was its module reloaded? Start again"
            ) from error

    def close(self, complete: bool) -> None:
        """Release the camera; readers then see no signal. May be called twice."""
        if self._camera is None:
            return
        self._camera.close()
        self._camera = None
        node = Path(self.device)
        # While a program still reads, the device would otherwise seem to have a writer until it ends.
        if node_index(node) >= 0 and query_node(node).is_loopback:
            offer_output(node)

    def _fit(self, rgb: U8) -> U8:
        """`rgb` at the camera's size: itself, or scaled with its aspect ratio kept, centred on black."""
        width, height = self._size
        rows, columns = rgb.shape[:2]
        if (columns, rows) == self._size:
            return rgb
        scale = min(width / columns, height / rows)
        fitted = (max(1, round(columns * scale)), max(1, round(rows * scale)))
        if fitted != self._fitted_size:
            self._canvas[:] = 0
            self._fitted_size = fitted
        x0, y0 = (width - fitted[0]) // 2, (height - fitted[1]) // 2
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        self._canvas[y0 : y0 + fitted[1], x0 : x0 + fitted[0]] = cv2.resize(rgb, fitted, interpolation=how)
        return self._canvas


def _open_camera(width: int, height: int, fps: float, device: str | None, backend: str | None) -> _Camera:
    module = _pyvirtualcam()
    known = sorted(module.camera.BACKENDS)
    if backend is not None and backend not in known:
        raise UsageError(f"virtual camera backend {backend!r} is unknown here. Known: {', '.join(known)}")
    on_loopback = sys.platform == "linux" and backend in (None, "v4l2loopback")
    if on_loopback:
        revive(device)
    try:
        camera: _Camera = module.Camera(
            width, height, fps, fmt=module.PixelFormat.I420, device=device, backend=backend
        )
    except (RuntimeError, OSError) as error:
        wanted = f"virtual camera {device}" if device else "a virtual camera"
        raise DeviceError(f"{wanted} could not be opened ({_one_line(error)}): {_advice(device)}") from error
    return camera


def _pyvirtualcam() -> Any:
    try:
        return importlib.import_module("pyvirtualcam")
    except ImportError as error:
        raise MissingExtraError(
            f"the virtual camera needs pyvirtualcam ({_one_line(error)}): {install_extra('virtualcam')}"
        ) from error


def _advice(device: str | None) -> str:
    if sys.platform != "linux":
        return _PLAIN_SYSTEMS.get(sys.platform, "this system has no virtual camera that rtfilter knows")
    state = loopback_state()
    if state.advice:
        return state.advice
    names = ", ".join(str(node.path) for node in state.nodes)
    if device and device not in {str(node.path) for node in state.nodes}:
        return f"it is no virtual camera; there are: {names}"
    users = ", ".join(user for node in state.nodes for user in holders(node.path))
    who = f"in use by {users}" if users else "another program may be using it"
    return f"{who}; close that one, or choose another of: {names}"


def _one_line(error: BaseException) -> str:
    """The first sentence of each line: what follows in pyvirtualcam's is its own, more general advice."""
    return "; ".join(line.split(". ")[0].strip() for line in str(error).splitlines() if line.strip())
