"""Signals that end the program wherever it is, and event loops that end in order."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from tests.fakes.live import GUARD_S

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals, missing")

_START = """
import asyncio, os, signal, sys, time, weakref
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it, and nohup the next
signal.signal(signal.SIGHUP, signal.SIG_DFL)
from rtfilter.system.interrupts import interrupt_on_signals, run_until_told
interrupt_on_signals()
class Thing: pass
"""
# Python drops what is raised in the first two, where modules of C load or finalizers run.
_LOST = {
    "finalizer": "thing = Thing(); weakref.finalize(thing, hit); del thing",
    "weak reference": "thing = Thing(); kept = weakref.ref(thing, lambda _: hit()); del thing",
    "plain": "hit()",
}


def result_of(code: str) -> tuple[int, str, str]:
    """Exit code, output and messages of a program, which must end in time."""
    done = subprocess.run(
        [sys.executable, "-c", _START + code], capture_output=True, text=True, timeout=3 * GUARD_S
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("where", _LOST)
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_an_interrupt_that_python_drops_comes_again(where: str, name: str) -> None:
    code = f"""
def hit():
    os.kill(os.getpid(), signal.{name})
    for _ in range(1000): pass
try:
    {_LOST[where]}
    time.sleep({GUARD_S})
except KeyboardInterrupt as error:
    print(error)
"""
    started_s = time.monotonic()
    assert result_of(code) == (0, f"{name}\n", "")
    assert time.monotonic() - started_s < GUARD_S


def test_what_else_is_dropped_is_told_as_ever() -> None:
    code, out, said = result_of("thing = Thing(); weakref.finalize(thing, lambda: 1 / 0); del thing")
    assert (code, out) == (0, "")
    assert "ZeroDivisionError" in said


def test_an_event_loop_ends_its_work_in_order() -> None:
    code = """
async def other(started):
    started.set()
    await asyncio.sleep(60)
async def work():
    # Others run on while the work ends: it may wait for them.
    started = asyncio.Event()
    task = asyncio.create_task(other(started))
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(60)
    finally:
        await started.wait()
        print("in order", task.done())
try:
    run_until_told(work())
except KeyboardInterrupt as error:
    print(error)
"""
    assert result_of(code) == (0, "in order False\nSIGTERM\n", "")


def test_a_loop_that_is_not_told_gives_its_result() -> None:
    assert result_of("print(run_until_told(asyncio.sleep(0, 'done')))") == (0, "done\n", "")


@pytest.mark.parametrize("stuck", [True, False])
def test_a_program_does_not_wait_for_threads_that_were_given_up(stuck: bool) -> None:
    seconds = 3 * GUARD_S if stuck else 0.0
    code = f"""
import atexit
from rtfilter.system.threads import end_process, start_thread
thread = start_thread("worker", lambda: time.sleep({seconds}))
thread.join(0.2)
atexit.register(print, "the interpreter's end")
print("said")
sys.exit(end_process(3))
"""
    assert result_of(code) == (3, "said\n" if stuck else "said\nthe interpreter's end\n", "")
