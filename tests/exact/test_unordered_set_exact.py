"""Sets without replacement: their probabilities against all orders, exact rationals and counts, and
the estimator's expectation over all sets against the enumerated gradient."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import combinations, permutations
from math import exp, lgamma, log

import pytest
import torch
from enumeration import (
    PrefixReward,
    PrefixTable,
    SentenceReward,
    ToldTable,
    assert_mean_is,
    assert_same_vector,
    chi_square_is_plausible,
    gradient,
    log_probs,
    make_generator,
    mask_of,
    rollout_of,
    sentences,
)
from tiny_runs import tiny_experiment
from torch import Tensor, nn

from seqgan.core.budget import Budget, counting
from seqgan.core.errors import UserError
from seqgan.core.types import Reward, RewardTerm, SampleRequest, SequenceSpace, SharedPrefix
from seqgan.estimators.score_function import ScoreFunction
from seqgan.estimators.stochastic_beam import SentenceSets, log1mexp, sets_without_replacement
from seqgan.estimators.unordered_set import UnorderedSet, log_integrals, set_weights
from seqgan.models.config import RnnGeneratorConfig

FIXED = SequenceSpace(vocab_size=3, length=2)
ENDING = SequenceSpace(vocab_size=3, length=3, end_id=1)
SPACES = {"fixed": FIXED, "ending": ENDING}
TINY = SequenceSpace(vocab_size=2, length=2)
TINY_ENDING = SequenceSpace(vocab_size=2, length=3, end_id=0)


def estimator_of(space: SequenceSpace, k: int) -> UnorderedSet:
    return UnorderedSet(space, k)


def value_of(ids_RT: Tensor, space: SequenceSpace, reward: Reward) -> Tensor:
    return reward(ids_RT, mask_of(ids_RT, space.end_id))


def truth(generator: nn.Module, space: SequenceSpace, reward: Reward) -> Tensor:
    """The gradient of −E[R], enumerated."""
    ids_RT = sentences(space)
    prob_R = log_probs(generator, ids_RT, space.end_id).sum(1).exp()
    return gradient(-(prob_R * value_of(ids_RT, space, reward)).sum(), generator)


def sets_of(*rows_KT: Tensor) -> SentenceSets:
    """Complete sets, one an argument."""
    ids_KGT = torch.stack(rows_KT, 1)
    return SentenceSets(ids_KGT, torch.ones(ids_KGT.shape[:2], dtype=torch.bool))


# ── Probabilities of sets ─────────────────────────────────────────────────────────────────────


def in_order(probs: Sequence[float]) -> float:
    """The probability of drawing these one after the other."""
    result, left = 1.0, 1.0
    for p in probs:
        result *= p / left
        left -= p
    return result


def in_any_order(probs: Sequence[float], domain: float = 1.0) -> float:
    """P(S): over all orders. `domain`: the mass that is drawn from, renormalised."""
    return sum(in_order([p / domain for p in order]) for order in permutations(probs))


def integral(a: Sequence[Fraction]) -> Fraction:
    """∫₀¹ Π(1 − v^a) dv, multiplied out and integrated term by term."""
    parts = [part for n in range(len(a) + 1) for part in combinations(a, n)]
    return sum((Fraction((-1) ** len(part)) / (1 + sum(part)) for part in parts), Fraction(0))


def log_of(x: Fraction) -> float:
    """Also of what is too small for a float."""
    shift = x.denominator.bit_length() - x.numerator.bit_length()
    return log(x * 2**shift) - shift * log(2)


PROBS = [0.4, 0.05, 0.2, 0.01, 0.12, 0.22]
"""Of six things."""


@pytest.mark.parametrize("k", [2, 3, 4, 5, 6])
def test_ratios_are_those_of_sums_over_all_orders(k) -> None:
    for members in combinations(PROBS, k):
        loga = torch.tensor([members], dtype=torch.double).log()
        if k < len(PROBS):
            loga = loga - log(1 - sum(members))
        else:
            loga = torch.full_like(loga, float("inf"))
        present_GK = torch.ones(1, k, dtype=torch.bool)
        whole_G, without_GK, without_GKK = log_integrals(loga, present_GK)
        assert float(whole_G.exp()) == pytest.approx(in_any_order(members), rel=1e-11)
        weights = set_weights(
            torch.tensor(members, dtype=torch.double).log()[:, None], present_GK.T
        )
        assert float(weights.mass_G) == pytest.approx(sum(members), rel=1e-12)
        for i, s in enumerate(members):
            others = [p for j, p in enumerate(members) if j != i]
            left_out = in_any_order(others, 1 - s)
            assert float(without_GK[0, i].exp()) == pytest.approx(left_out, rel=1e-11)
            ratio = left_out / in_any_order(members)
            assert float(weights.first_GK[0, i]) == pytest.approx(s * ratio, rel=1e-11)
            assert float(weights.baseline_GKK[0, i, i]) == pytest.approx(s, rel=1e-12)
            for j, t in enumerate(members):
                if j != i:
                    two_left = [p for n, p in enumerate(members) if n not in (i, j)]
                    two_out = in_any_order(two_left, 1 - s - t)
                    assert float(without_GKK[0, i, j].exp()) == pytest.approx(two_out, rel=1e-11)
                    expected = t * two_out / left_out
                    found = float(weights.baseline_GKK[0, i, j])
                    assert found == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize(
    "loga",
    [
        [-3.0, -300.0, 2.0],
        [-700.0, -650.0, -600.0, -710.0],
        [0.0, 40.0, 600.0, -600.0],
        [25.0, 30.0],
        [-1.0] * 8,
        [2.0, -5.0, 0.3, -0.1, 7.0, -40.0, 1.1],
    ],
    ids=str,
)
def test_integrals_are_right_to_the_last_digits_however_small(loga) -> None:
    """Against exact rationals: alternating sums would have no digit left in floating point."""
    a = [Fraction(exp(x)) for x in loga]
    present_GK = torch.ones(1, len(a), dtype=torch.bool)
    whole_G, without_GK, _ = log_integrals(torch.tensor([loga], dtype=torch.double), present_GK)
    for found, rest in [(whole_G[0], a), (without_GK[0, 0], a[1:]), (without_GK[0, -1], a[:-1])]:
        expected = log_of(integral(rest))
        assert float(found) == pytest.approx(expected, rel=1e-13, abs=2e-14)


@pytest.mark.parametrize("k", [1, 16, 128])
@pytest.mark.parametrize("loga", [-500.0, -3.0, 0.0, 3.0])
def test_large_sets_of_equals_have_the_beta_function(k, loga) -> None:
    """∫(1 − v^a)^k dv = k! Γ(1 + 1/a) / Γ(k + 1 + 1/a) = Π_j j / (j + 1/a)."""
    whole_G, *_ = log_integrals(
        torch.full((1, k), loga, dtype=torch.double), torch.ones(1, k, dtype=torch.bool)
    )
    if loga < -100:  # 1/a outweighs all j: k! a^k
        expected = lgamma(k + 1) + k * loga
    else:
        expected = sum(log(j / (j + exp(-loga))) for j in range(1, k + 1))
    assert float(whole_G) == pytest.approx(expected, rel=1e-12)


EXTREMES = {
    "unlikely": [-100.0, -130.0, -111.0, -104.0],
    "very unlikely": [-900.0, -2000.0, -1500.0, -901.0],
    "one for all": [-1e-12, -40.0, -60.0, -300.0],
    "nearly all": [log(0.5), log(0.25), log(0.125), log(0.125 - 1e-13)],
    "all": [log(0.5), log(0.25), log(0.125), log(0.125)],
    "rounded above all": [log(0.5), log(0.25), log(0.125), log(0.125 + 1e-7)],
    "equal": [-50.0] * 4,
}


@pytest.mark.parametrize("logp", EXTREMES.values(), ids=EXTREMES)
def test_weights_are_probabilities_that_sum_to_one(logp) -> None:
    """Somebody was drawn first; and the baseline of a constant is that constant."""
    weights = set_weights(
        torch.tensor([logp], dtype=torch.double).T, torch.ones(4, 1, dtype=torch.bool)
    )
    for found in (weights.first_GK, weights.baseline_GKK):
        assert ((found >= 0) & (found <= 1 + 1e-6)).all()
        assert (found.sum(-1) - 1).abs().max() < 1e-6


def test_unlikely_sentences_were_drawn_first_in_proportion_to_their_probabilities() -> None:
    """Where nothing depletes the rest, w_s = 1/k: members were as likely to come in any order."""
    logp_K1 = torch.tensor(EXTREMES["unlikely"], dtype=torch.double)[:, None]
    weights = set_weights(logp_K1, torch.ones(4, 1, dtype=torch.bool))
    torch.testing.assert_close(weights.first_GK, torch.full((1, 4), 0.25).double())
    others_KK = (1 - torch.eye(4).double()) / 3
    torch.testing.assert_close(weights.baseline_GKK[0], others_KK)


def test_a_set_that_lacks_members_has_everything() -> None:
    logp_KG = torch.tensor([0.5, 0.3, 0.2 - 1e-6, 0.9], dtype=torch.double).log()[:, None]
    present_KG = torch.tensor([[True], [True], [True], [False]])
    weights = set_weights(logp_KG, present_KG)
    probs = torch.tensor([0.5, 0.3, 0.2 - 1e-6, 0.0], dtype=torch.double)
    torch.testing.assert_close(weights.first_GK[0], probs)
    torch.testing.assert_close(weights.baseline_GKK[0, :3], probs.expand(3, 4))
    assert weights.baseline_GKK.isfinite().all()


def test_log1mexp_is_accurate_at_both_ends() -> None:
    ends = [-1e-18, -1e-3, -0.7, -5.0, -700.0, float("-inf"), 0.0]
    x = torch.tensor(ends, dtype=torch.double)
    expected = [log(1e-18), log(1e-3) - 5e-4, log(1 - exp(-0.7)), log(1 - exp(-5)), -exp(-700)]
    found = log1mexp(x).tolist()
    assert found[:5] == pytest.approx(expected, rel=1e-7)
    assert found[5:] == [0.0, float("-inf")]


# ── Unbiased: the exact expectation over all sets is the gradient of E[R] ─────────────────────


@pytest.mark.parametrize(
    ("name", "space", "k"),
    [
        ("gru", FIXED, 2),
        ("gru", FIXED, 3),
        ("transformer", FIXED, 4),
        ("gru", FIXED, 8),
        ("gru", FIXED, 9),
        ("gru", ENDING, 2),
        ("transformer", ENDING, 3),
    ],
)
def test_the_expectation_over_all_sets_is_the_gradient_of_the_expected_reward(
    name, space, k
) -> None:
    """Σ_S P(S) · loss(S) over all sets of k sentences, P(S) from sums over orders or, where there
    are too many, from the multiplied-out integral."""
    generator, reward = make_generator(name, space), SentenceReward(space)
    estimator, ids_RT = estimator_of(space, k), sentences(space)
    probs = log_probs(generator, ids_RT, space.end_id).sum(1).exp().tolist()
    total, mass = torch.zeros(()), 0.0
    for rows in combinations(range(len(ids_RT)), k):
        members = [probs[row] for row in rows]
        if k == len(ids_RT):
            prob = 1.0
        elif k <= 4:
            prob = in_any_order(members)
        else:
            prob = float(integral([Fraction(p) / Fraction(1 - sum(members)) for p in members]))
        drawn = sets_of(ids_RT[list(rows)])
        total = total + prob * estimator.loss_of_sets(generator, drawn, None, reward).loss
        mass += prob
    assert abs(mass - 1) < 1e-4
    assert_same_vector(gradient(total, generator), truth(generator, space, reward))


@pytest.mark.parametrize(("name", "space"), [("gru", FIXED), ("transformer", ENDING)])
def test_sampled_gradients_have_the_enumerated_mean(name, space) -> None:
    """From the sets that the loss draws for itself: 32 batches of 250 sets of four."""
    generator, reward = make_generator(name, space), SentenceReward(space)
    estimator, estimates = estimator_of(space, 4), []
    for seed in range(32):
        torch.manual_seed(100 + seed)
        rollout = rollout_of(sentences(space)[:1].expand(1000, -1), space)
        estimates.append(gradient(estimator.loss(generator, rollout, reward).loss, generator))
    assert_mean_is(torch.stack(estimates), truth(generator, space, reward), relative=0.04)


@pytest.mark.parametrize("space", [TINY, TINY_ENDING], ids=["fixed", "ending"])
@pytest.mark.parametrize("more", [0, 1, 9])
def test_with_all_sentences_in_every_set_there_is_nothing_random_left(space, more) -> None:
    """Also where a set asks for more sentences than there are."""
    generator, reward = make_generator("gru", space), SentenceReward(space)
    k = len(sentences(space)) + more
    rollout = rollout_of(sentences(space)[:1].expand(3 * k + 1, -1), space)
    surrogate = estimator_of(space, k).loss(generator, rollout, reward)
    assert_same_vector(gradient(surrogate.loss, generator), truth(generator, space, reward))
    prob_R = log_probs(generator, sentences(space), space.end_id).sum(1).exp().detach()
    mean = (prob_R * value_of(sentences(space), space, reward)).sum()
    torch.testing.assert_close(surrogate.stats["return"], mean)
    torch.testing.assert_close(surrogate.stats["set_mass"], torch.tensor(1.0))


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_where_all_sentences_are_worth_the_same_nothing_is_learned(space) -> None:
    generator = make_generator("gru", space)
    rollout = rollout_of(sentences(space)[:1].expand(12, -1), space)
    loss = estimator_of(space, 3).loss(generator, rollout, lambda x, *_: torch.full((len(x),), 7.0))
    assert gradient(loss.loss, generator).norm() < 1e-5


def variance(estimator, generator: nn.Module, reward: Reward) -> float:
    """Of the whole gradient, over 100 batches of 4 sentences."""
    estimates = []
    for seed in range(100):
        torch.manual_seed(seed)
        rollout = estimator.sample(generator, SampleRequest(4))
        estimates.append(gradient(estimator.loss(generator, rollout, reward).loss, generator))
    return float(torch.stack(estimates).var(0).sum())


def test_four_distinct_sentences_say_more_than_four_samples() -> None:
    """Sharp distributions, where samples repeat themselves."""
    generator, reward = PrefixTable(FIXED, sharpness=3), SentenceReward(FIXED)
    with_replacement = ScoreFunction(FIXED)
    without = variance(estimator_of(FIXED, 4), generator, reward)
    assert without < 0.5 * variance(with_replacement, generator, reward)


# ── Which number meets which log-probability ──────────────────────────────────────────────────


def test_sets_are_averaged_and_each_row_gets_its_own_reward() -> None:
    """Row k·G + g is member k of set g; the sets are paid by different tables."""
    generator, ids_RT = make_generator("gru", FIXED), sentences(FIXED)
    tables = [SentenceReward(FIXED, seed) for seed in range(3)]
    members = [ids_RT[rows] for rows in ([0, 4], [8, 2], [5, 4])]
    estimator = estimator_of(FIXED, 2)

    def reward(x: Tensor, mask: Tensor, shared: SharedPrefix | None = None) -> Tensor:
        row_R = torch.arange(len(x))
        return torch.stack([table(x, mask) for table in tables])[row_R % 3, row_R]

    losses = [
        estimator.loss_of_sets(generator, sets_of(ids_KT), None, table).loss
        for ids_KT, table in zip(members, tables, strict=True)
    ]
    together = estimator.loss_of_sets(generator, sets_of(*members), None, reward).loss
    actual, expected = gradient(together, generator), gradient(sum(losses) / 3, generator)
    assert_same_vector(actual, expected)


def test_the_gradient_of_a_pair_by_hand() -> None:
    """w_s from the two orders; with two members each baseline is p_s f_s + (1 − p_s) f_s′."""
    generator, reward = make_generator("gru", ENDING), SentenceReward(ENDING)
    ids_RT = torch.tensor([[0, 2, 1], [1, 1, 1]])
    logp_R = log_probs(generator, ids_RT, 1).sum(1)
    p, q = logp_R.detach().exp().tolist()
    f, g = reward(ids_RT, mask_of(ids_RT, 1)).tolist()
    p_first, q_first = p * q / (1 - p), q * p / (1 - q)
    weight = p_first / (p_first + q_first)
    score = weight * (f - p * f - (1 - p) * g) * logp_R[0]
    score = score + (1 - weight) * (g - q * g - (1 - q) * f) * logp_R[1]
    loss = estimator_of(ENDING, 2).loss_of_sets(generator, sets_of(ids_RT), None, reward).loss
    assert_same_vector(gradient(loss, generator), gradient(-score, generator))


def test_with_conditions_each_has_a_set_of_its_own() -> None:
    """Sets of all sentences, so each condition's part of the gradient is exact."""
    generator, tables = ToldTable(TINY), [SentenceReward(TINY, seed) for seed in (3, 4)]
    cond_B1 = torch.tensor([[0], [1], [1]])

    def reward(x: Tensor, mask: Tensor, shared: SharedPrefix | None = None) -> Tensor:
        kind_R = cond_B1[:, 0].repeat(len(x) // 3)
        return torch.stack([table(x, mask) for table in tables])[kind_R, torch.arange(len(x))]

    estimator = estimator_of(TINY, 4)
    rollout = estimator.sample(generator, SampleRequest(3, cond_B1))
    assert torch.equal(rollout.cond, cond_B1)
    actual = gradient(estimator.loss(generator, rollout, reward).loss, generator)
    expected = [
        truth(table, TINY, paid) * share
        for table, paid, share in zip(generator.tables, tables, (1 / 3, 2 / 3), strict=True)
    ]
    assert_same_vector(actual, torch.cat(expected))


def test_terms_enter_the_reward_with_their_weight() -> None:
    generator, drawn = make_generator("gru", ENDING), sets_of(sentences(ENDING)[[0, 3, 5, 7]])
    reward, extra = SentenceReward(ENDING, 0), SentenceReward(ENDING, 1)
    loss_of = estimator_of(ENDING, 4).loss_of_sets
    both = loss_of(generator, drawn, None, reward, RewardTerm("extra", extra, 0.3)).loss
    one = loss_of(generator, drawn, None, lambda x, m, *_: reward(x, m) + 0.3 * extra(x, m)).loss
    torch.testing.assert_close(both, one)
    without = loss_of(generator, drawn, None, reward).loss
    assert abs(float((both - without).detach())) > 1e-3


def test_a_per_step_reward_counts_by_its_mean_over_the_steps_that_count() -> None:
    generator, reward = make_generator("gru", ENDING), PrefixReward(ENDING, on_pads=1e3)

    def mean(x: Tensor, mask: Tensor, shared: SharedPrefix | None = None) -> Tensor:
        rows = zip(reward(x, mask), mask.sum(1), strict=True)
        return torch.stack([row[:n].mean() for row, n in rows])

    drawn = sets_of(sentences(ENDING)[[0, 3, 5, 7]])
    loss_of = estimator_of(ENDING, 4).loss_of_sets
    by_step = loss_of(generator, drawn, None, reward).loss
    torch.testing.assert_close(by_step, loss_of(generator, drawn, None, mean).loss)


# ── Stochastic beam search ────────────────────────────────────────────────────────────────────


def rows_of(drawn: SentenceSets, space: SequenceSpace) -> list[tuple[int, ...]]:
    """Each set as rows of `sentences(space)`, in the order of drawing; members that exist only."""
    number = {tuple(ids): row for row, ids in enumerate(sentences(space).tolist())}
    return [
        tuple(
            number[tuple(ids)]
            for ids, present in zip(
                drawn.ids_KGT[:, g].tolist(), drawn.present_KG[:, g].tolist(), strict=True
            )
            if present
        )
        for g in range(drawn.ids_KGT.shape[1])
    ]


def fits(counts: Tensor, probs: Tensor) -> bool:
    """χ² with all that is expected less than ten times in one cell: thousands of rare cells would
    hide the others."""
    rare = counts.sum() * probs < 10
    pooled = [torch.cat([x[~rare], x[rare].sum()[None]]) for x in (counts, probs)]
    return chi_square_is_plausible(*pooled)


@pytest.mark.parametrize(
    ("name", "space", "k"),
    [("gru", FIXED, 2), ("lstm", FIXED, 3), ("transformer", ENDING, 2), ("table", ENDING, 3)],
)
def test_sets_come_as_often_as_their_probability_says(name, space, k) -> None:
    """As sets, and in the order in which they were drawn; the first ones are samples of p."""
    generator = PrefixTable(space) if name == "table" else make_generator(name, space)
    ids_RT = sentences(space)
    probs = log_probs(generator, ids_RT, space.end_id).sum(1).exp().tolist()
    torch.manual_seed(0)
    drawn = sets_without_replacement(generator, space, 30_000, k)
    assert drawn.present_KG.all()
    rows = rows_of(drawn, space)
    orders = Counter(rows)
    listed = list(permutations(range(len(ids_RT)), k))
    expected = torch.tensor([in_order([probs[r] for r in order]) for order in listed])
    assert fits(torch.tensor([orders[order] for order in listed]), expected)
    sets = Counter(tuple(sorted(members)) for members in rows)
    listed = list(combinations(range(len(ids_RT)), k))
    expected = torch.tensor([in_any_order([probs[r] for r in members]) for members in listed])
    assert fits(torch.tensor([sets[members] for members in listed]), expected)
    first = Counter(members[0] for members in rows)
    assert fits(torch.tensor([first[row] for row in range(len(ids_RT))]), torch.tensor(probs))


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
@pytest.mark.parametrize("name", ["lstm", "gru", "transformer"])
def test_members_are_different_and_behind_their_end_are_ends(space, name) -> None:
    drawn = sets_without_replacement(make_generator(name, space), space, 50, 6)
    for members in rows_of(drawn, space):  # which knows well-formed sentences only
        assert len(set(members)) == 6


@pytest.mark.parametrize("space", [TINY, TINY_ENDING], ids=["fixed", "ending"])
@pytest.mark.parametrize("more", [0, 3])
def test_a_set_may_have_every_sentence_but_none_twice(space, more) -> None:
    count = len(sentences(space))
    drawn = sets_without_replacement(make_generator("gru", space), space, 20, count + more)
    assert drawn.present_KG[:count].all()
    assert not drawn.present_KG[count:].any()
    assert all(sorted(members) == list(range(count)) for members in rows_of(drawn, space))
    assert (drawn.ids_KGT[count:] == drawn.ids_KGT[0]).all()


def test_tokens_that_cannot_come_never_come() -> None:
    """One token out of three is impossible, so there are four sentences of two tokens."""
    generator = PrefixTable(FIXED)
    for table in generator.tables:
        table.data[:, 2] = float("-inf")
    drawn = sets_without_replacement(generator, FIXED, 30, 6)
    assert (drawn.present_KG.sum(0) == 4).all()
    assert (drawn.ids_KGT != 2).all()
    rollout = rollout_of(sentences(FIXED)[:1].expand(12, -1), FIXED)
    loss = estimator_of(FIXED, 6).loss(generator, rollout, SentenceReward(FIXED)).loss
    assert loss.isfinite()
    assert gradient(loss, generator).isfinite().all()


def test_sets_belong_to_their_condition() -> None:
    """Under one condition only the first two sentences can come, under the other the last two."""
    generator = ToldTable(TINY)
    for kind, table in enumerate(generator.tables):
        table.tables[0].data[0, 1 - kind] = float("-inf")
    cond_B1 = torch.tensor([[0], [1], [1], [0]])
    drawn = sets_without_replacement(generator, TINY, 4, 2, cond_B1)
    assert torch.equal(drawn.ids_KGT[..., 0], cond_B1.T.expand(2, 4))
    assert [sorted(rows) for rows in rows_of(drawn, TINY)] == [[0, 1], [2, 3], [2, 3], [0, 1]]


def test_every_column_of_every_member_is_written() -> None:
    with counting(budget := Budget()):
        sets_without_replacement(make_generator("gru", ENDING), ENDING, 5, 4)
    assert budget.tokens == 5 * 4 * 3


# ── Samples, modes, configuration ─────────────────────────────────────────────────────────────


def test_the_critic_is_shown_ordinary_samples() -> None:
    """Not members of sets, which are more equal than they should be."""
    generator, ids_RT = make_generator("gru", FIXED), sentences(FIXED)
    torch.manual_seed(0)
    rollout = estimator_of(FIXED, 4).sample(generator, SampleRequest(20_000))
    counts = Counter(map(tuple, rollout.ids_BT.tolist()))
    probs_R = log_probs(generator, ids_RT).sum(1).exp().detach()
    counts_R = torch.tensor([counts[tuple(ids)] for ids in ids_RT.tolist()])
    assert chi_square_is_plausible(counts_R, probs_R)


def test_no_gradient_flows_through_the_reward_and_none_is_left_switched_off() -> None:
    generator = make_generator("gru", FIXED)
    trainable = [parameter.requires_grad for parameter in generator.parameters()]
    scale = torch.tensor(2.0, requires_grad=True)
    rollout = rollout_of(sentences(FIXED)[:4], FIXED)
    loss = estimator_of(FIXED, 2).loss(generator, rollout, lambda x, *_: scale * x.float().sum(1))
    (flow,) = torch.autograd.grad(loss.loss, scale, allow_unused=True)
    assert flow is None
    assert trainable == [parameter.requires_grad for parameter in generator.parameters()]


def test_sampled_and_differentiated_without_dropout() -> None:
    config = RnnGeneratorConfig(name="gru", embed=4, hidden=5, dropout=0.6)
    torch.manual_seed(0)
    generator = config.build(FIXED).train()
    rollout, reward = rollout_of(sentences(FIXED), FIXED), SentenceReward(FIXED)
    losses = [estimator_of(FIXED, 9).loss(generator, rollout, reward).loss for _ in range(5)]
    for loss in losses:
        torch.testing.assert_close(loss, losses[0])  # the order of drawing differs
    assert generator.training


@pytest.mark.parametrize("told", [False, True], ids=["plain", "told"])
def test_as_many_sentences_are_scored_as_were_given_or_a_set_for_each_condition(
    told: bool,
) -> None:
    asked: list[int] = []

    def reward(x: Tensor, *_: object) -> Tensor:
        asked.append(len(x))
        return x.float().sum(1)

    generator = ToldTable(FIXED) if told else make_generator("gru", FIXED)
    rollout = rollout_of(sentences(FIXED)[:6], FIXED)
    if told:
        rollout = replace(rollout, cond=torch.tensor([[0], [1]] * 3))
    estimator_of(FIXED, 3).loss(generator, rollout, reward)
    assert asked == [18 if told else 6]


def test_a_batch_has_to_be_whole_sets() -> None:
    estimator = {"name": "unordered_set", "k": 4}
    tiny_experiment({"estimator": estimator, "train.batch_size": 8})
    with pytest.raises(UserError, match=r"estimator.k=4 does not divide train.batch_size=10 .*"):
        tiny_experiment({"estimator": estimator, "train.batch_size": 10})
    with pytest.raises(UserError, match=r"estimator.k=1"):
        tiny_experiment({"estimator": {"name": "unordered_set", "k": 1}})
