"""`FileSink`: a video file that appears under its name only when it is whole."""

from __future__ import annotations

import contextlib
import errno
import math
import secrets
from fractions import Fraction
from pathlib import Path

import av
from av.container import OutputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from rtfilter.errors import OutputError, RtfilterError, UsageError, nearest
from rtfilter.frame import Frame
from rtfilter.sinks.audio import AudioCopy
from rtfilter.sinks.encode import ENCODERS, Encoding, codec_settings, encoding_for, time_base_for
from rtfilter.sources.base import SourceInfo
from rtfilter.sources.container import reason

CODECS = ("h264", "ffv1")
# Suffix -> FFmpeg's muxer and the codecs that it takes (FFmpeg's own table has no FFV1 in QuickTime).
_CONTAINERS = {
    ".mp4": ("mp4", CODECS),
    ".m4v": ("mp4", CODECS),
    ".mov": ("mov", ("h264",)),
    ".mkv": ("matroska", CODECS),
}
# The index in front, so that a browser can play while it loads.
_MUXER_OPTIONS = {"mp4": {"movflags": "+faststart"}, "mov": {"movflags": "+faststart"}}
# At most 96 bytes in UTF-8, of the 255 (143 on an encrypted disk) that a name may have.
_NAME_START = 24
_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class FileSink:
    """Writes frames as H.264 (CRF 18) or FFV1 (lossless), each at its own timestamp, with copied sound.

    What the filter left alone keeps the source's YUV bytes, see `rtfilter.planes`. The size is that of the
    first frame. Timestamps are exact in MP4 and MOV. Matroska rounds them to 1 ms and has none below
    zero: where the sound begins earlier (an encoder's lead-in), pictures and sound move together.

    path: .mp4, .m4v, .mov or .mkv; it is written under a hidden name beside it and renamed at the end.
    info: of the source; only its nominal rate is used.
    audio_from: a media file whose sound is copied, unchanged; None for silence.
    sample_aspect_ratio: width / height of a pixel (`FileSource.sample_aspect_ratio`).

    Raises UsageError for a suffix or codec that cannot be had, OutputError for a target that exists, or
    cannot be written, or cannot hold the sound, InputError when `audio_from` cannot be opened.
    """

    def __init__(
        self,
        path: str | Path,
        info: SourceInfo,
        *,
        codec: str = "h264",
        audio_from: str | Path | None = None,
        overwrite: bool = False,
        sample_aspect_ratio: Fraction = Fraction(1),
    ) -> None:
        self.path = Path(path)
        self._codec, self._overwrite = codec, overwrite
        muxer = _muxer(self.path, codec)
        self._target = _checked_target(self.path, overwrite)
        # Same suffix, same folder: renaming at the end is then one atomic step. The start of the name is
        # enough: the whole one may be as long as a name may be.
        start = self._target.stem[:_NAME_START]
        self._part = self._target.with_name(f".{start}.{secrets.token_hex(4)}{self.path.suffix}")
        self._encoding: Encoding | None = None
        self._time_base = Fraction(1, 90_000)
        self._last_pts: int | None = None
        self._packet_pts_step = 1
        self._fps = info.fps.limit_denominator(100_000)
        self._container: OutputContainer | None = None
        self._audio: AudioCopy | None = None
        try:
            # Made here: FFmpeg would open it with the first frame, after the user has waited for models.
            self._part.touch(exist_ok=False)
            # The prefix keeps FFmpeg from reading a protocol into a name that has a colon.
            name, options = f"file:{self._part}", _MUXER_OPTIONS.get(muxer, {})
            self._container = av.open(name, "w", format=muxer, container_options=options)
            self._stream = self._container.add_stream(ENCODERS[codec], rate=self._fps)
            self._stream.codec_context.sample_aspect_ratio = sample_aspect_ratio
            if audio_from is not None:
                self._audio = AudioCopy(Path(audio_from), self._container, self.path)
        except RtfilterError:
            self.close(complete=False)
            raise
        except (av.FFmpegError, OSError, ValueError) as error:
            self.close(complete=False)
            raise self._failed("cannot be written", error) from error

    def write(self, frame: Frame) -> None:
        """Encode one frame. Raises OutputError: another size than the first, disk full, encoder failure."""
        if self._container is None:
            raise OutputError(f"{self.path} is closed: make a new FileSink to write again")
        try:
            encoding = self._encoding or self._start(frame)
            if (frame.width, frame.height) != (encoding.width, encoding.height):
                got, expected = f"{frame.width}x{frame.height}", f"{encoding.width}x{encoding.height}"
                raise OutputError(
                    f"{self.path}: frame {frame.seq} is {got}, expected {expected} like the first one: "
                    "cut the input where its size changes"
                )
            picture = encoding.picture(frame)
            pts = round(frame.pts * frame.time_base / self._time_base)
            if self._last_pts is not None:
                # Times finer than the time base may fall on one tick, which no container takes.
                pts = max(pts, self._last_pts + 1)
            self._last_pts = picture.pts = pts
            picture.time_base = self._time_base
            self._mux(self._container, self._stream.encode(picture))
            if self._audio is not None:
                self._audio.feed(self._container, float(pts * self._time_base))
        except RtfilterError:
            raise
        except (av.FFmpegError, OSError, ValueError) as error:
            raise self._failed("cannot be written further", error) from error

    def close(self, complete: bool) -> None:
        """Finish: with `complete` the file gets its name, otherwise it is removed. Only once has effect.

        Raises OutputError when the end cannot be written, when there was no frame, or when the target
        has appeared meanwhile; then nothing is left but what was there before.
        """
        container, self._container = self._container, None
        try:
            if complete and container is not None:
                self._finish(container)
        except RtfilterError:
            raise
        except (av.FFmpegError, OSError, ValueError) as error:
            raise self._failed("could not be finished", error) from error
        finally:
            if self._audio is not None:
                self._audio.close()
            if container is not None:
                # After _finish this does nothing; otherwise what it writes is removed right away.
                with contextlib.suppress(av.FFmpegError, OSError, ValueError):
                    container.close()
            with contextlib.suppress(OSError):
                self._part.unlink(missing_ok=True)

    def _finish(self, container: OutputContainer) -> None:
        if self._encoding is None:
            raise OutputError(f"{self.path} was not written: there was not one frame")
        self._mux(container, self._stream.encode(None))
        if self._audio is not None:
            self._audio.feed(container, math.inf)
        container.close()
        if self._target.exists() and not self._overwrite:
            raise OutputError(f"{self.path} has appeared meanwhile: choose another name and run again")
        self._part.replace(self._target)

    def _start(self, frame: Frame) -> Encoding:
        encoding = self._encoding = encoding_for(frame, self._codec)
        self._time_base = time_base_for(frame.time_base)
        self._packet_pts_step = max(1, round(1 / (self._fps * self._time_base)))
        context = self._stream.codec_context
        context.options = codec_settings(self._codec, encoding.width, encoding.height)
        context.width, context.height, context.pix_fmt = encoding.width, encoding.height, encoding.pix_fmt
        context.time_base = self._time_base
        context.colorspace, context.color_range = encoding.colorspace, encoding.color_range
        context.color_primaries, context.color_trc = encoding.color_primaries, encoding.color_trc
        return encoding

    def _mux(self, container: OutputContainer, packets: list[Packet[VideoStream]]) -> None:
        for packet in packets:
            # Only the last one's counts (the others end where the next begins): without it the last
            # picture would have no length.
            if not packet.duration:
                packet.duration = self._packet_pts_step
            container.mux(packet)

    def _failed(self, what: str, error: Exception) -> OutputError:
        if getattr(error, "errno", None) in _DISK_FULL:
            advice = "free some space or write to another disk"
        elif isinstance(error, PermissionError):
            advice = "choose a folder that you may write to"
        else:
            advice = "try another folder or another suffix"
        return OutputError(f"{self.path} {what} ({reason(error)}): {advice}")


