"""Score-function estimators against gradients that are enumerated over all sentences.

Two proofs. *Exact*: the loss is computed for every possible batch and weighted by the batch's
probability, so its gradient is the estimator's expectation without sampling error. *Monte Carlo*:
the estimator samples for itself, and the mean of many gradients is compared by standard errors.
"""

from collections.abc import Callable
from itertools import permutations

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

from seqgan.core.types import Reward, Rollout, SampleRequest, SequenceSpace
from seqgan.estimators.baselines import MovingAverage, Returns
from seqgan.estimators.credit import PerStepCredit, RewardedRollout
from seqgan.estimators.policy_gradient_config import ScoreFunctionConfig
from seqgan.estimators.score_function import ScoreFunction
from seqgan.models.config import RnnGeneratorConfig
from seqgan.models.value import PrefixValue

CPU = torch.device("cpu")
FIXED = SequenceSpace(vocab_size=3, length=3)
ENDING = SequenceSpace(vocab_size=3, length=3, end_id=1)
TINY = SequenceSpace(vocab_size=2, length=2)
SPACES = {"fixed": FIXED, "ending": ENDING}
SMALL_SPACES = {"fixed": TINY, "ending": SequenceSpace(vocab_size=2, length=3, end_id=0)}

NONE = {"name": "none"}
LOO = {"name": "leave_one_out"}
MOVING = {"name": "moving_average", "decay": 0.9}
LEARNED = {"name": "learned", "embed": 3, "hidden": 4}
SEQUENCE = {"name": "sequence"}
PER_STEP = {"name": "per_step"}


def rollout_credit(copies: int) -> dict:
    return {"name": "rollout", "continuations": copies}


def estimator_of(space: SequenceSpace, credit: dict, baseline: dict, **options) -> ScoreFunction:
    """The estimator; a moving average has a past, a learned baseline large random values."""
    config = ScoreFunctionConfig.model_validate(
        {"name": "score_function", "credit": credit, "baseline": baseline, **options}
    )
    network = None
    if baseline["name"] == "learned":
        torch.manual_seed(5)
        network = PrefixValue(space, baseline["embed"], baseline["hidden"])
        for parameter in network.parameters():
            parameter.data.mul_(3)
    estimator = config.build(space, CPU, network)
    if baseline["name"] == "moving_average":
        past_T = torch.linspace(-1, 2, space.length)
        past = {"sum": past_T, "weight": torch.full_like(past_T, 0.8)}
        estimator.load_state_dict({"critic": past})
    return estimator


def reward_of(credit: dict, space: SequenceSpace) -> Reward:
    return PrefixReward(space) if credit["name"] == "per_step" else SentenceReward(space)


def value_of(ids_RT: Tensor, space: SequenceSpace, reward: Reward) -> Tensor:
    """`R(x)`; the sum of the steps' rewards where there are such."""
    mask_RT = mask_of(ids_RT, space.end_id)
    value = reward(ids_RT, mask_RT)
    return value if value.dim() == 1 else (value * mask_RT).sum(1)


def objective(generator: nn.Module, space: SequenceSpace, reward: Reward) -> Tensor:
    """−E[R], enumerated; differentiable."""
    ids_RT = sentences(space)
    prob_R = log_probs(generator, ids_RT, space.end_id).sum(1).exp()
    assert abs(float(prob_R.detach().sum()) - 1) < 1e-5
    return -(prob_R * value_of(ids_RT, space, reward)).sum()


def loss_of(
    build: Callable[[], ScoreFunction], generator: nn.Module, reward: Reward
) -> Callable[[Rollout], Tensor]:
    """The loss of a rollout by an estimator in its first state."""
    return lambda rollout: build().loss(generator, rollout, reward).loss


