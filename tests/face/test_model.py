"""The face model: exact mirror symmetry, a closed mesh, and errors that say what is wrong with a file."""

from __future__ import annotations

import io
from collections import Counter
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from rtfilter.controls import BLENDSHAPE_INDEX, BLENDSHAPES, MIRROR, mirrored_name
from rtfilter.errors import InputError
from rtfilter.face import landmarks as lm
from rtfilter.face.model import ASSET, HOLES, MorphableModel
from tests.faces import REFLECT, builtin

ASSET_FILE = resources.files("rtfilter.face").joinpath("assets", ASSET)
# As Apple documents ARFaceAnchor.BlendShapeLocation, counted by region.
ARKIT_BY_PREFIX = {"eye": 14, "jaw": 4, "mouth": 23, "brow": 5, "cheek": 3, "nose": 2, "tongue": 1}


def arrays() -> dict[str, np.ndarray]:
    with np.load(io.BytesIO(ASSET_FILE.read_bytes()), allow_pickle=False) as archive:
        return {key: archive[key] for key in archive.files}


def packed(contents: dict[str, np.ndarray]) -> io.BytesIO:
    file = io.BytesIO()
    np.savez(file, **contents)
    file.seek(0)
    return file


def test_the_names_are_the_52_of_arkit() -> None:
    assert len(BLENDSHAPES) == len(set(BLENDSHAPES)) == 52
    for prefix, count in ARKIT_BY_PREFIX.items():
        assert sum(name.startswith(prefix) for name in BLENDSHAPES) == count
    assert list(BLENDSHAPES) == sorted(BLENDSHAPES)
    assert {"jawOpen", "mouthClose", "browInnerUp", "cheekPuff", "tongueOut"} <= set(BLENDSHAPES)


def test_the_mirror_of_names_is_its_own_inverse() -> None:
    assert [MIRROR[i] for i in MIRROR] == list(range(52))
    assert mirrored_name("mouthSmileLeft") == "mouthSmileRight"
    assert MIRROR[BLENDSHAPE_INDEX["jawOpen"]] == BLENDSHAPE_INDEX["jawOpen"]


def test_mean_and_blendshapes_are_exactly_symmetric() -> None:
    model = builtin()
    assert np.array_equal(model.mirror[model.mirror], np.arange(lm.LANDMARK_COUNT))
    reflected = (model.expression_basis * REFLECT.astype(np.float32))[list(MIRROR)][:, model.mirror]
    assert np.array_equal(reflected, model.expression_basis)
    assert np.array_equal((model.mean_iod * REFLECT.astype(np.float32))[model.mirror], model.mean_iod)


def test_the_mirror_pairs_what_the_landmark_table_pairs() -> None:
    mirror = builtin().mirror
    for right, left in (
        (lm.EYE_RIGHT_UPPER, lm.EYE_LEFT_UPPER),
        (lm.EYE_RIGHT_LOWER, lm.EYE_LEFT_LOWER),
        (lm.EYE_RIGHT_CORNERS, lm.EYE_LEFT_CORNERS),
        (lm.BROW_RIGHT_UPPER, lm.BROW_LEFT_UPPER),
        (lm.LIPS_CORNER_RIGHT, lm.LIPS_CORNER_LEFT),
        (lm.LIPS_INNER_UPPER, lm.LIPS_INNER_UPPER[::-1]),
        (lm.LIPS_OUTER_LOWER, lm.LIPS_OUTER_LOWER[::-1]),
        (lm.IRIS_RIGHT[:1], lm.IRIS_LEFT[:1]),
    ):
        assert mirror[list(right)].tolist() == list(left)


