"""Interruption between the steps of a training, so that what is saved is a whole number of steps.

Called by `training.steps` and `stccl.train`.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

_NAMES: Final = ("SIGINT", "SIGTERM", "SIGHUP")


class Interruption:
    """asked: whether a signal came. Its name is the text of `error`."""

    def __init__(self) -> None:
        self.asked = False
        self._name = ""

    def ask(self, name: str) -> None:
        """Take note of a signal."""
        self.asked, self._name = True, name

    def error(self) -> KeyboardInterrupt:
        """What to raise once all is saved."""
        return KeyboardInterrupt(*[self._name] * bool(self._name))


@contextmanager
def between_steps() -> Iterator[Interruption]:
    """Signals that would raise KeyboardInterrupt anywhere are noted instead, to be read between steps.

    A second one is raised at once, should a step not end. Handlers are as before at the end. Outside the main
    thread, which alone gets signals, nothing is changed.
    """
    found = Interruption()
    before: dict[int, Any] = {}

    def note(number: int, frame: FrameType | None) -> None:
        if found.asked:
            before[number](number, frame)
        found.ask(signal.Signals(number).name)

    for name in _NAMES:
        number = getattr(signal, name, None)  # Windows has no SIGHUP
        # A signal that ends the process, or is ignored, goes on doing so.
        if number is None or not callable(handler := signal.getsignal(number)):
            continue
        before[number] = handler
        try:
            signal.signal(number, note)
        except ValueError:  # not the main thread
            before.clear()
            break
    try:
        yield found
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
