"""`Continuous`: the packets of a file on one timeline, also where its timestamps jump back.

`cat a.ts b.ts`, joined segments and recorders that were reset write times that jump back. All streams of what
comes after the jump move by one amount, so that it begins where everything before it has ended: nothing is
lost, and picture and sound stay in step. Called by `sources.decoder` and `sinks.tracks`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition, Stream

# Decoding times rise, but for jitter in damaged files; presentation times swing as far as B-frames reach.
_JUMP_S, _JUMP_OF_PTS_S = 0.1, 1.0
# FFmpeg's own limit for a jump ahead. Only formats whose clock may be reset (transport streams) have any:
# in others a gap is a pause, which stays.
_JUMP_AHEAD_S = 10.0
_AVFMT_TS_DISCONT = 0x0200
# How far streams of one file lie apart in it, with room to spare: to find where all of them begin anew.
_AHEAD_S, _AHEAD_PACKETS = 3.0, 2000


@dataclass
class _Line:
    """Where one stream is: the part it is in, its latest decoding time there, moved, and its latest step."""

    part: int
    last_s: float
    step_s: float = 0.0
    # The latest packet had no decoding time. Matroska's first ones have none, and are shown after B-frames
    # that follow: how long after depends on the frame rate.
    by_pts: bool = False

    def end_s(self, packet: Packet[Any]) -> float:
        """When a packet ends, not moved; by the latest step where it has no length of its own."""
        return start_s(packet) + (float((packet.duration or 0) * packet.time_base) or self.step_s)


class Continuous:
    """Demuxes the `wanted` streams, with times in their own time bases that go on where they jump back.

    What is moved depends on the file alone, not on what is wanted: two readers get the same times.
    Iterating raises what `demux` raises, after all packets that were read.
    """

    def __init__(self, container: InputContainer, wanted: Sequence[Stream]) -> None:
        self._packets = container.demux()
        self._wanted = {stream.index for stream in wanted}
        # The streams by which a jump is found.
        self._timed = {
            stream.index
            for stream in container.streams
            if stream.type in ("video", "audio") and not stream.disposition & Disposition.attached_pic
        }
        self._resets = bool(container.format.flags & _AVFMT_TS_DISCONT)
        self._ahead: deque[Packet[Any]] = deque()
        self._error: BaseException | None = None
        self._moves_s = [0.0]  # of each part
        self._lines: dict[int, _Line] = {}
        # The latest decoding time, and the end, of all that was given.
        self._now_s = self._end_s = float("-inf")

    @property
    def joins(self) -> int:
        """How often times have started anew so far."""
        return len(self._moves_s) - 1

    def __iter__(self) -> Iterator[Packet[Any]]:
        while (packet := self._pulled()) is not None:
            at_s = _decoding_s(packet)
            if packet.size and at_s is not None:
                self._place(packet, at_s)
            if packet.stream_index in self._wanted:
                yield packet
        if self._error is not None:
            raise self._error

    def _pulled(self) -> Packet[Any] | None:
        return self._ahead.popleft() if self._ahead else self._read()

    def _read(self) -> Packet[Any] | None:
        if self._error is not None:
            return None
        try:
            return next(self._packets, None)
        except (av.FFmpegError, OSError) as error:
            self._error = error
            return None

    def _place(self, packet: Packet[Any], at_s: float) -> None:
        index = packet.stream_index
        line = self._lines.get(index) or _Line(0, float("-inf"))
        if index in self._timed:
            self._lines[index] = line
        part = self._part_of(packet, at_s, line)
        if part is None and index in self._timed:
            self._open_part(packet, at_s, line)
            part = self._part_of(packet, at_s, line)
        if part is None:
            part = line.part  # a single time that is wrong: the next ones go on as before
        move_s = self._moves_s[part]
        if index in self._timed:
            if part == line.part and line.last_s > float("-inf"):
                line.step_s = max(at_s + move_s - line.last_s, 0.0) or line.step_s
            goes_on = part == line.part and not (line.by_pts and packet.dts is not None)
            line.last_s = max(line.last_s, at_s + move_s) if goes_on else at_s + move_s
            line.by_pts = packet.dts is None
            line.part, self._now_s = part, max(self._now_s, at_s + move_s)
            self._end_s = max(self._end_s, line.end_s(packet) + move_s)
        if move_s:
            ticks = round(move_s / packet.time_base)
            packet.pts = None if packet.pts is None else packet.pts + ticks
            packet.dts = None if packet.dts is None else packet.dts + ticks

    def _part_of(self, packet: Packet[Any], at_s: float, line: _Line) -> int | None:
        """The part that a packet belongs to; None where its time fits none: it has jumped."""
        bounded = self._resets and self._end_s > float("-inf")
        latest_s = self._end_s + _JUMP_AHEAD_S if bounded else float("inf")
        fitting = [
            part
            for part in range(line.part, len(self._moves_s))
            if at_s + self._moves_s[part] >= line.last_s - _jump_s(packet, line)
            and at_s + self._moves_s[part] <= latest_s
        ]
        # A stream's last packets of the part before may come after another's first of the next.
        return min(fitting, key=lambda part: abs(at_s + self._moves_s[part] - self._now_s), default=None)

    def _open_part(self, packet: Packet[Any], at_s: float, line: _Line) -> None:
        """Begin a part with `packet`, unless the next of its stream is back where the one before it was."""
        starts, end_s = {packet.stream_index: start_s(packet)}, self._end_s
        latest_s, confirmed = at_s, False
        for later in self._look_ahead():
            later_s = _decoding_s(later)
            if later_s is None or not later.size or later.stream_index not in self._timed:
                continue
            if later.stream_index == packet.stream_index:
                if not confirmed and self._part_of(later, later_s, line) is not None:
                    return
                confirmed = True
                if later_s < latest_s - _jump_s(later) or later_s > at_s + _AHEAD_S:
                    break
                latest_s = later_s
            if self._is_new(later, later_s, at_s):
                later_start_s = start_s(later)
                starts[later.stream_index] = min(starts.get(later.stream_index, later_start_s), later_start_s)
                if confirmed and len(starts) >= len(self._lines):
                    break
            else:
                other = self._lines[later.stream_index]
                end_s = max(end_s, other.end_s(later) + self._moves_s[other.part])
        self._moves_s.append(end_s - min(starts.values()))

    def _is_new(self, packet: Packet[Any], at_s: float, jumped_to_s: float) -> bool:
        line = self._lines.get(packet.stream_index)
        if line is None:
            return True
        before_s = line.last_s - self._moves_s[line.part]
        return at_s < before_s - _jump_s(packet, line) or abs(at_s - jumped_to_s) < abs(at_s - before_s)

    def _look_ahead(self) -> Iterator[Packet[Any]]:
        """The packets to come, which stay to come."""
        yield from tuple(self._ahead)
        while len(self._ahead) < _AHEAD_PACKETS and (packet := self._read()) is not None:
            self._ahead.append(packet)
            yield packet


def _decoding_s(packet: Packet[Any]) -> float | None:
    time = packet.pts if packet.dts is None else packet.dts
    return None if time is None else float(time * packet.time_base)


def start_s(packet: Packet[Any]) -> float:
    """When a packet is shown, in seconds; 0 where it has no time."""
    time = packet.dts if packet.pts is None else packet.pts
    return float((time or 0) * packet.time_base)


def _jump_s(packet: Packet[Any], line: _Line | None = None) -> float:
    if packet.dts is None:
        return _JUMP_OF_PTS_S
    return float("inf") if line is not None and line.by_pts else _JUMP_S
