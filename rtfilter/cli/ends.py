"""What `--input` and `--output` name, opened as sources and sinks."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import replace
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
    """Whether an input names a camera: `camera`, `camera:1`, `camera:/dev/video2`, `/dev/video2`; and `1`,
    where there is no file of that name.
    """
    if re.fullmatch(r"\d{1,3}", name):
        return not Path(name).exists()
    return name == "camera" or name.startswith(("camera:", "/dev/video", "/dev/v4l/"))


def open_source(name: str, values: Mapping[str, Any], *, live: bool, duration_s: float | None) -> Source:
    """The source that `name` means: a camera, the demo, stdin, an address, or else a file.

    values: width, height and fps to ask a camera or the demo for. live: the demo has no end.
    duration_s: of the demo when it is not live; one loop of it, 12 s, without.

    Raises UsageError, DeviceError or InputError, saying what to do.
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
    """The sink that `name` means: the virtual camera, nothing, or else a file.

    values: codec, crf and bitrate of a file (codec_asked: False for a codec of the settings, which gives way
    where it does not fit); width, height, fps and device of the virtual camera.
    A file that is made from a file gets its sound and pixel shape.

    Raises UsageError, MissingExtraError, DeviceError or OutputError, saying what to do.
    """
    info = source.info
    if compare:
        from rtfilter.sinks.compare import CompareSink, compared_info

        return CompareSink(_open_fitting(name, values, source, compared_info(info), force))
    return _open_fitting(name, values, source, info, force)


def _open_fitting(
    name: str, values: Mapping[str, Any], source: Source, info: SourceInfo, force: bool
) -> Sink:
    """As `_open_plain`; a codec of the settings gives way where it is of no use."""
    if values.get("codec") is None or values.get("codec_asked", True):
        return _open_plain(name, values, source, info, force)
    from rtfilter.sinks.codecs import Quality, codec_of_settings
    from rtfilter.sinks.file import FileSink

    codec, told = None, None
    suffix = f".{values.get('format') or 'y4m'}" if name == PIPE else Path(name).suffix.lower()
    # Pictures, y4m and raw have none, as virtualcam and null.
    if suffix not in ("", ".y4m", ".raw", *IMAGE_SUFFIXES):
        quality = Quality(values.get("crf"), values.get("bitrate"))
        codec, told = codec_of_settings(suffix, values["codec"], quality, shown_name(name))
    sink = _open_plain(name, {**values, "codec": codec}, source, info, force)
    if told is not None and isinstance(sink, FileSink):
        sink.notes.append(told)
    return sink


def _open_plain(name: str, values: Mapping[str, Any], source: Source, info: SourceInfo, force: bool) -> Sink:
    if not name:
        raise UsageError("the output has no name; expected a file, virtualcam, null, or - for stdout")
    if name == NOTHING:
        from rtfilter.sinks.base import NullSink

        return NullSink()
    if name == VIRTUAL_CAMERA:
        from rtfilter.sinks.virtualcam import VirtualCameraSink

        width, height = values.get("width", WIDTH_PX), values.get("height", HEIGHT_PX)
        return VirtualCameraSink(width, height, float(info.fps), values.get("device"))
    from rtfilter.sinks.codecs import VIDEO_SUFFIXES, Quality
    from rtfilter.sinks.file import FileSink
    from rtfilter.sources.file import FileSource

    quality = Quality(values.get("crf"), values.get("bitrate"))
    options: dict[str, Any] = {"codec": values.get("codec"), "quality": quality}
    options["strict"] = bool(values.get("strict"))
    options["sample_aspect_ratio"] = getattr(source, "sample_aspect_ratio", Fraction(1))
    if isinstance(source, FileSource):
        if source.rereadable:
            options["tracks_from"] = source.path
        options["part_s"] = values.get("part_s")
    # What is kept by reading the source once more, as only a file can be.
    beside = [*getattr(source, "other_tracks", ()), *getattr(source, "labels", ())]
    if name == PIPE:
        return _open_pipe(source, info, values, options, beside)
    if values.get("format") is not None:
        raise UsageError("--format is for -o -; a file's suffix tells its format")
    if not Path(name).suffix:
        _suggest("output", name, (VIRTUAL_CAMERA, NOTHING))
    if "tracks_from" in options and Path(name).exists() and Path(name).samefile(options["tracks_from"]):
        raise UsageError(f"{name} is both input and output; choose another output")
    refuse_existing(Path(name), force)
    if Path(name).suffix.lower() in IMAGE_SUFFIXES:
        return _open_image(name, info, values, options, force)
    if info.frame_count == 1 and Path(name).suffix.lower() not in VIDEO_SUFFIXES:
        raise UsageError(
            f"{name}: suffix {Path(name).suffix!r} is none of {', '.join(IMAGE_SUFFIXES)}, nor of a video "
            f"({', '.join(VIDEO_SUFFIXES)}): name the output like face.png"
        )
    if isinstance(source, FileSource) and Path(name).suffix.lower() == ".avi":
        info = replace(info, fps=source.fine_fps)
    lacks = bool(beside) and "tracks_from" not in options
    lacking = f"{name} has no {_listed(beside)}: those of {info.name} cannot be read beside its pictures"
    _refuse_loss(lacking, lacks and options["strict"])
    sink = FileSink(name, info, overwrite=force, **options)
    if lacks:
        sink.notes.append(lacking)
    return sink


