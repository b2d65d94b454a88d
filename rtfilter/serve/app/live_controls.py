"""`LiveControls`: the wish of one session, changed from any thread, read before every frame."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from rtfilter.controls import Controls
from rtfilter.serve.app.messages import merged

# Told the whole wish and the number of the message that changed it.
Listener = Callable[[Controls, "int | None"], None]


class LiveControls:
    """Holds the newest `Controls`. Changes are serial: none is lost between two who change at once."""

    def __init__(self, controls: Controls) -> None:
        self._current: tuple[Controls, int | None] = (controls, None)
        self._changing = threading.Lock()
        self._listeners: list[Listener] = []

    @property
    def current(self) -> Controls:
        return self._current[0]

    @property
    def newest(self) -> tuple[Controls, int | None]:
        """The wish, and the number of the last numbered message that is in it; of one moment."""
        return self._current

    def change(self, changes: Mapping[str, Any], seq: int | None = None) -> Controls:
        """Apply a merge patch. Raises UsageError and changes nothing when it is not valid."""
        return self._set(lambda before: merged(before, changes), seq)

    def replace(self, controls: Controls, seq: int | None = None) -> Controls:
        """Take `controls` whole."""
        return self._set(lambda _: controls, seq)

    def choose(self, values: Mapping[str, Any], seq: int | None = None) -> Controls:
        """Take a preset: its whole mix in place of the present one, and of the rest what it names."""
        wish = {"emotions": {}, "blendshapes": {}, "valence": 0.0, "arousal": 0.0, "bypass": False, **values}
        return self._set(lambda before: before.with_(**wish), seq)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Have `listener` called after every change, in the thread that made it; returns the way out."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def _set(self, step: Callable[[Controls], Controls], seq: int | None) -> Controls:
        with self._changing:
            before, last_seq = self._current
            after = step(before)
            self._current = (after, last_seq if seq is None else seq)
        for listener in list(self._listeners):
            listener(after, seq)
        return after
