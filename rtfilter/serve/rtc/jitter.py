"""Jitter buffers that release a picture with its last packet, and sound as it comes.

aiortc releases a picture with the first packet of the next one, one frame interval late, and at most one
picture a packet, so that a backlog behind a loss stays. Made by `rtc.tuning`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from aiortc.jitterbuffer import MAX_MISORDER, JitterBuffer, JitterFrame
from aiortc.rtp import RtpPacket
from aiortc.utils import uint16_add, uint16_gt

_VIDEO_CAPACITY = 512  # packets
_AUDIO_CAPACITY = 16
# Seconds until a gap in a picture is given up. aiortc waits for 512 packets, seconds at webcam bitrates.
PATIENCE_S = 0.25
# Later packets that a gap in the sound is waited for. aiortc holds four packets (80 ms) back, and waits for
# sixteen after a lost one.
_AUDIO_WAIT_PACKETS = 3
# Attribute in which aiortc's receiver leaves the depayloaded bytes of a packet, without declaring it.
_DATA = "_data"


class FrameBatch(JitterFrame):
    """Several frames that one packet released; to aiortc, which takes one a packet, it is the first of them.

    aiortc writes the mapped time stamp into `timestamp`; those of the others follow from it.
    """

    def __init__(self, frames: Sequence[JitterFrame]) -> None:
        """frames: at least one, in order, with RTP time stamps."""
        super().__init__(data=frames[0].data, timestamp=frames[0].timestamp)
        self._raw = frames[0].timestamp
        self._rest = frames[1:]

    def frames(self) -> list[JitterFrame]:
        """All frames, on the time line of `timestamp`."""
        return [
            JitterFrame(self.data, self.timestamp),
            *(JitterFrame(frame.data, self.timestamp + self._after(frame)) for frame in self._rest),
        ]

    def _after(self, frame: JitterFrame) -> int:
        """Ticks from the first frame to this one, across the wrap of 32 bits."""
        return (frame.timestamp - self._raw + (1 << 31)) % (1 << 32) - (1 << 31)


def _released(frames: Sequence[JitterFrame]) -> JitterFrame | None:
    if len(frames) > 1:
        return FrameBatch(frames)
    return frames[0] if frames else None


def _data_of(packet: RtpPacket) -> bytes:
    data: bytes = getattr(packet, _DATA)
    return data


class MarkerJitterBuffer(JitterBuffer):
    """Releases a picture when it is complete up to the packet with the marker bit, its last one.

    A packet with data and the time stamp of a released picture shows that the sender sets the marker on
    other packets too; from then on the change of the time stamp decides, as in aiortc.

    A gap that is not filled within PATIENCE_S is given up. `add` then requests a keyframe, as after an
    overflow, and `on_loss` is called.
    """

    def __init__(
        self, *, on_loss: Callable[[], None] = lambda: None, now: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(capacity=_VIDEO_CAPACITY, is_video=True)
        self.marker_trusted = True
        self._on_loss = on_loss
        self._now = now
        self._walked = 0  # packets from the origin on that are present and belong to one picture
        self._newest: int | None = None  # highest sequence number so far
        self._done: int | None = None  # time stamp of the picture that ended right before the origin
        self._done_whole = False  # whether that one was released rather than given up
        self._done_packets = 0
        self._gap_at: int | None = None
        self._gap_since_s = 0.0
        self._lost = False

    def add(self, packet: RtpPacket) -> tuple[bool, JitterFrame | None]:
        """Add a packet: (whether to request a keyframe, the frame or `FrameBatch` that it released)."""
        if self._origin is not None:
            # aiortc takes a packet far behind for a new stream. Its origin would still be before the
            # picture that was released early here, so that picture does not count as distance.
            behind = uint16_add(self._origin, -packet.sequence_number)
            if 0 < behind < MAX_MISORDER + self._done_packets:
                return False, None
        self._lost = False
        overflowed, frame = super().add(packet)
        if overflowed or self._lost:
            self._on_loss()
            return True, frame
        return False, frame

    def remove(self, count: int) -> None:
        """As in aiortc, which calls it when a stream starts anew."""
        super().remove(count)
        self._forget()
        self._newest = None

    def smart_remove(self, count: int) -> bool:
        """As in aiortc, which calls it when there is no room."""
        self._forget()
        return super().smart_remove(count)

    def _forget(self) -> None:
        self._walked = 0
        self._done = None
        self._done_packets = 0

    def _remove_frame(self, sequence_number: int) -> JitterFrame | None:
        if self._newest is None or uint16_gt(sequence_number, self._newest):
            self._newest = sequence_number
        frames = self._whole_frames()
        if self._gap_is_old():
            self._give_up()
            frames += self._whole_frames()
        return _released(frames)

    def _whole_frames(self) -> list[JitterFrame]:
        frames = []
        while (packets := self._whole_picture()) is not None:
            data = b"".join(_data_of(packet) for packet in packets)
            # Padding alone is not a picture, and an empty one would put the decoder into draining.
            if data:
                frames.append(JitterFrame(data, packets[0].timestamp))
        return frames

    def _whole_picture(self) -> list[RtpPacket] | None:
        """Remove and return the packets of the picture at the origin, if it is complete."""
        self._skip_done()
        first = self._at(0)
        if first is None:
            return None
        while self._walked < self._capacity:
            packet = self._at(self._walked)
            if packet is None:
                return None
            if packet.timestamp != first.timestamp:
                return self._take(self._walked, early=False)
            self._walked += 1
            if packet.marker and self.marker_trusted:
                return self._take(self._walked, early=True)
        return None

    def _take(self, count: int, early: bool) -> list[RtpPacket]:
        packets = [packet for packet in map(self._at, range(count)) if packet is not None]
        super().remove(count)
        self._walked = 0
        self._done = packets[0].timestamp if early else None
        self._done_whole = early
        self._done_packets = count if early else 0
        return packets

    def _skip_done(self) -> None:
        """Remove padding behind a released picture, and the rest of one that was given up."""
        while (packet := self._at(0)) is not None and packet.timestamp == self._done:
            if self._done_whole and _data_of(packet):
                # The marker was not on the last packet: the decoder has half a picture.
                self.marker_trusted = False
                self._done_whole = False
                self._lost = True
            super().remove(1)
            self._walked = 0

    def _gap_is_old(self) -> bool:
        """Whether packets have been coming for PATIENCE_S behind one and the same gap."""
        gap_at = uint16_add(self._first, self._walked)
        if self._newest is None or not uint16_gt(self._newest, gap_at):
            self._gap_at = None
            return False
        if gap_at != self._gap_at:
            self._gap_at, self._gap_since_s = gap_at, self._now()
            return False
        return self._now() - self._gap_since_s > PATIENCE_S

    def _give_up(self) -> None:
        """Remove the picture with the gap, and the one behind it, whose first packet may be missing too."""
        behind = next(index for index in range(self._walked, self._capacity) if self._at(index) is not None)
        packet = self._at(behind)
        emptied = self.smart_remove(behind + 1)
        if emptied and self._newest is not None:
            self._origin = uint16_add(self._newest, 1)
        if packet is not None:
            self._done, self._done_whole = packet.timestamp, False
        self._gap_at = None
        self._lost = True

    def _at(self, index: int) -> RtpPacket | None:
        return self._packets[(self._first + index) % self._capacity]

    @property
    def _first(self) -> int:
        assert self._origin is not None, "no packet was added yet"
        return self._origin


class PromptAudioBuffer(JitterBuffer):
    """Releases every packet as it comes, in order; a gap is waited for by _AUDIO_WAIT_PACKETS later ones."""

    def __init__(self) -> None:
        super().__init__(capacity=_AUDIO_CAPACITY)
        self._waiting: dict[int, RtpPacket] = {}

    def add(self, packet: RtpPacket) -> tuple[bool, JitterFrame | None]:
        """Add a packet: (False, the frame or `FrameBatch` that it released)."""
        number = packet.sequence_number
        released: list[RtpPacket] = []
        origin = number if self._origin is None else self._origin
        ahead, behind = uint16_add(number, -origin), uint16_add(origin, -number)
        if behind < ahead and behind < MAX_MISORDER:
            return False, None
        if behind < ahead or ahead >= self._capacity:
            # The sender started anew, or was silent for so long that nothing before will come any more.
            released = self._in_order(origin)
            self._waiting.clear()
            origin = number
        self._waiting[number] = packet
        if origin not in self._waiting and len(self._waiting) >= _AUDIO_WAIT_PACKETS:
            origin = self._in_order(origin)[0].sequence_number
        while (following := self._waiting.pop(origin, None)) is not None:
            released.append(following)
            origin = uint16_add(origin, 1)
        self._origin = origin
        frames = [JitterFrame(data, entry.timestamp) for entry in released if (data := _data_of(entry))]
        return False, _released(frames)

    def _in_order(self, origin: int) -> list[RtpPacket]:
        order = sorted(self._waiting, key=lambda number: uint16_add(number, -origin))
        return [self._waiting[number] for number in order]
