"""The sampling loop: its distributions against enumeration, its edges, its lanes, its densities."""

from collections.abc import Callable

import pytest
import torch
from enumeration import (
    GENERATORS,
    PrefixTable,
    ToldTable,
    chi_square_is_plausible,
    index_of,
    log_probs,
    make_generator,
    mask_of,
    sentences,
    step_logits,
)
from torch import Tensor

from seqgan.core.budget import Budget, counting
from seqgan.core.masks import mask_until_end
from seqgan.core.types import DirectGenerator, SequenceSpace
from seqgan.decoding import (
    Ancestral,
    Greedy,
    PrefixBatch,
    decode,
    generate,
    keep_top_k,
    keep_top_p,
    prefix_states,
    sample,
    sample_categorical,
    sample_scored,
    sequence_log_probs,
    token_log_probs,
)

FIXED = SequenceSpace(vocab_size=4, length=3)
ENDING = SequenceSpace(vocab_size=4, length=3, end_id=2)
BOTH = {"fixed": FIXED, "ending": ENDING}


def counts_of(ids_BT: Tensor, space: SequenceSpace) -> Tensor:
    """How often each of the space's distinct sentences occurs; nothing else may occur."""
    index_R = index_of(sentences(space), space.vocab_size)
    counts = index_of(ids_BT, space.vocab_size).bincount(minlength=space.vocab_size**space.length)
    assert int(counts.sum()) == int(counts[index_R].sum()), "a sentence that cannot be"
    return counts[index_R]


def enumerated(
    generator,
    space: SequenceSpace,
    change: Callable[[Tensor], Tensor] = lambda logits: logits.softmax(-1),
) -> Tensor:
    """Probability of every sentence when each step draws from `change(logits_RV)`."""
    ids_RT = sentences(space)
    with torch.no_grad():
        logits_RTV = step_logits(generator, ids_RT)
    prob_RTV = torch.stack([change(logits_RV) for logits_RV in logits_RTV.unbind(1)], 1)
    prob_RT = prob_RTV.gather(-1, ids_RT[..., None]).squeeze(-1)
    prob_R = torch.where(mask_of(ids_RT, space.end_id), prob_RT, 1.0).prod(1)
    assert float(prob_R.sum()) == pytest.approx(1, abs=1e-5)
    return prob_R


def drawn(generator, space: SequenceSpace, draw, rows: int = 30_000) -> Tensor:
    torch.manual_seed(0)
    with torch.no_grad():
        return sample(generator, space, rows, draw).ids_BT


# ── Distributions ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("space", BOTH.values(), ids=BOTH)
@pytest.mark.parametrize("name", GENERATORS)
def test_ancestral_samples_have_the_enumerated_distribution(name, space) -> None:
    generator = make_generator(name, space)
    counts = counts_of(drawn(generator, space, Ancestral()), space)
    assert chi_square_is_plausible(counts, enumerated(generator, space))


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_temperature_divides_the_logits(temperature) -> None:
    generator = make_generator("gru", FIXED)
    counts = counts_of(drawn(generator, FIXED, Ancestral(temperature)), FIXED)
    truth = enumerated(generator, FIXED, lambda logits: (logits / temperature).softmax(-1))
    assert chi_square_is_plausible(counts, truth)
    assert not chi_square_is_plausible(counts, enumerated(generator, FIXED))


def best_k(logits_RV: Tensor, k: int) -> Tensor:
    """Renormalised probabilities of the k most likely tokens, by sorting in Python."""
    result = torch.zeros_like(logits_RV)
    for row, logits in enumerate(logits_RV.tolist()):
        for token in sorted(range(len(logits)), key=lambda v: -logits[v])[:k]:
            result[row, token] = logits_RV[row].softmax(-1)[token]
    return result / result.sum(-1, keepdim=True)


