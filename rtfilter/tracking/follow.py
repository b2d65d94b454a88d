"""Following one person from picture to picture: when to detect, who is ours, where to look next.

Logic only, the same for both lanes: whoever has the networks shows it what they say. For one picture:

    roi = follower.roi or follower.start(faces, time_s)             # faces: detected in this picture
    ours = follower.observed(points_px, presence, time_s)           # what the mesh network says of `roi`
    if ours and follower.rough:
        ...                                                         # mesh at `follower.roi`, observe again
    if ours and follower.look_due:
        roi = follower.look(faces, time_s)                          # not None: mesh there, observe again

Where nobody is found at a `roi` that came from the picture before, `roi` is None afterwards, and starting
anew in the same picture is worth one try: the person may have jumped, by a cut.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from rtfilter.tracking.crossing import CrossingWatch, Spot
from rtfilter.tracking.detect import Detection
from rtfilter.tracking.roi import Roi

F32 = npt.NDArray[np.float32]

PRESENCE_MIN = 0.5  # MediaPipe's; less is no face
REMEMBER_S = 1.0  # a face that comes back within this time is the same one
# Pictures between two looks at who else is there: when nobody was lately, and when somebody was.
LOOK_EVERY_ALONE, LOOK_EVERY_IN_COMPANY = 15, 6
_OUTLINE = np.array([10, 152, 234, 454])  # top of the forehead, chin, both sides of the face


class Follower:
    """Follows one face: the largest at first, and the same one through crossings and short absences.

    All lengths are in pixels of the picture, all times in seconds of presentation time.
    """

    def __init__(self) -> None:
        self._roi: Roi | None = None
        self._place: Spot | None = None
        self._size: tuple[int, int] | None = None
        self._seen_s = -math.inf
        self._looked = 0
        self._fresh = True  # the square is a detector's, not yet one laid around landmarks
        self._rough = False
        self._crossing = CrossingWatch()

    @property
    def roi(self) -> Roi | None:
        """Where to look for our face in the next picture; None when a detection has to say so."""
        return self._roi

    @property
    def place(self) -> Spot | None:
        """Where our face was last seen; None before the first time."""
        return self._place

    @property
    def rough(self) -> bool:
        """Whether the landmarks just observed were found in a detector's square.

        Such landmarks lie 0.7 to 1.8 % of an IOD from where they settle; `roi` is laid around them now, and
        what is found there in the same picture lies 0.2 to 0.9 % from there (measured on nine pictures).
        """
        return self._rough

    def remembers(self, time_s: float) -> bool:
        """Whether our face was seen so lately that one that comes back is the same."""
        return self._place is not None and 0.0 <= time_s - self._seen_s <= REMEMBER_S

    def expected(self, time_s: float) -> tuple[float, float] | None:
        """Where our face should be: where it was going when somebody passed, else where it was last seen."""
        if self._place is None:
            return None
        return self._crossing.expected(time_s) or (self._place.x, self._place.y)

    @property
    def look_due(self) -> bool:
        """Whether it is time to detect all faces although ours is being followed."""
        every = LOOK_EVERY_IN_COMPANY if self._crossing.company else LOOK_EVERY_ALONE
        return self._roi is not None and self._looked >= every

    @property
    def look_next(self) -> bool:
        """Whether `look_due` will hold after the next picture, should our face be found in it."""
        every = LOOK_EVERY_IN_COMPANY if self._crossing.company else LOOK_EVERY_ALONE
        return self._roi is not None and not self._fresh and self._looked + 1 >= every

    def picture(self, width: int, height: int) -> None:
        """Tell the size of the picture that comes; when it is another one, the place is scaled along."""
        before, self._size = self._size, (width, height)
        if before is None or before == self._size:
            return
        self._roi = None
        self._crossing.forget()
        if self._place is not None:
            share_x, share_y = width / before[0], height / before[1]
            size = self._place.size * math.sqrt(share_x * share_y)
            self._place = Spot(self._place.x * share_x, self._place.y * share_y, size)

    def start(self, faces: Sequence[Detection], time_s: float) -> Roi | None:
        """Choose among a picture's faces: ours if it was seen a moment ago, else the largest."""
        self._roi = None
        if not faces:
            return None
        wanted = max(faces, key=lambda face: face.spot.size)
        there = self.expected(time_s)
        if there is not None and self.remembers(time_s):
            wanted = min(faces, key=lambda face: math.dist((face.x, face.y), there))
        return self._begin(wanted)

    def observed(self, points_px: F32 | None, presence: float, time_s: float) -> bool:
        """What the mesh network found at `roi`: whether it is our face, to be shown and followed.

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
            # The square slid onto somebody else: let go, and look again where our person was.
            return False
        around = Roi.of_landmarks(points_px)
        self._roi = around if fresh else roi.followed(around, time_s - self._seen_s)
        self._looked = 0 if starting else self._looked + 1
        self._place, self._seen_s, self._fresh, self._rough = place, time_s, False, fresh
        return True

    def look(self, faces: Sequence[Detection], time_s: float) -> Roi | None:
        """Compare with all faces of the picture just observed: where our person is instead.

        None when it is ours that is followed, as far as can be told. Otherwise what was observed was
        somebody else.
        """
        self._looked = 0
        if self._roi is None or self._place is None:
            return None
        spots = [face.spot for face in faces]
        ours = self._crossing.look(self._place, spots, time_s)
        return None if ours is None else self._begin(faces[spots.index(ours)])

    def let_go(self) -> None:
        """What is followed is not our face after all; the person is remembered."""
        self._roi = None

    def reset(self) -> None:
        """Forget the person."""
        self.__init__()  # type: ignore[misc]

    def _begin(self, face: Detection) -> Roi:
        self._roi, self._fresh = Roi.of_detection(face), True
        return self._roi


def place_of(points_px: F32) -> Spot:
    """Centre and size of float32 [478, 3] landmarks, from forehead, chin and both sides."""
    top, chin, right, left = points_px[_OUTLINE, :2].tolist()
    x = (top[0] + chin[0] + right[0] + left[0]) / 4
    y = (top[1] + chin[1] + right[1] + left[1]) / 4
    return Spot(x, y, max(math.dist(top, chin), math.dist(right, left)))
