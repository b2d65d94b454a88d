"""The measures, pairs and figures of `bench reenact` on pictures and numbers with a known answer."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from rtfilter.bench import reenact_compare as compare
from rtfilter.bench.reenact_figures import all_figures, clip_figures, sign_p
from rtfilter.bench.reenact_pairs import warp
from rtfilter.face.model import MorphableModel
from rtfilter.sources.demo import DemoSource


@pytest.fixture(scope="module")
def face() -> tuple[np.ndarray, np.ndarray, float]:
    """A picture, its landmarks and its scale."""
    source = DemoSource(640, 480, zoom=1.6)
    frame, truth = source.frame(0), source.truth(0)
    source.close()
    return frame.rgb.copy(), truth.points_px, truth.pose.scale_px_per_iod


def turned(rgb: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both, by 5 degrees about the picture's middle, 4 % larger."""
    matrix = cv2.getRotationMatrix2D((319.5, 239.5), 5.0, 1.04)
    moved = points.copy()
    moved[:, :2] = (points[:, :2] - 0.5) @ matrix[:, :2].T + matrix[:, 2] + 0.5
    return cv2.warpAffine(rgb, matrix, (640, 480), flags=cv2.INTER_CUBIC), moved


def test_another_pose_of_the_same_picture_comes_back(face: tuple[np.ndarray, np.ndarray, float]) -> None:
    rgb, points, scale = face
    other, moved = turned(rgb, points)
    truth = compare.truth_of(other, moved, points, (640, 480), scale, MorphableModel.builtin())
    figures = compare.measured(truth.cut(rgb), truth, points)
    np.testing.assert_allclose(truth.points_px, points[:, :2], atol=0.01)
    # Two resamplings: measured 41 dB, 0.985; half a pixel off has 32 dB.
    assert figures["psnr_db"] > 37.0
    assert figures["ssim"] > 0.97
    assert figures["fold_gradient"] > 0.99
    assert figures["landmark_percent"] == pytest.approx(0.0, abs=0.01)


def test_a_picture_is_itself(face: tuple[np.ndarray, np.ndarray, float]) -> None:
    rgb, points, scale = face
    truth = compare.truth_of(rgb, points, points, (640, 480), scale, MorphableModel.builtin())
    figures = compare.measured(truth.cut(rgb), truth, None)
    assert figures["psnr_db"] > 60.0
    assert figures["ssim"] == pytest.approx(1.0, abs=1e-4)
    assert figures["fold_gradient"] == pytest.approx(1.0, abs=1e-4)
    assert figures["landmark_percent"] is None
    assert truth.folds.sum() > 0.05 * truth.face.sum()
    assert not (truth.folds & truth.parts).any()


def test_a_fold_that_is_missing_is_seen_by_the_gradients(face: tuple[np.ndarray, np.ndarray, float]) -> None:
    rgb, points, scale = face
    shadow = np.zeros(rgb.shape[:2], np.float32)
    line = np.round(points[[129, 203, 206, 216, 212], :2]).astype(np.int32)
    cv2.polylines(shadow, [line], False, (1.0,), 3)
    folded = np.clip(rgb * (1.0 - 0.3 * cv2.GaussianBlur(shadow, (0, 0), 2.0))[..., None], 0, 255)
    truth = compare.truth_of(
        folded.astype(np.uint8), points, points, (640, 480), scale, MorphableModel.builtin()
    )
    smooth = compare.measured(truth.cut(rgb), truth, None)
    assert smooth["fold_gradient"] < 0.98


def test_a_picture_of_another_size_is_brought_to_the_first(
    face: tuple[np.ndarray, np.ndarray, float],
) -> None:
    rgb, points, scale = face
    half = cv2.resize(rgb, (320, 240), interpolation=cv2.INTER_AREA)
    truth = compare.truth_of(half, points / 2, points, (640, 480), scale, MorphableModel.builtin())
    assert compare.measured(truth.cut(rgb), truth, points)["psnr_db"] > 27.0


def test_the_similarity_of_weighted_points() -> None:
    rng = np.random.default_rng(3)
    points = rng.uniform(0, 100, (20, 2)).astype(np.float32)
    linear = 1.3 * np.array([[np.cos(0.2), -np.sin(0.2)], [np.sin(0.2), np.cos(0.2)]])
    moved = (points @ linear.T + (4.0, -7.0)).astype(np.float32)
    moved[0] += 50.0  # of no weight
    weights = np.ones(20)
    weights[0] = 0.0
    matrix = compare.similarity(points, moved, weights)
    np.testing.assert_allclose(matrix[:, :2], linear, atol=1e-5)
    np.testing.assert_allclose(matrix[:, 2], (4.0, -7.0), atol=1e-3)


def test_warping_finds_the_other_clock() -> None:
    time = np.linspace(0.0, 1.0, 60)
    late = time + 0.05 * np.sin(np.pi * time)
    own, other = (
        np.stack([np.sin(9 * each), np.cos(5 * each), np.sin(14 * each)], axis=1) for each in (time, late)
    )
    path = np.array(warp(own, other))
    steps = np.diff(path, axis=0)
    assert path[0].tolist() == [0, 0]
    assert path[-1].tolist() == [59, 59]
    assert ((steps >= 0) & (steps <= 1)).all()
    assert (steps.sum(1) > 0).all()
    assert np.abs(time[path[:, 0]] - late[path[:, 1]]).mean() < 0.01  # unwarped: 0.032


def row(ssim: float) -> dict[str, float | None]:
    return dict.fromkeys(compare.MEASURES, 1.0) | {"ssim": ssim, "landmark_percent": 5.0 - ssim}


def test_figures_tell_a_gain_from_chance() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(0.0, 0.02, 30)
    rows = {
        "no edit": [row(0.8 + x) for x in noise],
        "warp": [row(0.9 + x) for x in rng.permutation(noise)],
        "light": [row(0.9 + x) for x in rng.permutation(noise)],
    }
    clip = clip_figures(rows, {"warp": "no edit", "light": "warp"})
    assert clip["gains"]["warp"]["ssim"]["low"] > 0.08
    assert clip["gains"]["warp"]["landmark_percent"]["low"] > 0.08  # less is better
    assert clip["gains"]["light"]["ssim"]["low"] < 0.0 < clip["gains"]["light"]["ssim"]["high"]
    every = all_figures([clip, clip, clip])
    assert every["gains"]["warp"]["ssim"]["clips_up"] == 3
    assert every["verdicts"]["warp"]["ssim"] == "better"
    assert every["verdicts"]["warp"]["psnr_db"] == "open"  # it never changed


@pytest.mark.parametrize(("ups", "downs", "p"), [(6, 0, 0.03125), (3, 3, 1.0), (5, 1, 0.21875), (0, 0, 1.0)])
def test_the_sign_test(ups: int, downs: int, p: float) -> None:
    assert sign_p(ups, downs) == pytest.approx(p)