# ── Unbiased: the exact expectation is the gradient of E[R] ───────────────────────────────────


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
@pytest.mark.parametrize("name", ["gru", "transformer"])
@pytest.mark.parametrize("baseline", [NONE, MOVING, LEARNED], ids=lambda b: b["name"])
@pytest.mark.parametrize("credit", [SEQUENCE, PER_STEP], ids=lambda c: c["name"])
def test_expected_gradient_is_that_of_the_expected_reward(space, name, baseline, credit) -> None:
    generator, reward = make_generator(name, space), reward_of(credit, space)
    loss = loss_of(lambda: estimator_of(space, credit, baseline), generator, reward)
    expected = gradient(objective(generator, space, reward), generator)
    assert_same_vector(gradient(expected_loss(generator, space, 1, loss), generator), expected)


@pytest.mark.parametrize("space", SMALL_SPACES.values(), ids=SMALL_SPACES)
@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("baseline", [NONE, LOO, MOVING], ids=lambda b: b["name"])
@pytest.mark.parametrize("credit", [SEQUENCE, PER_STEP], ids=lambda c: c["name"])
def test_expectation_over_all_batches_is_the_same_gradient(space, size, baseline, credit) -> None:
    """Leave-one-out included: its mean runs over the others only."""
    generator, reward = make_generator("gru", space), reward_of(credit, space)
    loss = loss_of(lambda: estimator_of(space, credit, baseline), generator, reward)
    expected = gradient(objective(generator, space, reward), generator)
    assert_same_vector(gradient(expected_loss(generator, space, size, loss), generator), expected)


@pytest.mark.parametrize("name", ["gru", "transformer"])
@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_rollout_credit_has_the_same_expected_gradient(space, name) -> None:
    """All sentences are listed; only the continuations are drawn (3,000 of each prefix)."""
    torch.manual_seed(1)
    generator, reward = make_generator(name, space), SentenceReward(space)
    loss = loss_of(lambda: estimator_of(space, rollout_credit(3000), NONE), generator, reward)
    actual = gradient(expected_loss(generator, space, 1, loss), generator)
    expected = gradient(objective(generator, space, reward), generator)
    assert_same_vector(actual, expected, relative=0.04)


COMBINATIONS = {
    "sequence-none": (SEQUENCE, NONE),
    "sequence-leave_one_out": (SEQUENCE, LOO),
    "sequence-moving_average": (SEQUENCE, MOVING),
    "sequence-learned": (SEQUENCE, LEARNED),
    "per_step-leave_one_out": (PER_STEP, LOO),
    "per_step-moving_average": (PER_STEP, MOVING),
    "per_step-learned": (PER_STEP, LEARNED),
    "rollout-none": (rollout_credit(2), NONE),
    "rollout-leave_one_out": (rollout_credit(2), LOO),
    "rollout-learned": (rollout_credit(1), LEARNED),
}


MONTE_CARLO = [("gru", FIXED, name) for name in COMBINATIONS] + [
    ("transformer", ENDING, "sequence-leave_one_out"),
    ("transformer", ENDING, "rollout-leave_one_out"),
    ("lstm", ENDING, "per_step-learned"),
]


@pytest.mark.parametrize(("name", "space", "variant"), MONTE_CARLO)
def test_sampled_gradients_have_the_enumerated_mean(name, space, variant) -> None:
    """From the estimator's own samples: 32 batches of 2,048 sentences, within 5 errors."""
    credit, baseline = COMBINATIONS[variant]
    generator, reward = make_generator(name, space), reward_of(credit, space)
    estimates = []
    for seed in range(32):
        estimator = estimator_of(space, credit, baseline)
        torch.manual_seed(100 + seed)
        rollout = estimator.sample(generator, SampleRequest(2048))
        loss = estimator.loss(generator, rollout, reward).loss
        estimates.append(gradient(loss, generator))
    expected = gradient(objective(generator, space, reward), generator)
    assert_mean_is(torch.stack(estimates), expected, relative=0.03)


# ── Biased on purpose: each against its own enumerated expectation ────────────────────────────


