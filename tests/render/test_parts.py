"""Parts that are not skin, on the demo's portrait: teeth, irises and brows keep their shape in an edit."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from rtfilter.bench.parts import changes
from rtfilter.colour import YuvSpec, rgb_to_yuv
from rtfilter.controls import Controls
from rtfilter.face import landmarks as lm
from rtfilter.face.deform import Displacement
from rtfilter.face.emotion import Target
from rtfilter.frame import Frame
from rtfilter.planes import Planes
from rtfilter.render.cpu import CpuRenderer
from rtfilter.render.mesh import RingedMesh
from rtfilter.sources.demo import DemoSource
from rtfilter.system.arrays import U8
from tests.faces import builtin, coefficients

OPEN = 56  # the demo's frame in which the jaw is open widest


@pytest.fixture(scope="module")
def demo() -> Iterator[DemoSource]:
    source = DemoSource(zoom=2.2)
    yield source
    source.close()


@pytest.fixture(scope="module")
def rigid() -> Iterator[CpuRenderer]:
    renderer = CpuRenderer(RingedMesh(builtin().triangles, builtin().holes))
    yield renderer
    renderer.close()


@pytest.fixture(scope="module")
def stretching() -> Iterator[CpuRenderer]:
    renderer = CpuRenderer(RingedMesh(builtin().triangles, builtin().holes, rigid_parts=False))
    yield renderer
    renderer.close()


def edited(
    demo: DemoSource, seq: int, offset: np.ndarray, basis: str = "edit_basis"
) -> tuple[U8, Displacement]:
    truth = demo.truth(seq)
    moved = np.einsum("e,enc->nc", offset, getattr(builtin(), basis))
    offset_px = truth.pose.project_vectors(moved).astype(np.float32)
    return demo.frame(seq).rgb, Displacement(truth.points_px, offset_px, truth.pose.scale_px_per_iod)


def feeling(demo: DemoSource, emotion: str, basis: str = "edit_basis") -> tuple[U8, Displacement]:
    target = Target.of_controls(Controls({emotion: 1.0}))
    return edited(demo, 0, target.offset(demo.truth(0).expression), basis)


def test_irises_stay_circles_when_surprise_opens_the_lids(
    demo: DemoSource, rigid: CpuRenderer, stretching: CpuRenderer
) -> None:
    """Height over width. Measured: 0.983 and 0.992; in the mesh that stretches 1.175 and 1.150."""
    frames = [feeling(demo, "surprised")]
    assert changes(frames, rigid)["iris"] == pytest.approx(np.ones((1, 2)), abs=0.03)
    assert (np.abs(changes(frames, stretching)["iris"] - 1.0) > 0.1).all()


@pytest.mark.parametrize(
    ("emotion", "own"),
    # Measured: 1.028, 1.016, 0.965. own: with the model's own basis; at "sad" 0.981, within the bounds too.
    [("surprised", 1.149), ("sad", None), ("angry", 0.840)],
)
def test_brows_keep_their_thickness(
    demo: DemoSource, rigid: CpuRenderer, emotion: str, own: float | None
) -> None:
    found = changes([feeling(demo, emotion)], rigid)["brow"]
    assert np.median(found) == pytest.approx(1.0, abs=0.05)
    if own is not None:
        before = changes([feeling(demo, emotion, "expression_basis")], rigid)["brow"]
        assert np.median(before) == pytest.approx(own, abs=0.03)


def spacing(rgb: U8, middle: np.ndarray, half_px: int) -> np.ndarray:
    """Distances between the dark lines of a grating along a row through `middle`, in pixels."""
    row = rgb[round(middle[1]) - 2 : round(middle[1]) + 3, :, :].astype(np.float64).mean((0, 2))
    row = row[round(middle[0]) - half_px : round(middle[0]) + half_px]
    low = np.flatnonzero((row[1:-1] < row[:-2]) & (row[1:-1] <= row[2:]) & (row[1:-1] < 120.0)) + 1
    curve = row[low - 1] - 2 * row[low] + row[low + 1]
    return np.diff(low + 0.5 * (row[low - 1] - row[low + 1]) / curve)


def test_a_grid_on_the_teeth_keeps_its_spacing_in_a_smile(
    demo: DemoSource, rigid: CpuRenderer, stretching: CpuRenderer
) -> None:
    """Lines of 10 px, over the middle half of the mouth. Measured: 9.97 to 10.02; stretching 12.7 to 13.3."""
    rgb, moved = edited(demo, OPEN, coefficients(mouthSmile=1.0))
    rgb, points = rgb.copy(), moved.points_px[:, :2]
    lips = points[
        [lm.INNER_CORNER_RIGHT, *lm.LIPS_INNER_UPPER, lm.INNER_CORNER_LEFT, *lm.LIPS_INNER_LOWER[::-1]]
    ]
    inside = cv2.fillPoly(np.zeros(rgb.shape[:2], np.uint8), [np.round(lips).astype(np.int32)], 1) > 0
    grating = 128 + 100 * np.cos(2 * np.pi * np.arange(rgb.shape[1]) / 10.0)
    rgb[inside] = np.broadcast_to(grating[None, :, None], rgb.shape)[inside].astype(np.uint8)
    before = 0.5 * (points[lm.LIP_UPPER_INNER] + points[lm.LIP_LOWER_INNER])
    after = before + 0.5 * (moved.offset_px[lm.LIP_UPPER_INNER] + moved.offset_px[lm.LIP_LOWER_INNER])
    width = float(np.linalg.norm(points[lm.INNER_CORNER_LEFT] - points[lm.INNER_CORNER_RIGHT]))
    half_px = round(0.24 * width)
    assert spacing(rgb, before, half_px) == pytest.approx(10.0, abs=0.1)
    found = spacing(rigid.render(Frame.from_rgb(rgb), moved).rgb, after, half_px)
    assert found == pytest.approx(10.0, abs=0.1)
    assert spacing(stretching.render(Frame.from_rgb(rgb), moved).rgb, after, half_px).mean() > 11.0


@pytest.mark.parametrize("shift", [(1, 1), (1, 0), (0, 0)], ids=str)
def test_irises_are_completed_in_planes_as_in_rgb(
    demo: DemoSource, rigid: CpuRenderer, shift: tuple[int, int]
) -> None:
    """Bit for bit what RGB, rendered, adds to the planes."""
    rgb, moved = feeling(demo, "surprised")
    spec = YuvSpec("bt601", full_range=False)
    planes = Planes(*rgb_to_yuv(rgb[:719, :1279], spec, *shift), shift, spec)
    in_rgb = rigid.render(Frame(planes.rgb), moved)
    expected = planes.with_edit(planes.rgb, in_rgb.rgb, in_rgb.changed)
    out = rigid.render(Frame(planes), moved).planes
    assert out is not None
    for plane, wanted in zip(out.all, expected.all, strict=True):
        assert np.array_equal(plane, wanted)


def test_no_edit_leaves_every_byte(demo: DemoSource, rigid: CpuRenderer) -> None:
    rgb, moved = edited(demo, 0, np.zeros(52))
    frame = Frame.from_rgb(rgb)
    assert rigid.render(frame, moved).rgb is frame.rgb
