"""`CamDisplay`: what the virtual camera shows, pictures or which still card. Called by `cam.job`."""

from __future__ import annotations

import logging
import threading
from typing import Literal

from rtfilter.cam.writer import SteadyWriter
from rtfilter.media.card import still_card
from rtfilter.system.arrays import U8
from rtfilter.system.clock import NS_PER_S, monotonic_ns

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
    """The state of a job, and the card that goes with it. Any thread may call anything.

    size: of the cards, width and height in pixels.
    can_idle: `watched` is called while the sink has watchers.
    paused, keep_awake: requests, followed at the next `refresh`.
    """

    def __init__(self, writer: SteadyWriter, size: tuple[int, int], can_idle: bool) -> None:
        self.paused = self.keep_awake = False
        self._writer = writer
        self._cards = {name: still_card(*size, *texts) for name, texts in _TEXTS.items()}
        self._can_idle = can_idle
        self._changing = threading.Lock()
        self._state: State = "no_video"
        self._card: str | None = None
        self._seen_ns: int | None = None
        self.start()
        self._show("starting")

    @property
    def state(self) -> State:
        """See `CamJob.state`."""
        return self._state

    @property
    def resting(self) -> bool:
        """Whether pictures are not needed now."""
        return self._state in ("paused", "idle")

    def start(self) -> None:
        """Pictures may come from now on; the time before does not count."""
        self._since_ns = self._watched_ns = monotonic_ns()

    def seen(self) -> None:
        """A filtered picture is on its way to the sink."""
        self._seen_ns = monotonic_ns()
        if self._state != "live":
            self.refresh()

    def watched(self) -> None:
        """Some program reads the sink now."""
        self._watched_ns = monotonic_ns()

    def refresh(self) -> None:
        """Bring state and sink in line with the requests, the camera and the watchers."""
        with self._changing:
            before, now_ns = self._state, monotonic_ns()
            state = self._state_at(now_ns)
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

    def _show(self, card: str | None) -> None:
        if card != self._card:
            self._card = card
            if card is None:
                self._writer.release()
            else:
                self._writer.hold(self._cards[card], IDLE_FPS if card == "idle" else None)

    def _state_at(self, now_ns: int) -> State:
        if self.paused:
            return "paused"
        if self._can_idle and not self.keep_awake and now_ns - self._watched_ns >= UNWATCHED_NS:
            return "idle"
        if self._seen_ns is None or now_ns - self._seen_ns >= SILENT_NS:
            return "no_video"
        return "live"
