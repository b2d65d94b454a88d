"""The warp on the host device against the CPU renderer: batches, regions, and nothing to do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from rtfilter.errors import MissingExtraError
from rtfilter.face.deform import Displacement
from rtfilter.face.pose import Pose
from rtfilter.frame import Frame
from rtfilter.gpu.frame_io import pitch_of, set_region
from rtfilter.gpu.region import changed_box, wanted_box
from rtfilter.kernels import blocks
from rtfilter.kernels.warp import Warp
from rtfilter.render.cpu import CpuRenderer
from rtfilter.render.mesh import RingedMesh
from rtfilter.system.arrays import Box
from tests.faces import builtin, coefficients, face_px, rotation, texture
from tests.host_gpu.build import find_compiler
from tests.host_gpu.device import HostDevice

BATCH = 3
SIZE = (320, 240)
WHOLE = Box(0, 0, *SIZE)


@pytest.fixture(scope="module")
def mesh() -> RingedMesh:
    try:
        find_compiler()
    except MissingExtraError as error:
        pytest.skip(str(error))
    return RingedMesh(builtin().triangles, builtin().holes)


@pytest.fixture
def cpu(mesh: RingedMesh) -> Iterator[CpuRenderer]:
    made = CpuRenderer(mesh)
    yield made
    made.close()


def displacement(yaw_deg: float, amount: float, **shapes: float) -> Displacement:
    """A face in the middle of the picture, with an edit of blendshapes."""
    pose = Pose(rotation(yaw_deg), np.array([160.0, 120.0, 0.0]), 60.0)
    moved = builtin().displacement_iod(amount * coefficients(**shapes))
    offset = pose.project_vectors(moved).astype(np.float32)
    return Displacement(face_px(pose), offset, pose.scale_px_per_iod)


FACES = (
    displacement(0.0, 1.0, mouthSmile=1.0, browInnerUp=0.5),
    displacement(22.0, 1.2, browDown=1.0, eyeWide=0.6),
    displacement(-8.0, 0.0, jawOpen=1.0),
)


class OnDevice:
    """The warp of a batch."""

    def __init__(self, mesh: RingedMesh, batch: int = BATCH) -> None:
        self.device = HostDevice()
        self.stream = self.device.stream()
        self.warp = Warp(self.device, self.stream, mesh.topology(), BATCH)
        if batch != BATCH:
            self.warp = self.warp.for_fewer(batch)
        self.batch = batch

    def put(self, array: np.ndarray) -> Any:
        host = self.device.pinned(array.shape, array.dtype)
        host[...] = array
        there = self.device.empty(array.shape, array.dtype)
        self.stream.upload(there, host)
        return there

    def render(
        self, pictures: list[np.ndarray], moved: list[Displacement], regions: list[Box]
    ) -> tuple[list[np.ndarray], Any]:
        """The pictures with their boxes pasted, and the reports."""
        slot = max((box.y1 - box.y0) * pitch_of(box.x1 - box.x0) for box in regions)
        source = np.zeros(self.batch * slot, np.uint8)
        soften, resample = np.zeros(self.batch, blocks.SOFTEN), np.zeros(self.batch, blocks.RESAMPLE)
        for number, (picture, box) in enumerate(zip(pictures, regions, strict=True)):
            pitch, tall, wide = pitch_of(box.x1 - box.x0), box.y1 - box.y0, 3 * (box.x1 - box.x0)
            rows = source[number * slot : number * slot + tall * pitch].reshape(tall, pitch)
            rows[:, :wide] = picture[box.y0 : box.y1, box.x0 : box.x1].reshape(tall, wide)
            size = (picture.shape[1], picture.shape[0])
            set_region(soften[number], resample[number], box, size, pitch, number * slot)
        shown = (
            self.put(np.stack([one.points_px for one in moved])),
            self.put(np.stack([one.offset_px for one in moved])),
            self.put(np.array([one.iod_px for one in moved], np.float32)),
        )
        changed = self.device.empty(self.batch * slot, np.uint8)
        self.warp.find_flow(self.stream, *shown, self.put(soften))
        self.warp.resample(self.stream, self.put(resample), self.put(source), changed)
        self.stream.wait()
        reports = self.warp.reports.array  # type: ignore[attr-defined]
        painted = [picture.copy() for picture in pictures]
        for number, box in enumerate(regions):
            done = changed_box(reports[number])
            if done is not None:
                pitch, tall = pitch_of(box.x1 - box.x0), done.y1 - done.y0
                rows = changed.array[number * slot :][: tall * pitch].reshape(tall, pitch)
                inside = rows[:, : 3 * (done.x1 - done.x0)].reshape(tall, -1, 3)
                painted[number][done.y0 : done.y1, done.x0 : done.x1] = inside
        return painted, reports


@pytest.mark.parametrize("batch", [BATCH, 2])
def test_a_batch_is_what_the_cpu_renders_one_by_one(mesh: RingedMesh, cpu: CpuRenderer, batch: int) -> None:
    """Measured: 1 level apart on 0.01 % of the changed pixels, none farther."""
    pictures = [texture(*SIZE, seed=seed) for seed in range(batch)]
    painted, reports = OnDevice(mesh, batch).render(pictures, list(FACES[:batch]), [WHOLE] * batch)
    for number in range(batch):
        expected = cpu.render(Frame(pictures[number]), FACES[number])
        assert changed_box(reports[number]) == expected.changed
        apart = np.abs(painted[number].astype(np.int16) - expected.rgb)
        assert apart.max() <= 1
        assert (apart > 0).mean() < 0.0005
        assert (expected.changed is None) == (number == 2), "the last one is moved by nothing"


def test_a_region_that_holds_the_box_makes_no_difference(mesh: RingedMesh) -> None:
    device, picture = OnDevice(mesh, 1), texture(*SIZE)
    whole, reports = device.render([picture], [FACES[0]], [WHOLE])
    box = changed_box(reports[0])
    assert box is not None
    around = Box((box.x0 - 9) & ~1, (box.y0 - 9) & ~1, box.x1 + 8, box.y1 + 8)
    part, reports = device.render([picture], [FACES[0]], [around])
    assert np.array_equal(part[0], whole[0])
    assert changed_box(reports[0]) == wanted_box(reports[0]) == box


def test_a_region_that_is_too_small_says_what_it_should_have_been(mesh: RingedMesh) -> None:
    device, picture = OnDevice(mesh, 1), texture(*SIZE)
    _, reports = device.render([picture], [FACES[0]], [WHOLE])
    box = changed_box(reports[0])
    assert box is not None
    cut = Box(box.x0 - 10, box.y0 + 20, box.x1 + 10, box.y1 + 10)
    painted, reports = device.render([picture], [FACES[0]], [cut])
    assert wanted_box(reports[0]) == box
    assert changed_box(reports[0]) == box._replace(y0=cut.y0)
    assert np.array_equal(painted[0][: cut.y0], picture[: cut.y0])


def test_one_for_fewer_needs_a_batch_that_is_smaller(mesh: RingedMesh) -> None:
    with pytest.raises(ValueError, match=r"expected 1\.\.3, got 4"):
        OnDevice(mesh).warp.for_fewer(4)
