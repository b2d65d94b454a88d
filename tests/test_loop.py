"""The live loop: newest wins, counts add up, delay is bounded, and it ends cleanly however it ends."""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from rtfilter.clock import NS_PER_MS, monotonic_ns
from rtfilter.controls import Controls
from rtfilter.errors import DeviceError, OutputError, UsageError
from rtfilter.frame import Box, Frame
from rtfilter.loop import LiveLoop
from rtfilter.loop_report import LoopReport
from rtfilter.sources.camera import CameraSource
from rtfilter.threads import caught, start_thread
from tests.fakes.live import (
    GUARD_S,
    HangingSource,
    ListSink,
    ListSource,
    Opener,
    ScriptedCapture,
    eventually,
    own_threads,
    picture,
)

PIXELS = np.zeros((6, 8, 3), np.uint8)
CONTROLS = Controls({"happy": 0.5})


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert eventually(lambda: not own_threads()), own_threads()


def frames(count: int | None = None) -> Iterator[Frame]:
    for n in itertools.count() if count is None else range(count):
        now_ns = monotonic_ns()
        yield Frame(PIXELS, now_ns, captured_ns=now_ns, seq=n)


def file_frames(count: int) -> list[Frame]:
    return [Frame(PIXELS, n, Fraction(1, 100), n * 10 * NS_PER_MS, n) for n in range(count)]


def camera(interval_s: float = 0.001) -> CameraSource:
    """Endless, with a capture thread of its own, as a real one."""
    capture = ScriptedCapture((picture() for _ in itertools.count()), interval_s=interval_s)
    return CameraSource(0, open_capture=Opener([capture]))


def edit(frame: Frame, _controls: Controls) -> Frame:
    return frame.filtered(frame.rgb + np.uint8(1), Box(0, 0, 8, 6))


def loop_of(
    source: Any, sink: ListSink, step: Callable[[Frame, Controls], Frame] = edit, **options: Any
) -> LiveLoop:
    return LiveLoop(source, step, sink, lambda: CONTROLS, **options)


def run(loop: LiveLoop) -> LoopReport:
    """`loop.run()`, for a limited time; its error is raised here."""
    reports: list[LoopReport] = []
    errors: list[BaseException | None] = []
    thread = start_thread("run", lambda: errors.append(caught(lambda: reports.append(loop.run()))))
    thread.join(3 * GUARD_S)
    assert not thread.is_alive(), "run() hangs"
    if errors[0] is not None:
        raise errors[0]
    return reports[0]


def check_counts(report: LoopReport, sink: ListSink) -> None:
    assert report.written == len(sink.frames)
    assert report.captured >= report.filtered >= report.written
    assert report.captured == report.filtered + report.dropped_before_filter
    assert report.filtered == report.written + report.dropped_before_sink


def test_the_end_of_the_source_ends_it_with_the_last_frame_written() -> None:
    source, sink = ListSource(frames(30), live=True), ListSink()
    report = run(loop_of(source, sink))
    check_counts(report, sink)
    assert (report.captured, report.filtered) == (30, 30)
    assert sink.frames[-1].seq == 29
    assert sink.closes == [True]
    assert source.closed.is_set()


def test_frames_keep_their_order_times_and_original() -> None:
    taken: list[Frame] = []

    def step(frame: Frame, controls: Controls) -> Frame:
        assert controls is CONTROLS
        taken.append(frame)
        return edit(frame, controls)

    sink = ListSink()
    run(loop_of(camera(), sink, step, max_frames=30))
    by_seq = {frame.seq: frame for frame in taken}
    seqs = [frame.seq for frame in sink.frames]
    assert seqs == sorted(set(seqs))
    for frame in sink.frames:
        source_frame = by_seq[frame.seq]
        assert frame.original is source_frame
        assert (frame.pts, frame.captured_ns) == (source_frame.pts, source_frame.captured_ns)
        assert (frame.rgb == source_frame.rgb + 1).all()


