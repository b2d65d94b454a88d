"""The network is right by construction: whatever its weights, and the same in PyTorch, NumPy and ONNX."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `learn` (PyTorch)")

from rtfilter.controls import BLENDSHAPES, EMOTIONS  # noqa: E402
from rtfilter.engines.expression.learned import editor_graph  # noqa: E402
from rtfilter.errors import UsageError  # noqa: E402
from rtfilter.face.learned_weights import face_model_key  # noqa: E402
from rtfilter.face.mouth import Lips, MouthGuard  # noqa: E402
from rtfilter.learn.editor import export  # noqa: E402
from rtfilter.learn.editor.mouth import Mouth  # noqa: E402
from rtfilter.learn.editor.network import Sizes  # noqa: E402
from tests.faces import builtin, coefficients, with_expression  # noqa: E402
from tests.learn.editor.clips import random_network  # noqa: E402

FRAMES, FPS = 30, 30.0


def inputs_for(amounts: np.ndarray, mouth: float = 0.3, fps: float = FPS, faces: np.ndarray | None = None):  # type: ignore[no-untyped-def]
    """The network's inputs for one stream."""
    rng = np.random.default_rng(1)
    seen = rng.uniform(0.0, 1.0, (FRAMES, 52)) if faces is None else faces
    count = len(seen)
    return (
        torch.tensor(seen[None], dtype=torch.float32),
        torch.tensor(np.tile(amounts, (1, count, 1)), dtype=torch.float32),
        torch.full((1, count), mouth),
        torch.full((1, count), 1.0 / fps),
    )


def amounts(**by_name: float) -> np.ndarray:
    return np.array([by_name.get(name, 0.0) for name in EMOTIONS])


@pytest.mark.parametrize("seed", range(4))
def test_no_request_is_exactly_no_edit(seed: int) -> None:
    offset, _ = random_network(seed)(*inputs_for(np.zeros(8)))
    assert not offset.any()


@pytest.mark.parametrize("seed", range(4))
def test_every_coefficient_grows_or_falls_steadily_with_the_intensity(seed: int) -> None:
    mix = np.random.default_rng(seed).uniform(0.0, 1.0, 8)
    with torch.no_grad():
        edits = [
            random_network(seed)(*inputs_for(level * mix))[0][0].numpy() for level in np.linspace(0, 1.5, 7)
        ]
    steps = np.diff(edits, axis=0)
    direction = np.sign(edits[-1])
    assert (steps * direction >= -1e-6).all()
    assert np.abs(edits[-1]).max() > 0.1


def test_no_more_is_taken_away_than_there_is_and_gaze_stays() -> None:
    inputs = inputs_for(np.full(8, 1.5))
    with torch.no_grad():
        offset, _ = random_network(3)(*inputs)
    assert float((inputs[0] + offset).min()) >= -1e-6
    assert float((inputs[0] + offset).max()) <= 2.0 + 1e-6
    gaze = [index for index, name in enumerate(BLENDSHAPES) if name.startswith(("eyeLook", "tongue"))]
    assert not offset[..., gaze].any()


def test_a_closed_lid_stays_closed() -> None:
    shut = np.tile(coefficients(eyeBlink=1.0), (FRAMES, 1))
    with torch.no_grad():
        offset, _ = random_network(2)(*inputs_for(amounts(surprised=1.5, fearful=1.5), faces=shut))
    for name in ("eyeWideLeft", "eyeWideRight", "eyeSquintLeft", "eyeSquintRight"):
        assert not offset[..., BLENDSHAPES.index(name)].any()
    blink = offset[0, :, BLENDSHAPES.index("eyeBlinkLeft")]
    assert float(blink.max()) <= 2e-3


def test_it_looks_at_no_frame_to_come() -> None:
    inputs = inputs_for(amounts(happy=1.0))
    other = [each.clone() for each in inputs]
    other[0][:, 20:] = 0.0
    with torch.no_grad():
        one, two = (random_network(0)(*each)[0] for each in (inputs, other))
    assert torch.equal(one[:, :20], two[:, :20])
    assert not torch.equal(one[:, 20:], two[:, 20:])


def test_a_stream_in_two_parts_is_the_stream() -> None:
    network, inputs = random_network(0), inputs_for(amounts(sad=1.0))
    with torch.no_grad():
        whole, _ = network(*inputs)
        first, memory = network(*(each[:, :11] for each in inputs))
        second, _ = network(*(each[:, 11:] for each in inputs), memory)
    assert torch.allclose(whole, torch.cat([first, second], dim=1), atol=1e-6)


def test_the_frame_rate_hardly_matters() -> None:
    """The same half second at 30 and at 60 frames: memory is counted in seconds."""
    t30, t60 = np.arange(0, 1.0, 1 / 30), np.arange(0, 1.0, 1 / 60)
    faces = [np.array([coefficients(jawOpen=0.3 + 0.3 * np.sin(9 * t)) for t in ts]) for ts in (t30, t60)]
    network = random_network(1)
    with torch.no_grad():
        slow, _ = network(*inputs_for(amounts(happy=1.0), faces=faces[0], fps=30.0))
        quick, _ = network(*inputs_for(amounts(happy=1.0), faces=faces[1], fps=60.0))
    apart = (slow[0, 10:] - quick[0, ::2][10:]).abs().max()
    assert float(apart) < 0.05 * float(slow.abs().max())


@pytest.mark.parametrize("sizes", [Sizes(), Sizes(memory=32, hidden=16), Sizes(memory=1, hidden=1)])
def test_numpy_and_onnx_compute_what_pytorch_does(sizes: Sizes) -> None:
    network = random_network(5, sizes)
    weights = network.weights(face_model_key(builtin().expression_basis), "a test")
    found = export.differences(network, weights, editor_graph(weights))
    assert found.keys() == {"NumPy", "ONNX"}
    assert max(found.values()) <= export.TOLERANCE


def test_a_difference_would_be_found() -> None:
    one, two = random_network(5), random_network(6)
    weights = two.weights("", "")
    assert min(export.differences(one, weights, editor_graph(weights)).values()) > 100 * export.TOLERANCE


@pytest.mark.parametrize("mouth", [0.0, 0.4, 1.0])
def test_the_guard_in_pytorch_is_the_products(mouth: float) -> None:
    rng = np.random.default_rng(0)
    guard, learned = MouthGuard(builtin()), Mouth(builtin())
    neutral = builtin().mean_iod.astype(np.float64)
    for opening in (0.0, 0.1, 0.5):
        shape = with_expression(neutral, coefficients(jawOpen=opening, mouthPucker=0.5 - opening))
        lips, target = Lips.of(shape, neutral), rng.normal(0.0, 0.4, 52)
        wanted = guard.solve(target, lips, mouth)
        given = (target, np.array(lips.openness()), lips.gaps_iod, np.array(mouth))
        got = learned.guard(*(torch.tensor(one, dtype=torch.float32) for one in given))
        np.testing.assert_allclose(got.numpy(), wanted, atol=2e-5)


def test_sizes_out_of_range_are_refused() -> None:
    for sizes in ((0, 8), (33, 8), (8, 0), (8, 513)):
        with pytest.raises(UsageError, match="memory, hidden: expected"):
            Sizes(*sizes)
