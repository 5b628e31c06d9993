"""Penalties: per sample, closed forms, second derivatives, and the order around a step."""

from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqgan.core.masks import mask_until_end
from seqgan.core.modes import frozen
from seqgan.core.schedule import Schedule
from seqgan.core.types import ArraySpace, Batch, Scores, SequenceSpace
from seqgan.games.criterion import Criterion
from seqgan.models.config import (
    CnnCriticConfig,
    MlpCriticConfig,
    RnnCriticConfig,
    TransformerCriticConfig,
)
from seqgan.objectives.divergences import Divergence
from seqgan.objectives.penalties import (
    R1,
    R2,
    GradientPenalty,
    SpectralNorm,
    WeightClip,
    gradient_norm,
)
from seqgan.training.config import PlayerConfig
from seqgan.training.player import Player

WEIGHT_ONE = GradientPenalty(weight=1.0)


def loss(penalty: Any, critic: Any, real: Tensor, fake: Tensor, mask: Tensor | None) -> Tensor:
    """The term of the loss for samples that are rows of numbers already."""
    space = ArraySpace(tuple(real.shape[1:]))
    return penalty.loss(critic, space, Batch(real, mask), Batch(fake, mask))


class Linear(nn.Module):
    """score = w · x with a weight of the given norm, over all entries of a sample."""

    def __init__(self, shape: tuple[int, ...], norm: float) -> None:
        super().__init__()
        weight = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        self.weight = nn.Parameter(norm * weight / weight.norm())

    def forward(self, x: Tensor, mask: Tensor | None = None, cond: Tensor | None = None) -> Scores:
        return Scores((x * self.weight).flatten(1).sum(1))


class Square(nn.Module):
    """score = ½ ‖x‖², so that the gradient is x itself."""

    def forward(self, x: Tensor, mask: Tensor | None = None, cond: Tensor | None = None) -> Scores:
        return Scores(0.5 * x.square().flatten(1).sum(1))


# ── Gradient penalty ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("batch", [1, 3, 64])
@pytest.mark.parametrize("shape", [(4, 5), (3, 8, 8)], ids=["tokens", "pixels"])
def test_a_linear_critic_of_norm_one_pays_nothing_whatever_the_batch(batch, shape) -> None:
    """torchgan takes the norm over the whole batch: √64 = 8, a penalty of 49 where 0 is right."""
    real, fake = torch.randn(batch, *shape), torch.randn(batch, *shape)
    mask = torch.ones(batch, shape[0], dtype=torch.bool)
    penalty = loss(WEIGHT_ONE, Linear(shape, 1.0), real, fake, mask)
    assert float(penalty.detach()) == pytest.approx(0, abs=1e-10)


def test_the_whole_batch_norm_would_be_forty_nine() -> None:
    """The counter-example itself, so that the pin means something."""
    critic, x = Linear((4, 5), 1.0), torch.randn(64, 4, 5).requires_grad_()
    (slope,) = torch.autograd.grad(critic(x).score.sum(), x)
    assert float((slope.norm(2) - 1) ** 2) == pytest.approx(49, rel=1e-4)


@pytest.mark.parametrize(("norm", "target", "weight"), [(3.0, 1.0, 10.0), (3.0, 0.0, 1.0)])
def test_a_linear_critic_pays_weight_times_squared_excess(norm, target, weight) -> None:
    x, mask = torch.randn(6, 4, 5), torch.ones(6, 4, dtype=torch.bool)
    penalty = loss(
        GradientPenalty(weight, target), Linear((4, 5), norm), x, torch.randn_like(x), mask
    )
    assert float(penalty.detach()) == pytest.approx(weight * (norm - target) ** 2, rel=1e-5)


