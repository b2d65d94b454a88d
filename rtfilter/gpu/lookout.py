"""`LaunchedLooks`: detection of faces on a device, where it can together with a frame. For `CudaLane`."""

from __future__ import annotations

from rtfilter.gpu.batcher import Batcher
from rtfilter.gpu.work import Work
from rtfilter.planes import Planes
from rtfilter.system.arrays import U8
from rtfilter.tracking.detect import Detection
from rtfilter.tracking.tiles import Tile, whole


class LaunchedLooks:
    """A `tracking.lookout.Lookout` of one stream: a look goes along with the frame's launch."""

    def __init__(self, batcher: Batcher) -> None:
        self._batcher = batcher
        self.reset()

    def reset(self) -> None:
        """Forget what was found."""
        self._pixels: U8 | Planes | None = None
        self._tile: Tile | None = None  # what is yet to be looked into
        self._found: list[Detection] | None = None
        self._everywhere: list[Detection] | None = None

    def picture(self, pixels: U8 | Planes) -> None:
        """The picture that is asked about from now on."""
        self._pixels, self._tile, self._everywhere = pixels, None, None

    def detect(self, tile: Tile | None = None) -> list[Detection]:
        """See `Lookout`."""
        if tile is None and self._everywhere is not None:
            return self._everywhere
        work = Work(look=self._pixels, tile=tile)
        self._batcher.run(work)
        if tile is None:
            self._everywhere = work.found
        return work.found

    def look(self, tile: Tile) -> None:
        """See `Lookout`."""
        self._tile = tile

    def looked(self) -> list[Detection] | None:
        """See `Lookout`."""
        found, self._found = self._found, None
        return found

    def join(self, work: Work) -> None:
        """Have the look, if one is yet to come, done together with a work that is run next."""
        work.look, work.tile = (None, None) if self._tile is None else (self._pixels, self._tile)

    def took(self, work: Work) -> None:
        """Take in what that work found."""
        if work.look is not None and work.tile is not None and self._pixels is not None:
            self._found, self._tile = work.found, None
            height, width = self._pixels.shape[:2]
            if work.tile == whole(width, height):
                self._everywhere = work.found

    def finish(self) -> None:
        """Look now, where no launch came along."""
        if self._tile is not None:
            work = Work()
            self.join(work)
            self._batcher.run(work)
            self.took(work)
        self._pixels = None
