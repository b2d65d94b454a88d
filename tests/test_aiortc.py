"""A filtered track among aiortc's own: pictures, times, changes while it runs, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import threading
import time
from fractions import Fraction

import av
import numpy as np
import pytest

pytest.importorskip("aiortc", reason="aiortc is not installed (the extra serve)")

from aiortc.mediastreams import AudioStreamTrack, MediaStreamError, MediaStreamTrack

from rtfilter import Controls
from rtfilter.aiortc import FilterTrack
from rtfilter.errors import UsageError
from rtfilter.sources.demo import DemoSource
from tests.serve.loopback import joined

HAPPY = Controls({"happy": 1.0}, smoothing=0.0)


class DemoTrack(MediaStreamTrack):
    """The demo at 30 fps, as a browser's camera would come; ends after `count` pictures."""

    kind = "video"

    def __init__(self, count: int = 10_000, timed: bool = True) -> None:
        super().__init__()
        demo = DemoSource(320, 240)
        self._pictures = [demo.frame(seq).rgb for seq in range(12, 24)]
        demo.close()
        self._number, self._count, self._timed = 0, count, timed

    async def recv(self) -> av.VideoFrame:
        if self._number >= self._count:
            self.stop()
            raise MediaStreamError
        await asyncio.sleep(1 / 30)
        rgb = self._pictures[self._number % len(self._pictures)]
        picture = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format="yuv420p")
        if self._timed:
            picture.pts, picture.time_base = self._number * 3000, Fraction(1, 90_000)
        self._number += 1
        return picture


async def edited(track: FilterTrack, wanted: bool, within_s: float = 30.0) -> av.VideoFrame:
    """The first picture that is (or is not) another than the demo's."""
    source = track._source
    assert isinstance(source, DemoTrack)
    until_s = time.monotonic() + within_s
    while time.monotonic() < until_s:
        picture = await asyncio.wait_for(track.recv(), within_s)
        assert picture.pts is not None
        rgb = source._pictures[picture.pts // 3000 % len(source._pictures)]
        before = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format="yuv420p")
        if np.array_equal(before.to_ndarray(), picture.to_ndarray()) != wanted:
            return picture
    raise AssertionError("no such picture")


def filter_threads() -> int:
    return sum(thread.name.startswith("rtfilter") for thread in threading.enumerate())


def test_a_track_is_filtered_follows_its_controls_and_ends() -> None:
    async def main() -> None:
        track = FilterTrack(DemoTrack(), HAPPY, lane="cpu")
        picture = await edited(track, True)
        assert picture.time_base == Fraction(1, 90_000)
        assert picture.format.name == "yuv420p"
        track.controls = Controls()
        await edited(track, False)
        track.controls = HAPPY
        await edited(track, True)
        track.stop()
        with pytest.raises(MediaStreamError):
            await track.recv()

    before = filter_threads()
    asyncio.run(main())
    until_s = time.monotonic() + 10
    while filter_threads() > before and time.monotonic() < until_s:
        time.sleep(0.05)
    assert filter_threads() <= before


def test_the_sources_end_is_its_own_and_its_last_picture_is_given_out() -> None:
    async def main() -> list[int]:
        track, times = FilterTrack(DemoTrack(20), lane="cpu"), []
        with contextlib.suppress(MediaStreamError):
            while len(times) < 50:
                times.append((await asyncio.wait_for(track.recv(), 30)).pts or 0)
        assert track.readyState == "ended"
        return times

    times = asyncio.run(main())
    assert times == sorted(set(times))
    assert times[-1] == 19 * 3000


def test_pictures_without_a_time_get_that_of_their_arrival() -> None:
    async def main() -> list[float]:
        track = FilterTrack(DemoTrack(timed=False), lane="cpu")
        pictures = [await asyncio.wait_for(track.recv(), 30) for _ in range(5)]
        track.stop()
        return [float(picture.pts * picture.time_base) for picture in pictures]

    times_s = asyncio.run(main())
    assert 0.05 < times_s[-1] - times_s[0] < 5.0


def test_it_is_sent_over_a_real_connection() -> None:
    async def main() -> None:
        track = FilterTrack(DemoTrack(), HAPPY, lane="cpu")
        async with joined(track) as (_, receiver):
            picture = await asyncio.wait_for(receiver.track.recv(), 30)
            assert (picture.width, picture.height) == (320, 240)
        track.stop()

    asyncio.run(main())


def test_what_is_no_video_track_is_refused() -> None:
    for source in (AudioStreamTrack(), None):
        with pytest.raises(UsageError, match="expected a video track"):
            FilterTrack(source)  # type: ignore[arg-type]
    track = FilterTrack(DemoTrack(1), lane="cpu")
    with pytest.raises(UsageError, match="expected Controls, got dict"):
        track.controls = {}  # type: ignore[assignment]
    with pytest.raises(UsageError, match="unknown lane"):
        FilterTrack(DemoTrack(1), lane="fast")
    track.stop()


def test_a_failure_of_the_filter_ends_the_track(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise UsageError("no face model")

    monkeypatch.setattr("rtfilter.aiortc.FaceFilter", broken)

    async def main() -> None:
        track = FilterTrack(DemoTrack(), lane="cpu")
        with pytest.raises(MediaStreamError):
            await asyncio.wait_for(track.recv(), 30)

    asyncio.run(main())
    assert "no face model" in caplog.text


@pytest.mark.parametrize("error", [RuntimeError("camera unplugged"), asyncio.CancelledError()])
def test_a_failure_of_the_source_ends_the_track(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing(DemoTrack):
        async def recv(self) -> av.VideoFrame:
            if self._number == 2:
                raise error
            return await super().recv()

    async def main() -> None:
        track = FilterTrack(Failing(), lane="cpu")
        with contextlib.suppress(MediaStreamError):
            while True:
                await asyncio.wait_for(track.recv(), 30)
        assert track.readyState == "ended"

    asyncio.run(main())
    if isinstance(error, Exception):
        assert "the source of a track failed, and the track ends: camera unplugged" in caplog.text


def test_the_module_is_not_mistaken_for_the_package() -> None:
    code = "import rtfilter.aiortc, aiortc; print(aiortc.RTCPeerConnection.__module__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "aiortc.rtcpeerconnection"
    without = "import sys; sys.modules['aiortc'] = None; import rtfilter.aiortc"
    done = subprocess.run([sys.executable, "-c", without], capture_output=True, text=True, check=False)
    assert "MissingExtraError: FilterTrack needs aiortc" in done.stderr
    assert "install" in done.stderr
