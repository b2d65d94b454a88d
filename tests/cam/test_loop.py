"""The live loop: newest wins, nothing queues, the counts add up, and the delay is bounded."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator

import pytest

from rtfilter.cam.loop import LoopReport
from rtfilter.frame import Frame
from rtfilter.gpu.lane import StepReport, StepResult
from rtfilter.system.clock import NS_PER_MS
from rtfilter.system.threads import start_thread
from tests.fakes.live import (
    GUARD_S,
    ListSink,
    ListSource,
    eventually,
    own_threads,
)
from tests.fakes.loops import camera, check_counts, edit, file_frames, frames, loop_of, run, same


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert eventually(lambda: not own_threads()), own_threads()


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

    def step(frame: Frame) -> StepResult:
        taken.append(frame)
        return edit(frame)

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


def test_source_filter_and_sink_each_have_a_thread() -> None:
    sink, stepped = ListSink(), set()

    def step(frame: Frame) -> StepResult:
        stepped.add(threading.current_thread().name)
        return same(frame)

    run(loop_of(ListSource(frames(5), live=True), sink, step))
    assert stepped == {"rtfilter-filter"}
    assert sink.threads == {"rtfilter-sink"}


def test_a_slow_filter_drops_and_always_has_the_newest() -> None:
    """By construction: between two steps the camera goes on, and the next step starts at its newest."""
    source, sink = camera(), ListSink()
    behind: list[int] = []

    def step(frame: Frame) -> StepResult:
        behind.append(source._seq - 1 - frame.seq)
        reached = source._seq + 20
        assert eventually(lambda: source._seq >= reached)
        return same(frame)

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

    def step(frame: Frame) -> StepResult:
        stepped.append(frame.seq)
        if len(stepped) == 2:
            assert sink.writing.wait(GUARD_S)  # from here on the sink is stuck in its first write
        return same(frame)

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


def test_duration() -> None:
    sink = ListSink()
    report = run(loop_of(camera(), sink, duration_s=0.15))
    assert report.filtered >= 2
    assert 0.1 < report.seconds < GUARD_S
    assert sink.frames[-1].captured_ns - sink.frames[0].captured_ns < 200 * NS_PER_MS


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
    report = run(
        loop_of(camera(), sink, lambda frame: StepResult(frame, StepReport(stage_ns=stages)), max_frames=20)
    )
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
