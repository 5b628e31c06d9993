"""Pathwise estimators against their *own* expectations, by quadrature and enumeration.

They are biased for the discrete game, so a bug could hide in the bias. What each one's gradient
must average to is therefore computed here from its definition, without sampling.
"""

from collections.abc import Callable
from math import log, pi

import pytest
import torch
import torch.nn.functional as F
from enumeration import (
    PrefixTable,
    SentenceReward,
    assert_mean_is,
    assert_same_vector,
    chi_square_is_plausible,
    gradient,
    log_probs,
    make_generator,
    sentences,
    step_logits,
)
from pydantic import TypeAdapter
from torch import Tensor, nn

from seqgan.core.types import SampleRequest, SequenceSpace
from seqgan.decoding import GumbelSoftmax, StraightThrough, gumbel_noise, sample
from seqgan.estimators.config import AnyEstimatorConfig
from seqgan.estimators.relaxed import Relaxed
from seqgan.estimators.relaxed_config import SoftGumbelConfig

CPU = torch.device("cpu")
Value = Callable[[Tensor], Tensor]


def estimator_of(
    name: str, space: SequenceSpace, tau: float, forward_tau: float | None = None
) -> Relaxed:
    samples = {"samples": 3} if name == "gumbel_rao" else {}
    forward = {} if forward_tau is None else {"forward_temperature": forward_tau}
    config = {"name": name, "temperature": tau, **samples, **forward}
    return TypeAdapter(AnyEstimatorConfig).validate_python(config).build(space, CPU)


def curved_value(space: SequenceSpace) -> Value:
    """A smooth value that is not linear in the rows, different at every position."""
    stream = torch.Generator().manual_seed(3)
    weight = torch.randn(space.length * space.vocab_size, 6, generator=stream)
    readout = torch.randn(6, generator=stream)
    return lambda x_BTV: torch.tanh(x_BTV.flatten(1) @ weight) @ readout + 2


def sampled_gradients(
    generator: nn.Module, estimator: Relaxed, value: Value, batches: int, rows: int
) -> Tensor:
    """Independent estimates [K, D], each from `rows` sentences of the estimator's own."""
    gradients = []
    for seed in range(batches):
        torch.manual_seed(seed)
        rollout = estimator.sample(generator, SampleRequest(rows))
        loss = estimator.loss(generator, rollout, lambda x, mask: value(x)).loss
        gradients.append(gradient(loss, generator))
    return torch.stack(gradients)


# ── Straight-through ──────────────────────────────────────────────────────────────────────────


def test_straight_through_is_exact_for_a_linear_value_at_length_one() -> None:
    """∇ Σ_v p_v w_v, whatever was drawn: not only on average."""
    space = SequenceSpace(vocab_size=4, length=1)
    generator = make_generator("gru", space)
    weight_V = torch.tensor([1.0, -2.0, 0.5, 3.0])
    prob_V = generator.start(1).logits_BV.softmax(-1)[0]
    expected = gradient(-(prob_V * weight_V).sum(), generator)
    estimator = estimator_of("straight_through", space, tau=1.0)
    for rows in (1, 7):
        rollout = estimator.sample(generator, SampleRequest(rows))
        loss = estimator.loss(generator, rollout, lambda x, m: x[:, 0] @ weight_V).loss
        assert_same_vector(gradient(loss, generator), expected)


@pytest.mark.parametrize(("tau", "forward_tau"), [(1.0, None), (0.5, None), (0.5, 2.0), (1.0, 0.4)])
@pytest.mark.parametrize("name", ["gru", "transformer"])
def test_straight_through_has_its_own_enumerated_expectation(name, tau, forward_tau) -> None:
    """Σ_x p(x) ∇ value(one-hot x with the slope of softmax(o/τ)), x fed back with its slope; p at
    the forward temperature, 1 where none is given."""
    space = SequenceSpace(vocab_size=3, length=2)
    generator, value = make_generator(name, space), curved_value(space)
    ids_RT = sentences(space)
    logp_RTV = (step_logits(generator, ids_RT).detach() / (forward_tau or 1)).log_softmax(-1)
    prob_R = logp_RTV.gather(-1, ids_RT[..., None]).sum((1, 2)).exp()
    out, rows = generator.start(len(ids_RT)), []
    for time in range(space.length):
        soft_RV = (out.logits_BV / tau).softmax(-1)
        rows.append(F.one_hot(ids_RT[:, time], 3) + soft_RV - soft_RV.detach())
        if time == 0:
            out = generator.step(rows[0], out.state)
    expected = gradient(-(prob_R * value(torch.stack(rows, 1))).sum(), generator)
    estimator = estimator_of("straight_through", space, tau, forward_tau)
    samples = sampled_gradients(generator, estimator, value, batches=30, rows=2000)
    assert_mean_is(samples, expected, relative=0.05)


