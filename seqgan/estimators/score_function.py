"""The score-function estimator: REINFORCE with credit and a baseline.

    ∇ E[R] = E[ Σ_t (G_t − b_t) ∇ log p(x_t | x_<t) ]          (Williams 1992; Sutton 2000)

The loss is −1/B Σ_b Σ_t (G_bt − b_bt) log p(x_bt | x_b,<t): a sum over time and a mean over
sequences, so that its gradient is that of E[R] itself and not of R/T. Credit G: `credit.py`;
baselines b: `baselines.py`.

Options that change what is estimated:
- `whiten` subtracts the batch mean of the advantages and divides by their standard deviation:
  biased, since each sequence then scales the others' gradients.
- `entropy_bonus` β adds β · mean_t H(p(· | x_<t)). Only the entropy of each step's own
  distribution is differentiated, not the way earlier symbols change which prefixes are met
  (the usual choice of actor-critic methods, Mnih 2016).
- `reward` may replace the returns: `constant` by 1 everywhere; `shuffled` permutes them between the
  sequences of the batch, uniformly. Nothing about the data is left to learn, so whatever still
  improves is no merit of the critic. (A sequence may draw its own reward: with baseline none 1/B
  of the true gradient remains, with leave-one-out exactly none.)

The generator samples and is differentiated without dropout: both see the same distribution.
"""

from typing import Any

import torch
from torch import Tensor, nn

from seqgan.core.masks import masked_mean
from seqgan.core.modes import evaluating, frozen
from seqgan.core.types import Generator, Request, Reward, Rollout, SequenceSpace, Stats
from seqgan.decoding import Ancestral, sample, token_log_probs
from seqgan.estimators.base import Surrogate
from seqgan.estimators.baselines import LearnedBaseline, build_baseline
from seqgan.estimators.config import ScoreFunctionConfig
from seqgan.estimators.credit import returns


class ScoreFunction:
    """See the module's docstring. `value_network` is needed by the learned baseline only."""

    def __init__(
        self,
        config: ScoreFunctionConfig,
        space: SequenceSpace,
        device: torch.device,
        value_network: nn.Module | None = None,
    ) -> None:
        self._config = config
        self._space = space
        self._baseline = build_baseline(config.baseline, space.length, device)
        self._learned = LearnedBaseline(value_network) if value_network is not None else None

    def sample(self, generator: Generator, request: Request) -> Rollout:
        """Hard sequences, without gradient."""
        # Frozen, since autocast would cache weights that it met under no_grad without a gradient.
        with torch.no_grad(), frozen(generator):
            return sample(generator, self._space, request.rows, Ancestral())

    def loss(self, generator: Generator, rollout: Rollout, reward: Reward) -> Surrogate:
        with evaluating(generator):
            returns_BT = self._returns(generator, rollout, reward)
            baseline_BT, baseline_loss = self._baseline_of(returns_BT, rollout)
            advantage_BT = (returns_BT - baseline_BT.detach()) * rollout.mask_BT
            if self._config.whiten:
                scale = returns_BT.abs().max()
                advantage_BT = whiten(advantage_BT, rollout.mask_BT, scale)
            loss = policy_gradient_loss(generator, rollout, advantage_BT)
            stats = _stats(returns_BT, advantage_BT, rollout)
            if self._config.entropy_bonus:
                entropy = step_entropy(generator, rollout)
                loss = loss - self._config.entropy_bonus * entropy
                stats["entropy"] = entropy.detach()
        return Surrogate(loss, stats, baseline_loss)

    def _returns(self, generator: Generator, rollout: Rollout, reward: Reward) -> Tensor:
        if self._config.reward == "constant":
            return torch.ones(rollout.ids_BT.shape, device=rollout.ids_BT.device)
        with frozen(generator):
            returns_BT = returns(self._config.credit, generator, self._space, rollout, reward)
        if self._config.reward == "shuffled":
            order_B = torch.rand(len(returns_BT), device=returns_BT.device).argsort()
            return returns_BT[order_B]
        return returns_BT

    def _baseline_of(self, returns_BT: Tensor, rollout: Rollout) -> tuple[Tensor, Tensor | None]:
        if self._baseline is not None:
            return self._baseline(returns_BT, rollout.mask_BT), None
        assert self._learned is not None, "the learned baseline needs its network"
        value_BT = self._learned.predict(rollout.ids_BT)
        return value_BT, self._learned.loss(value_BT, returns_BT, rollout.mask_BT)

    def state_dict(self) -> dict[str, Any]:
        return {} if self._baseline is None else self._baseline.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if self._baseline is not None:
            self._baseline.load_state_dict(state)


def policy_gradient_loss(generator: Generator, rollout: Rollout, advantage_BT: Tensor) -> Tensor:
    """−1/B Σ_b Σ_t A_bt log p(x_bt | x_b,<t), a scalar. Columns behind the end weigh nothing."""
    logp_BT = token_log_probs(generator, rollout.ids_BT, rollout.mask_BT)
    return -(logp_BT * advantage_BT).sum(1).mean()


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
    logp_BTV = generator(rollout.ids_BT).float().log_softmax(-1)
    entropy_BT = -(logp_BTV.exp() * logp_BTV).sum(-1)
    return masked_mean(entropy_BT, rollout.mask_BT)


def _stats(returns_BT: Tensor, advantage_BT: Tensor, rollout: Rollout) -> Stats:
    return {
        "return": masked_mean(returns_BT, rollout.mask_BT),
        "advantage_rms": masked_mean(advantage_BT.square(), rollout.mask_BT).sqrt(),
        "length": rollout.mask_BT.sum(1).float().mean(),
    }
