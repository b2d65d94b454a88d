"""`FilterPipeline`: a thread that filters a stream's newest picture, with a filter that it borrows.

Called by `stream` and `rtfilter.aiortc`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

import av
import numpy as np

from rtfilter.filter import FaceFilter, StepReport
from rtfilter.pipeline import FrameWorker
from rtfilter.serve.app.live_controls import LiveControls
from rtfilter.serve.app.pool import FilterPool
from rtfilter.serve.app.steering import Steering
from rtfilter.serve.rtc.pictures import as_420, frame_of, picture_like, picture_of
from rtfilter.system.arrays import U8
from rtfilter.system.clock import Clock, StageTimings, monotonic_ns
from rtfilter.system.latest import Latest
from rtfilter.system.threads import caught
from rtfilter.tracking.base import Landmarks

CLOSE_S = 5.0
# Without a picture for so long, a stream lends its filter to others until the next one.
SILENT_S = 2.0

_log = logging.getLogger(__name__)

FaceBox = tuple[float, float, float, float]
# A decoded picture, when it arrived in nanoseconds, and its number.
_Picture = tuple[av.VideoFrame, int, int]


def face_box(landmarks: Landmarks | None, width: int, height: int) -> FaceBox | None:
    """The bounds of `landmarks`, left, top, right, bottom, as shares of the picture's sides; None without."""
    if landmarks is None:
        return None
    points = landmarks.points_px[:, :2] / np.array((width, height), np.float32)
    (left, top), (right, bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    return round(left, 4), round(top, 4), round(right, 4), round(bottom, 4)


@dataclass(frozen=True, slots=True)
class Seen:
    """One face of a picture: the person's number, and as `Filtered.face_box` and `strength`."""

    person: int
    face_box: FaceBox
    strength: float


def people_of(report: StepReport, width: int, height: int) -> tuple[Seen, ...]:
    """All faces of a picture of this size, the longest followed first."""
    boxes = [(one, face_box(one.landmarks, width, height)) for one in report.people]
    return tuple(Seen(one.person, box, round(one.strength, 3)) for one, box in boxes if box is not None)


@dataclass(frozen=True, slots=True)
class Filtered:
    """One picture, before and after, and how it was filtered.

    picture: 4:2:0, with the pts of `original`; the very same picture when nothing was changed.
    arrived_ns, done_ns: monotonic; when it was decoded, and when it was ready to be encoded.
    stages_ms: milliseconds by stage: wait, unpack (taking the decoder's planes), the lane's, pack (making a
        picture of planes), total.

    applied_seq: number of the last controls message that is in it. dropped: pictures so far that a newer
        one replaced before their turn.
    face_box: left, top, right and bottom of the face's landmarks as shares of the picture's width and
        height; None when there is no face. people: all faces, the longest followed first.
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
    people: tuple[Seen, ...] = ()

    @property
    def face(self) -> bool:
        return self.face_box is not None


class FilterPipeline:
    """A thread that filters the newest picture submitted; older ones are dropped.

    Args:
        deliver: called with each result, in the thread; must not block.
        failed: called with the error that ended the pipeline, in the thread.
        card: RGB picture that is shown while `paused`.
        silent_s: without a picture for so long, the filter goes back to the pool until the next one; a peer
            that vanished is noticed only after half a minute.
        steering: of the session; default the controls alone.
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
        steering: Steering | None = None,
    ) -> None:
        self._pool = pool
        self._controls = controls
        self._steering = steering or Steering(controls)
        self._deliver = deliver
        self._failed = failed
        self._card = card
        self._clock = clock
        self._silent_s = silent_s
        self._slot: Latest[_Picture] = Latest()
        self._seq = 0
        self.paused = False
        self._resting = False
        self.timings = StageTimings(900)
        self._filter: FaceFilter | None = None
        self._worker = FrameWorker("filter", self._next, self._work, self._ended)

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
        if not self._worker.join(CLOSE_S):
            _log.warning("a filter did not stop within %g s and is given up", CLOSE_S)

    def _next(self) -> _Picture | None:
        """The newest picture, waited for; None at the end. A filter is held from before the first one."""
        self._filter = self._filter or self._pool.take()
        try:
            return self._slot.get(self._silent_s)
        except TimeoutError:
            self._give_back()
            return self._slot.get()

    def _give_back(self, error: BaseException | None = None) -> None:
        lent, self._filter = self._filter, None
        if lent is not None:
            self._pool.give_back(lent, error)

    def _ended(self, error: BaseException | None) -> None:
        giving_back = caught(lambda: self._give_back(error))
        error = error or giving_back
        if error is not None:
            self._failed(error)

    def _work(self, arrived: _Picture) -> None:
        picture, arrived_ns, seq = arrived
        face_filter = self._filter = self._filter or self._pool.take()
        started_ns = self._clock()
        controls, applied_seq = self._controls.newest
        paused, was_resting = self.paused, self._resting
        self._resting = paused or controls.bypass
        original = as_420(picture)
        report = StepReport()
        stages = {"wait": started_ns - arrived_ns}
        if self._resting:
            shown = picture_like(original, self._card) if paused else original
            if not was_resting:
                # The face may be another one after the break.
                face_filter.reset()
        else:
            frame = frame_of(original, arrived_ns, seq)
            stages["unpack"] = self._clock() - started_ns
            filtered, report = self._steering.step(face_filter, frame, controls)
            stepped_ns = self._clock()
            shown = picture_of(filtered)
            stages.update((name, ns) for name, ns in report.stage_ns.items() if name != "total")
            stages["pack"] = self._clock() - stepped_ns
        done_ns = self._clock()
        stages["total"] = done_ns - arrived_ns
        self.timings.record_all(stages)
        self._deliver(
            Filtered(
                picture=shown,
                original=original,
                arrived_ns=arrived_ns,
                done_ns=done_ns,
                stages_ms={name: round(ns / 1e6, 2) for name, ns in stages.items()},
                face_box=face_box(report.landmarks, original.width, original.height),
                people=people_of(report, original.width, original.height),
                strength=report.strength,
                applied_seq=applied_seq,
                dropped=self.dropped,
            )
        )
