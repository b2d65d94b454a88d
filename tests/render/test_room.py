"""Room to move: what is held stays the camera's bit for bit, and beside it the edit ends softly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
import pytest

from rtfilter.colour import YuvSpec, rgb_to_yuv
from rtfilter.face import landmarks as lm
from rtfilter.face.deform import Displacement, Room
from rtfilter.face.pose import Pose
from rtfilter.face.skin import SkinMaps
from rtfilter.frame import Frame
from rtfilter.kernels.cpu.room import SLOPE
from rtfilter.planes import Planes
from rtfilter.render.cpu import CpuRenderer
from rtfilter.render.mesh import RingedMesh
from rtfilter.render.room import limit, shapes, still_px, within_room
from tests.faces import builtin, coefficients, face_px, texture

WIDTH, HEIGHT, SIDE = 400, 320, 96
SMILE = coefficients(mouthSmile=1.0, browInnerUp=0.8, cheekSquint=0.5, jawOpen=0.3, eyeWide=0.8)


@pytest.fixture(scope="module")
def renderer() -> Iterator[CpuRenderer]:
    model = builtin()
    made = CpuRenderer(RingedMesh(model.triangles, model.holes), SkinMaps.builtin())
    yield made
    made.close()


def displaced(iod_px: float = 110.0, strength: float = 1.0) -> Displacement:
    pose = Pose(np.eye(3), np.array([WIDTH / 2, HEIGHT / 2, 0.0]), iod_px)
    offset = strength * pose.project_vectors(builtin().displacement_iod(SMILE))
    light = np.full(lm.LANDMARK_COUNT, 0.3, np.float32)
    return Displacement(face_px(pose).astype(np.float32), offset.astype(np.float32), iod_px, gain_log=light)


def square(iod_px: float, turn_deg: float = 0.0, x: float = WIDTH / 2, y: float = HEIGHT / 2) -> np.ndarray:
    """A square around the face's middle, room_from_picture."""
    scale, angle = SIDE / (2.6 * iod_px), np.radians(turn_deg)
    turn = scale * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return np.column_stack([turn, SIDE / 2 - turn @ [x, y]])


def blobs(seed: int, grain: float = 3.0, share: float = 0.3) -> np.ndarray:
    """What is held, bool [SIDE, SIDE]; grain 0 is single pixels."""
    noise = np.random.default_rng(seed).random((SIDE, SIDE)).astype(np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), grain) if grain > 0.0 else noise
    return noise < np.quantile(noise, share)


def room_of(held: np.ndarray, matrix: np.ndarray) -> Room:
    distance = cv2.distanceTransform((~held).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    if not held.any():
        distance[:] = 1e4
    return Room((distance / np.hypot(*matrix[0, :2])).astype(np.float32), matrix)


def distances(room: Room) -> np.ndarray:
    """The room's distance at the centre of each pixel of the picture, by OpenCV."""
    x, y = np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5)
    at = np.einsum("ij,hwj->hwi", room.room_from_picture, np.stack([x, y, np.ones_like(x)], -1)) - 0.5
    at = np.clip(at, 0, SIDE - 1).astype(np.float32)
    j, i = np.minimum(at.astype(int), SIDE - 2)[..., 0], np.minimum(at.astype(int), SIDE - 2)[..., 1]
    tx, ty = at[..., 0] - j, at[..., 1] - i
    d = room.distance
    upper, lower = d[i, j] * (1 - tx) + d[i, j + 1] * tx, d[i + 1, j] * (1 - tx) + d[i + 1, j + 1] * tx
    return np.asarray(upper * (1 - ty) + lower * ty)


def in_planes(rgb: np.ndarray) -> Frame:
    spec = YuvSpec("bt709", full_range=False)
    return Frame(Planes(*rgb_to_yuv(rgb, spec, 1, 1), (1, 1), spec))


