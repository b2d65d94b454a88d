"""An even rhythm: repeats, drops, cards, and errors that are heard of."""

from __future__ import annotations

import time

import numpy as np
import pytest

from rtfilter.cam.steady import Pace, SteadySink
from rtfilter.errors import DeviceError, OutputError
from rtfilter.frame import Frame
from rtfilter.system.clock import NS_PER_MS
from tests.fakes.live import eventually
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
    sink = SteadySink(inner, 100)
    sink.write(frame(7))
    assert eventually(lambda: inner.repeats >= 5)
    sink.close(complete=True)
    assert [kept.seq for kept in inner.frames] == [7]
    assert inner.closes == [True]
    assert inner.threads == {"rtfilter-steady"}


def test_nothing_goes_out_before_there_is_something() -> None:
    inner = RepeatingListSink()
    sink = SteadySink(inner, 200)
    time.sleep(0.05)
    sink.close(complete=True)
    assert (inner.frames, inner.repeats) == ([], 0)


def test_a_card_hides_every_frame_until_a_new_one_after_release() -> None:
    inner = RepeatingListSink()
    sink = SteadySink(inner, 200)
    sink.write(frame(1))
    assert eventually(lambda: len(inner.frames) == 1)
    sink.hold(CARD)
    sink.write(frame(2))
    assert eventually(lambda: len(inner.frames) == 2)
    sink.write(frame(3))
    sink.release()
    before = inner.repeats
    assert eventually(lambda: inner.repeats >= before + 3)
    sink.write(frame(4))
    assert eventually(lambda: len(inner.frames) == 3)
    sink.close(complete=True)
    assert [int(kept.rgb[0, 0, 0]) for kept in inner.frames] == [1, 200, 4]


def test_a_slow_card_ends_at_once_with_the_first_frame() -> None:
    inner = RepeatingListSink()
    sink = SteadySink(inner, 100)
    sink.hold(CARD, fps=0.02)
    assert eventually(lambda: len(inner.frames) == 1)
    sink.release()
    sink.write(frame(1))
    assert eventually(lambda: len(inner.frames) == 2, timeout_s=5)
    assert eventually(lambda: inner.repeats >= 3, timeout_s=5)
    sink.close(complete=True)


def test_what_the_device_says_is_heard_at_the_next_write() -> None:
    inner = RepeatingListSink(error=DeviceError("the module is gone"))
    sink = SteadySink(inner, 100)
    sink.write(frame(1))
    assert eventually(lambda: bool(inner.closes))
    with pytest.raises(DeviceError, match="module is gone"):
        sink.write(frame(2))
    with pytest.raises(DeviceError, match="module is gone"):
        sink.check()
    with pytest.raises(DeviceError, match="module is gone"):
        sink.close(complete=True)
    assert inner.closes == [False]


def test_closed_twice_and_written_to_after() -> None:
    inner = RepeatingListSink()
    sink = SteadySink(inner, 100)
    sink.close(complete=False)
    sink.close(complete=True)
    assert inner.closes == [False]
    with pytest.raises(OutputError, match="closed"):
        sink.write(frame(1))
