"""Pictures that carry side data which PyAV has no name for: read like any other, and turned upright."""

from __future__ import annotations

import struct
import subprocess
import sys
import textwrap
import zlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from rtfilter.media.side_data import side_data
from rtfilter.sources.file import FileSource
from tests.clips import clip

# EXIF orientation -> where the red top left corner of the stored picture is shown.
SHOWN = {
    1: "top left",
    2: "top right",
    3: "bottom right",
    4: "bottom left",
    5: "top left",
    6: "top right",
    7: "bottom right",
    8: "bottom left",
}


def exif_of(orientation: int) -> bytes:
    """A little-endian TIFF block with the orientation and, as of a phone, the maker's name."""
    maker = b"Phone\0"
    entries = struct.pack("<HHII", 0x010F, 2, len(maker), 38) + struct.pack(
        "<HHIHH", 0x0112, 3, 1, orientation, 0
    )
    return b"II*\0" + struct.pack("<IH", 8, 2) + entries + struct.pack("<I", 0) + maker


def stored_rgb() -> np.ndarray:
    rgb = np.full((48, 64, 3), 90, np.uint8)
    rgb[:16, :16] = (250, 10, 10)
    return rgb


def encoded(codec: str, pix_fmt: str) -> bytes:
    context = av.CodecContext.create(codec, "w")
    context.width, context.height, context.pix_fmt = 64, 48, pix_fmt
    context.time_base = Fraction(1, 25)
    if codec == "mjpeg":
        context.color_range = 2
    picture = av.VideoFrame.from_ndarray(stored_rgb()).reformat(format=pix_fmt)
    return b"".join(bytes(packet) for packet in [*context.encode(picture), *context.encode(None)])


def jpeg(orientation: int) -> bytes:
    picture, block = encoded("mjpeg", "yuvj444p"), b"Exif\0\0" + exif_of(orientation)
    return picture[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + picture[2:]


def webp(orientation: int) -> bytes:
    picture, exif = encoded("libwebp", "yuv420p"), exif_of(orientation)
    body = picture[picture.index(b"VP8") :] if picture[:4] == b"RIFF" else picture
    extended = (
        b"VP8X"
        + struct.pack("<IBBBB", 10, 0x08, 0, 0, 0)
        + struct.pack("<I", 63)[:3]
        + struct.pack("<I", 47)[:3]
    )
    chunks = b"WEBP" + extended + body + b"EXIF" + struct.pack("<I", len(exif)) + exif
    return b"RIFF" + struct.pack("<I", len(chunks)) + chunks


def png(orientation: int) -> bytes:
    picture, exif = encoded("png", "rgb24"), exif_of(orientation)
    chunk = struct.pack(">I", len(exif)) + b"eXIf" + exif + struct.pack(">I", zlib.crc32(b"eXIf" + exif))
    after_header = 8 + 25
    return picture[:after_header] + chunk + picture[after_header:]


def shown_corner(rgb: np.ndarray) -> str:
    rows, columns = np.nonzero((rgb[..., 0] > 180) & (rgb[..., 1] < 70))
    side = "left" if columns.mean() < rgb.shape[1] / 2 else "right"
    return f"{'top' if rows.mean() < rgb.shape[0] / 2 else 'bottom'} {side}"


@pytest.mark.parametrize("orientation", SHOWN)
@pytest.mark.parametrize(("suffix", "made"), [(".jpg", jpeg), (".webp", webp), (".png", png)])
def test_a_photo_with_exif_is_read_upright(tmp_path: Path, suffix: str, made, orientation: int) -> None:
    (tmp_path / f"photo{suffix}").write_bytes(made(orientation))
    frame = FileSource(tmp_path / f"photo{suffix}").read()
    assert shown_corner(frame.rgb) == SHOWN[orientation]
    assert (frame.width, frame.height) == ((64, 48) if orientation < 5 else (48, 64))


@pytest.mark.parametrize("suffix", [".mjpeg", ".avi", ".mkv"])
def test_mjpeg_with_exif_in_every_picture(tmp_path: Path, suffix: str) -> None:
    raw = tmp_path / "raw.mjpeg"
    raw.write_bytes(jpeg(6) * 5)
    path = tmp_path / f"clip{suffix}"
    if suffix != ".mjpeg":
        with av.open(str(raw)) as source, av.open(str(path), "w") as target:
            copy = target.add_stream_from_template(source.streams.video[0], opaque=True)
            for packet in source.demux():
                if packet.size:
                    packet.stream = copy
                    target.mux(packet)
    source = FileSource(path if suffix != ".mjpeg" else raw)
    frames = []
    while (frame := source.read()) is not None:
        frames.append(frame)
    assert len(frames) == 5
    assert {shown_corner(frame.rgb) for frame in frames} == {"top right"}
    assert source.damage is None


def test_side_data_is_read_by_name(tmp_path: Path) -> None:
    clip(tmp_path / "turned.mp4", frames=1, rotation=(90, False))
    (tmp_path / "photo.jpg").write_bytes(jpeg(6))
    for name in ("turned.mp4", "photo.jpg"):
        with av.open(str(tmp_path / name)) as container:
            picture = next(container.decode(video=0))
            assert len(side_data(picture, "DISPLAYMATRIX") or b"") == 36
            assert side_data(picture, "MASTERING_DISPLAY_METADATA") is None


def test_pyav_is_left_alone_until_it_refuses(tmp_path: Path) -> None:
    """No import of ours changes a library that a user's program may use itself."""
    program = """
        import rtfilter.sources.file
        from av.sidedata.sidedata import Type
        try:
            Type(9999)
        except ValueError:
            print("untouched")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.strip() == "untouched"