@pytest.mark.parametrize("iod_px", [20.0, 60.0, 110.0, 180.0])
@pytest.mark.parametrize(("seed", "grain", "turn_deg"), [(0, 3.0, 0.0), (1, 6.0, 25.0), (2, 0.0, -50.0)])
@pytest.mark.parametrize("strength", [1.0, 6.0])
def test_held_pixels_are_the_cameras(
    renderer: CpuRenderer, iod_px: float, seed: int, grain: float, turn_deg: float, strength: float
) -> None:
    rgb = texture(WIDTH, HEIGHT)
    room = room_of(blobs(seed, grain, 0.3 if grain else 0.002), square(iod_px, turn_deg))
    edit = replace(displaced(iod_px, strength), room=room)
    held = distances(room) <= (0.0 if grain else 0.7)  # no pixel's centre hits a single sample
    out = renderer.render(Frame.from_rgb(rgb), edit).rgb
    free = renderer.render(Frame.from_rgb(rgb), replace(edit, room=None)).rgb
    assert not (out != rgb)[held].any()
    assert (free != rgb)[held].any(), "without room they change"
    if iod_px > 60.0:
        assert (out != rgb).any(), "where there is room the edit stays"
    frame = in_planes(rgb)
    before, after = frame.planes, renderer.render(frame, edit).planes
    assert before is not None
    assert after is not None
    assert not (after.luma != before.luma)[held].any()
    some = held.reshape(HEIGHT // 2, 2, WIDTH // 2, 2).any((1, 3))
    assert not (after.cb != before.cb)[some].any()
    assert not (after.cr != before.cr)[some].any()


@pytest.mark.parametrize("turn_deg", [0.0, 40.0])
def test_no_sample_comes_from_what_is_held(renderer: CpuRenderer, turn_deg: float) -> None:
    room = room_of(blobs(5, 5.0), square(110.0, turn_deg))
    edit = replace(displaced(strength=6.0), room=room)
    rgb = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
    far = distances(room)
    rgb[far == 0.0] = (255, 0, 255)
    out = renderer.render(Frame.from_rgb(rgb), replace(edit, gain_log=np.zeros_like(edit.gain_log))).rgb
    # Nothing but the grey moves, so nothing can be seen to move: a held pixel's colour would show. Where the
    # filter of six taps reaches into it, its ringing does.
    assert (out == rgb).all(2)[far > 12.0].all()
    assert np.abs(out.astype(int) - rgb).max() < 60


@pytest.mark.parametrize("turn_deg", [0.0, 33.0])
@pytest.mark.parametrize("cell", [1.0, 2.3, 6.0])
def test_the_flow_neither_jumps_nor_folds(turn_deg: float, cell: float) -> None:
    # A shift of everything, far longer than the room: all of the flow's slope is the limit's.
    room = room_of(blobs(9, 8.0, 0.2), square(110.0, turn_deg))
    origin = np.array([0, 0, cell], np.float32)
    for angle in np.radians([0, 30, 90, 200, 315]):
        push = np.float32([600 * np.cos(angle), 600 * np.sin(angle)])
        flow = np.tile(push, (int(HEIGHT / cell), int(WIDTH / cell), 1))
        limit(flow, np.zeros((0, 0), np.float32), origin, room)
        assert np.abs(flow).max() > 5.0
        for axis in (0, 1):
            steps = np.diff(flow, axis=axis) / cell
            # Bilinear samples of a distance slope by 1.41 at most, where two edges of what is held meet.
            assert np.abs(steps).max() < 1.42 * SLOPE
            assert 1.0 + steps[..., 1 - axis].min() > 0.05


def test_the_gain_fades_in_from_what_is_held() -> None:
    room = room_of(blobs(3, 8.0, 0.2), square(110.0))
    origin, gain = np.array([0, 0, 1], np.float32), np.full((HEIGHT, WIDTH), 0.4, np.float32)
    limit(np.zeros((HEIGHT, WIDTH, 2), np.float32), gain, origin, room)
    far = distances(room)
    assert not gain[far <= still_px(1.0) - 0.01].any()
    assert np.abs(gain[far > still_px(1.0) + 3.01] - 0.4).max() < 1e-6
    # Smooth: the steepest step is 1.5 times the mean one, over 3 cells, on slopes of up to 1.41.
    assert max(np.abs(np.diff(gain, axis=axis)).max() for axis in (0, 1)) < 0.4 / 3 * 1.5 * 1.42


def test_no_room_is_no_limit(renderer: CpuRenderer) -> None:
    frame = Frame.from_rgb(texture(WIDTH, HEIGHT))
    edit = displaced()
    wide = replace(edit, room=room_of(np.zeros((SIDE, SIDE), bool), square(110.0)))
    assert np.array_equal(renderer.render(frame, wide).rgb, renderer.render(frame, edit).rgb)
    assert within_room(edit, 2.0) is edit


@pytest.mark.parametrize("bad", [0.0, np.nan, -np.inf, -5.0])
def test_no_distance_at_all_leaves_the_picture(renderer: CpuRenderer, bad: float) -> None:
    frame = Frame.from_rgb(texture(WIDTH, HEIGHT))
    room = Room(np.full((SIDE, SIDE), bad, np.float32), square(110.0))
    assert np.array_equal(renderer.render(frame, replace(displaced(), room=room)).rgb, frame.rgb)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30])