def test_the_head_frame_is_as_documented() -> None:
    mean = builtin().mean_iod
    assert np.linalg.norm(mean[lm.EYE_OUTER_LEFT] - mean[lm.EYE_OUTER_RIGHT]) == pytest.approx(1.0, abs=0.02)
    assert mean[lm.EYE_OUTER_LEFT, 0] > 0 > mean[lm.EYE_OUTER_RIGHT, 0], "x is to the subject's left"
    assert mean[lm.CHIN, 1] > mean[lm.FACE_OVAL[0], 1], "y is down"
    assert mean[lm.NOSE_TIP, 2] < mean[lm.CHIN, 2] - 0.1, "z is away from the camera"
    assert abs(mean[lm.NOSE_TIP, 0]) < 1e-3, "x is zero between the two sides"
    assert mean[lm.CHIN, 2] == pytest.approx(mean[lm.FACE_OVAL[0], 2], abs=0.05)


@pytest.mark.parametrize(
    ("name", "landmark", "axis", "sign"),
    [
        ("jawOpen", lm.CHIN, 1, 1),
        ("mouthSmileLeft", lm.MOUTH_CORNER_LEFT, 1, -1),
        ("mouthSmileLeft", lm.MOUTH_CORNER_LEFT, 0, 1),
        ("mouthFrownRight", lm.MOUTH_CORNER_RIGHT, 1, 1),
        ("mouthPucker", lm.MOUTH_CORNER_LEFT, 0, -1),
        ("browInnerUp", lm.BROW_LEFT_UPPER[-1], 1, -1),
        ("browDownRight", lm.BROW_RIGHT_UPPER[-1], 1, 1),
        ("eyeBlinkLeft", lm.EYE_LEFT_UPPER[3], 1, 1),
        ("eyeWideLeft", lm.EYE_LEFT_UPPER[3], 1, -1),
        ("jawForward", lm.CHIN, 2, -1),
    ],
)
def test_a_blendshape_moves_what_its_name_says(name: str, landmark: int, axis: int, sign: int) -> None:
    assert sign * builtin().expression_basis[BLENDSHAPE_INDEX[name], landmark, axis] > 0.01


def test_the_identity_basis_is_orthonormal() -> None:
    flat = builtin().identity_basis.reshape(len(builtin().identity_scale), -1).astype(np.float64)
    assert flat @ flat.T == pytest.approx(np.eye(len(flat)), abs=1e-5)
    assert (np.diff(builtin().identity_scale) <= 0).all()


def test_the_mesh_is_a_surface_and_its_holes_close() -> None:
    model = builtin()
    skin = Counter(edge(a, b) for face in model.triangles for a, b in sides(face))
    assert max(skin.values()) <= 2
    faces = np.concatenate([model.triangles, *model.holes.values()])
    assert len({tuple(sorted(face)) for face in faces.tolist()}) == len(faces)
    whole = Counter(edge(a, b) for face in faces for a, b in sides(face))
    assert max(whole.values()) <= 2
    # With its holes closed, nothing but the outline of the face has one triangle only.
    oval = {edge(a, b) for a, b in zip(lm.FACE_OVAL, (*lm.FACE_OVAL[1:], lm.FACE_OVAL[0]), strict=True)}
    assert {e for e, count in whole.items() if count == 1} == oval
    assert set(faces.ravel().tolist()) == set(range(lm.SURFACE_COUNT))


def test_the_displacement_is_the_basis_times_the_offset() -> None:
    offset = np.random.default_rng(0).normal(size=52)
    expected = np.einsum("e,enc->nc", offset, builtin().expression_basis.astype(np.float64))
    assert builtin().displacement_iod(offset) == pytest.approx(expected, abs=1e-5)
    assert not builtin().displacement_iod(np.zeros(52)).any()


def test_the_asset_is_small() -> None:
    assert len(ASSET_FILE.read_bytes()) < 1_000_000


