"""Sound and picture through a server whose filter is slow: a flash and its beep come out together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import av
import numpy as np
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack

from rtfilter.serve.app.pool import FilterPool
from rtfilter.serve.rtc.tuning import tune_receiver
from tests.fakes.serving import Camera, PaintingFilter, grey_picture, luma, serving, visiting

FPS, AUDIO_RATE, AUDIO_SAMPLES = 25, 48_000, 960
EVERY_S = 1
FLASHES = 6
# Long enough that one picture of it is filtered, whichever are left out.
HELD = 8
# Slower than the pictures come: every third is filtered, and sound that did not wait would be 0.16 s early.
FILTER_S = 0.12
# Measured: sound 0.04 to 0.075 s early, since the first lit picture may be one of those left out; with a
# filter that keeps up, 0.012 to 0.03 s a picture, 0.0005 to 0.002 s apart.
TOGETHER_S = 0.11


class Beeps(MediaStreamTrack):
    """A beep of 20 ms at every full second, silence otherwise."""

    kind = "audio"

    def __init__(self, sent_s: list[float]) -> None:
        super().__init__()
        self._count = 0
        self._start_s: float | None = None
        self._sent_s = sent_s

    async def recv(self) -> av.AudioFrame:
        if self.readyState != "live":
            raise MediaStreamError
        loop = asyncio.get_running_loop()
        if self._start_s is None:
            self._start_s = loop.time()
        await asyncio.sleep(max(0.0, self._start_s + self._count * 0.02 - loop.time()))
        samples = np.zeros(AUDIO_SAMPLES, np.int16)
        if self._count % (50 * EVERY_S) == 0:
            self._sent_s.append(loop.time())
            samples[:] = 20_000 * np.sin(np.arange(AUDIO_SAMPLES) * 2 * np.pi * 1000 / AUDIO_RATE)
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.pts, frame.sample_rate = self._count * AUDIO_SAMPLES, AUDIO_RATE
        frame.time_base = Fraction(1, AUDIO_RATE)
        self._count += 1
        return frame


async def delays() -> tuple[float, float]:
    """Median seconds from giving a flash, or a beep, to its coming back."""
    flashed_s: list[float] = []
    beeped_s: list[float] = []

    def draw(number: int) -> av.VideoFrame:
        lit = number % (FPS * EVERY_S) < HELD
        if lit and number % (FPS * EVERY_S) == 0:
            flashed_s.append(asyncio.get_running_loop().time())
        return grey_picture(220 if lit else 40)

    pool = FilterPool(lambda: PaintingFilter(FILTER_S))
    async with (
        serving(pool=pool) as running,
        visiting(running, Camera(draw, FPS), Beeps(beeped_s)) as visitor,
    ):
        for receiver in visitor.pc.getReceivers():
            tune_receiver(receiver)
        seen = await asyncio.gather(
            onsets(visitor.tracks["video"][0], lambda picture: float(luma(picture).mean()) > 130),
            onsets(visitor.tracks["audio"][0], lambda sound: int(np.abs(sound.to_ndarray()).max()) > 5000),
        )
    return since(flashed_s, seen[0]), since(beeped_s, seen[1])


async def onsets(track: MediaStreamTrack, is_on: Callable[[Any], bool]) -> list[float]:
    """When what is on came, after something that was off."""
    found: list[float] = []
    before = True
    while len(found) < FLASHES:
        now = is_on(await track.recv())
        if now and not before:
            found.append(asyncio.get_running_loop().time())
        before = now
    return found


def since(given_s: list[float], seen_s: list[float]) -> float:
    """Median of the time from the last one given to each one seen."""
    return float(np.median([seen - max(given for given in given_s if given <= seen) for seen in seen_s]))


def test_a_flash_and_its_beep_come_out_together() -> None:
    picture_s, sound_s = asyncio.run(asyncio.wait_for(delays(), 60))
    assert picture_s > FILTER_S
    assert abs(picture_s - sound_s) < TOGETHER_S