def weighted_score(
    generator: nn.Module, ids_RT: Tensor, weight_RT: Tensor, space: SequenceSpace
) -> Tensor:
    """−Σ_x Σ_t w_xt ∇ log p(x_t | x_<t) as a gradient."""
    logp_RT = log_probs(generator, ids_RT, space.end_id)
    return gradient(-(weight_RT.detach() * logp_RT).sum(), generator)


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
@pytest.mark.parametrize("discount", [0.9, 0.3])
def test_discounted_credit_has_its_own_enumerated_expectation(space, discount) -> None:
    """G_t = Σ_{s≥t} γ^{s−t} r_s, spelled out; and it differs from γ = 1."""
    generator, reward = make_generator("gru", space), PrefixReward(space)
    credit = {"name": "per_step", "discount": discount}
    loss = loss_of(lambda: estimator_of(space, credit, NONE), generator, reward)
    actual = gradient(expected_loss(generator, space, 1, loss), generator)

    ids_RT = sentences(space)
    mask_RT = mask_of(ids_RT, space.end_id)
    reward_RT = reward(ids_RT, mask_RT) * mask_RT
    returns_RT = torch.zeros_like(reward_RT)
    for t in range(space.length):
        for s in range(t, space.length):
            returns_RT[:, t] += discount ** (s - t) * reward_RT[:, s]
    prob_R = log_probs(generator, ids_RT, space.end_id).sum(1).exp()
    expected = weighted_score(generator, ids_RT, prob_R[:, None] * returns_RT, space)
    assert_same_vector(actual, expected)
    undiscounted = gradient(objective(generator, space, reward), generator)
    assert (actual - undiscounted).norm() > 0.02 * undiscounted.norm()


@pytest.mark.parametrize("space", SMALL_SPACES.values(), ids=SMALL_SPACES)
@pytest.mark.parametrize("credit", [SEQUENCE, PER_STEP], ids=lambda c: c["name"])
def test_whitening_has_its_own_enumerated_expectation(space, credit) -> None:
    """(A − mean A)/std A over the steps that count, batch by batch in plain numbers."""
    generator, reward = make_generator("gru", space), reward_of(credit, space)
    loss = loss_of(lambda: estimator_of(space, credit, NONE, whiten=True), generator, reward)
    actual = gradient(expected_loss(generator, space, 2, loss), generator)

    ids_RT = sentences(space)
    mask_RT = mask_of(ids_RT, space.end_id)
    value = reward(ids_RT, mask_RT)
    if value.dim() == 1:
        return_RT = value[:, None].expand(-1, space.length).double()
    else:
        return_RT = (value * mask_RT).flip(1).cumsum(1).flip(1).double()
    prob_R = log_probs(generator, ids_RT, space.end_id).sum(1).exp().detach().double()
    weight_RT = torch.zeros(ids_RT.shape, dtype=torch.double)
    for rows in batches_of(ids_RT, 2):
        cells = [(r, t) for r in rows for t in range(space.length) if mask_RT[r, t]]
        numbers = torch.stack([return_RT[cell] for cell in cells])
        spread = ((numbers - numbers.mean()) ** 2).mean().sqrt() + 1e-8
        for cell in cells:
            advantage = (return_RT[cell] - numbers.mean()) / spread
            weight_RT[cell] += prob_R[list(rows)].prod() * advantage / 2
    expected = weighted_score(generator, ids_RT, weight_RT.float(), space)
    assert_same_vector(actual, expected, relative=1e-2)


def test_whitening_forgets_scale_and_offset_of_the_reward() -> None:
    generator, reward = make_generator("gru", FIXED), SentenceReward(FIXED)
    rollout = rollout_of(sentences(FIXED)[[3, 7, 8, 20]], FIXED)
    estimator = estimator_of(FIXED, SEQUENCE, NONE, whiten=True)
    one = gradient(estimator.loss(generator, rollout, reward).loss, generator)
    other = estimator.loss(generator, rollout, lambda x, m, *_: 10 * reward(x, m) - 4).loss
    assert_same_vector(gradient(other, generator), one)