def nucleus(probs_RV: Tensor, p: float) -> Tensor:
    """The smallest set of most likely tokens whose mass reaches p, by a loop."""
    result = torch.zeros_like(probs_RV)
    for row, probs in enumerate(probs_RV.tolist()):
        mass = 0.0
        for token in sorted(range(len(probs)), key=lambda v: -probs[v]):
            if mass >= p:
                break
            result[row, token] = probs[token]
            mass += probs[token]
    return result / result.sum(-1, keepdim=True)


@pytest.mark.parametrize("k", [1, 2, 3, 4, 9])
def test_top_k_draws_from_the_k_most_likely_tokens(k) -> None:
    generator = make_generator("gru", FIXED)
    counts = counts_of(drawn(generator, FIXED, Ancestral(top_k=k), 10_000), FIXED)
    assert chi_square_is_plausible(
        counts, enumerated(generator, FIXED, lambda logits: best_k(logits, k))
    )


@pytest.mark.parametrize("p", [0.05, 0.6, 0.9, 1.0])
def test_top_p_draws_from_the_nucleus(p) -> None:
    generator = make_generator("gru", FIXED)
    counts = counts_of(drawn(generator, FIXED, Ancestral(top_p=p), 10_000), FIXED)
    truth = enumerated(generator, FIXED, lambda logits: nucleus(logits.softmax(-1), p))
    assert chi_square_is_plausible(counts, truth)


def test_temperature_comes_before_top_k_and_top_k_before_top_p() -> None:
    generator = make_generator("gru", FIXED)
    draw = Ancestral(temperature=0.7, top_k=3, top_p=0.8)
    truth = enumerated(generator, FIXED, lambda logits: nucleus(best_k(logits / 0.7, 3), 0.8))
    counts = counts_of(drawn(generator, FIXED, draw, 10_000), FIXED)
    assert chi_square_is_plausible(counts, truth)


def test_the_nucleus_by_hand() -> None:
    probs_BV = torch.tensor([[0.1, 0.5, 0.15, 0.25], [0.1, 0.5, 0.15, 0.25]])
    expected = torch.tensor([[0.0, 0.5, 0.0, 0.25], [0.0, 0.5, 0.0, 0.25]])
    assert torch.equal(keep_top_p(probs_BV, 0.6), expected)
    assert torch.equal(keep_top_p(probs_BV, 0.74), expected)
    assert (keep_top_p(probs_BV, 0.76) > 0).sum(1).tolist() == [3, 3]
    assert (keep_top_p(probs_BV, 1e-6) > 0).sum(1).tolist() == [1, 1]


@pytest.mark.parametrize(("p", "kept"), [(0.5, 1), (0.51, 2), (0.75, 2), (0.76, 3), (0.875, 3)])
def test_the_nucleus_stops_where_its_mass_reaches_p(p: float, kept: int) -> None:
    """Masses that floats hold exactly: 1/2, 3/4, 7/8, 1."""
    found = keep_top_p(torch.tensor([[0.5, 0.25, 0.125, 0.125]]), p)
    assert int((found > 0).sum()) == kept


def test_top_k_by_hand() -> None:
    logits_BV = torch.tensor([[1.0, 3.0, 2.0, 2.0]])
    kept = keep_top_k(logits_BV, 2)  # the tie at the edge stays
    assert kept.isfinite().tolist() == [[False, True, True, True]]
    assert torch.equal(keep_top_k(logits_BV, 4), logits_BV)


@pytest.mark.parametrize("name", GENERATORS)
@pytest.mark.parametrize("space", BOTH.values(), ids=BOTH)
def test_greedy_writes_the_most_likely_token_at_every_step(name, space) -> None:
    generator = make_generator(name, space)
    ids: list[int] = []
    while len(ids) < space.length:
        if space.end_id in ids:
            ids.append(space.end_id)
            continue
        padded = torch.tensor([ids + [0] * (space.length - len(ids))])
        ids.append(int(step_logits(generator, padded)[0, len(ids)].argmax()))
    assert drawn(generator, space, Greedy(), 3).tolist() == [ids] * 3


