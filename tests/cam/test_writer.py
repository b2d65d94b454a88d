"""The writer of a sink: what counts as written; and an even rhythm of repeats, drops and cards."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from rtfilter.cam.writer import Pace, SinkWriter, SteadyWriter
from rtfilter.errors import DeviceError
from rtfilter.frame import Frame
from rtfilter.system.clock import NS_PER_MS
from tests.fakes.live import GUARD_S, eventually
from tests.fakes.repeating import RepeatingListSink

INTERVAL_NS = 33 * NS_PER_MS
CARD = np.full((6, 8, 3), 200, np.uint8)


def frame(level: int) -> Frame:
    return Frame(np.full((6, 8, 3), level, np.uint8), seq=level)


def written_at(
    arrivals_ms: list[float], end_ms: float, interval_ms: float = 33.0
) -> list[tuple[float, bool]]:
    """When pictures go out, in milliseconds, and whether each is a new one; simulated to the millisecond."""
    pace = Pace(round(interval_ms * NS_PER_MS))
    out, waiting, started = [], 0, False
    for now_ms in np.arange(0.0, end_ms, 0.5):
        waiting += sum(now_ms - 0.5 < arrival <= now_ms for arrival in arrivals_ms)
        fresh = waiting > 0
        if (fresh or started) and pace.wait_ns(round(now_ms * NS_PER_MS), fresh) <= 0:
            pace.wrote(round(now_ms * NS_PER_MS), fresh)
            out.append((float(now_ms), fresh))
            waiting, started = 0, True
    return out


def test_frames_of_an_even_camera_go_out_as_they_come() -> None:
    arrivals = [33.0 * n for n in range(30)]
    assert written_at(arrivals, 990) == [(at, True) for at in arrivals]


def test_jitter_of_a_third_of_an_interval_is_passed_on_without_waiting_or_repeats() -> None:
    arrivals = [33.0 * n + (11 if n % 2 else 0) for n in range(30)]
    assert written_at(arrivals, 990) == [(at, True) for at in arrivals]


@pytest.mark.parametrize(
    ("camera_fps", "shown_fps"),
    [(5, 30), (10, 30), (15, 30), (20, 20), (24, 24), (30, 30), (60, 30), (120, 30)],
)
def test_any_camera_becomes_an_even_one(camera_fps: int, shown_fps: int) -> None:
    arrivals = [1000.0 / camera_fps * n for n in range(camera_fps * 4)]
    out = written_at(arrivals, 3999, 1000 / 30)
    assert shown_fps * 4 - 3 <= len(out) <= shown_fps * 4 + 3
    assert np.diff([at for at, _ in out]).max() <= 1.5 * 1000 / 30 + 1
    # Each of a slow camera's pictures is seen, at once; of a fast one as many as there is room for.
    fresh = [at for at, new in out if new]
    assert len(fresh) >= min(camera_fps, 30) * 4 - 3
    if camera_fps <= 30:
        assert max(abs(at - arrival) for at, arrival in zip(fresh, arrivals, strict=False)) <= 1


def test_after_a_stall_there_is_no_burst() -> None:
    arrivals = [33.0 * n for n in range(10)] + [1000 + 5.0 * n for n in range(40)]
    out = written_at(arrivals, 1300)
    late = [at for at, _ in out if at >= 1000]
    assert len(late) <= 300 / 33 + 2


def test_the_last_frame_is_repeated_and_not_converted_again() -> None:
    inner = RepeatingListSink()
    writer = SteadyWriter(inner, 100)
    writer.put(frame(7))
    assert eventually(lambda: inner.repeats >= 5)
    writer.close(complete=True)
    assert [kept.seq for kept in inner.frames] == [7]
    assert inner.closes == [True]
    assert inner.threads == {"rtfilter-sink"}


def test_nothing_goes_out_before_there_is_something() -> None:
    inner = RepeatingListSink()
    writer = SteadyWriter(inner, 200)
    time.sleep(0.05)
    writer.close(complete=True)
    assert (inner.frames, inner.repeats) == ([], 0)


def test_a_card_hides_every_frame_until_a_new_one_after_release() -> None:
    inner = RepeatingListSink()
    writer = SteadyWriter(inner, 200)
    writer.put(frame(1))
    assert eventually(lambda: len(inner.frames) == 1)
    writer.hold(CARD)
    writer.put(frame(2))
    assert eventually(lambda: len(inner.frames) == 2)
    writer.put(frame(3))
    writer.release()
    before = inner.repeats
    assert eventually(lambda: inner.repeats >= before + 3)
    writer.put(frame(4))
    assert eventually(lambda: len(inner.frames) == 3)
    writer.close(complete=True)
    assert [int(kept.rgb[0, 0, 0]) for kept in inner.frames] == [1, 200, 4]


def test_a_slow_card_ends_at_once_with_the_first_frame() -> None:
    inner = RepeatingListSink()
    writer = SteadyWriter(inner, 100)
    writer.hold(CARD, fps=0.02)
    assert eventually(lambda: len(inner.frames) == 1)
    writer.release()
    writer.put(frame(1))
    assert eventually(lambda: len(inner.frames) == 2, timeout_s=5)
    assert eventually(lambda: inner.repeats >= 3, timeout_s=5)
    writer.close(complete=True)


def test_a_frame_counts_once_the_sink_took_it() -> None:
    hold = threading.Event()
    inner = RepeatingListSink(hold=hold)
    writer = SinkWriter(inner)
    writer.put(frame(0))
    assert inner.writing.wait(GUARD_S)
    for level in (1, 2, 3):
        assert writer.put(frame(level))
    assert writer.written == 0
    hold.set()
    writer.close(complete=True)
    assert [kept.seq for kept in inner.frames] == [0, 3]
    assert writer.written == 2
    assert writer.timings.summary()["age_at_sink"]["count"] == 2
    assert writer.put(frame(4)) is False


def test_cards_and_repeats_are_not_written_frames() -> None:
    inner = RepeatingListSink()
    writer = SteadyWriter(inner, 200)
    writer.hold(CARD)
    assert eventually(lambda: inner.repeats >= 2)
    writer.release()
    writer.put(frame(1))
    assert eventually(lambda: len(inner.frames) == 2)
    writer.close(complete=True)
    assert writer.written == writer.timings.summary()["sink"]["count"] == 1


def test_of_two_frames_in_an_interval_the_newer_goes_out() -> None:
    inner = RepeatingListSink()
    writer = SteadyWriter(inner, 20)
    for level in range(1, 9):
        writer.put(frame(level))
        time.sleep(0.002)
    writer.close(complete=True)
    assert inner.frames[-1].seq == 8
    assert writer.written == len(inner.frames) <= 3


def test_an_error_of_the_device_ends_it() -> None:
    inner = RepeatingListSink(error=DeviceError("the module is gone"))
    writer = SteadyWriter(inner, 100)
    writer.put(frame(1))
    assert eventually(lambda: writer.error is not None and inner.closes == [False])
    with pytest.raises(DeviceError, match="module is gone"):
        writer.close(complete=True)
    assert inner.closes == [False]


def test_an_error_is_there_before_a_device_that_hangs_is_closed() -> None:
    """A device that is gone may never close; the loop must learn of it all the same."""
    released = threading.Event()

    class Gone:
        def write(self, frame: Frame) -> None:
            raise DeviceError("gone")

        def close(self, complete: bool) -> None:
            released.wait(GUARD_S)

    writer = SinkWriter(Gone())
    writer.put(frame(1))
    assert eventually(lambda: writer.error is not None)
    assert not writer.put(frame(2))
    released.set()
    with pytest.raises(DeviceError, match="gone"):
        writer.close(complete=True)


def test_closed_twice_and_written_to_after() -> None:
    inner = RepeatingListSink()
    writer = SteadyWriter(inner, 100)
    writer.close(complete=False)
    writer.close(complete=True)
    assert inner.closes == [False]
    assert writer.put(frame(1)) is False
