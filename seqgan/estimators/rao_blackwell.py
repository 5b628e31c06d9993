"""Rao-Blackwell: at each step the likeliest tokens are summed over, and one of the rest is drawn.

With an ordinary sentence x, and for each of its columns t the set C_t of the k likeliest tokens
after x_<t, of mass m_t, and r_t drawn from the other tokens in proportion to π:

    ∇E[R] = E Σ_t [ Σ_{a ∈ C_t} (R_a − b) ∇π(a | x_<t) + (1 − m_t) (R_r − b) ∇log π(r_t | x_<t) ]

R_a is the reward of the sentence x_<t, a, continued by one fresh ancestral sample; b = R(x) is
that of the sentence itself (Liu, Regier, Tripuraneni, Jordan & McAuliffe 2019, for one discrete
variable). C_t, m_t, r_t, R and b carry no gradient.

Unbiased: ∇E[R] = E Σ_t Σ_a Q(x_<t, a) ∇π(a | x_<t) (the policy gradient theorem), and given x_<t
R_a has the mean Q(x_<t, a), while Σ_{a ∉ C} Q ∇π = (1 − m) E_r[Q(x_<t, r) ∇log π(r)]. What is
multiplied with b has the mean Σ_a ∇π(a) = 0 given x_<t, and is independent of b, which depends on
x_≥t.

Cost: (k + 1)·T + 1 critic evaluations a sentence (k·T + 1 where k ≥ V), against 1 of REINFORCE.
T is the longest sentence of the batch on a CPU, else all columns.

Deviations from the paper: sequences, step by step, with sampled futures; one k for all steps (the
paper chooses it from the masses too) and one draw of the rest; the baseline b.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from seqgan.core.budget import count_tokens
from seqgan.core.masks import longest, mask_until_end, masked_mean
from seqgan.core.modes import evaluating, frozen
from seqgan.core.numbers import check_range
from seqgan.core.tree import repeat_rows
from seqgan.core.types import (
    Generator,
    Reward,
    RewardTerm,
    Rollout,
    SequenceSpace,
    SharedPrefix,
    StepOut,
)
from seqgan.decoding import Ancestral, PrefixBatch, decode, prefix_states, sample_categorical
from seqgan.estimators.base import SequenceEstimator, Surrogate
from seqgan.estimators.rewards import total_reward


@dataclass(eq=False)
class RaoBlackwell(SequenceEstimator):
    """See the module's docstring: RaoBlackwell(space, k=1)."""

    k: int = 1

    def __post_init__(self) -> None:
        check_range(1, whole=True, k=self.k)

    def loss(
        self, generator: Generator, rollout: Rollout, reward: Reward, *terms: RewardTerm
    ) -> Surrogate:
        ids_BT, mask_BT = rollout.ids_BT, rollout.mask_BT
        total = total_reward(reward, terms)
        with torch.no_grad(), frozen(generator):
            value_B = total(rollout.tokens, mask_BT)
            outs = prefix_states(generator, ids_BT[:, : longest(mask_BT)], rollout.cond)
            actions = choose_actions(outs, mask_BT, self.k, self.space.end_id)
            ids_TRT = sentences_of(generator, self.space, rollout, outs, actions.ids_TNB)
            value_TNB = self._values(ids_TRT, actions, total)
        advantage_TNB = value_TNB - value_B
        with evaluating(generator):
            logp_TNB = _log_probs(generator, rollout, actions.ids_TNB)
        # A token that cannot come weighs 0, and its log-probability is −∞.
        logp_TNB = logp_TNB.masked_fill(actions.weight_TNB == 0, 0.0)
        loss = -(actions.weight_TNB * advantage_TNB * logp_TNB).sum() / len(ids_BT)
        stats = {
            "return": value_B.mean(),
            "summed_mass": masked_mean(actions.mass_TB, mask_BT.T[: len(outs)]),
            "length": mask_BT.sum(1).float().mean(),
        }
        return Surrogate(loss, stats)

    def _values(self, ids_TRT: Tensor, actions: "Actions", total: Callable[..., Tensor]) -> Tensor:
        """`R_TNB` of the sentences of all actions."""
        _, copies, batch = actions.ids_TNB.shape
        columns = []
        for time, ids_RT in enumerate(ids_TRT):
            mask_RT = mask_until_end(ids_RT, self.space.end_id)
            value_R = total(ids_RT, mask_RT, SharedPrefix(batch, time))
            columns.append(value_R.view(copies, batch))
        return torch.stack(columns)


