"""The encoders of a tuned sender: rates, times, sizes, keyframes, and negotiation."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpSender
from aiortc.codecs import depayload
from aiortc.mediastreams import AudioStreamTrack
from aiortc.rtcrtptransceiver import RTCRtpTransceiver

from rtfilter.errors import UsageError
from rtfilter.serve.rtc.bitstream import is_keyframe, nal_starts
from rtfilter.serve.rtc.encoders import (
    DOWN_AFTER_S,
    FLOOR_BPS,
    UP_AFTER_S,
    PictureEncoder,
    PromptH264Encoder,
    PromptVp8Encoder,
    level_for,
)
from rtfilter.serve.rtc.tuning import prefer_codec, tune_sender
from tests.serve.loopback import NumberedTrack, joined, received
from tests.serve.packets import CODECS, TICKS, picture

RATE_BPS = 1_000_000


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def vp8(bitrate_bps: int = RATE_BPS) -> PictureEncoder:
    return PromptVp8Encoder(bitrate_bps)


def h264(bitrate_bps: int = RATE_BPS) -> PictureEncoder:
    return PromptH264Encoder(bitrate_bps)


BOTH = pytest.mark.parametrize(
    ("make", "codec"), [pytest.param(vp8, "VP8", id="vp8"), pytest.param(h264, "H264", id="h264")]
)
Make = Callable[..., PictureEncoder]


def joined_data(codec: str, payloads: list[bytes]) -> bytes:
    """What the receiver's jitter buffer makes of these payloads."""
    return b"".join(depayload(CODECS[codec], payload) for payload in payloads)


def decoded(codec: str, frames: list[bytes]) -> list[av.VideoFrame]:
    context = av.CodecContext.create("libvpx" if codec == "VP8" else "h264", "r")
    out: list[av.VideoFrame] = []
    for index, data in enumerate(frames):
        packet = av.Packet(data)
        packet.pts = index
        out += context.decode(packet)
    return out + (context.decode(None) if codec == "H264" else [])


def run(encoder: PictureEncoder, codec: str, pictures: range) -> list[bytes]:
    return [joined_data(codec, encoder.encode(picture(index))[0]) for index in pictures]


@BOTH
def test_a_picture_survives(make: Make, codec: str) -> None:
    encoder = make(4_000_000)
    frames = run(encoder, codec, range(12))
    got = decoded(codec, frames)
    assert len(got) == 12
    difference = got[-1].to_ndarray().astype(float)[:240] - picture(11).to_ndarray()[:240]
    assert np.sqrt(np.mean(difference**2)) < 12.0
    assert [is_keyframe(codec, data) for data in frames] == [True] + 11 * [False]


@BOTH
def test_no_payload_is_larger_than_what_fits_a_packet(make: Make, codec: str) -> None:
    encoder = make(4_000_000)
    for index in range(4):
        assert max(map(len, encoder.encode(picture(index, 640, 480))[0])) <= 1300


@BOTH
def test_it_starts_at_the_configured_rate_and_keeps_to_it(make: Make, codec: str) -> None:
    encoder = make()
    sizes = [len(data) for data in run(encoder, codec, range(90))]
    assert encoder.target_bitrate == RATE_BPS
    assert np.mean(sizes[30:]) * 8 * 30 == pytest.approx(RATE_BPS, rel=0.25)


@BOTH
def test_the_rate_stays_between_floor_and_ceiling(make: Make, codec: str) -> None:
    encoder = make()
    for rate, got in ((10, FLOOR_BPS), (600_000, 600_000), (9_000_000, RATE_BPS)):
        encoder.target_bitrate = rate
        assert encoder.target_bitrate == got
    modest = make(200_000)
    modest.target_bitrate = 10
    assert modest.target_bitrate == 200_000


def test_h264_takes_a_new_rate_over_without_a_keyframe() -> None:
    encoder = h264()
    run(encoder, "H264", range(30))
    encoder.target_bitrate = RATE_BPS // 2
    frames = run(encoder, "H264", range(30, 120))
    assert encoder.opened == 1
    assert not any(is_keyframe("H264", data) for data in frames)
    assert np.mean([len(data) for data in frames[45:]]) * 8 * 30 == pytest.approx(RATE_BPS / 2, rel=0.25)