@pytest.mark.parametrize("baseline", [NONE, LOO], ids=lambda b: b["name"])
@pytest.mark.parametrize("value", [1.3, -130.7, 0.0])
def test_whitening_does_not_blow_up_the_rounding_of_equal_rewards(baseline, value) -> None:
    """A collapsed generator: equal sentences, equal rewards, nothing to prefer."""
    generator = make_generator("gru", ENDING)
    rollout = rollout_of(torch.tensor([[0, 2, 1]] * 5 + [[0, 1, 1]] * 2), ENDING)
    estimator = estimator_of(ENDING, SEQUENCE, baseline, whiten=True)
    loss = estimator.loss(generator, rollout, lambda x, *_: torch.full((len(x),), value)).loss
    unit = manual_loss(generator, rollout, ENDING, torch.ones(7, 3))
    assert gradient(loss, generator).norm() < 0.03 * gradient(unit, generator).norm()


# ── Null arms ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_constant_reward_teaches_nothing_on_average(space) -> None:
    """Without a baseline: zero expectation, though no single sentence has a zero gradient."""
    generator = make_generator("gru", space)

    def never_asked(tokens: Tensor, mask_BT: Tensor) -> Tensor:
        raise AssertionError("the constant arm must not look at the critic")

    loss = loss_of(
        lambda: estimator_of(space, SEQUENCE, NONE, reward="constant"), generator, never_asked
    )
    assert gradient(expected_loss(generator, space, 1, loss), generator).norm() < 1e-5
    for row in sentences(space):
        single = gradient(loss(rollout_of(row[None], space)), generator)
        assert single.norm() > 1e-2
        expected = weighted_score(generator, row[None], torch.ones(1, space.length), space)
        assert_same_vector(single, expected)


def test_constant_reward_with_leave_one_out_has_no_gradient_in_any_batch() -> None:
    generator, space = make_generator("gru", TINY), TINY
    ids_RT = sentences(space)
    estimator = estimator_of(space, SEQUENCE, LOO, reward="constant")
    for rows in batches_of(ids_RT, 2):
        rollout = rollout_of(ids_RT[list(rows)], space)
        loss = estimator.loss(generator, rollout, SentenceReward(space)).loss
        assert (gradient(loss, generator) == 0).all()


@pytest.mark.parametrize(("baseline", "share"), [(NONE, 1 / 3), (LOO, 0.0)], ids=["none", "loo"])
def test_shuffled_reward_keeps_only_its_fixed_points(monkeypatch, baseline, share) -> None:
    """Over all permutations of B = 3 a sentence gets its own reward back once in three: without
    a baseline a third of the gradient remains; leave-one-out removes that too, since
    A_i = (B·R_π(i) − ΣR)/(B − 1) averages to zero over π in every batch."""
    generator, space, reward = make_generator("gru", TINY), TINY, SentenceReward(TINY)
    estimator = estimator_of(space, SEQUENCE, baseline, reward="shuffled")
    orders = [torch.tensor(order) for order in permutations(range(3))]

    def over_all_orders(rollout: Rollout) -> Tensor:
        losses = []
        for order_B in orders:
            drawn = order_B.argsort().float() / 3  # uniform numbers whose argsort is the order
            monkeypatch.setattr(torch, "rand", lambda *a, drawn=drawn, **k: drawn)
            monkeypatch.setattr(torch, "randperm", lambda *a, order_B=order_B, **k: order_B)
            losses.append(estimator.loss(generator, rollout, reward).loss)
        monkeypatch.undo()
        return torch.stack(losses).mean()

    actual = gradient(expected_loss(generator, space, 3, over_all_orders), generator)
    truth = gradient(objective(generator, space, reward), generator)
    assert (actual - share * truth).norm() < 1e-5 * truth.norm() + 1e-6


