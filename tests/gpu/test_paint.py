"""Painting on planes is painting on their RGB and adding the difference, bit for bit, wherever a face is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtfilter.colour import YuvSpec, yuv_to_rgb
from rtfilter.face.deform import Displacement
from rtfilter.face.pose import Pose
from rtfilter.gpu.frame_io import REACH_PX, PlanesUpload, RgbUpload, Upload
from rtfilter.gpu.graph import BatchGraph
from rtfilter.gpu.region import changed_box, region_of, stepped_bytes
from rtfilter.kernels import blocks, launch
from rtfilter.kernels.reference.add_edit import add_edit
from rtfilter.kernels.warp import Warp
from rtfilter.planes import Planes
from rtfilter.render.mesh import RingedMesh
from rtfilter.system.arrays import U8, Box
from rtfilter.tracking.roi import Roi
from tests.faces import builtin, coefficients, face_px, texture
from tests.gpu.conftest import need_compiler
from tests.gpu.in_planes import planes_of_rgb
from tests.host_gpu.device import HostDevice
from tests.kernels.on_host import set_i420

SPECS = [YuvSpec(matrix, full) for matrix in ("bt601", "bt709") for full in (False, True)]

BATCH = 2


class Unused:
    """In place of a network, which painting does not run."""

    capturable = True

    def bind(self, tensors: object) -> None: ...

    def enqueue(self, stream: object) -> None: ...


class Painter:
    """The last part of the graph, with landmarks of our choice."""

    def __init__(self) -> None:
        need_compiler()
        self.device = HostDevice()
        self.stream = self.device.stream()
        mesh = RingedMesh(builtin().triangles, builtin().holes)
        warp = Warp(self.device, self.stream, mesh.topology(), BATCH)
        table = self.device.empty((1, 1), np.float32)
        networks = (Unused(), Unused())
        self.graph = BatchGraph(self.device, self.stream, networks, warp, table, 1 << 19)  # type: ignore[arg-type]

    def paint(self, upload: Upload, moved: Displacement, number: int = 0) -> tuple[Box | None, list[U8]]:
        """The changed box, and what lies in it, of an upload in that slot."""
        slot_bytes = stepped_bytes(upload.bytes)
        for block in self.graph.parameters.values():
            block[...] = np.zeros(1, block.dtype)
        slot = self.graph.slot(number, slot_bytes)
        upload.put(slot, None)
        for there, values in zip(
            self.graph._shown, (moved.points_px, moved.offset_px, moved.iod_px), strict=True
        ):
            there.array[...] = 0.0  # type: ignore[attr-defined]
            there.array[number] = values  # type: ignore[attr-defined]
        parts = self.graph.parts(upload.format, slot_bytes)
        paint = [part for part in parts if part.stage == "render"][1:]
        for part in (parts[0], *paint, parts[-1]):
            part.queue()
        self.stream.wait()
        box = changed_box(self.graph.reports[number])
        return box, [] if box is None else [part.copy() for part in upload.changed(slot, box)]

    def rgb_of(self, planes: Planes) -> U8:
        """The whole picture, by the kernel."""
        height, width = planes.shape
        made = np.zeros(1, blocks.YUV)
        set_i420(made, width, height)
        made["rgb_pitch"], made["width"], made["height"] = 3 * width, width, height
        made["matrix"] = planes.spec.rgb_from_yuv.ravel()
        flat = np.concatenate([plane.ravel() for plane in planes.all])
        out = self.device.empty((height, width, 3), np.uint8)
        launch.rgb_from_yuv(self.stream, self._put(made), self._put(flat), out)
        self.stream.wait()
        return np.array(out.array)

    def _put(self, array: np.ndarray):  # type: ignore[no-untyped-def]
        host = self.device.pinned(array.shape, array.dtype)
        host[...] = array
        there = self.device.empty(array.shape, array.dtype)
        self.stream.upload(there, host)
        return there


@pytest.fixture(scope="module")
def painter() -> Painter:
    return Painter()


def face_at(x: float, y: float, iod_px: float, amount: float = 1.0) -> Displacement:
    pose = Pose(np.eye(3), np.array([x, y, 0.0]), iod_px)
    moved = builtin().displacement_iod(amount * coefficients(mouthSmile=1.0, browInnerUp=0.5))
    return Displacement(face_px(pose), pose.project_vectors(moved).astype(np.float32), iod_px)


def check(painter: Painter, planes: Planes, region: Box, moved: Displacement, number: int = 0) -> Box | None:
    """Both ways; what they changed."""
    before = painter.rgb_of(planes)
    box, painted = painter.paint(RgbUpload(before, region), moved)
    got_box, got = painter.paint(PlanesUpload(planes, region), moved, number)
    assert got_box == box
    if box is None:
        return None
    assert box.x0 % 2 == box.y0 % 2 == 0
    height, width = planes.shape
    assert box.x1 % 2 == 0 or box.x1 == width
    assert box.y1 % 2 == 0 or box.y1 == height
    shown = before[box.y0 : box.y1, box.x0 : box.x1]
    after = painted[0].reshape(shown.shape)
    want = add_edit(planes.part(box), shown, after, planes.spec.yuv_from_rgb)
    for ours, theirs in zip(got, want, strict=True):
        assert np.array_equal(ours, theirs)
    out = planes.copy()
    PlanesUpload(planes, region).paste(out, box, got)
    for pasted, theirs in zip(out.part(box), want, strict=True):
        assert np.array_equal(pasted, theirs)
    return box


def noise_planes(width: int, height: int, spec: YuvSpec) -> Planes:
    """Any samples, out of gamut included."""
    rng = np.random.default_rng(width)
    small = ((height + 1) // 2, (width + 1) // 2)
    shapes = ((height, width), small, small)
    return Planes(*(rng.integers(0, 256, shape, dtype=np.uint8) for shape in shapes), (1, 1), spec)


@pytest.mark.parametrize("size", [(200, 160), (201, 161)], ids=str)
@pytest.mark.parametrize("place", [(100, 80), (20, 30), (190, 150), (100, 158), (0, 80)], ids=str)
def test_wherever_the_face_is(painter: Painter, size: tuple[int, int], place: tuple[int, int]) -> None:
    width, height = size
    for number, planes in enumerate(
        (planes_of_rgb(texture(*size)), noise_planes(*size, SPECS[number_of(place)]))
    ):
        region = region_of(Roi(float(place[0]), float(place[1]), 110.0, 0.1), width, height)
        assert check(painter, planes, region, face_at(*place, 36.0), number) is not None


def number_of(place: tuple[int, int]) -> int:
    return sum(place) % len(SPECS)


@given(
    size=st.tuples(st.integers(1, 120), st.integers(1, 90)),
    data=st.data(),
    spec=st.sampled_from(SPECS),
    x=st.floats(-20, 130),
    y=st.floats(-20, 100),
)
@settings(max_examples=30, deadline=None)
def test_any_region_of_any_picture(
    painter: Painter, size: tuple[int, int], data: st.DataObject, spec: YuvSpec, x: float, y: float
) -> None:
    """Regions that cut the face, too: what is read beyond a region's edge is the same."""
    sides = []
    for whole in size:
        first = 2 * data.draw(st.integers(0, (whole - 1) // 2))
        sides.append((first, min(first + 2 * data.draw(st.integers(1, 60)), whole)))
    (x0, x1), (y0, y1) = sides
    check(painter, noise_planes(*size, spec), Box(x0, y0, x1, y1), face_at(x, y, 30.0))


def test_a_region_is_uploaded_with_what_its_rgb_is_made_of() -> None:
    """Half the bytes of RGB; and never more room on the device than is promised."""
    for width, height in ((1280, 720), (641, 479), (33, 4000), (4000, 33), (1, 1), (2, 2), (7, 5)):
        planes, rgb = noise_planes(width, height, SPECS[0]), np.zeros((height, width, 3), np.uint8)
        for side in (1.0, 20.0, 200.0, 391.0, 4000.0):
            region = region_of(Roi(width * 0.6, height * 0.4, side, 0.0), width, height)
            ours, theirs = PlanesUpload(planes, region), RgbUpload(rgb, region)
            assert theirs.bytes <= ours.format.room(ours.bytes)
            if min(region.x1 - region.x0, region.y1 - region.y0) > 200:
                assert ours.bytes < 0.62 * theirs.bytes
    assert REACH_PX == 4, "two samples of chroma, as many as the kernel's filter reads"


def test_clamped_chroma_reaches_no_painted_pixel(painter: Painter) -> None:
    """A part of a picture is the very same as all of it, wherever it is cut."""
    planes = noise_planes(160, 120, SPECS[0])
    moved = face_at(80.0, 60.0, 30.0)
    whole_box, whole = painter.paint(PlanesUpload(planes, Box(0, 0, 160, 120)), moved)
    assert whole_box is not None
    around = Box(whole_box.x0 - 6, whole_box.y0 - 6, whole_box.x1 + 6, whole_box.y1 + 6)
    box, part = painter.paint(PlanesUpload(planes, around), moved)
    assert box == whole_box
    assert all(np.array_equal(a, b) for a, b in zip(part, whole, strict=True))
    rgb = yuv_to_rgb(planes.all, planes.spec).astype(int)
    assert np.abs(painter.rgb_of(planes) - rgb).max() <= 2
