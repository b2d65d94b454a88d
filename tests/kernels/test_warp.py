"""The warp's kernels on the processor against the CPU lane: same grid, same flow, same box, same pixels."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from rtfilter.face.deform import Displacement
from rtfilter.face.pose import Pose
from rtfilter.frame import Frame
from rtfilter.render.cpu import CpuRenderer
from rtfilter.render.mesh import RingedMesh
from tests.faces import builtin, coefficients, face_px, rotation, texture
from tests.kernels.on_host import Warped, in_both_orders

SMILE = coefficients(mouthSmile=1.0, browInnerUp=0.8, cheekSquint=0.5, eyeWide=0.5)
# Measured over the cases below: the flow is at most 3.2e-5 px apart (single numbers against double ones), and
# one pixel in 25000 of the picture a grey level, where a sum's rounding falls on a half.
FLOW_PX = 2e-4
ROUNDED_SHARE = 2e-4


@pytest.fixture(scope="module")
def mesh() -> RingedMesh:
    model = builtin()
    return RingedMesh(model.triangles, model.holes)


@pytest.fixture(scope="module")
def renderer(mesh: RingedMesh) -> Iterator[CpuRenderer]:
    made = CpuRenderer(mesh)
    yield made
    made.close()


def displaced(points: np.ndarray, iod_px: float, head: np.ndarray, amount: float = 1.0) -> Displacement:
    offset = Pose(head, np.zeros(3), iod_px).project_vectors(builtin().displacement_iod(amount * SMILE))
    return Displacement(points.astype(np.float32), offset.astype(np.float32), iod_px)


# Picture, IOD in pixels, head, and the face's middle in shares of the picture.
CASES = {
    "frontal": ((320, 240), 60.0, rotation(), (0.5, 0.5)),
    "turned, nodding, rolled": ((320, 240), 55.0, rotation(35.0, -15.0, 20.0), (0.5, 0.5)),
    "in profile": ((320, 240), 60.0, rotation(75.0), (0.5, 0.5)),
    "small, cells of a pixel": ((320, 240), 20.0, rotation(10.0), (0.4, 0.6)),
    "large, four taps": ((640, 480), 150.0, rotation(), (0.5, 0.5)),
    "odd picture, cut by its corner": ((321, 241), 70.0, rotation(), (0.02, 0.05)),
    "cut at the far corner": ((321, 239), 70.0, rotation(), (0.97, 0.98)),
    "larger than the picture": ((160, 120), 140.0, rotation(), (0.5, 0.5)),
}


def case_of(name: str) -> tuple[Frame, Displacement]:
    (width, height), iod_px, head, (x, y) = CASES[name]
    pose = Pose(head, np.array([x * width, y * height, 0.0]), iod_px)
    frame = Frame.from_rgb(texture(width, height))
    return frame, displaced(face_px(pose), iod_px, head)


@pytest.mark.parametrize("name", CASES)
def test_the_warp_is_the_cpu_lanes(name: str, renderer: CpuRenderer, mesh: RingedMesh) -> None:
    frame, moved = case_of(name)
    want = renderer.render(frame, moved)
    flow, _ = renderer.flow(moved)
    for bench in in_both_orders():
        got = Warped(bench, mesh.topology(), frame.rgb, moved.points_px, moved.offset_px, moved.iod_px)
        assert got.flow.shape == flow.shape
        assert np.abs(got.flow - flow).max() < FLOW_PX
        assert got.box == want.changed == got.wanted
        apart = np.abs(got.rgb.astype(int) - want.rgb).max(2)
        assert apart.max() <= 1
        assert (apart > 0).mean() < ROUNDED_SHARE
