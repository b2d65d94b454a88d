"""Where the mesh network looks: geometry against known squares; a square that neither shakes nor jumps."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from rtfilter.colour import YuvSpec, rgb_to_yuv
from rtfilter.planes import Planes
from rtfilter.sources.demo import DemoSource
from rtfilter.system.arrays import U8
from rtfilter.tracking.detect import Detection
from rtfilter.tracking.roi import (
    CROP_PX,
    MARGIN,
    REACH,
    REST,
    Roi,
    crop,
)
from tests.faces import face_px

HERE = Roi(300.0, 200.0, 240.0, 0.0)


def moved(points_px: np.ndarray, angle_rad: float, scale: float, shift: tuple[float, float]) -> np.ndarray:
    """Landmarks turned about the origin, scaled and shifted."""
    cos, sin = math.cos(angle_rad) * scale, math.sin(angle_rad) * scale
    out = np.empty_like(points_px)
    out[:, 0] = cos * points_px[:, 0] - sin * points_px[:, 1] + shift[0]
    out[:, 1] = sin * points_px[:, 0] + cos * points_px[:, 1] + shift[1]
    out[:, 2] = scale * points_px[:, 2]
    return out


def in_crop(points_px: np.ndarray, roi: Roi) -> np.ndarray:
    """The inverse of `Roi.project`, by linear algebra."""
    matrix = roi.picture_from_crop()
    out = np.empty_like(points_px)
    out[:, :2] = np.linalg.solve(matrix[:, :2], (points_px[:, :2] - matrix[:, 2]).T).T
    out[:, 2] = points_px[:, 2] * CROP_PX / roi.side
    return out


def seen_in(pixels: U8 | Planes, roi: Roi) -> np.ndarray:
    """What the network sees, float32 [192, 192, 3] as 0..255."""
    out = np.full((3, CROP_PX, CROP_PX), np.nan, np.float32)
    crop(pixels, roi, out)
    return out.transpose(1, 2, 0) * 255


def apart(a: Roi, b: Roi) -> tuple[float, float, float]:
    """How far in shares of HERE's side, in size, and turned."""
    turned = abs(math.remainder(a.angle_rad - b.angle_rad, 2 * math.pi))
    return math.hypot(a.x - b.x, a.y - b.y) / HERE.side, abs(math.log(a.side / b.side)), turned


def test_the_square_holds_the_landmarks_with_its_margin() -> None:
    points = face_px()
    roi = Roi.of_landmarks(points)
    assert roi.side == pytest.approx(MARGIN * np.ptp(points[:, :2], axis=0).max(), rel=1e-5)
    low, high = points[:, :2].min(0), points[:, :2].max(0)
    assert (roi.x, roi.y) == pytest.approx(tuple((low + high) / 2), rel=1e-5)
    assert abs(roi.angle_rad) < 1e-3, "the mean face looks straight ahead"


@pytest.mark.parametrize("angle_deg", [-170, -90, -20, 35, 90, 180])
def test_a_turned_face_has_a_turned_square_and_upright_landmarks(angle_deg: int) -> None:
    upright = face_px()
    points = moved(upright, math.radians(angle_deg), 1.7, (400.0, -30.0))
    roi = Roi.of_landmarks(points)
    assert math.degrees(
        math.remainder(roi.angle_rad - math.radians(angle_deg), 2 * math.pi)
    ) == pytest.approx(0.0, abs=0.1)
    seen = in_crop(points, roi)
    assert abs(seen[33, 1] - seen[263, 1]) < 0.1, "the eyes are level"
    assert seen[33, 0] < seen[263, 0]
    assert seen[10, 1] < seen[152, 1], "the forehead is above the chin"


@pytest.mark.parametrize("roi", [HERE, Roi(10.5, 700.25, 33.0, 1.1), Roi(-50.0, 20.0, 900.0, -2.9)])
def test_projection_is_the_way_back_from_the_crop(roi: Roi) -> None:
    points = face_px().astype(np.float64)
    back = roi.project(in_crop(points, roi).astype(np.float32))
    assert back.dtype == np.float32
    assert back == pytest.approx(points, abs=0.002)


def test_the_corners_of_the_crop_are_those_of_the_square() -> None:
    roi = Roi(100.0, 50.0, 40.0, math.pi / 2)
    corners = np.array([[0, 0, 0], [CROP_PX, 0, 0], [CROP_PX, CROP_PX, 0]], np.float32)
    # A quarter turn clockwise: what is right in the crop is down in the picture.
    assert roi.project(corners)[:, :2] == pytest.approx(np.array([[120, 30], [120, 70], [80, 70]]), abs=1e-4)


