"""How good an enrolment is: what was shown, in which light, how sharp. Called by `profile` and `cli`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final

import numpy as np

from rtfilter.face.fit import FaceState
from rtfilter.profiles.fit import Fitted
from rtfilter.profiles.guide import BY_KEY, coverage
from rtfilter.profiles.samples import Sample

SHOWN: Final = 0.7  # of a prompt, from which on it counts as shown
DIM_LUMA: Final = 70.0
SOFT_SHARPNESS: Final = 0.06
SHORT_S: Final = 30.0


@dataclass(frozen=True)
class Quality:
    """Figures of an enrolment.

    seconds, samples: what was learned from. coverage: 0..1 by prompt. luma: 0..255, median of the skin;
    luma_range: between its 5th and 95th percentile. sharpness: see `check`. yaw_deg, pitch_deg: from and to.
    explained: share of the skin's change in left-out parts that the maps predict. covered: samples with
    something in front of the face. problems: frames that could not be used, by reason.
    """

    seconds: float
    samples: int
    coverage: dict[str, float]
    luma: float
    luma_range: float
    sharpness: float
    yaw_deg: tuple[float, float]
    pitch_deg: tuple[float, float]
    explained: float
    covered: int
    problems: dict[str, int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Quality:
        """Raises KeyError or TypeError for other values."""
        return cls(**{each.name: values[each.name] for each in fields(cls)})

    @property
    def missing(self) -> list[str]:
        """Keys of the prompts that were hardly shown."""
        return [key for key, share in self.coverage.items() if share < SHOWN]

    @property
    def shown(self) -> int:
        """How many prompts were shown."""
        return len(self.coverage) - len(self.missing)

    def lines(self) -> list[str]:
        """The report for people."""
        shown = ", ".join(f"{key} {share:.0%}" for key, share in self.coverage.items())
        (left, right), (up, down) = self.yaw_deg, self.pitch_deg
        lines = [
            f"learned from {self.samples} pictures in {self.seconds:.0f} s",
            f"shown: {shown}",
            f"light {self.luma:.0f} of 255, varying by {self.luma_range:.0f}; sharpness {self.sharpness:.2f}",
            f"head: {left:.0f} to {right:.0f} degrees sideways, {up:.0f} to {down:.0f} up and down",
            f"of how this skin changes, {max(self.explained, 0.0):.0%} of what was left out is predicted",
        ]
        if self.covered:
            lines.append(f"in {self.covered} pictures something was before the face; that part is left out")
        return lines + [f"better: {advice}" for advice in self.advice()]

    def advice(self) -> list[str]:
        """What would make it better."""
        found = []
        if self.missing:
            asked = "; ".join(BY_KEY[key].text for key in self.missing if key in BY_KEY)
            found.append(f"what was hardly shown stays with the built-in maps: {asked}")
        if self.luma < DIM_LUMA:
            found.append("more light: a lamp in front of you")
        if self.sharpness < SOFT_SHARPNESS:
            found.append("a sharper picture: clean the lens, come closer, or more light")
        if self.seconds < SHORT_S:
            found.append("a minute instead of a few seconds")
        return found


def quality_of(
    samples: Sequence[Sample], faces: Sequence[FaceState], fitted: Fitted, problems: dict[str, int]
) -> Quality:
    """The figures of an enrolment."""
    angles = np.array([face.pose.yaw_pitch_roll_deg for face in faces])
    (yaw_low, pitch_low, _), (yaw_high, pitch_high, _) = np.percentile(angles, (5.0, 95.0), axis=0)
    luma = np.array([sample.luma for sample in samples])
    dark, light = np.percentile(luma, (5.0, 95.0))
    expressions = np.array([face.expression for face in faces])
    return Quality(
        seconds=round(samples[-1].time_s, 1),
        samples=len(samples),
        coverage=coverage(expressions, angles[:, 0]),
        luma=round(float(np.median(luma)), 1),
        luma_range=round(float(light - dark), 1),
        sharpness=round(float(np.median([sample.sharpness for sample in samples])), 3),
        yaw_deg=(round(float(yaw_low), 1), round(float(yaw_high), 1)),
        pitch_deg=(round(float(pitch_low), 1), round(float(pitch_high), 1)),
        explained=round(fitted.explained, 3),
        covered=fitted.covered,
        problems=problems,
    )
