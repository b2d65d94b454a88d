"""Signals that end the program as Ctrl-C does, at any moment of it, and none that is lost.

Called by the command line and the benchmarks. `threads.stop_on_signals` is for what ends in order by itself.
"""

from __future__ import annotations

import _thread
import signal
import sys
import threading
import time
from collections.abc import Coroutine
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

from rtfilter.system.threads import stop_on_signals

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

T = TypeVar("T")
# Signals that came, by name.
came: list[str] = []
NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
# So long after it was lost, an interrupt is raised again; the callback that lost it is over by then.
_AGAIN_S = 0.02


def interrupt_on_signals() -> None:
    """Make SIGINT, SIGTERM and SIGHUP raise KeyboardInterrupt with the signal's name. Ignored ones stay so.

    Python raises it wherever the main thread is. Where that is a callback of C (a module that loads, the
    compiler of numba, a finalizer), Python drops the exception with a note, and the program would go on: it
    is raised again then, until it arrives.
    """
    for name in NAMES:
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)
    sys.unraisablehook = _dropped


def end_on_signals() -> None:
    """Make the signals that raised KeyboardInterrupt end the process at once: its work is done."""
    for name in NAMES:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is _interrupt:
            signal.signal(number, signal.SIG_DFL)


def _interrupt(number: int, _frame: FrameType | None) -> None:
    came.append(signal.Signals(number).name)
    raise KeyboardInterrupt(came[-1])


def _dropped(what: UnraisableHookArgs) -> None:
    """Called by Python with each exception that it cannot raise."""
    if not isinstance(what.exc_value, KeyboardInterrupt):
        sys.__unraisablehook__(what)
        return
    name = str(what.exc_value)
    number = signal.Signals[name] if name in signal.Signals.__members__ else signal.SIGINT
    # Not at once: it would be raised in here. (threading.Thread takes locks that the main thread may hold.)
    _thread.start_new_thread(_again, (number,))


def _again(number: signal.Signals) -> None:
    time.sleep(_AGAIN_S)
    if hasattr(signal, "pthread_kill"):  # this wakes up a main thread that waits
        signal.pthread_kill(threading.main_thread().ident or 0, number)
    else:
        _thread.interrupt_main(number)


def run_until_told(work: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run(work)`, cancelled by SIGINT, SIGTERM or SIGHUP. Raises KeyboardInterrupt then.

    An exception between any two lines of an event loop ends the task that runs there, and whoever waits for
    that one waits for ever.
    """
    import asyncio  # the command line loads this module first of all

    told: list[str] = []

    async def cancellable() -> T:
        task, loop = asyncio.current_task(), asyncio.get_running_loop()
        assert task is not None

        def stop() -> None:
            # A handler runs between any two lines of the loop's thread.
            loop.call_soon_threadsafe(task.cancel)

        with stop_on_signals(stop) as came:
            try:
                return await work
            finally:
                told.extend(came)

    try:
        return asyncio.run(cancellable())
    except asyncio.CancelledError:
        if told:
            raise KeyboardInterrupt(told[0]) from None
        raise