def test_norms_differ_from_sample_to_sample() -> None:
    """E(‖∇‖ − 1)², not (E‖∇‖ − 1)²: with D = ½‖x‖² the norm of sample b is ‖x_b‖."""
    x = torch.tensor([[[3.0, 4.0]], [[0.0, 1.0]]])  # norms 5 and 1
    mask = torch.ones(2, 1, dtype=torch.bool)
    penalty = loss(WEIGHT_ONE, Square(), x, x, mask)
    assert float(penalty.detach()) == pytest.approx(((5 - 1) ** 2 + 0) / 2, rel=1e-5)
    torch.testing.assert_close(gradient_norm(Square(), x, mask), torch.tensor([5.0, 1.0]))


def test_the_mixture_has_one_epsilon_a_sample_and_lies_between_real_and_generated() -> None:
    """Real rows are 1, generated ones 0: the mixture shows ε, equal within a sample, different
    between samples, uniform."""
    seen: list[Tensor] = []

    class Watching(Square):
        def forward(self, x: Tensor, mask: Any = None, cond: Any = None) -> Scores:
            seen.append(x.detach())
            return super().forward(x)

    torch.manual_seed(0)
    mask = torch.ones(2000, 3, dtype=torch.bool)
    loss(WEIGHT_ONE, Watching(), torch.ones(2000, 3, 4), torch.zeros(2000, 3, 4), mask)
    mixed = seen[0].flatten(1)
    assert torch.equal(mixed, mixed[:, :1].expand_as(mixed))
    epsilon = mixed[:, 0]
    assert len(epsilon.unique()) > 1900
    assert 0 <= float(epsilon.min()) < 0.02 < 0.98 < float(epsilon.max()) <= 1
    assert abs(float(epsilon.mean()) - 0.5) < 0.04


def test_no_gradient_reaches_real_or_generated_rows() -> None:
    real, fake = (torch.randn(3, 2, 4, requires_grad=True) for _ in range(2))
    mask = torch.ones(3, 2, dtype=torch.bool)
    loss(WEIGHT_ONE, Linear((2, 4), 2.0), real, fake, mask).backward()
    assert real.grad is None
    assert fake.grad is None


SPACE = SequenceSpace(vocab_size=4, length=4)
CRITICS = {
    "mlp": MlpCriticConfig(name="mlp", hidden=8),
    "cnn": CnnCriticConfig(name="cnn", embed=4, widths=[1, 2], filters=[4, 4], dropout=0.0),
    "lstm": RnnCriticConfig(name="rnn", cell="lstm", embed=4, hidden=6),
    "gru": RnnCriticConfig(name="rnn", cell="gru", embed=4, hidden=6),
    "transformer": TransformerCriticConfig(name="transformer", width=8, heads=2, layers=1),
    "causal": TransformerCriticConfig(name="transformer", width=8, heads=2, layers=1, causal=True),
}


@pytest.mark.parametrize("name", CRITICS)
def test_the_penalty_has_the_derivative_that_finite_differences_give(name) -> None:
    """Double backward through every critic: directional derivative against (f(+h) − f(−h))/2h."""
    torch.manual_seed(0)
    critic = CRITICS[name].build(SPACE).double()
    real = torch.rand(5, 4, 4, dtype=torch.double).softmax(-1)
    mask = torch.ones(5, 4, dtype=torch.bool)
    mask[0, 2:] = False
    parameters = [p for p in critic.parameters() if p.requires_grad]
    r1 = R1(weight=2.0)
    value = loss(r1, critic, real, real, mask)
    slopes = torch.autograd.grad(value, parameters, allow_unused=True)
    direction = [torch.randn_like(p) for p in parameters]
    analytic = sum(
        float((s * d).sum()) for s, d in zip(slopes, direction, strict=True) if s is not None
    )

    def moved(step: float) -> float:
        with torch.no_grad():
            for p, d in zip(parameters, direction, strict=True):
                p += step * d
        value = float(loss(r1, critic, real, real, mask).detach())
        with torch.no_grad():
            for p, d in zip(parameters, direction, strict=True):
                p -= step * d
        return value

    h = 1e-6
    numeric = (moved(h) - moved(-h)) / (2 * h)
    assert analytic == pytest.approx(numeric, rel=1e-3, abs=1e-7)
    assert abs(analytic) > 1e-8


