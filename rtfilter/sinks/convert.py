"""One track of a file on its way into another: copied packet by packet, or decoded and encoded anew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeAlias, cast

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Disposition, Stream
from av.subtitles.codeccontext import SubtitleCodecContext
from av.subtitles.stream import SubtitleStream

from rtfilter.sinks.channels import PlainChannels

AnyPacket: TypeAlias = "Packet[Stream]"

# The bit rate of a channel at which AAC and Opus are taken for the original.
_CHANNEL_BITS_PER_S = 96_000
_COVER_TYPES = {"mjpeg": ("cover.jpg", "image/jpeg"), "png": ("cover.png", "image/png")}


class Route(Protocol):
    """Where the packets of one track go. stream: the new track. damaged: packets that were not read."""

    stream: Stream
    damaged: int

    def packets(self, packet: AnyPacket) -> Sequence[AnyPacket]:
        """What to write for a packet of the source."""
        ...

    def rest(self) -> Sequence[AnyPacket]:
        """What is left to write at the end."""
        ...


def route(source: Stream, output: OutputContainer, encoder: str | None, first: AnyPacket | None) -> Route:
    """A new track in `output` for `source`, and the way into it.

    encoder: None to copy. first: the first packet of `source`, where it has one: a cover is made of it.

    Raises av.FFmpegError or ValueError where that cannot be.
    """
    if encoder is not None:
        if isinstance(source, AudioStream):
            return _SoundEncoder(source, output, encoder)
        return _SubtitleEncoder(cast("SubtitleStream", source), output, encoder)
    if source.disposition & Disposition.attached_pic and output.format.name in ("matroska", "webm"):
        return _CoverAttachment(source, output, first)
    return _Copy(source, output)


class _Copy:
    damaged = 0

    def __init__(self, source: Stream, output: OutputContainer) -> None:
        self.stream: Stream = output.add_stream_from_template(source, opaque=True)
        self._untimed = bool(source.disposition & Disposition.attached_pic)
        self._sound = source.type == "audio"
        self._before: int | None = None

    def packets(self, packet: AnyPacket) -> Sequence[AnyPacket]:
        if self._untimed:
            packet.pts = packet.dts = 0
        elif packet.dts is None:
            packet.dts = packet.pts
        if self._sound and not packet.duration and packet.dts is not None:
            # Without it the last packet would have no length, and players of MP4 and MOV leave it out.
            packet.duration = max(0, packet.dts - (packet.dts if self._before is None else self._before))
        self._before = packet.dts
        packet.stream = self.stream
        return [packet]

    def rest(self) -> Sequence[AnyPacket]:
        return ()


class _CoverAttachment:
    """A cover as Matroska has it: a file in the header."""

    damaged = 0

    def __init__(self, source: Stream, output: OutputContainer, first: AnyPacket | None) -> None:
        if first is None or source.name not in _COVER_TYPES:
            raise ValueError(f"no cover of type {source.name}")
        name, kind = _COVER_TYPES[source.name]
        self.stream: Stream = output.add_attachment(source.metadata.get("filename", name), kind, bytes(first))

    def packets(self, packet: AnyPacket) -> Sequence[AnyPacket]:
        return ()

    def rest(self) -> Sequence[AnyPacket]:
        return ()


class _SoundEncoder:
    def __init__(self, source: AudioStream, output: OutputContainer, encoder: str) -> None:
        self._source, self.damaged = source, 0
        before = source.codec_context
        self._channels = PlainChannels(before)
        layout = self._channels.layout
        if encoder == "libopus" and layout.nb_channels == 7:
            # FFmpeg's gives each channel of 6.1 the place of another.
            layout = av.AudioLayout("7.1")
        codec = av.Codec(encoder, "w")
        rates = codec.audio_rates or [before.sample_rate]
        rate = min(rates, key=lambda rate: (rate < before.sample_rate, abs(rate - before.sample_rate)))
        new = output.add_stream(encoder, rate=rate)
        assert isinstance(new, AudioStream)
        self.stream: Stream = new
        self._context = new.codec_context
        self._context.layout = layout
        self._context.bit_rate = _CHANNEL_BITS_PER_S * layout.nb_channels
        self._context.open()
        self._resampler = av.AudioResampler(
            self._context.format, layout, rate, self._context.frame_size or None
        )

    def packets(self, packet: AnyPacket) -> Sequence[AnyPacket]:
        try:
            frames = self._source.decode(cast("Packet[AudioStream]", packet))
        except av.FFmpegError:
            self.damaged += 1
            return []  # a gap, as a player would make of it
        return self._encoded(self._resampled(frames))

    def rest(self) -> Sequence[AnyPacket]:
        frames = self._resampled(self._source.decode(None))
        self._source.codec_context.flush_buffers()
        return self._encoded([*frames, *self._resampler.resample(None), None])

    def _resampled(self, frames: Sequence[av.AudioFrame]) -> list[av.AudioFrame]:
        return [part for frame in frames for part in self._resampler.resample(self._channels.plain(frame))]

    def _encoded(self, frames: Sequence[av.AudioFrame | None]) -> list[AnyPacket]:
        done: list[AnyPacket] = []
        for frame in frames:
            for packet in self._context.encode(frame):
                packet.stream = cast("AudioStream", self.stream)
                done.append(cast("AnyPacket", packet))
        return done


class _SubtitleEncoder:
    def __init__(self, source: SubtitleStream, output: OutputContainer, encoder: str) -> None:
        self._decoder, self.damaged = source.codec_context, 0
        self._decoder.open(strict=False)
        if self._decoder.subtitle_header is None:
            raise ValueError("these subtitles are pictures")
        self.stream: Stream = output.add_stream(encoder)
        self._encoder = cast("SubtitleCodecContext", self.stream.codec_context)
        self._encoder.subtitle_header = self._decoder.subtitle_header
        if source.time_base is not None:
            self._encoder.time_base = self.stream.time_base = source.time_base

    def packets(self, packet: AnyPacket) -> Sequence[AnyPacket]:
        try:
            shown = self._decoder.decode2(packet)
            if shown is None or not len(shown):
                return []
            encoded = self._encoder.encode_subtitle(shown)
        except (av.FFmpegError, ValueError):
            self.damaged += 1
            return []
        encoded.pts = encoded.dts = packet.pts
        encoded.duration, encoded.time_base = packet.duration, packet.time_base
        encoded.stream = self.stream
        return [encoded]

    def rest(self) -> Sequence[AnyPacket]:
        return ()
