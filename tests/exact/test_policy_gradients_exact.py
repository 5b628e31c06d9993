"""PPO, GRPO, MaliGAN, actor-critic and all-action gradients, against enumeration.

Expectations are sums over every batch of sentences; what is known to be biased is held against its
own expectation by independent arithmetic, never against what the code returned.
"""

from collections.abc import Callable
from math import exp
from statistics import mean, pstdev
from typing import Any

import pytest
import torch
from enumeration import (
    PrefixReward,
    SentenceReward,
    assert_mean_is,
    assert_same_vector,
    batches_of,
    expected_loss,
    gradient,
    log_probs,
    make_generator,
    mask_of,
    rollout_of,
    sentences,
    step_logits,
)
from torch import Tensor, nn

from seqgan.core.types import Rollout, SampleRequest, SequenceSpace
from seqgan.estimators.all_action import AllAction
from seqgan.estimators.credit import GaeCredit, RewardedRollout
from seqgan.estimators.grpo import Grpo
from seqgan.estimators.maligan import Maligan
from seqgan.estimators.policy_gradient_config import PpoConfig, ScoreFunctionConfig
from seqgan.estimators.ppo import Ppo
from seqgan.estimators.score_function import ScoreFunction
from seqgan.models.config import RnnGeneratorConfig

CPU = torch.device("cpu")
FIXED = SequenceSpace(vocab_size=3, length=2)
ENDING = SequenceSpace(vocab_size=3, length=3, end_id=1)
SPACES = {"fixed": FIXED, "ending": ENDING}
SMALL_SPACES = {
    "fixed": SequenceSpace(vocab_size=2, length=2),
    "ending": SequenceSpace(vocab_size=2, length=3, end_id=0),
}
"""Four sentences each, so that batches of three can be listed."""
LOO = {"name": "leave_one_out"}


def ppo(space: SequenceSpace, **fields: Any) -> Ppo:
    return PpoConfig.model_validate({"name": "ppo", **fields}).build(space, CPU)


def grpo(space: SequenceSpace, **fields: Any) -> Grpo:
    return Grpo(space, **fields)


def true_loss(generator: nn.Module, space: SequenceSpace, value_R: Tensor) -> Tensor:
    """−E[value], by listing."""
    logp_R = log_probs(generator, sentences(space), space.end_id).sum(1)
    return -(logp_R.exp() * value_R).sum()


def values(space: SequenceSpace, reward: SentenceReward) -> Tensor:
    ids_RT = sentences(space)
    return reward(ids_RT, mask_of(ids_RT, space.end_id))


def expected_score(
    generator: nn.Module,
    space: SequenceSpace,
    size: int,
    weigh: Callable[[tuple[int, ...]], list[float]],
) -> Tensor:
    """The gradient of −1/B Σ_i w_i log p(x_i), summed over all batches with their probability;
    `weigh` gives the weights w of a batch, named by its rows in `sentences(space)`."""
    logp_R = log_probs(generator, sentences(space), space.end_id).sum(1)
    prob_R = logp_R.detach().double().exp()
    weight_R = torch.zeros(len(prob_R), dtype=torch.double)
    for rows in batches_of(sentences(space), size):
        for row, weight in zip(rows, weigh(rows), strict=True):
            weight_R[row] += prob_R[list(rows)].prod() * weight / size
    return gradient(-(weight_R * logp_R).sum(), generator)


def points_elsewhere(biased_D: Tensor, unbiased_D: Tensor) -> bool:
    """Whether no step size makes one of the other."""
    return float(torch.cosine_similarity(biased_D, unbiased_D, dim=0)) < 0.999


def nudge(generator: nn.Module) -> None:
    """Another generator than the one that wrote the samples."""
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))


