"""The occlusion network's training: it learns, goes on where it was, and exports what it learned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `learn` (PyTorch)")
pytest.importorskip("tensorboard", reason="needs the extra `learn` (tensorboard)")

from rtfilter.engines.networks import OCCLUSION  # noqa: E402
from rtfilter.engines.ort.cpu import OnnxRunner  # noqa: E402
from rtfilter.errors import InputError, OutputError, UsageError  # noqa: E402
from rtfilter.learn.occlusion import export, losses, train  # noqa: E402
from rtfilter.learn.occlusion.checkpoint import Checkpoint  # noqa: E402
from rtfilter.learn.occlusion.graph import occlusion_graph  # noqa: E402
from rtfilter.learn.occlusion.measures import border_px, overlap  # noqa: E402
from rtfilter.learn.occlusion.network import OcclusionNetwork  # noqa: E402
from rtfilter.learn.occlusion.pool import BYTES  # noqa: E402
from tests.learn.occlusion.made import settings  # noqa: E402


def test_it_learns_and_what_is_exported_is_what_was_learned(squares: Path, tmp_path: Path) -> None:
    config, lines = settings(tmp_path, squares, steps=60, pool=16), []
    path = train.main(
        config, notify=lines.append, overrides=["occlusion.log_every=10", "occlusion.rate=0.01"]
    )
    losses_told = [float(line.split("entropy ")[1].split(",")[0]) for line in lines if "entropy" in line]
    assert losses_told[-1] < 0.7 * losses_told[0], lines
    told: list[str] = []
    onnx = export.main(config, notify=told.append)
    assert onnx.stat().st_size < 300_000
    assert any(line.startswith("bare: ") for line in told)
    assert any(line.startswith("occluder: IoU") for line in told)
    network = Checkpoint.load(path).restored(path)
    assert export.difference(network, onnx.read_bytes()) < export.TOLERANCE


def test_an_interrupted_run_ends_as_an_uninterrupted_one(squares: Path, tmp_path: Path) -> None:
    whole = train.main(settings(tmp_path / "whole", squares), quiet=True)
    config = settings(tmp_path / "parts", squares)
    halves = train.main(config, quiet=True, overrides=["occlusion.save_every=3"])
    # As it was after three steps: a run that stops there, with the schedule of the whole.
    training_step, done = train.Training.step, []

    def three(self: train.Training, step: int) -> dict[str, torch.Tensor]:
        if step == 3:
            raise KeyboardInterrupt
        done.append(step)
        return training_step(self, step)

    halves.unlink()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(train.Training, "step", three)
        with pytest.raises(KeyboardInterrupt):
            train.main(config, quiet=True)
    assert done == [0, 1, 2]
    again = train.main(config, resume=True, quiet=True)
    one, two = Checkpoint.load(whole), Checkpoint.load(again)
    assert one.step == two.step == 6
    for name, value in one.average.items():
        assert torch.equal(value, two.average[name]), name


def test_the_pool_is_made_once_and_goes_on(squares: Path, tmp_path: Path) -> None:
    config = settings(tmp_path, squares, steps=0)
    train.main(config, quiet=True)
    (pool,) = (tmp_path / "out/occlusion").glob("pool-*.bin")
    whole = pool.read_bytes()
    assert len(whole) == 24 * BYTES
    pool.write_bytes(whole[: 10 * BYTES + 77])  # cut in the middle of a picture
    (tmp_path / "out/occlusion/occlusion.pt").unlink()
    train.main(config, quiet=True)
    assert pool.read_bytes() == whole


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("occlusion.width=12", "width: expected a multiple of 8, got 12"),
        ("occlusion.unseen=['spon']", "did you mean 'spoon'"),
        ("occlusion.held_out=['nobody']", "no squares of 'nobody'"),
        ("occlusion.rate=0.0", "steps, rate: "),
        ("occlusion.pool=0", "pool: expected 1 or more"),
    ],
)
def test_settings_that_cannot_be_are_named(override: str, said: str, squares: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=said):
        train.main(settings(tmp_path, squares), quiet=True, overrides=[override])


def test_a_checkpoint_is_not_overwritten_nor_gone_on_from_with_other_settings(
    squares: Path, tmp_path: Path
) -> None:
    config = settings(tmp_path, squares, steps=1)
    path = train.main(config, quiet=True)
    with pytest.raises(OutputError, match="exists: go on with --resume"):
        train.main(config, quiet=True)
    with pytest.raises(UsageError, match=r"rate = 0\.5"):
        train.main(config, resume=True, quiet=True, overrides=["occlusion.rate=0.5"])
    with pytest.raises(InputError, match="width 8, expected 16"):
        train.main(
            config,
            quiet=True,
            overrides=["occlusion.width=16", f"occlusion.start={path}", f"run.output={tmp_path / 'new'}"],
        )


@pytest.mark.parametrize("width", [8, 16])
def test_the_graph_is_the_network(width: int) -> None:
    torch.manual_seed(width)
    network = OcclusionNetwork(width)
    for one in network.modules():
        if isinstance(one, torch.nn.BatchNorm2d):
            one.running_mean.uniform_(-0.3, 0.3)
            one.running_var.uniform_(0.5, 2.0)
            one.weight.data.uniform_(0.5, 1.5)
    network.eval()
    content = occlusion_graph(network, "test")
    assert len(content) < 300_000
    assert export.difference(network, content) < 5e-3  # measured 5e-4: 16-bit weights
    runner = OnnxRunner(content, OCCLUSION, batch=2)
    held = runner.run(pixels=np.zeros((2, 7, 96, 96), np.float32))["held"]
    np.testing.assert_allclose(held[0], held[1], atol=1e-6)


def test_losses_are_small_for_the_truth_and_large_for_its_opposite() -> None:
    truth = torch.zeros(2, 3, 96, 96)
    truth[:, :, 20:50, 30:60] = 1.0
    right, sure = (truth - 0.5) * 20.0, torch.ones_like(truth)
    assert losses.entropy(right, truth, sure).max() < 1e-3
    assert losses.overlap(right, truth, sure).max() < 1e-3
    assert losses.falsely_covered(right, truth, sure) < 1e-6
    assert losses.entropy(-right, truth, sure).min() > 5.0
    assert losses.overlap(-right, truth, sure).min() > 0.9
    assert losses.falsely_covered(-right, truth, sure) > 0.99
    assert losses.entropy(-right, truth, 0.0 * sure).max() == 0.0


def test_measures_of_a_mask_that_is_off_by_two_pixels() -> None:
    truth = np.zeros((96, 96), np.float32)
    truth[20:60, 20:60] = 1.0
    found = np.roll(truth, 2, axis=1)
    sure = np.ones_like(truth)
    assert overlap(truth, truth, sure) == 1.0
    assert overlap(found, truth, sure) == pytest.approx(38 / 42, abs=1e-6)
    assert border_px(truth, truth) == 0.0
    assert 0.5 < border_px(found, truth) < 2.0
    assert np.isnan(border_px(0.0 * truth, truth))
