"""The steps of one picture: one person found in it, and where to look for faces beside that.

Called by the trackers of both lanes, which have the networks.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from rtfilter.tracking.choice import follow_chosen
from rtfilter.tracking.detect import TILE_SCORE_MIN, Detection, faces_in
from rtfilter.tracking.doubt import SURE
from rtfilter.tracking.follow import Follower
from rtfilter.tracking.lookout import Lookout
from rtfilter.tracking.roi import Roi
from rtfilter.tracking.tiles import NEAR_SHARE, Tile, round_of

F32 = npt.NDArray[np.float32]

# Landmarks float32 [478, 3] in pixels of the picture, None for none, and presence 0..1, of the face in a
# square.
Mesh = Callable[[Roi], tuple[F32 | None, float]]


def find_person(follower: Follower, time_s: float, lookout: Lookout, mesh: Mesh) -> Roi | None:
    """The square of the followed person in the picture at `time_s`; None without a face.

    `follower.picture` comes before. `mesh` runs on one square or several; the last of them is returned.
    """
    faces = lookout.looked()
    if faces is not None:
        follower.saw(faces)
    follow_chosen(follower, lookout)
    around = follower.look_where(time_s)
    if around is not None:
        lookout.look(around)
    continued = follower.roi is not None
    found = _settled(follower, time_s, lookout, mesh)
    if found is None and continued:
        # The person jumped, as by a cut: detect in the same picture.
        found = _settled(follower, time_s, lookout, mesh)
    if found is None and follower.is_first:
        found = _searched(follower, time_s, lookout, mesh)
    if found is None and around is None:
        small = follower.search_where(time_s)
        if small is not None:
            lookout.look(small)
    return found


def _settled(follower: Follower, time_s: float, lookout: Lookout, mesh: Mesh) -> Roi | None:
    """The face at the follower's square, or at a detection's when none is followed."""
    roi = follower.roi or follower.start(faces_now(lookout), time_s)
    while roi is not None:
        points_px, presence = mesh(roi)
        if not follower.observed(points_px, presence, time_s):
            return None
        if not follower.rough:
            return roi
        roi = follower.roi
    return None


def _searched(follower: Follower, time_s: float, lookout: Lookout, mesh: Mesh) -> Roi | None:
    """A small face of a stream's first picture, all of which is searched at once: it may be the only one."""
    for tile in round_of(*follower.size, None):
        faces = faces_in(tile, lookout.detect(tile), *follower.size)
        if follower.start(faces, time_s) is not None:
            found = _settled(follower, time_s, lookout, mesh)
            if found is not None:
                return found
    return None


def faces_now(lookout: Lookout) -> list[Detection]:
    """All faces of this picture; one that is none for sure is looked at again, closely.

    Measured on chairs in front of leaves, which the detector takes for a face in a sway of 13 s, with 0.50 to
    0.62: from nearby 0.00 mostly, 0.55 at most. Faces in the dark, blurred, with masks or cut in half have
    0.6 to 0.9 there.
    """
    return [near for face in lookout.detect() if (near := _looked_at(face, lookout)) is not None]


def _looked_at(face: Detection, lookout: Lookout) -> Detection | None:
    if face.score >= SURE:
        return face
    size = face.spot.size
    side = size / NEAR_SHARE
    again = lookout.detect(Tile(face.x - side / 2, face.y - side / 2, side))
    near = [other for other in again if math.dist((other.x, other.y), (face.x, face.y)) < 0.5 * size]
    return next((other for other in near if other.score >= TILE_SCORE_MIN), None)
