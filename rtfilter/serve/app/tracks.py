"""What is sent to a peer: the newest filtered picture, and the sound, held back as long as the picture."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import av
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from rtfilter.serve.app.pipeline import Filtered
from rtfilter.system.latest import Fanout

# Sound is never held back longer: a filter that is this late is in trouble, and words matter more.
LONGEST_HOLD_S = 0.2
# Frames of 20 ms: twice what can be held back. More wait only when nobody sends them on.
MOST_HELD = 20


class FilteredTrack(MediaStreamTrack):
    """The filtered (or, with `original`, the untouched) pictures of a session, for one watcher.

    What the encoder is too slow for is skipped. Every picture has the pts that it came with.
    """

    kind = "video"

    def __init__(self, results: Fanout[Filtered], *, original: bool = False) -> None:
        super().__init__()
        self._results = results
        self._reader = results.subscribe()
        self._original = original

    @property
    def skipped(self) -> int:
        """Pictures that were replaced by a newer one before they were sent."""
        return self._reader.overwritten

    async def recv(self) -> av.VideoFrame:
        """The newest picture not yet sent. Raises MediaStreamError at the end."""
        if self.readyState != "live":
            raise MediaStreamError
        result = await self._reader.next()
        if result is None:
            self.stop()
            raise MediaStreamError
        return result.original if self._original else result.picture

    def stop(self) -> None:
        self._results.unsubscribe(self._reader)
        super().stop()


class HeldAudioTrack(MediaStreamTrack):
    """Sound passed through, each frame held back for as long as pictures take at the moment.

    delay_s: asked for every frame; seconds.
    """

    kind = "audio"

    def __init__(self, source: MediaStreamTrack, delay_s: Callable[[], float]) -> None:
        super().__init__()
        self._source = source
        self._delay_s = delay_s
        self._due: asyncio.Queue[tuple[float, av.AudioFrame] | None] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def recv(self) -> av.AudioFrame:
        """The next frame, when its time has come. Raises MediaStreamError at the end."""
        if self.readyState != "live":
            raise MediaStreamError
        if self._task is None:
            # A task of its own: what is held back must not keep the next one from being stamped.
            self._task = asyncio.create_task(self._collect())
        item = await self._due.get()
        if item is None:
            self.stop()
            raise MediaStreamError
        due_s, frame = item
        wait_s = due_s - time.monotonic()
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        return frame

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
        super().stop()

    async def _collect(self) -> None:
        try:
            while True:
                frame = await self._source.recv()
                assert isinstance(frame, av.AudioFrame)
                hold_s = min(max(self._delay_s(), 0.0), LONGEST_HOLD_S)
                if self._due.qsize() >= MOST_HELD:
                    self._due.get_nowait()
                self._due.put_nowait((time.monotonic() + hold_s, frame))
        except MediaStreamError:
            pass
        finally:
            # However it ends: `recv` waits for this.
            self._due.put_nowait(None)


async def drain(track: MediaStreamTrack) -> None:
    """Take and forget all that comes, so that a track which nobody wants does not pile up."""
    try:
        while True:
            await track.recv()
    except MediaStreamError:
        return
