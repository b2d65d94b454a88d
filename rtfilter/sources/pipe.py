"""`PipeSource`: video that another program writes into a pipe, such as stdin. Called by `cli.endpoints`."""

from __future__ import annotations

import os
import select
from dataclasses import dataclass
from fractions import Fraction

import av
from av.container import InputContainer

from rtfilter.errors import InputError
from rtfilter.frame import Frame
from rtfilter.media.container import reason, refuse_text
from rtfilter.sources.file import FileSource
from rtfilter.system.threads import caught

NAME = "stdin"
# A video from a pipe must not open anything else.
_OPEN_OPTIONS = {"protocol_whitelist": "none"}
_BUFFER_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class RawVideo:
    """Packed RGB, uint8 [H, W, 3] after uint8 [H, W, 3], without any header."""

    width: int
    height: int
    fps: Fraction


class PipeSource(FileSource):
    """Every frame of what comes through `descriptor`, in any container that needs no going back.

    A read waits as long as the other program does; `finish` or `close` ends it.

    raw: packed RGB of this form; None where FFmpeg finds the container (Y4M, Matroska, MPEG-TS, ...).

    Raises InputError when the data is no video.
    """

    def __init__(self, descriptor: int, raw: RawVideo | None = None) -> None:
        self._pipe = _PipeReader(descriptor)
        try:
            super().__init__(NAME, opened=_opened(self._pipe, raw))
        except BaseException:
            self._pipe.close()
            raise
        finally:
            self._pipe.raise_error()

    def read(self, timeout_s: float = 5.0) -> Frame | None:
        """The next frame; None at the end of the pipe, and after `finish` and `close`."""
        frame = super().read(timeout_s)
        self._pipe.raise_error()
        return frame

    def finish(self) -> None:
        """End the video here. From any thread or a signal handler: it takes no lock."""
        self._pipe.wake()

    def close(self) -> None:
        """Release the pipe, which stays open itself."""
        self._pipe.wake()
        super().close()
        self._pipe.close()


def _opened(pipe: _PipeReader, raw: RawVideo | None) -> InputContainer:
    options, form = dict(_OPEN_OPTIONS), None
    if raw is not None:
        form = "rawvideo"
        size = f"{raw.width}x{raw.height}"
        options.update(video_size=size, pixel_format="rgb24", framerate=str(raw.fps))
    try:
        container = av.open(
            pipe, "r", format=form, options=options, metadata_errors="replace", buffer_size=_BUFFER_BYTES
        )
    except (av.FFmpegError, OSError, ValueError) as error:
        pipe.raise_error()
        if not pipe.received:
            raise InputError(f"{NAME} is empty: pipe a video into it, as y4m, mkv or raw RGB") from error
        raise InputError(
            f"{NAME} cannot be read as a video ({reason(error)}): pipe y4m, mkv or MPEG-TS into it; "
            "raw RGB needs --size WxH, and an MP4 must be named as a file"
        ) from error
    refuse_text(container, NAME)
    return container


class _PipeReader:
    """The file-like object that FFmpeg reads from. A wait in it can be ended from any thread."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._wake_in, self._wake_out = os.pipe()
        self._error: BaseException | None = None
        self.received = 0

    def read(self, size: int) -> bytes:
        """Up to `size` bytes as soon as there are some; b"" at the end and after `wake`."""
        got: list[bytes] = []
        # FFmpeg calls this: an error, or Ctrl-C, is raised where Python continues.
        error = caught(lambda: got.append(self._read(size)))
        self._error = self._error or error
        return got[0] if got else b""

    def _read(self, size: int) -> bytes:
        ready, _, _ = select.select([self._descriptor, self._wake_in], [], [])
        if self._wake_in in ready:
            return b""
        got = os.read(self._descriptor, size)
        self.received += len(got)
        return got

    def raise_error(self) -> None:
        """Raise the error of `read`, once."""
        error, self._error = self._error, None
        if isinstance(error, OSError):
            raise InputError(f"{NAME} cannot be read ({reason(error)})") from error
        if error is not None:
            raise error

    def wake(self) -> None:
        """End the read that waits, and all later ones."""
        if self._wake_out >= 0:
            os.write(self._wake_out, b".")

    def close(self) -> None:
        """Release the means to wake. May be called twice."""
        for descriptor in {self._wake_in, self._wake_out} - {-1}:
            os.close(descriptor)
        self._wake_in = self._wake_out = -1
