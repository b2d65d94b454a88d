"""The face at a place of the picture: what a user pointed at, found by looking there. For `tracking.find`."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rtfilter.tracking.crossing import Spot
from rtfilter.tracking.detect import Detection, faces_in
from rtfilter.tracking.follow import Follower
from rtfilter.tracking.lookout import Lookout
from rtfilter.tracking.tiles import Tile

REACH = 0.8  # in sizes of a detector's box: places farther from its middle are not on the face
# In longer sides of the picture: where the whole one is too coarse, a face of these sizes is looked for.
NEAR_SIZES = (0.08, 0.04)


def follow_chosen(follower: Follower, lookout: Lookout) -> None:
    """Follow the face that was chosen, from this picture on; without one there, go on as before."""
    if follower.chosen is None:
        return
    (x, y), (width, height) = follower.chosen, follower.size
    place, follower.chosen = (x * width, y * height), None
    face = _nearest(lookout.detect(), place)
    for share in NEAR_SIZES:
        if face is None:
            tile = Tile.around(Spot(*place, share * max(width, height)), width, height)
            face = _nearest(faces_in(tile, lookout.detect(tile), width, height), place)
    if face is not None:
        follower.turn_to(face)


def _nearest(faces: Sequence[Detection], place: tuple[float, float]) -> Detection | None:
    def apart(face: Detection) -> float:
        return math.dist((face.x, face.y), place) / face.spot.size

    found = min(faces, key=apart, default=None)
    return found if found is not None and apart(found) <= REACH else None
