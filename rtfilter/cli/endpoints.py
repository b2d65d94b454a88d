"""Sources and sinks as `--input` and `--output` name them. Called by `run`, `demo` and `cam`."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtfilter.cli.output import PIPE, refuse_existing, shown_name, stdin_descriptor, taken_stdout
from rtfilter.errors import OutputError, UsageError
from rtfilter.media.info import SourceInfo
from rtfilter.sinks.base import Sink
from rtfilter.sources.base import Source, is_address, is_live

if TYPE_CHECKING:
    from rtfilter.sinks.file import FileSink
    from rtfilter.sinks.pipe import PipeSink

DEMO, VIRTUAL_CAMERA, NOTHING = "demo", "virtualcam", "null"
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
# What most conferencing programs expect of a camera, and enough for a face.
WIDTH_PX, HEIGHT_PX, FPS = 1280, 720, 30
DEMO_S = 12.0
DEMO_ZOOM = 1.45  # a face of a good quarter of the picture, as people sit before a webcam


def is_camera(name: str) -> bool:
    """Whether an input is a camera: `camera`, `camera:1`, `camera:/dev/video2`, `/dev/video2`, or `1`, which
    is no file.
    """
    if re.fullmatch(r"\d{1,3}", name):
        return not Path(name).exists()
    return name == "camera" or name.startswith(("camera:", "/dev/video", "/dev/v4l/"))


def open_source(name: str, values: Mapping[str, Any], *, live: bool, duration_s: float | None) -> Source:
    """The source that `name` means: a camera, the demo, stdin, an address, or else a file.

    values: width, height and fps of a camera or the demo. live: the demo has no end. duration_s: of the demo
    when it is not live; default one loop, 12 s. Raises UsageError, DeviceError or InputError.
    """
    if not name:
        raise UsageError("the input has no name; expected a file, camera:0, demo, or - for stdin")
    fps, size = values.get("fps", FPS), values.get("size")
    if name == PIPE:
        from rtfilter.sources.pipe import PipeSource, RawVideo

        return PipeSource(
            stdin_descriptor(), None if size is None else RawVideo(size[0], size[1], Fraction(fps))
        )
    width, height = size or (values.get("width", WIDTH_PX), values.get("height", HEIGHT_PX))
    if name == DEMO:
        from rtfilter.sources.demo import DemoSource

        count = None if live else max(1, round((duration_s or DEMO_S) * fps))
        # Never `live`: the live loop paces it, which it does not do by itself.
        return DemoSource(width=width, height=height, fps=fps, frame_count=count, zoom=DEMO_ZOOM)
    if is_camera(name):
        from rtfilter.sources.camera import CameraSource

        target = name.removeprefix("camera").removeprefix(":") or "0"
        if not (re.fullmatch(r"\d{1,3}", target) or target.startswith("/")):
            raise UsageError(f"input {name!r}: expected camera:0 or camera:/dev/video2")
        return CameraSource(int(target) if target.isdigit() else target, width, height, fps)
    if size is not None:
        raise UsageError("--size is for raw RGB on stdin, cameras and the demo; a file has its own")
    if not Path(name).exists():
        if is_address(name):
            from rtfilter.sources.network import LiveStreamSource, WebSource

            return LiveStreamSource(name) if is_live(name) else WebSource(name)
        _suggest("input", name, (DEMO, "camera:0"))
    from rtfilter.sources.file import FileSource

    return FileSource(name, start_s=values.get("start") or 0.0)


def open_sink(name: str, values: Mapping[str, Any], source: Source, *, compare: bool, force: bool) -> Sink:
    """The sink that `name` means: the virtual camera, nothing, stdout, or else a file.

    values: codec, crf and bitrate of a file (codec_asked: False for a codec of the settings, which gives way
    where it does not fit); width, height, fps and device of the virtual camera. A file that is made from a
    file gets its sound and pixel shape. Raises UsageError, MissingExtraError, DeviceError or OutputError.
    """
    if compare:
        from rtfilter.sinks.compare import CompareSink, compared_info

        return CompareSink(_open_fitting(_Request(name, values, source, compared_info(source.info), force)))
    return _open_fitting(_Request(name, values, source, source.info, force))


@dataclass(frozen=True, slots=True)
class _Request:
    """The arguments of `open_sink`. info: the size and rate that are written."""

    name: str
    values: Mapping[str, Any]
    source: Source
    info: SourceInfo
    force: bool

    @property
    def tracks_from(self) -> Path | None:
        """The file whose other tracks can be copied: one that can be read once more."""
        from rtfilter.sources.file import FileSource

        return self.source.path if isinstance(self.source, FileSource) and self.source.rereadable else None

    def file_options(self) -> dict[str, Any]:
        """Arguments of `FileSink`."""
        from rtfilter.sinks.codecs import Quality
        from rtfilter.sources.file import FileSource

        return {
            "codec": self.values.get("codec"),
            "quality": Quality(self.values.get("crf"), self.values.get("bitrate")),
            "strict": bool(self.values.get("strict")),
            "sample_aspect_ratio": getattr(self.source, "sample_aspect_ratio", Fraction(1)),
            "tracks_from": self.tracks_from,
            "part_s": self.values.get("part_s") if isinstance(self.source, FileSource) else None,
        }

    def refuse_compression(self, where: str) -> None:
        """Raise UsageError for options that only a compressed video has."""
        for option in ("codec", "crf", "bitrate"):
            if self.values.get(option) is not None:
                raise UsageError(f"--{option} is for {where}")

    @property
    def beside(self) -> str:
        """What is kept by reading the source once more, as only a file can be: tracks and labels."""
        names = [*getattr(self.source, "other_tracks", ()), *getattr(self.source, "labels", ())]
        return ", no ".join(names)

    def refuse_loss(self, loss: str) -> None:
        """Raise OutputError for a `loss` that --strict forbids."""
        if loss and self.values.get("strict"):
            raise OutputError(f"{loss}; --strict refuses that: leave it away, or name a file")


def _open_fitting(request: _Request) -> Sink:
    """Open the sink; a codec of the settings gives way where it is of no use."""
    values = request.values
    if values.get("codec") is None or values.get("codec_asked", True):
        return _open_plain(request)
    from rtfilter.sinks.codecs import Quality, codec_of_settings
    from rtfilter.sinks.file import FileSink

    codec, note = None, None
    form = f".{values.get('format') or 'y4m'}"
    suffix = form if request.name == PIPE else Path(request.name).suffix.lower()
    # Pictures, y4m and raw have none, as virtualcam and null.
    if suffix not in ("", ".y4m", ".raw", *IMAGE_SUFFIXES):
        quality = Quality(values.get("crf"), values.get("bitrate"))
        codec, note = codec_of_settings(suffix, values["codec"], quality, shown_name(request.name))
    sink = _open_plain(replace(request, values={**values, "codec": codec}))
    if note is not None and isinstance(sink, FileSink):
        sink.notes.append(note)
    return sink


def _open_plain(request: _Request) -> Sink:
    name, values, info = request.name, request.values, request.info
    if not name:
        raise UsageError("the output has no name; expected a file, virtualcam, null, or - for stdout")
    if name == NOTHING:
        from rtfilter.sinks.base import NullSink

        return NullSink()
    if name == VIRTUAL_CAMERA:
        from rtfilter.sinks.virtualcam import VirtualCameraSink

        width, height = values.get("width", WIDTH_PX), values.get("height", HEIGHT_PX)
        return VirtualCameraSink(width, height, float(info.fps), values.get("device"))
    return _open_pipe(request) if name == PIPE else _open_file(request)


def _open_file(request: _Request) -> Sink:
    from rtfilter.sinks.codecs import VIDEO_SUFFIXES
    from rtfilter.sinks.file import FileSink
    from rtfilter.sinks.image import ImageSink
    from rtfilter.sources.file import FileSource

    name, info, path, made_from = request.name, request.info, Path(request.name), request.tracks_from
    suffix = path.suffix.lower()
    if request.values.get("format") is not None:
        raise UsageError("--format is for -o -; a file's suffix tells its format")
    if not path.suffix:
        _suggest("output", name, (VIRTUAL_CAMERA, NOTHING))
    if made_from is not None and path.exists() and path.samefile(made_from):
        raise UsageError(f"{name} is both input and output; choose another output")
    refuse_existing(path, request.force)
    if suffix in IMAGE_SUFFIXES:
        request.refuse_compression(f"video; {name} is a picture")
        strict = bool(request.values.get("strict"))
        return ImageSink(name, info, made_from=made_from, strict=strict, overwrite=request.force)
    if info.frame_count == 1 and suffix not in VIDEO_SUFFIXES:
        raise UsageError(
            f"{name}: suffix {path.suffix!r} is none of {', '.join(IMAGE_SUFFIXES)}, nor of a video "
            f"({', '.join(VIDEO_SUFFIXES)}): name the output like face.png"
        )
    if isinstance(request.source, FileSource) and suffix == ".avi":
        info = replace(info, fps=request.source.fine_fps)
    loss = ""
    if made_from is None and (beside := request.beside):
        loss = f"{name} has no {beside}: those of {info.name} cannot be read beside its pictures"
    request.refuse_loss(loss)
    sink = FileSink(name, info, overwrite=request.force, **request.file_options())
    sink.notes += [loss] if loss else []
    return sink


def _open_pipe(request: _Request) -> Sink:
    info, form = request.info, request.values.get("format") or "y4m"
    loss = ""
    if (form != "mkv" or request.tracks_from is None) and (beside := request.beside):
        advice = "" if form == "mkv" else ": --format mkv keeps those of a file"
        loss = f"stdout gets no {beside}, which {info.name} has{advice}"
    request.refuse_loss(loss)
    if form == "mkv":
        from rtfilter.sinks.file import FileSink
        from rtfilter.sinks.place import PipePlace

        place = PipePlace(taken_stdout(), ".mkv")
        sink: FileSink | PipeSink = FileSink("stdout", info, place=place, **request.file_options())
    else:
        from rtfilter.sinks.pipe import PipeSink
        from rtfilter.sources.file import FileSource

        request.refuse_compression(f"files and --format mkv: {form} is not compressed")
        if isinstance(request.source, FileSource):
            info = replace(info, fps=request.source.steady_fps)
        options = request.file_options()
        shape, strict = options["sample_aspect_ratio"], options["strict"]
        sink = PipeSink(taken_stdout(), info, raw=form == "raw", sample_aspect_ratio=shape, strict=strict)
    sink.notes += [loss] if loss else []
    return sink


def _suggest(what: str, name: str, words: tuple[str, ...]) -> None:
    """Raise UsageError when `name` looks like a mistyped word rather than a file."""
    plain = not Path(name).suffix and len(Path(name).parts) == 1
    close = difflib.get_close_matches(name, words, n=1, cutoff=0.6) if plain else []
    if close:
        raise UsageError(f"unknown {what} {name!r}: did you mean {close[0]!r}? A file needs its whole name")
