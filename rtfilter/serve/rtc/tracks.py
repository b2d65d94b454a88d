"""Tracks for a peer: the newest filtered picture, and sound that is delayed as long as the picture.

Made by `app.peer` and `app.stream`; `rtfilter.aiortc` derives its public track from `FilteredTrack`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

import av
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from rtfilter.system.latest import Fanout

# Maximum delay of sound: beyond it, words matter more than being in step.
LONGEST_HOLD_S = 0.2
# Frames of 20 ms: twice what can be held back. More wait only if the sender does not take them.
MOST_HELD = 20


class Result(Protocol):
    """A filtered picture and the one that it was made of."""

    @property
    def picture(self) -> av.VideoFrame: ...

    @property
    def original(self) -> av.VideoFrame: ...


R = TypeVar("R", bound=Result)


class FilteredTrack(MediaStreamTrack, Generic[R]):
    """The filtered (or, with `original`, the untouched) pictures of a session, for one watcher.

    Pictures that the encoder is too slow for are skipped. Each has the pts that it came with.
    """

    kind = "video"

    def __init__(self, results: Fanout[R], *, original: bool = False) -> None:
        super().__init__()
        self._results = results
        self._reader = results.subscribe()
        self._original = original

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
    """Sound of `source`, each frame delayed by `delay_s()` seconds, which is called for every frame."""

    kind = "audio"

    def __init__(self, source: MediaStreamTrack, delay_s: Callable[[], float]) -> None:
        super().__init__()
        self._source = source
        self._delay_s = delay_s
        self._due: asyncio.Queue[tuple[float, av.AudioFrame] | None] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def recv(self) -> av.AudioFrame:
        """The next frame, when it is due. Raises MediaStreamError at the end."""
        if self.readyState != "live":
            raise MediaStreamError
        if self._task is None:
            # A task of its own, so that a frame is stamped when it comes, not when the one before has left.
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
            # `recv` waits for this, however the source ends.
            self._due.put_nowait(None)


async def drain(track: MediaStreamTrack) -> None:
    """Receive and discard the frames of a track without a reader, so that they do not pile up."""
    try:
        while True:
            await track.recv()
    except MediaStreamError:
        return
