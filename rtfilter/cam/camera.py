"""The camera of a job, which may be lost or replaced, and is off while no program reads. For `cam.job`."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from rtfilter.errors import DeviceError, RtfilterError
from rtfilter.frame import Frame
from rtfilter.sources.base import Source
from rtfilter.sources.capture import device_path
from rtfilter.sources.paced import Paced
from rtfilter.system.clock import NS_PER_S, monotonic_ns
from rtfilter.system.threads import start_thread

# (device, width, height, fps) to an open source; raises DeviceError.
OpenCamera = Callable[[str, int, int, float], Source]

# How long one read of a silent camera lasts; after it the camera may have been replaced.
READ_S = 0.5
_AFTER_ERROR_S = 0.1
# A pause shorter than this leaves the camera on.
REST_NS = 3 * NS_PER_S
RETRY_NS = NS_PER_S

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CameraChoice:
    """A camera by number or path, and the requested size and rate."""

    device: str
    width: int
    height: int
    fps: float

    def is_same_device(self, other: CameraChoice) -> bool:
        """Whether both names, "0", "/dev/video0" or a link to it, mean one camera."""
        one, two = (
            device_path(int(choice.device) if choice.device.isdecimal() else choice.device)
            for choice in (self, other)
        )
        return self.device == other.device or one == two


class CamSource:
    """A live source that waits while its camera gives no frames, and whose camera may be replaced.

    first: the camera, open already as `choice` says. open_camera: opens another.
    resting: read for every frame; while True, frames are thrown away.
    choice: the camera in use. given_from: the source of the last frame.
    problem: why the camera is silent, one line; "" when it is not.
    """

    def __init__(
        self, first: Source, choice: CameraChoice, open_camera: OpenCamera, resting: Callable[[], bool]
    ) -> None:
        self.choice = choice
        self.given_from: Source | None = None
        self.problem = ""
        live = _live(first)
        self.info = live.info
        # None while the camera is off, or being opened anew.
        self._current: Source | None = live
        self._open_camera = open_camera
        self._resting = resting
        self._replacing = threading.Lock()
        # Held while a camera is opened or left, which may take seconds.
        self._switching = threading.Lock()
        self._closed = threading.Event()
        self._seq = -1
        self._last_seq: int | None = None
        self._is_off = False
        self._wanted_ns = self._tried_ns = monotonic_ns()
        self._waking: threading.Thread | None = None

    def read(self, timeout_s: float = 5.0) -> Frame | None:
        """The next frame, however long it takes; None at the end of the current source or after `close`.

        A silent camera raises nothing here; `problem` has the reason. `seq` runs on over replacements and
        rests, with a gap only for frames that the camera dropped in between.
        """
        while not self._closed.is_set():
            source = self._current
            try:
                if source is None:
                    raise DeviceError(f"{self.info.name} is being opened anew")
                frame = source.read(READ_S)
            except DeviceError as error:
                if source is self._current:
                    self.problem = str(error)
                self._closed.wait(_AFTER_ERROR_S)
                continue
            if source is not self._current:
                continue
            if frame is None:
                return None
            self.problem = ""
            if not self._resting():
                return self._numbered(source, frame)
            self._last_seq = None
        return None

    def close(self) -> None:
        """Close the current source; a waiting `read` returns None."""
        with self._replacing:
            self._closed.set()
            current = self._current
        if current is not None:
            current.close()

    def switch(self, choice: CameraChoice) -> None:
        """See `CamJob.switch_camera`."""
        with self._switching:
            same = choice.is_same_device(self.choice)
            if same:
                self._replace(None)
            try:
                source = self._opened(choice)
            except RtfilterError:
                if same:
                    self._take_again()
                raise
            self._replace(source)
            self.choice = choice
            self._is_off = False

    def follow_rest(self) -> None:
        """Let the camera go once it has rested for a while, and take it again afterwards.

        To be called every tenth of a second or so.
        """
        now_ns, resting = monotonic_ns(), self._resting()
        if not resting:
            self._wanted_ns = now_ns
        if self._waking is not None and self._waking.is_alive():
            return
        if resting and not self._is_off and now_ns - self._wanted_ns >= REST_NS:
            with self._switching:
                self._replace(None)
                self._is_off = True
            self._tried_ns = now_ns - RETRY_NS
        elif self._is_off and not resting and now_ns - self._tried_ns >= RETRY_NS:
            self._tried_ns = now_ns
            # In a thread: a camera may take seconds, and a stop is not to wait for it.
            self._waking = start_thread("camera-wake", self._wake)

    def _wake(self) -> None:
        with self._switching:
            # Off no more where another camera was chosen meanwhile.
            self._is_off = self._is_off and not self._take_again()

    def _take_again(self) -> bool:
        """Open the camera in use; whether it did. `problem` and the log have the error."""
        try:
            self._replace(self._opened(self.choice))
        except RtfilterError as error:
            self.problem = str(error)
            _log.warning("%s", error)
            return False
        return True

    def _opened(self, choice: CameraChoice) -> Source:
        return _live(self._open_camera(choice.device, choice.width, choice.height, choice.fps))

    def _replace(self, source: Source | None) -> None:
        """Take frames from `source`, and close the one before, which may take a second."""
        with self._replacing:
            before, self._current = self._current, source
            if source is not None:
                self.info = source.info
            leave = [before, source] if self._closed.is_set() else [before]
        for left in leave:
            if left is not None:
                left.close()

    def _numbered(self, source: Source, frame: Frame) -> Frame:
        runs_on = self._last_seq is not None and source is self.given_from
        self._seq += frame.seq - (self._last_seq or 0) if runs_on else 1
        self._last_seq, self.given_from = frame.seq, source
        return replace(frame, seq=self._seq)


def _live(source: Source) -> Source:
    return source if source.info.live else Paced(source)
