"""One person followed from picture to picture: when to detect, which face is theirs, where to look next.

Called by `tracking.find`, which has the steps of one picture, and `tracking.crowd`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from rtfilter.tracking.crossing import CrossingWatch, Spot, place_of
from rtfilter.tracking.detect import Detection, faces_in
from rtfilter.tracking.doubt import Doubt, is_at
from rtfilter.tracking.roi import MARGIN, Roi
from rtfilter.tracking.tiles import Search, Tile, whole

F32 = npt.NDArray[np.float32]

PRESENCE_MIN = 0.5  # MediaPipe's; less is no face
REMEMBER_S = 1.0  # a face that comes back within this time is the same one
# Pictures between two detections of all faces: without company lately, and with.
LOOK_EVERY_ALONE, LOOK_EVERY_IN_COMPANY = 15, 6
OWN_EVERY = 3  # of the looks in doubt, which are for surer faces: one is at the face itself


class Follower:
    """One followed face: the largest at first, then the same one through crossings and absences.

    Lengths are in pixels of the picture, times in seconds of presentation time.

    Attributes:
        is_first: whether this picture is the stream's first.
        chosen: the place of a face to turn to in the next picture, in shares of its width and height.
    """

    def __init__(self) -> None:
        self.chosen: tuple[float, float] | None = None
        self.is_first = True
        self._roi: Roi | None = None
        self._place: Spot | None = None
        self._size: tuple[int, int] | None = None
        self._seen_s = -math.inf
        self._looked = 0
        self._looking: tuple[Tile, float] | None = None  # where the last picture was looked at, and its time
        self._search = Search()
        self._person, self._new = 0, False
        self._fresh = True  # the square is a detector's, not yet one laid around landmarks
        self._rough = False
        self._crossing = CrossingWatch()
        self._doubt = Doubt()

    @property
    def roi(self) -> Roi | None:
        """The square to look in for the face in the next picture; None when a detection is needed."""
        return self._roi

    @property
    def place(self) -> Spot | None:
        """Where the face was last seen; None before the first time."""
        return self._place

    @property
    def spot(self) -> Spot | None:
        """Where the face is looked for in the next picture; None when it is not followed."""
        if self._roi is None or not self._fresh:
            return self._place if self._roi is not None else None
        return Spot(self._roi.x, self._roi.y, self._roi.side / MARGIN)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture."""
        return self._size or (0, 0)

    @property
    def person(self) -> int:
        """The number of who is followed, or was last: 1 for the first, one more for everybody after them."""
        return self._person

    @property
    def rough(self) -> bool:
        """Whether what was just observed was found in a detector's square: find it anew in `roi`."""
        return self._rough

    def remembers(self, time_s: float) -> bool:
        """Whether a face that comes back is the same: seen less than REMEMBER_S ago, and surely a face."""
        is_recent = 0.0 <= time_s - self._seen_s <= REMEMBER_S
        return self._place is not None and is_recent and not (self._roi is None and self._doubt.unsure)

    def confirm(self, faces: Sequence[Detection]) -> None:
        """Take note that the face is one where it is detected surely."""
        if self._place is not None:
            self._doubt.confirm(self._place, faces)

    def expected(self, time_s: float) -> tuple[float, float] | None:
        """The face's expected centre: extrapolated when another one passed, else where it was last seen."""
        if self._place is None:
            return None
        return self._crossing.expected(time_s) or (self._place.x, self._place.y)

    @property
    def look_due(self) -> bool:
        """Whether all faces are to be detected although this one is followed."""
        every = LOOK_EVERY_IN_COMPANY if self._crossing.company else LOOK_EVERY_ALONE
        return self._roi is not None and self._looked + 1 >= every

    def picture(self, width: int, height: int) -> None:
        """Begin a picture of that size; when the size changes, places in the last one are scaled along."""
        before, self._size = self._size, (width, height)
        self.is_first = before is None
        if before is None or before == self._size:
            return
        self._roi = self._looking = None
        self._crossing.forget()
        self._search.restart()
        share_x, share_y = width / before[0], height / before[1]
        self._doubt.resized(share_x, share_y)
        if self._place is not None:
            self._place = self._place.scaled(share_x, share_y)

    def start(self, faces: Sequence[Detection], time_s: float) -> Roi | None:
        """Choose among a picture's faces: the followed one if it is remembered, else the largest."""
        self._roi = None
        if not faces:
            return None
        there = self.expected(time_s)
        if there is not None and self.remembers(time_s):
            self._new = False
            return self._begin(min(faces, key=lambda face: math.dist((face.x, face.y), there)))
        return self._begin_new(max(self._doubt.preferred(faces), key=lambda face: face.spot.size))

    def look_where(self, time_s: float) -> Tile | None:
        """The square in which to look around in this picture while the face is followed; None for no look."""
        if self._roi is None or self._size is None or self._fresh:
            return None
        if self.look_due:
            return self._note(whole(*self._size), time_s)
        if not self._doubt.unsure or self._place is None:
            return None
        if self._looked % OWN_EVERY == 0:
            return self._note(Tile.around(self._place, *self._size), time_s)
        return self.search_where(time_s)

    def search_where(self, time_s: float) -> Tile | None:
        """The square in which to look for a small face in this picture, in which there is no other."""
        tile = None if self._size is None else self._search.next(*self._size, self._place)
        return None if tile is None else self._note(tile, time_s)

    def saw(self, faces: Sequence[Detection]) -> None:
        """Take in the faces that the look into the last picture found."""
        looking, self._looking = self._looking, None
        if looking is None or self._size is None:
            return
        tile, time_s = looking
        everywhere = tile == whole(*self._size)
        if not everywhere:
            faces = faces_in(tile, faces, *self._size)
        if self._roi is None or self._place is None:
            if not everywhere:
                self.start([face for face in faces if self.may_be(face, time_s)], time_s)
            return
        ours = self.look(faces, time_s) if everywhere else None
        if ours is not None:
            self._begin(ours)
        elif (better := self._doubt.better(self._place, faces, time_s, max(self._size))) is not None:
            self._begin_new(better)

    def observed(self, points_px: F32 | None, presence: float, time_s: float) -> bool:
        """Take in what the mesh network found at `roi`; whether it is the followed face.

        points_px: float32 [478, 3], or None for nothing. presence: 0..1.
        """
        roi, fresh = self._roi, self._fresh
        starting = fresh or self._rough
        self._rough = False
        self._roi = None
        if roi is None or points_px is None or not presence >= PRESENCE_MIN:
            return False
        if not math.isfinite(float(points_px.sum())):
            return False
        place = place_of(points_px)
        if not fresh and self._place is not None and not place.is_near(self._place):
            # The square slid onto another face: let go, and detect again where the person was.
            return False
        if self._new:
            self._person, self._new = self._person + 1, False
        around = Roi.of_landmarks(points_px)
        self._roi = around if fresh else roi.followed(around, time_s - self._seen_s)
        self._looked = 0 if starting else self._looked + 1
        if not fresh:
            self._doubt.see(points_px, time_s)
            self._crossing.moved(place, time_s)
        self._place, self._seen_s, self._fresh, self._rough = place, time_s, False, fresh
        return True

    def look(self, faces: Sequence[Detection], time_s: float) -> Detection | None:
        """Compare with all faces of the picture just observed: the one that is ours, where it is another."""
        self._looked = 0
        if self._roi is None or self._place is None:
            return None
        spots = [face.spot for face in faces]
        ours = self._crossing.look(self._place, spots, time_s)
        return None if ours is None else faces[spots.index(ours)]

    def go_to(self, face: Detection) -> None:
        """Follow the same person there."""
        self._begin(face)

    def turn_to(self, face: Detection) -> None:
        """Follow this face, somebody else's than the last one's, unless it is the followed one already."""
        spot = self.spot
        if spot is None or not is_at(face, spot):
            self._looking = None
            self._begin_new(face)
        self._doubt.insist()

    def let_go(self) -> None:
        """Drop the square, which is on another face; the person is remembered."""
        self._roi = None

    def reset(self) -> None:
        """Forget the person; numbers go on."""
        person = self._person
        self.__init__()  # type: ignore[misc]
        self._person = person

    def _begin_new(self, face: Detection) -> Roi:
        """Follow somebody else from now on, if the face is one."""
        self._new = True
        self._crossing.forget()
        self._doubt.begin(face.score)
        return self._begin(face)

    def _begin(self, face: Detection) -> Roi:
        self._roi, self._fresh = Roi.of_detection(face), True
        self._search.restart()
        return self._roi

    def _note(self, tile: Tile, time_s: float) -> Tile:
        self._looking = tile, time_s
        return tile

    def may_be(self, face: Detection, time_s: float) -> bool:
        """Whether a face in a part of the picture may be who was just lost, who may come back elsewhere."""
        known = self._place if self.remembers(time_s) else None
        return known is None or face.spot.may_come_from(known, time_s - self._seen_s)