def test_a_model_of_the_users_own_loads(tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    path.write_bytes(ASSET_FILE.read_bytes())
    assert np.array_equal(MorphableModel.load(path).mean_iod, builtin().mean_iod)


def edge(a: int, b: int) -> tuple[int, int]:
    return (int(min(a, b)), int(max(a, b)))


def sides(face: np.ndarray) -> list[tuple[int, int]]:
    a, b, c = face
    return [(a, b), (b, c), (c, a)]


def refusal(file: io.BytesIO) -> str:
    with pytest.raises(InputError) as caught:
        MorphableModel.from_npz(file, "mine.npz")
    message = str(caught.value)
    assert message.startswith("mine.npz: ")
    assert "\n" not in message
    assert len(message) < 250
    return message


@pytest.mark.parametrize("key", sorted(set(arrays()) - {"blendshapes", "expression_covariance"}))
def test_a_missing_array_is_named(key: str) -> None:
    contents = arrays()
    del contents[key]
    assert repr(key) in refusal(packed(contents))


@pytest.mark.parametrize("key", ["mean_iod", "expression_basis", "identity_basis", "rigidity", "hole_mouth"])
def test_a_wrong_shape_shows_both_shapes(key: str) -> None:
    contents = arrays()
    wrong = contents[key][..., None]
    contents[key] = wrong
    message = refusal(packed(contents))
    assert repr(key) in message
    assert str(list(wrong.shape)) in message
    assert "expected" in message


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_none_are_refused(value: float) -> None:
    contents = arrays()
    contents["expression_basis"][3, 4, 1] = value
    assert "finite" in refusal(packed(contents))


def test_an_index_with_a_fraction_is_refused() -> None:
    contents = arrays()
    contents["triangles"] = contents["triangles"] + 0.5
    assert "integer" in refusal(packed(contents))


def test_words_for_numbers_are_refused() -> None:
    contents = arrays()
    contents["rigidity"] = contents["rigidity"].astype("U8")
    assert "'rigidity'" in refusal(packed(contents))


@pytest.mark.parametrize("key", ["triangles", "mirror", *(f"hole_{hole}" for hole in HOLES)])
@pytest.mark.parametrize("index", [-1, lm.LANDMARK_COUNT])
def test_an_index_outside_the_face_is_refused(key: str, index: int) -> None:
    contents = arrays()
    contents[key] = contents[key].astype(np.int64)
    contents[key].flat[0] = index
    assert "index" in refusal(packed(contents))


def test_more_scales_than_identities_are_refused() -> None:
    contents = arrays()
    contents["identity_scale"] = np.ones(3, np.float32)
    assert "'identity_scale'" in refusal(packed(contents))


def test_a_covariance_that_is_none_is_refused() -> None:
    contents = arrays()
    contents["expression_covariance"] = np.diag([0.05] * 51 + [-0.02]).astype(np.float32)
    said = refusal(packed(contents))
    assert "'expression_covariance' has the eigenvalue -0.02, expected none below 0" in said
    contents["expression_covariance"] = np.diag([0.05] * 51 + [-1e-8]).astype(np.float32)
    MorphableModel.from_npz(packed(contents), "rounded")


def test_another_order_of_names_is_refused() -> None:
    contents = arrays()
    contents["blendshapes"] = contents["blendshapes"][::-1]
    assert "ARKit order" in refusal(packed(contents))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_truncated_file_is_refused(share: float) -> None:
    data = ASSET_FILE.read_bytes()
    assert "not a face model" in refusal(io.BytesIO(data[: int(len(data) * share)]))


def test_damage_in_the_middle_is_refused() -> None:
    data = bytearray(ASSET_FILE.read_bytes())
    data[len(data) // 3 : len(data) // 3 + 64] = bytes(64)
    assert "not a face model" in refusal(io.BytesIO(bytes(data)))


def test_a_single_array_is_refused() -> None:
    file = io.BytesIO()
    np.save(file, np.zeros(3))
    file.seek(0)
    assert "not a face model" in refusal(file)


@pytest.mark.parametrize("name", ["missing.npz", "."])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="cannot read the face model") as caught:
        MorphableModel.load(tmp_path / name)
    assert str(tmp_path) in str(caught.value)
