"""Identity and distance to a reference, with descriptors whose answers are known."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import cv2
import numpy as np
import pytest

from rtfilter.errors import InputError, UsageError
from rtfilter.quality.judges.crops import arcface
from rtfilter.quality.judges.frechet import frechet_distance
from rtfilter.quality.judges.identity import STRIDE, IdentityJudge, cosine, open_descriptor
from rtfilter.quality.judges.realism import RealismJudge, check_pair
from rtfilter.sources.demo import DemoSource
from tests.quality.judges.nets import brightness, face_points, linear, plain


def halves(path: Path) -> Path:
    """A descriptor of two numbers: the means of the upper and of the lower half of the crop, -1..1."""
    weights = np.zeros((3, 112, 112, 2))
    weights[:, :56, :, 0] = weights[:, 56:, :, 1] = 1 / (3 * 56 * 112)
    return linear(path, [1, 3, 112, 112], weights.reshape(-1, 2))


def test_cosine_and_distance_of_known_descriptors(tmp_path: Path) -> None:
    judge = IdentityJudge(open_descriptor(halves(tmp_path / "net.onnx")))
    assert judge.measure() is None
    bright, points = plain(255), face_points()
    mixed = plain(255)
    edge = np.linalg.inv(np.vstack([arcface(points), [0, 0, 1]])) @ [56, 56, 1]
    mixed[round(edge[1]) :] = 0
    # (1, 1) against (1, 1), (-1, -1) and (1, -1): the same, the opposite, a right angle.
    for edited in (bright, plain(0), mixed):
        for _ in range(STRIDE):
            judge.add(bright, edited, points)
    found = judge.measure()
    assert found is not None
    assert found.frames == 3
    assert found.cosine == pytest.approx((1 - 1 + 0) / 3, abs=0.02)
    assert found.distance == pytest.approx((0 + 2 + np.sqrt(2)) / 3, abs=0.02)
    assert found.own_cosine == pytest.approx(1.0)


def test_only_every_fifth_face_is_described(tmp_path: Path) -> None:
    judge = IdentityJudge(open_descriptor(halves(tmp_path / "net.onnx")))
    for number in range(2 * STRIDE + 1):
        judge.add(plain(255), plain(255 if number % STRIDE == 0 else 0), face_points())
    found = judge.measure()
    assert found is not None
    assert (found.frames, found.cosine) == (3, pytest.approx(1.0))


def test_own_cosine_is_of_frames_half_a_clip_apart(tmp_path: Path) -> None:
    judge = IdentityJudge(open_descriptor(halves(tmp_path / "net.onnx")))
    for value in (255, 255, 0, 0):
        for _ in range(STRIDE):
            judge.add(plain(value), plain(value), face_points())
    found = judge.measure()
    assert found is not None
    assert found.cosine == pytest.approx(1.0)
    assert found.own_cosine == pytest.approx(-1.0)


def test_one_number_is_no_descriptor(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="gives 1 number for a face, expected a descriptor of many"):
        open_descriptor(brightness(tmp_path / "net.onnx", [1, 3, 112, 112], [1.0]))


@pytest.mark.skipif(importlib.util.find_spec("dlib") is None, reason="needs the package dlib-bin")
def test_a_false_dat_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "net.dat"
    path.write_text("no network")
    with pytest.raises(InputError, match=r"net\.dat cannot be loaded by dlib") as raised:
        open_descriptor(path)
    assert "\n" not in str(raised.value)


def dlib_network() -> Path | None:
    """dlib's descriptor in the package face_recognition_models, where both are installed."""
    spec = importlib.util.find_spec("face_recognition_models")
    if importlib.util.find_spec("dlib") is None or spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "models" / "dlib_face_recognition_resnet_model_v1.dat"


@pytest.mark.skipif(dlib_network() is None, reason="needs the packages dlib-bin and face_recognition_models")
def test_dlib_tells_a_light_edit_from_another_face() -> None:
    path = dlib_network()
    assert path is not None
    descriptor = open_descriptor(path)
    demo = DemoSource(480, 270)
    rgb, points = demo.frame(0).rgb, demo.truth(0).points_px
    demo.close()
    own = descriptor.describe(rgb, points)
    softened = descriptor.describe(cv2.GaussianBlur(rgb, (0, 0), 1.0), points)
    turned = descriptor.describe(np.ascontiguousarray(rgb[::-1]), points)  # a wall where the face was
    assert own.shape == (128,)
    assert cosine(own[None], own[None]) == pytest.approx(1.0)
    assert np.linalg.norm(own - softened) < 0.3 < 0.6 < np.linalg.norm(own - turned)


def filled(judge: RealismJudge, frames: int, reference: int, rng: np.random.Generator) -> RealismJudge:
    points = face_points()
    for _ in range(frames):
        value = rng.integers(100, 150)
        judge.add(plain(int(value)), plain(int(value) + 60), points)
    for _ in range(reference):
        judge.add_reference(plain(int(rng.integers(160, 210))), points)
    return judge


def test_the_distance_to_a_reference_is_that_of_the_features(tmp_path: Path) -> None:
    descriptor = open_descriptor(halves(tmp_path / "net.onnx"))
    judge = filled(RealismJudge(descriptor, Path("reference.mp4")), 60, 120, np.random.default_rng(0))
    found = judge.measure()
    assert (found.judge, found.reference, found.frames, found.reference_frames) == (
        "net.onnx", "reference.mp4", 60, 120)  # fmt: skip
    rng = np.random.default_rng(0)
    values = np.array([rng.integers(100, 150) for _ in range(60)]) / 127.5 - 1
    reference = np.array([rng.integers(160, 210) for _ in range(120)]) / 127.5 - 1
    both = [np.stack([one, one], 1) for one in (values, values + 60 / 127.5, reference)]
    assert found.source_fad == pytest.approx(frechet_distance(both[0], both[2]), rel=1e-3)
    assert found.edited_fad == pytest.approx(frechet_distance(both[1], both[2]), rel=1e-2, abs=1e-4)
    assert found.edited_fad < found.source_fad
    assert found.reference_fad is not None
    assert found.reference_fad < 0.05 * found.source_fad


def test_too_few_frames_give_no_distance(tmp_path: Path) -> None:
    descriptor = open_descriptor(halves(tmp_path / "net.onnx"))
    found = filled(RealismJudge(descriptor, Path("r.mp4")), 49, 99, np.random.default_rng(1)).measure()
    assert (found.source_fad, found.edited_fad, found.reference_fad) == (None, None, None)


def test_a_judge_and_its_reference_go_together() -> None:
    check_pair(None, None)
    check_pair(Path("a.onnx"), Path("b.mp4"))
    with pytest.raises(UsageError, match=r"--fad-judge a\.onnx needs --reference CLIP"):
        check_pair(Path("a.onnx"), None)
    with pytest.raises(UsageError, match=r"--reference b\.mp4 needs --fad-judge FILE"):
        check_pair(None, Path("b.mp4"))
