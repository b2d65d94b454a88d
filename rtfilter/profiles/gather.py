"""An enrolment while it runs: frames in, samples kept, also on the disk; what to do now out.

Called by `cli.enroll` and `serve`. Time is an argument; sources and trackers are its caller's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from rtfilter.errors import InputError, Notify, OutputError
from rtfilter.face.fit import FaceFit
from rtfilter.face.model import MorphableModel
from rtfilter.profiles.check import Problem, checked
from rtfilter.profiles.fit import LEAST_SAMPLES, SIDE, as_bytes
from rtfilter.profiles.guide import Prompt, prompt_at
from rtfilter.profiles.samples import Sample, from_bytes, to_bytes
from rtfilter.profiles.store import ProfileStore
from rtfilter.render.unwrap import Unwrapper

F32 = npt.NDArray[np.float32]
U8 = npt.NDArray[np.uint8]

# Between two samples, of a video and of a camera. Those of a camera are written: a minute makes what is used.
SAMPLE_S, LIVE_SAMPLE_S = 0.08, 0.16
PART_S: Final = 5.0  # how much an interruption costs at most
LEAST_S: Final = 5.0  # of usable face: less cannot be learned from
LONGEST_GAP_S: Final = 0.5  # a pause between two usable frames counts this much at most
# A second face that is smaller than this share of the larger one is somebody in the background.
OTHER_SHARE: Final = 0.4
# A problem is told once it was there in so many of the last frames.
TOLD_AFTER: Final = 8


@dataclass(frozen=True, slots=True)
class Progress:
    """Where an enrolment is. seconds: gathered; wanted: of how many. problem: of the last frames, or None."""

    seconds: float
    wanted: float
    prompt: Prompt
    left_s: float
    problem: Problem | None

    @property
    def done(self) -> bool:
        return self.seconds >= self.wanted


class Gathering:
    """Samples of one person, kept in `store` under `name` every PART_S seconds, and taken up from there.

    store: None keeps nothing on the disk. seconds: how much usable face is wanted. notify: one line, of what
    was taken up, or could not be written. anew: how its caller begins anew, for that line.
    """

    def __init__(
        self,
        store: ProfileStore | None,
        name: str,
        seconds: float,
        model: MorphableModel,
        notify: Notify,
        anew: str = "interrupt, and begin anew with --fresh",
    ) -> None:
        self._store, self._name, self._notify, self._anew = store, name, notify, anew
        self._wanted = seconds
        self._every_s = SAMPLE_S if store is None else LIVE_SAMPLE_S
        self._fit = FaceFit(model)
        self._identity = self._fit.first_identity()
        self.unwrapper = Unwrapper(SIDE, model.triangles)
        self.samples: list[Sample] = []
        self.problems: Counter[Problem] = Counter()
        self.frames = 0
        self._unwritten: list[Sample] = []
        self._seconds = self._sampled_s = self._written_s = self._kept_s = 0.0
        self._last_s: float | None = None
        self._problem: Problem | None = None
        self._bad_run = 0
        self._told = False
        self._take_up()

    def _take_up(self) -> None:
        damaged = 0
        for _, data in () if self._store is None else self._store.parts(self._name):
            found = [] if data is None else from_bytes(data, SIDE)
            damaged += not found
            self.samples += found
        if self.samples:
            self._seconds = self._sampled_s = self._written_s = self._kept_s = self.samples[-1].time_s
            self._notify(
                f"taking up again what was gathered for {self._name}: {self._seconds:.0f} s. Is that "
                f"somebody else? Then {self._anew}"
            )
        if damaged:
            self._notify(f"{damaged} damaged parts of what was gathered are left out")

    @property
    def progress(self) -> Progress:
        prompt, left_s = prompt_at(min(self._seconds, self._wanted), self._wanted)
        problem = self._problem if self._bad_run >= TOLD_AFTER else None
        return Progress(self._seconds, self._wanted, prompt, left_s, problem)

    @property
    def kept_s(self) -> float:
        """Seconds that are on the disk."""
        return self._kept_s

    def step(self, rgb: U8, faces_px: list[F32], time_s: float) -> Progress:
        """Take in a frame: picture uint8 [H, W, 3], the landmarks [478, 3] of all faces in it, and its time.

        Raises nothing for a frame that cannot be used: see `Progress.problem`.
        """
        self.frames += 1
        problem = self._take(rgb, faces_px, time_s)
        if problem is None:
            self._bad_run = 0
        else:
            self.problems[problem] += 1
            self._bad_run = self._bad_run + 1 if problem is self._problem else 1
        self._problem = problem
        return self.progress

    def _take(self, rgb: U8, faces_px: list[F32], time_s: float) -> Problem | None:
        last_s, self._last_s = self._last_s, None
        if len(faces_px) != 1:
            return Problem.TWO_FACES if faces_px else Problem.NO_FACE
        points_px = faces_px[0]
        face, self._identity = self._fit.step(self._identity, points_px, time_s)
        elapsed_s = 0.0 if last_s is None else min(max(time_s - last_s, 0.0), LONGEST_GAP_S)
        if (
            self.samples
            and self._seconds + elapsed_s - self._sampled_s < self._every_s
            and self._problem is None
        ):
            self._last_s = time_s
            self._seconds += elapsed_s
            return None
        texture, weight = self.unwrapper.unwrap(rgb, points_px)
        check = checked(rgb, points_px, face.pose, texture, weight)
        if check.problem is not None:
            return check.problem
        self._last_s = time_s
        self._seconds += elapsed_s
        self._sampled_s = self._seconds
        sample = Sample(
            as_bytes(texture), as_bytes(255.0 * weight), points_px, self._seconds, check.luma, check.sharpness
        )
        self.samples.append(sample)
        self._unwritten.append(sample)
        if self._seconds - self._written_s >= PART_S:
            self.write()
        return None

    def write(self) -> None:
        """Keep what is not on the disk yet. Where that fails, it says so once and is tried again later."""
        if not self._unwritten or self._store is None:
            return
        try:
            self._store.add_part(self._name, {"samples": len(self._unwritten)}, to_bytes(self._unwritten))
        except OutputError as error:
            if not self._told:
                self._notify(f"{error}")
            self._told = True
        else:
            self._unwritten.clear()
            self._kept_s = self._seconds
        self._written_s = self._seconds

    @property
    def kept(self) -> str:
        """What stays of it when it ends now, in words."""
        if self._kept_s == 0.0:
            return "nothing of this enrolment is kept"
        return f"{self._kept_s:.0f} s were gathered and are kept"

    def require_enough(self) -> None:
        """Raises InputError where too little can be learned from, with the most usual reason."""
        if self._seconds >= LEAST_S and len(self.samples) >= LEAST_SAMPLES:
            return
        reason = "; ".join(
            f"in {count} of {self.frames} frames {problem.value}"
            for problem, count in self.problems.most_common(2)
        )
        raise InputError(
            f"only {self._seconds:.1f} s of the face can be learned from, expected at least {LEAST_S:.0f} s"
            f": {reason or 'the video is too short'}. Mend that and try again"
        )


def near_faces(faces_px: Sequence[F32]) -> list[F32]:
    """The landmarks [478, 3] of the largest face, and of those that are not much smaller."""
    widths = [float(face[:, 0].max() - face[:, 0].min()) for face in faces_px]
    return [face for face, width in zip(faces_px, widths, strict=True) if width >= OTHER_SHARE * max(widths)]
