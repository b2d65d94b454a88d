"""`SourceInfo`: shape and rate of a source. Sources state it, sinks are opened for it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """Facts known when a source is open. `frame_count` is None when unknown or endless."""

    name: str
    width: int
    height: int
    fps: Fraction
    live: bool
    frame_count: int | None = None