# ── PPO ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_the_first_ppo_gradient_is_the_policy_gradient(space) -> None:
    generator, reward = make_generator("gru", space), SentenceReward(space)
    rollout = rollout_of(sentences(space)[[0, 3, 5, -1]], space)
    config = ScoreFunctionConfig.model_validate({"name": "score_function", "baseline": LOO})
    plain = config.build(space, CPU).loss(generator, rollout, reward).loss
    first = ppo(space, baseline=LOO).loss(generator, rollout, reward).loss
    assert_same_vector(gradient(first, generator), gradient(plain, generator), 1e-5)


def test_the_entropy_bonus_of_every_epoch_raises_the_entropy() -> None:
    """With equal rewards nothing else is left: −β times the mean entropy."""
    generator = make_generator("gru", ENDING)
    ids_BT = torch.tensor([[0, 2, 1], [1, 1, 1], [2, 0, 0]])
    rollout = rollout_of(ids_BT, ENDING)
    first = ppo(ENDING, baseline=LOO, epochs=2, entropy_bonus=0.7).loss(
        generator, rollout, lambda *_: torch.ones(3)
    )

    def assert_is_the_bonus(loss: Tensor) -> None:
        logp_BTV = step_logits(generator, ids_BT).log_softmax(-1)
        entropy_BT = -(logp_BTV.exp() * logp_BTV).sum(-1)
        expected = -0.7 * entropy_BT[rollout.mask_BT].mean()
        torch.testing.assert_close(loss, expected)
        assert_same_vector(gradient(loss, generator), gradient(expected, generator))

    assert_is_the_bonus(first.loss)
    nudge(generator)
    assert first.next_epoch is not None
    assert_is_the_bonus(first.next_epoch().loss)


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_later_epochs_clip_the_ratio_to_the_generator_that_wrote_the_samples(space) -> None:
    generator, reward = make_generator("gru", space), SentenceReward(space)
    ids_BT = sentences(space)[[0, 3, 5, -1]]
    rollout = rollout_of(ids_BT, space)
    first = ppo(space, baseline=LOO, epochs=2, clip=0.1).loss(generator, rollout, reward)
    old_BT = log_probs(generator, ids_BT, space.end_id).detach()
    nudge(generator)
    assert first.next_epoch is not None
    second = first.next_epoch()
    value_B = reward(ids_BT, rollout.mask_BT)
    advantage_B1 = (value_B - (value_B.sum() - value_B) / 3)[:, None]
    ratio_BT = (log_probs(generator, ids_BT, space.end_id) - old_BT).exp()
    both = torch.stack([ratio_BT * advantage_B1, ratio_BT.clamp(0.9, 1.1) * advantage_B1])
    expected = -(both.amin(0) * rollout.mask_BT).sum(1).mean()
    torch.testing.assert_close(second.loss, expected)
    assert_same_vector(gradient(second.loss, generator), gradient(expected, generator))
    silent_BT = torch.where(advantage_B1 > 0, ratio_BT > 1.1, ratio_BT < 0.9)
    share = silent_BT[rollout.mask_BT].float().mean()
    assert 0 < float(share) < 1
    torch.testing.assert_close(second.stats["clipped"], share)
    assert second.next_epoch is None, "two epochs were asked for"


@pytest.mark.parametrize("make", [ppo, grpo], ids=["ppo", "grpo"])
def test_every_later_epoch_has_the_ratio_to_the_generator_that_wrote_the_samples(make) -> None:
    """The third epoch's loss is the second's where the generator is the same."""
    generator, reward = make_generator("gru", FIXED), SentenceReward(FIXED)
    first = make(FIXED, epochs=3).loss(generator, rollout_of(sentences(FIXED)[:4], FIXED), reward)
    nudge(generator)
    assert first.next_epoch is not None
    second = first.next_epoch()
    assert second.next_epoch is not None
    assert float((second.loss - first.loss).abs()) > 1e-3
    torch.testing.assert_close(second.next_epoch().loss, second.loss)