def test_depth_is_scaled_with_the_square() -> None:
    points = np.array([[96.0, 96.0, 12.0]], np.float32)
    assert HERE.project(points)[0, 2] == pytest.approx(12.0 * HERE.side / CROP_PX)


def test_a_detection_gives_a_square_level_with_the_eyes() -> None:
    keypoints = np.zeros((6, 2), np.float32)
    keypoints[0], keypoints[1] = (90.0, 100.0), (110.0, 120.0)
    roi = Roi.of_detection(Detection(100.0, 112.0, 60.0, 50.0, 0.9, keypoints))
    assert (roi.x, roi.y, roi.side) == (100.0, 112.0, MARGIN * 60.0)
    assert roi.angle_rad == pytest.approx(math.pi / 4)


def test_a_crop_shows_what_lies_under_it() -> None:
    """A picture whose colours are its coordinates: every pixel of the crop tells where it was read."""
    y, x = np.mgrid[0:200, 0:250]
    rgb = np.stack([x, y, np.zeros_like(x)], axis=-1).astype(np.uint8)
    roi = Roi(120.0, 90.0, 100.0, 0.3)
    seen = seen_in(rgb, roi)
    rows, columns = np.mgrid[0:CROP_PX, 0:CROP_PX]
    index = np.stack([columns, rows], axis=-1).reshape(-1, 2)
    matrix = roi.picture_from_crop()
    expected = index @ matrix[:, :2].T + matrix[:, 2]
    error = np.abs(seen[:, :, :2].reshape(-1, 2) - expected)
    assert error.max() < 1e-3


def test_beyond_the_picture_its_border_goes_on() -> None:
    rgb = np.full((50, 60, 3), 7, np.uint8)
    rgb[:, 0] = 99
    assert seen_in(rgb, Roi(-200.0, 25.0, 40.0, 0.0)) == pytest.approx(99)


@pytest.mark.parametrize("shift", [(1, 1), (1, 0), (0, 0)])
def test_a_crop_of_planes_is_that_of_their_rgb(shift: tuple[int, int]) -> None:
    """Smooth colours, which subsampling keeps; a square that the border cuts."""
    y, x = np.mgrid[0:121, 0:161]
    rgb = np.stack([40 + x, 60 + y, 230 - x], axis=-1).astype(np.uint8)
    spec, roi = YuvSpec("bt601", full_range=True), Roi(130.0, 90.0, 120.0, 0.4)
    luma, cb, cr = rgb_to_yuv(rgb, spec, *shift)
    apart = np.abs(seen_in(Planes(luma, cb, cr, shift, spec), roi) - seen_in(rgb, roi))
    assert apart.max() < 2.5, "grey levels; measured: 1.8, bytes of Y, Cb and Cr"


def some_near(rng: np.random.Generator, reach: tuple[float, float, float]) -> Roi:
    """A square that is off HERE by less than `reach` in everything."""
    angle, far = rng.uniform(0, 2 * math.pi), rng.uniform(0, 0.999) * reach[0] * HERE.side
    return Roi(
        HERE.x + far * math.cos(angle),
        HERE.y + far * math.sin(angle),
        HERE.side * math.exp(rng.uniform(-0.999, 0.999) * reach[1]),
        rng.uniform(-0.999, 0.999) * reach[2],
    )


@pytest.mark.parametrize("elapsed_s", [0.0, 0.033, 10.0])
def test_where_little_is_left_to_go_the_square_rests(elapsed_s: float) -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        assert HERE.followed(some_near(rng, REST), elapsed_s) == HERE


@pytest.mark.parametrize("elapsed_s", [-1.0, 0.0, 0.033])
def test_the_square_is_never_farther_off_than_its_reach(elapsed_s: float) -> None:
    wanted = Roi(500.0, -20.0, 333.0, 1.0)
    far, growth, turned = apart(HERE.followed(wanted, elapsed_s), wanted)
    assert far <= REACH[0] + 1e-9
    assert growth <= REACH[1] + 1e-9
    assert turned <= REACH[2] + 1e-9


