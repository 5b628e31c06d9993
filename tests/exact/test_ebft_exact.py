"""Game ebft against enumeration: all sets of n continuations of a prefix.

Features come from the generator's own step loop; nothing here calls `games.ebft` for the truth but
its whitening, which is tested by its covariance.
"""

from itertools import product

import pytest
import torch
import torch.nn.functional as F
from enumeration import assert_same_vector, gradient, log_probs, make_generator, mask_of
from torch import Tensor, nn

from seqgan.core.types import Batch, Rollout, SequenceSpace
from seqgan.estimators.baselines import Baseline, LeaveOneOut, NoBaseline
from seqgan.estimators.score_function import ScoreFunction
from seqgan.games.ebft import Continued, Continuing, FrozenFeatures, MatchingReward, Prefixes

END = 1
SPACE = SequenceSpace(vocab_size=2, length=5, end_id=END)
CONTINUATIONS = torch.tensor([[END, END], [0, END], [0, 0]])
MASK = mask_of(CONTINUATIONS, END)
DIVERSITY = 0.8


def unit_features(frozen: nn.Module, prefix: list[int], maps: dict[str, Tensor]) -> Tensor:
    """`u_KF` of every continuation, from states of the step loop."""
    found = []
    for ids, mask in zip(CONTINUATIONS.tolist(), MASK.tolist(), strict=True):
        out, states = frozen.start(1), []
        for token in [*prefix, *(token for token, counts in zip(ids, mask, strict=True) if counts)]:
            out = frozen.step(torch.tensor([token]), out.state)
            states.append(out.state[0][0])
        found.append(torch.cat(states[len(prefix) :]).mean(0))
    white_KF = (torch.stack(found) - maps["mean"]) @ maps["map"]
    return F.normalize(white_KF, dim=-1).detach()


@pytest.mark.parametrize("samples", [2, 3, 4])
@pytest.mark.parametrize(
    ("baseline", "share"),
    [(NoBaseline(), lambda n: 1.0), (LeaveOneOut(), lambda n: 1 - 1 / (n - 1))],
    ids=["none", "leave_one_out"],
)
def test_the_expected_gradient_is_that_of_the_match(
    samples: int, baseline: Baseline, share: object
) -> None:
    """J = E ⟨u, u_true⟩ − λ/2 |E u|², of whose repulsion leave-one-out takes 1/(n − 1) away."""
    generator, frozen = make_generator("gru", SPACE), make_generator("gru", SPACE, seed=1)
    prefix, true = [0, 0], 1
    ids_BT = torch.randint(2, (60, 5), generator=torch.Generator().manual_seed(0))
    real = Batch(ids_BT, torch.ones_like(ids_BT, dtype=torch.bool))
    features = FrozenFeatures(generator, whiten=True)
    features.begin(frozen, [Prefixes(2, 1, 2).cut(real, 2)])
    prefix_1P = torch.tensor([prefix])
    cut = Continued(prefix_1P, Batch(CONTINUATIONS[true : true + 1], MASK[true : true + 1]))
    writer = Continuing(generator, prefix_1P)
    estimator = ScoreFunction(SPACE, baseline=baseline, samples=samples)

    joined = torch.cat([prefix_1P.expand(len(MASK), -1), CONTINUATIONS], 1)
    p_K = log_probs(generator, joined, END)[:, 2:].sum(1).exp()
    assert float(p_K.detach().sum()) == pytest.approx(1, abs=1e-5)
    u_KF = unit_features(frozen, prefix, features.state_dict())
    mean_F = p_K @ u_KF
    match = mean_F @ u_KF[true] - share(samples) * DIVERSITY / 2 * mean_F.square().sum()

    total = torch.zeros(())
    for rows in product(range(len(MASK)), repeat=samples):
        chosen = list(rows)
        cond = prefix_1P.repeat(samples, 1)
        rollout = Rollout(CONTINUATIONS[chosen], CONTINUATIONS[chosen], MASK[chosen], cond)
        reward = MatchingReward(features, cut, DIVERSITY)
        loss = estimator.loss(writer, rollout, reward).loss
        total = total + p_K[chosen].prod().detach() * loss
    assert_same_vector(gradient(total, generator), gradient(-match, generator), 1e-3)