def test_shuffled_reward_permutes_whole_rows_anew_at_every_call() -> None:
    """The rows' returns are those of the batch, each once; all orders occur."""
    space = SequenceSpace(vocab_size=2, length=1)
    generator = make_generator("gru", space)
    rollout = rollout_of(torch.tensor([[0], [0], [0]]), space)
    estimator = estimator_of(space, SEQUENCE, NONE, reward="shuffled")
    torch.manual_seed(0)
    seen = set()
    for _ in range(100):
        returns = estimator.credit(
            RewardedRollout(rollout, lambda *_: torch.tensor([1.0, 2.0, 4.0]), generator, space)
        )
        seen.add(tuple(returns[:, 0].tolist()))
    assert seen == set(permutations([1.0, 2.0, 4.0]))


# ── Batch by batch: which number meets which log-probability ──────────────────────────────────


def manual_loss(
    generator: nn.Module, rollout: Rollout, space: SequenceSpace, advantage_BT: Tensor
) -> Tensor:
    """−1/B Σ_b Σ_t A log p."""
    logp_BT = log_probs(generator, rollout.ids_BT, space.end_id)
    return -(logp_BT * advantage_BT).sum() / len(rollout.ids_BT)


def steps_to_go(reward_BT: Tensor) -> Tensor:
    return reward_BT.flip(1).cumsum(1).flip(1)


def test_leave_one_out_subtracts_the_mean_of_the_others_at_the_same_step() -> None:
    generator, reward = make_generator("gru", ENDING), PrefixReward(ENDING, on_pads=9.0)
    rollout = rollout_of(torch.tensor([[0, 2, 1], [1, 1, 1], [2, 0, 0], [2, 1, 1]]), ENDING)
    return_BT = steps_to_go(reward(rollout.ids_BT, rollout.mask_BT) * rollout.mask_BT)
    advantage_BT = return_BT.clone()
    for row in range(4):
        advantage_BT[row] -= return_BT[[other for other in range(4) if other != row]].mean(0)
    loss = estimator_of(ENDING, PER_STEP, LOO).loss(generator, rollout, reward).loss
    expected = manual_loss(generator, rollout, ENDING, advantage_BT)
    assert_same_vector(gradient(loss, generator), gradient(expected, generator))
    torch.testing.assert_close(loss, expected)


def test_moving_average_knows_past_batches_only_and_corrects_its_start() -> None:
    """Batch 1 meets 0, batch 2 the mean of batch 1, batch 3 a mean weighted γ : 1."""
    decay, length = 0.75, 3
    generator, reward = make_generator("gru", FIXED), PrefixReward(FIXED)
    estimator = ScoreFunction(FIXED, PerStepCredit(), MovingAverage(decay))
    batches = [sentences(FIXED)[rows] for rows in ([0, 5], [7, 20], [11, 2])]
    returns = [steps_to_go(reward(ids, torch.ones_like(ids, dtype=torch.bool))) for ids in batches]
    means = [return_BT.mean(0) for return_BT in returns]
    baselines = [
        torch.zeros(length),
        means[0],
        (decay * means[0] + means[1]) / (decay + 1),
    ]
    for ids_BT, return_BT, baseline_T in zip(batches, returns, baselines, strict=True):
        rollout = rollout_of(ids_BT, FIXED)
        loss = estimator.loss(generator, rollout, reward).loss
        expected = manual_loss(generator, rollout, FIXED, return_BT - baseline_T)
        torch.testing.assert_close(loss, expected)


