"""`Metric`: a frozen loss with slopes for the edited face alone, and files that are refused in one line."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from rtfilter.controls import BLENDSHAPE_INDEX, BLENDSHAPES  # noqa: E402
from rtfilter.errors import InputError, UsageError  # noqa: E402
from rtfilter.face.learned_weights import face_model_key  # noqa: E402
from rtfilter.face.model import MorphableModel  # noqa: E402
from rtfilter.learn.stccl import weights  # noqa: E402
from rtfilter.learn.stccl.metric import Metric, motion_of, windows  # noqa: E402

FORM = weights.Form("mesh", "vd", (40, 24, 16, 9), (8, 8, 12, 12), (12, 8, 6, 4), 8, 0.07, True, 1.0)

KEY = face_model_key(MorphableModel.builtin().expression_basis)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "metric.npz"
    weights.save(path, weights.build(FORM, MorphableModel.builtin().mean_iod), FORM, KEY)
    return path


def test_a_metric_of_another_face_model_is_named(saved: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "rtfilter.learn"):
        network, form = weights.load(saved)
        assert not caplog.records
        weights.save(saved, network, form, "another")
        Metric.load(saved)
        Metric.load("builtin")
        Metric.load("builtin-cm")
    (only,) = (record.getMessage() for record in caplog.records)
    assert "metric.npz: it was trained on another face model" in only, "the committed ones are of this one"


def motion(seed: int, frames: int = 17) -> torch.Tensor:
    return 0.03 * torch.randn(2, frames, 478, 3, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("kinds", [("space",), ("time",), ("space", "time")])
def test_the_loss_moves_the_edited_face_and_nothing_else(saved: Path, kinds: tuple[str, ...]) -> None:
    """Fault 5 of the released code: the metric is loaded and never used."""
    metric = Metric.load(saved)
    edited, source = motion(1).requires_grad_(), motion(2).requires_grad_()
    metric.loss(edited, source, kinds=kinds).backward()
    assert edited.grad is not None
    assert float(edited.grad.abs().max()) > 0.0
    assert torch.isfinite(edited.grad).all()
    assert source.grad is None
    assert all(value.grad is None for value in metric.parameters())
    before = {name: value.clone() for name, value in metric.state_dict().items()}
    metric.train()
    assert all(torch.equal(value, before[name]) for name, value in metric.state_dict().items())


def test_descending_the_loss_brings_the_edited_face_to_the_source(saved: Path) -> None:
    metric = Metric.load(saved)
    source = motion(2)
    edited = (source + motion(1)).requires_grad_()
    optimiser = torch.optim.Adam([edited], lr=3e-3)
    first = float(metric.loss(edited, source).detach())
    before = metric.similarity(edited.detach(), source)
    for _ in range(15):
        optimiser.zero_grad()
        metric.loss(edited, source).backward()
        optimiser.step()
    assert float(metric.loss(edited, source).detach()) < 0.9 * first
    after = metric.similarity(edited.detach(), source)
    for kind in before:
        assert after[kind].shape == (2, 2, 4)
        assert float(after[kind].mean()) > float(before[kind].mean())


def test_windows_are_of_one_clip_and_in_order() -> None:
    seen = motion(1, frames=20)
    cut = windows(seen)
    assert cut.shape == (4, 9, 478, 3)
    assert torch.equal(cut[0], seen[0, :9])
    assert torch.equal(cut[1], seen[0, 8:17])
    assert torch.equal(cut[2], seen[1, :9])
    with pytest.raises(ValueError, match="T >= 9"):
        windows(seen[:, :8])


def test_motion_is_off_the_persons_neutral() -> None:
    neutral = torch.randn(2, 478, 3)
    moved = motion(1)
    assert torch.allclose(motion_of(moved + neutral.unsqueeze(1), neutral), moved, atol=1e-5)


def test_cm_needs_two_windows(tmp_path: Path) -> None:
    form = weights.Form(**{**FORM.__dict__, "variant": "cm"})
    metric = Metric(weights.build(form, MorphableModel.builtin().mean_iod))
    one = motion(1, 9)[:1]
    with pytest.raises(ValueError, match="two windows"):
        metric.loss(one, one)
    assert torch.isfinite(metric.loss(motion(1, 9), motion(2, 9)))


def test_a_file_of_another_kind_or_version_is_refused(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.npz: cannot be read: .*check the path"):
        Metric.load(tmp_path / "absent.npz")
    damaged = tmp_path / "damaged.npz"
    damaged.write_bytes(saved.read_bytes()[:-2000])
    with pytest.raises(InputError, match="damaged one: make it again"):
        Metric.load(damaged)
    damaged.write_text("no archive")
    with pytest.raises(InputError, match="damaged one: make it again"):
        Metric.load(damaged)
    with np.load(saved) as archive:
        arrays = dict(archive)
    for change, message in (
        ({"head": np.array(str(arrays["head"]).replace('"version": 1', '"version": 9'))}, "9, expected"),
        ({"head": np.array("[]")}, "damaged one"),
        ({"head": np.array(str(arrays["head"]).replace("[40, 24", "[41, 24"))}, None),
        ({"heads.time.3.0.weight": np.zeros((2, 2), np.float32)}, r"damaged \("),
        ({"heads.time.3.0.weight": np.full((12, 12), np.nan, np.float32)}, "no number"),
    ):
        np.savez(damaged, **{**arrays, **change})
        if message is None:  # other regions with the same weights are another network, and no damage
            Metric.load(damaged)
            continue
        with pytest.raises(InputError, match=message) as caught:
            Metric.load(damaged)
        assert "\n" not in str(caught.value)


def test_a_metric_of_images_is_no_metric_of_meshes(tmp_path: Path) -> None:
    form = weights.Form(**{**FORM.__dict__, "signal": "crop"})
    weights.save(tmp_path / "crop.npz", weights.build(form, MorphableModel.builtin().mean_iod), form, KEY)
    with pytest.raises(UsageError, match="signal = mesh"):
        Metric.load(tmp_path / "crop.npz")


def talk(seed: int, smile: float = 0.0) -> torch.Tensor:
    """Two clips of smooth random talk, with a smile that stays."""
    model = MorphableModel.builtin()
    rng = np.random.default_rng(seed)
    time_s = np.arange(25) / 25.0
    coefficients = np.zeros((2, 25, len(BLENDSHAPES)))
    for name in ("jawOpen", "mouthPucker", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthClose"):
        wave = np.sin(6.28 * rng.uniform(1.0, 4.0, (2, 1)) * time_s + rng.uniform(0, 6.28, (2, 1)))
        coefficients[:, :, BLENDSHAPE_INDEX[name]] = 0.25 + 0.2 * wave
    for name in ("mouthSmileLeft", "mouthSmileRight"):
        coefficients[:, :, BLENDSHAPE_INDEX[name]] += smile
    moved = np.einsum("btk,knc->btnc", coefficients, model.expression_basis)
    return torch.from_numpy(moved.astype(np.float32))


@pytest.mark.parametrize("name", ["builtin", "builtin-cm"])
def test_the_committed_metric_knows_the_same_talk_behind_a_smile(name: str) -> None:
    metric = Metric.load(name)
    source, smiling, other = talk(1), talk(1, smile=0.4), talk(2, smile=0.4)
    late = torch.roll(smiling, 6, dims=1)
    with torch.no_grad():
        same = metric.loss(smiling, source)
        for changed in (late, other):
            assert float(same) < 0.8 * float(metric.loss(changed, source))
            for kind, agreement in metric.similarity(smiling, source).items():
                lead = float(agreement.mean() - metric.similarity(changed, source)[kind].mean())
                assert lead > {"space": 0.01, "time": 0.1}[kind]
