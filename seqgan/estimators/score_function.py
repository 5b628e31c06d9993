"""The score-function estimator: REINFORCE with credit and a baseline.

    ∇ E[R] = E[ Σ_t (G_t − b_t) ∇ log p(x_t | x_<t) ]          (Williams 1992; Sutton 2000)

The loss is −1/B Σ_b Σ_t (G_bt − b_bt) log p(x_bt | x_b,<t): a sum over time and a mean over
sequences, so its gradient is that of E[R], not of R/T. Credit G: `credit.py`; baselines b:
`baselines.py`.

- `terms`, rewards of whole sentences beside the critic's, have a weight and a baseline of their own
  (`term_baseline`). With Wang & Lee (2018) the critic rewards each step and the reconstruction the
  sentence: A_t = (G_t − b_t) + Σ_k w_k (R_k − b_k).
- `whiten` subtracts the batch mean of the advantages and divides by their standard deviation:
  biased, since each sequence then scales the others' gradients. `each` does so with every reward's
  advantages before their weighted sum, so that none drowns in another's scale: GDPO (Liu et al.
  2026). Deviations: the group is the batch; the sum is not normalised once more.
- `entropy_bonus` β adds β · mean_t H(p(· | x_<t)), differentiated in each step's own distribution
  only, not in the choice of prefixes (as usual, Mnih 2016).

The generator samples and is differentiated without dropout: both have the same distribution.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Literal

import torch
from torch import Tensor

from seqgan.core.masks import masked_mean
from seqgan.core.modes import evaluating, frozen
from seqgan.core.numbers import check_range
from seqgan.core.plain import StateDict
from seqgan.core.types import Generator, Reward, RewardTerm, Rollout, SampleRequest, Stats
from seqgan.decoding import Greedy, sample, token_log_probs
from seqgan.estimators.base import SequenceEstimator, Surrogate, hard_samples
from seqgan.estimators.baselines import Baseline, LeaveOneOut, Returns, flat_groups, value_loss
from seqgan.estimators.credit import Credit, RewardedRollout, SequenceCredit, sequence_returns


@dataclass(eq=False)
class ScoreFunction(SequenceEstimator):
    """REINFORCE with a credit and a baseline; see the module's docstring.

    `term_baseline` is that of each term, by default of the kind of `baseline`. `samples` are the
    sequences for each condition, `entropy_bonus` is a weight in nats.

        ScoreFunction(space, credit=Rollout(16), baseline=LeaveOneOut())
    """

    credit: Credit = field(default_factory=SequenceCredit)
    baseline: Baseline = field(default_factory=LeaveOneOut)
    term_baseline: Baseline | None = None
    samples: int = 1
    whiten: bool | Literal["each"] = False
    entropy_bonus: float = 0.0

    def __post_init__(self) -> None:
        check_range(1, whole=True, samples=self.samples)
        check_range(0, entropy_bonus=self.entropy_bonus)
        if self.credit.needs_value and not self.baseline.learned:
            name = type(self.credit).__name__
            raise ValueError(f"{name} needs a learned value; use baseline LearnedBaseline")
        self.sums_steps = self.credit.sums_steps
        self._term_baselines: dict[str, Baseline] = {}

    def sample(self, generator: Generator, request: SampleRequest) -> Rollout:
        """Hard sequences without gradient: row n·B + b is the n-th for condition b."""
        return hard_samples(generator, self.space, request, self.samples)

    def loss(
        self, generator: Generator, rollout: Rollout, reward: Reward, *terms: RewardTerm
    ) -> Surrogate:
        found = self.advantages(generator, rollout, reward, *terms)
        stats = found.stats
        with evaluating(generator):
            losses = policy_gradient_losses(generator, rollout, found.parts)
            if self.entropy_bonus:
                entropy = step_entropy(generator, rollout)
                losses["entropy"] = -self.entropy_bonus * entropy
                stats["entropy"] = entropy.detach()
        loss = torch.stack(list(losses.values())).sum()
        return Surrogate(loss, stats, found.baseline_loss, parts=losses if terms else {})

    def advantages(
        self, generator: Generator, rollout: Rollout, reward: Reward, *terms: RewardTerm
    ) -> "Advantages":
        """Each token's return above its baseline, by reward."""

        def returns_of(written: Rollout, value_BT: Tensor | None = None) -> Tensor:
            with torch.no_grad(), frozen(generator):
                return self.credit(
                    RewardedRollout(written, reward, generator, self.space, value_BT)
                )

        mask_BT = rollout.mask_BT
        greedy = cache(partial(self._greedy, generator, rollout.cond))
        value_BT = self.baseline.predict(rollout)
        returns_BT = returns_of(rollout, None if value_BT is None else value_BT.detach())
        baseline_BT = self.baseline(
            Returns(returns_BT, mask_BT, self.samples, value_BT, lambda: returns_of(greedy()))
        )
        parts = {"critic": (returns_BT - baseline_BT) * mask_BT}
        if self.whiten == "each":
            parts["critic"] = whiten(parts["critic"], mask_BT, returns_BT.abs().max())
        values: Stats = {}
        scale = returns_BT.abs().max()
        for term in terms:
            with torch.no_grad(), frozen(generator):
                term_BT, extra_BT = self._term_advantage(rollout, greedy, term)
            values[term.name] = masked_mean(term_BT, mask_BT)
            if self.whiten == "each":
                extra_BT = whiten(extra_BT, mask_BT, term_BT.abs().max())
            parts[term.name] = term.weight * extra_BT * mask_BT
            scale = torch.maximum(scale, (term.weight * term_BT).abs().max())
        advantage_BT = torch.stack(list(parts.values())).sum(0)
        if self.whiten is True:
            advantage_BT = whiten(advantage_BT, mask_BT, scale)
            parts = {"all": advantage_BT}
        stats = _stats(returns_BT, advantage_BT, rollout) | values
        if self.samples > 1:
            stats["flat_groups"] = flat_groups(returns_BT.unflatten(0, (self.samples, -1)))
        baseline_loss = None if value_BT is None else value_loss(value_BT, returns_BT, mask_BT)
        return Advantages(parts, advantage_BT, stats, baseline_loss)

    def _term_advantage(
        self, rollout: Rollout, greedy: Callable[[], Rollout], term: RewardTerm
    ) -> tuple[Tensor, Tensor]:
        """(value, advantage) of a reward of whole sentences, at every column."""
        value_BT = sequence_returns(rollout, term.reward)
        baseline_BT = self._baseline_of(term.name)(
            Returns(
                value_BT,
                rollout.mask_BT,
                self.samples,
                greedy=lambda: sequence_returns(greedy(), term.reward),
            )
        )
        return value_BT, value_BT - baseline_BT

    def _greedy(self, generator: Generator, cond: Tensor | None) -> Rollout:
        """The greedy sequences for the same conditions; without conditions there is one."""
        rows = 1 if cond is None else len(cond)
        with torch.no_grad(), frozen(generator):
            return sample(generator, self.space, rows, Greedy(), cond)

    def _baseline_of(self, name: str) -> Baseline:
        """That of the critic's reward or of a term; made when it is first used."""
        if name == "critic":
            return self.baseline
        if name not in self._term_baselines:
            self._term_baselines[name] = (self.term_baseline or self.baseline).fresh()
        return self._term_baselines[name]

    def state_dict(self) -> StateDict:
        baselines = {"critic": self.baseline} | self._term_baselines
        states = {name: baseline.state_dict() for name, baseline in baselines.items()}
        return {name: state for name, state in states.items() if state}

    def load_state_dict(self, state: StateDict) -> None:
        for name, saved in state.items():
            self._baseline_of(name).load_state_dict(saved)