def test_the_critic_is_asked_once_for_all_epochs() -> None:
    generator, reward = make_generator("gru", FIXED), SentenceReward(FIXED)
    asked = []

    def counted(*arguments: Any) -> Tensor:
        asked.append(1)
        return reward(*arguments)

    surrogate = ppo(FIXED, epochs=3).loss(
        generator, rollout_of(sentences(FIXED)[:4], FIXED), counted
    )
    epochs = 1
    while surrogate.next_epoch is not None:
        surrogate, epochs = surrogate.next_epoch(), epochs + 1
    assert (len(asked), epochs) == (1, 3)


# ── Self-critical ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_without_conditions_the_greedy_sentence_is_one_unbiased_baseline(space) -> None:
    generator, reward = make_generator("gru", space), SentenceReward(space)
    config = ScoreFunctionConfig.model_validate(
        {"name": "score_function", "baseline": {"name": "self_critical"}}
    )
    estimator = config.build(space, CPU)
    total = expected_loss(
        generator, space, 1, lambda rollout: estimator.loss(generator, rollout, reward).loss
    )
    expected = gradient(true_loss(generator, space, values(space, reward)), generator)
    assert_same_vector(gradient(total, generator), expected)
    # The loss of the greedy sentence itself is zero: it is its own baseline.
    ids, out = [], generator.start(1)
    for _ in range(space.length):
        ids.append(out.logits_BV.argmax(-1))
        if space.end_id is not None and space.end_id in torch.stack(ids):
            ids[-1] = torch.tensor([space.end_id])
        out = generator.step(ids[-1], out.state)
    greedy = rollout_of(torch.stack(ids, 1), space)
    assert float(estimator.loss(generator, greedy, reward).loss.abs()) < 1e-6


# ── GRPO ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_unnormalised_grpo_has_all_but_one_kth_of_the_gradient(space) -> None:
    """The group's mean includes the sample itself: E = (1 − 1/K) ∇E[R]."""
    generator, reward = make_generator("gru", space), SentenceReward(space)
    estimator = grpo(space, normalised=False)
    total = expected_loss(
        generator, space, 2, lambda rollout: estimator.loss(generator, rollout, reward).loss
    )
    expected = 0.5 * gradient(true_loss(generator, space, values(space, reward)), generator)
    assert_same_vector(gradient(total, generator), expected)


def test_normalised_grpo_divides_by_deviation_and_length() -> None:
    generator, reward = make_generator("gru", ENDING), SentenceReward(ENDING)
    ids_BT = torch.tensor([[0, 2, 1], [1, 1, 1], [2, 0, 0]])
    rollout = rollout_of(ids_BT, ENDING)
    value_B = reward(ids_BT, rollout.mask_BT)
    advantage_B = (value_B - value_B.mean()) / value_B.std(correction=0)
    length_B = torch.tensor([3.0, 1.0, 3.0])
    logp_B = log_probs(generator, ids_BT, ENDING.end_id).sum(1)
    expected = gradient(-(advantage_B * logp_B / length_B).mean(), generator)
    loss = grpo(ENDING).loss(generator, rollout, reward).loss
    assert_same_vector(gradient(loss, generator), expected)


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("space", SMALL_SPACES.values(), ids=SMALL_SPACES)
def test_normalised_grpo_has_its_own_enumerated_expectation(space, size) -> None:
    """(R_i − mean R)/(std R · |x_i|), batch by batch in plain numbers; equal rewards count 0.

    Within 1 %: the floor of the deviation and the rounding of equal rewards are of that order.
    """
    generator, reward = make_generator("gru", space), SentenceReward(space)
    total = expected_loss(
        generator, space, size, lambda rollout: grpo(space).loss(generator, rollout, reward).loss
    )
    value_R = values(space, reward)
    length_R = mask_of(sentences(space), space.end_id).sum(1).tolist()

    def weigh(rows: tuple[int, ...]) -> list[float]:
        group = [float(value_R[row]) for row in rows]
        if len(set(group)) == 1:
            return [0.0] * size
        return [
            (x - mean(group)) / pstdev(group) / length_R[row]
            for row, x in zip(rows, group, strict=True)
        ]

    actual = gradient(total, generator)
    assert_same_vector(actual, expected_score(generator, space, size, weigh), 1e-2)
    unbiased = gradient(true_loss(generator, space, value_R), generator)
    assert points_elsewhere(actual, unbiased)


