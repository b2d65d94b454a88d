"""`CameraSource`: a webcam, always its newest frame, through unplugging and back. Called by `cli`."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from fractions import Fraction
from functools import partial

from rtfilter.errors import DeviceError, UsageError
from rtfilter.frame import MAX_SIDE_PX, Frame
from rtfilter.media.info import SourceInfo
from rtfilter.sources.capture import Capture, OpenCapture, camera_name, open_camera
from rtfilter.system.clock import NS_PER_S, Clock, monotonic_ns
from rtfilter.system.latest import Latest
from rtfilter.system.threads import caught, start_thread

FIRST_RETRY_S = 0.25
LONGEST_RETRY_S = 2.0
# OpenCV may wait in the driver for ten seconds; a close does not.
CLOSE_S = 1.0

_log = logging.getLogger(__name__)


class CameraSource:
    """A live source. A thread of its own takes every picture off the camera; `read` gives the newest.

    The log has one line when the camera is lost and one when it is back.

    Args:
        index_or_path: 0, "0", "/dev/video2", "/dev/v4l/by-id/...".
        width, height, fps: the camera takes the nearest that it has, see `info`. Where it changes its size
            later, frames have the new size.
        first_retry_s: pause before the first attempt to open a lost camera again; doubles up to 2 s.

    Raises:
        DeviceError: there is no such camera, or it is in use; with what to do.
    """

    def __init__(
        self,
        index_or_path: int | str = 0,
        width: int = 1280,
        height: int = 720,
        fps: float = 30.0,
        *,
        open_capture: OpenCapture = open_camera,
        first_retry_s: float = FIRST_RETRY_S,
        clock: Clock = monotonic_ns,
    ) -> None:
        if not (1 <= width <= MAX_SIDE_PX and 1 <= height <= MAX_SIDE_PX):
            raise UsageError(f"camera size: expected sides of 1..{MAX_SIDE_PX} px, got {width}x{height}")
        if not 1 <= fps <= 1000:
            raise UsageError(f"camera rate: expected 1..1000 frames a second, got {fps:g}")
        digits = isinstance(index_or_path, str) and index_or_path.isdecimal()
        target = int(index_or_path) if digits else index_or_path
        self._name = camera_name(target)
        self._open: Callable[[], Capture] = partial(open_capture, target, width, height, fps)
        self._first_retry_s = first_retry_s
        self._clock = clock
        self._slot: Latest[Frame] = Latest()
        self._stopping = threading.Event()
        self._lost = False
        self._seq = 0
        self._alive_ns = clock()
        capture = self._open()
        given_width, given_height = capture.size
        self.info = SourceInfo(
            name=self._name,
            width=given_width or width,
            height=given_height or height,
            fps=Fraction(capture.fps or fps).limit_denominator(1001),
            live=True,
        )
        self._thread = start_thread("camera", lambda: self._run(capture))

    @property
    def dropped(self) -> int:
        """Pictures that were replaced by a newer one before they were read."""
        return self._slot.overwritten

    def read(self, timeout_s: float = 5.0) -> Frame | None:
        """The newest picture not yet read, its pts the monotonic capture time in ns; None after `close`.

        Raises DeviceError when none came within `timeout_s`: the camera is frozen or gone. Later reads may
        succeed, as it is tried again.
        """
        try:
            frame = self._slot.get(timeout_s)
        except TimeoutError as error:
            silent_s = (self._clock() - self._alive_ns) / NS_PER_S
            what = "is gone; plug it in again" if self._lost else "is frozen; unplug it and plug it in again"
            raise DeviceError(f"{self._name} {what} (no picture for {silent_s:.1f} s)") from error
        # A picture may have been left unread when the camera was closed.
        return None if self._stopping.is_set() else frame

    def close(self) -> None:
        """Release the camera; a waiting `read` returns None. One that hangs in its driver follows later."""
        self._stopping.set()
        self._slot.close()
        if threading.current_thread() is not self._thread:
            self._thread.join(CLOSE_S)

    def _run(self, capture: Capture) -> None:
        error = caught(lambda: self._capture_all(capture))
        if error is not None:
            self._slot.fail(error)

    def _capture_all(self, first: Capture) -> None:
        capture: Capture | None = first
        while capture is not None:
            try:
                self._read_until_lost(capture)
            finally:
                capture.close()
            capture = self._reopened()

    def _read_until_lost(self, capture: Capture) -> None:
        while not self._stopping.is_set():
            picture = capture.read()
            if picture is None:
                return
            if self._lost:
                self._lost = False
                _log.warning("%s is back, %dx%d", self._name, picture.rgb.shape[1], picture.rgb.shape[0])
            self._alive_ns = self._clock()
            frame = Frame(picture.rgb, picture.captured_ns, captured_ns=picture.captured_ns, seq=self._seq)
            self._seq += 1
            self._slot.put(frame)

    def _reopened(self) -> Capture | None:
        """The camera opened again, however long that takes; None when it is closed meanwhile."""
        retry_s = self._first_retry_s
        while not self._stopping.is_set():
            if not self._lost:
                self._lost = True
                _log.warning("%s gives no more pictures; waiting for it to come back", self._name)
            if self._stopping.wait(retry_s):
                break
            retry_s = min(2 * retry_s, LONGEST_RETRY_S)
            try:
                return self._open()
            except DeviceError as error:
                _log.debug("%s", error)
        return None
