"""Samplers and likelihoods of a corrected generator against lists of all sentences."""

import pytest
import torch
from enumeration import (
    PrefixTable,
    ToldTable,
    chi_square_is_plausible,
    index_of,
    log_probs,
    mask_of,
    sentences,
)
from torch import Tensor, nn

from seqgan.core.budget import Budget, counting
from seqgan.core.density_ratio import Calibration
from seqgan.core.errors import UserError
from seqgan.core.types import Batch, Critic, DirectGenerator, Scores, SequenceSpace
from seqgan.decoding.correction import (
    CorrectedGenerator,
    Correction,
    Exact,
    OneOf,
    TooFewAccepted,
    critic_logits,
    generate_corrected,
    sample_corrected,
)

SPACE = SequenceSpace(vocab_size=8, length=4)
ENDED = SequenceSpace(vocab_size=3, length=3, end_id=2)
SCALED = Calibration(alpha=0.7, beta=0.2, offset=0.3, clip=1.5, ceiling=0.4)


class Table(Critic):
    """An arbitrary logit for every sentence. It drops half of its inputs while it trains."""

    def __init__(self, space: SequenceSpace, seed: int = 5) -> None:
        super().__init__()
        self._vocab_size = space.vocab_size
        stream = torch.Generator().manual_seed(seed)
        self.table = torch.randn(space.vocab_size**space.length, generator=stream)
        self.dropout = nn.Dropout(0.5)

    def forward(self, x: Tensor, mask: Tensor | None = None, cond: Tensor | None = None) -> Scores:
        return Scores(self.dropout(self.table[index_of(x, self._vocab_size)]))


class Listed:
    """A generator with a correction, and everything about both by sums over all sentences."""

    def __init__(self, space: SequenceSpace, calibration: Calibration = SCALED) -> None:
        self.space = space
        self.generator = PrefixTable(space, seed=1, sharpness=0.8).eval()
        self.critic = Table(space)
        self.correction = Correction(self.critic, calibration)
        self.ids_RT = sentences(space)
        self.mask_RT = mask_of(self.ids_RT, space.end_id)
        with torch.no_grad():
            logp_RT = log_probs(self.generator, self.ids_RT, space.end_id)
        self.logg_R = logp_RT.sum(1).double()
        d_R = self.critic.table[index_of(self.ids_RT, space.vocab_size)].double()
        raw_R = calibration.alpha * d_R + calibration.beta * self.logg_R + calibration.offset
        low, high = -calibration.clip, calibration.limits[1]
        self.f_R = raw_R.clamp(low, high)
        weight_R = self.logg_R.exp() * self.f_R.exp()
        self.z = float(weight_R.sum())
        self.prob_R = weight_R / self.z

    def counts(self, ids_BT: Tensor) -> Tensor:
        """How often each sentence was drawn."""
        cells = self.space.vocab_size**self.space.length
        number_B = index_of(ids_BT, self.space.vocab_size)
        return number_B.bincount(minlength=cells)[index_of(self.ids_RT, self.space.vocab_size)]

    def one_of(self, n: int) -> Tensor:
        """P(x) where 1 of n samples is kept by weights, n ≤ 3: a sum over all rivals."""
        e_R, g_R = self.f_R.exp(), self.logg_R.exp()
        if n == 1:
            return g_R
        rivals = torch.cartesian_prod(*[torch.arange(len(e_R))] * (n - 1)).view(-1, n - 1)
        prob = g_R[rivals].prod(1)
        shares = e_R[:, None] / (e_R[:, None] + e_R[rivals].sum(1))
        return n * g_R * (shares @ prob)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


# ── Log weights ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("space", [SPACE, ENDED], ids=["fixed", "ended"])
def test_the_log_weight_is_the_clipped_sum(space: SequenceSpace) -> None:
    listed = Listed(space)
    batch = Batch(listed.ids_RT, listed.mask_RT)
    found_R = listed.correction.log_weight(listed.generator, batch)
    torch.testing.assert_close(found_R, listed.f_R, atol=1e-5, rtol=0)
    assert (float(found_R.min()), float(found_R.max())) == SCALED.limits, "some are clipped"


def test_a_critic_scores_without_dropout_and_is_counted() -> None:
    critic, ids_RT = Table(SPACE).train(), sentences(SPACE)
    budget = Budget()
    with counting(budget):
        d_R = critic_logits(critic, Batch(ids_RT, mask_of(ids_RT, None)))
    assert torch.equal(d_R, critic.table)
    assert critic.training
    assert budget.critic_calls == 4_096