@dataclass(frozen=True, slots=True)
class Advantages:
    """Returns minus their baselines, 0 behind the end, without gradient."""

    parts: dict[str, Tensor]
    """`advantage_BT` by reward."""
    total_BT: Tensor
    """Their sum."""
    stats: Stats
    baseline_loss: Tensor | None
    """The learned baseline's own loss."""


def policy_gradient_losses(
    generator: Generator, rollout: Rollout, advantages: dict[str, Tensor]
) -> dict[str, Tensor]:
    """−1/B Σ_b Σ_t A_bt log p(x_bt | x_b,<t), a scalar for each kind of advantage `A_BT`."""
    logp_BT = token_log_probs(generator, rollout.ids_BT, rollout.mask_BT, cond=rollout.cond)
    return {name: -(logp_BT * A_BT).sum(1).mean() for name, A_BT in advantages.items()}


def whiten(advantage_BT: Tensor, mask_BT: Tensor, scale: Tensor) -> Tensor:
    """Advantages with mean 0 and standard deviation 1 over the steps that count.

    `scale` is the size of the returns they came from. Equal returns leave rounding errors of
    1e-7 · scale, which must not be blown up to 1: the divisor has a floor of 1e-5 · scale.
    """
    mean = masked_mean(advantage_BT, mask_BT)
    centred_BT = (advantage_BT - mean) * mask_BT
    deviation = masked_mean(centred_BT.square(), mask_BT).sqrt()
    floor = (1e-5 * scale).clamp(min=torch.finfo(torch.float32).tiny)
    return centred_BT / (deviation + floor)


def step_entropy(generator: Generator, rollout: Rollout) -> Tensor:
    """Mean entropy, in nats, of the distributions after each prefix; differentiable."""
    logp_BTV = generator(rollout.ids_BT, rollout.cond).float().log_softmax(-1)
    entropy_BT = -(logp_BTV.exp() * logp_BTV).sum(-1)
    return masked_mean(entropy_BT, rollout.mask_BT)


def _stats(returns_BT: Tensor, advantage_BT: Tensor, rollout: Rollout) -> Stats:
    return {
        "return": masked_mean(returns_BT, rollout.mask_BT),
        "advantage_rms": masked_mean(advantage_BT.square(), rollout.mask_BT).sqrt(),
        "length": rollout.mask_BT.sum(1).float().mean(),
    }