# ── Gumbel: V = 2, where the difference of two Gumbels is one logistic number ─────────────────


def grid(size: int, dimensions: int) -> Tensor:
    """Logistic noise at the midpoints of a uniform grid: [size^dimensions, dimensions]."""
    points = torch.logit((torch.arange(size, dtype=torch.float64) + 0.5) / size).float()
    return torch.cartesian_prod(*[points] * dimensions).view(-1, dimensions)


def by_quadrature(
    generator: nn.Module,
    length: int,
    tau: float,
    hard: bool,
    value: Value,
    size: int,
    scale: float = 1.0,
) -> Tensor:
    """Gradient of the mean of −value over all noise."""
    noise_RT = scale * grid(size, length)
    out, rows = generator.start(len(noise_RT)), []
    for time in range(length):
        if time:
            out = generator.step(rows[-1], out.state)
        margin_R = out.logits_BV[:, 0] - out.logits_BV[:, 1] + noise_RT[:, time]
        first_R = torch.sigmoid(margin_R / tau)
        if hard:
            first_R = (margin_R > 0).float() + first_R - first_R.detach()
        rows.append(torch.stack([first_R, 1 - first_R], 1))
    return gradient(-value(torch.stack(rows, 1)).mean(), generator)


@pytest.mark.parametrize("tau", [0.4, 1.5])
@pytest.mark.parametrize("length", [1, 2])
@pytest.mark.parametrize("name", ["soft_gumbel", "straight_through_gumbel", "gumbel_rao"])
def test_gumbel_estimators_have_the_expectation_that_quadrature_gives(name, length, tau) -> None:
    """Gumbel-Rao has that of straight-through Gumbel in whole sequences too: given the tokens,
    the steps' Jacobians are independent, and the gradient is linear in each."""
    space = SequenceSpace(vocab_size=2, length=length)
    generator, value = make_generator("gru", space), curved_value(space)
    hard = name != "soft_gumbel"
    expected = by_quadrature(generator, length, tau, hard, value, size=4000 if length == 1 else 400)
    samples = sampled_gradients(
        generator, estimator_of(name, space, tau), value, batches=30, rows=4000
    )
    assert_mean_is(samples, expected, relative=0.05, slack=5e-3)


@pytest.mark.parametrize("forward_tau", [0.5, 2.0])
def test_straight_through_gumbel_with_two_temperatures_scales_its_noise(forward_tau) -> None:
    space = SequenceSpace(vocab_size=2, length=2)
    generator, value = make_generator("gru", space), curved_value(space)
    expected = by_quadrature(generator, 2, 0.7, True, value, size=400, scale=forward_tau)
    estimator = estimator_of("straight_through_gumbel", space, 0.7, forward_tau)
    samples = sampled_gradients(generator, estimator, value, batches=30, rows=4000)
    assert_mean_is(samples, expected, relative=0.05, slack=5e-3)


@pytest.mark.parametrize("tau", [0.1, 3.0])
@pytest.mark.parametrize("forward_tau", [1.0, 0.6, 2.0])
def test_tokens_are_samples_of_the_softmax_at_the_forward_temperature(tau, forward_tau) -> None:
    """Whatever the temperature of the gradient."""
    torch.manual_seed(0)
    logits_BV = torch.tensor([[0.0, 1.0, -1.0, 2.5]])
    prob_V = (logits_BV / forward_tau).softmax(-1)[0]
    for draw in (GumbelSoftmax(tau, True, forward_tau), StraightThrough(tau, forward_tau)):
        counts_V = draw(logits_BV, 50_000).ids_R.bincount(minlength=4)
        assert chi_square_is_plausible(counts_V, prob_V)


