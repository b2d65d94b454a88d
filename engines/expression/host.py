"""The host's side of the expression network for one stream: times of the state, input row, report.

Called by `gpu.cuda_lane`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rtfilter.controls import Controls
from rtfilter.engines.expression.layout import REPORT, TARGET
from rtfilter.face import emotion
from rtfilter.face.edit import offset_cutoff_hz
from rtfilter.face.fit import FaceState
from rtfilter.face.landmarks import LANDMARK_COUNT
from rtfilter.face.learned import amounts_of, direct_only
from rtfilter.face.light import NO_LIGHT
from rtfilter.face.pose import Pose
from rtfilter.face.smooth import OneEuro
from rtfilter.face.visibility import ALL_PARTS

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]


class StreamTimes:
    """When the stream's state last changed, in seconds of presentation time.

    seeding: whether the next frame with a face is to be run twice: first to make the state of a new person,
    then, with that state, like every other frame.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Start a new stream; the caller sets its state row to zero."""
        self.seeding = True
        self._face_s = self._edit_s = self._fit_s = 0.0

    def since(self, time_s: float) -> tuple[float, float, float]:
        """Seconds since the last frame that updated the person, that had a face, and that showed an edit."""
        return time_s - self._fit_s, time_s - self._face_s, time_s - self._edit_s

    def ran(self, time_s: float, present: bool) -> None:
        """Record a run: the frame's time and the report's `present`."""
        if self.seeding:
            if present:
                self.seeding, self._fit_s = False, time_s
            return
        self._edit_s = time_s
        if present:
            self._fit_s = self._face_s = time_s


class TargetWriter:
    """Writer of the row TARGET.

    fade_s: how long the edit takes to appear and to fade. learned: whether the network has a learned editor.
    """

    def __init__(self, fade_s: float, learned: bool = False) -> None:
        self._fade_s, self._learned = fade_s, learned
        self._controls: Controls | None = None
        self._constant = TARGET.zeros()

    def write(
        self,
        row: F32,
        controls: Controls,
        times: StreamTimes,
        time_s: float,
        width_px: int,
        height_px: int,
        light: F32 = NO_LIGHT,
        parts: F32 = ALL_PARTS,
    ) -> None:
        """Into `row`, float32 [TARGET.size], for the frame at `time_s` of that size.

        light: float32 [4], `LightWatch.value`. parts: float32 [P], `Held.parts`.
        """
        if controls is not self._controls:
            self._controls, self._constant = controls, _constant(controls, self._fade_s, self._learned)
        row[:] = self._constant
        TARGET.of(row, "light")[:] = light
        TARGET.of(row, "parts")[:] = parts
        since_fit_s, since_face_s, since_edit_s = times.since(time_s)
        row[TARGET["since_fit_s"].start] = since_fit_s
        row[TARGET["since_motion_s"].start] = _beyond(since_face_s, OneEuro().gap_s)
        row[TARGET["since_edit_s"].start] = since_edit_s
        row[TARGET["width_px"].start] = width_px
        row[TARGET["height_px"].start] = height_px
        row[TARGET["seeding"].start] = times.seeding


def _constant(controls: Controls, fade_s: float, learned: bool) -> F32:
    """A row with the fields that depend on the controls alone."""
    row = TARGET.zeros()
    target = emotion.Target.of_controls(direct_only(controls) if learned else controls)
    if learned:
        TARGET.of(row, "amounts")[:] = amounts_of(controls)
    TARGET.of(row, "rising")[:] = target.rising
    TARGET.of(row, "falling")[:] = target.falling
    TARGET.of(row, "direct")[:] = target.direct
    TARGET.of(row, "mouth")[:] = controls.mouth
    TARGET.of(row, "skin")[:] = controls.skin
    TARGET.of(row, "offset_cutoff_hz")[:] = offset_cutoff_hz(controls)
    TARGET.of(row, "fade_s")[:] = fade_s
    return row


def _beyond(interval_s: float, limit_s: float) -> np.float32:
    """As float32, on the same side of the limit: half a second of lost frames lies right on it."""
    rounded = np.float32(interval_s)
    if interval_s > limit_s >= float(rounded):
        return np.float32(np.nextafter(np.float32(limit_s), np.float32(np.inf)))
    return rounded


def face_state(row: F32, identity_count: int) -> FaceState:
    """The face in a report [REPORT.size] of a frame that had one (`present`).

    identity_count: number of identity coefficients of the face model.
    """

    def field(name: str, *shape: int) -> F64:
        return REPORT.of(row, name).astype(np.float64).reshape(shape or -1)

    pose = Pose(field("rotation", 3, 3), field("translation_px"), float(field("scale_px_per_iod")[0]))
    shapes = (LANDMARK_COUNT, 3)
    return FaceState(
        pose,
        field("identity")[:identity_count],
        field("expression"),
        field("shape_iod", *shapes),
        field("neutral_iod", *shapes),
        float(field("residual")[0]),
    )
