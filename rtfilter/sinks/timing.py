"""Times of pictures in a container: ticks, lengths, constant rates. Called by `FileSink` and `PipeSink`."""

from __future__ import annotations

from fractions import Fraction

from av.packet import Packet
from av.video.stream import VideoStream

from rtfilter.frame import Frame

# Pictures that are decoded in the order that they are shown in.
_IN_ORDER = 2
# GIF counts in 1/100 s. Browsers show a picture that is shorter than 2 ticks for 1/10 s.
_GIF_TIME_BASE, _GIF_SHORTEST = Fraction(1, 100), 2
# A longer hole in the times is a fault of the source, and is not filled with pictures.
_LONGEST_HOLE_S = 10


def time_base_for(time_base: Fraction, muxer: str, fps: Fraction) -> Fraction:
    """A time base that the container can write: the source's, or 1/90000 in place of a finer one.

    Nanoseconds (live and generated pictures) overflow MP4's 32-bit durations; 1/90000 s is 11 us. AVI
    counts frames at a constant rate, GIF hundredths of a second.
    """
    if muxer == "avi":
        return 1 / fps
    if muxer == "gif":
        return _GIF_TIME_BASE
    return time_base if time_base.denominator <= 1_000_000 else Fraction(1, 90_000)


class PictureTimes:
    """Times and lengths of a file's pictures, in ticks of its time base.

    Of the lengths only the last one counts (the others end where the next picture begins): without it the
    last picture would have none, and a recording of a still screen would end with its last change.

    moved: what is added to all times, in ticks. late_s: the most that a picture was put off, in seconds,
    because one tick holds no two pictures. end: of the picture that is shown last, so far, in ticks.
    """

    def __init__(self, time_base: Fraction, muxer: str, fps: Fraction) -> None:
        self.time_base = time_base
        self.moved = self.end = 0
        self.late_s = 0.0
        self._shortest = _GIF_SHORTEST if muxer == "gif" else None
        self._last: int | None = None
        self._step = max(1, round(1 / (fps * time_base)))
        self._lengths: dict[int, int] = {}
        # The lowest presentation and decoding times.
        self._first: tuple[int, int] | None = None

    def place(self, frame: Frame) -> int | None:
        """The tick of the next frame, after that of the one before; None for one that is left out."""
        exact = frame.pts * frame.time_base / self.time_base + self.moved
        tick = round(exact)
        if self._last is not None:
            if self._shortest is not None and tick < self._last + self._shortest:
                return None
            # Times finer than the time base may fall on one tick, which no container takes.
            tick = max(tick, self._last + 1)
        self.late_s = max(self.late_s, float((tick - exact) * self.time_base))
        self._last = tick
        if frame.duration:
            self._lengths[tick] = max(1, round(frame.duration * frame.time_base / self.time_base))
        return tick

    def give(self, packets: list[Packet[VideoStream]], last: bool = False) -> None:
        """Set the durations of encoded packets. last: there are no more."""
        if last and self._first is None and len(packets) <= _IN_ORDER:
            # x265 leaves the decoding times of so few pictures unset: any number (measured).
            for packet in packets:
                packet.dts = packet.pts
        for index, packet in enumerate(packets):
            if packet.pts is not None:
                packet.duration = self._lengths.pop(packet.pts, packet.duration)
            if not packet.duration:
                packet.duration = self._step
            if packet.pts is None or packet.dts is None:
                continue
            self.end = max(self.end, packet.pts + packet.duration)
            if self._first is None:
                self._first = packet.pts, packet.dts
            first_pts, first_dts = self._first
            if last and index == len(packets) - 1:
                # It may be a B-frame's, which is shown before the last picture. MP4 adds up the steps of the
                # decoding times, to which this is the last: their sum is how long all pictures are shown.
                packet.duration = max(1, self.end - first_pts - (packet.dts - first_dts))


class ConstantRate:
    """Puts frames of any times on the ticks of a constant rate. repeated, left_out: counts so far."""

    def __init__(self, fps: Fraction) -> None:
        self._fps = fps
        self._zero_s: Fraction | None = None
        self._next = 0
        self.repeated = self.left_out = 0

    def place(self, time_s: Fraction) -> tuple[int, bool]:
        """How often the frame before is repeated first, and whether this one is shown at all."""
        if self._zero_s is None:
            self._zero_s = time_s
        tick = round((time_s - self._zero_s) * self._fps)
        if tick - self._next > _LONGEST_HOLE_S * self._fps:
            self._zero_s = time_s - self._next / self._fps
            tick = self._next
        if tick < self._next:
            self.left_out += 1
            return 0, False
        repeats = tick - self._next
        self.repeated += repeats
        self._next = tick + 1
        return repeats, True