def test_moving_average_counts_only_the_sentences_that_reach_a_column() -> None:
    generator, reward = make_generator("gru", ENDING), SentenceReward(ENDING)
    estimator = estimator_of(ENDING, SEQUENCE, {"name": "moving_average", "decay": 0.5})
    estimator.load_state_dict({"critic": {"sum": torch.zeros(3), "weight": torch.zeros(3)}})
    first = rollout_of(torch.tensor([[1, 1, 1], [0, 1, 1]]), ENDING)
    estimator.loss(generator, first, reward)
    value_B = reward(first.ids_BT, first.mask_BT)
    second = rollout_of(torch.tensor([[2, 2, 2]]), ENDING)
    baseline_T = torch.stack([value_B.mean(), value_B[1], torch.tensor(0.0)])
    value = reward(second.ids_BT, second.mask_BT)
    loss = estimator.loss(generator, second, reward).loss
    torch.testing.assert_close(loss, manual_loss(generator, second, ENDING, value - baseline_T))


def test_a_column_that_no_sentence_of_a_batch_reaches_keeps_its_mean() -> None:
    baseline = MovingAverage(0.5)
    both, first = torch.tensor([[True, True]]), torch.tensor([[True, False]])
    baseline(Returns(torch.tensor([[2.0, 8.0]]), both))
    baseline(Returns(torch.tensor([[6.0, 100.0]]), first))
    # (0.5 · 2 + 6) / 1.5 of the column that was reached again
    found_BT = baseline(Returns(torch.zeros(1, 2), both))
    torch.testing.assert_close(found_BT, torch.tensor([[14 / 3, 8.0]]))


def test_learned_baseline_is_subtracted_at_its_own_step_and_learns_by_least_squares() -> None:
    generator, reward = make_generator("gru", ENDING), SentenceReward(ENDING)
    torch.manual_seed(5)
    network = PrefixValue(ENDING, 3, 4)
    config = ScoreFunctionConfig.model_validate(
        {"name": "score_function", "credit": SEQUENCE, "baseline": LEARNED}
    )
    rollout = rollout_of(torch.tensor([[0, 2, 1], [1, 1, 1], [2, 0, 0]]), ENDING)
    surrogate = config.build(ENDING, CPU, network).loss(generator, rollout, reward)
    value_BT = network(rollout.ids_BT)
    return_BT = reward(rollout.ids_BT, rollout.mask_BT)[:, None].expand(3, 3)
    expected = manual_loss(generator, rollout, ENDING, (return_BT - value_BT).detach())
    torch.testing.assert_close(surrogate.loss, expected)
    assert gradient(surrogate.loss, network).norm() == 0
    squares = (return_BT - value_BT)[rollout.mask_BT].square()
    torch.testing.assert_close(surrogate.baseline_loss, squares.mean())
    assert gradient(surrogate.baseline_loss, generator).norm() == 0


@pytest.mark.parametrize("column", range(3))
def test_learned_value_never_reads_the_token_it_is_subtracted_for(column) -> None:
    torch.manual_seed(0)
    network = PrefixValue(FIXED, 3, 4)
    ids_BT = torch.tensor([[0, 1, 2], [2, 2, 0]])
    changed_BT = ids_BT.clone()
    changed_BT[:, column] = (changed_BT[:, column] + 1) % 3
    before, after = network(ids_BT), network(changed_BT)
    assert torch.equal(before[:, : column + 1], after[:, : column + 1])
    assert (before[:, column + 1 :] != after[:, column + 1 :]).all()


# ── Sentences that end ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("credit", [SEQUENCE, PER_STEP, rollout_credit(2)], ids=lambda c: c["name"])
@pytest.mark.parametrize("baseline", [NONE, LOO, MOVING], ids=lambda b: b["name"])
@pytest.mark.parametrize("whiten", [False, True])
def test_what_a_causal_critic_says_about_pads_changes_nothing(credit, baseline, whiten) -> None:
    generator = make_generator("gru", ENDING)
    rollout = rollout_of(torch.tensor([[0, 1, 1], [1, 1, 1], [2, 0, 0], [0, 2, 1]]), ENDING)
    gradients = []
    for on_pads in (0.0, 1e4):
        torch.manual_seed(0)
        reward = PrefixReward(ENDING, on_pads=on_pads)
        estimator = estimator_of(ENDING, credit, baseline, whiten=whiten)
        surrogate = estimator.loss(generator, rollout, reward)
        gradients.append(gradient(surrogate.loss, generator))
        estimator.loss(generator, rollout, reward)
    assert gradients[0].norm() > 0
    assert torch.equal(gradients[0], gradients[1])