def test_vp8_starts_anew_only_for_a_change_that_matters() -> None:
    clock = Clock()
    encoder = PromptVp8Encoder(RATE_BPS, clock)
    rates = [1_000_000, 700_000, 950_000, 850_000, 700_000, 500_000, 750_000, 1_000_000]
    after_s = [0.0, 0.1, DOWN_AFTER_S, 0.1, 0.1, 0.1, 0.1, 0.1]
    started = []
    for index, (rate, wait_s) in enumerate(zip(rates, after_s, strict=True)):
        clock.now_s += wait_s
        encoder.target_bitrate = rate
        encoder.encode(picture(index))
        started.append(encoder.opened)
    assert started == [1, 1, 1, 1, 2, 2, 2, 2], "down where it matters, once a second; up is for later"
    clock.now_s += UP_AFTER_S + 0.1
    data = joined_data("VP8", encoder.encode(picture(len(rates)))[0])
    assert encoder.opened == 3
    assert is_keyframe("VP8", data)


@BOTH
def test_a_keyframe_on_request_leaves_the_picture_alone(make: Make, codec: str) -> None:
    """The same picture may be at another sender's encoder, or be shown."""
    encoder = make()
    run(encoder, codec, range(3))
    wanted = picture(3)
    data = joined_data(codec, encoder.encode(wanted, force_keyframe=True)[0])
    assert is_keyframe(codec, data)
    assert wanted.pict_type == av.video.frame.PictureType.NONE
    assert (wanted.pts, wanted.time_base) == (3 * TICKS, Fraction(1, 90000))
    assert not is_keyframe(codec, run(encoder, codec, range(4, 5))[0])
    assert encoder.opened == 1


@BOTH
def test_a_picture_that_came_as_a_keyframe_is_not_sent_as_one(make: Make, codec: str) -> None:
    encoder = make()
    run(encoder, codec, range(3))
    came = picture(3)
    came.pict_type = av.video.frame.PictureType.I
    assert not is_keyframe(codec, joined_data(codec, encoder.encode(came)[0]))


@BOTH
@pytest.mark.parametrize("time_base", [Fraction(1, 90000), Fraction(1, 1000), Fraction(1, 30)], ids=str)
def test_times_are_kept_to_the_tick(make: Make, codec: str, time_base: Fraction) -> None:
    encoder = make()
    given = [0, 7, 8, 9, 31]
    times = []
    for pts in given:
        frame = picture(pts)
        frame.pts, frame.time_base = pts, time_base
        payloads, time = encoder.encode(frame)
        times.append(time)
        assert payloads
        assert (frame.pts, frame.time_base) == (pts, time_base)
    assert times == [int(pts * time_base * 90000) for pts in given]


@BOTH
def test_the_same_time_twice_is_sent_once_and_no_request_is_forgotten(make: Make, codec: str) -> None:
    encoder = make()
    run(encoder, codec, range(2))
    assert encoder.encode(picture(1), force_keyframe=True)[0] == []
    assert is_keyframe(codec, run(encoder, codec, range(2, 3))[0])


@BOTH
def test_time_that_jumps_back_starts_anew(make: Make, codec: str) -> None:
    encoder = make()
    run(encoder, codec, range(50, 53))
    frames = run(encoder, codec, range(3))
    assert [is_keyframe(codec, data) for data in frames] == [True, False, False]
    assert encoder.opened == 2


@BOTH
@pytest.mark.parametrize("size", [(322, 242), (321, 240), (320, 241), (321, 241)])
def test_odd_sizes_are_encoded(make: Make, codec: str, size: tuple[int, int]) -> None:
    encoder = make()
    width, height = size
    frames = []
    for index in range(3):
        frame = picture(index, 322, 242)
        if size != (322, 242):
            frame = av.VideoFrame.from_ndarray(
                frame.to_ndarray(format="rgb24")[:height, :width], format="rgb24"
            )
            frame = frame.reformat(format="yuv420p")
            frame.pts, frame.time_base = index * TICKS, Fraction(1, 90000)
        frames.append(joined_data(codec, encoder.encode(frame, force_keyframe=index == 2)[0]))
    got = decoded(codec, frames)
    assert [is_keyframe(codec, data) for data in frames] == [True, False, True]
    assert encoder.opened == 1
    assert all(abs(one.width - width) <= 1 and abs(one.height - height) <= 1 for one in got)
    # No stripe along the edge, where a crop by the wrong stride would show.
    expected = frame.to_ndarray(format="gray")[: got[-1].height, : got[-1].width].astype(float)
    difference = got[-1].to_ndarray(format="gray").astype(float) - expected
    assert np.abs(difference[:, -8:]).mean() < 2 * np.abs(difference).mean() + 2


@BOTH
@pytest.mark.parametrize("format_", ["rgb24", "yuvj420p", "nv12", "yuv422p"])
def test_other_formats_are_taken(make: Make, codec: str, format_: str) -> None:
    encoder = make()
    for index in range(2):
        frame = picture(index).reformat(format=format_)
        frame.pts, frame.time_base = index * TICKS, Fraction(1, 90000)
        payloads, time = encoder.encode(frame)
        assert payloads
        assert time == index * TICKS
    assert encoder.opened == 1


