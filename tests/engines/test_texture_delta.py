"""The texture network on the processor: the committed demo's file, and graphs of random weights."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from rtfilter.controls import BLENDSHAPE_COUNT, BLENDSHAPE_INDEX
from rtfilter.engines.expression.texture import EPSILON, SLOPE, PersonCode, texture_graph
from rtfilter.engines.expression.texture_delta import TextureDelta
from rtfilter.errors import InputError, UsageError
from rtfilter.face.skin import SkinMaps

SIZE, LATENT, CHANNELS = 8, 6, 4


def random_weights(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Of a generator of two resolutions."""
    found = {"constant": rng.standard_normal((1, CHANNELS, 4, 4))}
    for number, side in enumerate((4, 8)):
        found[f"{number}.fixed"] = rng.standard_normal((1, CHANNELS, side, side))
        for part, outputs, kernel in (("first", CHANNELS, 3), ("second", CHANNELS, 3), ("picture", 3, 1)):
            found[f"{number}.{part}.kernel"] = 0.2 * rng.standard_normal((outputs, CHANNELS, kernel, kernel))
            found[f"{number}.{part}.bias"] = rng.standard_normal(outputs)
            found[f"{number}.{part}.style"] = rng.standard_normal((CHANNELS, LATENT))
            found[f"{number}.{part}.style_bias"] = np.ones(CHANNELS)
    return {name: value.astype(np.float32) for name, value in found.items()}


