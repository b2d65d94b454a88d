"""`FilterTrack`: a video track of aiortc, filtered; for programs of developers. Needs the extra `serve`.

from rtfilter import Controls
from rtfilter.aiortc import FilterTrack

@connection.on("track")
def on_track(track):
    if track.kind == "video":
        connection.addTrack(FilterTrack(track, Controls({"happy": 0.6})))
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from fractions import Fraction

import av
import numpy as np

from rtfilter.controls import Controls, face_count
from rtfilter.errors import MissingExtraError, UsageError
from rtfilter.filter import FaceFilter
from rtfilter.gpu.choose import AUTO, LaneChoice, choose_lane, log_choice
from rtfilter.system.installation import install_extra

# Absolute imports: this `aiortc` is the package, not this module.
try:
    from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
except ImportError as error:
    raise MissingExtraError(f"FilterTrack needs aiortc ({error}): {install_extra('serve')}") from error

from rtfilter.serve.app.live_controls import LiveControls
from rtfilter.serve.app.pipeline import Filtered, FilterPipeline
from rtfilter.serve.app.pool import FilterPool
from rtfilter.serve.rtc.tracks import FilteredTrack
from rtfilter.system.latest import Fanout

__all__ = ["FilterTrack"]

_VIDEO_CLOCK = Fraction(1, 90_000)
_log = logging.getLogger(__name__)


class FilterTrack(FilteredTrack[Filtered]):
    """An aiortc video track with the pictures of `source`, filtered in a thread, with their own pts.

    A picture that comes while another is filtered waits, until a newer one takes its place. `source` is read
    from the first `recv` on; it is not stopped with this track. A failure of the filter or the source is
    logged, and the track ends.

    Args:
        source: A video track of aiortc.
        controls: Initial controls; the property may be replaced at any time, from any thread.
        lane, faces: As in `FaceFilter`.

    Raises:
        UsageError: `source` is not a video track, the lane is unknown, or there cannot be so many faces.
        GpuError: The CUDA lane is not available.
    """

    def __init__(
        self,
        source: MediaStreamTrack,
        controls: Controls | None = None,
        *,
        lane: str | LaneChoice = AUTO,
        faces: int | str = 1,
    ) -> None:
        if getattr(source, "kind", None) != "video":
            got = getattr(source, "kind", type(source).__name__)
            raise UsageError(f"FilterTrack: expected a video track of aiortc's, got {got}")
        choice = lane if isinstance(lane, LaneChoice) else choose_lane(lane)
        log_choice(choice)
        self._results: Fanout[Filtered] = Fanout()
        super().__init__(self._results)
        self._source = source
        self._live = LiveControls(controls or Controls())
        count = face_count(faces)
        self._pool = FilterPool(lambda: FaceFilter(lane=choice, faces=count), spares=1)
        self._pumping: asyncio.Task[None] | None = None
        self._pipeline: FilterPipeline | None = None
        self._start_ns = time.monotonic_ns()

    @property
    def controls(self) -> Controls:
        return self._live.current

    @controls.setter
    def controls(self, controls: Controls) -> None:
        if not isinstance(controls, Controls):
            raise UsageError(f"expected Controls, got {type(controls).__name__}")
        self._live.replace(controls)

    async def recv(self) -> av.VideoFrame:
        """The newest filtered picture. Raises MediaStreamError once the source has ended."""
        if self._pumping is None and self.readyState == "live":
            self._start()
        return await super().recv()

    def stop(self) -> None:
        if self._pumping is not None:
            self._pumping.cancel()
        if self._pipeline is not None:
            self._pipeline.stop()
        self._pool.close()
        super().stop()

    def _start(self) -> None:
        loop = asyncio.get_running_loop()

        def deliver(result: Filtered) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(self._results.put, result)

        def failed(error: BaseException) -> None:
            _log.error("the filter of a track failed, and the track ends: %s", error, exc_info=error)
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._results.close)

        card = np.zeros((2, 2, 3), np.uint8)
        self._pipeline = FilterPipeline(self._pool, self._live, deliver, failed, card)
        self._pumping = asyncio.create_task(self._pump(self._pipeline))

    async def _pump(self, pipeline: FilterPipeline) -> None:
        """Submit the source's pictures to `pipeline`, and close the results at the end of any kind."""
        try:
            await self._submit_all(pipeline)
        finally:
            pipeline.stop()
            self._results.close()

    async def _submit_all(self, pipeline: FilterPipeline) -> None:
        try:
            while True:
                picture = await self._source.recv()
                if not isinstance(picture, av.VideoFrame):
                    continue
                if picture.pts is None or picture.time_base is None:
                    picture.time_base = _VIDEO_CLOCK
                    picture.pts = round((time.monotonic_ns() - self._start_ns) * 1e-9 / _VIDEO_CLOCK)
                pipeline.submit(picture)
        except MediaStreamError:
            pass
        except Exception as error:  # noqa: BLE001 - the source is not ours and may raise anything
            _log.error("the source of a track failed, and the track ends: %s", error, exc_info=error)
        # The picture that is being filtered is still delivered.
        await asyncio.get_running_loop().run_in_executor(None, pipeline.close)
