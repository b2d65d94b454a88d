"""What `--input` and `--output` name, opened as sources and sinks."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rtfilter.commands.output import refuse_existing
from rtfilter.errors import UsageError
from rtfilter.sinks.base import Sink
from rtfilter.sources.base import Source, SourceInfo

DEMO, VIRTUAL_CAMERA, NOTHING = "demo", "virtualcam", "null"
# What most conferencing programs expect of a camera, and enough for a face.
WIDTH_PX, HEIGHT_PX, FPS = 1280, 720, 30
DEMO_S = 12.0
DEMO_ZOOM = 1.45  # a face of a good quarter of the picture, as people sit before a webcam


def is_camera(name: str) -> bool:
    """Whether an input names a camera: `camera`, `camera:1`, `camera:/dev/video2`, `/dev/video2`."""
    return name == "camera" or name.startswith(("camera:", "/dev/video", "/dev/v4l/"))


def open_source(name: str, values: Mapping[str, Any], *, live: bool, duration_s: float | None) -> Source:
    """The source that `name` means: a camera, the demo, or else a file.

    values: width, height and fps to ask a camera or the demo for. live: the demo has no end.
    duration_s: of the demo when it is not live; one loop of it, 12 s, without.

    Raises UsageError, DeviceError or InputError, saying what to do.
    """
    if not name:
        raise UsageError("the input has no name; expected a file, camera:0 or demo")
    width, height = values.get("width", WIDTH_PX), values.get("height", HEIGHT_PX)
    fps = values.get("fps", FPS)
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
    if not Path(name).exists():
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", name):
            raise UsageError(f"input {name!r} is an address, expected a file; download it first")
        _suggest("input", name, (DEMO, "camera:0"))
    from rtfilter.sources.file import FileSource

    return FileSource(name)


def open_sink(name: str, values: Mapping[str, Any], source: Source, *, compare: bool, force: bool) -> Sink:
    """The sink that `name` means: the virtual camera, nothing, or else a file.

    values: codec, crf and bitrate of a file; width, height, fps and device of the virtual camera.
    A file that is made from a file gets its sound and pixel shape.

    Raises UsageError, MissingExtraError, DeviceError or OutputError, saying what to do.
    """
    info = source.info
    if compare:
        from rtfilter.sinks.compare import CompareSink, compared_info

        return CompareSink(_open_plain(name, values, source, compared_info(info), force))
    return _open_plain(name, values, source, info, force)


def _open_plain(name: str, values: Mapping[str, Any], source: Source, info: SourceInfo, force: bool) -> Sink:
    if not name:
        raise UsageError("the output has no name; expected a file, virtualcam or null")
    if name == NOTHING:
        from rtfilter.sinks.null import NullSink

        return NullSink()
    if name == VIRTUAL_CAMERA:
        from rtfilter.sinks.virtualcam import VirtualCameraSink

        width, height = values.get("width", WIDTH_PX), values.get("height", HEIGHT_PX)
        return VirtualCameraSink(width, height, float(info.fps), values.get("device"))
    if not Path(name).suffix:
        _suggest("output", name, (VIRTUAL_CAMERA, NOTHING))
    from rtfilter.sinks.containers import Quality
    from rtfilter.sinks.file import FileSink
    from rtfilter.sources.file import FileSource

    if isinstance(source, FileSource) and Path(name).exists() and Path(name).samefile(source.path):
        raise UsageError(f"{name} is both input and output; choose another output")
    refuse_existing(Path(name), force)
    codec, quality = values.get("codec"), Quality(values.get("crf"), values.get("bitrate"))
    if not isinstance(source, FileSource):
        return FileSink(name, info, codec=codec, quality=quality, overwrite=force)
    ratio = source.sample_aspect_ratio
    return FileSink(
        name,
        info,
        codec=codec,
        quality=quality,
        audio_from=source.path,
        overwrite=force,
        sample_aspect_ratio=ratio,
    )


def _suggest(what: str, name: str, words: tuple[str, ...]) -> None:
    """Raise UsageError when `name` looks like a mistyped word rather than a file."""
    plain = not Path(name).suffix and len(Path(name).parts) == 1
    close = difflib.get_close_matches(name, words, n=1, cutoff=0.6) if plain else []
    if close:
        raise UsageError(f"unknown {what} {name!r}: did you mean {close[0]!r}? A file needs its whole name")
