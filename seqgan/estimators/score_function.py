"""The score-function estimator: REINFORCE with credit and a baseline.

    ∇ E[R] = E[ Σ_t (G_t − b_t) ∇ log p(x_t | x_<t) ]          (Williams 1992; Sutton 2000)

The loss is −1/B Σ_b Σ_t (G_bt − b_bt) log p(x_bt | x_b,<t): a sum over time and a mean over
sequences, so that its gradient is that of E[R] itself and not of R/T. Credit G: `credit.py`;
baselines b: `baselines.py`.

Options that change what is estimated:
- `terms`, rewards of whole sentences beside the critic's, enter with their weight. Each has a
  baseline of its own (`term_baseline`): with Wang & Lee (2018) the critic pays by the step and the
  reconstruction by the sentence, A_t = (G_t − b_t) + Σ_k w_k (R_k − b_k). Null rewards replace the
  critic's reward only.
- `whiten` subtracts the batch mean of the advantages and divides by their standard deviation:
  biased, since each sequence then scales the others' gradients.
- `entropy_bonus` β adds β · mean_t H(p(· | x_<t)). Only the entropy of each step's own
  distribution is differentiated, not the way earlier tokens change which prefixes are met
  (the usual choice of actor-critic methods, Mnih 2016).
- `reward` may replace the returns: `constant` by 1 everywhere; `shuffled` permutes them between the
  sequences of the batch, uniformly. Nothing about the data is left to learn, so whatever still
  improves is no merit of the critic. (A sequence may draw its own reward: with baseline none 1/B
  of the true gradient remains, with leave-one-out exactly none.)

The generator samples and is differentiated without dropout: both see the same distribution.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from seqgan.core.masks import masked_mean
from seqgan.core.modes import evaluating, frozen
from seqgan.core.types import (
    Generator,
    Reward,
    RewardTerm,
    Rollout,
    SampleRequest,
    SequenceSpace,
    Stats,
)
from seqgan.decoding import Greedy, sample, token_log_probs
from seqgan.estimators.actor_critic import lambda_returns
from seqgan.estimators.base import Surrogate, hard_samples
from seqgan.estimators.baselines import Baseline, LearnedBaseline, build_baseline
from seqgan.estimators.config import (
    BaselineConfig,
    GaeCreditConfig,
    LearnedBaselineConfig,
    PolicyGradientConfig,
    SelfCriticalConfig,
)
from seqgan.estimators.credit import returns, sequence_returns


class ScoreFunction:
    """See the module's docstring. `value_network` is needed by the learned baseline only."""

    passes_gradient = False

    def __init__(
        self,
        config: PolicyGradientConfig,
        space: SequenceSpace,
        device: torch.device,
        value_network: nn.Module | None = None,
    ) -> None:
        self._config = config
        self._space = space
        self._device = device
        self._term_baseline = config.term_baseline or config.baseline
        self._baselines: dict[str, Baseline] = {}
        self._learned = LearnedBaseline(value_network) if value_network is not None else None

    def sample(self, generator: Generator, request: SampleRequest) -> Rollout:
        """Hard sequences, without gradient."""
        return hard_samples(generator, self._space, request, self._config.samples)

    def loss(
        self, generator: Generator, rollout: Rollout, reward: Reward, *terms: RewardTerm
    ) -> Surrogate:
        found = self.advantages(generator, rollout, reward, *terms)
        stats = found.stats
        with evaluating(generator):
            losses = policy_gradient_losses(generator, rollout, found.parts)
            if self._config.entropy_bonus:
                entropy = step_entropy(generator, rollout)
                losses["entropy"] = -self._config.entropy_bonus * entropy
                stats["entropy"] = entropy.detach()
        loss = torch.stack(list(losses.values())).sum()
        return Surrogate(loss, stats, found.baseline_loss, parts=losses if terms else {})

    def advantages(
        self, generator: Generator, rollout: Rollout, reward: Reward, *terms: RewardTerm
    ) -> "Advantages":
        """What each token is worth above its baseline, by reward."""
        with evaluating(generator):
            return self._advantages(generator, rollout, reward, terms)

    def _advantages(
        self, generator: Generator, rollout: Rollout, reward: Reward, terms: Sequence[RewardTerm]
    ) -> "Advantages":
        greedy = self._greedy(generator, rollout)
        value_BT = self._learned.predict(rollout) if self._learned is not None else None
        returns_BT = self._returns(generator, rollout, reward, value_BT)
        baseline_loss = None
        if greedy is not None and isinstance(self._config.baseline, SelfCriticalConfig):
            baseline_BT = self._returns(generator, greedy, reward, None)
        elif value_BT is not None and isinstance(self._config.baseline, LearnedBaselineConfig):
            baseline_BT = value_BT.detach()
            baseline_loss = LearnedBaseline.loss(value_BT, returns_BT, rollout.mask_BT)
        else:
            baseline_BT = self._stored("critic", self._config.baseline)(returns_BT, rollout.mask_BT)
        parts = {"critic": (returns_BT - baseline_BT) * rollout.mask_BT}
        values: Stats = {}
        scale = returns_BT.abs().max()
        for term in terms:
            worth_BT, extra_BT = self._term_advantage(generator, rollout, greedy, term)
            values[term.name] = masked_mean(worth_BT, rollout.mask_BT)
            parts[term.name] = term.weight * extra_BT * rollout.mask_BT
            scale = torch.maximum(scale, (term.weight * worth_BT).abs().max())
        advantage_BT = torch.stack(list(parts.values())).sum(0)
        if self._config.whiten:
            advantage_BT = whiten(advantage_BT, rollout.mask_BT, scale)
            parts = {"all": advantage_BT}
        stats = _stats(returns_BT, advantage_BT, rollout) | values
        return Advantages(parts, advantage_BT, stats, baseline_loss)

    def _returns(
        self, generator: Generator, rollout: Rollout, reward: Reward, value_BT: Tensor | None
    ) -> Tensor:
        credit = self._config.credit
        if self._config.reward == "constant":
            return torch.ones(rollout.ids_BT.shape, device=rollout.ids_BT.device)
        with frozen(generator):
            if isinstance(credit, GaeCreditConfig):
                assert value_BT is not None, "gae has a learned value: checked by Experiment"
                returns_BT = lambda_returns(rollout, reward, value_BT.detach(), credit)
            else:
                returns_BT = returns(credit, generator, self._space, rollout, reward)
        if self._config.reward == "shuffled":
            order_B = torch.rand(len(returns_BT), device=returns_BT.device).argsort()
            return returns_BT[order_B]
        return returns_BT

    def _term_advantage(
        self, generator: Generator, rollout: Rollout, greedy: Rollout | None, term: RewardTerm
    ) -> tuple[Tensor, Tensor]:
        """(value, advantage) of a reward of whole sentences, at every column."""
        with torch.no_grad(), frozen(generator):
            value_BT = sequence_returns(rollout, term.reward)
            if isinstance(self._term_baseline, SelfCriticalConfig):
                assert greedy is not None
                return value_BT, value_BT - sequence_returns(greedy, term.reward)
        baseline = self._stored(term.name, self._term_baseline)
        return value_BT, value_BT - baseline(value_BT, rollout.mask_BT)

    def _greedy(self, generator: Generator, rollout: Rollout) -> Rollout | None:
        """The greedy sequences for the same conditions, where a baseline asks for them; without
        conditions there is one."""
        asked = (self._config.baseline, self._term_baseline)
        if not any(isinstance(config, SelfCriticalConfig) for config in asked):
            return None
        cond = rollout.cond
        rows = 1 if cond is None else len(cond)
        with torch.no_grad(), frozen(generator):
            return sample(generator, self._space, rows, Greedy(), cond)

    def _stored(self, name: str, config: BaselineConfig) -> Baseline:
        """The baseline of the critic's reward or of a term; made when it is first used."""
        if name not in self._baselines:
            length, samples = self._space.length, self._config.samples
            self._baselines[name] = build_baseline(config, length, samples, self._device)
        return self._baselines[name]

    def state_dict(self) -> dict[str, Any]:
        return {name: baseline.state_dict() for name, baseline in self._baselines.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name, saved in state.items():
            config = self._config.baseline if name == "critic" else self._term_baseline
            self._stored(name, config).load_state_dict(saved)


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
    """−1/B Σ_b Σ_t A_bt log p(x_bt | x_b,<t), a scalar for each kind of advantage `A_BT`.

    Columns behind the end weigh nothing. The sum of the losses has the gradient of the sum of
    the advantages.
    """
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
    """Mean entropy, in nats, of the distributions met on the way; differentiable."""
    logp_BTV = generator(rollout.ids_BT, rollout.cond).float().log_softmax(-1)
    entropy_BT = -(logp_BTV.exp() * logp_BTV).sum(-1)
    return masked_mean(entropy_BT, rollout.mask_BT)


def _stats(returns_BT: Tensor, advantage_BT: Tensor, rollout: Rollout) -> Stats:
    return {
        "return": masked_mean(returns_BT, rollout.mask_BT),
        "advantage_rms": masked_mean(advantage_BT.square(), rollout.mask_BT).sqrt(),
        "length": rollout.mask_BT.sum(1).float().mean(),
    }