def test_scores_per_step_are_averaged() -> None:
    class Steps(Critic):
        def forward(
            self, x: Tensor, mask: Tensor | None = None, cond: Tensor | None = None
        ) -> Scores:
            return Scores(x.float(), mask)

    ids_RT = torch.tensor([[0, 1, 2], [1, 2, 2]])
    d_R = critic_logits(Steps(), Batch(ids_RT, mask_of(ids_RT, 2)))
    assert d_R.tolist() == [1.0, 1.5]


# ── Samplers ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("space", [SPACE, ENDED], ids=["fixed", "ended"])
def test_rejection_draws_from_the_corrected_distribution(space: SequenceSpace) -> None:
    listed = Listed(space)
    found = sample_corrected(listed.generator, listed.correction, space, 30_000, Exact())
    assert found.rollout.ids_BT.shape == (30_000, space.length)
    assert chi_square_is_plausible(listed.counts(found.rollout.ids_BT), listed.prob_R)
    assert torch.equal(found.rollout.mask_BT, mask_of(found.rollout.ids_BT, space.end_id))
    expected = listed.z * Tensor([-SCALED.limits[1]]).exp().item()
    assert found.acceptance == pytest.approx(expected, rel=0.05)


def test_the_test_sees_the_generator_itself() -> None:
    listed = Listed(SPACE)
    plain = sample_corrected(
        listed.generator,
        Correction(listed.critic, Calibration(0, 0, 0, 1)),
        SPACE,
        30_000,
        OneOf(1),
    )
    assert not chi_square_is_plausible(listed.counts(plain.rollout.ids_BT), listed.prob_R)
    assert chi_square_is_plausible(listed.counts(plain.rollout.ids_BT), listed.logg_R.exp())


@pytest.mark.parametrize("n", [1, 2, 3])
def test_one_of_n_has_its_own_distribution(n: int) -> None:
    listed = Listed(ENDED)
    prob_R = listed.one_of(n)
    assert float(prob_R.sum()) == pytest.approx(1)
    found = sample_corrected(listed.generator, listed.correction, ENDED, 30_000, OneOf(n))
    assert found.acceptance == pytest.approx(1 / n)
    assert chi_square_is_plausible(listed.counts(found.rollout.ids_BT), prob_R)
    if n > 1:
        assert not chi_square_is_plausible(listed.counts(found.rollout.ids_BT), listed.prob_R)


@pytest.mark.parametrize("rule", [Exact(), OneOf(2)], ids=["exact", "one of 2"])
def test_every_condition_gets_its_own_sample(rule: Exact | OneOf) -> None:
    generator, critic = ToldTable(ENDED).eval(), Table(ENDED)
    correction = Correction(critic, SCALED)
    cond = torch.arange(2).repeat(10_000)[:, None]
    found = sample_corrected(generator, correction, ENDED, len(cond), rule, cond)
    assert found.rollout.cond is cond
    for kind in (0, 1):
        listed = Listed(ENDED)
        listed.generator = generator.tables[kind]
        with torch.no_grad():
            listed.logg_R = log_probs(listed.generator, listed.ids_RT, 2).sum(1).double()
        d_R = critic.table[index_of(listed.ids_RT, 3)].double()
        listed.f_R = SCALED.log_weight(d_R, listed.logg_R)
        weight_R = (listed.logg_R + listed.f_R).exp()
        prob_R = weight_R / weight_R.sum() if isinstance(rule, Exact) else listed.one_of(2)
        counts_R = listed.counts(found.rollout.ids_BT[cond[:, 0] == kind])
        assert chi_square_is_plausible(counts_R, prob_R)
        assert int(counts_R.sum()) == 10_000


class Prefers(Critic):
    """Its logit is that of the condition: −10 for the second one."""

    def forward(self, x: Tensor, mask: Tensor | None = None, cond: Tensor | None = None) -> Scores:
        assert cond is not None
        return Scores(torch.where(cond[:, 0] == 1, -10.0, 0.0))


def test_a_prompt_of_rarely_accepted_samples_is_tried_in_large_batches() -> None:
    correction = Correction(Prefers(), Calibration(0.7, 0, 0, clip=20, ceiling=0))
    cond, drawn = (torch.arange(201) == 100).long()[:, None], list[int]()
    found = sample_corrected(
        ToldTable(ENDED).eval(), correction, ENDED, 201, Exact(), cond, drawn.append
    )
    assert found.rollout.ids_BT.shape == (201, 3)
    assert sum(drawn) > 500
    assert len(drawn) < 30


def test_a_prompt_of_refused_samples_ends_with_a_remedy() -> None:
    correction = Correction(Prefers(), Calibration(2, 0, 0, clip=20, ceiling=0))
    cond = torch.arange(2).repeat(5)[:, None]
    with pytest.raises(TooFewAccepted, match=r"got 5 of 10 from [\d,]+ samples; keep 1 of 16"):
        sample_corrected(ToldTable(ENDED).eval(), correction, ENDED, 10, Exact(50), cond)


