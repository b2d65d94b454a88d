"""`Painting`: one copy of a frame, on which its faces are painted, one after another. For `render.cpu`.

Every face is painted from the source, so that its edit is what it would be alone. Where two of them change
the same pixels, both changes are added. That is rare and small: there the edges of both edits meet.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from functools import reduce

import numpy as np

from rtfilter.frame import Frame
from rtfilter.planes import Planes
from rtfilter.render.surface import Surface, surface_of
from rtfilter.system.arrays import U8, Box
from rtfilter.system.buffers import Allocate, Buffers
from rtfilter.system.helper import HelperThread

# Measured on eight clips: no next box needed more than the second.
REACH_SHARE, NEXT_REACH_SHARE = 1 / 16, 1 / 8


class Painter:
    """Begins the paintings of one stream, the copy and conversions of each ahead, on the helper."""

    def __init__(self, helper: HelperThread) -> None:
        self._helper = helper
        self._reaches: tuple[Box, ...] = ()
        self._size = (0, 0)  # of the picture in which they lie
        self._empty = Buffers()
        self._prepared: tuple[Frame, Future[list[Surface]]] | None = None

    def prepare(self, frame: Frame) -> None:
        """Copy the frame that is painted next, and convert what it needs, while the tracker runs."""
        self._prepared = None
        if self._reaches and self._size == (frame.width, frame.height):
            self._prepared = (frame, self._helper.submit(_surfaces_of, frame, self._reaches, self._empty))

    def begin(self, frame: Frame) -> Painting:
        """A painting of a frame, prepared or not."""
        prepared, self._prepared = self._prepared, None
        ready = None if prepared is None or prepared[0] is not frame else prepared[1]
        return Painting(frame, ready, self._empty)

    def end(self, painting: Painting) -> Frame:
        """The painted frame; the next one is prepared for faces in the same places."""
        if painting.boxes:
            self._reaches = tuple(painting.grown(box, NEXT_REACH_SHARE) for box in painting.boxes)
            self._size = painting.size
        return painting.frame()


class Painting:
    """One frame while its faces are painted.

    boxes: that were painted. ready: surfaces of the frame, all on one copy.
    """

    def __init__(self, frame: Frame, ready: Future[list[Surface]] | None, empty: Allocate) -> None:
        self.boxes: list[Box] = []
        self._frame, self._ready, self._empty = frame, ready, empty
        self._surfaces: list[Surface] = []

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the frame."""
        return self._frame.width, self._frame.height

    @contextmanager
    def of(self, box: Box) -> Iterator[Surface]:
        """The surface on which a face may change the pixels of a box."""
        surface = self._surface(self.grown(box, REACH_SHARE))
        shared = shared_box(box, self.boxes)
        if shared is None:
            yield surface
        else:
            with added(surface.painted, self._frame.pixels, shared):
                yield surface
        self.boxes.append(box)

    def frame(self) -> Frame:
        """The frame with what was painted so far."""
        if self._ready is not None:
            self._ready.cancel()  # not begun, and of no more use: on a busy machine these would pile up
        if not self.boxes:
            return self._frame.unchanged()
        return self._frame.filtered(self._surfaces[0].painted, whole_box(self.boxes))

    def grown(self, box: Box, share: float) -> Box:
        """`box`, larger by `share` of its longer side and by what a filter reads, within the picture."""
        margin = int(share * max(box.x1 - box.x0, box.y1 - box.y0)) + 3
        return Box(
            max(box.x0 - margin, 0),
            max(box.y0 - margin, 0),
            min(box.x1 + margin, self._frame.width),
            min(box.y1 + margin, self._frame.height),
        )

    def _surface(self, reach: Box) -> Surface:
        """A surface prepared for at least `reach`; all are on one copy of the frame."""
        # On a busy machine the helper may not have come to it: waiting would take longer than doing it here.
        if self._ready is not None and not self._ready.cancel():
            self._surfaces = self._ready.result()
        self._ready = None
        for surface in self._surfaces:
            if surface.reach.holds(reach):
                return surface
        new = (
            self._surfaces[0].beside(reach) if self._surfaces else surface_of(self._frame, reach, self._empty)
        )
        self._surfaces.append(new)
        return new


@contextmanager
def added(painted: U8 | Planes, source: U8 | Planes, box: Box) -> Iterator[None]:
    """Paint another face within a box where some are painted: inside, the box is the source's; afterwards it
    has the changes of all.

    box: its corner even. Planes: of one layout.
    """
    ours, before = parts_of(painted, box), parts_of(source, box)
    earlier = [np.subtract(one, other, dtype=np.int16) for one, other in zip(ours, before, strict=True)]
    for one, other in zip(ours, before, strict=True):
        one[...] = other
    yield
    for one, change in zip(ours, earlier, strict=True):
        np.copyto(one, np.clip(change + one, 0, 255).astype(np.uint8))


def parts_of(pixels: U8 | Planes, box: Box) -> list[U8]:
    """Views of a picture's samples within a box: of RGB, or of each plane."""
    if isinstance(pixels, Planes):
        return pixels.part(box)
    return [pixels[box.y0 : box.y1, box.x0 : box.x1]]


def shared_box(box: Box, others: Sequence[Box]) -> Box | None:
    """The box of all that `box` shares with others; None where it shares nothing."""
    parts = [part for other in others if (part := box.within(other)) is not None]
    return whole_box(parts) if parts else None


def whole_box(boxes: Sequence[Box]) -> Box:
    """The box of all of them; of one at least."""
    return reduce(Box.union, boxes)


def _surfaces_of(frame: Frame, reaches: Sequence[Box], empty: Allocate) -> list[Surface]:
    first = surface_of(frame, reaches[0], empty)
    return [first, *(first.beside(reach) for reach in reaches[1:])]