def test_controls_are_asked_before_every_frame() -> None:
    wishes = iter([Controls(mouth=mouth) for mouth in (0.1, 0.2, 0.3, 0.4)])
    seen: list[float] = []

    def step(frame: Frame, controls: Controls) -> Frame:
        seen.append(controls.mouth)
        return frame

    sink = ListSink()
    run(LiveLoop(ListSource(frames(4), live=True), step, sink, lambda: next(wishes)))
    assert seen == [0.1, 0.2, 0.3, 0.4]


def test_source_filter_and_sink_each_have_a_thread() -> None:
    sink, stepped = ListSink(), set()

    def step(frame: Frame, controls: Controls) -> Frame:
        stepped.add(threading.current_thread().name)
        return frame

    run(loop_of(ListSource(frames(5), live=True), sink, step))
    assert stepped == {"rtfilter-filter"}
    assert sink.threads == {"rtfilter-sink"}


def test_a_slow_filter_drops_and_always_has_the_newest() -> None:
    """By construction: between two steps the camera goes on, and the next step starts at its newest."""
    source, sink = camera(), ListSink()
    behind: list[int] = []

    def step(frame: Frame, controls: Controls) -> Frame:
        behind.append(source._seq - 1 - frame.seq)
        reached = source._seq + 20
        assert eventually(lambda: source._seq >= reached)
        return frame

    report = run(loop_of(source, sink, step, max_frames=15))
    check_counts(report, sink)
    seqs = [frame.seq for frame in sink.frames]
    assert report.filtered == 15
    assert report.dropped_before_filter >= 14 * 19
    assert all(late - early >= 20 for early, late in itertools.pairwise(seqs))
    # A queue would be 20 further behind at every step.
    assert max(behind[1:]) < 20


def test_a_slow_sink_never_delays_the_filter() -> None:
    hold = threading.Event()
    sink = ListSink(hold=hold)
    stepped: list[int] = []

    def step(frame: Frame, controls: Controls) -> Frame:
        stepped.append(frame.seq)
        if len(stepped) == 2:
            assert sink.writing.wait(GUARD_S)  # from here on the sink is stuck in its first write
        return frame

    loop = loop_of(camera(), sink, step)
    thread = start_thread("run", lambda: run(loop))
    assert eventually(lambda: len(stepped) >= 100)
    assert loop.report().written == 0
    assert loop.report().dropped_before_sink >= 98
    loop.stop()
    hold.set()
    thread.join(GUARD_S)
    report = loop.report()
    check_counts(report, sink)
    # The one it was stuck with, then the newest; at most one more came while it wrote that.
    assert 2 <= len(sink.frames) <= 3
    assert sink.frames[-1].seq == stepped[-1]
    assert sink.closes == [True]


@pytest.mark.parametrize("count", [1, 7])
def test_max_frames(count: int) -> None:
    sink = ListSink()
    report = run(loop_of(camera(), sink, max_frames=count))
    assert report.filtered == count
    assert sink.closes == [True]


def test_duration() -> None:
    sink = ListSink()
    report = run(loop_of(camera(), sink, duration_s=0.15))
    assert report.filtered >= 2
    assert 0.1 < report.seconds < GUARD_S
    assert sink.frames[-1].captured_ns - sink.frames[0].captured_ns < 200 * NS_PER_MS


@pytest.mark.parametrize("limit", [{"max_frames": 0}, {"duration_s": 0.0}, {"duration_s": float("nan")}])
def test_limits_that_make_no_sense(limit: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="expected"):
        loop_of(ListSource([], live=True), ListSink(), **limit)


def test_stop_from_another_thread() -> None:
    sink = ListSink()
    loop = loop_of(camera(), sink)
    thread = start_thread("run", lambda: run(loop))
    assert sink.writing.wait(GUARD_S)
    loop.stop()
    loop.stop()
    thread.join(GUARD_S)
    assert not thread.is_alive()
    assert sink.closes == [True]


