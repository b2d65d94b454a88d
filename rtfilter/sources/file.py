"""`FileSource`: every frame of a video file, in order, with its own timestamps."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer

from rtfilter.errors import InputError
from rtfilter.frame import MAX_SIDE_PX, NANOSECONDS, Frame
from rtfilter.media.container import (
    fine_fps,
    frame_count,
    nominal_fps,
    open_input,
    reason,
    seek_before,
    steady_fps,
    video_stream,
)
from rtfilter.media.contents import labels_in_words, other_tracks
from rtfilter.media.continuous import Continuous
from rtfilter.media.info import SourceInfo
from rtfilter.media.pixels import PixelReader, Uprighter
from rtfilter.media.side_data import WithoutProfile
from rtfilter.sources.conform import Conformer
from rtfilter.sources.cut import lacks_end, stated_bytes
from rtfilter.sources.timeline import timed
from rtfilter.system.process import MadeHere

_LOG = logging.getLogger(__name__)


class FileSource:
    """Decodes one video stream of any container that FFmpeg reads, upright, frame by frame.

    `Frame.native` is the decoded picture, upright, in its own pixel format (above 8 bits: the planar one with
    its samples) and colour tags.
    `Frame.pts` is in the stream's time base. Where timestamps start anew (joined files) they go on, see
    `Continuous`; missing ones and those that do not rise are mended, see `timed`. All frames have the size of
    the first, see `Conformer`.

    damage: None, or, once the end was read, one line on what could not be decoded, for the caller to
        show. What could be decoded has been given.
    sample_aspect_ratio: width / height of a pixel of the upright picture.
    steady_fps: the constant rate that most of its frames have, where a gap does not count.
    fine_fps: a constant rate on whose ticks all its frames lie, or nearly.
    origin_s: when the first picture begins, where the file states it. start_s: what is earlier is not needed.
    opened: a container that was opened otherwise, as a pipe's or an address's; `path` is then its name.
    rereadable: whether `path` can be opened once more, for its other tracks.
    other_tracks, labels: what is beside the pictures (tracks; tags and chapters), in words.

    Raises InputError when not one frame can be had: missing, empty, no video in it, over 16384 px a side.
    """

    def __init__(
        self, path: str | Path, *, opened: InputContainer | None = None, start_s: float = 0.0
    ) -> None:
        self.path, self.name = Path(path), str(path)
        self.rereadable = opened is None
        self.damage: str | None = None
        self._made = MadeHere(f"the reader of {self.name}")
        self._lock = threading.Lock()
        self._container: InputContainer | None = opened or open_input(path)
        self._format = self._container.format.name
        try:
            self._stream = video_stream(self._container, self.name)
            self._fps = nominal_fps(self._stream)
            start, base = self._stream.start_time, self._stream.time_base
            self.origin_s = None if start is None or base is None else float(start * base)
            if start_s and self.rereadable:
                seek_before(self._container, self._stream, start_s)
            self._decoder = _Decoder(self._container, self._stream)
            self._pictures = timed(self._decoder, self._fps)
            unsafe = self._stream.codec_context.name in WithoutProfile.CODECS
            self._safe = WithoutProfile() if unsafe else None
            self._uprighter, self._conformer, self._reader = Uprighter(), Conformer(), PixelReader()
            self._seq = 0
            # One frame ahead: only a decoded picture tells the size that it is shown at.
            first = self._pending = self._next_frame()
        except BaseException:
            self.close()
            raise
        if first is None:
            self.close()
            advice = "copy or record it again"
            if not self.rereadable and self._format.startswith("mov"):
                # Its index is found, and what that points at has gone by.
                advice = (
                    "an MP4 or MOV with its index at the end is read from a file only: name the file "
                    "(of an address: download it first), or send MKV or MPEG-TS"
                )
            why = self._decoder.error or "no video data"
            raise InputError(f"{self.name}: not one frame could be decoded ({why}): {advice}")
        self.other_tracks = other_tracks(self._container, self._stream)
        self.labels = labels_in_words(self._container, self._stream)
        self.steady_fps, self.fine_fps = (
            steady_fps(self._stream, self._fps),
            fine_fps(self._stream, self._fps),
        )
        # FFmpeg's readers of picture files, which state no length.
        self._still = self.rereadable and self._format.endswith(("_pipe", "image2"))
        count = 1 if self._still else frame_count(self._stream)
        self._info = SourceInfo(self.name, first.width, first.height, self._fps, False, count)
        ratio = self._stream.sample_aspect_ratio or Fraction(1)
        self.sample_aspect_ratio = 1 / ratio if self._uprighter.sideways else ratio

    @property
    def info(self) -> SourceInfo:
        return self._info

    @property
    def notes(self) -> list[str]:
        """What was done that the user should know, one line each; complete at the end."""
        notes, joins = [], self._decoder.joins
        if joins:
            often = "once" if joins == 1 else f"{joins} times"
            notes.append(f"{self.name}: its timestamps start anew {often}; what follows was joined on")
        if self._conformer.changed is not None:
            notes.append(f"{self.name}: {self._conformer.changed}")
        return notes

    def read(self, timeout_s: float = 5.0) -> Frame | None:
        """The next frame; None at the end and after `close()`. `timeout_s` is unused: files don't wait.

        Raises InputError when a picture turns out too large or in a format that cannot be shown.
        """
        self._made.check()  # a decoder's threads do not survive fork
        with self._lock:
            if self._container is None:
                return None
            frame = self._pending
            if frame is None:
                frame = self._next_frame()
                if frame is None:
                    self._report_damage()
            self._pending = None
            return frame

    def close(self) -> None:
        """Release the file. May be called twice and from another thread."""
        with self._lock:
            container, self._container, self._pending = self._container, None, None
            if container is not None:
                container.close()

    def _next_frame(self) -> Frame | None:
        found = next(self._pictures, None)
        if found is None:
            return None
        picture, pts = found
        if max(picture.width, picture.height) > MAX_SIDE_PX:
            raise InputError(
                f"{self.name} is {picture.width}x{picture.height}, expected at most {MAX_SIDE_PX} px a side: "
                "scale it down first"
            )
        if self._safe is not None:
            picture = self._safe.picture(picture)
        time_base = picture.time_base or NANOSECONDS
        try:
            native = self._conformer.conformed(self._uprighter.turned(self._reader.planar(picture)))
            pixels = self._reader.pixels(native)
        except av.FFmpegError as error:
            raise InputError(
                f"{self.name}: pixel format {picture.format.name} cannot be shown ({reason(error)}): "
                "convert the file to H.264 first"
            ) from error
        captured_ns, duration = int(pts * time_base / NANOSECONDS), self._duration(picture)
        frame = Frame(pixels, pts, time_base, captured_ns, self._seq, native, duration=duration)
        self._seq += 1
        return frame

    def _duration(self, picture: av.VideoFrame) -> int:
        stream, stated = self._stream, picture.duration or 0
        if self._seq + 1 != stream.frames or stream.duration is None or picture.pts is None:
            return stated
        # The last one. In files with B-frames its packet is not, and states the time to another.
        return max(stated, (stream.start_time or 0) + stream.duration - picture.pts)

    def _report_damage(self) -> None:
        if self.damage is not None:
            return
        decoder = self._decoder
        wrongs = []
        # Where transport streams were joined the demuxer misses a packet, which never was.
        corrupt = decoder.corrupt - min(decoder.corrupt, decoder.joins)
        if corrupt:
            wrongs.append(f"damaged in {corrupt} place{'s' * (corrupt > 1)}")
        elif decoder.error:
            wrongs.append(decoder.error)
        if self.rereadable and (stated := stated_bytes(self.path, self._format)) is not None:
            wrongs.append(f"cut off: {self.path.stat().st_size:,} of {stated:,} bytes are there")
        elif self._still and lacks_end(self.path):
            wrongs.append("cut off: its end is missing")
        if wrongs:
            self.damage = f"{self.name}: {', '.join(wrongs)}; used what could be decoded"
            _LOG.info("%s", self.damage)


class _Decoder:
    """Iterates over every picture that can be had; what can't is counted and read past.

    corrupt: damaged places so far. error: the first complaint, "" when there was none.
    """

    def __init__(self, container: InputContainer, stream: av.VideoStream) -> None:
        self._packets, self._stream = Continuous(container, [stream]), stream
        self.corrupt = 0
        self.error = ""

    @property
    def joins(self) -> int:
        """How often the file's timestamps have started anew so far."""
        return self._packets.joins

    def __iter__(self) -> Iterator[av.VideoFrame]:
        packets = iter(self._packets)
        flushing = False
        while not flushing:
            try:
                packet = next(packets, None)
            except (av.FFmpegError, OSError) as error:
                self.error = self.error or reason(error)
                packet = None
            # The demuxer hands out an empty packet at a sound end, and nothing after an error.
            flushing = packet is None or packet.size == 0
            if packet is not None and not flushing:
                self.corrupt += packet.is_corrupt
            try:
                for picture in self._stream.decode(packet):
                    self.corrupt += picture.is_corrupt
                    if picture.time_base is None and self._stream.time_base is not None:
                        picture.time_base = self._stream.time_base  # PyAV takes it from a packet
                    yield picture
            except av.EOFError:
                return
            except av.FFmpegError as error:
                # A cut packet is flagged by the demuxer and then refused here: count it once.
                self.corrupt += not (packet is not None and packet.is_corrupt)
                self.error = self.error or reason(error)
