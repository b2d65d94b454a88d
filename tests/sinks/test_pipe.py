"""What a pipe has of its source: every bit that Y4M can have, and its fields."""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path

import av
import numpy as np
import pytest

from rtfilter.errors import OutputError
from rtfilter.frame import Frame
from rtfilter.media.depth import words_of
from rtfilter.sinks.pipe import PipeSink
from rtfilter.sources.file import FileSource
from tests.media.test_depth import BOX, brighter, deep_clip, first_field, interlaced_clip


def piped(path: Path, step=Frame.unchanged, **options) -> tuple[bytes, list[str]]:
    """What comes out of a pipe, and the notes."""
    reading, writing = os.pipe()
    got: list[bytes] = []
    with os.fdopen(reading, "rb") as reader:
        thread = threading.Thread(target=lambda: got.append(reader.read()))
        thread.start()
        source = FileSource(path)
        sink = PipeSink(writing, source.info, **{"raw": False, **options})
        while (frame := source.read()) is not None:
            sink.write(step(frame))
        sink.close(complete=True)
        source.close()
        os.close(writing)
        thread.join(30)
    return got[0], sink.notes


def decoded(data: bytes) -> list[av.VideoFrame]:
    with av.open(io.BytesIO(data)) as container:
        return list(container.decode(video=0))


@pytest.mark.parametrize("family", ["yuv420p", "yuv422p", "yuv444p"])
@pytest.mark.parametrize("bits", [9, 10, 12, 16])
def test_y4m_has_every_bit_of_its_source(tmp_path: Path, family: str, bits: int) -> None:
    """They became 8, without a word."""
    path = tmp_path / "in.mkv"
    wanted = deep_clip(path, f"{family}{bits}le", size=(62, 46))
    data, notes = piped(path)
    assert notes == []
    pictures = decoded(data)
    assert [picture.format.name for picture in pictures] == [f"{family}{bits}le"] * len(wanted)
    for picture, words in zip(pictures, wanted, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(words_of(picture), words, strict=True))


def test_an_edit_is_in_the_pipe_and_the_bits_around_it_too(tmp_path: Path) -> None:
    path = tmp_path / "in.mkv"
    wanted = deep_clip(path, "yuv420p10le")
    pictures = decoded(piped(path, brighter)[0])
    luma, before = words_of(pictures[0])[0].astype(int), wanted[0][0].astype(int)
    inside = (slice(BOX.y0, BOX.y1), slice(BOX.x0, BOX.x1))
    assert np.median(luma[inside] - before[inside]) == pytest.approx(80, abs=4)
    luma[inside] = before[inside] = 0
    assert np.array_equal(luma, before)


@pytest.mark.parametrize(("pix_fmt", "raw"), [("gbrp10le", False), ("yuv420p10le", True)])
def test_what_a_pipe_has_in_8_bits_is_told(tmp_path: Path, pix_fmt: str, raw: bool) -> None:
    deep_clip(tmp_path / "in.mkv", pix_fmt)
    _, notes = piped(tmp_path / "in.mkv", raw=raw)
    assert notes == ["stdout: 10 bits a sample become 8 (--format mkv --codec ffv1 keeps them)"]
    source = FileSource(tmp_path / "in.mkv")
    frame = source.read()
    assert frame is not None
    with pytest.raises(OutputError, match=r"become 8 .*--strict refuses"):
        PipeSink(-1, source.info, raw=raw, strict=True).write(frame)
    source.close()


@pytest.mark.parametrize("field", ["tff", "bff"])
def test_fields_are_named(tmp_path: Path, field: str) -> None:
    """It said that all pictures were progressive."""
    interlaced_clip(tmp_path / "in.ts", "mpeg2video", field)
    data, _ = piped(tmp_path / "in.ts")
    assert f" I{field[0]} ".encode() in data.splitlines()[0]
    pictures = decoded(data)
    assert all(picture.interlaced_frame for picture in pictures)
    assert (first_field(pictures[0]) < 90) == (field == "tff")
