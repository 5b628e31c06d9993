"""Pathwise estimators: back-propagate the critic's score through relaxed samples.

    loss = −1/B Σ_b value(D(y_b)),   y_b a differentiable function of logits and noise

softmax                  y_t = softmax(o_t/τ): the distribution itself, no noise and no sample
                         (Gulrajani 2017). What the critic sees is never a sentence.
soft_gumbel              y_t = softmax((o_t + g_t)/τ)  (Jang 2017, Maddison 2017). The critic and
                         the next step see soft rows: the gradient is exact for the *relaxed* game.
straight_through_gumbel  forward one-hot(argmax(o_t + g_t)), backward as soft_gumbel. The critic
                         sees hard tokens; the gradient is biased.
straight_through         forward a sample of softmax(o_t), backward that of softmax(o_t/τ)
                         (Bengio 2013). At τ = 1 and length 1 exact where the value is linear in y.
gumbel_rao, gapped, reinmax, zero_temperature
                         forward a sample of softmax(o_t), backward a better Jacobian, given the
                         sample: see the files of these names.

The gradient also flows through the tokens fed back to the generator. (RelGAN's code cuts it
there; that is a deviation of theirs.) τ follows a schedule that counts generator updates.
The generator runs without dropout, as in the score-function estimators.
"""

from typing import Any

from seqgan.core.masks import masked_mean, mean_per_row
from seqgan.core.modes import evaluating
from seqgan.core.types import Generator, Reward, RewardTerm, Rollout, SampleRequest, SequenceSpace
from seqgan.decoding import GumbelSoftmax, Sampler, Softmax, StraightThrough, sample
from seqgan.estimators.base import Surrogate, pathwise_surrogate
from seqgan.estimators.config import (
    AnyRelaxedConfig,
    GappedConfig,
    GumbelRaoConfig,
    ReinMaxConfig,
    ZeroTemperatureConfig,
)
from seqgan.estimators.gapped import Gapped
from seqgan.estimators.gumbel_rao import GumbelRao
from seqgan.estimators.reinmax import ReinMax
from seqgan.estimators.zero_temperature import ZeroTemperature


class Relaxed:
    """See the module's docstring."""

    passes_gradient = True

    def __init__(self, config: AnyRelaxedConfig, space: SequenceSpace) -> None:
        self._config = config
        self._space = space
        self._updates = 0

    @property
    def temperature(self) -> float:
        """τ of the next sample."""
        if isinstance(self._config, ZeroTemperatureConfig):
            return 0.0
        return self._config.temperature.at(self._updates)

    def sample(self, generator: Generator, request: SampleRequest) -> Rollout:
        """Relaxed sequences with their gradient."""
        with evaluating(generator):
            return sample(generator, self._space, request.rows, self._draw(), request.cond)

    def _draw(self) -> Sampler:
        config, tau = self._config, self.temperature
        if isinstance(config, GumbelRaoConfig):
            return GumbelRao(tau, config.samples)
        if isinstance(config, GappedConfig):
            return Gapped(tau, config.gap)
        if isinstance(config, ReinMaxConfig):
            return ReinMax(tau)
        if isinstance(config, ZeroTemperatureConfig):
            return ZeroTemperature()
        if config.name == "softmax":
            return Softmax(tau)
        if config.name == "straight_through":
            return StraightThrough(tau)
        return GumbelSoftmax(tau, hard=config.name == "straight_through_gumbel")

    def loss(
        self, generator: Generator, rollout: Rollout, reward: Reward, *terms: RewardTerm
    ) -> Surrogate:
        value = reward(rollout.tokens, rollout.mask_BT)
        value_B = value if value.dim() == 1 else mean_per_row(value, rollout.mask_BT)
        self._updates += 1
        value_mean = value_B.mean()
        peak = masked_mean(rollout.tokens.detach().amax(-1), rollout.mask_BT)
        stats = {
            "return": value_mean.detach(),
            "peak": peak,  # 1: the rows are one-hot
            "length": rollout.mask_BT.sum(1).float().mean(),
        }
        return pathwise_surrogate(value_mean, stats, terms, rollout)

    def state_dict(self) -> dict[str, Any]:
        return {"updates": self._updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._updates = state["updates"]
