"""What is said of files that are cut off, and nothing of those that are whole but look short."""

from __future__ import annotations

import io
import struct
from fractions import Fraction
from pathlib import Path

import av
import pytest

from rtfilter.media.container import duration_s, frame_count
from rtfilter.sources.cut import stated_bytes
from rtfilter.sources.file import FileSource
from tests.clips import clip


def damage_of(path: Path) -> str | None:
    source = FileSource(path)
    while source.read() is not None:
        pass
    source.close()
    return source.damage


def avi_with_empty_chunks(path: Path) -> None:
    """Pictures at 5 a second in a file of 25: FFmpeg fills the rest with chunks of no bytes."""
    clip(path, frames=9, codec="mpeg4", time_base=Fraction(1, 25), steps=(5,), audio="libmp3lame")


@pytest.mark.parametrize("start_s", [5, 1_700_000_000])
def test_a_matroska_file_that_starts_late_is_whole(tmp_path: Path, start_s: int) -> None:
    path = tmp_path / "late.mkv"
    as_it_is = {"avoid_negative_ts": "disabled"}
    times = {"steps": (33,), "time_base": Fraction(1, 1000), "first_pts": start_s * 1000}
    clip(path, frames=20, muxer_options=as_it_is, **times)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.start_time * stream.time_base == start_s
        assert duration_s(stream) == pytest.approx(0.66, abs=0.05)
        assert frame_count(stream) == pytest.approx(20, abs=2)
    assert damage_of(path) is None


def test_an_avi_with_empty_chunks_is_whole(tmp_path: Path) -> None:
    avi_with_empty_chunks(tmp_path / "clip.avi")
    with av.open(str(tmp_path / "clip.avi")) as container:
        pictures = sum(1 for packet in container.demux(video=0) if packet.size)
        assert container.streams.video[0].frames > pictures == 9
    assert damage_of(tmp_path / "clip.avi") is None


@pytest.mark.parametrize("suffix", [".mkv", ".webm", ".mp4", ".mov", ".avi", "fragments.mp4"])
def test_a_cut_file_is_named_with_its_bytes(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"clip{suffix}"
    if suffix == ".avi":
        avi_with_empty_chunks(path)
    elif suffix == ".webm":
        clip(path, frames=40, codec="libvpx")
    else:
        flags = "+frag_keyframe" if "fragments" in suffix else "+faststart"
        muxer_options = {} if suffix == ".mkv" else {"movflags": flags}
        clip(path, frames=40, options={"g": "8"}, muxer_options=muxer_options)
    assert damage_of(path) is None
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 3 // 5])
    told = damage_of(path)
    assert f"cut off: {len(whole) * 3 // 5:,} of " in told
    stated = int(told.split(" of ")[1].split()[0].replace(",", ""))
    assert len(whole) * 3 // 5 < stated <= len(whole)


def test_a_length_that_the_writer_left_open_is_no_cut(tmp_path: Path) -> None:
    """A live stream to a pipe, as a browser or FFmpeg writes it."""

    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.data = bytearray()

        def writable(self) -> bool:
            return True

        def write(self, part) -> int:
            self.data += part
            return len(part)

    clip(tmp_path / "clip.mkv", frames=20, codec="mpeg4", time_base=Fraction(1, 30), steps=(1,))
    for format_name, suffix in (("matroska", ".mkv"), ("avi", ".avi")):
        pipe = Pipe()
        with av.open(str(tmp_path / "clip.mkv")) as source, av.open(pipe, "w", format=format_name) as target:
            copy = target.add_stream_from_template(source.streams.video[0], opaque=True)
            for packet in source.demux(video=0):
                if packet.size:
                    packet.stream = copy
                    target.mux(packet)
        (tmp_path / f"live{suffix}").write_bytes(pipe.data)
        assert damage_of(tmp_path / f"live{suffix}") is None


def test_what_is_appended_to_an_mp4_is_no_cut(tmp_path: Path) -> None:
    """Phones append their own records, which look like boxes of any length."""
    path = tmp_path / "clip.mp4"
    clip(path, frames=5)
    path.write_bytes(path.read_bytes() + struct.pack(">I", 1 << 30) + b"SEFTxyz")
    assert damage_of(path) is None
    path.write_bytes(path.read_bytes() + b"\0" * 20)
    assert stated_bytes(path, "mov,mp4") is None


@pytest.mark.parametrize("content", [b"", b"RI", b"\x00", b"\x1aE\xdf\xa3", b"\x1aE\xdf\xa3\x01", bytes(300)])
def test_any_bytes_are_survived(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "any").write_bytes(content)
    for name in ("avi", "matroska,webm", "mov,mp4", "mpegts"):
        assert stated_bytes(tmp_path / "any", name) is None
    assert stated_bytes(tmp_path / "missing", "avi") is None
