"""The losses against slow loops, and two of the released code's faults: weight after the mean, and tau."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from rtfilter.learn.stccl import losses  # noqa: E402

BATCH, FRAMES, REGIONS, CHANNELS = 2, 4, 5, 3


@pytest.fixture
def features() -> torch.Tensor:
    return torch.randn(BATCH, FRAMES, REGIONS, CHANNELS, generator=torch.Generator().manual_seed(1))


def unit(seed: int, *shape: int) -> torch.Tensor:
    return losses.unit(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)))


@pytest.mark.parametrize("tau", [0.07, 0.5])
def test_contrast_is_the_cross_entropy_of_each_element(tau: float) -> None:
    q, k = unit(1, 2, 6, 4), unit(2, 2, 6, 4)
    found = losses.contrast(q, k, tau=tau)
    for b in range(2):
        for i in range(6):
            odds = [math.exp(float(q[b, i] @ k[b, j]) / tau) for j in range(6)]
            assert float(found[b, i]) == pytest.approx(-math.log(odds[i] / sum(odds)), abs=1e-4)


def test_the_target_gets_no_gradient() -> None:
    q, k = unit(1, 5, 4).requires_grad_(), unit(2, 5, 4).requires_grad_()
    losses.contrast(q, k, tau=0.07).sum().backward()
    assert q.grad is not None
    assert k.grad is None


def test_the_weight_is_one_until_a_difference_is_hard() -> None:
    sizes = [0.0, 1.0, 1.38, 1.39, 3.0]
    # The root mean square over channels of the difference is its size.
    found = losses.adaptive_weight(torch.tensor(sizes).unsqueeze(-1).repeat(1, 7))
    for size, weight in zip(sizes, found.tolist(), strict=True):
        t = 1.0 / (1.0 + math.exp(-size))
        assert weight == pytest.approx(2.0 * t * t if t > 0.8 else 1.0, abs=1e-5)


def test_each_element_has_its_own_weight() -> None:
    """Fault 1 of the released code: the mean of the losses times one weight."""
    loss, weight = torch.tensor([[0.0, 4.0], [1.0, 3.0]]), torch.tensor([[1.0, 2.0], [1.0, 2.0]])
    assert float(losses.weighted_mean(loss, weight)) == pytest.approx((0 + 8 + 1 + 6) / 4)
    assert float(losses.weighted_mean(loss, weight)) != pytest.approx(float(loss.mean() * weight.mean()))
    loss = loss.requires_grad_()
    (slope,) = torch.autograd.grad(losses.weighted_mean(loss, weight), loss)
    assert torch.allclose(slope, weight / 4)
    with pytest.raises(ValueError, match="one an element"):
        losses.weighted_mean(loss, weight.mean())


def test_tau_can_not_be_given_by_place() -> None:
    """Fault 2 of the released code: tau in the place of another argument."""
    q = unit(1, 5, 4)
    with pytest.raises(TypeError):
        losses.contrast(q, q, 0.07)


def test_differences_in_space_are_of_a_region_and_its_neighbours(features: torch.Tensor) -> None:
    neighbours = torch.tensor([[1, 2], [2, 3], [3, 4], [4, 0], [0, 1]])
    centres = torch.tensor([3, 1])
    found = losses.space_differences(features, centres, neighbours)
    assert found.shape == (BATCH, FRAMES, 2, 2, CHANNELS)
    for b in range(BATCH):
        for t in range(FRAMES):
            for i, p in enumerate([3, 1]):
                for j, n in enumerate(neighbours[p].tolist()):
                    assert torch.equal(found[b, t, i, j], features[b, t, p] - features[b, t, n])


def test_differences_in_time_are_of_one_clip_and_one_region(features: torch.Tensor) -> None:
    """Fault 4 of the released code: a reshape that mixes clips with moments."""
    found = losses.time_differences(features, torch.tensor([4, 0]))
    assert found.shape == (BATCH, 2, FRAMES * (FRAMES - 1) // 2, CHANNELS)
    for b in range(BATCH):
        for i, p in enumerate([4, 0]):
            pairs = [(t, s) for t in range(FRAMES) for s in range(t + 1, FRAMES)]
            for j, (t, s) in enumerate(pairs):
                assert torch.equal(found[b, i, j], features[b, t, p] - features[b, s, p])


def test_rows_of_correlations_leave_out_the_diagonal(features: torch.Tensor) -> None:
    vectors = losses.unit(features)
    matrix = losses.correlation(vectors)
    found = losses.rows_without_self(matrix)
    for i in range(REGIONS):
        row = torch.tensor([float(vectors[1, 2, i] @ vectors[1, 2, j]) for j in range(REGIONS) if j != i])
        row = row - row.mean()
        length = float(row.square().sum() + losses.FLAT_ROW**2) ** 0.5
        assert torch.allclose(found[1, 2, i], row / length, atol=1e-4)
    marked = matrix + 9.0 * torch.eye(REGIONS)
    assert torch.equal(losses.rows_without_self(marked), found)


def test_zero_has_a_finite_gradient() -> None:
    still = torch.zeros(3, 4, requires_grad=True)
    losses.unit(still).sum().backward()
    assert still.grad is not None
    assert torch.isfinite(still.grad).all()


def test_the_joint_loss_counts_time_five_times() -> None:
    assert float(losses.joint(torch.tensor(2.0), torch.tensor(3.0))) == 17.0
