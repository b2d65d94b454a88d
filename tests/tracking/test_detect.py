"""The detector's arrays: boxes that are known come back, in pixels of the picture they were found in."""

from __future__ import annotations

import numpy as np
import pytest

from rtfilter.colour import YuvSpec, rgb_to_yuv
from rtfilter.planes import Planes
from rtfilter.system.arrays import U8
from rtfilter.tracking.detect import (
    INPUT_PX,
    KEYPOINT_COUNT,
    Detection,
    Letterbox,
    anchors_px,
    detections,
    letterbox,
)

WHOLE = Letterbox(0.0, 0.0, 1.0)


class Raw:
    """What the network would say of faces at known places, in pixels of its input."""

    def __init__(self) -> None:
        self.boxes = np.zeros((896, 16), np.float32)
        self.logits = np.full(896, -20.0, np.float32)

    def says(self, anchor: int, box: tuple[float, float, float, float], score: float) -> Raw:
        """One anchor sees a box (centre x, y, width, height); key points at its quarters."""
        place = anchors_px()[anchor]
        self.boxes[anchor, :2] = box[:2] - place
        self.boxes[anchor, 2:4] = box[2:]
        self.boxes[anchor, 4:] = (keypoints(box) - place).reshape(-1)
        self.logits[anchor] = np.log(score / (1.0 - score))
        return self

    def found(self, box: Letterbox = WHOLE) -> list[Detection]:
        return detections(self.boxes, self.logits, box)


def keypoints(box: tuple[float, float, float, float]) -> np.ndarray:
    x, y, width, height = box
    offsets = np.array([(-0.25, -0.2), (0.25, -0.2), (0.0, 0.0), (0.0, 0.25), (-0.5, 0.0), (0.5, 0.0)])
    return np.array([x, y]) + offsets * (width, height)


def boxed(pixels: U8 | Planes) -> tuple[Letterbox, np.ndarray]:
    """Where a picture lies in the detector's square, and what that sees, float32 [3, 128, 128] as 0..255."""
    out = np.full((3, INPUT_PX, INPUT_PX), np.nan, np.float32)
    box = letterbox(pixels, out)
    assert np.abs(out).max() <= 1.0 + 1e-6
    return box, (out + 1.0) * 127.5


def test_anchors_lie_on_the_middles_of_two_grids() -> None:
    anchors = anchors_px()
    assert anchors.shape == (896, 2)
    assert anchors[0].tolist() == [4.0, 4.0]
    assert anchors[1].tolist() == [4.0, 4.0]
    assert anchors[2].tolist() == [12.0, 4.0], "along a row first"
    assert anchors[511].tolist() == [124.0, 124.0]
    assert anchors[512].tolist() == [8.0, 8.0]
    assert anchors[518].tolist() == [24.0, 8.0], "six of them share a cell"
    assert anchors[895].tolist() == [120.0, 120.0]
    assert np.allclose(anchors.mean(0), 64.0)


@pytest.mark.parametrize("anchor", [0, 131, 511, 512, 700, 895])
def test_a_box_comes_back_from_any_anchor(anchor: int) -> None:
    box = (70.0, 50.0, 30.0, 40.0)
    (face,) = Raw().says(anchor, box, 0.9).found()
    assert (face.x, face.y, face.width, face.height) == pytest.approx(box, abs=1e-4)
    assert face.score == pytest.approx(0.9, abs=1e-4)
    assert face.keypoints_px == pytest.approx(keypoints(box), abs=1e-4)
    assert face.keypoints_px.shape == (KEYPOINT_COUNT, 2)
    assert face.spot.size == pytest.approx(40.0, abs=1e-4)


def test_boxes_of_one_face_are_blended_by_score() -> None:
    raw = Raw().says(100, (60.0, 60.0, 40.0, 40.0), 0.9).says(102, (64.0, 62.0, 44.0, 40.0), 0.6)
    (face,) = raw.found()
    share = 0.9 / 1.5
    assert face.x == pytest.approx(60 * share + 64 * (1 - share), abs=1e-3)
    assert face.y == pytest.approx(60 * share + 62 * (1 - share), abs=1e-3)
    assert face.width == pytest.approx(40 * share + 44 * (1 - share), abs=1e-3)
    assert face.score == pytest.approx(0.9, abs=1e-5), "that of the surest"


