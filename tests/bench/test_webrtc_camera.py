"""The stamped camera keeps its schedule, however late it is asked."""

from __future__ import annotations

import asyncio

import pytest
from aiortc.mediastreams import MediaStreamError

from rtfilter.bench.webrtc_camera import Stamp, StampArea, StampedCamera, demo_pictures
from rtfilter.system.clock import NS_PER_MS

SIZE = (320, 180)
AREA = StampArea(*SIZE)


class Hands:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.ms = 5000

    def __call__(self) -> int:
        return self.ms * NS_PER_MS


def camera_and_clock(count: int = 3) -> tuple[StampedCamera, Hands]:
    clock = Hands()
    return StampedCamera(demo_pictures(*SIZE, count), 30, clock=clock), clock


def test_pictures_say_when_they_were_due_not_when_they_were_taken_along() -> None:
    async def scenario() -> None:
        camera, clock = camera_and_clock()
        assert AREA.read(await camera.recv()) == Stamp(0, 0)
        clock.ms += 60
        # Due at 33.3 ms, and older by what its sender came too late.
        late = await camera.recv()
        assert AREA.read(late) == Stamp(1, 33_333)
        assert (late.pts, late.time_base.denominator) == (3000, 90_000)
        assert camera.now_us() == 60_000

    asyncio.run(scenario())


def test_who_comes_too_late_gets_the_newest_and_the_rest_is_counted() -> None:
    async def scenario() -> None:
        camera, clock = camera_and_clock()
        await camera.recv()
        clock.ms += 210
        newest = await camera.recv()
        assert AREA.read(newest) == Stamp(6, 200_000)
        assert newest.pts == 6 * 3000
        assert (camera.given, camera.number) == (2, 6)

    asyncio.run(scenario())


def test_what_an_encoder_notes_on_a_picture_does_not_come_round_again() -> None:
    async def scenario() -> None:
        camera, clock = camera_and_clock(1)
        first = await camera.recv()
        plain = first.pict_type
        first.pict_type = 1
        clock.ms += 40
        assert (await camera.recv()).pict_type == plain

    asyncio.run(scenario())


def test_a_stopped_camera_gives_nothing_more() -> None:
    async def scenario() -> None:
        camera, _ = camera_and_clock(1)
        camera.stop()
        with pytest.raises(MediaStreamError):
            await camera.recv()

    asyncio.run(scenario())