@pytest.mark.parametrize("samples", [2, 1])
@pytest.mark.parametrize("name", ["grpo", "score_function", "ppo"])
def test_groups_of_equal_rewards_are_counted(name: str, samples: int) -> None:
    """With two samples of three conditions rows b and 3 + b are a group; one is equal but for
    rounding. A batch of one group is not flat; only GRPO has such a group."""
    generator = make_generator("gru", FIXED)
    rollout = rollout_of(sentences(FIXED)[[0, 3, 5, 7, 1, 2]], FIXED)
    value_B = torch.tensor([2.0, 1.0, 3.0, 2.000001, 1.1, 4.0])
    if name == "grpo":
        estimator: ScoreFunction | Grpo = grpo(FIXED, samples=samples)
    else:
        config = {"score_function": ScoreFunctionConfig, "ppo": PpoConfig}[name]
        estimator = config(name=name, samples=samples).build(FIXED, CPU)
    stats = estimator.loss(generator, rollout, lambda *_: value_B).stats
    if samples == 2:
        assert float(stats["flat_groups"]) == pytest.approx(1 / 3)
    else:
        assert float(stats.get("flat_groups", -1)) == (0 if name == "grpo" else -1)


def test_groups_are_blocks_of_the_same_condition() -> None:
    """Rows n·B + b: with two samples of two conditions, rows 0, 2 and 1, 3 compete."""
    generator = make_generator("gru", FIXED)
    rollout = rollout_of(sentences(FIXED)[[0, 3, 5, 7]], FIXED)
    value_B = torch.tensor([1.0, 10.0, 3.0, 20.0])
    loss = (
        grpo(FIXED, samples=2, normalised=False).loss(generator, rollout, lambda *_: value_B).loss
    )
    advantage_B = torch.tensor([-1.0, -5.0, 1.0, 5.0])
    logp_B = log_probs(generator, rollout.ids_BT).sum(1)
    expected = gradient(-(advantage_B * logp_B).mean(), generator)
    assert_same_vector(gradient(loss, generator), expected)
    config = ScoreFunctionConfig.model_validate(
        {"name": "score_function", "samples": 2, "baseline": LOO}
    )
    plain = config.build(FIXED, CPU).loss(generator, rollout, lambda *_: value_B).loss
    assert_same_vector(gradient(plain, generator), 2 * expected)


def test_equal_rewards_teach_nothing() -> None:
    generator = make_generator("gru", FIXED)
    rollout = rollout_of(sentences(FIXED)[[0, 3, 5]], FIXED)
    loss = grpo(FIXED).loss(generator, rollout, lambda x, *_: torch.full((3,), 0.1)).loss
    assert gradient(loss, generator).norm() < 1e-2


# ── MaliGAN ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("baseline", [0.0, 1.0])
def test_maligan_weights_are_the_normalised_density_ratios(baseline) -> None:
    generator, reward = make_generator("gru", ENDING), SentenceReward(ENDING)
    ids_BT = torch.tensor([[0, 2, 1], [1, 1, 1], [2, 0, 0]])
    rollout = rollout_of(ids_BT, ENDING)
    estimator = Maligan(ENDING, baseline)
    loss = estimator.loss(generator, rollout, reward).loss
    ratio_B = reward(ids_BT, rollout.mask_BT).exp()
    logp_B = log_probs(generator, ids_BT, ENDING.end_id).sum(1)
    expected = -((3 * ratio_B / ratio_B.sum() - baseline) * logp_B).mean()
    torch.testing.assert_close(loss, expected)
    assert_same_vector(gradient(loss, generator), gradient(expected, generator))