@pytest.mark.parametrize("fps", [10, 20, 30, 60, 240])
def test_the_square_glides_at_one_speed_at_any_frame_rate(fps: int) -> None:
    """A second after a small step it has come to rest beside it; after 0.1 s it has gone four fifths."""
    wanted = Roi(HERE.x + 0.015 * HERE.side, HERE.y, HERE.side * 1.02, math.radians(1.5))
    roi = HERE
    for _ in range(fps // 10):
        roi = roi.followed(wanted, 1 / fps)
    assert (roi.x - HERE.x) / (wanted.x - HERE.x - REST[0] * HERE.side) == pytest.approx(0.81, abs=0.02)
    for _ in range(fps):
        roi = roi.followed(wanted, 1 / fps)
    left = apart(roi, wanted)
    assert all(value <= rest * 1.05 for value, rest in zip(left, REST, strict=True))


def test_a_square_never_moves_farther_than_its_face_and_never_overshoots() -> None:
    """So noise comes out weaker than it went in, whatever the noise is."""
    rng = np.random.default_rng(1)
    roi = before = HERE
    for _ in range(500):
        wanted = Roi(
            HERE.x + rng.normal(0, 8), HERE.y + rng.normal(0, 8), HERE.side * math.exp(rng.normal(0, 0.05)),
            rng.normal(0, 0.05),
        )  # fmt: skip
        roi = roi.followed(wanted, rng.uniform(0.0, 0.1))
        left_px = math.dist((wanted.x, wanted.y), (before.x, before.y))
        assert math.dist((roi.x, roi.y), (before.x, before.y)) <= left_px
        assert abs(roi.side - before.side) <= abs(wanted.side - before.side) + 1e-9
        assert (roi.side - before.side) * (wanted.side - before.side) >= 0
        assert abs(roi.angle_rad - before.angle_rad) <= abs(wanted.angle_rad - before.angle_rad) + 1e-12
        before = roi


def test_upside_down_is_no_seam() -> None:
    roi = Roi(0.0, 0.0, 100.0, math.pi - 0.01)
    turned = roi.followed(Roi(0.0, 0.0, 100.0, -math.pi + 0.09), 0.0)
    assert abs(math.remainder(turned.angle_rad - roi.angle_rad, 2 * math.pi)) == pytest.approx(0.1 - REACH[2])
    assert abs(turned.angle_rad) <= math.pi


def test_landmarks_on_one_spot_still_have_a_square() -> None:
    roi = Roi.of_landmarks(np.full((478, 3), 5.0, np.float32))
    assert roi.side > 0
    assert not seen_in(np.zeros((20, 20, 3), np.uint8), roi).any()
    assert HERE.followed(roi, 0.033).side > 0


def test_the_square_is_the_one_that_mediapipe_lays_around_the_same_landmarks() -> None:
    pytest.importorskip("mediapipe", reason="MediaPipe is not installed")
    from mediapipe.python.solution_base import SolutionBase

    graph = SolutionBase(
        binary_graph_path="mediapipe/modules/face_landmark/face_landmark_front_cpu.binarypb",
        side_inputs={"num_faces": 1, "with_attention": True, "use_prev_landmarks": True},
        outputs=["multi_face_landmarks", "face_rects_from_landmarks"],
    )
    demo = DemoSource(640, 360)
    for seq in range(3):
        answer = graph.process(demo.frame(seq).rgb)
        found = [(p.x * 640, p.y * 360, p.z * 640) for p in answer.multi_face_landmarks[0].landmark]
        theirs = answer.face_rects_from_landmarks[0]
        ours = Roi.of_landmarks(np.array(found, np.float32))
        assert (ours.x, ours.y) == pytest.approx((theirs.x_center * 640, theirs.y_center * 360), abs=0.01)
        assert ours.side == pytest.approx(theirs.width * 640, abs=0.01)
        assert ours.side == pytest.approx(theirs.height * 360, abs=0.01)
        assert ours.angle_rad == pytest.approx(theirs.rotation, abs=1e-5)
    graph.close()
    demo.close()


@pytest.mark.parametrize(
    "roi",
    [
        Roi(120.0, 90.0, 60.0, 0.4),
        Roi(10.0, 5.0, 80.0, -1.0),
        Roi(240.0, 195.0, 150.0, 2.0),
        Roi(-300.0, 90.0, 50.0, 0.2),
        Roi(120.0, 900.0, 50.0, 0.2),
        Roi(125.0, 100.0, 5000.0, 0.1),
    ],
)
def test_pixels_are_read_where_mediapipe_reads_them(roi: Roi) -> None:
    """By OpenCV's warpAffine, from pixel's number to pixel's number. That rounds places to 1/32 px."""
    rgb = np.random.default_rng(4).integers(0, 256, (200, 250, 3), np.uint8)
    theirs = cv2.warpAffine(
        rgb,
        roi.picture_from_crop(),
        (CROP_PX, CROP_PX),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    error = np.abs(seen_in(rgb, roi) - theirs)
    assert error.max() < 7, "grey levels, in noise; measured: 5.8"
    assert error.mean() < 1.2, "measured: 0.9"
