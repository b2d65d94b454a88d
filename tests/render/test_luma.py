"""The brightness around landmarks, of RGB and of planes alike."""

from __future__ import annotations

import numpy as np
import pytest

from rtfilter.colour import YuvSpec, rgb_to_yuv
from rtfilter.planes import Planes
from rtfilter.render.luma import luma_around


def test_patches_of_a_known_picture() -> None:
    rgb = np.zeros((100, 120, 3), np.uint8)
    rgb[:, 60:] = 200
    points = np.array([[30.0, 50.0, 0.0], [90.0, 50.0, 0.0], [60.0, 50.0, 0.0]], np.float32)
    left, right, middle = luma_around(rgb, points, 100.0)
    assert left == 0.0
    assert right == pytest.approx(200 / 255)
    assert 0.3 * 200 / 255 < middle < 0.7 * 200 / 255


def test_what_lies_outside_is_the_edge() -> None:
    rgb = np.full((50, 50, 3), 90, np.uint8)
    points = np.array([[-300.0, 20.0, 0.0], [1e6, 1e6, 0.0]], np.float32)
    np.testing.assert_allclose(luma_around(rgb, points, 60.0), 90 / 255)


@pytest.mark.parametrize("full_range", [True, False])
def test_planes_have_the_same(full_range: bool) -> None:
    rng = np.random.default_rng(2)
    rgb = np.repeat(rng.integers(30, 220, (64, 64, 1)), 3, axis=2).astype(np.uint8)  # grey: no chroma
    spec = YuvSpec("bt709", full_range=full_range)
    planes = Planes(*rgb_to_yuv(rgb, spec, 1, 1), (1, 1), spec)
    points = rng.uniform(5, 59, (40, 3)).astype(np.float32)
    # Planes are rounded to whole levels: half a level of 219.
    np.testing.assert_allclose(luma_around(planes, points, 40.0), luma_around(rgb, points, 40.0), atol=0.004)