def test_faces_apart_are_told_apart_the_surest_first() -> None:
    raw = Raw().says(300, (30.0, 60.0, 30.0, 30.0), 0.7).says(600, (90.0, 60.0, 40.0, 40.0), 0.95)
    assert [round(face.x) for face in raw.found()] == [90, 30]


def test_an_overlap_of_a_quarter_is_two_faces_and_one_of_a_half_is_one() -> None:
    for shift, faces in ((30.0 * 0.6, 2), (30.0 / 3.0, 1)):  # intersection over union: 0.25 and 0.5
        raw = Raw().says(300, (50.0, 60.0, 30.0, 30.0), 0.9).says(302, (50.0 + shift, 60.0, 30.0, 30.0), 0.8)
        assert len(raw.found()) == faces


def test_what_is_not_sure_is_no_face() -> None:
    assert Raw().found() == []
    assert Raw().says(300, (50.0, 60.0, 30.0, 30.0), 0.49).found() == []
    assert len(Raw().says(300, (50.0, 60.0, 30.0, 30.0), 0.51).found()) == 1


def test_numbers_out_of_all_bounds_do_no_harm() -> None:
    raw = Raw().says(300, (50.0, 60.0, 30.0, 30.0), 0.9)
    raw.logits[5], raw.logits[7] = np.float32(1e30), np.float32(-1e30)
    raw.logits[9] = np.nan
    raw.boxes[5] = 0.0  # a box without any area
    found = raw.found()
    assert len(found) == 2
    assert all(0.0 <= face.score <= 1.0 for face in found)


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (720, 1280), (500, 500), (100, 60), (4000, 400)])
def test_a_square_on_the_picture_is_found_where_it_lies(width: int, height: int) -> None:
    """A white spot goes into the letterbox and its place comes back in pixels of the picture."""
    rgb = np.zeros((height, width, 3), np.uint8)
    x0, x1, y0, y1 = int(width * 0.6), width - int(width * 0.2), int(height * 0.1), height - int(height * 0.5)
    rgb[y0:y1, x0:x1] = 255
    box, seen = boxed(rgb)
    rows, columns = np.nonzero(seen[0] > 127)
    spot = ((columns.min() + columns.max() + 1) / 2, (rows.min() + rows.max() + 1) / 2, 10.0, 10.0)
    (face,) = Raw().says(400, spot, 0.9).found(box)
    assert face.x == pytest.approx((x0 + x1) / 2, abs=box.scale)
    assert face.y == pytest.approx((y0 + y1) / 2, abs=box.scale)
    assert face.width == pytest.approx(10.0 * box.scale, rel=1e-3)


@pytest.mark.parametrize(("width", "height"), [(4000, 17), (1, 1), (1, 9000), (16384, 1)])
def test_the_oddest_picture_has_a_letterbox(width: int, height: int) -> None:
    _box, seen = boxed(np.full((height, width, 3), 9, np.uint8))
    assert seen.min() >= -1e-4
    assert seen.max() <= 9 + 1e-4


def test_the_bars_of_a_letterbox_are_black_and_its_middle_is_the_pictures() -> None:
    box, seen = boxed(np.full((720, 1280, 3), 200, np.uint8))
    assert (box.left, box.top) == (0, 28)
    assert np.all(seen[:, :28] == 0)
    assert np.all(seen[:, 100:] == 0)
    assert np.allclose(seen[:, 28:100], 200, atol=1e-4)
    assert box.scale == 10.0


@pytest.mark.parametrize("shift", [(1, 1), (1, 0), (0, 0)])
def test_planes_have_the_letterbox_of_their_rgb(shift: tuple[int, int]) -> None:
    """Black bars too, which zeros of Y, Cb and Cr are not. Smooth colours, which subsampling keeps."""
    y, x = np.mgrid[0:90, 0:160]
    rgb = np.stack([40 + x, 60 + y, 230 - x], axis=-1).astype(np.uint8)
    spec = YuvSpec("bt709", full_range=False)
    luma, cb, cr = rgb_to_yuv(rgb, spec, *shift)
    box, seen = boxed(Planes(luma, cb, cr, shift, spec))
    wanted_box, wanted = boxed(rgb)
    assert box == wanted_box
    assert np.all(seen[:, :28] == 0)
    assert np.all(seen[:, 100:] == 0)
    assert np.abs(seen - wanted).max() < 3.5, "grey levels; measured: 2.7, bytes of Y, Cb and Cr"
