"""Finding our person in one picture: which squares the mesh network is shown, and when a detection is due.

The same for both lanes. What shows the network a square, and what detects, are the caller's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from rtfilter.tracking.detect import Detection
from rtfilter.tracking.follow import Follower
from rtfilter.tracking.roi import Roi

F32 = npt.NDArray[np.float32]

Detect = Callable[[], Sequence[Detection]]
# Landmarks float32 [478, 3] in pixels of the picture, None for none, and presence 0..1.
Mesh = Callable[[Roi], tuple[F32 | None, float]]


def find_person(follower: Follower, time_s: float, detect: Detect, mesh: Mesh) -> Roi | None:
    """The square in which our person is seen in the picture at `time_s`; None when there is nobody.

    `follower.picture` comes before. `mesh` is asked about one square or several; the square that is returned
    is the last of them.
    """
    continued = follower.roi is not None
    found = _settled(follower, time_s, detect, mesh)
    if found is None and continued:
        # The person jumped, as by a cut: looked for anew in the same picture.
        found = _settled(follower, time_s, detect, mesh)
    if found is not None and follower.look_due and follower.look(detect(), time_s) is not None:
        found = _settled(follower, time_s, detect, mesh)
    return found


def _settled(follower: Follower, time_s: float, detect: Detect, mesh: Mesh) -> Roi | None:
    """Our face where it should be, or where a detection says when nobody is followed."""
    roi = follower.roi or follower.start(detect(), time_s)
    while roi is not None:
        points_px, presence = mesh(roi)
        if not follower.observed(points_px, presence, time_s):
            return None
        if not follower.rough:
            return roi
        roi = follower.roi
    return None
