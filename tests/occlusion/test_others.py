"""An edit leaves the faces of others alone; of two that overlap, the nearer one keeps its own."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from rtfilter.face.deform import Displacement, Room
from rtfilter.face.landmarks import FACE_OVAL
from rtfilter.face.pose import Pose
from rtfilter.frame import Frame
from rtfilter.occlusion.others import beside_others
from rtfilter.render.cpu import CpuRenderer
from rtfilter.render.mesh import RingedMesh
from tests.faces import builtin, face_px, texture

F32 = np.float32


def face(x: float, scale: float) -> np.ndarray:
    return face_px(Pose(np.eye(3), np.array([x, 160.0, 0.0]), scale))


def inside(points_px: np.ndarray) -> np.ndarray:
    """The pixels of a face, less those at its outline."""
    mask = np.zeros((320, 640), np.uint8)
    cv2.fillPoly(mask, [np.rint(points_px[list(FACE_OVAL), :2]).astype(np.int32)], 1)
    return cv2.erode(mask, np.ones((5, 5), np.uint8)).astype(bool)


def test_far_from_others_nothing_changes() -> None:
    one, other = face(100, 60), face(500, 60)
    assert beside_others(None, one, [other]) is None
    room = Room(np.ones((8, 8), np.float32), np.eye(2, 3))
    assert beside_others(room, one, [other]) is room
    assert beside_others(room, one, []) is room


@pytest.mark.parametrize(
    ("x", "scale"), [(300, 70), (260, 80), (300, 55)], ids=["beside", "before", "behind"]
)
def test_the_other_face_keeps_its_pixels(x: float, scale: float) -> None:
    """What both cover is the nearer one's, which here is the larger one."""
    picture, one, other = texture(640, 320), face(200, 65), face(x, scale)
    offset = np.tile(np.array([3.0, 4.0], np.float32), (478, 1))
    with_room = Displacement(one, offset, 65.0, room=beside_others(None, one, [other]))
    renderer = CpuRenderer(RingedMesh(builtin().triangles, builtin().holes))
    frame = Frame.from_rgb(picture, pts=0)
    alone = (renderer.render(frame, Displacement(one, offset, 65.0)).rgb != picture).any(2)
    changed = (renderer.render(frame, with_room).rgb != picture).any(2)
    renderer.close()
    theirs = (
        inside(other)
        if scale > 65
        else inside(other) & ~cv2.dilate(inside(one).astype(np.uint8), np.ones((9, 9), np.uint8)).astype(bool)
    )
    assert alone[theirs].sum() > 20, "without room, it would"
    assert not changed[theirs].any()
    ours = inside(one) & ~inside(other)
    assert changed[ours].mean() > 0.6 * alone[ours].mean()
