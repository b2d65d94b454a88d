"""`Evaluation`: the measures of an edit, as JSON values and as a table. Made by `quality.evaluate`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from rtfilter.quality.judges.emotion import PerceivedEmotion
from rtfilter.quality.judges.panel import Judged
from rtfilter.quality.measures import EmotionMeasure, JitterMeasure, PixelMeasure
from rtfilter.quality.mouth import MouthMeasure

Lines = Sequence[tuple[str, object]]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The measures of an edit. Lengths are in inter-ocular distances (IOD); None: not measurable.

    source, edited: paths. frames: of each. source_faces, edited_faces: frames in which a face was found;
    faces: frames with the same face in both, over which everything is measured. judged: by networks of the
    user's.
    """

    source: str
    edited: str
    frames: int
    source_faces: int
    edited_faces: int
    faces: int
    mouth: MouthMeasure
    emotion: EmotionMeasure
    jitter: JitterMeasure
    pixels: PixelMeasure
    judged: Judged = field(default_factory=Judged)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON-ready values; of the judges' groups those that were measured."""
        values = asdict(self)
        judged = values.pop("judged")
        return values | {name: group for name, group in judged.items() if group is not None}

    def table(self) -> str:
        """Lines of text for people; of the coefficients those that changed most."""
        changed = sorted(self.emotion.coefficients.items(), key=lambda item: -abs(item[1]))[:8]
        groups = self.emotion.groups.items()
        sections: list[tuple[str, Lines]] = [
            ("mouth", list(asdict(self.mouth).items())),
            ("emotion: mean change", [*groups, ("corner_lift_iod", self.emotion.corner_lift_iod)]),
            ("coefficients that changed most", changed),
            ("jitter", list(asdict(self.jitter).items())),
            ("pixels", list(asdict(self.pixels).items())),
        ]
        lines = [f"{self.edited} against {self.source}"]
        lines.append(
            f"{self.frames} frames; face in {self.source_faces} before, {self.edited_faces} after, "
            f"{self.faces} measured"
        )
        for title, values in sections:
            lines.append(title)
            lines += [f"  {name:<22}{_shown(value):>9}" for name, value in values]
        if self.judged.perceived is not None:
            lines += _perceived_lines(self.judged.perceived)
        for name in ("identity", "sync", "realism"):
            group = getattr(self.judged, name)
            if group is not None:
                lines.append(f"{name}, by {group.judge}")
                rest = [(one.name, getattr(group, one.name)) for one in fields(group)]
                lines += [f"  {key:<22}{_shown(value):>9}" for key, value in rest if key != "judge"]
        return "\n".join(lines)


def _perceived_lines(found: PerceivedEmotion) -> list[str]:
    """Probabilities before, after and their change, the target marked."""
    lines = [f"perceived emotion, by {found.judge} over {found.frames} frames: before, after, change"]
    for label, before in found.before.items():
        after = found.after[label]
        mark = "  <- target" if label == found.target else ""
        lines.append(f"  {label:<22}{before:>9.4f}{after:>9.4f}{after - before:>+9.4f}{mark}")
    return lines


def _shown(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if isinstance(value, float) else str(value)