def test_gumbel_noise_has_the_moments_of_the_standard_gumbel() -> None:
    """Mean γ = 0.5772, variance π²/6, skewness 1.1395 (of max, not of min)."""
    torch.manual_seed(0)
    noise = gumbel_noise(torch.empty(1_000_000)).double()
    assert abs(noise.mean() - 0.5772157) < 0.007
    assert abs(noise.var() - pi**2 / 6) < 0.02
    assert abs(((noise - noise.mean()) / noise.std()).pow(3).mean() - 1.1395) < 0.06


# ── Temperature ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("config", "values"),
    [
        (0.3, {0: 0.3, 7: 0.3}),
        (2, {0: 2.0, 7: 2.0}),
        (
            {"start": 2.0, "end": 0.5, "steps": 3},
            {0: 2.0, 1: 1.5, 2: 1.0, 3: 0.5, 9: 0.5},
        ),
        (
            {"shape": "exponential", "start": 4.0, "end": 0.25, "steps": 4},
            {0: 4.0, 1: 2.0, 2: 1.0, 3: 0.5, 4: 0.25, 9: 0.25},
        ),
    ],
    ids=["number", "whole number", "linear", "exponential"],
)
def test_temperature_follows_its_schedule_by_generator_updates(config, values) -> None:
    """Sampling for the critic does not move it; a loss moves it by one; a checkpoint holds it."""
    space = SequenceSpace(vocab_size=2, length=2)
    generator = make_generator("gru", space)
    settings = SoftGumbelConfig.model_validate({"name": "soft_gumbel", "temperature": config})
    estimator = settings.build(space, CPU)
    for update in range(10):
        if update in values:
            assert estimator.temperature == pytest.approx(values[update])
        resumed = settings.build(space, CPU)
        resumed.load_state_dict(estimator.state_dict())
        assert resumed.temperature == estimator.temperature
        estimator.sample(generator, SampleRequest(2))
        rollout = estimator.sample(generator, SampleRequest(2))
        estimator.loss(generator, rollout, lambda x, m: x[:, 0, 0])


def test_lower_temperature_makes_sharper_rows() -> None:
    space = SequenceSpace(vocab_size=4, length=2)
    generator = make_generator("gru", space)
    peaks = []
    for tau in (5.0, 1.0, 0.05):
        torch.manual_seed(0)
        rollout = estimator_of("soft_gumbel", space, tau).sample(generator, SampleRequest(500))
        torch.testing.assert_close(rollout.tokens.sum(-1), torch.ones(500, 2))
        assert torch.equal(rollout.tokens.argmax(-1), rollout.ids_BT)
        peaks.append(float(rollout.tokens.detach().amax(-1).mean()))
    assert peaks[0] < 0.5 < peaks[1] < 0.9 < peaks[2]


# ── What flows, and what does not ─────────────────────────────────────────────────────────────

DRAWS = {
    "soft_gumbel": GumbelSoftmax(0.7, hard=False),
    "straight_through_gumbel": GumbelSoftmax(0.7, hard=True),
    "straight_through": StraightThrough(1.0),
}


@pytest.mark.parametrize("name", ["straight_through_gumbel", "straight_through"])
def test_hard_rows_are_exactly_one_hot_in_front(name) -> None:
    space = SequenceSpace(vocab_size=5, length=4)
    torch.manual_seed(0)
    rollout = estimator_of(name, space, 0.7).sample(
        make_generator("gru", space), SampleRequest(200)
    )
    assert torch.equal(rollout.tokens, F.one_hot(rollout.ids_BT, 5).float())
    assert rollout.tokens.requires_grad


@pytest.mark.parametrize("name", DRAWS)
def test_the_token_fed_back_carries_gradient(name) -> None:
    """A value of the second token alone reaches the logits of the first."""
    space = SequenceSpace(vocab_size=3, length=2)
    generator = make_generator("gru", space)
    first_logits = []
    start = generator.start

    def watched(batch: int):
        out = start(batch)
        out.logits_BV.retain_grad()
        first_logits.append(out.logits_BV)
        return out

    generator.start = watched
    torch.manual_seed(0)
    rollout = sample(generator, space, 8, DRAWS[name])
    rollout.tokens[:, 1, 0].sum().backward()
    assert first_logits[0].grad.abs().max() > 1e-4