def _open_image(
    name: str, info: SourceInfo, values: Mapping[str, Any], options: dict[str, Any], force: bool
) -> Sink:
    from rtfilter.sinks.image import ImageSink

    for option in ("codec", "crf", "bitrate"):
        if values.get(option) is not None:
            raise UsageError(f"--{option} is for video; {name} is a picture")
    made_from, strict = options.get("tracks_from"), options["strict"]
    return ImageSink(name, info, made_from=made_from, strict=strict, overwrite=force)


def _refuse_loss(what: str, refused: bool) -> None:
    """Raise OutputError for what --strict forbids."""
    if refused:
        raise OutputError(f"{what}; --strict refuses that: leave it away, or name a file")


def _open_pipe(
    source: Source, info: SourceInfo, values: Mapping[str, Any], options: dict[str, Any], beside: list[str]
) -> Sink:
    form = values.get("format") or "y4m"
    lacks = bool(beside) and (form != "mkv" or "tracks_from" not in options)
    advice = "" if form == "mkv" else ": --format mkv keeps those of a file"
    lacking = f"stdout gets no {_listed(beside)}, which {info.name} has{advice}"
    _refuse_loss(lacking, lacks and options["strict"])
    if form == "mkv":
        from rtfilter.sinks.file import FileSink
        from rtfilter.sinks.place import PipePlace

        place = PipePlace(taken_stdout(), ".mkv")
        sink: FileSink | PipeSink = FileSink("stdout", info, place=place, **options)
    else:
        from rtfilter.sinks.pipe import PipeSink
        from rtfilter.sources.file import FileSource

        for option in ("codec", "crf", "bitrate"):
            if values.get(option) is not None:
                raise UsageError(f"--{option} is for files and --format mkv: {form} is not compressed")
        if isinstance(source, FileSource):
            info = replace(info, fps=source.steady_fps)
        sink = PipeSink(
            taken_stdout(),
            info,
            raw=form == "raw",
            sample_aspect_ratio=options["sample_aspect_ratio"],
            strict=options["strict"],
        )
    if lacks:
        sink.notes.append(lacking)
    return sink


def _listed(names: list[str]) -> str:
    return ", no ".join(names)


def _suggest(what: str, name: str, words: tuple[str, ...]) -> None:
    """Raise UsageError when `name` looks like a mistyped word rather than a file."""
    plain = not Path(name).suffix and len(Path(name).parts) == 1
    close = difflib.get_close_matches(name, words, n=1, cutoff=0.6) if plain else []
    if close:
        raise UsageError(f"unknown {what} {name!r}: did you mean {close[0]!r}? A file needs its whole name")