def _muxer(path: Path, codec: str) -> str:
    if codec not in CODECS:
        raise UsageError(f"unknown codec {codec!r}:{nearest(codec, CODECS)}")
    suffix = path.suffix.lower()
    if suffix not in _CONTAINERS:
        known = ", ".join(sorted(_CONTAINERS))
        raise UsageError(f"{path}: suffix {path.suffix!r} is none of {known}: name the output like clip.mp4")
    muxer, codecs = _CONTAINERS[suffix]
    if codec not in codecs:
        fitting = ", ".join(sorted(name for name, (_, able) in _CONTAINERS.items() if codec in able))
        raise UsageError(f"{path}: {suffix} files cannot hold {codec}: use one of {fitting}")
    return muxer


def _checked_target(path: Path, overwrite: bool) -> Path:
    try:
        # A link is followed: the file that it points to is replaced, not the link.
        target = path.resolve()
        if target.is_dir():
            raise OutputError(f"{path} is a folder: name a file inside it")
        if target.exists() and not target.is_file():
            raise OutputError(f"{path} is not a regular file: name one")
        if target.exists() and not overwrite:
            raise OutputError(f"{path} exists already: choose another name, or allow overwriting")
        if not target.parent.is_dir():
            raise OutputError(f"{path}: there is no folder {path.parent}: make it first")
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        raise OutputError(f"{path} cannot be written ({reason(error)}): choose another name") from error
    return target
