"""The dense face: a clean mesh of the skin that carries the landmarks, and errors that name what is wrong."""

from __future__ import annotations

import io
from collections import Counter
from functools import lru_cache
from importlib import resources

import numpy as np
import pytest

from rtfilter.controls import BLENDSHAPE_INDEX, BLENDSHAPES
from rtfilter.errors import InputError
from rtfilter.face import landmarks as lm
from rtfilter.face.dense import DENSE_ASSET, DenseFace, vertex_normals
from rtfilter.face.model import ASSET
from tests.faces import REFLECT, builtin, coefficients, person, with_expression

ASSETS = resources.files("rtfilter.face").joinpath("assets")
SURFACE = slice(0, lm.SURFACE_COUNT)
ROUNDING_IOD = 3e-4  # of float16 at 0.5 IOD, the way of the chin


@lru_cache(maxsize=1)
def dense() -> DenseFace:
    return DenseFace.builtin()


def test_it_is_small() -> None:
    assert len(dense().mean_iod) <= 3000
    size = len(ASSETS.joinpath(DENSE_ASSET).read_bytes())
    assert size < 3_000_000
    assert size + len(ASSETS.joinpath(ASSET).read_bytes()) < 4_000_000


def test_normals_have_unit_length_and_look_outwards() -> None:
    assert np.linalg.norm(dense().normals, axis=1) == pytest.approx(1.0, abs=1e-5)
    assert dense().normals == pytest.approx(vertex_normals(dense().mean_iod, dense().triangles), abs=1e-6)
    assert dense().normals[lm.NOSE_TIP, 2] < -0.8, "the nose looks at the camera"
    assert dense().normals[lm.FACE_OVAL[9], 0] > 0.5, "the left side looks to the left"
    assert np.mean(dense().normals[:, 2] < 0) > 0.9


def test_uv_lie_in_the_texture_and_keep_left_and_right_apart() -> None:
    uv, middle = dense().uv, np.abs(dense().mean_iod[:, 0]) < 1e-3
    assert uv.min() >= 0.0
    assert uv.max() <= 1.0
    assert uv[middle, 0] == pytest.approx(0.5, abs=0.01)
    side = np.sign(dense().mean_iod[~middle, 0])
    assert (np.sign(uv[~middle, 0] - 0.5) == side).mean() > 0.999
    # No triangle is turned over in the texture: each point of skin has a place of its own.
    a, b, c = (uv[dense().triangles[:, k]] for k in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    assert max((area > 0).mean(), (area < 0).mean()) > 0.99


def test_the_mesh_is_a_surface_of_one_sense() -> None:
    directed = Counter((a, b) for x, y, z in dense().triangles.tolist() for a, b in ((x, y), (y, z), (z, x)))
    assert max(directed.values()) == 1
    # What has no triangle on its other side is the outline, the mouth or an eye.
    rim = {edge for edge in directed if edge[::-1] not in directed}
    assert len(rim) < 250
    assert set(dense().triangles.ravel().tolist()) == set(range(len(dense().mean_iod)))


def test_the_landmarks_are_its_first_vertices_at_rest_and_in_every_blendshape() -> None:
    model = builtin()
    assert dense().mean_iod[SURFACE] == pytest.approx(model.mean_iod[SURFACE], abs=1e-6)
    for name in BLENDSHAPES:
        own = dense().expression_basis[BLENDSHAPE_INDEX[name]][SURFACE]
        assert own == pytest.approx(model.expression_basis[BLENDSHAPE_INDEX[name]][SURFACE], abs=ROUNDING_IOD)


def test_a_tracked_face_carries_the_mesh_along() -> None:
    rng = np.random.default_rng(1)
    neutral = person(rng)
    expression = coefficients(mouthSmile=0.7, jawOpen=0.3)
    shape = with_expression(neutral, expression)
    vertices = dense().shape_iod(shape, expression.astype(np.float32))
    assert vertices[SURFACE] == pytest.approx(shape[SURFACE], abs=1e-5)
    # Between landmarks it is smooth: a vertex adds no more than a detail to its landmarks' motion.
    off = vertices - dense().shape_iod(builtin().mean_iod, np.zeros(52, np.float32))
    around = np.einsum("vk,vkc->vc", dense().shares, off[dense().corners])
    assert np.percentile(np.linalg.norm(off - around, axis=1), 99) < 0.05
    normals = dense().normals_of(vertices)
    assert np.linalg.norm(normals, axis=1) == pytest.approx(1.0, abs=1e-5)


def test_left_and_right_are_alike() -> None:
    """Measured: 95 % within 0.0006 IOD of a mirror image; some of FaceMesh's triangles have none."""
    from scipy.spatial import cKDTree

    mean = dense().mean_iod
    distance, _ = cKDTree(mean * REFLECT).query(mean)
    assert np.percentile(distance, 95) < 0.002


def packed(**changes: np.ndarray | None) -> io.BytesIO:
    arrays = {name: getattr(dense(), name) for name in dense().__dataclass_fields__}
    arrays = {key: value for key, value in (arrays | changes).items() if value is not None}
    file = io.BytesIO()
    np.savez(file, **arrays)
    file.seek(0)
    return file


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"uv": None}, "not a dense face"),
        ({"uv": np.zeros((5, 2), np.float32)}, "'uv' is float32"),
        ({"normals": np.full((2660, 3), np.nan, np.float32)}, "'normals' is"),
        ({"triangles": np.array([[0, 1, 99999]])}, "index in 'triangles'"),
        ({"corners": np.full((2660, 3), 468)}, "index in 'corners'"),
    ],
)
def test_a_damaged_file_is_refused(changes: dict[str, np.ndarray | None], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        DenseFace.from_npz(packed(**changes), "mine.npz")
    assert str(caught.value).startswith("mine.npz: ")


def test_another_file_is_refused() -> None:
    with pytest.raises(InputError, match="not a dense face"):
        DenseFace.from_npz(io.BytesIO(b"no archive"), "mine.npz")
    whole = ASSETS.joinpath(DENSE_ASSET).read_bytes()
    for damaged in (whole[: len(whole) // 2], whole[:200_000] + bytes(64) + whole[200_064:]):
        with pytest.raises(InputError, match="not a dense face"):
            DenseFace.from_npz(io.BytesIO(damaged), "mine.npz")
    file = io.BytesIO()
    np.save(file, np.zeros(3))
    file.seek(0)
    with pytest.raises(InputError, match="not a dense face"):
        DenseFace.from_npz(file, "mine.npz")