@pytest.mark.parametrize("baseline", [0.0, 1.0])
@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("space", SMALL_SPACES.values(), ids=SMALL_SPACES)
def test_maligan_has_its_own_enumerated_expectation(space, size, baseline) -> None:
    """B r_i/Σ_j r_j − b with r = exp d, batch by batch in plain numbers."""
    generator, reward = make_generator("gru", space), SentenceReward(space)
    estimator = Maligan(space, baseline)
    total = expected_loss(
        generator, space, size, lambda rollout: estimator.loss(generator, rollout, reward).loss
    )
    value_R = values(space, reward)

    def weigh(rows: tuple[int, ...]) -> list[float]:
        ratios = [exp(float(value_R[row])) for row in rows]
        return [size * ratio / sum(ratios) - baseline for ratio in ratios]

    actual = gradient(total, generator)
    assert_same_vector(actual, expected_score(generator, space, size, weigh))
    unbiased = gradient(true_loss(generator, space, value_R.exp()), generator)
    assert points_elsewhere(actual, unbiased)


def test_with_the_optimal_critic_maligan_is_likelihood_of_the_data() -> None:
    """d = log p − log G: the mean over large batches is −∇ E_p[log G]; the bias is of order 1/B."""
    generator = make_generator("gru", FIXED)
    ids_RT = sentences(FIXED)
    torch.manual_seed(1)
    p_R = torch.randn(len(ids_RT)).softmax(0)
    table_R = p_R.log() - log_probs(generator, ids_RT).sum(1).detach()

    def logit(x: Tensor, *_: object) -> Tensor:
        return table_R[3 * x[:, 0] + x[:, 1]]

    estimator = Maligan(FIXED)
    found = []
    for _ in range(60):
        rollout = estimator.sample(generator, SampleRequest(4_000))
        found.append(gradient(estimator.loss(generator, rollout, logit).loss, generator))
    expected = gradient(-(p_R * log_probs(generator, ids_RT).sum(1)).sum(), generator)
    assert_mean_is(torch.stack(found), expected, relative=0.05, slack=0.01)


# ── Actor-critic ──────────────────────────────────────────────────────────────────────────────


