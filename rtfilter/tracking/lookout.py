"""Detection of faces beside a stream: started in one picture, and what it found is used in the next.

Called by `tracking.engine`. The detector's input is sampled at once, so the picture need not last; the
network runs on a thread of its own while the caller goes on. It is always awaited in the next picture: the
same pictures give the same answers on any machine.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Protocol

from rtfilter.planes import Planes
from rtfilter.system.arrays import U8
from rtfilter.system.helper import HelperThread
from rtfilter.tracking.detect import Detection, Letterbox
from rtfilter.tracking.tiles import Tile, whole


class Lookout(Protocol):
    """What a follower asks for besides landmarks; of one picture after another."""

    def detect(self, tile: Tile | None = None) -> Sequence[Detection]:
        """The faces in a square of this picture, or in all of it; now."""
        ...

    def look(self, tile: Tile) -> None:
        """Start to detect faces in a square of this picture; once a picture."""
        ...

    def looked(self) -> Sequence[Detection] | None:
        """What the last picture's `look` found, once; None when there was none."""
        ...


class Detector(Protocol):
    """The network with its input array; for one thread at a time."""

    def see(self, pixels: U8 | Planes, tile: Tile | None = None) -> Letterbox:
        """Write a square of a picture, or all of it, into the input."""
        ...

    def faces(self, box: Letterbox) -> list[Detection]:
        """Run the network on its input: the faces there, the surest first."""
        ...


class LookAside:
    """A `Lookout` whose looks run on a helper thread, which is started with the first one."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._helper: HelperThread | None = None
        self._pixels: U8 | Planes | None = None
        self._is_whole = False
        self._under_way: Future[list[Detection]] | None = None

    def picture(self, pixels: U8 | Planes | None) -> None:
        """The picture that is asked about from now on; None after the last question, to let go of it."""
        self._pixels = pixels

    def detect(self, tile: Tile | None = None) -> list[Detection]:
        """See `Lookout`."""
        if self._under_way is not None:
            found = self._under_way.result()
            if self._is_whole and tile is None:
                return found
        return self._detector.faces(self._detector.see(self._shown, tile))

    def look(self, tile: Tile) -> None:
        """See `Lookout`."""
        assert self._under_way is None, "one look a picture"
        height, width = self._shown.shape[:2]
        self._is_whole = tile == whole(width, height)
        box = self._detector.see(self._shown, tile)
        if self._helper is None:
            self._helper = HelperThread("rtfilter-look")
            _finish_before_fork(self)
        self._helper.step_aside()
        self._under_way = self._helper.submit(self._detector.faces, box)

    def looked(self) -> list[Detection] | None:
        """See `Lookout`. Raises what the network raised."""
        if self._under_way is None:
            return None
        self.finish()
        found, self._under_way = self._under_way, None
        return found.result()

    def finish(self) -> None:
        """Wait until the look that was started is done."""
        if self._under_way is not None:
            self._under_way.exception()

    def reset(self) -> None:
        """Drop what is being looked for."""
        self.finish()
        self._under_way = self._pixels = None

    def close(self) -> None:
        """End the thread. May be called twice."""
        self.reset()
        if self._helper is not None:
            self._helper.close()

    @property
    def _shown(self) -> U8 | Planes:
        assert self._pixels is not None, "picture() comes first"
        return self._pixels


_open: weakref.WeakSet[LookAside] = weakref.WeakSet()


def _finish_all() -> None:
    for lookout in list(_open):
        lookout.finish()


def _finish_before_fork(lookout: LookAside) -> None:
    """A fork copies no threads: what one is computing would never be done in the child."""
    register: Callable[..., None] | None = getattr(os, "register_at_fork", None)
    if register is not None and not _registered:
        _registered.append(True)
        register(before=_finish_all)
    _open.add(lookout)


_registered: list[bool] = []
