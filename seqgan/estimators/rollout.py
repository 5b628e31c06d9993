"""Monte-Carlo rollouts: the value of a prefix is the mean reward of its continuations (SeqGAN).

    G_t = 1/N Σ_n R(x_≤t, continuation n),      G_T = R(x)            (Yu et al. 2017)

A prefix that has ended has one continuation, itself. Deviations from SeqGAN's code: the full
sequence is scored once instead of N times, and the rollout policy is the generator itself (the
published `update_rate` averaging never takes effect there).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from seqgan.core.masks import mask_until_end
from seqgan.core.numbers import check_range
from seqgan.core.types import SharedPrefix
from seqgan.decoding import Ancestral, continuations
from seqgan.estimators.credit import Credit, RewardedRollout
from seqgan.estimators.rewards import as_reward, value_per_sequence


@dataclass(frozen=True)
class Rollout(Credit):
    """A token gets the mean value of `copies` continuations of the sequence up to it.

    The reward is one number per sequence [B]. It is computed for `copies` · (T − 1) + 1 sequences
    per sample of T tokens.

        ScoreFunction(space, credit=Rollout(16))
    """

    copies: int = 16

    def __post_init__(self) -> None:
        check_range(1, whole=True, copies=self.copies)

    def __call__(self, given: RewardedRollout) -> Tensor:
        rollout, space = given.rollout, given.space
        reward, batch = as_reward(given.reward), len(rollout.ids_BT)
        ids_PNBT = continuations(given.generator, space, rollout, self.copies, Ancestral())
        columns = []
        for prefix, ids_NBT in enumerate(ids_PNBT, start=1):
            ids_RT = ids_NBT.flatten(0, 1)
            mask_RT = mask_until_end(ids_RT, space.end_id)
            value_R = value_per_sequence(reward, ids_RT, mask_RT, SharedPrefix(batch, prefix))
            columns.append(value_R.view(self.copies, batch).mean(0))
        columns.append(value_per_sequence(reward, rollout.tokens, rollout.mask_BT))
        return torch.stack(columns, 1)
