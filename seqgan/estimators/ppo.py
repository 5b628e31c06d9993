"""Proximal policy optimisation: several updates from one batch of samples, with clipped ratios.

    ρ_t = p(x_t | x_<t) / p_old(x_t | x_<t)
    loss = −1/B Σ_b Σ_t min( ρ_t A_t, clip(ρ_t, 1 − ε, 1 + ε) A_t )      (Schulman et al. 2017)

p_old is the generator that wrote the samples, A the advantages of `score_function.py` with its
credits and baselines. In the first update ρ = 1, so its gradient is the score function's; later
ones are biased where they clip, and whatever the samples' age does to a critic that moves on.

The reward is computed once per batch. Deviations: all epochs use the whole batch (no minibatches);
the sum over time stays a sum, so that the first gradient is that of E[R]; no KL term; a learned
baseline is updated once per batch. TextGAIL (Wu et al. 2021) uses it on text.
"""

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from seqgan.core.masks import masked_mean
from seqgan.core.modes import evaluating
from seqgan.core.numbers import check_range
from seqgan.core.types import Generator, Reward, RewardTerm, Rollout, Stats
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
        again = partial(
            self._epoch,
            generator,
            rollout,
            found.total_BT,
            behaviour_log_probs(generator, rollout),
            self.epochs,
        )
        first = again(found.stats)
        return Surrogate(first.loss, first.stats, found.baseline_loss, first.next_epoch)

    def _epoch(
        self,
        generator: Generator,
        rollout: Rollout,
        advantage_BT: Tensor,
        old_BT: Tensor,
        left: int,
        stats: Stats | None = None,
    ) -> Surrogate:
        """The loss of one update, and the way to the next while there are epochs left."""
        with evaluating(generator):
            objective_BT, clipped = clipped_objective(
                generator, rollout, advantage_BT, old_BT, self.clip
            )
            loss = -objective_BT.sum(1).mean()
            if self.entropy_bonus:
                loss = loss - self.entropy_bonus * step_entropy(generator, rollout)
        again = None
        if left > 1:
            again = partial(self._epoch, generator, rollout, advantage_BT, old_BT, left - 1)
        return Surrogate(loss, (stats or {}) | {"clipped": clipped}, next_epoch=again)


def behaviour_log_probs(generator: Generator, rollout: Rollout) -> Tensor:
    """`logp_BT` of the samples under the generator that wrote them, without gradient.

    The teacher-forced pass, as in the epochs: where its rounding differs from the sampling loop's,
    the first ratio would not be 1.
    """
    with torch.no_grad(), evaluating(generator):
        return token_log_probs(generator, rollout.ids_BT, rollout.mask_BT, cond=rollout.cond)


def clipped_objective(
    generator: Generator, rollout: Rollout, advantage_BT: Tensor, old_BT: Tensor, clip: float
) -> tuple[Tensor, Tensor]:
    """min(ρA, clip(ρ)A), [B, T] and 0 behind the end, and the share of tokens that clipping
    silences."""
    logp_BT = token_log_probs(generator, rollout.ids_BT, rollout.mask_BT, cond=rollout.cond)
    ratio_BT = (logp_BT - old_BT).exp()
    bounded_BT = ratio_BT.clamp(1 - clip, 1 + clip)
    objective_BT = torch.minimum(ratio_BT * advantage_BT, bounded_BT * advantage_BT)
    silent_BT = ((bounded_BT - ratio_BT) * advantage_BT < 0).float()
    return objective_BT * rollout.mask_BT, masked_mean(silent_BT, rollout.mask_BT)
