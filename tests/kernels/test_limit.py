"""Room to move on the processor against the CPU lane: the same flow, the same gain, the same pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
import pytest

from rtfilter.face import landmarks as lm
from rtfilter.face.deform import Displacement, Room
from rtfilter.face.pose import Pose
from rtfilter.face.skin import SkinMaps
from rtfilter.frame import Frame
from rtfilter.kernels import blocks
from rtfilter.kernels.room import ROOM_PLACES, RoomEdit, put_room
from rtfilter.kernels.warp import Warp
from rtfilter.render.cpu import CpuRenderer
from rtfilter.render.mesh import RingedMesh
from tests.faces import builtin, coefficients, face_px, rotation, texture
from tests.kernels.on_host import Bench, Skin, Warped, in_both_orders, room_on

SMILE = coefficients(mouthSmile=1.0, browInnerUp=0.8, cheekSquint=0.5, eyeWide=0.8)
SIDE = 96


@pytest.fixture(scope="module")
def mesh() -> RingedMesh:
    model = builtin()
    return RingedMesh(model.triangles, model.holes)


@pytest.fixture(scope="module")
def renderer(mesh: RingedMesh) -> Iterator[CpuRenderer]:
    made = CpuRenderer(mesh, SkinMaps.builtin())
    yield made
    made.close()


def case(iod_px: float = 90.0, yaw_deg: float = 0.0, strength: float = 1.0) -> tuple[Frame, Displacement]:
    pose = Pose(rotation(yaw_deg), np.array([200.0, 160.0, 0.0]), iod_px)
    offset = strength * pose.project_vectors(builtin().displacement_iod(SMILE))
    light = np.full(lm.LANDMARK_COUNT, 0.3, np.float32)
    points = face_px(pose).astype(np.float32)
    edit = Displacement(points, offset.astype(np.float32), iod_px, gain_log=light)
    return Frame.from_rgb(texture(400, 320)), edit


def room(seed: int, iod_px: float = 90.0, turn_deg: float = 15.0, side: int = SIDE) -> Room:
    noise = np.random.default_rng(seed).random((side, side)).astype(np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), 4.0 * side / SIDE)
    free = (noise >= np.quantile(noise, 0.3)).astype(np.uint8)
    scale, angle = side / (2.6 * iod_px), np.radians(turn_deg)
    turn = scale * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    distance = cv2.distanceTransform(free, cv2.DIST_L2, cv2.DIST_MASK_PRECISE) / scale
    return Room(distance.astype(np.float32), np.column_stack([turn, side / 2 - turn @ [200.0, 160.0]]))


def warped(bench: Bench, mesh: RingedMesh, frame: Frame, edit: Displacement) -> Warped:
    moved = (edit.points_px, edit.offset_px, edit.iod_px)
    skin = Skin(SkinMaps.builtin(), np.zeros(52), edit.gain_log)
    return Warped(bench, mesh.topology(), frame.rgb, *moved, None, skin, edit.room)


@pytest.mark.parametrize(
    ("iod_px", "yaw_deg", "strength", "side"),
    [(90.0, 0.0, 1.0, 96), (90.0, 30.0, 6.0, 96), (20.0, 0.0, 1.0, 96), (170.0, -10.0, 2.0, 48)],
)
def test_the_limit_is_the_cpu_lanes(
    iod_px: float, yaw_deg: float, strength: float, side: int, renderer: CpuRenderer, mesh: RingedMesh
) -> None:
    frame, edit = case(iod_px, yaw_deg, strength)
    edit = replace(edit, room=room(3, iod_px, side=side))
    want = renderer.render(frame, edit)
    assert want.changed is not None
    for bench in in_both_orders():
        got = warped(bench, mesh, frame, edit)
        assert got.box == want.changed
        apart = np.abs(got.rgb.astype(int) - want.rgb).max(2)
        # Measured: one grey level, in one pixel of 5000, where a sum's rounding falls on a half.
        assert apart.max() <= 1
        assert apart.max() <= 1
        assert (apart > 0).mean() < 1e-3
        free = warped(bench, mesh, frame, replace(edit, room=None))
        assert (np.abs(free.rgb.astype(int) - want.rgb).max(2) > 2).mean() > 0.003, "without room it differs"


@pytest.mark.parametrize("seed", range(3))
def test_held_pixels_are_the_cameras(seed: int, mesh: RingedMesh) -> None:
    frame, edit = case(strength=6.0)
    edit = replace(edit, room=room(seed, turn_deg=0.0))
    assert edit.room is not None
    got = warped(Bench(), mesh, frame, edit)
    held = cv2.warpAffine(
        (edit.room.distance == 0).astype(np.float32),
        edit.room.room_from_picture,
        (400, 320),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
    )
    inside = cv2.erode((held > 0.999).astype(np.uint8), np.ones((3, 3))) > 0
    assert inside.any()
    assert not (got.rgb != frame.rgb)[inside].any()


@pytest.mark.parametrize("bad", [np.nan, -np.inf, -3.0])
def test_no_distance_at_all_leaves_the_picture(bad: float, mesh: RingedMesh) -> None:
    frame, edit = case()
    nothing = Room(np.full((SIDE, SIDE), bad, np.float32), room(0).room_from_picture)
    assert np.array_equal(warped(Bench(), mesh, frame, replace(edit, room=nothing)).rgb, frame.rgb)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30])
def test_a_matrix_of_no_numbers_reads_no_other_memory(bad: float, mesh: RingedMesh) -> None:
    frame, edit = case()
    lost = Room(np.full((SIDE, SIDE), 50.0, np.float32), np.full((2, 3), bad))
    warped(Bench(), mesh, frame, replace(edit, room=lost))  # the memory's guards are looked at


def test_one_of_three_has_a_room(mesh: RingedMesh) -> None:
    bench, (_, edit) = Bench(), case()
    made = Warp(bench.device, bench.stream, mesh.topology(), 3)
    rooms, distances = np.zeros(3, blocks.ROOM), np.full((3, ROOM_PLACES), np.nan, np.float32)
    one = room(1)
    put_room(rooms[1], distances[1], one)
    moved = (edit.points_px, edit.offset_px, np.float32(edit.iod_px))
    three = [bench.put(np.stack([part] * 3)) for part in moved]
    soften = np.zeros(3, blocks.SOFTEN)
    soften["picture_width"] = soften["region_width"] = 400
    soften["picture_height"] = soften["region_height"] = 320
    made.find_flow(
        bench.stream, *three, bench.put(soften), None, RoomEdit(bench.put(rooms), bench.put(distances))
    )
    bench.stream.wait()
    flows = made.soft.array
    assert np.array_equal(flows[0], flows[2])
    assert np.abs(flows[0] - flows[1]).max() > 1.0


def test_rooms_that_do_not_fit_are_refused(mesh: RingedMesh) -> None:
    with pytest.raises(ValueError, match="96"):
        room_on(Bench(), Room(np.zeros((97, 97), np.float32), np.eye(2, 3)))
    bench, (_, edit) = Bench(), case()
    made = Warp(bench.device, bench.stream, mesh.topology())
    moved = [bench.put(part[None]) for part in (edit.points_px, edit.offset_px, np.float32(90.0))]
    wrong = RoomEdit(bench.put(np.zeros(2, blocks.ROOM)), bench.put(np.zeros((2, ROOM_PLACES), np.float32)))
    with pytest.raises(ValueError, match="rooms"):
        made.find_flow(bench.stream, *moved, bench.put(np.zeros(1, blocks.SOFTEN)), None, wrong)
