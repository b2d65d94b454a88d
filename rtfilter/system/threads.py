"""Threads that neither hang the program nor lose an error, and stopping on signals.

Called by the live sources, `cam.loop` and the command line.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

_PREFIX = "rtfilter-"
BACKGROUND_NICE = 10


def caught(action: Callable[[], object]) -> BaseException | None:
    """Run `action`; whatever it raises is returned, to be raised again in the thread that cares.

    Threads begin with this: an error that stays in a thread looks like a hang.
    """
    try:
        action()
    except BaseException as error:  # noqa: BLE001 (of any kind: it is raised again elsewhere)
        return error
    return None


def start_thread(name: str, target: Callable[[], object]) -> threading.Thread:
    """A started daemon thread, which does not keep the process alive where it hangs in a device driver."""
    thread = threading.Thread(target=target, name=f"{_PREFIX}{name}", daemon=True)
    thread.start()
    return thread


def give_way() -> None:
    """Let other threads go before this one from now on, where the system can do that (Linux)."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), BACKGROUND_NICE)


def end_process(code: int) -> int:
    """`code`, the exit code of a program that is done; with threads left over, end the process at once.

    Those hang in code of C (a driver, a network that loads) and were given up. Python's end would stop them
    there, which aborts the process now and then.
    """
    if any(thread.daemon and thread.name.startswith(_PREFIX) for thread in threading.enumerate()):
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):  # without a reader, or closed
                stream.flush()
        os._exit(code)
    return code


def run_bounded(name: str, action: Callable[[], object], timeout_s: float) -> BaseException | None:
    """Run `action` in a thread for at most `timeout_s`; its error, a TimeoutError, or None."""
    errors: list[BaseException | None] = []
    thread = start_thread(name, lambda: errors.append(caught(action)))
    thread.join(timeout_s)
    return errors[0] if errors else TimeoutError(f"{name}: not done within {timeout_s:g} s")


@contextmanager
def stop_on_signals(stop: Callable[[], None]) -> Iterator[list[str]]:
    """While inside, the first Ctrl-C (SIGINT), SIGTERM or SIGHUP (a terminal that closes) calls `stop`
    instead of ending the program. SIGHUP that is ignored, as under nohup, stays ignored.

    The second one acts as it did before, which ends the program at once. `stop` runs between two bytecodes of
    the main thread, so it must take no lock (`LiveLoop.stop` takes none). Outside the main thread, where
    Python permits no handlers, nothing is changed. Yields the names of the signals that came.
    """
    came: list[str] = []
    if threading.current_thread() is not threading.main_thread():
        yield came
        return
    numbers = [signal.SIGINT, signal.SIGTERM]
    hangup = getattr(signal, "SIGHUP", None)  # Windows has none
    if hangup is not None and signal.getsignal(hangup) is not signal.SIG_IGN:
        numbers.append(hangup)
    before = {number: signal.getsignal(number) for number in numbers}

    def restore() -> None:
        for number, handler in before.items():
            # None: installed by something other than Python, which can't be put back from here.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def handle(number: int, _frame: FrameType | None) -> None:
        came.append(signal.Signals(number).name)
        restore()
        stop()

    for number in numbers:
        signal.signal(number, handle)
    try:
        yield came
    finally:
        restore()
