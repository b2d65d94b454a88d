"""The live loop ends cleanly, however it ends: stop, signal, error of any part, parts that hang."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from rtfilter.cam import loop as cam_loop
from rtfilter.cam.loop import LiveLoop
from rtfilter.cam.writer import SinkWriter
from rtfilter.errors import DeviceError, OutputError, UsageError
from rtfilter.frame import Frame
from rtfilter.gpu.lane import StepResult
from rtfilter.sources.camera import CameraSource
from rtfilter.system.threads import start_thread
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
from tests.fakes.loops import camera, frames, loop_of, run, same


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert eventually(lambda: not own_threads()), own_threads()


@pytest.mark.parametrize("duration_s", [0.0, float("nan")])
def test_a_duration_that_makes_no_sense(duration_s: float) -> None:
    writer = SinkWriter(ListSink())
    with pytest.raises(UsageError, match="expected"):
        LiveLoop(ListSource([], live=True), same, writer, duration_s=duration_s)
    writer.close(complete=False)


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


def test_its_duration_ends_it_while_the_source_gives_nothing() -> None:
    sink = ListSink()
    loop = loop_of(HangingSource(frames(3)), sink, duration_s=0.1)
    started_s = time.monotonic()
    assert run(loop).filtered <= 3
    assert time.monotonic() - started_s < GUARD_S / 2
    assert sink.closes == [True]


def test_stop_before_run() -> None:
    sink = ListSink()
    loop = loop_of(camera(), sink)
    loop.stop()
    assert run(loop).filtered <= 1
    assert sink.closes == [True]


def test_a_source_that_hears_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cam_loop, "JOIN_S", 0.1)
    source, sink = HangingSource(frames(2), deaf=True), ListSink()
    loop = loop_of(source, sink)
    threading.Timer(0.05, loop.stop).start()
    with pytest.raises(DeviceError, match=r"list: source or filter did not stop within 0\.1 s"):
        run(loop)
    assert eventually(lambda: sink.closes == [False])
    source.release.set()


def test_a_sink_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cam_loop, "JOIN_S", 0.1)
    hold = threading.Event()
    sink = ListSink(hold=hold)
    with pytest.raises(OutputError, match=r"did not finish within 0\.1 s: is its disk or device stuck"):
        run(loop_of(ListSource(frames(5), live=True), sink))
    hold.set()
    assert eventually(lambda: sink.closes == [False])


def test_an_error_of_the_filter_is_raised_once_and_the_result_is_not_complete() -> None:
    sink = ListSink()

    def step(frame: Frame) -> StepResult:
        if frame.seq >= 3:
            raise DeviceError("the accelerator is gone")
        return same(frame)

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


def test_a_frozen_camera_ends_it_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cam_loop, "SOURCE_TIMEOUT_S", 0.05)
    thaw = threading.Event()
    source = CameraSource(0, open_capture=Opener([ScriptedCapture([picture(), thaw])]))
    sink = ListSink()
    with pytest.raises(DeviceError, match="is frozen"):
        run(loop_of(source, sink))
    thaw.set()
    assert len(sink.frames) == 1


def test_an_error_of_the_callback() -> None:
    def fail(*_: object) -> Any:
        raise ValueError("on_tick broke")

    sink = ListSink()
    with pytest.raises(ValueError, match="on_tick broke"):
        run(loop_of(camera(), sink, on_tick=fail, tick_s=0.0))
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


CHILD = """
import sys, threading
from tests.fakes.loops import camera, loop_of
from tests.fakes.live import ListSink
from rtfilter.system.threads import stop_on_signals

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
