"""One track of a file on its way into another: copied, or encoded anew. Called by `fit` and `tracks`."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any, TypeAlias, cast

import av
import numpy as np
import numpy.typing as npt
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.layout import AudioLayout
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.stream import Disposition, Stream
from av.subtitles.codeccontext import SubtitleCodecContext
from av.subtitles.stream import SubtitleStream

AnyPacket: TypeAlias = "Packet[Stream]"

# The bit rate of a channel at which AAC and Opus sound like the original.
_CHANNEL_BITS_PER_S = 96_000
_COVER_TYPES = {"mjpeg": ("cover.jpg", "image/jpeg"), "png": ("cover.png", "image/png")}
# FFmpeg's layouts of more than two channels that sound comes in, the commonest of each set first.
_NAMED = (
    "2.1", "3.0", "3.0(back)", "4.0", "quad", "quad(side)", "3.1", "5.0", "5.0(side)", "4.1", "5.1",
    "5.1(side)", "6.0", "hexagonal", "6.1", "6.1(back)", "7.0", "7.1", "7.1(wide)",
)  # fmt: skip


class Route:
    """The way of one track's packets into a new file; here none is written.

    stream: the new track. damaged: packets that could not be decoded.
    """

    stream: Stream
    damaged = 0

    def packets(self, packet: AnyPacket) -> Sequence[AnyPacket]:
        """What to write for a packet of the source."""
        return ()

    def rest(self) -> Sequence[AnyPacket]:
        """What is left to write at the end."""
        return ()


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


class _Copy(Route):
    def __init__(self, source: Stream, output: OutputContainer) -> None:
        self.stream = output.add_stream_from_template(source, opaque=True)
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


class _CoverAttachment(Route):
    """A cover as Matroska has it: a file in the header."""

    def __init__(self, source: Stream, output: OutputContainer, first: AnyPacket | None) -> None:
        if first is None or source.name not in _COVER_TYPES:
            raise ValueError(f"no cover of type {source.name}")
        name, kind = _COVER_TYPES[source.name]
        self.stream = output.add_attachment(source.metadata.get("filename", name), kind, bytes(first))


class _SoundEncoder(Route):
    def __init__(self, source: AudioStream, output: OutputContainer, encoder: str) -> None:
        self._source = source
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
        self.stream = new
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


class _SubtitleEncoder(Route):
    def __init__(self, source: SubtitleStream, output: OutputContainer, encoder: str) -> None:
        self._decoder = source.codec_context
        self._decoder.open(strict=False)
        if self._decoder.subtitle_header is None:
            raise ValueError("these subtitles are pictures")
        self.stream = output.add_stream(encoder)
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


class PlainChannels:
    """Decoded sound with its channels in the order of a layout that has a name, which PyAV can handle.

    PyAV 18 shares the list of channels of any other layout with each reader of it, and each frees it: the
    process aborts. So the list is read once, and the context gets a plain layout in its place.

    layout: the named one of the same channels; where there is none, FFmpeg's usual one for that many.

    Raises ValueError where there is none.
    """

    def __init__(self, context: AudioCodecContext) -> None:
        found = context.layout
        names = [channel.name for channel in found.channels]
        self.layout, self._order = _plain(names)
        if not context.is_open:
            context.layout = self.layout  # from here on `found` alone has the list, and frees it
        else:
            _keep(found)

    def plain(self, frame: AudioFrame) -> AudioFrame:
        """`frame` with its channels in order. Raises ValueError where its layout has no name."""
        if " channels" in frame.layout.name:
            _keep(frame.layout)
            raise ValueError(f"sound of {frame.layout.name}")
        if self._order is None or frame.layout != self.layout:
            return frame
        samples: npt.NDArray[Any] = frame.to_ndarray()
        if frame.format.is_planar:
            samples = samples[self._order]
        else:
            samples = samples.reshape(-1, len(self._order))[:, self._order].reshape(1, -1)
        ordered = AudioFrame.from_ndarray(np.ascontiguousarray(samples), frame.format.name, self.layout.name)
        ordered.sample_rate, ordered.pts = frame.sample_rate, frame.pts
        if frame.time_base is not None:
            ordered.time_base = frame.time_base
        return ordered


def _plain(names: list[str]) -> tuple[AudioLayout, list[int] | None]:
    """The layout for channels of these names, and where each of its channels is among them."""
    for name in _NAMED:
        layout = av.AudioLayout(name)
        wanted = [channel.name for channel in layout.channels]
        if sorted(wanted) == sorted(names):
            order = [names.index(channel) for channel in wanted]
            return layout, None if wanted == names else order
    # "9c" would be taken for nine channels of unknown place, which no encoder takes.
    return av.AudioLayout(f"{len(names)}c"), None


def _keep(layout: AudioLayout) -> None:
    """Never free `layout`: another one frees what it points at."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(layout))
