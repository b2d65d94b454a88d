"""Keyframes and sizes read from encoded pictures, against what real encoders made them."""

from __future__ import annotations

from fractions import Fraction

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtfilter.serve.rtc.bitstream import coded_size, is_keyframe
from tests.serve.packets import picture

CODECS = {"libvpx": "VP8", "libx264": "H264"}


def encoded(encoder: str, width: int, height: int, **options: str) -> list[tuple[bool, bytes]]:
    """Eight pictures with a keyframe every third: (keyframe, data)."""
    context = av.CodecContext.create(encoder, "w")
    context.width, context.height, context.pix_fmt = width, height, options.pop("pix_fmt", "yuv420p")
    context.time_base, context.framerate, context.gop_size = Fraction(1, 90000), Fraction(30), 3
    context.max_b_frames = 0
    context.options = options
    packets = []
    for index in range(8):
        packets += context.encode(picture(index, width, height))
    return [(packet.is_keyframe, bytes(packet)) for packet in packets + context.encode(None)]


@pytest.mark.parametrize("encoder", CODECS)
def test_keyframes_are_distinguished(encoder: str) -> None:
    # x264 would take every noisy picture for a new scene.
    options = {"sc_threshold": "0"} if encoder == "libx264" else {}
    frames = encoded(encoder, 320, 240, **options)
    assert {key for key, _ in frames} == {True, False}
    assert [is_keyframe(CODECS[encoder], data) for _, data in frames] == [key for key, _ in frames]


def test_every_frame_of_another_codec_can_be_started_with() -> None:
    assert is_keyframe("opus", b"")
    assert coded_size("opus", b"\x00" * 20) is None


@pytest.mark.parametrize("size", [(320, 240), (1280, 720), (1920, 1080), (242, 162)])
def test_the_size_of_vp8(size: tuple[int, int]) -> None:
    frames = encoded("libvpx", *size, **{"deadline": "realtime", "cpu-used": "8"})
    assert [coded_size("VP8", data) for _, data in frames] == [size if key else None for key, _ in frames]


@pytest.mark.parametrize(
    "options",
    [
        {"profile": "baseline"},
        {"profile": "high"},
        {"profile": "high444", "pix_fmt": "yuv444p"},
        {"profile": "high", "x264-params": "cqm=jvt"},
        {"profile": "main", "flags": "+ildct+ilme"},
    ],
    ids=["baseline", "high", "444", "scaling lists", "interlaced"],
)
@pytest.mark.parametrize("size", [(320, 240), (1280, 720), (1920, 1080)])
def test_the_size_of_h264_in_whole_macroblocks(size: tuple[int, int], options: dict[str, str]) -> None:
    frames = encoded("libx264", *size, preset="ultrafast", **options)
    rows = 32 if "flags" in options else 16
    coded = (-(-size[0] // 16) * 16, -(-size[1] // rows) * rows)
    assert [coded_size("H264", data) for _, data in frames] == [coded if key else None for key, _ in frames]


@given(codec=st.sampled_from(["VP8", "H264"]), data=st.binary(max_size=80))
def test_damaged_data_is_no_error(codec: str, data: bytes) -> None:
    for probe in (
        data,
        b"\x00\x00\x01\x67" + data,
        b"\x00\x00\x00\x01\x67\x64" + data,
        b"\x10\x00\x00\x9d\x01\x2a" + data,
    ):
        size = coded_size(codec, probe)
        is_keyframe(codec, probe)
        assert size is None or min(size) >= 0


def test_a_parameter_set_cut_short_has_no_size() -> None:
    data = next(data for key, data in encoded("libx264", 320, 240, preset="ultrafast") if key)
    start = data.index(b"\x67")
    assert coded_size("H264", data[: start + 4]) is None
