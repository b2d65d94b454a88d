"""Films with everything that a file may hold beside its picture: tracks, flags, chapters, tags, covers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.stream import Disposition

from tests.clips import picture_rgb

RATE_HZ, FPS, LENGTH_S = 48_000, 25, 2
CLICKS_S = (0.1, 0.6, 1.1, 1.6)
LINES = ((200, 500, "Hello <i>there</i>"), (1000, 800, "Two\nrows"))
CHAPTERS = [(0, 900, "One"), (900, 2000, "Zwei \u00fc")]
TAGS = {"title": "My film", "artist": "Ann", "creation_time": "2024-05-06T07:08:09.000000Z"}


@dataclass
class Sound:
    """One sound track: its codec, language, whether it plays by default, and when it begins."""

    codec: str = "aac"
    language: str = "und"
    default: bool = False
    layout: str = "stereo"
    start_s: float = 0.0


@dataclass
class Film:
    """What to put into a file."""

    sounds: Sequence[Sound] = ()
    subtitles: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    video_tags: dict[str, str] = field(default_factory=dict)
    chapters: bool = False
    cover: bool = False
    font: bytes = b""
    second_picture: bool = False
    pictures: bool = True
    picture_codec: str = "libx264"


def clicks(channels: int) -> np.ndarray:
    """Silence with short loud clicks at `CLICKS_S`, float32 [channels, samples]."""
    wave = np.zeros((channels, RATE_HZ * LENGTH_S), np.float32)
    for at_s in CLICKS_S:
        wave[:, int(at_s * RATE_HZ) : int(at_s * RATE_HZ) + 100] = 0.9
    return wave


def write(path: Path, film: Film, options: dict[str, str] | None = None) -> Path:
    """Write `film` to `path`; returns it."""
    with av.open(str(path), "w", container_options=options or {}) as container:
        container.metadata.update(film.tags)
        if film.chapters:
            container.set_chapters(
                [
                    {
                        "id": n,
                        "start": a,
                        "end": b,
                        "time_base": Fraction(1, 1000),
                        "metadata": {"title": title},
                    }
                    for n, (a, b, title) in enumerate(CHAPTERS)
                ]
            )
        pictures = [
            _picture_stream(container, film.picture_codec) for _ in range(film.pictures + film.second_picture)
        ]
        for picture in pictures[:1]:
            picture.metadata.update(film.video_tags)
        sounds = [(_sound_stream(container, sound), sound) for sound in film.sounds]
        words = None
        if film.subtitles is not None:
            words = container.add_stream(film.subtitles)
            words.codec_context.subtitle_header = _ass_header()
            words.metadata["language"] = "ita"
            words.disposition = Disposition.forced
            words.time_base = Fraction(1, 1000)
        if film.font:
            container.add_attachment("f.ttf", "application/x-truetype-font", film.font)
        cover = _cover_stream(container, path) if film.cover else None
        container.start_encoding()
        if cover is not None and cover.type == "video":
            packet = av.Packet(jpeg())
            packet.stream, packet.pts, packet.dts, packet.time_base = cover, 0, 0, Fraction(1, 90_000)
            packet.is_keyframe = True
            container.mux(packet)
        for index in range(FPS * LENGTH_S):
            for picture in pictures:
                frame = av.VideoFrame.from_ndarray(picture_rgb(index, 64, 48)).reformat(format="yuv420p")
                frame.pts, frame.time_base = index, Fraction(1, FPS)
                container.mux(picture.encode(frame))
        for picture in pictures:
            container.mux(picture.encode(None))
        for stream, sound in sounds:
            _mux_sound(container, stream, sound)
        if words is not None:
            _mux_words(container, words)
    return path


def jpeg() -> bytes:
    context = av.CodecContext.create("mjpeg", "w")
    context.width, context.height, context.pix_fmt = 32, 32, "yuvj420p"
    context.time_base, context.color_range = Fraction(1, 25), 2
    picture = av.VideoFrame.from_ndarray(picture_rgb(0, 32, 32)).reformat(format="yuvj420p")
    return b"".join(bytes(packet) for packet in [*context.encode(picture), *context.encode(None)])


def onsets_s(path: Path, track: int = 0) -> list[float]:
    """When the clicks of a sound track begin, in seconds."""
    found: list[float] = []
    with av.open(str(path)) as container:
        resampler = av.AudioResampler("fltp", "mono", RATE_HZ)
        for frame in container.decode(container.streams.audio[track]):
            for part in resampler.resample(frame):
                start_s = float(part.pts * part.time_base)
                for sample in np.nonzero(np.abs(part.to_ndarray()[0]) > 0.4)[0]:
                    at_s = start_s + sample / RATE_HZ
                    if not found or at_s - found[-1] > 0.1:
                        found.append(at_s)
    return found


def lines_of(path: Path) -> list[tuple[float, float, str]]:
    """Start, length and text of every shown line of subtitles."""
    with av.open(str(path)) as container:
        shown = []
        for packet in container.demux(container.streams.subtitles[0]):
            if packet.size:
                texts = [line.dialogue.decode() for line in packet.decode()]
                at_s, long_s = packet.pts * packet.time_base, packet.duration * packet.time_base
                shown += [(float(at_s), float(long_s), text) for text in texts if text]
        return shown


def _picture_stream(container, codec: str):
    stream = container.add_stream(codec, rate=FPS)
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
    return stream


def _sound_stream(container, sound: Sound):
    stream = container.add_stream(sound.codec, rate=RATE_HZ)
    stream.layout = sound.layout
    stream.metadata["language"] = sound.language
    stream.disposition = Disposition.default if sound.default else Disposition(0)
    return stream


def _cover_stream(container, path: Path):
    if path.suffix == ".mkv":
        return container.add_attachment("cover.jpg", "image/jpeg", jpeg())
    stream = container.add_stream("mjpeg", rate=FPS)
    stream.width, stream.height, stream.pix_fmt = 32, 32, "yuvj420p"
    stream.codec_context.color_range = 2
    stream.disposition = Disposition.attached_pic
    return stream


def _mux_sound(container, stream, sound: Sound) -> None:
    context = stream.codec_context
    wave = clicks(len(stream.layout.channels))
    frame = av.AudioFrame.from_ndarray(wave, "fltp", sound.layout)
    frame.sample_rate, frame.time_base = RATE_HZ, Fraction(1, RATE_HZ)
    frame.pts = round(sound.start_s * RATE_HZ)
    resampler = av.AudioResampler(context.format, sound.layout, RATE_HZ, context.frame_size or 1024)
    for part in [*resampler.resample(frame), *resampler.resample(None), None]:
        container.mux(stream.encode(part))


def _mux_words(container, stream) -> None:
    for start_ms, length_ms, text in LINES:
        plain = text.replace("\n", "\\N").replace("<i>", "{\\i1}").replace("</i>", "{\\i0}")
        line = av.subtitles.subtitle.SubtitleSet.create(
            f"0,0,Default,,0,0,0,,{plain}".encode(), 0, length_ms, start_ms * 1000
        )
        packet = stream.codec_context.encode_subtitle(line)
        packet.pts = packet.dts = start_ms
        packet.duration, packet.time_base, packet.stream = length_ms, Fraction(1, 1000), stream
        container.mux(packet)


def _ass_header() -> bytes:
    return (
        b"[Script Info]\r\nScriptType: v4.00+\r\nPlayResX: 384\r\nPlayResY: 288\r\n\r\n[V4+ Styles]\r\n"
        b"Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, "
        b"Italic, Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, "
        b"Alignment, MarginL, MarginR, MarginV, Encoding\r\n"
        b"Style: Default,Arial,16,&Hffffff,&Hffffff,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,0\r\n\r\n"
        b"[Events]\r\nFormat: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\r\n"
    )
