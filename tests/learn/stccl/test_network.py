"""The networks: frames and clips are kept apart, every head learns, tau and weight reach both losses."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from rtfilter.face.model import MorphableModel  # noqa: E402
from rtfilter.learn.stccl import losses, weights  # noqa: E402
from rtfilter.learn.stccl.network import KINDS, CorrelationNetwork  # noqa: E402
from rtfilter.learn.stccl.settings import LEVELS, WINDOW  # noqa: E402

FORM = weights.Form("mesh", "vd", (40, 24, 16, 9), (8, 8, 12, 12), (12, 8, 6, 4), 8, 0.07, True, 1.0)
MEAN = MorphableModel.builtin().mean_iod


def network(seed: int = 0, **changes: object) -> CorrelationNetwork:
    torch.manual_seed(seed)
    return weights.build(weights.Form(**{**FORM.__dict__, **changes}), MEAN)  # type: ignore[arg-type]


def motion(seed: int, batch: int = 3) -> torch.Tensor:
    """Faces of random coefficients, each frame another."""
    coefficients = np.random.default_rng(seed).uniform(0.0, 0.6, (batch, WINDOW, 52))
    moved = np.einsum("btk,knc->btnc", coefficients, MorphableModel.builtin().expression_basis)
    return torch.from_numpy(moved.astype(np.float32))


def pictures(seed: int, batch: int = 3) -> torch.Tensor:
    return torch.randn(batch, WINDOW, 64, 64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("signal", ["mesh", "crop"])
def test_a_frames_features_depend_on_that_frame_alone(signal: str) -> None:
    """Fault 4 of the released code: a reshape without a transpose mixes batch and time."""
    encoder = network(signal=signal).encoder
    seen = motion(1) if signal == "mesh" else pictures(1)
    together = encoder(seen)
    assert len(together) == LEVELS
    for b, t in ((0, 0), (1, 5), (2, 8)):
        for all_of_them, alone in zip(together, encoder(seen[b, t]), strict=True):
            assert torch.allclose(all_of_them[b, t], alone, atol=1e-5)


@pytest.mark.parametrize("variant", ["vd", "cm"])
def test_a_clips_elements_do_not_depend_on_the_other_clips(variant: str) -> None:
    """Fault 4, after the heads: in space and in time."""
    net = network(variant=variant)
    source, target = motion(1), motion(2)
    both = net.scores(source, target)
    for kind in KINDS:
        for b in range(3):
            alone = net.scores(source[b : b + 1], target[b : b + 1])[kind]
            assert torch.allclose(both[kind][b : b + 1], alone, atol=1e-3)


@pytest.mark.parametrize("variant", ["vd", "cm"])
@pytest.mark.parametrize("signal", ["mesh", "crop"])
def test_every_head_is_trained_and_saved(variant: str, signal: str, tmp_path) -> None:  # type: ignore[no-untyped-def]
    """Fault 3 of the released code: temporal heads in a plain list are neither."""
    net = network(variant=variant, signal=signal)
    make = motion if signal == "mesh" else pictures
    before = {name: value.clone() for name, value in net.state_dict().items()}
    optimiser = torch.optim.SGD(net.parameters(), lr=0.1)
    found = net.losses(make(1), make(2), stride=4)
    losses.joint(found["space"].mean(), found["time"].mean()).backward()
    optimiser.step()
    form = weights.Form(**{**FORM.__dict__, "variant": variant, "signal": signal})
    weights.save(tmp_path / "net.npz", net, form, "a model")
    loaded, _ = weights.load(tmp_path / "net.npz")
    for kind in KINDS:
        for level in range(LEVELS):
            name = f"heads.{kind}.{level}.0.weight"
            assert not torch.equal(net.state_dict()[name], before[name]), name
            assert torch.equal(loaded.state_dict()[name], net.state_dict()[name])


def slow_losses(
    net: CorrelationNetwork, source: torch.Tensor, target: torch.Tensor, tau: float
) -> dict[str, float]:
    """The losses of the finest level of VD without moments, in loops over elements."""
    level = 0
    a, b = (net.encoder(each)[level] for each in (source, target))
    centres, beside = net.centres()[level].tolist(), net.encoder.neighbours[level]
    found = {}
    for kind in KINDS:
        terms = []
        head = net.heads[kind][level]
        for clip in range(len(a)):
            if kind == "space":
                images = [
                    [(fa[t, p] - fa[t, n], fb[t, p] - fb[t, n]) for p in centres for n in beside[p].tolist()]
                    for fa, fb in [(a[clip], b[clip])]
                    for t in range(WINDOW)
                ]
            else:
                images = [
                    [
                        (a[clip, t, p] - a[clip, s, p], b[clip, t, p] - b[clip, s, p])
                        for t in range(WINDOW)
                        for s in range(t + 1, WINDOW)
                    ]
                    for p in centres
                ]
            for pairs in images:
                q = [losses.unit(head(da)) for da, _ in pairs]
                k = [losses.unit(head(db)) for _, db in pairs]
                for i, (da, _) in enumerate(pairs):
                    odds = torch.stack([(q[i] @ each) / tau for each in k])
                    t_of = torch.sigmoid(da.square().mean().sqrt())
                    weight = 2 * t_of**2 if t_of > 0.8 else 1.0
                    terms.append(weight * (torch.logsumexp(odds, 0) - odds[i]))
        found[kind] = float(torch.stack(terms).mean())
    return found


@pytest.mark.parametrize("tau", [0.07, 0.3])
def test_both_losses_are_what_loops_give(tau: float) -> None:
    """Faults 1 and 2: the weight of each element, and tau, in space and in time."""
    net = network(tau=tau, moments=0.0)
    source, target = motion(1, 1), motion(2, 1)
    with torch.no_grad():
        found, slow = net.losses(source, target), slow_losses(net, source, target, tau)
        plain = net.losses(source, target, adaptive=False)
    for kind in KINDS:
        assert float(found[kind][0]) == pytest.approx(slow[kind], rel=1e-4)
        assert float(plain[kind][0]) < float(found[kind][0])


@pytest.mark.parametrize("variant", ["vd", "cm"])
def test_what_matches_is_nearer_than_what_does_not(variant: str) -> None:
    net = network(variant=variant)
    source = motion(1, 8)
    same, other = net.losses(source, source + 0.1 * motion(2, 8)), net.losses(source, source.flip(0))
    for kind in KINDS:
        assert (same[kind] < other[kind]).all()


def test_centres_are_drawn_or_fixed() -> None:
    net = network()
    for level, (fixed, drawn) in enumerate(
        zip(net.centres(), net.centres(torch.Generator().manual_seed(3)), strict=True)
    ):
        assert len(fixed) == len(drawn) == FORM.centres[level]
        assert len(set(drawn.tolist())) == len(drawn)
    assert any(
        not torch.equal(one, two)
        for one, two in zip(net.centres(), net.centres(torch.Generator().manual_seed(3)), strict=True)
    )


def test_a_still_face_has_finite_losses_and_slopes() -> None:
    for variant in ("vd", "cm"):
        still = torch.zeros(2, WINDOW, 478, 3, requires_grad=True)
        found = network(variant=variant).losses(still, torch.zeros(2, WINDOW, 478, 3))
        sum(each.sum() for each in found.values()).backward()
        assert still.grad is not None
        assert torch.isfinite(still.grad).all()


def test_regions_cover_the_face_and_know_their_neighbours() -> None:
    from rtfilter.learn.stccl.geometry import grid_neighbours, mesh_levels

    levels = mesh_levels(MEAN, (64, 32, 16, 9))
    for nodes, beside in zip(levels.nodes, levels.neighbours, strict=True):
        assert len(set(nodes.tolist())) == len(nodes)
        points = MEAN[nodes]
        for i in range(len(nodes)):
            gaps = np.linalg.norm(points - points[i], axis=1)
            assert i not in beside[i]
            assert gaps[beside[i]].max() <= np.sort(gaps)[8] + 1e-6
        width = np.ptp(points[:, 0]) / np.ptp(MEAN[:468, 0])
        assert width > 0.8
    for gather in levels.gather[1:]:
        assert np.allclose(gather.sum(1), 1.0, atol=1e-5)
    # A linear field has its own gradient.
    field = (MEAN @ np.array([[0.1, 0.0, 0.2], [0.0, 0.3, 0.0], [0.0, -0.1, 0.0]])).astype(np.float32)
    found = np.einsum("ncj,njd->ncd", levels.gradient, field[levels.patches])
    assert np.abs(found[:, 1, 1] - 0.3).mean() < 0.1
    assert grid_neighbours(4)[5].tolist() == [0, 1, 2, 4, 6, 8, 9, 10]
    assert grid_neighbours(4)[0].tolist().count(0) == 5


def test_a_row_in_space_is_of_its_own_region() -> None:
    """CM of pictures: rows among the cells that may be looked at, picked by their number in the grid."""
    net = network(variant="cm", signal="crop")
    features = net.encoder(pictures(1, 2))
    centres = net.centres(torch.Generator().manual_seed(2))[1]
    found = net.elements(features, features, "space", 1, centres).q
    cells = net.encoder.centres[1]
    vectors = losses.unit(net.heads["space"][1](features[1][..., cells, :]))
    for row, cell in enumerate(centres.tolist()):
        own = cells.tolist().index(cell)
        others = [i for i in range(len(cells)) if i != own]
        slow = vectors[1, 3, others] @ vectors[1, 3, own]
        slow = slow - slow.mean()
        assert float(torch.cosine_similarity(found[1, 3, row], slow, dim=0).detach()) > 0.999
