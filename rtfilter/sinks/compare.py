"""`CompareSink`: the original beside the result, of twice the width. Called by `cli`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rtfilter.errors import UsageError
from rtfilter.frame import MAX_SIDE_PX, Frame
from rtfilter.media.depth import sample_bits
from rtfilter.media.info import SourceInfo
from rtfilter.sinks.base import Sink


def compared_info(info: SourceInfo) -> SourceInfo:
    """What the inner sink of a `CompareSink` receives. Raises UsageError above 8192 px of width."""
    if info.width * 2 > MAX_SIDE_PX:
        raise UsageError(
            f"a comparison is twice as wide: {info.width} px is more than {MAX_SIDE_PX // 2}: "
            "scale the input down, or leave the comparison out"
        )
    return replace(info, width=info.width * 2)


def beside_original(frame: Frame) -> Frame:
    """The original (left) beside `frame` (right), with its timing; without an original, `frame` twice."""
    both = np.concatenate([frame.source.rgb, frame.rgb], axis=1)
    # Without the native picture: it is half as wide, and this one has been composed.
    return replace(frame, pixels=both, native=None, original=None, changed=None)


class CompareSink:
    """A sink that gives `inner` the original (left) beside the filtered picture (right)."""

    def __init__(self, inner: Sink) -> None:
        self._inner = inner
        self._bits = 8

    @property
    def notes(self) -> list[str]:
        """Messages of `inner`, and one where the comparison has fewer bits than the source."""
        deep = [f"a comparison has 8 bits a sample, the source {self._bits}"] if self._bits > 8 else []
        return [*deep, *getattr(self._inner, "notes", ())]

    def write(self, frame: Frame) -> None:
        """See `beside_original`. Raises what `inner` raises."""
        native = frame.source.native
        if native is not None:
            self._bits = max(self._bits, sample_bits(native))
        self._inner.write(beside_original(frame))

    def close(self, complete: bool) -> None:
        """Close `inner`."""
        self._inner.close(complete)
