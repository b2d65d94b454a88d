"""`PipeSink`: bare pictures at a constant rate into a pipe, as Y4M or raw RGB. Called by `cli.endpoints`."""

from __future__ import annotations

import os
from fractions import Fraction

import av
import numpy as np

from rtfilter.colour import YuvSpec, spec_for_size
from rtfilter.errors import OutputError
from rtfilter.frame import Frame
from rtfilter.media.depth import DEEP_FORMATS, DeepFormat, has_alpha, opaque_name, sample_bits
from rtfilter.media.info import SourceInfo
from rtfilter.media.pixels import bottom_first
from rtfilter.sinks.samples import deep_samples, yuv_samples
from rtfilter.sinks.timing import ConstantRate
from rtfilter.system.arrays import U8, U16

NAME = "stdout"
# Y4M's names for how chroma is shared, by the shift of columns and rows.
_Y4M_CHROMA = {(1, 1): "420jpeg", (1, 0): "422", (0, 0): "444"}


class PipeSink:
    """Writes every frame's samples to `descriptor`.

    raw: packed RGB, uint8 [H, W, 3], and nothing else. Otherwise Y4M: the source's planes, with their bits,
    where it has any, else 4:2:0 in 8 bits; interlaced where the first picture is.

    Neither has times: frames are repeated or left out so that frame n is shown n / fps seconds after the
    first. notes: how often that happened, and what else is not in the pipe, for the caller to show.
    strict: refuse at the first frame what of its samples the pipe cannot keep.

    Raises BrokenPipeError when the reader is gone, OutputError for another failure.
    """

    def __init__(
        self,
        descriptor: int,
        info: SourceInfo,
        *,
        raw: bool,
        sample_aspect_ratio: Fraction = Fraction(1),
        strict: bool = False,
    ) -> None:
        self._descriptor, self._raw = descriptor, raw
        self._fps, self._aspect = info.fps.limit_denominator(100_000), sample_aspect_ratio
        self._steady = ConstantRate(self._fps)
        self._spec: YuvSpec | None = None
        self._shift = (1, 1)
        self._deep: DeepFormat | None = None
        self._size: tuple[int, int] | None = None
        self._last: list[memoryview] = []
        self._closed, self._strict = False, strict
        self.notes: list[str] = []

    def write(self, frame: Frame) -> None:
        """Send one frame. Raises BrokenPipeError or OutputError."""
        repeats, shown = self._steady.place(frame.pts * frame.time_base)
        for _ in range(repeats):
            self._send(self._last)
        if shown:
            self._last = self._samples(frame)
            self._send(self._last)

    def close(self, complete: bool) -> None:
        """Count what was repeated and left out. The pipe is the caller's."""
        steady, closed, self._closed = self._steady, self._closed, True
        if complete and (steady.repeated or steady.left_out) and not closed:
            self.notes.append(
                f"{NAME} has a constant rate of {float(self._fps):g} fps: {steady.repeated} frames were "
                f"repeated and {steady.left_out} left out; --format mkv keeps every frame's own time"
            )

    def _samples(self, frame: Frame) -> list[memoryview]:
        size = frame.width, frame.height
        if self._size is None:
            self._begin(frame)
        elif size != self._size:
            raise OutputError(
                f"{NAME}: frame {frame.seq} is {size[0]}x{size[1]}, expected {self._size[0]}x{self._size[1]} "
                "like the first one: cut the input where its size changes"
            )
        if self._raw:
            return [_bytes_of(frame.rgb)]
        if self._deep is not None:
            samples = deep_samples(frame, self._deep, self._spec)
            return [memoryview(b"FRAME\n"), *(_bytes_of(words.astype("<u2")) for words in samples)]
        assert self._spec is not None
        return [memoryview(b"FRAME\n"), *map(_bytes_of, yuv_samples(frame, self._spec, self._shift))]

    def _begin(self, frame: Frame) -> None:
        self._size = width, height = frame.width, frame.height
        picture = frame.source.native
        planes = frame.to_planes()
        if picture is not None and planes is not None and not self._raw:
            self._deep = DEEP_FORMATS.get(opaque_name(picture.format.name))
        if picture is not None:
            self._note_losses(picture)
        if self._raw:
            return
        self._spec = spec_for_size(width, height) if planes is None else planes.spec
        self._shift = (1, 1) if planes is None else planes.shift
        chroma = _Y4M_CHROMA[self._shift]
        if self._deep is not None:
            chroma = f"{chroma[:3]}p{self._deep.bits} XYSCSS={chroma[:3]}P{self._deep.bits}"
        # Progressive, or interlaced with the top or the bottom field first.
        fields = "p" if picture is None or not picture.interlaced_frame else "tb"[bottom_first(picture)]
        words = [
            f"YUV4MPEG2 W{width} H{height} F{self._fps.numerator}:{self._fps.denominator} I{fields}",
            f"A{self._aspect.numerator}:{self._aspect.denominator} C{chroma}",
            f"XCOLORRANGE={'FULL' if self._spec.full_range else 'LIMITED'}\n",
        ]
        self._send([memoryview(" ".join(words).encode())])

    def _note_losses(self, native: av.VideoFrame) -> None:
        bits, lost = sample_bits(native), []
        if bits > 8 and self._deep is None:
            lost.append(f"{bits} bits a sample become 8 (--format mkv --codec ffv1 keeps them)")
        if has_alpha(native):
            lost.append("transparency is left out")
        if lost:
            note = f"{NAME}: {'; '.join(lost)}"
            if self._strict:
                raise OutputError(f"{note}; --strict refuses that: leave it away")
            self.notes.append(note)

    def _send(self, parts: list[memoryview]) -> None:
        try:
            for part in parts:
                sent = 0
                while sent < len(part):
                    sent += os.write(self._descriptor, part[sent:])
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputError(f"{NAME} cannot be written further ({error.strerror})") from error


def _bytes_of(samples: U8 | U16) -> memoryview:
    return memoryview(np.ascontiguousarray(samples).reshape(-1).view(np.uint8).data)