def by_hand(weights: dict[str, np.ndarray], code: np.ndarray) -> np.ndarray:
    """The generator of W+ [2, LATENT] without ONNX, [3, S, S]."""

    def modulated(x: np.ndarray, w: np.ndarray, name: str, demodulate: bool) -> np.ndarray:
        kernel = weights[f"{name}.kernel"].astype(np.float64)
        style = weights[f"{name}.style"] @ w + weights[f"{name}.style_bias"]
        own = kernel * style[None, :, None, None]
        if demodulate:
            own = own / np.sqrt(np.square(own).sum((1, 2, 3), keepdims=True) + EPSILON)
        reach = kernel.shape[2] // 2
        padded = np.pad(x, ((0, 0), (reach, reach), (reach, reach)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, kernel.shape[2:], (1, 2))
        return np.einsum("oikl,ihwkl->ohw", own, windows) + weights[f"{name}.bias"][:, None, None]

    def doubled(x: np.ndarray) -> np.ndarray:
        side = x.shape[1]
        at = np.clip((np.arange(2 * side) + 0.5) / 2.0 - 0.5, 0, side - 1)
        low = np.minimum(at.astype(int), side - 2)
        matrix = np.zeros((2 * side, side))
        matrix[np.arange(2 * side), low] = 1.0 - (at - low)
        matrix[np.arange(2 * side), low + 1] += at - low
        return np.einsum("ah,bw,chw->cab", matrix, matrix, x)

    x, picture = weights["constant"][0].astype(np.float64), np.zeros((3, 4, 4))
    for number in range(2):
        if number:
            x, picture = doubled(x), doubled(picture)
        for part in ("first", "second"):
            y = modulated(x, code[number], f"{number}.{part}", True)
            x = np.where(y > 0.0, y, SLOPE * y) * np.sqrt(2.0)
        x = x + weights[f"{number}.fixed"][0]
        picture = picture + modulated(x, code[number], f"{number}.picture", False)
    return picture


def test_the_graph_is_the_generator_after_less_before() -> None:
    rng = np.random.default_rng(0)
    weights, latent = random_weights(rng), rng.standard_normal((2, LATENT)).astype(np.float32)
    directions = 0.3 * rng.standard_normal((BLENDSHAPE_COUNT, 2 * LATENT)).astype(np.float32)
    mask = rng.uniform(size=(SIZE, SIZE)).astype(np.float32)
    colour = np.array([0.8, 1.0, 1.2], np.float32)
    low, high = np.full(BLENDSHAPE_COUNT, 0.1, np.float32), np.full(BLENDSHAPE_COUNT, 0.6, np.float32)
    person = PersonCode(latent, directions, low, high)
    runner = TextureDelta(texture_graph(weights, person, mask, colour, 0.1, "a test"), "test")
    expression, offset = rng.uniform(0.0, 0.5, (2, BLENDSHAPE_COUNT)).astype(np.float32)
    within = [np.clip(e, low, high) for e in (expression + offset, expression)]
    codes = [latent + (e @ directions).reshape(2, LATENT) for e in within]
    change = by_hand(weights, codes[0]) - by_hand(weights, codes[1])
    wanted = 0.1 * mask * np.einsum("c,cyx->yx", (0.299, 0.587, 0.114), change)
    got = runner.gain_log(expression, offset)
    assert np.abs(wanted).max() > 0.02
    assert np.allclose(got, np.clip(wanted, -1.0, 1.0), atol=2e-5)  # measured 2e-6
    assert np.allclose(runner.colour, colour)
    runner.close()


@pytest.fixture(scope="module")
def demo() -> bytes:
    return resources.files("rtfilter.learn.texture").joinpath("assets", "demo.texture.onnx").read_bytes()


def smile(amount: float) -> np.ndarray:
    offset = np.zeros(BLENDSHAPE_COUNT)
    for side in ("Left", "Right"):
        offset[BLENDSHAPE_INDEX[f"mouthSmile{side}"]] = amount
    return offset


def test_the_demo_folds_its_cheeks_when_it_smiles(demo: bytes) -> None:
    from rtfilter.render.unwrap import fold_mask

    runner = TextureDelta(demo, "demo")
    gain = runner.gain_log(np.zeros(BLENDSHAPE_COUNT), smile(0.8))
    folds = fold_mask("nasolabial", runner.side) > 0.5
    assert gain[folds].min() < -0.1
    assert np.abs(gain[folds]).mean() > 2.0 * np.abs(gain[runner.side * 4 // 5 :]).mean()
    runner.close()


def test_no_edit_is_exactly_zero_and_the_network_runs_every_few_calls(demo: bytes) -> None:
    runner, still = TextureDelta(demo, "demo", every=3), np.zeros(BLENDSHAPE_COUNT)
    assert not runner.gain_log(still, still).any()
    gains = [runner.gain_log(still, smile(0.1 * k)).copy() for k in range(1, 7)]
    assert [np.array_equal(gains[k], gains[k - 1]) for k in range(1, 6)] == [True, True, False, True, True]
    runner.reset()
    assert not np.array_equal(runner.gain_log(still, smile(0.7)), gains[-1])
    painted = runner.maps(still, smile(0.7))
    assert isinstance(painted, SkinMaps)
    assert painted.count == 1
    assert np.array_equal(painted.maps[0], runner.gain_log(still, smile(0.7)))
    assert not runner.gain_log(still, still).any()
    runner.close()
    with pytest.raises(UsageError, match="every: expected 1 or more, got 0"):
        TextureDelta(demo, "demo", every=0)


def test_what_is_no_texture_is_one_line(tmp_path: Path, demo: bytes) -> None:
    path = tmp_path / "anna.texture.onnx"
    with pytest.raises(InputError, match=r"anna.texture.onnx: cannot be read: No such file"):
        TextureDelta.load(path)
    import onnx

    older = onnx.load_model_from_string(demo)
    older.doc_string = older.doc_string.replace("rtfilter texture 1,", "rtfilter texture 0,")
    other = onnx.load_model_from_string(demo)
    other.doc_string = "something else"
    for content, said in (
        (b"no onnx", "no ONNX file: expected a file of `rtfilter learn texture-export`"),
        (demo[:1000], "no ONNX file"),
        (other.SerializeToString(), "an ONNX file, but no texture of a person"),
        (older.SerializeToString(), "rtfilter texture 0, expected rtfilter texture 1: export it again"),
    ):
        path.write_bytes(content)
        with pytest.raises(InputError, match=said) as caught:
            TextureDelta.load(path)
        assert "\n" not in str(caught.value)
