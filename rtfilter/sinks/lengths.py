"""How long the pictures of a file are shown, as its container is told."""

from __future__ import annotations

from av.packet import Packet
from av.video.stream import VideoStream

# Pictures that are decoded in the order that they are shown in.
_IN_ORDER = 2


class Lengths:
    """Gives packets the lengths of the frames that they were encoded from.

    Only the last one's counts (the others end where the next begins): without it the last picture would
    have no length, and a recording of a still screen would end with its last change.

    step: the length of a frame that has none of its own. end: of the picture that is shown last, so far.
    All in ticks of the time base.
    """

    def __init__(self, step: int = 1) -> None:
        self._step = step
        self._by_pts: dict[int, int] = {}
        self.end = 0
        # The lowest presentation and decoding times.
        self._first: tuple[int, int] | None = None

    def note(self, pts: int, length: int) -> None:
        """A frame at `pts` is shown for `length`."""
        self._by_pts[pts] = max(1, length)

    def give(self, packets: list[Packet[VideoStream]], last: bool = False) -> None:
        """Set the durations of packets. last: there are no more."""
        if last and self._first is None and len(packets) <= _IN_ORDER:
            # x265 leaves the decoding times of so few pictures unset: any number (measured).
            for packet in packets:
                packet.dts = packet.pts
        for index, packet in enumerate(packets):
            if packet.pts is not None:
                packet.duration = self._by_pts.pop(packet.pts, packet.duration)
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