@pytest.mark.parametrize("real_is_longer", [True, False])
def test_a_mixture_counts_the_columns_of_either_sentence(real_is_longer: bool) -> None:
    """The longer one's last words are half of the mixture there, whichever it is."""
    seen: list[Tensor] = []

    class Watching(Square):
        def forward(self, x: Tensor, mask: Any = None, cond: Any = None) -> Scores:
            if x.dtype == torch.float:
                seen.append(mask)
            return super().forward(F.one_hot(x, 3).float() if x.dtype == torch.long else x)

    short, long = torch.tensor([[1, 0, 0, 0]]), torch.tensor([[2, 1, 0, 0]])
    masks = [mask_until_end(ids, 0) for ids in (short, long)]
    samples = [Batch(ids, mask) for ids, mask in zip((short, long), masks, strict=True)]
    real, fake = samples[::-1] if real_is_longer else samples
    objective = Divergence("wgan")
    space = SequenceSpace(vocab_size=3, length=4, end_id=0)
    Criterion(objective, [WEIGHT_ONE], space).critic_loss(Watching(), real, fake)  # type: ignore[arg-type]
    assert [mask.tolist() for mask in seen] == [[[True, True, True, False]]]
    seen.clear()
    Criterion(objective, [R1()], space).critic_loss(Watching(), real, fake)  # type: ignore[arg-type]
    assert torch.equal(seen[0], real.mask), "at real sentences it is theirs"


def test_of_several_samples_a_condition_each_real_one_is_mixed_with_the_first() -> None:
    """Row n·B + b of the fakes is sample n for condition b; both ends have that condition."""
    seen: list[tuple[Tensor, Tensor]] = []

    class Watching(Square):
        def forward(self, x: Tensor, mask: Any = None, cond: Any = None) -> Scores:
            seen.append((x.detach(), cond))
            return super().forward(x)

    cond, mask = torch.tensor([[5], [6]]), torch.ones(2, 1, dtype=torch.bool)
    real = Batch(torch.zeros(2, 1, 2), mask, cond)
    fake_x = torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]], [[9.0, 9.0]], [[9.0, 9.0]]])
    fake = Batch(fake_x, mask.repeat(2, 1), cond.repeat(2, 1))
    objective = Divergence("wgan")
    space = SequenceSpace(vocab_size=2, length=1)
    Criterion(objective, [WEIGHT_ONE], space).critic_loss(Watching(), real, fake)  # type: ignore[arg-type]
    mixed, told = seen[2]
    assert torch.equal(told, cond)
    assert float(mixed.max()) <= 1
    assert torch.equal(mixed > 0, fake_x[:2] > 0)


# ── R1 ────────────────────────────────────────────────────────────────────────────────────────


def test_r1_is_half_the_weight_times_the_mean_squared_norm() -> None:
    x = torch.tensor([[[3.0, 4.0]], [[0.0, 1.0]]])
    mask = torch.ones(2, 1, dtype=torch.bool)
    for weight in (1.0, 6.0):
        penalty = loss(R1(weight), Square(), x, x, mask)
        assert float(penalty.detach()) == pytest.approx(weight / 2 * (25 + 1) / 2, rel=1e-5)


def test_r1_of_a_linear_critic_is_that_of_its_weight_and_trains_it() -> None:
    critic = Linear((2, 3), 4.0)
    x, mask = torch.randn(5, 2, 3), torch.ones(5, 2, dtype=torch.bool)
    penalty = loss(R1(weight=3.0), critic, x, x, mask)
    assert float(penalty.detach()) == pytest.approx(1.5 * 16, rel=1e-5)
    penalty.backward()
    torch.testing.assert_close(critic.weight.grad, 3.0 * critic.weight.detach())


