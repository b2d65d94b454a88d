"""The bounded queues around the decoder: what they drop, when they request a keyframe, and how they end."""

from __future__ import annotations

import asyncio
from fractions import Fraction

import av
import pytest
from aiortc.jitterbuffer import JitterFrame
from aiortc.rtcrtpparameters import RTCRtpCodecParameters

from rtfilter.serve.rtc.decode_queues import AudioDecodeQueue, DecodedQueue, SizeGate, VideoDecodeQueue
from rtfilter.serve.rtc.jitter import FrameBatch
from tests.serve.packets import CODECS

VP8 = CODECS["VP8"]
OPUS = RTCRtpCodecParameters(mimeType="audio/opus", clockRate=48000, channels=2, payloadType=96)


def key(time: int, width: int = 640, height: int = 480) -> JitterFrame:
    head = b"\x10\x00\x00\x9d\x01\x2a" + width.to_bytes(2, "little") + height.to_bytes(2, "little")
    return JitterFrame(head + b"rest", time)


def delta(time: int) -> JitterFrame:
    return JitterFrame(b"\x11\x00\x00 difference", time)


class Bench:
    """A video queue with a clock by hand, and the keyframes it requested."""

    def __init__(self, limit: int = 4) -> None:
        self.now_s = 0.0
        self.requests: list[float] = []
        self.too_large: list[tuple[int, int]] = []
        gate = SizeGate(1920, 1920, lambda width, height: self.too_large.append((width, height)))
        self.queue = VideoDecodeQueue(
            limit, gate, lambda: self.requests.append(self.now_s), lambda: self.now_s
        )

    def put(self, *frames: JitterFrame) -> None:
        for frame in frames:
            self.queue.put((VP8, frame))

    def waiting(self) -> list[int]:
        out = []
        while not self.queue.empty():
            item = self.queue.get()
            out.append(-1 if item is None else item[1].timestamp)
        return out


def test_a_decoder_that_keeps_up_gets_everything() -> None:
    bench = Bench()
    bench.put(key(0), delta(1), delta(2), delta(3))
    assert bench.waiting() == [0, 1, 2, 3]
    bench.put(delta(4))
    assert bench.waiting() == [4]
    assert bench.requests == []


def test_a_decoder_that_falls_behind_starts_again_at_a_keyframe() -> None:
    bench = Bench()
    bench.put(key(0), delta(1), delta(2), delta(3), delta(4), delta(5))
    assert bench.requests == [0.0]
    assert bench.waiting() == []
    bench.put(key(6), delta(7))
    assert bench.waiting() == [6, 7]


def test_a_keyframe_that_comes_just_then_is_taken() -> None:
    bench = Bench()
    bench.put(key(0), delta(1), delta(2), delta(3), key(4), delta(5))
    assert bench.waiting() == [4, 5]


def test_what_one_packet_set_free_is_caught_up_with() -> None:
    bench = Bench()
    bench.put(key(0))
    bench.put(FrameBatch([delta(n) for n in range(1, 9)]))
    assert bench.waiting() == list(range(9))


def test_it_asks_again_and_goes_on_in_the_end() -> None:
    bench = Bench()
    bench.queue.want_keyframe()
    for step in range(1, 31):
        bench.now_s = step / 10
        bench.put(delta(step))
    assert bench.waiting() == []
    assert len(bench.requests) in (5, 6)
    bench.now_s = 3.1
    bench.put(delta(31))
    assert bench.waiting() == [31], "a sender that makes no keyframe on request is shown all the same"


def test_a_loss_leaves_out_what_builds_on_it() -> None:
    bench = Bench()
    bench.put(key(0))
    bench.queue.want_keyframe()
    bench.put(delta(1), key(2), delta(3))
    assert bench.waiting() == [0, 2, 3]
    assert bench.requests == [0.0]


def test_a_picture_too_large_is_not_decoded_and_reported_once() -> None:
    bench = Bench()
    bench.put(key(0, 4000, 3000), delta(1), key(2, 4000, 3000))
    assert bench.waiting() == []
    assert bench.too_large == [(4000, 3000)]
    bench.put(key(3, 1920, 1080), delta(4))
    assert bench.waiting() == [3, 4]


def test_the_end_comes_at_once() -> None:
    bench = Bench()
    bench.put(key(0), delta(1))
    bench.queue.put(None)
    assert bench.waiting() == [-1]


def test_sound_loses_the_oldest() -> None:
    queue = AudioDecodeQueue(3)
    for time in range(5):
        queue.put((OPUS, JitterFrame(b"sound", time)))
    queue.put((OPUS, FrameBatch([JitterFrame(b"sound", 5), JitterFrame(b"sound", 6)])))
    waiting = [queue.get_nowait() for _ in range(queue.qsize())]
    assert [item and item[1].timestamp for item in waiting] == [4, 5, 6]


def decoded(pts: int, width: int = 64, height: int = 48) -> av.VideoFrame:
    frame = av.VideoFrame(width, height, "yuv420p")
    frame.pts, frame.time_base = pts, Fraction(1, 90000)
    return frame


@pytest.mark.parametrize(("keep", "expected"), [(1, [4]), (3, [2, 3, 4])])
def test_a_late_reader_gets_the_newest(keep: int, expected: list[int]) -> None:
    async def read() -> list[int | None]:
        queue = DecodedQueue(keep)
        for pts in range(5):
            await queue.put(decoded(pts))
        await queue.put(None)
        frames = [await queue.get() for _ in range(queue.qsize())]
        assert frames[-1] is None, "the end comes after the last picture"
        return [frame.pts for frame in frames if frame is not None]

    assert asyncio.run(read()) == expected


def test_a_reader_that_waits_is_served() -> None:
    async def read() -> list[int]:
        queue = DecodedQueue(1)
        reader = asyncio.create_task(queue.get())
        await asyncio.sleep(0)
        # Both before the reader runs again: it was woken for the first and finds the second.
        queue.put_nowait(decoded(1))
        queue.put_nowait(decoded(2))
        first = await asyncio.wait_for(reader, 5)
        queue.put_nowait(decoded(3))
        second = await asyncio.wait_for(queue.get(), 5)
        return [frame.pts for frame in (first, second) if frame is not None and frame.pts is not None]

    assert asyncio.run(read()) == [2, 3]


def test_a_decoded_picture_too_large_is_dropped() -> None:
    too_large: list[tuple[int, int]] = []
    queue = DecodedQueue(1, SizeGate(64, 64, lambda width, height: too_large.append((width, height))))
    queue.put_nowait(decoded(1, 64, 48))
    queue.put_nowait(decoded(2, 66, 48))
    queue.put_nowait(decoded(3, 64, 66))
    newest = queue.get_nowait()
    assert newest is not None
    assert newest.pts == 1
    assert too_large == [(66, 48)]
    assert queue.empty()