# ── The categorical draw ──────────────────────────────────────────────────────────────────────

ALMOST_ONE = 1 - 2.0**-24  # rounds to the largest float32 below 1


@pytest.mark.parametrize("uniform", [0.0, 2.0**-24, 0.3, 0.999999, ALMOST_ONE])
@pytest.mark.parametrize("scale", [1.0, 0.3, 1e-3, 7.0])
def test_tokens_of_probability_zero_are_never_drawn(monkeypatch, uniform, scale) -> None:
    """Zeros in front, between and behind, whatever the uniform number and the rounding."""
    torch.manual_seed(0)
    probs_BV = torch.rand(200, 9)
    probs_BV[:, [0, 1, 4, 7, 8]] = 0
    probs_BV = scale * probs_BV / probs_BV.sum(-1, keepdim=True)
    monkeypatch.setattr(torch, "rand", lambda *s, **k: torch.full(s, uniform))
    ids_NB = sample_categorical(probs_BV, 3)
    assert ids_NB.shape == (3, 200)
    assert (probs_BV.gather(1, ids_NB.T) > 0).all()
    if uniform in (0.0, ALMOST_ONE):
        assert (ids_NB == (2 if uniform == 0.0 else 6)).all()


def test_categorical_draws_follow_unnormalised_probabilities() -> None:
    torch.manual_seed(0)
    probs_BV = torch.tensor([[0.0, 3.0, 1.0, 0.0], [0.2, 0.0, 0.0, 0.1]])
    ids_NB = sample_categorical(probs_BV, 20_000)
    for row in range(2):
        assert chi_square_is_plausible(ids_NB[:, row].bincount(minlength=4), probs_BV[row])