@BOTH
def test_another_size_starts_anew(make: Make, codec: str) -> None:
    encoder = make()
    run(encoder, codec, range(2))
    data = joined_data(codec, encoder.encode(picture(2, 640, 480))[0])
    assert is_keyframe(codec, data)
    assert encoder.opened == 2


@pytest.mark.parametrize(
    ("stream", "level"),
    [
        ((320, 240, 30, 500_000), 31),
        ((1280, 720, 30, 2_500_000), 31),
        ((1280, 720, 30, 15_000_000), 32),
        ((1280, 720, 60, 2_500_000), 32),
        ((1920, 1080, 30, 2_500_000), 40),
        ((1920, 1080, 60, 2_500_000), 42),
        ((1920, 1920, 60, 2_500_000), 51),
        ((4096, 4096, 60, 2_500_000), 52),
    ],
)
def test_the_level_fits_the_stream(stream: tuple[int, int, float, int], level: int) -> None:
    assert level_for(*stream) == level


@pytest.mark.parametrize(("size", "fps", "level"), [((1280, 720), 30, 31), ((1920, 1080), 30, 40)])
def test_the_stream_says_its_level_and_a_baseline_profile(
    size: tuple[int, int], fps: float, level: int
) -> None:
    encoder = PromptH264Encoder(RATE_BPS, fps=fps)
    data = joined_data("H264", encoder.encode(picture(0, *size))[0])
    parameter_set = next(start for start in nal_starts(data) if data[start] & 0x1F == 7)
    assert (data[parameter_set + 1], data[parameter_set + 3]) == (66, level)


@pytest.mark.parametrize("codec", ["vp8", "h264"])
def test_a_tuned_sender_sends_the_wanted_codec_with_our_encoder(codec: str) -> None:
    encoders: list[PictureEncoder] = []

    def tune(sending: RTCRtpTransceiver) -> None:
        prefer_codec(sending, codec)
        tune_sender(sending.sender, bitrate_bps=RATE_BPS, fps=30.0)

    async def numbers() -> list[int]:
        async with joined(NumberedTrack(), tune_sending=tune) as (sending, receiver):
            got = [number for number, _ in await received(receiver, 20)]
            encoders.append(sending.sender._RTCRtpSender__encoder)
            return got

    got = asyncio.run(numbers())
    assert all(later == earlier + 1 for earlier, later in pairwise(got))
    assert isinstance(encoders[0], PromptVp8Encoder if codec == "vp8" else PromptH264Encoder)
    assert encoders[0].opened >= 1


@pytest.mark.parametrize("offered", ["vp8", "h264"])
@pytest.mark.parametrize("wanted", ["vp8", "h264"])
def test_an_answer_prefers_what_is_wanted_and_takes_what_there_is(offered: str, wanted: str) -> None:
    async def negotiated() -> str:
        offering = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        answering = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        transceiver = offering.addTransceiver("video", "recvonly")
        known = [c for c in RTCRtpSender.getCapabilities("video").codecs if c.name.lower() == offered]
        transceiver.setCodecPreferences(known)
        await offering.setLocalDescription(await offering.createOffer())
        await answering.setRemoteDescription(offering.localDescription)
        mine = answering.getTransceivers()[0]
        mine.direction = "sendonly"
        mine.sender.replaceTrack(NumberedTrack())
        prefer_codec(mine, wanted)
        answer = await answering.createAnswer()
        await offering.close()
        await answering.close()
        return next(line for line in answer.sdp.splitlines() if line.startswith("a=rtpmap:"))

    assert f" {offered}/" in asyncio.run(negotiated()).lower()


@pytest.mark.parametrize("wanted", ["vp8", "h264"])
def test_of_both_the_wanted_comes_first_in_an_answer(wanted: str) -> None:
    async def first() -> str:
        offering = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        answering = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        offering.addTransceiver("video", "recvonly")
        await answering.setRemoteDescription(await offering.createOffer())
        prefer_codec(answering.getTransceivers()[0], wanted)
        answer = await answering.createAnswer()
        await offering.close()
        await answering.close()
        return next(line for line in answer.sdp.splitlines() if line.startswith("a=rtpmap:"))

    assert f" {wanted}/90000" in asyncio.run(first()).lower()


def test_a_sender_of_sound_is_refused() -> None:
    async def refuse() -> None:
        connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        with pytest.raises(UsageError, match="expected a video sender, got one for audio"):
            tune_sender(connection.addTrack(AudioStreamTrack()), bitrate_bps=RATE_BPS, fps=30.0)
        await connection.close()

    asyncio.run(refuse())