def test_a_matrix_of_no_numbers_breaks_nothing(renderer: CpuRenderer, bad: float) -> None:
    frame = Frame.from_rgb(texture(WIDTH, HEIGHT))
    room = Room(np.full((SIDE, SIDE), 40.0, np.float32), np.full((2, 3), bad))
    assert renderer.render(frame, replace(displaced(), room=room)).rgb.shape == frame.rgb.shape


def test_offsets_of_no_numbers_do_not_reach_what_is_held(renderer: CpuRenderer) -> None:
    frame = Frame.from_rgb(texture(WIDTH, HEIGHT))
    room = room_of(blobs(4), square(110.0))
    edit = displaced()
    offset = edit.offset_px.copy()
    offset[::7] = np.nan
    out = renderer.render(frame, replace(edit, offset_px=offset, room=room)).rgb
    assert not (out != frame.rgb)[distances(room) == 0.0].any()


def test_irises_are_not_painted_over_what_is_held(renderer: CpuRenderer) -> None:
    edit = displaced(180.0)
    eye = edit.points_px[list(lm.IRIS_RIGHT), :2].mean(0)
    matrix = square(180.0)
    at = (matrix @ [*eye, 1.0]).astype(int)
    held = np.zeros((SIDE, SIDE), bool)
    held[at[1], at[0] - 2 : at[0] + 2] = True  # a strand of hair across the pupil
    room = room_of(held, matrix)
    rgb = texture(WIDTH, HEIGHT)
    out = renderer.render(Frame.from_rgb(rgb), replace(edit, room=room)).rgb
    assert not (out != rgb)[distances(room) == 0.0].any()


def test_landmarks_are_limited_where_they_end() -> None:
    edit = displaced(strength=6.0)
    room = room_of(blobs(6), square(110.0))
    cell = 110.0 / 48
    moved = within_room(replace(edit, room=room), cell)
    ends = edit.points_px[:, :2] + edit.offset_px
    inside = (ends[:, 0] > 0) & (ends[:, 0] < WIDTH - 1) & (ends[:, 1] > 0) & (ends[:, 1] < HEIGHT - 1)
    far = cv2.remap(
        distances(room).astype(np.float32), ends[None].astype(np.float32) - 0.5, None, cv2.INTER_LINEAR
    )[0]
    length, was = np.linalg.norm(moved.offset_px, axis=1), np.linalg.norm(edit.offset_px, axis=1)
    want = np.minimum(was, SLOPE * np.maximum(far - still_px(cell), 0))
    alone = inside & (shapes().sum(1) < 1e-3)  # of no shape that shrinks whole
    assert alone.sum() > 100
    assert np.abs(length - want)[alone].max() < 0.3  # two interpolations against one
    assert (length - want)[inside].max() < 0.3
    assert (length < was - 0.5).any()
    assert np.array_equal(moved.points_px, edit.points_px)


def test_a_mouth_that_is_limited_at_a_corner_shrinks_as_a_whole() -> None:
    edit = displaced(strength=2.0)
    lips = shapes()[:, 0] > 0.9
    longest = np.linalg.norm(edit.offset_px[lips], axis=1).max()
    held = np.zeros((SIDE, SIDE), bool)
    matrix = square(110.0)
    corner = matrix @ [
        *(edit.points_px[lm.LIPS_CORNER_LEFT[0], :2] + edit.offset_px[lm.LIPS_CORNER_LEFT[0]]),
        1,
    ]
    shares = []
    for away in (12, 9, 6):
        held[:, int(corner[0]) + away :] = True
        moved = within_room(replace(edit, room=room_of(held, matrix)), 110.0 / 48)
        share = np.linalg.norm(moved.offset_px, axis=1) / np.linalg.norm(edit.offset_px, axis=1)
        least, most = share[lips].min(), share[lips].max()
        lost = (np.linalg.norm(edit.offset_px - moved.offset_px, axis=1))[lips].max() / longest
        # Lips beyond the member weight keep a share that differs by what they belong to other parts.
        assert most - least < 0.15 or least < 0.5
        assert most <= max(1.0 - lost, 0.5) + 0.1
        shares.append(least)
    assert shares[0] > shares[1] > shares[2], "nearer, and less is left"


@pytest.mark.parametrize(
    ("distance", "matrix"),
    [
        (np.zeros((96, 96)), np.zeros((2, 3))),
        (np.zeros((96, 95), np.float32), np.zeros((2, 3))),
        (np.zeros((1, 1), np.float32), np.zeros((2, 3))),
        (np.zeros(96, np.float32), np.zeros((2, 3))),
        (np.zeros((96, 96), np.float32), np.zeros((3, 3))),
    ],
)
def test_a_room_of_another_kind_is_refused(distance: np.ndarray, matrix: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected"):
        Room(distance, matrix)