@pytest.mark.parametrize("vocab_size", [1, 2, 3, 16, 53, 100, 997])
def test_categorical_draws_are_right_for_every_size_of_vocabulary(vocab_size) -> None:
    """Primes and squares; whole stretches of zeros, the ends among them."""
    torch.manual_seed(0)
    probs_BV = torch.rand(2, vocab_size) ** 3 + 1e-3
    if vocab_size > 10:
        probs_BV[:, :5] = 0
        probs_BV[:, -6:] = 0
        probs_BV[0, vocab_size // 4 : vocab_size // 2] = 0
    ids_NB = sample_categorical(probs_BV, 100_000)
    for row in range(2):
        counts_V = ids_NB[:, row].bincount(minlength=vocab_size)
        assert chi_square_is_plausible(counts_V, probs_BV[row])


def test_the_draw_moves_through_the_vocabulary_as_the_uniform_number_grows(monkeypatch) -> None:
    """The inverse of the CDF itself: u in [Σ_{j<v} p_j, Σ_{j≤v} p_j) gives v, for V = 5,000."""
    torch.manual_seed(0)
    probs_V = torch.rand(5000).double() ** 4
    probs_V = probs_V / probs_V.sum()
    cdf_V = probs_V.cumsum(0)
    uniform_N = torch.linspace(0, 1, 20_001, dtype=torch.double)[:-1]
    # Numbers nearer to a border than float32 resolves may fall on either side of it.
    expected_N = torch.searchsorted(cdf_V, uniform_N, right=True)
    borders = torch.cat([torch.zeros(1).double(), cdf_V])
    below_N, above_N = borders[expected_N], borders[expected_N + 1]
    nearest_N = torch.minimum(uniform_N - below_N, above_N - uniform_N)
    monkeypatch.setattr(torch, "rand", lambda *s, **k: uniform_N.float().view(s))
    ids_N = sample_categorical(probs_V.float()[None], len(uniform_N))[:, 0]
    sure_N = nearest_N > 2e-6
    assert sure_N.float().mean() > 0.9
    assert torch.equal(ids_N[sure_N], expected_N[sure_N])
    assert (ids_N - expected_N).abs().max() <= 3


def test_copies_of_one_row_are_independent() -> None:
    torch.manual_seed(0)
    ids_NB = sample_categorical(torch.full((2, 2), 0.5), 10_000)
    pairs = (2 * ids_NB[:-1, 0] + ids_NB[1:, 0]).bincount(minlength=4)
    assert chi_square_is_plausible(pairs, torch.full((4,), 0.25))
    across = (2 * ids_NB[:, 0] + ids_NB[:, 1]).bincount(minlength=4)
    assert chi_square_is_plausible(across, torch.full((4,), 0.25))


# ── Blocks ─────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def small_blocks(monkeypatch) -> None:
    """Blocks of 256 rows, the least there is."""
    monkeypatch.setattr("seqgan.decoding.loop._BLOCK_LOGITS", 1)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("space", BOTH.values(), ids=BOTH)
@pytest.mark.parametrize("name", GENERATORS)
def test_many_lanes_sample_the_same_distribution(name, space) -> None:
    generator = make_generator(name, space)
    counts = counts_of(drawn(generator, space, Ancestral(), 10_000), space)
    assert chi_square_is_plausible(counts, enumerated(generator, space))


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("name", GENERATORS)
def test_rows_keep_their_order_and_their_state_across_lanes(name) -> None:
    """Greedy continuations have one answer a row: rows that join at columns 1, 2 and 3, too many
    for a lane, must each get the answer of their own prefix."""
    space = SequenceSpace(vocab_size=4, length=5)
    generator = make_generator(name, space)
    torch.manual_seed(1)
    ids_BT = torch.randint(4, (150, 5))
    outs = prefix_states(generator, ids_BT)
    copies = 3
    entries = [PrefixBatch(t, outs[t], copies) for t in (1, 2, 3)]
    with torch.no_grad():
        columns = list(decode(generator, entries, 5, Greedy(), None))
    assert [len(column.ids_R) for column in columns] == [450, 900, 1350, 1350]
    for joined, entry in enumerate(entries):
        alone = ids_BT.clone()
        for t in range(entry.time, 5):
            with torch.no_grad():
                alone[:, t] = step_logits(generator, alone)[:, t].argmax(-1)
        for time in range(entry.time, 5):
            block = columns[time - 1].ids_R[450 * joined : 450 * (joined + 1)]
            assert torch.equal(block.view(copies, 150), alone[:, time].expand(copies, 150))


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("name", GENERATORS)
def test_rows_that_have_ended_leave_and_keep_their_place(name) -> None:
    """Greedy continuations again, of which many end on the way while others still join."""
    space = SequenceSpace(vocab_size=4, length=8, end_id=1)
    generator = make_generator(name, space)
    torch.manual_seed(1)
    ids_BT = torch.randint(4, (300, 8))
    outs = prefix_states(generator, ids_BT)
    going_on_B = torch.rand(300) < 0.6
    entries = [PrefixBatch(t, outs[t], 1, going_on_B) for t in (1, 3, 4)]
    with torch.no_grad(), counting(budget := Budget()):
        columns = list(decode(generator, entries, 8, Greedy(), 1))
    for joined, entry in enumerate(entries):
        alone, alive_B = ids_BT.clone(), going_on_B.clone()
        for time in range(entry.time, 8):
            with torch.no_grad():
                chosen_B = step_logits(generator, alone)[:, time].argmax(-1)
            alone[:, time] = torch.where(alive_B, chosen_B, 1)
            block = slice(300 * joined, 300 * (joined + 1))
            assert torch.equal(columns[time - 1].ids_R[block], alone[:, time])
            assert torch.equal(columns[time - 1].x[block], alone[:, time])
            assert torch.equal(columns[time - 1].alive_R[block], alive_B)
            alive_B &= alone[:, time] != 1
    assert budget.tokens < 0.9 * sum(len(column.ids_R) for column in columns)


def test_a_batch_may_end_before_its_last_column() -> None:
    space = SequenceSpace(vocab_size=4, length=6, end_id=1)
    generator = make_generator("gru", space)
    entry = PrefixBatch(2, generator.start(200), alive_B=torch.zeros(200, dtype=torch.bool))
    with torch.no_grad():
        columns = list(decode(generator, [entry], 6, Ancestral(), 1))
    assert [column.ids_R.tolist() for column in columns] == [[1] * 200] * 4
    assert not any(bool(column.alive_R.any()) for column in columns)


# ── Masks ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", GENERATORS)
def test_the_mask_covers_the_sentence_and_its_end_and_the_rest_holds_ends(name) -> None:
    generator = make_generator(name, ENDING)
    torch.manual_seed(0)
    rollout = sample(generator, ENDING, 500, Ancestral())
    assert torch.equal(rollout.mask_BT, mask_of(rollout.ids_BT, ENDING.end_id))
    assert (rollout.ids_BT[~rollout.mask_BT] == ENDING.end_id).all()
    lengths = rollout.mask_BT.sum(1)
    assert set(lengths.tolist()) == {1, 2, 3}


def test_mask_until_end_by_hand() -> None:
    ids_BT = torch.tensor([[1, 2, 3], [9, 1, 9], [1, 9, 9], [1, 2, 9]])
    expected = [[True, True, True], [True, False, False], [True, True, False], [True, True, True]]
    assert mask_until_end(ids_BT, 9).tolist() == expected
    assert mask_until_end(ids_BT, None).all()


# ── Densities ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("space", BOTH.values(), ids=BOTH)
@pytest.mark.parametrize("name", GENERATORS)
def test_densities_of_all_sentences_sum_to_one(name, space) -> None:
    generator = make_generator(name, space)
    ids_RT = sentences(space)
    logp_R = sequence_log_probs(generator, ids_RT, mask_of(ids_RT, space.end_id))
    assert float(logp_R.double().exp().sum()) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("temperature", [1.0, 0.4])
@pytest.mark.parametrize("space", BOTH.values(), ids=BOTH)
@pytest.mark.parametrize("name", GENERATORS)
def test_token_log_probs_are_log_softmax_and_gather_of_the_step_loop(
    monkeypatch, name, space, temperature
) -> None:
    generator = make_generator(name, space)
    ids_RT = sentences(space)
    mask_RT = mask_of(ids_RT, space.end_id)
    expected_RTV = (step_logits(generator, ids_RT) / temperature).log_softmax(-1)
    expected_RT = expected_RTV.gather(-1, ids_RT[..., None]).squeeze(-1) * mask_RT
    actual_RT = token_log_probs(generator, ids_RT, mask_RT, temperature)
    torch.testing.assert_close(actual_RT, expected_RT, rtol=1e-4, atol=1e-5)
    assert (actual_RT[~mask_RT] == 0).all()
    monkeypatch.setattr("seqgan.decoding.log_probs._BLOCK_LOGITS", 80)  # blocks of 6 rows
    actual_R = sequence_log_probs(generator, ids_RT, mask_RT, temperature)
    torch.testing.assert_close(actual_R, expected_RT.sum(1).detach(), rtol=1e-4, atol=1e-5)
    assert actual_RT.requires_grad
    assert not actual_R.requires_grad


@pytest.mark.parametrize("name", GENERATORS)
def test_cached_steps_equal_the_forward_pass(name) -> None:
    space = SequenceSpace(vocab_size=5, length=6)
    generator = make_generator(name, space)
    ids_BT = torch.randint(5, (7, 6), generator=torch.Generator().manual_seed(0))
    stepped, forward = step_logits(generator, ids_BT), generator(ids_BT)
    torch.testing.assert_close(stepped, forward, rtol=1e-4, atol=1e-5)
    # The target is not shifted: column t does not see token t.
    changed_BT = ids_BT.clone()
    changed_BT[:, 3] = (changed_BT[:, 3] + 1) % 5
    assert torch.equal(generator(changed_BT)[:, :4], forward[:, :4])
    assert not torch.allclose(generator(changed_BT)[:, 4:], forward[:, 4:])


@pytest.mark.parametrize("space", BOTH.values(), ids=BOTH)
@pytest.mark.parametrize("name", GENERATORS)
def test_samples_know_their_own_density(name, space) -> None:
    generator = make_generator(name, space)
    with torch.no_grad():
        rollout, logp_B = sample_scored(generator, space, 300)
    expected_B = sequence_log_probs(generator, rollout.ids_BT, rollout.mask_BT)
    torch.testing.assert_close(logp_B, expected_B)


def test_the_density_of_a_token_is_that_of_what_it_is_drawn_from() -> None:
    logits_BV = torch.tensor([[0.0, 1.0, 3.0, 2.0]])
    drawn = Ancestral(temperature=0.5, top_k=2, scored=True)(logits_BV, 50)
    logp_V = torch.tensor([6.0, 4.0]).log_softmax(0)
    assert drawn.logp_R is not None
    torch.testing.assert_close(drawn.logp_R, logp_V[drawn.ids_R - 2])


def test_samples_and_densities_speak_of_the_same_distribution() -> None:
    """The mean of −log p over samples is the entropy by enumeration."""
    generator = PrefixTable(ENDING)
    rollout_ids = drawn(generator, ENDING, Ancestral(), 40_000)
    mask_BT = mask_of(rollout_ids, ENDING.end_id)
    nll_B = -sequence_log_probs(generator, rollout_ids, mask_BT)
    logp_R = log_probs(generator, sentences(ENDING), ENDING.end_id).sum(1).detach()
    entropy = float(-(logp_R.exp() * logp_R).sum())
    error = float(nll_B.std()) / 200
    assert abs(float(nll_B.mean()) - entropy) < 5 * error


@pytest.mark.parametrize("logits", [1, 60, 10_000])
def test_blocks_of_densities_keep_rows_masks_and_conditions_together(
    logits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks of one row, of a few, of all."""
    generator = ToldTable(ENDING)
    ids_RT = sentences(ENDING)
    cond_R1 = torch.arange(len(ids_RT))[:, None] % 2
    mask_RT = mask_of(ids_RT, ENDING.end_id)
    logits_RTV = generator(ids_RT, cond_R1)
    logp_RT = (logits_RTV / 0.7).log_softmax(-1).gather(-1, ids_RT[..., None])[..., 0]
    monkeypatch.setattr("seqgan.decoding.log_probs._BLOCK_LOGITS", 8 * logits)
    found_R = sequence_log_probs(generator, ids_RT, mask_RT, 0.7, cond_R1)
    torch.testing.assert_close(found_R, (logp_RT * mask_RT).sum(1).detach())


# ── Direct generators ─────────────────────────────────────────────────────────────────────────


class Echo(DirectGenerator):
    """Its sample is its noise and its condition."""

    latent = 2

    def __init__(self) -> None:
        super().__init__()
        self.unused = torch.nn.Parameter(torch.zeros(()))

    def forward(self, z_BL: Tensor, cond: Tensor | None = None) -> Tensor:
        assert cond is not None
        return torch.cat([z_BL, cond], 1)


@pytest.mark.parametrize("rows", [7, 1_000, 2_500])
def test_a_sample_of_any_block_has_its_own_noise_and_condition(rows: int) -> None:
    cond_NA = torch.arange(rows)[:, None]
    torch.manual_seed(0)
    expected_NL = 0.5 * torch.randn(rows, 2)
    torch.manual_seed(0)
    found = generate(Echo(), rows, 0.5, cond_NA)
    assert torch.equal(found, torch.cat([expected_NL, cond_NA], 1))
