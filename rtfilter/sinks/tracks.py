"""`TrackCopy`: sound, subtitles, covers and labels beside the filtered pictures. Called by `FileSink`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import av
from av.container import InputContainer, OutputContainer

from rtfilter.media.container import open_input, reason
from rtfilter.media.contents import describe
from rtfilter.media.continuous import Continuous, start_s
from rtfilter.sinks.convert import AnyPacket, Route, route
from rtfilter.sinks.fit import Fit, labels_of, picture_of


class TrackCopy:
    """The tracks of `path` that `fit` has placed, fed into `output` a little ahead of its pictures.

    `output` has its picture track already, and nothing is written yet. Copied packets keep their bytes,
    and their times where they rise.

    part_s: the longest that the output can be, where it is a part of the file; None for the whole.
    broken_off: why the tracks end before the file does; None where they don't.

    Raises InputError when `path` cannot be opened.
    """

    def __init__(self, path: Path, output: OutputContainer, fit: Fit, part_s: float | None = None) -> None:
        self.path, self._part_s = path, part_s
        self.broken_off: str | None = None
        self._input: InputContainer = open_input(path)
        self._routes: dict[int, Route] = {}
        try:
            self._labels = labels_of(self._input, picture_of(self._input, path), fit)
            for index, encoder in fit.encoders.items():
                stream = self._input.streams[index]
                way = self._routes[index] = route(stream, output, encoder, fit.covers.get(index))
                self._labels.track(way.stream, stream)
            self._labels.write(output)
        except BaseException:
            self.close()
            raise
        # A cover is one packet without a time, which is there already.
        self._covers = {index: cover for index, cover in fit.covers.items() if index in self._routes}
        timed = [self._input.streams[index] for index in self._routes if index not in self._covers]
        self._packets: Iterator[AnyPacket] = iter(Continuous(self._input, timed)) if timed else iter(())
        self._next: AnyPacket | None = None
        self._last_dts: dict[int, int] = {}
        self._done = False
        self._moved_s = 0.0

    @property
    def notes(self) -> list[str]:
        """Tracks that could not be read whole, one line each; complete at the end."""
        notes = [f"{self.path}: {lost}" for lost in map(self._lost, self._routes) if lost]
        if self.broken_off is not None:
            notes.append(f"{self.path}: its tracks break off ({self.broken_off}); kept what there was")
        return notes

    def _lost(self, index: int) -> str:
        damaged = self._routes[index].damaged
        if not damaged:
            return ""
        name = describe(self._input.streams[index], self._input)
        return f"{name}: {damaged} damaged packet{'s' * (damaged > 1)} left out"

    @property
    def start_s(self) -> float | None:
        """When the first packet begins, not moved; None where there is none."""
        self._next = self._next or (None if self._done else self._read())
        return None if self._next is None else float((self._next.dts or 0) * self._next.time_base)

    def move(self, output: OutputContainer, moved_s: float) -> None:
        """Add `moved_s` to all times, as to the pictures'; before the first `feed`."""
        self._moved_s = moved_s
        self._labels.write_chapters(output, moved_s, self._part_s)

    def feed(self, output: OutputContainer, until_s: float) -> None:
        """Write all packets that begin before `until_s`; everything, with infinity.

        A source that breaks off ends the tracks there, see `notes`.
        """
        while self._covers:
            index, cover = self._covers.popitem()
            output.mux(self._routes[index].packets(cover))
        while not self._done:
            packet = self._next or self._read()
            if packet is None:
                self._rest(output)
            elif float((packet.dts or 0) * packet.time_base) + self._moved_s > until_s:
                self._next = packet
                return
            else:
                self._next = None
                if self._part_s is not None and start_s(packet) + self._moved_s < 0:
                    continue
                self._move(packet)
                output.mux(self._routes[packet.stream_index].packets(packet))

    def end(self, output: OutputContainer, end_s: float) -> None:
        """Write what is left: everything, or of a part what begins before the pictures end, at `end_s`."""
        self.feed(output, math.inf if self._part_s is None else end_s)
        if not self._done:
            self._rest(output)

    def _rest(self, output: OutputContainer) -> None:
        self._done = True
        for way in self._routes.values():
            output.mux(way.rest())

    def close(self) -> None:
        """Release the file. May be called twice."""
        self._done = True
        self._input.close()

    def _move(self, packet: AnyPacket) -> None:
        ticks = round(self._moved_s / packet.time_base)
        dts = (packet.dts or 0) + ticks
        if packet.stream_index in self._last_dts:
            # One time that does not rise, in a damaged file, would end the writing.
            dts = max(dts, self._last_dts[packet.stream_index] + 1)
        self._last_dts[packet.stream_index] = packet.dts = dts
        packet.pts = dts if packet.pts is None else max(packet.pts + ticks, dts)

    def _read(self) -> AnyPacket | None:
        try:
            for packet in self._packets:
                # The end is announced by one empty packet a stream, which carries no time.
                if packet.size and (packet.dts is not None or packet.pts is not None):
                    if packet.dts is None:
                        packet.dts = packet.pts
                    return packet
        except (av.FFmpegError, OSError) as error:
            self.broken_off = reason(error)
        return None
