"""Group-relative policy optimisation: a group's mean reward is the baseline of each of its members.

    A_i = (R_i − mean(R)) / std(R)                over the K samples of one condition
    loss = −1/K Σ_i 1/|x_i| Σ_t min( ρ_it A_i, clip(ρ_it, 1 − ε, 1 + ε) A_i )    (Shao et al. 2024)

with the ratios ρ of `ppo.py`. Unconditional generators have one group, the batch. `normalised:
false` divides by neither the deviation nor the length (Dr. GRPO, Liu et al. 2025): its first
gradient has expectation (1 − 1/K) ∇ E[R], since the mean includes the sample itself.

Biased otherwise: the deviation couples the samples, and 1/|x_i| favours short sentences.

Deviations: the KL to a reference model is the game's (`games/trust_region.py`); std has a floor of
1e-5 of the largest reward, so that rounding errors of equal rewards are not blown up; the outer
mean is over samples. Adversarial black-box distillation (Ye et al. 2025) trains the student so.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from seqgan.core.modes import frozen
from seqgan.core.numbers import check_range
from seqgan.core.types import Generator, Reward, RewardTerm, Rollout, SampleRequest
from seqgan.estimators.base import SequenceEstimator, Surrogate, hard_samples
from seqgan.estimators.baselines import flat_groups
from seqgan.estimators.ppo import ClippedUpdates
from seqgan.estimators.rewards import total_reward


@dataclass(eq=False)
class Grpo(SequenceEstimator):
    """Rewards compared within groups, clipped ratios; see the module's docstring.

    `samples` are the members K of each condition's group (1: the batch is one group), `clip` is ε,
    `epochs` the updates from one batch (`Surrogate.next_epoch`).

        Grpo(space, samples=8, normalised=False)
    """

    samples: int = 1
    normalised: bool = True
    clip: float = 0.2
    epochs: int = 1

    def __post_init__(self) -> None:
        check_range(0, 1, clip=self.clip)
        check_range(1, whole=True, samples=self.samples, epochs=self.epochs)

    def sample(self, generator: Generator, request: SampleRequest) -> Rollout:
        """Hard sequences without gradient: row n·B + b is member n of the group of condition b."""
        return hard_samples(generator, self.space, request, self.samples)

    def loss(
        self, generator: Generator, rollout: Rollout, reward: Reward, *terms: RewardTerm
    ) -> Surrogate:
        with torch.no_grad(), frozen(generator):
            value_B = total_reward(reward, terms)(rollout.tokens, rollout.mask_BT)
        groups = value_B.view(self.samples if self.samples > 1 else len(value_B), -1)
        advantage_B = self._compare(groups)
        stats = {
            "flat_groups": flat_groups(groups[..., None]),
            "return": value_B.mean(),
            "advantage_rms": advantage_B.square().mean().sqrt(),
            "length": rollout.mask_BT.sum(1).float().mean(),
        }
        advantage_B1 = advantage_B[:, None]
        updates = ClippedUpdates(generator, rollout, advantage_B1, self.clip, self.normalised)
        first = updates.surrogate(self.epochs)
        return replace(first, stats=stats | first.stats)

    def _compare(self, groups: Tensor) -> Tensor:
        """`advantage_B`: each value against its group's; groups are columns."""
        centred = groups - groups.mean(0)
        if self.normalised:
            floor = (1e-5 * groups.abs().max()).clamp(min=torch.finfo(torch.float32).tiny)
            centred = centred / (centred.square().mean(0).sqrt() + floor)
        return centred.flatten()
