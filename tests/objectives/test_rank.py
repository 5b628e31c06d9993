"""Ranks against the published formula, one sentence, one reference at a time."""

from math import exp, log

import pytest
import torch
from torch import Tensor

from seqgan.core.types import Scores
from seqgan.objectives.rank import Rank

GAMMA, REFERENCES = 3.0, 2
RANK = Rank(gamma=GAMMA, references=REFERENCES)


def rows(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def scores(features_RF: Tensor) -> Scores:
    return Scores(torch.zeros(len(features_RF)), features_BF=features_RF)


def cosine(a: Tensor, b: Tensor) -> float:
    return float(a @ b / (a.norm() * b.norm()))


def rank(sample: Tensor, references_UF: Tensor, beside_CF: Tensor) -> float:
    """R(s | U, C): a softmax over C and s itself."""
    total = 0.0
    for u in references_UF:
        own = exp(GAMMA * cosine(sample, u))
        total += own / (own + sum(exp(GAMMA * cosine(other, u)) for other in beside_CF))
    return total / len(references_UF)


REAL_BF = rows(0, 5, 3)
FAKE_BF = rows(1, 5, 3)
U, OTHERS = REAL_BF[:REFERENCES], REAL_BF[REFERENCES:]


def test_the_value_is_the_log_rank_among_real_samples() -> None:
    value_R = RANK.reward(scores(rows(2, 10, 3)), scores(REAL_BF))
    expected = [log(rank(s, U, OTHERS)) for s in rows(2, 10, 3)]
    assert value_R.tolist() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("blocks", [1, 2])
def test_the_critics_loss_ranks_real_beside_generated_and_generated_beside_real(
    blocks: int,
) -> None:
    fake_RF = rows(3, blocks * 5, 3)
    real_part = [-log(rank(r, U, block)) for block in fake_RF.split(5) for r in OTHERS]
    fake_part = [-log(1 - rank(f, U, OTHERS)) for f in fake_RF]
    expected = sum(real_part) / len(real_part) + sum(fake_part) / len(fake_part)
    loss = RANK.critic_loss(scores(REAL_BF), scores(fake_RF))
    assert float(loss) == pytest.approx(expected, rel=1e-5)


def test_a_samples_rank_does_not_depend_on_other_candidates() -> None:
    """Texygen's softmax over the batch of candidates makes it fall when others get better."""
    better = FAKE_BF.clone()
    better[1:] = U[0]
    before, after = (RANK.reward(scores(x), scores(REAL_BF)) for x in (FAKE_BF, better))
    torch.testing.assert_close(before[0], after[0])
    assert (after[1:] > before[1:]).all()


def test_the_rank_is_independent_of_the_length_of_features() -> None:
    longer = RANK.reward(scores(5 * FAKE_BF), scores(0.1 * REAL_BF))
    torch.testing.assert_close(longer, RANK.reward(scores(FAKE_BF), scores(REAL_BF)))


def test_a_generated_sample_that_fits_all_references_keeps_its_gradient() -> None:
    """R is 1 in float32, and log(1 − R) would be −∞."""
    sharp = Rank(gamma=200.0, references=1)
    real_BF = torch.tensor([[1.0, 0.0], [-1.0, 0.1]])
    fake_BF = torch.tensor([[1.0, 0.1], [0.5, 0.8]], requires_grad=True)
    loss = sharp.critic_loss(scores(real_BF), scores(fake_BF))
    (slope,) = torch.autograd.grad(loss, fake_BF)
    assert loss.isfinite()
    assert slope[0].norm() > 0.1


def test_the_critic_ranks_better_after_a_step() -> None:
    real_BF, fake_BF = REAL_BF.clone().requires_grad_(), FAKE_BF.clone().requires_grad_()
    loss = RANK.critic_loss(scores(real_BF), scores(fake_BF))
    slopes = torch.autograd.grad(loss, (real_BF, fake_BF))
    real_BF, fake_BF = (
        (x - 0.2 * slope).detach() for x, slope in zip((real_BF, fake_BF), slopes, strict=True)
    )
    before = sum(rank(r, U, FAKE_BF) for r in OTHERS) - sum(rank(f, U, OTHERS) for f in FAKE_BF)
    u, others = real_BF[:REFERENCES], real_BF[REFERENCES:]
    after = sum(rank(r, u, fake_BF) for r in others) - sum(rank(f, u, others) for f in fake_BF)
    assert after > before + 1e-3


def test_kinds_of_fakes_enter_with_their_shares() -> None:
    real, fake, wrong = scores(REAL_BF), scores(FAKE_BF), scores(rows(4, 5, 3))
    loss = RANK.critic_loss(real, fake, wrong, shares=(0.6, 0.4))
    alone = [RANK.critic_loss(real, kind) for kind in (fake, wrong)]
    torch.testing.assert_close(loss, 0.6 * alone[0] + 0.4 * alone[1])
