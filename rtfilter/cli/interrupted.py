"""What a verb that was interrupted says: by what, after how much, and what was kept."""

from __future__ import annotations

import signal
import sys
from types import FrameType

EXIT_INTERRUPTED = 128 + signal.SIGINT


class InterruptedJob(KeyboardInterrupt):
    """An interruption of which the user has been told what was kept; nothing more is to be said."""


def raise_interrupted(number: int, _frame: FrameType | None) -> None:
    """A signal handler that ends a verb as Ctrl-C does, and remembers the signal's name."""
    raise KeyboardInterrupt(signal.Signals(number).name)


def interrupt_on_hangup_and_term() -> None:
    """A closed terminal and a polite kill end a run as Ctrl-C does: with nothing half-made left."""
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        # Under nohup it is ignored, and stays so.
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, raise_interrupted)


def cause(error: KeyboardInterrupt) -> str:
    """The signal's name; Ctrl-C's comes without one."""
    return str(error) or "SIGINT"


def say_interrupted(error: KeyboardInterrupt, what: str = "", program: str = "rtfilter") -> None:
    """One line on stderr; `what` says how far it had come and what was kept."""
    print(f"{program}: interrupted ({cause(error)}){what and ' '}{what}", file=sys.stderr, flush=True)
