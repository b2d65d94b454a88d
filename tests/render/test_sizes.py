"""A stream whose picture changes its size: what was prepared for the other size is forgotten."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from rtfilter.face.pose import Pose
from rtfilter.frame import Frame
from rtfilter.render.cpu import CpuRenderer
from rtfilter.render.mesh import RingedMesh
from tests.faces import builtin, face_px, texture
from tests.render.test_cpu import as_planes, displacement

SIZES = ((640, 480), (96, 80), (200, 400), (640, 480))


@pytest.fixture
def renderers() -> Iterator[tuple[CpuRenderer, CpuRenderer]]:
    both = tuple(CpuRenderer(RingedMesh(builtin().triangles, builtin().holes)) for _ in range(2))
    yield both[0], both[1]
    for each in both:
        each.close()


@pytest.mark.parametrize("planes", [False, True], ids=["rgb", "planes"])
def test_pictures_of_other_sizes_render_as_alone(
    renderers: tuple[CpuRenderer, CpuRenderer], planes: bool
) -> None:
    """The face lies at the right below, where the smaller pictures have nothing."""
    stream, alone = renderers
    for width, height in SIZES:
        pose = Pose(np.eye(3), np.array([0.7 * width, 0.7 * height, 0.0]), 0.2 * min(width, height))
        moved = displacement(face_px(pose), iod_px=pose.scale_px_per_iod)
        rgb = texture(width, height)
        frame = Frame(as_planes(rgb, (1, 1))) if planes else Frame.from_rgb(rgb)
        for _ in range(2):  # the second finds what the first prepared
            stream.prepare(frame)
            out = stream.render(frame, moved)
        want = alone.render(frame, moved)
        assert out.changed == want.changed is not None
        assert np.array_equal(out.rgb, want.rgb)
