"""Video from an address: HTTP(S) as a file, every frame; RTSP live, the newest. Called by `cli.endpoints`."""

from __future__ import annotations

import ssl
import threading
import time
from dataclasses import replace
from urllib.parse import urlsplit

import av
from av.container import InputContainer

from rtfilter.errors import DeviceError, InputError, UsageError
from rtfilter.frame import Frame
from rtfilter.media.container import reason, refuse_text
from rtfilter.sources.base import LIVE_SCHEMES, SCHEMES, shown_address
from rtfilter.sources.file import FileSource
from rtfilter.system.latest import Latest
from rtfilter.system.threads import caught, start_thread

# How long an answer, and then each piece of data, may take.
TIMEOUT_S = 10.0
_CLOSE_S = 2.0
# Protocols that a playlist or a redirection may lead to: never a file of this machine.
_WEB = {"protocol_whitelist": "http,https,httpproxy,tcp,tls,crypto"}
# TCP, which passes firewalls and loses nothing; and no buffer, which would add delay.
_LIVE = {
    "protocol_whitelist": "rtsp,rtsps,rtp,tcp,tls,crypto",
    "rtsp_transport": "tcp",
    "fflags": "nobuffer",
    "flags": "low_delay",
}


class WebSource(FileSource):
    """Every frame of a video behind an HTTP(S) address. Raises UsageError or InputError."""

    def __init__(self, address: str, timeout_s: float = TIMEOUT_S) -> None:
        super().__init__(shown_address(address), opened=_opened(address, timeout_s))


class LiveStreamSource:
    """The newest frame of an RTSP stream; what was not read in time is dropped.

    `Frame.pts` is the stream's own time, `captured_ns` the moment when the frame was decoded. damage, notes,
    other_tracks: as of `FileSource`. Raises UsageError or InputError.
    """

    def __init__(self, address: str, timeout_s: float = TIMEOUT_S) -> None:
        self._stream = FileSource(shown_address(address), opened=_opened(address, timeout_s))
        # No labels: a camera's name of its session does not describe the pictures.
        self.other_tracks = self._stream.other_tracks
        self.sample_aspect_ratio = self._stream.sample_aspect_ratio
        self.info = replace(self._stream.info, live=True, frame_count=None)
        self._slot: Latest[Frame] = Latest()
        self._stopping = threading.Event()
        self._thread = start_thread("stream", self._run)

    @property
    def damage(self) -> str | None:
        return self._stream.damage

    @property
    def notes(self) -> list[str]:
        return self._stream.notes

    def read(self, timeout_s: float = 5.0) -> Frame | None:
        """The newest frame; None at the end and after `close`. Raises DeviceError when none comes."""
        try:
            return self._slot.get(timeout_s)
        except TimeoutError as error:
            raise DeviceError(f"{self.info.name}: no frame for {timeout_s:g} s: is the camera on?") from error

    def close(self) -> None:
        """End the connection. May be called twice and from another thread."""
        self._stopping.set()
        self._slot.close()
        self._thread.join(_CLOSE_S)

    def _run(self) -> None:
        error = caught(self._read_all)
        # In this thread: FFmpeg must not be closed while it reads.
        error = caught(self._stream.close) or error
        if error is not None:
            self._slot.fail(error)
        self._slot.close()

    def _read_all(self) -> None:
        while not self._stopping.is_set() and (frame := self._stream.read()) is not None:
            self._slot.put(replace(frame, captured_ns=time.monotonic_ns()))


def _opened(address: str, timeout_s: float) -> InputContainer:
    shown, scheme = shown_address(address), address.partition("://")[0].lower()
    if scheme not in SCHEMES:
        raise UsageError(f"input {shown}: expected {', '.join(SCHEMES)} or a file, got {scheme}://")
    try:
        host = urlsplit(address).hostname
    except ValueError as error:
        raise UsageError(f"input {shown}: expected an address like {scheme}://host/name ({error})") from error
    if not host:
        raise UsageError(f"input {shown}: the address names no host")
    options = dict(_LIVE if scheme in LIVE_SCHEMES else _WEB)
    trusted = ssl.get_default_verify_paths().cafile
    if scheme in ("https", "rtsps"):
        options["tls_verify"] = "1"
        if trusted is not None:
            options["ca_file"] = trusted
    try:
        container = av.open(address, "r", options=options, metadata_errors="replace", timeout=timeout_s)
    except av.error.ExitError as error:
        raise InputError(
            f"{shown} does not answer within {timeout_s:g} s: is it on, and reachable?"
        ) from error
    except (av.FFmpegError, OSError, ValueError) as error:
        raise InputError(
            f"{shown} cannot be opened ({reason(error)}): check the address, name and password"
        ) from error
    refuse_text(container, shown)
    return container
