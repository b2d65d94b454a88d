"""Bounded queues around aiortc's decoder thread: late frames are dropped, not kept.

Made by `rtc.tuning`.
"""

from __future__ import annotations

import asyncio
import queue
import time
from collections.abc import Callable
from typing import TypeAlias

from aiortc.jitterbuffer import JitterFrame
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from av import VideoFrame
from av.frame import Frame

from rtfilter.serve.rtc.bitstream import coded_size, is_keyframe
from rtfilter.serve.rtc.jitter import FrameBatch

Task: TypeAlias = tuple[RTCRtpCodecParameters, JitterFrame]
TooLarge: TypeAlias = Callable[[int, int], None]

# Repetition of a request for a keyframe, and the wait after which frames without one are decoded.
ASK_AGAIN_S = 0.5
GO_ON_S = 3.0


class SizeGate:
    """Maximum size of a picture; `on_too_large` is called with the size of the first larger one."""

    def __init__(self, width_px: int, height_px: int, on_too_large: TooLarge | None) -> None:
        self._width_px = width_px
        self._height_px = height_px
        self._on_too_large = on_too_large

    def admits(self, width_px: int, height_px: int) -> bool:
        if width_px <= self._width_px and height_px <= self._height_px:
            return True
        if self._on_too_large is not None:
            notify, self._on_too_large = self._on_too_large, None
            notify(width_px, height_px)
        return False


class _DecodeQueue(queue.Queue["Task | None"]):
    """Base of both queues. `put` is called on the event loop, `get` by the decoder thread."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit

    def put(self, item: Task | None, block: bool = True, timeout: float | None = None) -> None:
        """Add a frame, a `FrameBatch`, or the end (None), which replaces all that waits."""
        if item is None:
            self._drop(self.qsize())
            super().put(None)
            return
        codec, frame = item
        frames = frame.frames() if isinstance(frame, FrameBatch) else [frame]
        for admitted in self._admit(codec, frames):
            super().put((codec, admitted))

    def _admit(self, codec: RTCRtpCodecParameters, frames: list[JitterFrame]) -> list[JitterFrame]:
        raise NotImplementedError

    def _drop(self, count: int) -> None:
        """Remove the oldest `count` frames, or as many as are left."""
        for _ in range(count):
            try:
                self.get_nowait()
            except queue.Empty:
                return


class AudioDecodeQueue(_DecodeQueue):
    """Keeps the newest `limit` packets."""

    def _admit(self, codec: RTCRtpCodecParameters, frames: list[JitterFrame]) -> list[JitterFrame]:
        self._drop(self.qsize() + len(frames) - self._limit)
        return frames


class VideoDecodeQueue(_DecodeQueue):
    """Keeps the decoder close to the present: with `limit` frames waiting, all go, and a keyframe is needed.

    Until it comes, frames are dropped, as they would decode with artefacts; after GO_ON_S they are decoded
    all the same. A keyframe larger than `gate` admits is dropped, and with it the frames that follow.

    Args:
        limit: Frames that may wait.
        gate: Maximum size of a picture.
        ask: Requests a keyframe from the sender; called again every ASK_AGAIN_S until one comes.
        now: Clock in seconds.
    """

    def __init__(
        self, limit: int, gate: SizeGate, ask: Callable[[], None], now: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(limit)
        self._gate = gate
        self._ask = ask
        self._now = now
        self._refused = False
        self._wanting_since_s: float | None = None
        self._asked_s = 0.0

    def want_keyframe(self) -> None:
        """Request a keyframe, and drop frames until it comes."""
        if self._wanting_since_s is None:
            self._wanting_since_s = self._asked_s = self._now()
            self._ask()

    def _admit(self, codec: RTCRtpCodecParameters, frames: list[JitterFrame]) -> list[JitterFrame]:
        # A batch that one packet released is caught up with; only the frames that waited before count.
        if (waiting := self.qsize()) >= self._limit:
            self._drop(waiting)
            self.want_keyframe()
        return [frame for frame in frames if self._is_wanted(codec.name, frame.data)]

    def _is_wanted(self, codec: str, data: bytes) -> bool:
        size = coded_size(codec, data)
        if size is not None:
            self._refused = not self._gate.admits(*size)
        if self._refused:
            return False
        if self._wanting_since_s is None:
            return True
        now_s = self._now()
        if is_keyframe(codec, data) or now_s - self._wanting_since_s > GO_ON_S:
            self._wanting_since_s = None
            return True
        if now_s - self._asked_s > ASK_AGAIN_S:
            self._asked_s = now_s
            self._ask()
        return False


class DecodedQueue(asyncio.Queue["Frame | None"]):
    """Decoded frames of a track: the newest `keep`, none larger than `gate` admits. None is the end."""

    def __init__(self, keep: int, gate: SizeGate | None = None) -> None:
        super().__init__()
        self._keep = keep
        self._gate = gate

    def put_nowait(self, item: Frame | None) -> None:
        """Add a decoded frame, or the end, which displaces no frame. On the event loop; `put` calls it."""
        if isinstance(item, VideoFrame) and self._gate and not self._gate.admits(item.width, item.height):
            return
        while item is not None and self.qsize() >= self._keep:
            self.get_nowait()
        super().put_nowait(item)