@pytest.mark.parametrize("name", DRAWS)
def test_rows_behind_the_end_are_the_end_token_and_carry_no_gradient(name) -> None:
    space = SequenceSpace(vocab_size=3, length=4, end_id=2)
    generator = make_generator("gru", space)
    torch.manual_seed(0)
    rollout = sample(generator, space, 64, DRAWS[name])
    behind_BT = ~rollout.mask_BT
    assert behind_BT.any()
    assert rollout.mask_BT.all(1).any()
    end_V = torch.tensor([0.0, 0.0, 1.0])
    assert (rollout.tokens[behind_BT] == end_V).all()
    assert (rollout.ids_BT[behind_BT] == 2).all()
    # A value that weighs what stands behind the end, and nothing else, has no gradient at all.
    weight = torch.randn(3)
    behind = (rollout.tokens @ weight * behind_BT).sum()
    assert (gradient(behind, generator, retain_graph=True) == 0).all()
    # While the end token itself does carry one.
    ends_BT = rollout.mask_BT & (rollout.ids_BT == 2)
    assert gradient((rollout.tokens @ weight * ends_BT).sum(), generator).norm() > 1e-4


def test_a_value_per_step_counts_until_the_end_only() -> None:
    space = SequenceSpace(vocab_size=3, length=4, end_id=2)
    generator = make_generator("gru", space)
    estimator = estimator_of("straight_through", space, 1.0)
    torch.manual_seed(0)
    rollout = estimator.sample(generator, SampleRequest(32))
    step_BT = torch.randn(32, 4)
    loss = estimator.loss(generator, rollout, lambda x, m: torch.where(m, step_BT, 1e6)).loss
    rows = [step_BT[b][rollout.mask_BT[b]].mean() for b in range(32)]
    torch.testing.assert_close(loss, -torch.stack(rows).mean())


@pytest.mark.parametrize("name", DRAWS)
def test_the_reward_is_raised_not_lowered(name) -> None:
    """Thirty steps along the estimate raise the enumerated expected reward."""
    space = SequenceSpace(vocab_size=3, length=2)
    reward_R = SentenceReward(space).table

    def value(x_BTV: Tensor, mask_BT: Tensor) -> Tensor:
        """The table's bilinear continuation to soft rows."""
        return torch.einsum("bi,ij,bj->b", x_BTV[:, 0], reward_R.view(3, 3), x_BTV[:, 1])

    def expectation() -> float:
        with torch.no_grad():
            return float(log_probs(generator, sentences(space)).sum(1).exp() @ reward_R)

    generator = make_generator("gru", space)
    estimator = estimator_of(name, space, 0.7)
    optimizer = torch.optim.Adam([p for p in generator.parameters() if p.requires_grad], 0.05)
    before = expectation()
    torch.manual_seed(0)
    for _ in range(30):
        loss = estimator.loss(generator, estimator.sample(generator, SampleRequest(64)), value).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert expectation() > before + 0.3


# ── Precision ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", DRAWS)
def test_noise_and_softmax_stay_float32_under_autocast(name) -> None:
    space = SequenceSpace(vocab_size=6, length=3)
    generator = make_generator("gru", space)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert generator.readout(torch.zeros(1, 5)).dtype == torch.bfloat16
        rollout = sample(generator, space, 500, DRAWS[name])
        assert gumbel_noise(torch.zeros(3, dtype=torch.bfloat16)).dtype == torch.float32
    assert rollout.tokens.dtype == torch.float32
    assert rollout.tokens.isfinite().all()
    # bf16 rows would sum to one within 1e-2 only.
    assert (rollout.tokens.sum(-1) - 1).abs().max() < 1e-5


def test_gumbel_noise_is_finite_even_where_the_exponential_is_zero(monkeypatch) -> None:
    monkeypatch.setattr(torch.Tensor, "exponential_", lambda self: self.zero_())
    noise = gumbel_noise(torch.zeros(4))
    assert noise.isfinite().all()
    assert float(noise[0]) == pytest.approx(-log(torch.finfo(torch.float32).tiny), rel=1e-5)


def test_prefix_table_agrees_with_itself() -> None:
    """The table generator that other tests rely on sums to one and reads its prefix."""
    space = SequenceSpace(vocab_size=3, length=3)
    generator = PrefixTable(space)
    total = log_probs(generator, sentences(space)).sum(1).exp().sum()
    assert float(total.detach()) == pytest.approx(1)
