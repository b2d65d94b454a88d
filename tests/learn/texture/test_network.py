"""The generator's layers are StyleGAN2's, by their invariants; the losses' gradients; the average."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="needs the extra `learn` (PyTorch)")

from rtfilter.learn.texture import losses  # noqa: E402
from rtfilter.learn.texture.critic import Discriminator  # noqa: E402
from rtfilter.learn.texture.models import Networks  # noqa: E402
from rtfilter.learn.texture.network import Generator, Modulated, Shape  # noqa: E402

SHAPE = Shape(size=16, latent=8, width=8, least=4, mapping=2)


@pytest.fixture(autouse=True)
def drawn_alike() -> None:
    torch.manual_seed(0)


def test_demodulation_is_a_kernel_of_length_one_for_each_sample() -> None:
    layer = Modulated(6, 5, 8)
    x, w = torch.randn(2, 6, 9, 9), torch.randn(2, 8)
    styled = layer.kernel()[None] * layer.style(w)[:, None, :, None, None]
    kernel = styled * torch.rsqrt(styled.square().sum((2, 3, 4), keepdim=True) + 1e-8)
    plain = torch.stack(
        [torch.nn.functional.conv2d(one[None], own, padding=1)[0] for one, own in zip(x, kernel, strict=True)]
    )
    wanted = torch.nn.functional.leaky_relu(plain, 0.2) * 2.0**0.5
    assert torch.allclose(layer(x, w, noisy=False), wanted, atol=1e-5)


def test_noise_is_added_in_training_alone_and_only_as_far_as_it_was_learned() -> None:
    generator = Generator(SHAPE)
    w_plus = torch.randn(2, len(SHAPE.resolutions), SHAPE.latent)
    assert torch.equal(generator(w_plus), generator(w_plus))
    assert torch.equal(generator(w_plus, noisy=True), generator(w_plus))
    for block in generator.blocks:
        block.first.noise.data.fill_(0.3)
    assert not torch.equal(generator(w_plus, noisy=True), generator(w_plus, noisy=True))
    assert torch.equal(generator(w_plus), generator(w_plus))


def test_a_coarse_latent_moves_all_and_nothing_is_made_where_there_is_no_skin() -> None:
    generator = Generator(SHAPE)
    generator.skin[:8] = 0.0
    w_plus = torch.randn(1, len(SHAPE.resolutions), SHAPE.latent)
    before = generator(w_plus)
    assert before.shape == (1, 3, 16, 16)
    assert not before[:, :, :8].any()
    assert before[:, :, 8:].all()
    for number in range(len(SHAPE.resolutions)):
        moved = w_plus.clone()
        moved[:, number] += 1.0
        assert not torch.allclose(generator(moved), before, atol=1e-4), number


def test_r1_is_the_squared_slope_of_the_scores() -> None:
    critic, real = Discriminator(SHAPE).double(), torch.randn(2, 3, 16, 16).double()
    step, other = torch.randn_like(real), 1e-5
    along = (critic(real + other * step).sum() - critic(real - other * step).sum()) / (2 * other)
    real.requires_grad_(True)
    (slope,) = torch.autograd.grad(critic(real).sum(), real)
    assert float((slope * step).sum()) == pytest.approx(float(along.detach()), rel=1e-4)
    assert float(losses.r1(critic, real).detach()) == pytest.approx(float(slope.square().sum() / 2), rel=1e-6)


def test_path_lengths_reach_the_styles() -> None:
    generator = Generator(SHAPE)
    loss, mean = losses.path_length(generator, torch.randn(4, SHAPE.latent), torch.zeros(()))
    assert float(loss.detach()) > 0.0
    assert 0.0 < float(mean) < 1.0
    loss.backward()
    assert generator.blocks[0].first.style.weight.grad is not None


def test_likeness_counts_what_was_seen_and_folds_more_than_areas() -> None:
    real = torch.zeros(1, 3, 16, 16)
    seen = torch.ones(1, 1, 16, 16)
    seen[..., :8] = 0.0
    hidden, area, lines = real.clone(), real.clone(), real.clone()
    hidden[..., :7] = 5.0
    area[..., 8:] = 0.1
    lines[..., 8::2] = 0.2
    assert float(losses.likeness(real, real, seen)) == 0.0
    assert float(losses.likeness(hidden, real, seen)) == 0.0
    assert float(losses.likeness(lines, real, seen)) > 1.5 * float(losses.likeness(area, real, seen)) > 0.0


def test_the_average_follows_by_its_half_life() -> None:
    networks = Networks(SHAPE)
    networks.texture.directions.data.fill_(1.0)
    networks.follow(1.0)
    assert torch.allclose(networks.average.directions, torch.tensor(0.5))
    for _ in range(10):
        networks.follow(10.0)
    assert torch.allclose(networks.average.directions, torch.tensor(0.75))