def test_pads_carry_no_loss() -> None:
    """A sentence that ends at once has the gradient of its first token alone."""
    generator = make_generator("gru", ENDING)
    rollout = rollout_of(torch.tensor([[1, 1, 1]]), ENDING)
    estimator = estimator_of(ENDING, SEQUENCE, NONE)
    loss = estimator.loss(generator, rollout, lambda x, *_: torch.tensor([3.0])).loss
    first_logp = generator.start(1).logits_BV.log_softmax(-1)[0, 1]
    assert_same_vector(gradient(loss, generator), gradient(-3 * first_logp, generator))


def test_a_per_step_reward_becomes_a_sentence_reward_by_its_mean_over_the_steps_that_count() -> (
    None
):
    generator, reward = make_generator("gru", ENDING), PrefixReward(ENDING, on_pads=1e3)
    rollout = rollout_of(torch.tensor([[0, 1, 1]]), ENDING)
    loss = estimator_of(ENDING, SEQUENCE, NONE).loss(generator, rollout, reward).loss
    value = reward(rollout.ids_BT, rollout.mask_BT)[0, :2].mean()
    expected = manual_loss(generator, rollout, ENDING, value.expand(1, 3))
    torch.testing.assert_close(loss, expected)


# ── Entropy bonus ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["gru", "transformer"])
@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_entropy_bonus_adds_the_gradient_of_the_mean_entropy_at_the_prefixes_met(
    name, space
) -> None:
    """−β · mean over the steps that count of −Σ_v p_v log p_v, prefixes held fixed."""
    beta = 0.7
    generator, reward = make_generator(name, space), SentenceReward(space)
    rollout = rollout_of(sentences(space)[[0, 3, 5, -1]], space)
    plain = estimator_of(space, SEQUENCE, LOO).loss(generator, rollout, reward).loss
    bonus = estimator_of(space, SEQUENCE, LOO, entropy_bonus=beta)
    actual = gradient(bonus.loss(generator, rollout, reward).loss, generator)
    prob_BTV = step_logits(generator, rollout.ids_BT).softmax(-1)
    entropy_BT = -(prob_BTV * prob_BTV.log()).sum(-1)
    mean_entropy = entropy_BT[rollout.mask_BT].mean()
    expected = gradient(plain - beta * mean_entropy, generator)
    assert_same_vector(actual, expected)


# ── Modes ─────────────────────────────────────────────────────────────────────────────────────


def test_no_gradient_flows_through_the_reward() -> None:
    generator = make_generator("gru", FIXED)
    rollout = rollout_of(sentences(FIXED)[[0, 5]], FIXED)
    scale = torch.tensor(2.0, requires_grad=True)
    for credit in (SEQUENCE, rollout_credit(2)):
        estimator = estimator_of(FIXED, credit, NONE)
        loss = estimator.loss(generator, rollout, lambda x, *_: scale * x.float().sum(1)).loss
        (flow,) = torch.autograd.grad(loss, scale, allow_unused=True)
        assert flow is None


def test_the_loss_has_no_dropout() -> None:
    """Else the sampled and the differentiated distribution would differ."""
    torch.manual_seed(0)
    config = RnnGeneratorConfig(name="gru", embed=4, hidden=5, dropout=0.6)
    generator = config.build(FIXED).train()
    estimator = estimator_of(FIXED, SEQUENCE, NONE)
    rollout = rollout_of(sentences(FIXED)[[4, 9]], FIXED)
    losses = [estimator.loss(generator, rollout, SentenceReward(FIXED)).loss for _ in range(5)]
    assert all(torch.equal(loss, losses[0]) for loss in losses)
    assert generator.training
