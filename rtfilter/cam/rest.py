"""`CameraRest`: the camera, and its light, are off while nobody wants its pictures."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from rtfilter.errors import RtfilterError
from rtfilter.sources.base import Source
from rtfilter.sources.switchable import SwitchableSource
from rtfilter.system.clock import NS_PER_S, Clock
from rtfilter.system.threads import start_thread

# Whoever pauses for a moment does not wait for the camera to start again.
REST_NS = 3 * NS_PER_S
RETRY_NS = NS_PER_S

_log = logging.getLogger(__name__)


class CameraRest:
    """Lets go of the camera behind `source` while it rests, and takes it again.

    opened: the camera, opened; raises RtfilterError. switching: held while a camera is opened or left.
    """

    def __init__(
        self,
        source: SwitchableSource,
        opened: Callable[[], Source],
        switching: threading.Lock,
        clock: Clock,
    ) -> None:
        self._source = source
        self._opened = opened
        self._switching = switching
        self._clock = clock
        self._wanted_ns = self._tried_ns = clock()
        self._waking: threading.Thread | None = None
        self.is_off = False

    def follow(self, resting: bool) -> None:
        """To be called every tenth of a second or so with whether pictures are not wanted now."""
        now_ns = self._clock()
        if not resting:
            self._wanted_ns = now_ns
        if self._waking is not None and self._waking.is_alive():
            return
        if resting and not self.is_off and now_ns - self._wanted_ns >= REST_NS:
            with self._switching:
                self._source.leave()
                self.is_off = True
            self._tried_ns = now_ns - RETRY_NS
        elif self.is_off and not resting and now_ns - self._tried_ns >= RETRY_NS:
            self._tried_ns = now_ns
            # In a thread: a camera may take seconds, and a stop is not to wait for it.
            self._waking = start_thread("camera-wake", self._wake)

    def _wake(self) -> None:
        with self._switching:
            if not self.is_off:
                return  # another camera was chosen meanwhile
            try:
                source = self._opened()
            except RtfilterError as error:
                self._source.problem = str(error)
                _log.warning("%s", error)
                return
            self._source.switch(source)
            self.is_off = False
