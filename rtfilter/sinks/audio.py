"""Sound copied from one file to another, packet by packet, bytes untouched, and times where they rise."""

from __future__ import annotations

import contextlib
import io
import logging
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet

from rtfilter.errors import OutputError
from rtfilter.sources.container import open_input, reason
from rtfilter.sources.continuous import Continuous

_LOG = logging.getLogger(__name__)


class AudioCopy:
    """All audio streams of `path`, to be fed into `output` a little ahead of its pictures.

    moved_s: seconds to add to all times, as the caller did to the pictures; set before the first `feed`.

    Raises InputError when `path` cannot be opened, OutputError when the container of `output` cannot
    hold the codec of one of its audio streams.
    """

    def __init__(self, path: Path, output: OutputContainer, target: Path) -> None:
        self.path = path
        self._input: InputContainer = open_input(path)
        self._streams: dict[int, AudioStream] = {}
        try:
            for stream in self._input.streams.audio:
                if not _holds(output.format.name, stream):
                    raise OutputError(_refusal(stream, path, target))
                copy = output.add_stream_from_template(stream)
                copy.metadata.update(stream.metadata)
                self._streams[stream.index] = copy
        except BaseException:
            self.close()
            raise
        audio = tuple(self._input.streams.audio)
        self._packets = iter(Continuous(self._input, audio)) if audio else iter(())
        self._next: Packet[AudioStream] | None = None
        self._last_dts: dict[int, int] = {}
        self._done = not audio
        self.moved_s = 0.0

    @property
    def start_s(self) -> float | None:
        """When the first packet begins, not moved; None where there is none."""
        self._next = self._next or (None if self._done else self._read())
        return None if self._next is None else float((self._next.dts or 0) * self._next.time_base)

    def feed(self, output: OutputContainer, until_s: float) -> None:
        """Write all packets that begin before `until_s`; everything, with infinity.

        A source that breaks off ends the sound there, with a warning.
        """
        while not self._done:
            packet = self._next or self._read()
            if packet is None:
                self._done = True
            elif float((packet.dts or 0) * packet.time_base) + self.moved_s > until_s:
                self._next = packet
                return
            else:
                self._next = None
                self._move(packet)
                packet.stream = self._streams[packet.stream_index]
                output.mux(packet)

    def close(self) -> None:
        """Release the file. May be called twice."""
        self._done = True
        self._input.close()

    def _move(self, packet: Packet[AudioStream]) -> None:
        ticks = round(self.moved_s / packet.time_base)
        dts = (packet.dts or 0) + ticks
        if packet.stream_index in self._last_dts:
            # One time that does not rise, in a damaged file, would end the writing.
            dts = max(dts, self._last_dts[packet.stream_index] + 1)
        self._last_dts[packet.stream_index] = packet.dts = dts
        packet.pts = dts if packet.pts is None else max(packet.pts + ticks, dts)

    def _read(self) -> Packet[AudioStream] | None:
        try:
            for packet in self._packets:
                # The end is announced by one empty packet a stream, which carries no time.
                if packet.size and (packet.dts is not None or packet.pts is not None):
                    if packet.dts is None:
                        packet.dts = packet.pts
                    return packet
        except (av.FFmpegError, OSError) as error:
            _LOG.warning("%s: the sound breaks off (%s); kept what there was", self.path, reason(error))
        return None


def _refusal(stream: AudioStream, path: Path, target: Path) -> str:
    refused = f"{target.suffix} files cannot hold the {stream.codec_context.name} sound of {path}"
    if not _holds("matroska", stream):
        return f"{refused}: convert the sound to AAC first"
    return f"{refused}: write to {target.with_suffix('.mkv').name} instead, which keeps it untouched"


def _holds(muxer: str, stream: AudioStream) -> bool:
    # FFmpeg's table of what a container may hold promises more than its muxers do (FLAC and Opus in
    # QuickTime): only a header that was written proves it.
    trial = av.open(io.BytesIO(), "w", format=muxer)
    try:
        trial.add_stream_from_template(stream)
        trial.start_encoding()
    except (av.FFmpegError, ValueError):
        return False
    finally:
        with contextlib.suppress(av.FFmpegError):
            trial.close()
    return True
