"""`Decoder`: every picture of a file's video stream, each with a time that rises. Called by `FileSource`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction

import av
from av.container import InputContainer

from rtfilter.frame import NANOSECONDS
from rtfilter.media.container import reason
from rtfilter.media.continuous import Continuous

# Pictures without a time that wait for one that has it. Streams that have none at all give no more than this.
_AHEAD = 16


class Decoder:
    """Iterates over every picture that can be decoded; what cannot is counted and skipped.

    corrupt: damaged places so far. error: the first complaint, "" when there was none.
    """

    def __init__(self, container: InputContainer, stream: av.VideoStream) -> None:
        self._packets, self._stream = Continuous(container, [stream]), stream
        self.corrupt = 0
        self.error = ""

    @property
    def joins(self) -> int:
        """How often the file's timestamps have started anew so far."""
        return self._packets.joins

    def __iter__(self) -> Iterator[av.VideoFrame]:
        packets = iter(self._packets)
        flushing = False
        while not flushing:
            try:
                packet = next(packets, None)
            except (av.FFmpegError, OSError) as error:
                self.error = self.error or reason(error)
                packet = None
            # The demuxer gives an empty packet at a sound end, and nothing after an error.
            flushing = packet is None or packet.size == 0
            if packet is not None and not flushing:
                self.corrupt += packet.is_corrupt
            try:
                for picture in self._stream.decode(packet):
                    self.corrupt += picture.is_corrupt
                    if picture.time_base is None and self._stream.time_base is not None:
                        picture.time_base = self._stream.time_base  # PyAV takes it from a packet
                    yield picture
            except av.EOFError:
                return
            except av.FFmpegError as error:
                # A cut packet is flagged by the demuxer and then refused here: count it once.
                self.corrupt += not (packet is not None and packet.is_corrupt)
                self.error = self.error or reason(error)


def timed(pictures: Iterable[av.VideoFrame], fps: Fraction) -> Iterator[tuple[av.VideoFrame, int]]:
    """Pictures, each with its time in units of its time base.

    Those without one lie before the next that has one, at the rate `fps`, or evenly where there is less room.
    After the last that has one they go on at that rate. One that does not rise is moved to one tick after
    its predecessor.
    """
    waiting: list[av.VideoFrame] = []
    last: int | None = None
    looks_ahead = True
    for picture in pictures:
        waiting.append(picture)
        if picture.pts is None and looks_ahead:
            looks_ahead = len(waiting) < _AHEAD
            if looks_ahead:
                continue
        for one, pts in _placed(waiting, last, fps):
            last = pts
            yield one, pts
        waiting = []
    yield from _placed(waiting, last, fps)


def _placed(
    pictures: list[av.VideoFrame], last: int | None, fps: Fraction
) -> Iterator[tuple[av.VideoFrame, int]]:
    """Pictures of which none but the last may have a time. last: the time of the one before."""
    if not pictures:
        return
    step = Fraction(max(1, round(1 / (fps * (pictures[0].time_base or NANOSECONDS)))))
    end = pictures[-1].pts
    if last is None:
        first = Fraction(0) if end is None else end - step * (len(pictures) - 1)
    else:
        if end is not None:
            step = min(step, Fraction(end - last, len(pictures)))
        first = last + step
    for index, picture in enumerate(pictures):
        pts = int(first + index * step) if picture.pts is None else picture.pts
        last = pts if last is None else max(pts, last + 1)
        yield picture, last
