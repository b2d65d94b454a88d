"""Files and the demo as live sources: in time, late frames dropped, endless if asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction

import numpy as np
import pytest

from rtfilter.errors import DeviceError, InputError
from rtfilter.frame import Frame
from rtfilter.sources import paced
from rtfilter.sources.paced import Paced
from rtfilter.system.clock import NS_PER_MS, NS_PER_S, monotonic_ns
from tests.fakes.live import GUARD_S, HangingSource, ListSource, eventually, own_threads

RATE = 100
PIXELS = np.zeros((6, 8, 3), np.uint8)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert eventually(lambda: not own_threads()), own_threads()


def at(pts: int, seq: int = 0) -> Frame:
    """A frame of a file: its capture time is its pts, in hundredths of a second."""
    return Frame(PIXELS, pts, Fraction(1, RATE), pts * NS_PER_S // RATE, seq)


def read_all(source: Paced) -> list[Frame]:
    frames = []
    while (frame := source.read(GUARD_S)) is not None:
        frames.append(frame)
    return frames


def test_it_is_live_and_otherwise_the_same() -> None:
    source = Paced(ListSource([]))
    assert source.info.live
    assert (source.info.name, source.info.fps) == ("list", 100)
    source.close()


def test_frames_come_when_they_are_due_and_carry_that_moment() -> None:
    source = Paced(ListSource(at(n, n) for n in range(20)))
    arrivals_ns, frames = [], []
    while (frame := source.read(GUARD_S)) is not None:
        arrivals_ns.append(monotonic_ns())
        frames.append(frame)
    source.close()
    assert frames[-1].pts == 19
    for frame, arrival_ns in zip(frames, arrivals_ns, strict=True):
        assert frame.captured_ns <= arrival_ns
    for frame in frames:
        since_first_ns = frame.captured_ns - frames[0].captured_ns
        assert since_first_ns >= (frame.pts - frames[0].pts) * NS_PER_S // RATE - 1
    assert frames[-1].captured_ns - frames[0].captured_ns >= 100 * NS_PER_MS


def test_nothing_is_read_before_the_first_read() -> None:
    taken: list[int] = []

    def frames() -> Iterator[Frame]:
        for n in range(3):
            taken.append(n)
            yield at(n, n)

    source = Paced(ListSource(frames()))
    assert taken == []
    assert source.read(GUARD_S) is not None
    source.close()


def test_a_slow_reader_gets_the_newest_and_sees_the_gap() -> None:
    inner = ListSource(at(n, n) for n in range(30))
    source = Paced(inner)
    first = source.read(GUARD_S)
    assert inner.closed.wait(GUARD_S)
    last = source.read(GUARD_S)
    assert first is not None
    assert last is not None
    assert last.seq == 29
    assert source.read(GUARD_S) is None
    source.close()


class Stepped:
    """A clock that stands still but for what a test adds: decoding that takes its time."""

    def __init__(self) -> None:
        self.now_ns = 5 * NS_PER_S

    def __call__(self) -> int:
        return self.now_ns


def paced_with(monkeypatch: pytest.MonkeyPatch, delays_ms: dict[int, int], count: int) -> list[Frame]:
    """What is released of `count` frames at 100 a second when frame n takes `delays_ms[n]` (else 10) ms."""
    clock = Stepped()
    released: list[Frame] = []

    def decoded() -> Iterator[Frame]:
        for n in range(count):
            clock.now_ns += delays_ms.get(n, 10) * NS_PER_MS
            yield at(n, n)

    class Watched(Paced):
        def _release(self, frame: Frame) -> None:
            super()._release(frame)
            with suppress(TimeoutError):
                released.extend(filter(None, [self._slot.get(0)]))

    source = Watched(ListSource(decoded()))
    monkeypatch.setattr(paced, "monotonic_ns", clock)
    source._release_all()
    source.close()
    return released


def test_late_frames_are_dropped_until_it_has_caught_up(monkeypatch: pytest.MonkeyPatch) -> None:
    released = paced_with(monkeypatch, {5: 60, 6: 0, 7: 0, 8: 0, 9: 0, 10: 0}, 15)
    assert [frame.seq for frame in released] == [0, 1, 2, 3, 4, 9, 10, 11, 12, 13, 14]


def test_decoding_slower_than_real_time_still_shows_something(monkeypatch: pytest.MonkeyPatch) -> None:
    released = paced_with(monkeypatch, dict.fromkeys(range(200), 40), 200)
    stamps_ns = [frame.captured_ns for frame in released]
    gaps_ns = np.diff(stamps_ns)
    assert len(released) >= 10
    assert gaps_ns.max() <= 600 * NS_PER_MS


def test_a_hole_in_the_timestamps_is_not_waited_for() -> None:
    source = Paced(ListSource([at(0), at(1), at(3600 * RATE), at(3600 * RATE + 1)]))
    assert read_all(source)[-1].pts == 3600 * RATE + 1
    source.close()


def test_an_error_of_the_file_comes_after_its_last_frame() -> None:
    source = Paced(ListSource([at(0, 0), InputError("clip.mp4: truncated after 1 frame")]))
    assert source.read(GUARD_S) is not None
    with pytest.raises(InputError, match="truncated"):
        source.read(GUARD_S)
    source.close()


def test_a_decoder_that_is_stuck_is_an_error() -> None:
    inner = HangingSource([at(0)])
    source = Paced(inner)
    assert source.read(GUARD_S) is not None
    with pytest.raises(DeviceError, match=r"list: no frame for 0\.02 s"):
        source.read(0.02)
    inner.close()
    source.close()


def test_close_wakes_a_wait_for_a_frame_that_is_not_due() -> None:
    inner = ListSource([at(0), at(150)])
    source = Paced(inner)
    assert source.read(GUARD_S) is not None
    source.close()
    assert inner.closed.is_set()
    assert source.read(GUARD_S) is None


def test_close_before_the_first_read_closes_the_source() -> None:
    inner = ListSource([at(0)])
    source = Paced(inner)
    source.close()
    source.close()
    assert inner.closed.is_set()
    assert source.read(0.1) is None
