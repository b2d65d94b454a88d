"""`CamDisplay`: what the virtual camera shows when: filtered pictures, or which still card."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Literal

from rtfilter.cam.steady import SteadySink
from rtfilter.media.card import still_card
from rtfilter.system.arrays import U8
from rtfilter.system.clock import NS_PER_S, Clock

State = Literal["live", "no_video", "paused", "idle"]

# Shorter gaps are bridged by the last picture.
SILENT_NS = 2 * NS_PER_S
# A watcher that reconnects, or a program that looks at all cameras, does not toggle the filter.
UNWATCHED_NS = 5 * NS_PER_S
IDLE_FPS = 5.0

_TEXTS = {
    "starting": ("Starting", "the picture comes in a moment"),
    "no_video": ("No picture", "waiting for the camera to come back"),
    "paused": ("Paused", "the picture will be back"),
    "idle": ("Waking up", "if this stays: rtfilter cam --no-idle"),
}

_log = logging.getLogger(__name__)


def starting_card(width: int, height: int) -> U8:
    """The first card: uint8 [height, width, 3] RGB."""
    return still_card(width, height, *_TEXTS["starting"])


class CamDisplay:
    """Any thread may call anything. size: of the cards, width and height in pixels.

    can_idle: somebody calls `watched` while the sink has watchers.
    paused, keep_awake: wishes, followed at the next `refresh`.
    """

    def __init__(self, sink: SteadySink, size: tuple[int, int], can_idle: bool, clock: Clock) -> None:
        self.paused = self.keep_awake = False
        self.on_state: Callable[[State], None] | None = None
        self._sink = sink
        self._cards = {name: still_card(*size, *texts) for name, texts in _TEXTS.items()}
        self._can_idle = can_idle
        self._clock = clock
        self._changing = threading.Lock()
        self._state: State = "no_video"
        self._card: str | None = None
        self._seen_ns: int | None = None
        self._since_ns = self._watched_ns = clock()
        self._show("starting")

    @property
    def state(self) -> State:
        return self._state

    @property
    def resting(self) -> bool:
        """Whether pictures are not wanted now."""
        return self._state in ("paused", "idle")

    def start(self) -> None:
        """Pictures may come from now on; what came before counts for nothing."""
        self._since_ns = self._watched_ns = self._clock()

    def seen(self) -> None:
        """A filtered picture is on its way to the sink."""
        self._seen_ns = self._clock()
        if self._state != "live":
            self.refresh()

    def watched(self) -> None:
        """Somebody watches now."""
        self._watched_ns = self._clock()

    def refresh(self) -> None:
        """Bring state and sink in line with the wishes and the world."""
        with self._changing:
            before, state, now_ns = self._state, self._state_now(), self._clock()
            if state != before:
                self._state, self._since_ns = state, now_ns
                _log.info("%s", state)
            if state == "live":
                self._show(None)
            elif state != "no_video":
                # What was seen before says nothing about the time after.
                self._seen_ns = None
                self._show(state)
            elif before == "live" or now_ns - self._since_ns >= SILENT_NS:
                # Otherwise the camera still has a moment: the card of before stays.
                self._show("no_video")
        if state != before and self.on_state is not None:
            self.on_state(state)

    def _show(self, card: str | None) -> None:
        if card != self._card:
            self._card = card
            if card is None:
                self._sink.release()
            else:
                self._sink.hold(self._cards[card], IDLE_FPS if card == "idle" else None)

    def _state_now(self) -> State:
        now_ns = self._clock()
        if self.paused:
            return "paused"
        if self._can_idle and not self.keep_awake and now_ns - self._watched_ns >= UNWATCHED_NS:
            return "idle"
        if self._seen_ns is None or now_ns - self._seen_ns >= SILENT_NS:
            return "no_video"
        return "live"