@dataclass(frozen=True, slots=True)
class Actions:
    """The tokens that are tried at each column, N of them: the likeliest, then one of the rest."""

    ids_TNB: Tensor
    """Behind the end of the sentence: the end token."""
    weight_TNB: Tensor
    """π(a) of the likeliest, the mass of the rest; 0 behind the end."""
    mass_TB: Tensor
    """That of the likeliest together."""


def choose_actions(outs: Sequence[StepOut], mask_BT: Tensor, k: int, end_id: int | None) -> Actions:
    """`outs` are the distributions of the first columns. Where k is V or more there is no rest."""
    probs_TBV = torch.stack([out.logits_BV for out in outs]).float().softmax(-1)
    top_TBK, ids_TBN = probs_TBV.topk(min(k, probs_TBV.shape[-1]), dim=-1)
    weight_TBN = top_TBK
    if k < probs_TBV.shape[-1]:
        rest_TBV = probs_TBV.scatter(-1, ids_TBN, 0.0)
        drawn_TB1 = sample_categorical(rest_TBV.flatten(0, 1), 1).view(*ids_TBN.shape[:2], 1)
        ids_TBN = torch.cat([ids_TBN, drawn_TB1], -1)
        # Summed, not 1 − m: a small mass keeps its digits.
        weight_TBN = torch.cat([top_TBK, rest_TBV.sum(-1, keepdim=True)], -1)
    counts_TB1 = mask_BT.T[: len(outs), :, None]
    if end_id is not None:
        ids_TBN = ids_TBN.masked_fill(~counts_TB1, end_id)
    return Actions(
        ids_TBN.transpose(1, 2), (weight_TBN * counts_TB1).transpose(1, 2), top_TBK.sum(-1)
    )


def sentences_of(
    generator: Generator,
    space: SequenceSpace,
    rollout: Rollout,
    outs: Sequence[StepOut],
    ids_TNB: Tensor,
) -> Tensor:
    """`ids_TRT`: entry [t, n·B + b] is sentence b up to column t, then action n, then a sample.

    Actions behind the end of a sentence leave it as it is.
    """
    columns, copies, _ = ids_TNB.shape
    ids_TRT = rollout.ids_BT.repeat(columns, copies, 1)
    entries = []
    for time, (out, ids_NB) in enumerate(zip(outs, ids_TNB, strict=True)):
        ids_R = ids_NB.flatten()
        ids_TRT[time, :, time] = ids_R
        count_tokens(len(ids_R))
        if time + 1 < space.length:
            goes_on_R = torch.ones_like(ids_R, dtype=torch.bool)
            if space.end_id is not None:
                goes_on_R = ids_R != space.end_id
            out = generator.step(ids_R, repeat_rows(out.state, copies))
            entries.append(PrefixBatch(time + 1, out, 1, goes_on_R))
    if entries:
        rows_RT = ids_TRT.view(-1, space.length)
        drawn = decode(generator, entries, space.length, Ancestral(), space.end_id)
        for time, column in enumerate(drawn, start=1):
            rows_RT[: len(column.ids_R), time] = column.ids_R
    return ids_TRT


def _log_probs(generator: Generator, rollout: Rollout, ids_TNB: Tensor) -> Tensor:
    """`logp_TNB` of the actions, after the sentence's own tokens. Keeps gradients."""
    logits_BTV: Tensor = generator(rollout.ids_BT, rollout.cond).float()
    logp_TBV = logits_BTV.log_softmax(-1).transpose(0, 1)[: len(ids_TNB)]
    return logp_TBV.gather(-1, ids_TNB.transpose(1, 2)).transpose(1, 2)