def test_stop_while_the_source_gives_nothing() -> None:
    source, sink = HangingSource(frames(3)), ListSink()
    loop = loop_of(source, sink)
    thread = start_thread("run", lambda: run(loop))
    assert eventually(lambda: len(sink.frames) > 0)
    loop.stop()
    thread.join(GUARD_S / 2)
    assert not thread.is_alive()
    assert sink.closes == [True]


def test_stop_before_run() -> None:
    sink = ListSink()
    loop = loop_of(camera(), sink)
    loop.stop()
    assert run(loop).filtered <= 1
    assert sink.closes == [True]


def test_a_source_that_hears_nothing_is_given_up() -> None:
    source, sink = HangingSource(frames(2), deaf=True), ListSink()
    loop = loop_of(source, sink, join_s=0.1)
    threading.Timer(0.05, loop.stop).start()
    with pytest.raises(DeviceError, match=r"list: source or filter did not stop within 0\.1 s"):
        run(loop)
    assert eventually(lambda: sink.closes == [False])
    source.release.set()


def test_a_sink_that_hangs_is_given_up() -> None:
    hold = threading.Event()
    sink = ListSink(hold=hold)
    with pytest.raises(OutputError, match=r"did not finish within 0\.1 s: is its disk or device stuck"):
        run(loop_of(ListSource(frames(5), live=True), sink, join_s=0.1))
    hold.set()
    assert eventually(lambda: sink.closes == [False])


def test_an_error_of_the_filter_is_raised_once_and_the_result_is_not_complete() -> None:
    sink = ListSink()

    def step(frame: Frame, controls: Controls) -> Frame:
        if frame.seq >= 3:
            raise DeviceError("the accelerator is gone")
        return frame

    source = ListSource(frames(), live=True)
    loop = loop_of(source, sink, step)
    with pytest.raises(DeviceError, match="the accelerator is gone"):
        run(loop)
    assert sink.closes == [False]
    assert source.closed.is_set()
    assert loop.report().filtered == 3


def test_an_error_of_the_sink() -> None:
    sink = ListSink(error=OutputError("disk full"), fail_at=2)
    source = camera()
    loop = loop_of(source, sink)
    with pytest.raises(OutputError, match="disk full"):
        run(loop)
    assert sink.closes == [False]
    assert len(sink.frames) == 2
    assert source.read(0.1) is None


def test_an_error_of_the_source_comes_after_what_it_gave() -> None:
    sink = ListSink()
    source = ListSource([*frames(2), DeviceError("camera:0 is gone")], live=True)
    with pytest.raises(DeviceError, match="camera:0 is gone"):
        run(loop_of(source, sink))
    assert sink.frames[-1].seq == 1
    assert sink.closes == [False]


def test_a_frozen_camera_ends_it_after_its_time() -> None:
    thaw = threading.Event()
    source = CameraSource(0, open_capture=Opener([ScriptedCapture([picture(), thaw])]))
    sink = ListSink()
    with pytest.raises(DeviceError, match="is frozen"):
        run(loop_of(source, sink, source_timeout_s=0.05))
    thaw.set()
    assert len(sink.frames) == 1


@pytest.mark.parametrize("broken", ["controls", "stage_ns", "on_tick"])
def test_an_error_of_any_callback(broken: str) -> None:
    def fail(*_: object) -> Any:
        raise ValueError(f"{broken} broke")

    options: dict[str, Any] = {"controls": lambda: CONTROLS, "tick_s": 0.0, broken: fail}
    sink = ListSink()
    loop = LiveLoop(camera(), edit, sink, **options)
    with pytest.raises(ValueError, match=f"{broken} broke"):
        run(loop)
    assert sink.closes == [False]


def test_an_error_of_the_closing_sink_alone_is_raised() -> None:
    sink = ListSink()
    sink.close_error = OutputError("disk full")
    with pytest.raises(OutputError, match="disk full"):
        run(loop_of(ListSource(frames(3), live=True), sink))