class FixedValue(nn.Module):
    """v before each token: any function of the prefix."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(0.7))

    def forward(self, tokens: Tensor, cond: Tensor | None = None) -> Tensor:
        before = torch.cat([torch.zeros_like(tokens[:, :1]), tokens[:, :-1] + 1], 1)
        return self.scale * before.cumsum(1).float().sin()


@pytest.mark.parametrize("gae_lambda", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("kind", [SentenceReward, PrefixReward])
def test_lambda_returns_are_generalised_advantages(gae_lambda, kind) -> None:
    """G_t − v_t = Σ_l (γλ)^l δ_{t+l}, by loops; v is 0 behind the end."""
    reward, discount = kind(ENDING), 0.9
    rollout = rollout_of(torch.tensor([[0, 2, 1], [1, 1, 1], [2, 1, 1], [0, 0, 2]]), ENDING)
    value_BT = FixedValue()(rollout.ids_BT).detach()
    given = RewardedRollout(rollout, reward, nn.Module(), ENDING, value_BT)
    found_BT = GaeCredit(discount, gae_lambda)(given) - value_BT
    given = reward(rollout.ids_BT, rollout.mask_BT)
    for row, length in enumerate(rollout.mask_BT.sum(1).tolist()):
        r = [float(given[row, t]) for t in range(length)] if given.dim() == 2 else [0.0] * length
        if given.dim() == 1:
            r[-1] = float(given[row])
        v = [*value_BT[row, :length].tolist(), 0.0]
        delta = [r[t] + discount * v[t + 1] - v[t] for t in range(length)]
        for t in range(length):
            expected = sum((discount * gae_lambda) ** (s - t) * delta[s] for s in range(t, length))
            assert float(found_BT[row, t]) == pytest.approx(expected, abs=1e-5)


def mean_of_n_step_returns(
    r: list[float], v: list[float], discount: float, gae_lambda: float
) -> float:
    """The λ-return of the first step as (1 − λ) Σ_n λ^(n−1) G_n, where the last G_n, the whole
    return, has all of the remaining weight; G_n = Σ_{k<n} γ^k r_k + γ^n v_n."""
    total = 0.0
    for n in range(1, len(r) + 1):
        return_n = sum(discount**k * r[k] for k in range(n))
        if n < len(r):
            return_n = (1 - gae_lambda) * (return_n + discount**n * v[n])
        total += gae_lambda ** (n - 1) * return_n
    return total


@pytest.mark.parametrize(
    ("gae_lambda", "discount"), [(1.0, 1.0), (0.6, 1.0), (1.0, 0.8), (0.6, 0.8)]
)
@pytest.mark.parametrize("kind", [SentenceReward, PrefixReward])
@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_actor_critic_has_the_gradient_of_lambda_returns(space, kind, gae_lambda, discount) -> None:
    """Σ_t ∇log π(x_t) (G_t − v_t), by listing. With λ = γ = 1 any value leaves it unbiased, and
    only then."""
    generator, reward, network = make_generator("gru", space), kind(space), FixedValue()
    config = ScoreFunctionConfig.model_validate(
        {
            "name": "score_function",
            "credit": {"name": "gae", "gae_lambda": gae_lambda, "discount": discount},
            "baseline": {"name": "learned"},
        }
    )
    estimator = config.build(space, CPU, network)
    total = expected_loss(
        generator, space, 1, lambda rollout: estimator.loss(generator, rollout, reward).loss
    )
    actual = gradient(total, generator)
    ids_RT = sentences(space)
    mask_RT = mask_of(ids_RT, space.end_id)
    given = reward(ids_RT, mask_RT)
    value_RT = network(ids_RT).detach()
    logp_RT = log_probs(generator, ids_RT, space.end_id)
    prob_R = logp_RT.sum(1).exp()
    weight_RT = torch.zeros(ids_RT.shape)
    for row, length in enumerate(mask_RT.sum(1).tolist()):
        if given.dim() == 2:
            r = given[row, :length].tolist()
        else:
            r = [0.0] * (length - 1) + [float(given[row])]
        v = value_RT[row, :length].tolist()
        for t in range(length):
            lambda_return = mean_of_n_step_returns(r[t:], v[t:], discount, gae_lambda)
            weight_RT[row, t] = prob_R[row].detach() * (lambda_return - v[t])
    assert_same_vector(actual, gradient(-(weight_RT * logp_RT).sum(), generator, True))
    whole_R = given if given.dim() == 1 else (given * mask_RT).sum(1)
    unbiased = gradient(-(prob_R * whole_R).sum(), generator)
    if gae_lambda == discount == 1:
        assert_same_vector(actual, unbiased)
    else:
        assert (actual - unbiased).norm() > 0.02 * unbiased.norm()


def test_the_value_is_fitted_to_the_lambda_return_and_learns_alone() -> None:
    generator, reward, network = make_generator("gru", ENDING), SentenceReward(ENDING), FixedValue()
    config = ScoreFunctionConfig.model_validate(
        {
            "name": "score_function",
            "credit": {"name": "gae", "gae_lambda": 0.5},
            "baseline": {"name": "learned"},
        }
    )
    rollout = rollout_of(torch.tensor([[0, 2, 1], [1, 1, 1]]), ENDING)
    surrogate = config.build(ENDING, CPU, network).loss(generator, rollout, reward)
    value_BT = network(rollout.ids_BT)
    given = RewardedRollout(rollout, reward, generator, ENDING, value_BT.detach())
    target_BT = GaeCredit(gae_lambda=0.5)(given)
    expected = (value_BT - target_BT)[rollout.mask_BT].square().mean()
    torch.testing.assert_close(surrogate.baseline_loss, expected)
    assert_same_vector(gradient(surrogate.baseline_loss, network), gradient(expected, network))
    assert gradient(surrogate.loss, network).norm() == 0


# ── All actions ───────────────────────────────────────────────────────────────────────────────


class TokenReward:
    """An arbitrary worth of every token after every prefix."""

    def __init__(self, space: SequenceSpace) -> None:
        stream = torch.Generator().manual_seed(0)
        shapes = [(space.vocab_size**t, space.vocab_size) for t in range(space.length)]
        self.tables = [1 + torch.randn(shape, generator=stream) for shape in shapes]
        self.vocab_size = space.vocab_size

    def actions(self, ids_BT: Tensor, mask_BT: Tensor) -> Tensor:
        columns, index_B = [], torch.zeros(len(ids_BT), dtype=torch.long)
        for ids_B, table in zip(ids_BT.unbind(1), self.tables, strict=True):
            columns.append(table[index_B])
            index_B = index_B * self.vocab_size + ids_B
        return torch.stack(columns, 1)

    def __call__(self, x: Tensor, mask: Tensor, shared: object = None) -> Tensor:
        return self.actions(x, mask).gather(-1, x[..., None])[..., 0]


def all_action(space: SequenceSpace, **fields: float) -> AllAction:
    return AllAction(space, **fields)


@pytest.mark.parametrize("discount", [1.0, 0.5])
@pytest.mark.parametrize("alpha", [0.0, 1.0])
@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_all_action_has_the_gradient_of_discounted_returns(space, alpha, discount) -> None:
    """Σ_t ∇log π(x_t) Σ_{s≥t} γ^(s−t) (r_s − α log π(x_s)), by listing; a batch of two too.

    At γ = 1 that is the gradient of E[Σ_t r_t] + α E[Σ_t H(π_t)], which below 1 it is not.
    """
    generator, reward = make_generator("gru", space), TokenReward(space)
    estimator = all_action(space, entropy=alpha, discount=discount)
    total = expected_loss(
        generator, space, 2, lambda rollout: estimator.loss(generator, rollout, reward).loss
    )
    actual = gradient(total, generator)
    ids_RT = sentences(space)
    mask_RT = mask_of(ids_RT, space.end_id)
    logp_RT = log_probs(generator, ids_RT, space.end_id)
    step_RT = reward(ids_RT, mask_RT) * mask_RT - alpha * logp_RT
    return_RT = torch.stack(
        [
            sum(discount ** (s - t) * step_RT[:, s] for s in range(t, space.length))
            for t in range(space.length)
        ],
        1,
    )
    prob_R = logp_RT.sum(1).exp()
    weight_RT = (prob_R[:, None] * return_RT).detach()
    assert_same_vector(actual, gradient(-(weight_RT * logp_RT).sum(), generator, True))
    whole = gradient(-(prob_R * step_RT.sum(1)).sum(), generator)
    if discount == 1:
        assert_same_vector(actual, whole)
    else:
        assert points_elsewhere(actual, whole)


def test_each_rollouts_all_action_gradient_holds_what_comes_later_fixed() -> None:
    """Σ_a π_t(a) (q_t(a) − α log π_t(a)) + log π_t(x_t) (F_t − b_t), the last factor a number.

    In the mean over rollouts a gradient through it would vanish, so that listing them all shows
    nothing.
    """
    alpha, discount = 0.8, 0.5
    generator, reward = make_generator("gru", ENDING), TokenReward(ENDING)
    ids_BT = torch.tensor([[0, 2, 1], [2, 1, 1]])
    rollout = rollout_of(ids_BT, ENDING)
    loss = (
        all_action(ENDING, entropy=alpha, discount=discount).loss(generator, rollout, reward).loss
    )
    logp_BTV = step_logits(generator, ids_BT).log_softmax(-1)
    logp_BT = log_probs(generator, ids_BT, ENDING.end_id)
    worth_BTV = reward.actions(ids_BT, rollout.mask_BT)
    step_BT = (reward(ids_BT, rollout.mask_BT) - alpha * logp_BT).detach() * rollout.mask_BT
    first_B = discount * step_BT[:, 1] + discount**2 * step_BT[:, 2]
    second_B = discount * step_BT[:, 2]
    later_BT = torch.stack([first_B, second_B, torch.zeros(2)], 1)
    now_BT = (logp_BTV.exp() * (worth_BTV - alpha * logp_BTV)).sum(-1)
    gain_BT = now_BT + logp_BT * (later_BT - later_BT.flip(0))  # the other sample is the baseline
    expected = -(gain_BT * rollout.mask_BT).sum(1).mean()
    assert_same_vector(gradient(loss, generator), gradient(expected, generator))


def test_discount_zero_is_the_divergence_to_the_mediator_at_prefixes_held_fixed() -> None:
    """CoT: Σ_t KL(π_t ‖ M_t) on the sampled prefixes, M a language model."""
    generator, space = make_generator("gru", ENDING), ENDING
    mediator = make_generator("gru", space, seed=5)

    class LogLikelihood:
        def actions(self, ids_BT: Tensor, mask_BT: Tensor) -> Tensor:
            return step_logits(mediator, ids_BT).log_softmax(-1)

    rollout = rollout_of(torch.tensor([[0, 2, 1], [1, 1, 1], [2, 0, 0]]), space)
    estimator = all_action(space, discount=0.0, entropy=1.0)
    loss = estimator.loss(generator, rollout, LogLikelihood()).loss
    logp_BTV = step_logits(generator, rollout.ids_BT).log_softmax(-1)
    logm_BTV = step_logits(mediator, rollout.ids_BT).log_softmax(-1).detach()
    divergence_BT = (logp_BTV.exp() * (logp_BTV - logm_BTV)).sum(-1)
    expected = (divergence_BT * rollout.mask_BT).sum(1).mean()
    torch.testing.assert_close(loss, expected)
    assert_same_vector(gradient(loss, generator), gradient(expected, generator))


def test_all_action_has_less_variance_than_leave_one_out() -> None:
    generator, reward = make_generator("gru", FIXED), TokenReward(FIXED)
    config = ScoreFunctionConfig.model_validate(
        {"name": "score_function", "credit": {"name": "per_step"}, "baseline": LOO}
    )
    spreads = []
    for estimator in (all_action(FIXED), config.build(FIXED, CPU)):
        squares, mean = torch.zeros(()), 0
        ids_RT = sentences(FIXED)
        prob_R = log_probs(generator, ids_RT).sum(1).exp().detach()
        for rows in batches_of(ids_RT, 2):
            rollout: Rollout = rollout_of(ids_RT[list(rows)], FIXED)
            found = gradient(estimator.loss(generator, rollout, reward).loss, generator)
            weight = prob_R[list(rows)].prod()
            squares, mean = squares + weight * found.square().sum(), mean + weight * found
        spreads.append(float(squares - mean.square().sum()))
    assert spreads[0] < 0.9 * spreads[1]


# ── Modes ─────────────────────────────────────────────────────────────────────────────────────


METHODS: dict[str, Callable[[SequenceSpace], Any]] = {
    "ppo": lambda space: ppo(space, epochs=2, entropy_bonus=0.5),
    "grpo": lambda space: grpo(space, epochs=2),
    "maligan": Maligan,
    "all_action": all_action,
}


@pytest.mark.parametrize("name", METHODS)
def test_generators_are_differentiated_without_dropout(name: str) -> None:
    """Of the generator that wrote the samples too, so that the first ratio is 1."""
    torch.manual_seed(0)
    config = RnnGeneratorConfig(name="gru", embed=4, hidden=5, dropout=0.6)
    generator = config.build(FIXED).train()
    rollout = rollout_of(sentences(FIXED)[[0, 4, 5, 7]], FIXED)
    found = []
    for _ in range(3):
        surrogate = METHODS[name](FIXED).loss(generator, rollout, one_or_many(FIXED, name))
        assert float(surrogate.stats.get("clipped", torch.zeros(()))) == 0
        losses = [surrogate.loss]
        if surrogate.next_epoch is not None:
            losses.append(surrogate.next_epoch().loss)
        found.append(torch.stack(losses))
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])
    assert generator.training


def one_or_many(space: SequenceSpace, name: str) -> Any:
    """A reward of sentences; for the all-action method one of every token."""
    return TokenReward(space) if name == "all_action" else SentenceReward(space)