def test_r2_is_r1_at_generated_samples_under_their_conditions() -> None:
    """D = ½‖x‖²: the squared norms are 25 and 1 at real samples, 4 and 0 at generated ones."""
    seen: list[tuple[Any, Any]] = []

    class Watching(Square):
        def forward(self, x: Tensor, mask: Any = None, cond: Any = None) -> Scores:
            seen.append((mask, cond))
            return super().forward(x)

    mask_B1, told_B1 = torch.ones(2, 1, dtype=torch.bool), torch.tensor([[1], [2]])
    real = Batch(torch.tensor([[3.0, 4.0], [0.0, 1.0]]), cond=told_B1 + 5)
    fake = Batch(torch.tensor([[2.0, 0.0], [0.0, 0.0]]), mask_B1, told_B1)
    penalty = R2(weight=3.0).loss(Watching(), ArraySpace((2,)), real, fake)  # type: ignore[arg-type]
    assert float(penalty.detach()) == pytest.approx(1.5 * (4 + 0) / 2)
    ((mask, told),) = seen
    assert torch.equal(mask, mask_B1)
    assert torch.equal(told, told_B1)


@pytest.mark.parametrize("penalty", [R1, R2, GradientPenalty])
def test_a_weight_follows_its_schedule_by_update_of_the_critic(penalty: Any) -> None:
    """γ from 8 to 2 by a factor within two updates: 8, 4, 2, 2."""
    falling = Schedule[float](start=8.0, end=2.0, steps=2, shape="exponential")
    critic, x = Linear((4,), 3.0), torch.randn(6, 4)
    data = Batch(x), Batch(x)
    space = ArraySpace((4,))
    weighted = penalty(weight=falling)
    terms = [float(weighted.loss(critic, space, *data, u).detach()) for u in range(4)]
    assert [term / terms[-1] for term in terms] == pytest.approx([4, 2, 1, 1])


def test_a_lazy_penalty_is_part_of_each_kth_update_and_k_times_as_large_there() -> None:
    """So that its mean over updates is that of a penalty in every update."""
    critic, space = Linear((4,), 3.0), ArraySpace((4,))
    data = Batch(torch.randn(6, 4)), Batch(torch.randn(6, 4))
    plain, usual, lazy = (
        Criterion(Divergence("wgan"), penalties, space)
        for penalties in ([], [R1(2.0), R2(4.0)], [R1(2.0, every=3), R2(4.0, every=2)])
    )

    def added(criterion: Criterion, update: int) -> tuple[float, set[str]]:
        loss, stats = criterion.critic_loss(critic, *data, update)  # type: ignore[arg-type]
        without, _ = plain.critic_loss(critic, *data, update)  # type: ignore[arg-type]
        assert all(
            float(stats[name]) == pytest.approx(9 * w) for name, w in WEIGHTS if name in stats
        )
        return float(loss - without), {"r1", "r2"} & set(stats)

    WEIGHTS = [("r1", 1), ("r2", 2)]
    found = [added(lazy, update) for update in range(6)]
    assert [names for _, names in found] == [{"r1", "r2"}, set(), {"r2"}, {"r1"}, {"r2"}, set()]
    total = sum(value for value, _ in found)
    assert total == pytest.approx(6 * added(usual, 0)[0], rel=1e-4)


def test_a_score_per_step_enters_as_its_mean_over_the_steps_that_count() -> None:
    class PerStep(nn.Module):
        def forward(self, x: Tensor, mask: Tensor, cond: Tensor | None = None) -> Scores:
            return Scores(x.sum(-1), mask)

    mask = torch.tensor([[True, True, False, False]])
    norm_B = gradient_norm(PerStep(), torch.randn(1, 4, 3), mask)
    # ∂/∂x of the mean of two sums over three entries: six entries of ½.
    assert float(norm_B[0]) == pytest.approx((6 * 0.25) ** 0.5, rel=1e-5)


