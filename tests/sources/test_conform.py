"""A size that changes in the middle: everything is shown, in the first size, proportions and colours kept."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from rtfilter.sinks.file import FileSink
from rtfilter.sources.file import FileSource
from tests.clips import clip


def changing(path: Path, sizes: list[tuple[int, int]], tags: tuple[int, int] = (2, 0)) -> Path:
    """Eight pictures of each size, of one colour, as a browser's recorder writes them: one WebM."""
    with av.open(str(path), "w", format="webm") as container:
        stream = container.add_stream("libvpx", rate=25)
        stream.width, stream.height = sizes[0]
        pts, base = 0, stream.codec_context
        base.time_base = Fraction(1, 25)
        for number, (width, height) in enumerate(sizes):
            encoder = base if number == 0 else av.CodecContext.create("libvpx", "w")
            if number:
                encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
                encoder.time_base, encoder.framerate = Fraction(1, 25), Fraction(25)
            for _ in range(8):
                picture = av.VideoFrame(width, height, "yuv420p")
                for plane, value in zip(picture.planes, (150, 110, 160), strict=True):
                    plane.update(bytes([value]) * plane.buffer_size)
                picture.colorspace, picture.color_range = tags
                picture.pts, picture.time_base = pts, encoder.time_base
                pts += 1
                for packet in encoder.encode(picture):
                    packet.stream = stream
                    container.mux(packet)
            for packet in encoder.encode(None):
                packet.stream = stream
                container.mux(packet)
    return path


def read(path: Path) -> tuple[FileSource, list]:
    source, frames = FileSource(path), []
    while (frame := source.read()) is not None:
        frames.append(frame)
    return source, frames


@pytest.mark.parametrize("second", [(64, 48), (320, 240), (130, 98)], ids=str)
def test_other_sizes_become_the_first(tmp_path: Path, second: tuple[int, int]) -> None:
    path = changing(tmp_path / "in.webm", [(160, 120), second, (160, 120)])
    source, frames = read(path)
    assert [(frame.width, frame.height) for frame in frames] == [(160, 120)] * 24
    colour = np.median(frames[0].rgb.reshape(-1, 3), axis=0)
    for frame in frames:
        assert np.abs(frame.rgb[20:100, 20:140].astype(int) - colour).max() <= 3
    assert source.notes == [
        f"{path}: the size changes to {second[0]}x{second[1]} at 0.32 s: scaled to 160x120"
    ]


@pytest.mark.parametrize("tags", [(1, 1), (5, 1), (1, 2)], ids=str)
def test_a_phone_that_is_turned_keeps_its_proportions_and_colours(tmp_path, tags) -> None:
    _, frames = read(changing(tmp_path / "in.webm", [(160, 120), (120, 160)], tags))
    first, turned = frames[0].rgb, frames[-1].rgb
    assert np.abs(turned[20:100, 45:115].astype(int) - first[20:100, 45:115]).max() <= 3
    assert turned[:, :30].max() < 20
    assert turned[:, -30:].max() < 20


def test_nothing_is_lost_on_the_way_to_a_file(tmp_path: Path) -> None:
    """The whole job failed before: "frame 8 is 64x48, expected 160x120"."""
    path = changing(tmp_path / "in.webm", [(160, 120), (64, 48)])
    source = FileSource(path)
    sink = FileSink(tmp_path / "out.mp4", source.info, tracks_from=path)
    while (frame := source.read()) is not None:
        sink.write(frame.unchanged())
    sink.close(complete=True)
    _, frames = read(tmp_path / "out.mp4")
    assert [(frame.width, frame.height) for frame in frames] == [(160, 120)] * 16


def test_another_pixel_format_becomes_the_first(tmp_path: Path) -> None:
    for name, pix_fmt in (("one", "yuv420p"), ("two", "yuv444p")):
        clip(tmp_path / f"{name}.ts", pix_fmt=pix_fmt, steps=(3000,))
    path = tmp_path / "joined.ts"
    path.write_bytes((tmp_path / "one.ts").read_bytes() + (tmp_path / "two.ts").read_bytes())
    source, frames = read(path)
    assert {frame.native.format.name for frame in frames} == {"yuv420p"}
    assert len(frames) == 24
    assert "the pixel format changes to yuv444p" in source.notes[1]
