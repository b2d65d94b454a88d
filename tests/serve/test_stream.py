"""A stream from its tracks to its readers: pictures in time, sound in step with them, and its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from fractions import Fraction

import av
import numpy as np
import pytest
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from rtfilter.controls import Controls
from rtfilter.serve.app.pool import FilterPool
from rtfilter.serve.app.session import Session
from rtfilter.serve.app.stream import Stream
from rtfilter.serve.gate.options import Limits
from rtfilter.serve.rtc.tracks import LONGEST_HOLD_S, FilteredTrack, HeldAudioTrack, drain
from tests.fakes.serving import Camera, PaintingFilter, first, grey_picture, luma

CARD = np.full((48, 64, 3), 20, np.uint8)


class Ticks(MediaStreamTrack):
    """Sound frames of 20 ms, `count` of them, numbered by their pts and noted when they were given."""

    kind = "audio"

    def __init__(self, count: int) -> None:
        super().__init__()
        self.given_s: list[float] = []
        self._count = count

    async def recv(self) -> av.AudioFrame:
        if len(self.given_s) == self._count:
            raise MediaStreamError
        await asyncio.sleep(0.02)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 960), np.int16), format="s16", layout="mono")
        frame.sample_rate, frame.pts = 48_000, len(self.given_s)
        self.given_s.append(asyncio.get_running_loop().time())
        return frame


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(test(), 60)

    asyncio.run(bounded())


def a_stream(
    ended: Callable[[str], None] = lambda _: None, delay_s: float = 0.0, limits: Limits | None = None
) -> Stream:
    session = Session("one", "peer", Controls(), {})
    return Stream(session, FilterPool(lambda: PaintingFilter(delay_s)), limits or Limits(), CARD, ended)


def test_sound_is_held_back_as_long_as_the_filter_takes() -> None:
    async def test() -> None:
        stream = a_stream(delay_s=0.12)
        reader = stream.session.results.subscribe()
        stream.take(Camera(lambda _: grey_picture(), 5))
        for _ in range(4):
            assert await asyncio.wait_for(reader.next(), 20)
        ticks = Ticks(40)
        stream.take(ticks)
        sound = stream.audio()
        assert sound is not None
        held_s = []
        for number in range(40):
            frame = await sound.recv()
            assert frame.pts == number
            held_s.append(asyncio.get_running_loop().time() - ticks.given_s[number])
        # The filter's own 0.12 s at least; more only as far as this machine is busy.
        assert 0.11 <= float(np.median(held_s)) <= LONGEST_HOLD_S + 0.05
        await stream.close("over")

    run(test)


def test_sound_of_a_quick_filter_is_hardly_held_back() -> None:
    async def test() -> None:
        ticks = Ticks(20)
        sound = HeldAudioTrack(ticks, lambda: 0.0)
        held_s = []
        for number in range(20):
            await sound.recv()
            held_s.append(asyncio.get_running_loop().time() - ticks.given_s[number])
        assert float(np.median(held_s)) < 0.05

    run(test)


def test_a_track_that_ends_ends_what_was_made_of_it() -> None:
    async def test() -> None:
        sound = HeldAudioTrack(Ticks(2), lambda: 0.0)
        assert [(await sound.recv()).pts for _ in range(2)] == [0, 1]
        try:
            await sound.recv()
        except MediaStreamError:
            assert sound.readyState == "ended"
        else:
            raise AssertionError("sound after its end")
        await asyncio.wait_for(drain(Ticks(2)), 10)

    run(test)


def test_sound_ends_where_its_source_fails() -> None:
    class Failing(Ticks):
        async def recv(self) -> av.AudioFrame:
            raise RuntimeError("microphone unplugged")

    async def test() -> None:
        with pytest.raises(MediaStreamError):
            await asyncio.wait_for(HeldAudioTrack(Failing(2), lambda: 0.0).recv(), 10)

    run(test)


def test_watchers_get_the_filtered_or_the_original_picture() -> None:
    async def test() -> None:
        stream = a_stream()
        stream.session.controls.change({"emotions": {"happy": 1.0}})
        filtered = FilteredTrack(stream.session.results)
        original = FilteredTrack(stream.session.results, original=True)
        stream.take(Camera(lambda _: grey_picture(), 20))
        after, before = await asyncio.gather(filtered.recv(), original.recv())
        assert after.pts == before.pts
        assert luma(after)[30, 30] > 200
        assert luma(before)[30, 30] < 140
        filtered.stop()
        assert stream.session.results.readers == 1
        await stream.close("over")
        try:
            while True:
                await original.recv()
        except MediaStreamError:
            assert stream.session.state == "ended"

    run(test)


def test_a_picture_beyond_the_limits_ends_the_stream_with_a_reason() -> None:
    async def test() -> None:
        reasons: list[str] = []
        stream = a_stream(reasons.append, limits=Limits(width_px=32))
        stream.take(Camera(lambda _: grey_picture(), 20))
        await first(lambda: bool(reasons))
        assert "at most 32x" in reasons[0]
        assert "64x64" in reasons[0]
        assert stream.session.frames == 0
        await stream.close(reasons[0])

    run(test)


def test_pictures_beyond_the_rate_are_left_out() -> None:
    async def test() -> None:
        stream = a_stream(limits=Limits(fps=5.0))
        reader = stream.session.results.subscribe()
        camera = Camera(lambda _: grey_picture(), 40)
        stream.take(camera)
        times = []
        for _ in range(6):
            result = await asyncio.wait_for(reader.next(), 20)
            assert result is not None
            assert result.picture.pts is not None
            times.append(Fraction(result.picture.pts) * result.picture.time_base)
        # A schedule of 5 a second, of which the first two or three may come at once.
        assert times[-1] - times[0] >= Fraction(2, 5)
        assert camera.given > 2 * stream.session.frames
        await stream.close("over")

    run(test)


def test_a_filter_that_fails_ends_the_stream_once() -> None:
    async def test() -> None:
        reasons: list[str] = []
        broken = PaintingFilter()
        broken.error = ValueError("inside")
        session = Session("one", "peer", Controls(), {})
        pool = FilterPool(lambda: broken)
        stream = Stream(session, pool, Limits(), CARD, reasons.append)
        stream.take(Camera(lambda _: grey_picture(), 20))
        await first(lambda: bool(reasons))
        assert "ValueError" in reasons[0]
        assert "inside" not in reasons[0]
        await stream.close(reasons[0])
        await stream.close("again")
        assert session.reason == reasons[0]
        assert (pool.idle, broken.closed) == (0, 1)

    run(test)