def test_the_first_error_is_raised_and_its_consequence_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    sink = ListSink(error=OutputError("disk full"))
    sink.close_error = OSError("cannot remove the partial file")
    with pytest.raises(OutputError, match="disk full"):
        run(loop_of(camera(), sink))
    assert "cannot remove the partial file" in caplog.text


def test_it_runs_once() -> None:
    loop = loop_of(ListSource(frames(3), live=True), ListSink())
    run(loop)
    with pytest.raises(UsageError, match="has run already"):
        run(loop)


def test_a_file_is_paced_and_its_last_frame_arrives() -> None:
    source, sink = ListSource(file_frames(20)), ListSink()
    report = run(loop_of(source, sink))
    check_counts(report, sink)
    assert sink.frames[-1].seq == 19
    assert sink.frames[-1].captured_ns - sink.frames[0].captured_ns >= 100 * NS_PER_MS
    assert source.closed.is_set()
    assert 0 <= report.timings["age_at_sink"]["p50_ms"] < 1000 * GUARD_S


def test_report_has_counts_drops_and_stages() -> None:
    sink = ListSink()
    stages = {"track": 5 * NS_PER_MS, "total": 7 * NS_PER_MS}
    report = run(loop_of(camera(), sink, stage_ns=lambda: stages, max_frames=20))
    timings = report.timings
    assert set(timings) == {"age_at_filter", "filter", "filter.track", "filter.total", "sink", "age_at_sink"}
    assert timings["filter.track"] == {"p50_ms": 5.0, "p95_ms": 5.0, "p99_ms": 5.0, "count": 20}
    assert timings["filter"]["count"] == report.filtered
    assert timings["sink"]["count"] == timings["age_at_sink"]["count"] == report.written
    assert timings["age_at_sink"]["p50_ms"] >= timings["age_at_filter"]["p50_ms"] >= 0
    told = json.loads(json.dumps(report.as_dict()))
    assert told["dropped_before_filter"] == report.captured - report.filtered
    assert told["dropped_before_sink"] == report.filtered - report.written
    assert told["timings"]["filter.total"]["count"] == 20


def test_report_of_a_loop_that_got_no_frame() -> None:
    report = run(loop_of(ListSource([], live=True), ListSink()))
    assert report.as_dict() == {
        "captured": 0,
        "filtered": 0,
        "written": 0,
        "seconds": 0.0,
        "timings": {},
        "dropped_before_filter": 0,
        "dropped_before_sink": 0,
    }


def test_ticks_tell_the_progress() -> None:
    ticks: list[LoopReport] = []
    run(loop_of(camera(), ListSink(), duration_s=0.4, on_tick=ticks.append, tick_s=0.1))
    assert ticks
    counts = [tick.filtered for tick in ticks]
    assert counts == sorted(counts)


CHILD = """
import sys, threading
from tests.test_loop import camera, loop_of
from tests.fakes.live import ListSink
from rtfilter.threads import stop_on_signals

sink = ListSink()
loop = loop_of(camera(), sink)
threading.Thread(target=lambda: (sink.writing.wait(), print("running", flush=True)), daemon=True).start()
if sys.argv[1] == "handled":
    with stop_on_signals(loop.stop):
        report = loop.run()
    print("written", report.written == len(sink.frames), sink.closes, threading.active_count())
else:
    try:
        loop.run()
    except KeyboardInterrupt:
        print("interrupted", sink.closes)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
@pytest.mark.parametrize(
    ("how", "number", "says"),
    [
        ("handled", signal.SIGINT, "written True [True] 1"),
        ("handled", signal.SIGTERM, "written True [True] 1"),
        ("bare", signal.SIGINT, "interrupted [True]"),
    ],
)
def test_signals_end_it_cleanly(how: str, number: signal.Signals, says: str, root: Any) -> None:
    command = [sys.executable, "-c", CHILD, how]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=root, **pipes) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == "running\n"
            time.sleep(0.1)
            child.send_signal(number)
            out, err = child.communicate(timeout=GUARD_S)
        finally:
            child.kill()
    assert (child.returncode, out.strip(), err) == (0, says, "")
