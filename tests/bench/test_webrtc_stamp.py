"""The stamp: every bit comes back, through real encoders too, and what is no stamp is not taken for one."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from time import perf_counter

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtfilter.bench.webrtc_camera import BLACK, WHITE, Stamp, StampArea, demo_pictures
from rtfilter.colour import planes_of
from rtfilter.controls import Controls
from rtfilter.errors import UsageError
from rtfilter.filter import FaceFilter
from rtfilter.serve.rtc.pictures import copy_of, frame_of

SIZES = [(1280, 720), (854, 480), (1920, 1080), (640, 360), (160, 160)]
ENCODERS = {
    "libvpx": {"deadline": "realtime", "cpu-used": "-6", "lag-in-frames": "0"},
    "libx264": {"preset": "ultrafast", "tune": "zerolatency"},
}


@given(value=st.integers(0, 2**64 - 1), size=st.sampled_from(SIZES))
def test_every_value_comes_back(value: int, size: tuple[int, int]) -> None:
    width, height = size
    area = StampArea(width, height)
    luma = np.full((height, width), 90, np.uint8)
    area.draw_value(luma, value)
    assert area.read_value(luma) == value


@given(
    value=st.integers(0, 2**64 - 1),
    gain=st.floats(0.6, 1.0),
    noise=st.integers(0, 40),
    seed=st.integers(0, 2**32 - 1),
)
@settings(deadline=None)
def test_a_value_outlasts_noise_and_lost_contrast(value: int, gain: float, noise: int, seed: int) -> None:
    area = StampArea(1280, 720)
    luma = np.zeros((720, 1280), np.uint8)
    area.draw_value(luma, value)
    random = np.random.default_rng(seed).normal(0.0, noise, luma.shape)
    worn = np.clip(125.5 + gain * (luma - 125.5) + random, 0, 255).astype(np.uint8)
    assert area.read_value(worn) == value


@given(value=st.integers(0, 2**64 - 1), wrong=st.integers(0, 79))
def test_one_wrong_block_is_noticed(value: int, wrong: int) -> None:
    area = StampArea(1280, 720)
    luma = np.zeros((720, 1280), np.uint8)
    area.draw_value(luma, value)
    block = luma[704:720, 16 * wrong : 16 * wrong + 16]
    block[...] = BLACK if block[0, 0] == WHITE else WHITE
    assert area.read_value(luma) is None


@pytest.mark.parametrize("level", [0, BLACK, 128, WHITE, 255])
def test_a_plain_strip_is_no_stamp(level: int) -> None:
    assert StampArea(1280, 720).read_value(np.full((720, 1280), level, np.uint8)) is None


def test_a_stamp_touches_its_own_strip_only() -> None:
    picture = demo_pictures(1280, 720, 1)[0]
    stamped = copy_of(picture)
    area = StampArea(1280, 720)
    area.draw(stamped, Stamp(7, 1234))
    assert area.read(stamped) == Stamp(7, 1234)
    for before, after, rows in zip(planes_of(picture), planes_of(stamped), (704, 352, 352), strict=True):
        assert np.array_equal(before[:rows], after[:rows])
    for plane in planes_of(stamped)[1:]:
        assert np.all(plane[352:] == 128)


@pytest.mark.parametrize("size", [(8, 8), (64, 64), (1280, 15)])
def test_a_picture_without_room_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(UsageError, match="does not fit"):
        StampArea(*size)


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("bit_rate", [500_000, 1_500_000, 3_000_000])
def test_stamps_survive_real_encoders_on_moving_pictures(encoder: str, bit_rate: int) -> None:
    area = StampArea(1280, 720)
    pictures = demo_pictures(1280, 720, 12)
    sent = [Stamp(number, 33_333 * number + 5) for number in range(24)]
    stamped = []
    for number, stamp in enumerate(sent):
        picture = copy_of(pictures[number % len(pictures)])
        area.draw(picture, stamp)
        picture.pts, picture.time_base = number, Fraction(1, 30)
        stamped.append(picture)
    assert [area.read(picture) for picture in through(encoder, bit_rate, stamped)] == sent


def test_the_filter_leaves_the_strip_alone() -> None:
    area = StampArea(1280, 720)
    face_filter = FaceFilter()
    try:
        for number, picture in enumerate(demo_pictures(1280, 720, 6)):
            area.draw(picture, Stamp(number, 0))
            picture.pts, picture.time_base = number, Fraction(1, 30)
            result, _ = face_filter.step(
                frame_of(picture, 0, number), Controls(emotions={"happy": 1.0}, smoothing=0.0)
            )
        assert result.changed is not None
        assert result.changed.y1 <= area.luma[0].start
    finally:
        face_filter.close()


def test_drawing_and_reading_cost_nothing_that_a_benchmark_would_see() -> None:
    area = StampArea(1280, 720)
    picture = av.VideoFrame(1280, 720, "yuv420p")
    took_s = []
    for number in range(200):
        start = perf_counter()
        area.draw(picture, Stamp(number, number))
        area.read(picture)
        took_s.append(perf_counter() - start)
    # 0.1 ms measured; the fastest of many, since the machine may be busy with others.
    assert min(took_s) < 1e-3


def through(encoder: str, bit_rate: int, pictures: Iterable[av.VideoFrame]) -> list[av.VideoFrame]:
    """`pictures` after encoding and decoding, for a live stream."""
    writer = av.CodecContext.create(encoder, "w")
    assert isinstance(writer, av.VideoCodecContext)
    writer.width, writer.height, writer.pix_fmt = 1280, 720, "yuv420p"
    writer.bit_rate, writer.time_base, writer.framerate = bit_rate, Fraction(1, 30), Fraction(30)
    writer.options = ENCODERS[encoder]
    reader = av.CodecContext.create("libvpx" if encoder == "libvpx" else "h264", "r")
    assert isinstance(reader, av.VideoCodecContext)
    packets = [packet for picture in [*pictures, None] for packet in writer.encode(picture)]
    return [picture for packet in [*packets, None] for picture in reader.decode(packet)]
