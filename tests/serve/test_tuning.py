"""Tuned receivers between real peers, beside stock ones; and refusals with another aiortc."""

from __future__ import annotations

import asyncio
from statistics import median

import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpReceiver
from aiortc.jitterbuffer import JitterBuffer
from aiortc.mediastreams import AudioStreamTrack
from aiortc.rtp import RtpPacket

from rtfilter.errors import UsageError
from rtfilter.serve.rtc.jitter import MarkerJitterBuffer, PromptAudioBuffer
from rtfilter.serve.rtc.tuning import prefer_codec, tune_receiver
from tests.serve.loopback import FPS, NumberedTrack, joined, received

BUFFER = "_RTCRtpReceiver__jitter_buffer"


@pytest.mark.parametrize("codec", ["vp8", "h264"])
def test_pictures_come_a_frame_interval_earlier_than_with_a_stock_receiver(codec: str) -> None:
    async def delays_ms(tuned: bool) -> list[float]:
        track = NumberedTrack()
        async with joined(
            track,
            tune_sending=lambda sending: prefer_codec(sending, codec),
            tune_receiving=lambda receiving: tune_receiver(receiving.receiver) if tuned else None,
        ) as (_, receiver):
            assert isinstance(getattr(receiver, BUFFER), MarkerJitterBuffer) == tuned
            # The first ones come while connections are made.
            await received(receiver, 15)
            return [1e3 * (came_s - track.sent_s[n]) for n, came_s in await received(receiver, 60)]

    async def both() -> tuple[list[float], list[float]]:
        return await asyncio.gather(delays_ms(False), delays_ms(True))

    stock, tuned = map(median, asyncio.run(both()))
    # One interval is 33 ms; half of it is left to a busy machine.
    assert tuned < stock - 500 / FPS, f"stock {stock:.1f} ms, tuned {tuned:.1f} ms"


def drop(receiver: RTCRtpReceiver, is_lost: object) -> None:
    """Let the packets for which `is_lost(packet)` holds vanish on their way to this receiver."""
    take = receiver._handle_rtp_packet

    async def take_some(packet: RtpPacket, arrival_time_ms: int) -> None:
        if not is_lost(packet):
            await take(packet, arrival_time_ms)

    receiver._handle_rtp_packet = take_some


def test_lost_packets_that_are_sent_again_lose_no_picture() -> None:
    buffers: list[MarkerJitterBuffer] = []

    async def run() -> list[int]:
        seen = 0

        def every_ninth(packet: RtpPacket) -> bool:
            nonlocal seen
            if packet.ssrc != sending.sender._ssrc:
                return False  # what is sent again has a stream of its own
            seen += 1
            return seen % 9 == 0

        async with joined(NumberedTrack(), tune_receiving=lambda it: tune_receiver(it.receiver)) as (
            sending,
            receiver,
        ):
            drop(receiver, every_ninth)
            buffers.append(getattr(receiver, BUFFER))
            # As a reader that takes every picture, whatever comes at once.
            receiver.track._queue._keep = 50
            return [number for number, _ in await received(receiver, 90)]

    numbers = asyncio.run(run())
    assert numbers == list(range(numbers[0], numbers[0] + 90))
    assert buffers[0].marker_trusted


def test_a_packet_lost_for_good_costs_a_moment_and_not_the_stream() -> None:
    async def run() -> list[tuple[int, float]]:
        seen = 0

        def from_40_to_60(packet: RtpPacket) -> bool:
            nonlocal seen
            seen += packet.ssrc == sending.sender._ssrc
            return 40 <= seen < 60 or packet.ssrc == sending.sender._rtx_ssrc

        async with joined(NumberedTrack(), tune_receiving=lambda it: tune_receiver(it.receiver)) as (
            sending,
            receiver,
        ):
            drop(receiver, from_40_to_60)
            return await received(receiver, 90)

    pictures = asyncio.run(run())
    numbers = [number for number, _ in pictures]
    assert numbers == sorted(set(numbers))
    missing = numbers[-1] - numbers[0] + 1 - len(numbers)
    # aiortc alone waits until 512 packets came behind the gap: all of this test, and longer.
    assert missing < 60, f"{missing} pictures lost"


def test_sound_gets_the_prompt_buffer() -> None:
    async def run() -> object:
        async with joined(AudioStreamTrack(), tune_receiving=lambda it: tune_receiver(it.receiver)) as (
            _,
            receiver,
        ):
            for _ in range(20):
                await asyncio.wait_for(receiver.track.recv(), 20)
            return getattr(receiver, BUFFER)

    assert isinstance(asyncio.run(run()), PromptAudioBuffer)


def test_a_picture_larger_than_the_limit_is_dropped() -> None:
    async def run() -> tuple[int, int]:
        refused_size: asyncio.Future[tuple[int, int]] = asyncio.get_running_loop().create_future()
        async with joined(
            NumberedTrack(),
            tune_receiving=lambda it: tune_receiver(
                it.receiver, width_px=319, on_too_large=lambda *size: refused_size.set_result(size)
            ),
        ) as (_, receiver):
            size = await asyncio.wait_for(refused_size, 20)
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(receiver.track.recv(), 0.5)
            return size

    assert asyncio.run(run()) == (320, 240)


def prepared(use: object) -> None:
    """Calls `use(receiver)` with a receiver as it is between offer and answer."""

    async def run() -> None:
        offering = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        answering = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        offering.addTransceiver("video", "sendonly")
        await answering.setRemoteDescription(await offering.createOffer())
        use(answering.getTransceivers()[0].receiver)
        await offering.close()
        await answering.close()

    asyncio.run(run())


@pytest.mark.parametrize("name", ["jitter_buffer", "decoder_queue", "decoder_error", "started"])
def test_an_attribute_that_moved_is_refused(name: str) -> None:
    def refused(receiver: RTCRtpReceiver) -> None:
        stock, attribute = getattr(receiver, BUFFER), f"_RTCRtpReceiver__{name}"
        moved = getattr(receiver, attribute)
        delattr(receiver, attribute)
        with pytest.raises(
            UsageError, match=rf"another than rtfilter is made for.*__{name} is not there.*aiortc==1.16"
        ):
            tune_receiver(receiver)
        setattr(receiver, attribute, moved)
        assert getattr(receiver, BUFFER) is stock

    prepared(refused)


def test_an_attribute_that_became_something_else_is_refused() -> None:
    def refused(receiver: RTCRtpReceiver) -> None:
        setattr(receiver, BUFFER, [])
        with pytest.raises(UsageError, match="is a list, expected a JitterBuffer"):
            tune_receiver(receiver)

    prepared(refused)


def test_too_early_and_too_late_are_refused() -> None:
    async def run() -> None:
        connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        early = connection.addTransceiver("video", "recvonly").receiver
        with pytest.raises(UsageError, match="call setRemoteDescription before"):
            tune_receiver(early)
        await connection.close()
        async with joined(NumberedTrack()) as (_, late):
            await received(late, 1)
            with pytest.raises(UsageError, match="has started"):
                tune_receiver(late)
            assert type(getattr(late, BUFFER)) is JitterBuffer

    asyncio.run(run())
