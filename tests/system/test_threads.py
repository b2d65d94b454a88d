"""Threads that lose no error, and signals that stop once and then act as before."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial

import pytest

from rtfilter.system.threads import caught, run_bounded, start_thread, stop_on_signals
from tests.fakes.live import GUARD_S


def fail(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize("error", [OSError("disk"), KeyboardInterrupt(), SystemExit(3)])
def test_whatever_is_raised_is_returned(error: BaseException) -> None:
    assert caught(lambda: fail(error)) is error


def test_nothing_raised_is_none() -> None:
    done: list[int] = []
    assert caught(lambda: done.append(1)) is None
    assert done == [1]


def test_threads_are_named_and_do_not_keep_the_process() -> None:
    names: list[str] = []
    thread = start_thread("worker", lambda: names.append(threading.current_thread().name))
    thread.join(GUARD_S)
    assert names == ["rtfilter-worker"]
    assert thread.daemon


def test_bounded_gives_the_error_or_a_timeout() -> None:
    release = threading.Event()
    assert run_bounded("fine", lambda: None, GUARD_S) is None
    assert str(run_bounded("failing", lambda: fail(OSError("disk")), GUARD_S)) == "disk"
    late = run_bounded("stuck", lambda: release.wait(GUARD_S), 0.02)
    release.set()
    assert isinstance(late, TimeoutError)
    assert "stuck: not done within 0.02 s" in str(late)


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGINT)])
def test_the_first_signal_stops_and_what_was_before_is_back(
    number: signal.Signals, request: pytest.FixtureRequest
) -> None:
    # A shell's background job, or nohup, has the tests ignore it, and an ignored one stays so.
    request.addfinalizer(partial(signal.signal, number, signal.getsignal(number)))
    before = signal.default_int_handler
    signal.signal(number, before)
    stops: list[int] = []
    with stop_on_signals(lambda: stops.append(1)):
        assert signal.getsignal(number) != before
        os.kill(os.getpid(), number)
        deadline_s = time.monotonic() + GUARD_S
        while not stops and time.monotonic() < deadline_s:
            time.sleep(0.001)
        assert stops == [1]
        assert signal.getsignal(number) == before
    assert signal.getsignal(number) == before


def test_handlers_are_put_back_after_an_error() -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(OSError, match="disk"), stop_on_signals(lambda: None):
        fail(OSError("disk"))
    assert signal.getsignal(signal.SIGINT) == before


def test_in_another_thread_nothing_is_changed() -> None:
    before = signal.getsignal(signal.SIGINT)
    seen: list[object] = []

    def look() -> None:
        with stop_on_signals(lambda: None):
            seen.append(signal.getsignal(signal.SIGINT))

    start_thread("look", look).join(GUARD_S)
    assert seen == [before]


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_the_second_ctrl_c_gets_out_of_a_stop_that_hangs() -> None:
    code = (
        "import signal, time\n"
        "from rtfilter.system.threads import stop_on_signals\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a background job ignores it
        "with stop_on_signals(lambda: print('stopping', flush=True)):\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        try:
            assert child.stdout.readline() == "ready\n"
            child.send_signal(signal.SIGINT)
            assert child.stdout.readline() == "stopping\n"
            child.send_signal(signal.SIGINT)
            assert child.wait(GUARD_S) != 0
        finally:
            child.kill()
