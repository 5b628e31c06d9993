"""Proximal policy optimisation: several updates from one batch of samples, with clipped ratios.

    ρ_t = p(x_t | x_<t) / p_old(x_t | x_<t)
    loss = −1/B Σ_b Σ_t min( ρ_t A_t, clip(ρ_t, 1 − ε, 1 + ε) A_t )      (Schulman et al. 2017)

p_old is the generator that wrote the samples, A the advantages of `score_function.py`. In the first
update ρ = 1, so its gradient is the score function's; later ones are biased where they clip.

Deviations: all epochs use the whole batch (no minibatches); the sum over time stays a sum, so that
the first gradient is that of E[R]; a KL term is the game's; a learned baseline is updated once per
batch. TextGAIL (Wu et al. 2021) uses it on text.
"""

from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from seqgan.core.masks import masked_mean
from seqgan.core.modes import evaluating
from seqgan.core.numbers import check_range
from seqgan.core.types import Generator, Reward, RewardTerm, Rollout
from seqgan.decoding import token_log_probs
from seqgan.estimators.base import Surrogate
from seqgan.estimators.score_function import ScoreFunction, step_entropy


@dataclass(eq=False)
class Ppo(ScoreFunction):
    """The advantages of a score function for several updates; see the module's docstring.

    `clip` is ε, `epochs` the updates from one batch, by `Surrogate.next_epoch`.

        Ppo(space, credit=Rollout(16), clip=0.2, epochs=2)
    """

    clip: float = 0.2
    epochs: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(0, 1, clip=self.clip)
        check_range(1, whole=True, epochs=self.epochs)

    def loss(
        self, generator: Generator, rollout: Rollout, reward: Reward, *terms: RewardTerm
    ) -> Surrogate:
        found = self.advantages(generator, rollout, reward, *terms)
        updates = ClippedUpdates(
            generator, rollout, found.total_BT, self.clip, entropy_bonus=self.entropy_bonus
        )
        first = updates.surrogate(self.epochs)
        return replace(first, stats=found.stats | first.stats, baseline_loss=found.baseline_loss)


class ClippedUpdates:
    """Updates from one batch of samples: raises min(ρA, clip(ρ)A), summed over the tokens of a
    sentence (`per_token`: averaged), and the mean entropy with its weight.

    `advantage_BT` is [B, T] or [B, 1].
    """

    def __init__(
        self,
        generator: Generator,
        rollout: Rollout,
        advantage_BT: Tensor,
        clip: float,
        per_token: bool = False,
        entropy_bonus: float = 0.0,
    ) -> None:
        self._generator = generator
        self._rollout = rollout
        self._advantage_BT = advantage_BT
        self._clip = clip
        self._per_token = per_token
        self._entropy_bonus = entropy_bonus
        # The teacher-forced pass, as in every update: where its rounding differs from the sampling
        # loop's, the first ratio would not be 1.
        with torch.no_grad(), evaluating(generator):
            self._old_BT = self._log_probs()

    def surrogate(self, epochs: int) -> Surrogate:
        """The loss of one update, which leads to the next while there are epochs left."""
        mask_BT = self._rollout.mask_BT
        with evaluating(self._generator):
            ratio_BT = (self._log_probs() - self._old_BT).exp()
            bounded_BT = ratio_BT.clamp(1 - self._clip, 1 + self._clip)
            advantage_BT = self._advantage_BT
            objective_BT = torch.minimum(ratio_BT * advantage_BT, bounded_BT * advantage_BT)
            objective_B = (objective_BT * mask_BT).sum(1)
            if self._per_token:
                objective_B = objective_B / mask_BT.sum(1)
            loss = -objective_B.mean()
            if self._entropy_bonus:
                loss = loss - self._entropy_bonus * step_entropy(self._generator, self._rollout)
        silent_BT = ((bounded_BT - ratio_BT) * advantage_BT < 0).float()
        return Surrogate(
            loss,
            {"clipped": masked_mean(silent_BT, mask_BT)},
            next_epoch=partial(self.surrogate, epochs - 1) if epochs > 1 else None,
        )

    def _log_probs(self) -> Tensor:
        rollout = self._rollout
        return token_log_probs(self._generator, rollout.ids_BT, rollout.mask_BT, cond=rollout.cond)
