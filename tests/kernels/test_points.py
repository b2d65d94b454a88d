"""The points kernel on the processor against its twin: through the affine, and who counts as present."""

from __future__ import annotations

import numpy as np
import pytest

from rtfilter.kernels import blocks, launch
from rtfilter.kernels.reference import points as reference
from tests.kernels.on_host import Bench, block, in_both_orders

MATRIX = np.array([[2.5, -0.75, 812.0], [0.75, 2.5, -33.5]])
# Pixels of a 1080p picture. Measured: 9.5e-5, less than float32's own step at 1900 px.
APART_PX = 3e-4


def run(
    bench: Bench,
    landmarks: np.ndarray,
    presence: list[float],
    matrices: list[np.ndarray] | None = None,
    threshold: float = 0.5,
) -> tuple[np.ndarray, np.ndarray]:
    batch, count = landmarks.shape[:2]
    parameters = np.concatenate(
        [
            block(
                blocks.POINTS,
                picture_from_crop=matrix.ravel(),
                z_scale=np.hypot(*matrix[:, 0]),
                presence_threshold=threshold,
            )
            for matrix in matrices or [MATRIX] * batch
        ]
    )
    points, present = bench.empty((batch, count, 3), np.float32), bench.empty(batch, np.float32)
    given = (bench.put(landmarks.astype(np.float32)), bench.put(np.float32(presence)))
    launch.points(bench.stream, bench.put(parameters), *given, points, present)
    bench.stream.wait()
    return points.array.copy(), present.array.copy()


@pytest.mark.parametrize("count", [1, 255, 256, 257, 478])
def test_points_go_through_the_affine(count: int) -> None:
    landmarks = np.random.default_rng(count).uniform(-20, 212, (1, count, 3)).astype(np.float32)
    want, present = reference.points(landmarks, np.float32([0.9]), MATRIX, np.hypot(2.5, 0.75), 0.5)
    for bench in in_both_orders():
        got = run(bench, landmarks, [0.9])
        assert np.abs(got[0] - want).max() < APART_PX
        assert got[1].tolist() == present.tolist() == [1.0]


@pytest.mark.parametrize(
    ("presence", "threshold", "present"),
    [
        (0.5, 0.5, 1.0),
        (0.49, 0.5, 0.0),
        (np.nan, 0.5, 0.0),
        (np.inf, 0.5, 1.0),
        (1.0, np.inf, 0.0),
        (0.0, 0.0, 1.0),
    ],
)
def test_who_is_present(presence: float, threshold: float, present: float) -> None:
    landmarks = np.ones((1, 478, 3), np.float32)
    points, found = run(Bench(), landmarks, [presence], threshold=threshold)
    assert found.tolist() == [present]
    assert points.any(), "where the points are does not depend on who is present"


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e20])
@pytest.mark.parametrize("where", [(0, 0), (477, 2), (300, 1)])
def test_one_broken_number_makes_no_face(bad: float, where: tuple[int, int]) -> None:
    landmarks = np.full((2, 478, 3), 90.0, np.float32)
    landmarks[0][where] = bad
    want, present = reference.points(landmarks, np.float32([1, 1]), MATRIX, np.hypot(2.5, 0.75), 0.5)
    for bench in in_both_orders():
        points, found = run(bench, landmarks, [1.0, 1.0])
        assert found.tolist() == present.tolist() == [0.0, 1.0]
        assert not points[0].any()
        assert np.abs(points[1] - want[1]).max() < APART_PX


def test_three_at_once_are_three_alone() -> None:
    rng = np.random.default_rng(1)
    landmarks = rng.uniform(0, 192, (3, 478, 3)).astype(np.float32)
    matrices = [MATRIX * (n + 1) for n in range(3)]
    together = run(Bench(), landmarks, [0.1, 0.6, 0.9], matrices)
    for n in range(3):
        alone = run(Bench(), landmarks[n : n + 1], [(0.1, 0.6, 0.9)[n]], matrices[n : n + 1])
        assert np.array_equal(together[0][n], alone[0][0])
        assert together[1][n] == alone[1][0]
