"""`FilterPipeline`: one stream's filter in a thread of its own. Newest frame wins; nothing queues."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import av
import numpy as np

from rtfilter.filter import FaceFilter
from rtfilter.serve.app.filters import FilterPool
from rtfilter.serve.app.live_controls import LiveControls
from rtfilter.serve.rtc.pictures import as_420, frame_of, picture_like, picture_of
from rtfilter.system.arrays import U8
from rtfilter.system.clock import Clock, StageTimings, monotonic_ns
from rtfilter.system.latest import Latest
from rtfilter.system.threads import caught, start_thread
from rtfilter.tracking.base import Landmarks

CLOSE_S = 5.0
# A stream that has been silent for so long lends its filter to others until its next picture.
SILENT_S = 2.0

_log = logging.getLogger(__name__)

FaceBox = tuple[float, float, float, float]


def face_box(landmarks: Landmarks | None, width: int, height: int) -> FaceBox | None:
    """What `Filtered.face_box` says of `landmarks` in a picture of this size."""
    if landmarks is None:
        return None
    points = landmarks.points_px[:, :2] / np.array((width, height), np.float32)
    (left, top), (right, bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    return round(left, 4), round(top, 4), round(right, 4), round(bottom, 4)


@dataclass(frozen=True, slots=True)
class Filtered:
    """What came of one picture.

    picture: 4:2:0, with the pts of `original`; the very same picture when nothing was changed.
    arrived_ns, done_ns: monotonic; when it was decoded, and when it was ready to be encoded.
    stages_ms: milliseconds by stage: wait, unpack (taking the decoder's planes), the lane's, pack (making a
        picture of planes), total.

    applied_seq: number of the last controls message that is in it. dropped: pictures so far that a newer
        one replaced before their turn.
    face_box: left, top, right and bottom of the face's landmarks as shares of the picture's width and
        height; None when there is no face.
    """

    picture: av.VideoFrame
    original: av.VideoFrame
    arrived_ns: int
    done_ns: int
    stages_ms: dict[str, float]
    face_box: FaceBox | None
    strength: float
    applied_seq: int | None
    dropped: int

    @property
    def face(self) -> bool:
        return self.face_box is not None


class FilterPipeline:
    """Filters what is submitted and hands each result to `deliver`, in its own thread.

    deliver: must not block. failed: told the error that ended the pipeline, in its thread.
    card: RGB picture that is shown while `paused`. silent_s: without a picture for so long, the filter goes
        back to the pool until the next one; a peer that vanished is missed only after half a minute.
    """

    def __init__(
        self,
        pool: FilterPool,
        controls: LiveControls,
        deliver: Callable[[Filtered], None],
        failed: Callable[[BaseException], None],
        card: U8,
        *,
        clock: Clock = monotonic_ns,
        silent_s: float = SILENT_S,
    ) -> None:
        self._pool = pool
        self._controls = controls
        self._deliver = deliver
        self._failed = failed
        self._card = card
        self._clock = clock
        self._silent_s = silent_s
        self._slot: Latest[tuple[av.VideoFrame, int, int]] = Latest()
        self._seq = 0
        self.paused = False
        self._resting = False
        self.timings = StageTimings(900)
        self._thread = start_thread("filter", self._run)

    @property
    def dropped(self) -> int:
        """Pictures that were replaced by a newer one before their turn."""
        return self._slot.overwritten

    def submit(self, picture: av.VideoFrame) -> None:
        """Take a decoded picture; never waits. One without a pts can't be sent on and is ignored."""
        if picture.pts is not None and picture.time_base is not None:
            self._slot.put((picture, self._clock(), self._seq))
            self._seq += 1

    def stop(self) -> None:
        """No more pictures; the thread ends after the one it has."""
        self._slot.close()

    def close(self) -> None:
        """Stop, and wait for the thread to give its filter back."""
        self.stop()
        self._thread.join(CLOSE_S)
        if self._thread.is_alive():
            _log.warning("a filter did not stop within %g s and is given up", CLOSE_S)

    def _run(self) -> None:
        error = caught(self._filter_all)
        if error is not None:
            self._failed(error)

    def _filter_all(self) -> None:
        # Taken before the first picture, so that loading one and connecting go on side by side.
        face_filter: FaceFilter | None = self._pool.take()
        try:
            while True:
                try:
                    item = self._slot.get(None if face_filter is None else self._silent_s)
                except TimeoutError:
                    assert face_filter is not None
                    lent, face_filter = face_filter, None
                    self._pool.give_back(lent)
                    continue
                if item is None:
                    return
                face_filter = face_filter or self._pool.take()
                self._deliver(self._one(face_filter, *item))
        finally:
            if face_filter is not None:
                self._pool.give_back(face_filter)

    def _one(self, face_filter: FaceFilter, picture: av.VideoFrame, arrived_ns: int, seq: int) -> Filtered:
        started_ns = self._clock()
        controls, applied_seq = self._controls.newest
        picture = as_420(picture)
        if self.paused or controls.bypass:
            shown = picture_like(picture, self._card) if self.paused else picture
            if not self._resting:
                # What was seen before says nothing about the time after.
                face_filter.reset()
                self._resting = True
            stages = {"wait": started_ns - arrived_ns, "total": self._clock() - arrived_ns}
            return self._result(shown, picture, arrived_ns, stages, None, 0.0, applied_seq)
        self._resting = False
        frame = frame_of(picture, arrived_ns, seq)
        decoded_ns = self._clock()
        filtered, report = face_filter.step(frame, controls)
        stepped_ns = self._clock()
        shown = picture_of(filtered)
        done_ns = self._clock()
        stages = {"wait": started_ns - arrived_ns, "unpack": decoded_ns - started_ns}
        stages.update((name, ns) for name, ns in report.stage_ns.items() if name != "total")
        stages.update(pack=done_ns - stepped_ns, total=done_ns - arrived_ns)
        box = face_box(report.landmarks, frame.width, frame.height)
        return self._result(shown, picture, arrived_ns, stages, box, report.strength, applied_seq)

    def _result(
        self,
        shown: av.VideoFrame,
        original: av.VideoFrame,
        arrived_ns: int,
        stages_ns: dict[str, int],
        box: FaceBox | None,
        strength: float,
        applied_seq: int | None,
    ) -> Filtered:
        self.timings.record_all(stages_ns)
        return Filtered(
            picture=shown,
            original=original,
            arrived_ns=arrived_ns,
            done_ns=self._clock(),
            stages_ms={name: round(ns / 1e6, 2) for name, ns in stages_ns.items()},
            face_box=box,
            strength=strength,
            applied_seq=applied_seq,
            dropped=self.dropped,
        )