def test_ids_become_one_hot_rows_and_simplices_pass() -> None:
    ids, space = torch.tensor([[2, 0]]), SequenceSpace(vocab_size=3, length=2)
    assert space.continuous(ids).tolist() == [[[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]]
    soft = torch.rand(1, 2, 3)
    assert space.continuous(soft) is soft


# ── Weight clipping ───────────────────────────────────────────────────────────────────────────


def test_weights_are_clipped_after_the_step_not_before_it() -> None:
    """A step of 1 leaves weights at ±0.01, not near ±1 as when clipping comes first."""
    critic = nn.Linear(4, 1)
    player = Player(
        "critic",
        critic,
        PlayerConfig(optimizer="sgd", lr=1.0, clip_norm=None),
        [partial(WeightClip(0.01).after_step, critic)],
    )
    for sign in (1, -1):
        player.update(sign * (critic.weight.sum() + critic.bias.sum()))
        assert torch.allclose(critic.weight, torch.full((1, 4), -0.01 * sign))
        assert torch.allclose(critic.bias, torch.tensor([-0.01 * sign]))


def test_clipping_leaves_small_weights_and_frozen_parameters_alone() -> None:
    critic = nn.Linear(2, 1)
    critic.weight.data.copy_(torch.tensor([[0.005, -3.0]]))
    critic.bias.data.fill_(7.0)
    critic.bias.requires_grad_(False)
    WeightClip(0.01).after_step(critic)
    torch.testing.assert_close(critic.weight.data, torch.tensor([[0.005, -0.01]]))
    assert float(critic.bias) == 7.0


# ── Spectral norm ─────────────────────────────────────────────────────────────────────────────


def normalised_weights(critic: nn.Module) -> dict[str, Tensor]:
    return {
        name: module.weight
        for name, module in critic.named_modules()
        if hasattr(module, "parametrizations")
    }


@pytest.mark.parametrize("name", ["mlp", "cnn", "transformer"])
def test_after_some_updates_every_matrix_has_largest_singular_value_one(name) -> None:
    torch.manual_seed(0)
    critic = CRITICS[name].build(SPACE)
    SpectralNorm(1).prepare(critic)
    player = Player("critic", critic, PlayerConfig(lr=1e-3))
    ids, mask = torch.randint(4, (16, 4)), torch.ones(16, 4, dtype=torch.bool)
    target = torch.randn(16)
    for _ in range(100):
        player.update((critic(ids, mask).score - target).square().mean())
    critic.eval()
    weights = normalised_weights(critic)
    assert len(weights) >= 3
    for where, weight in weights.items():
        sigma_max = float(torch.linalg.matrix_norm(weight.detach().flatten(1), ord=2))
        assert sigma_max == pytest.approx(1, abs=0.02), where


def test_spectral_norm_of_a_known_matrix() -> None:
    layer = nn.Linear(3, 3, bias=False)
    layer.weight.data.copy_(torch.diag(torch.tensor([5.0, 2.0, 1.0])))
    critic = nn.Sequential(layer)
    SpectralNorm(5).prepare(critic)
    for _ in range(5):
        critic(torch.ones(1, 3))
    expected = torch.diag(torch.tensor([1.0, 0.4, 0.2]))
    torch.testing.assert_close(layer.weight.detach(), expected, rtol=1e-4, atol=1e-4)


def test_a_frozen_critic_does_not_move_its_power_iteration_and_passes_gradients() -> None:
    torch.manual_seed(0)
    critic = CRITICS["mlp"].build(SPACE)
    SpectralNorm(1).prepare(critic)
    x = F.one_hot(torch.randint(4, (6, 4)), 4).float().requires_grad_()
    mask = torch.ones(6, 4, dtype=torch.bool)
    before = {name: value.clone() for name, value in critic.state_dict().items()}
    with frozen(critic):
        for _ in range(3):
            score = critic(x, mask).score.sum()
    score.backward()
    assert all(torch.equal(before[name], value) for name, value in critic.state_dict().items())
    assert x.grad.abs().max() > 0
    assert all(p.grad is None for p in critic.parameters())
    critic(x, mask)
    moved = [name for name, value in critic.named_buffers() if not torch.equal(before[name], value)]
    assert moved, "in training mode it does move"
