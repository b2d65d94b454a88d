"""`Stream`: a session fed by a peer's tracks.

Called by `sessions`, which makes one for every publisher, and by `peer`, which connects the tracks.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import av
from aiortc.contrib.media import MediaRelay
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from rtfilter.errors import RtfilterError
from rtfilter.serve.app.pipeline import FilterPipeline
from rtfilter.serve.app.pool import FilterPool
from rtfilter.serve.app.session import Session
from rtfilter.serve.gate.options import Limits
from rtfilter.serve.rtc.tracks import HeldAudioTrack
from rtfilter.system.arrays import U8
from rtfilter.system.clock import NS_PER_S, Clock, monotonic_ns

_log = logging.getLogger(__name__)


class Stream:
    """Filters the pictures of a peer's track into `session`. Belongs to the event loop's thread.

    ended: called once, with the reason, when the stream cannot go on by itself.
    card: shown while paused; uint8 [H, W, 3] RGB.
    """

    def __init__(
        self,
        session: Session,
        pool: FilterPool,
        limits: Limits,
        card: U8,
        ended: Callable[[str], None],
        *,
        clock: Clock = monotonic_ns,
    ) -> None:
        self.session = session
        self._limits = limits
        self._ended = ended
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._pipeline = FilterPipeline(
            pool,
            session.controls,
            session.deliver_soon,
            self._failed,
            card,
            clock=clock,
            steering=session.steering,
        )
        self._relay = MediaRelay()
        self._audio: MediaStreamTrack | None = None
        self._pumping: asyncio.Task[None] | None = None
        self._next_ns = 0
        session.dropped = lambda: self._pipeline.dropped
        session.stages = self._pipeline.timings.summary
        session.set_paused = self._set_paused

    def take(self, track: MediaStreamTrack) -> bool:
        """Filter a video track, or pass an audio track on. False where there is one of its kind already."""
        if (self._pumping if track.kind == "video" else self._audio) is not None:
            return False
        if track.kind == "video":
            self._pumping = asyncio.create_task(self._pump(track))
        else:
            self._audio = track
        return True

    def refuse_size(self, width_px: int, height_px: int) -> None:
        """End the stream, whose pictures are too large."""
        limits = self._limits
        self._ended(
            f"expected a picture of at most {limits.width_px}x{limits.height_px},"
            f" got {width_px}x{height_px}: choose a smaller camera format"
        )

    def audio(self) -> HeldAudioTrack | None:
        """The stream's sound for one more listener, in step with the filtered picture."""
        if self._audio is None:
            return None
        return HeldAudioTrack(self._relay.subscribe(self._audio), lambda: self.session.delay_s)

    async def close(self, reason: str) -> None:
        """End the session and wait until its filter is back in the pool. May be called twice."""
        self.session.end(reason)
        self._pipeline.stop()
        if self._pumping is not None:
            self._pumping.cancel()
        await self._loop.run_in_executor(None, self._pipeline.close)

    async def _pump(self, track: MediaStreamTrack) -> None:
        try:
            while True:
                picture = await track.recv()
                if isinstance(picture, av.VideoFrame) and self._in_time(picture):
                    self._pipeline.submit(picture)
        except MediaStreamError:
            self._ended("the peer's video ended")

    def _in_time(self, picture: av.VideoFrame) -> bool:
        """Whether the picture is within the limits of size and rate; a larger one ends the stream."""
        limits = self._limits
        if picture.width > limits.width_px or picture.height > limits.height_px:
            self.refuse_size(picture.width, picture.height)
            return False
        now_ns = self._clock()
        if now_ns < self._next_ns:
            return False
        # A schedule, so that jitter does not halve the rate of a sender that keeps to the limit.
        interval_ns = int(NS_PER_S / limits.fps)
        self._next_ns = max(self._next_ns + interval_ns, now_ns - 2 * interval_ns)
        return True

    def _set_paused(self, paused: bool) -> None:
        self._pipeline.paused = paused

    def _failed(self, error: BaseException) -> None:
        if isinstance(error, RtfilterError):
            reason = str(error)
        else:
            _log.error("the filter of session %s failed", self.session.id, exc_info=error)
            reason = f"the filter failed ({type(error).__name__}): see the server's log"
        self._loop.call_soon_threadsafe(self._ended, reason)
