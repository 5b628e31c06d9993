"""Demonstrations: real sentences among the generator's samples, with a constant reward.

    first ⌊share_v · B⌉ rows of a batch: real sentences with reward `reward`;  the rest: samples
    share_v = share.at(v),   v = former steps of the phase `generator`

TextGAIL (Wu et al. 2021) mixes them into the samples of PPO, so that a generator whose samples are
all bad still learns from good ones (official code: share .2, reward 2). The estimator treats them
as if the generator had written them: with likelihood ratios from the generator as it was when the
batch was made, and in the same baseline. With score functions they are a likelihood loss weighted
by `reward` − baseline. Rewards of continuations, and of each step, are constant too.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from seqgan.core.plain import StateDict
from seqgan.core.schedule import Schedule
from seqgan.core.types import Batch, Reward, Rollout, SharedPrefix


class Demonstrations:
    """`share` of each batch, by former batches; their number is in checkpoints as `visits`."""

    def __init__(self, share: Schedule[float], reward: float = 2.0) -> None:
        self._share = share
        self._reward = reward
        self._visits = 0

    def mix(self, rollout: Rollout, real: Batch, reward: Reward) -> tuple[Rollout, Reward]:
        """The samples with real sentences in their first rows, and the reward of all of them.

        Row b of `real` has the condition of row b of `rollout`, where there are any.
        """
        batch = len(rollout.ids_BT)
        share = self._share.at(self._visits)
        self._visits += 1
        rows = round(share * batch)
        if not rows:
            return rollout, reward
        assert real.mask is not None, "sequences have masks"
        ids_BT = torch.cat([real.x[:rows], rollout.ids_BT[rows:]])
        mask_BT = torch.cat([real.mask[:rows], rollout.mask_BT[rows:]])
        mixed = Rollout(ids_BT, ids_BT, mask_BT, rollout.cond)
        return mixed, _PartlyConstant(reward, batch, rows, self._reward)

    def state_dict(self) -> StateDict:
        return {"visits": self._visits}

    def load_state_dict(self, state: StateDict) -> None:
        self._visits = state["visits"]


@dataclass(frozen=True, slots=True)
class _PartlyConstant:
    """A reward that is `value` in the first `rows` of each block of `batch` rows."""

    reward: Reward
    batch: int
    rows: int
    value: float

    def __call__(
        self, x: Tensor, mask: Tensor | None, shared: SharedPrefix | None = None
    ) -> Tensor:
        value = self.reward(x, mask, shared)
        blocks = value.unflatten(0, (-1, self.batch))
        real_B = torch.arange(self.batch, device=value.device) < self.rows
        real = real_B.view(1, self.batch, *[1] * (value.dim() - 1))
        return torch.where(real, self.value, blocks).flatten(0, 1)