def test_behind_prompts_one_of_n_has_no_likelihood_and_nothing_is_greedy() -> None:
    generator, correction = ToldTable(ENDED).eval(), Correction(Prefers(), SCALED)
    ids_RT, cond = sentences(ENDED), torch.zeros(len(sentences(ENDED)), 1).long()
    batch = Batch(ids_RT, mask_of(ids_RT, 2), cond)
    for rule, known in ((Exact(), True), (OneOf(2), False)):
        writer = CorrectedGenerator(generator, correction, ENDED, rule, torch.zeros(10))
        assert (writer.log_probs(batch) is not None) == known
        assert writer.greedy(cond) is None  # type: ignore[func-returns-value]


def test_rejection_that_keeps_nothing_ends_with_a_remedy() -> None:
    listed = Listed(ENDED, Calibration(alpha=0, beta=0, offset=-8, clip=20))
    with pytest.raises(UserError, match="keep 1 of 16 samples instead") as caught:
        sample_corrected(listed.generator, listed.correction, ENDED, 20, Exact())
    assert "\n" not in str(caught.value)


# ── Likelihood ────────────────────────────────────────────────────────────────────────────────


def measured(listed: Listed, rule: Exact | OneOf, rows: int = 200_000) -> CorrectedGenerator:
    fake = listed.logg_R.exp().multinomial(rows, replacement=True)
    f_fake_M = listed.f_R[fake]
    return CorrectedGenerator(listed.generator, listed.correction, listed.space, rule, f_fake_M)


@pytest.mark.parametrize("space", [SPACE, ENDED], ids=["fixed", "ended"])
def test_the_likelihood_is_normalised_and_credited_to_the_last_token(space: SequenceSpace) -> None:
    listed = Listed(space)
    corrected = measured(listed, Exact())
    logp_RT = corrected.log_probs(Batch(listed.ids_RT, listed.mask_RT))
    error_R = logp_RT.sum(1) - listed.prob_R.log()
    assert float(error_R.abs().max()) < 0.01
    assert float(error_R.std()) < 1e-5, "log Z is one number"
    with torch.no_grad():
        plain_RT = log_probs(listed.generator, listed.ids_RT, space.end_id).double()
    changed_RT = (logp_RT - plain_RT).abs() > 1e-5
    last_R1 = listed.mask_RT.sum(1, keepdim=True) - 1
    assert not changed_RT.scatter(1, last_R1, False).any()
    assert float(changed_RT.gather(1, last_R1).float().mean()) > 0.9


def test_of_one_of_n_the_likelihood_is_a_lower_bound() -> None:
    listed = Listed(ENDED)
    for n in (2, 3):
        logp_RT = measured(listed, OneOf(n), 6_000).log_probs(Batch(listed.ids_RT, listed.mask_RT))
        gap_R = listed.one_of(n).log() - logp_RT.sum(1)
        assert float(gap_R.min()) > 0
        assert float(gap_R.max()) < 0.3


def test_it_samples_by_its_rule() -> None:
    listed = Listed(ENDED)
    for rule, prob_R in ((Exact(), listed.prob_R), (OneOf(2), listed.one_of(2))):
        ids_BT = measured(listed, rule, 100).sample(20_000).ids_BT
        assert chi_square_is_plausible(listed.counts(ids_BT), prob_R)


# ── Without a density ─────────────────────────────────────────────────────────────────────────


class Normal(DirectGenerator):
    latent = 1

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, z_BL: Tensor, cond: Tensor | None = None) -> Tensor:
        return z_BL * self.scale


class Slope(Critic):
    def forward(self, x: Tensor, mask: Tensor | None = None, cond: Tensor | None = None) -> Scores:
        return Scores(x[:, 0])


@pytest.mark.parametrize(
    ("rule", "error"), [(Exact(), 0.03), (OneOf(200), 0.05)], ids=["exact", "one of 200"]
)
def test_a_direct_generator_is_corrected_by_the_critic_alone(
    rule: Exact | OneOf, error: float
) -> None:
    """N(0, 1)·e^{x/2} is N(½, 1), less what the ceiling takes away."""
    correction = Correction(Slope(), Calibration(alpha=0.5, beta=0, offset=0, clip=5, ceiling=1.5))
    x_BD, acceptance = generate_corrected(Normal().eval(), correction, 10_000, rule)
    grid = torch.linspace(-8, 8, 20_001)
    density = (-grid.square() / 2 + (grid / 2).clamp(max=1.5)).exp()
    truth = float((grid * density).sum() / density.sum())
    assert float(x_BD.mean()) == pytest.approx(truth, abs=error)
    assert 0 < acceptance < 1
