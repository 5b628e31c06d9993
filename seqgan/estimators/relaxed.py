"""Pathwise estimators: back-propagate the critic's score through relaxed samples.

    loss = −1/B Σ_b value(D(y_b)),   y_b a differentiable function of logits and noise

softmax                  y_t = softmax(o_t/τ): no noise and no sample (Gulrajani 2017). The critic
                         never reads a sentence.
soft_gumbel              y_t = softmax((o_t + g_t)/τ)  (Jang 2017, Maddison 2017). Critic and next
                         step read soft rows: the gradient is exact for the *relaxed* game.
straight_through_gumbel  forward one-hot(argmax(o_t + g_t)), backward as soft_gumbel: biased.
straight_through         forward a sample of softmax(o_t), backward that of softmax(o_t/τ)
                         (Bengio 2013). At τ = 1 and length 1 exact where the value is linear in y.
decoupled                the last two with a temperature τ_f of the forward pass (Shah, Yan, Mozer &
                         Liu 2024, *Improving discrete optimisation via decoupled straight-through
                         estimator*): o_t + τ_f g_t, or a sample of softmax(o_t/τ_f). Above 1 it
                         explores, below 1 it is near the argmax; τ stays the backward one.
                         At τ_f ≠ 1 critic and generator play for softmax(o_t/τ_f).
                         Deviation: τ_f is 1 by default, whatever τ is.
gumbel_rao, gapped, reinmax, reinmax_rao, zero_temperature
                         the same with a better Jacobian, given the sample: `straight_through.py`.
redge                    y_t denoised from Gaussian noise in a few steps: `redge.py`.

The gradient also flows through the tokens fed back to the generator (RelGAN's code cuts it there).
The generator runs without dropout.
"""

from collections.abc import Callable

from seqgan.core.masks import masked_mean
from seqgan.core.modes import evaluating
from seqgan.core.numbers import check_range
from seqgan.core.plain import StateDict
from seqgan.core.schedule import Schedule
from seqgan.core.types import Generator, Reward, RewardTerm, Rollout, SampleRequest, SequenceSpace
from seqgan.decoding import Sampler, sample
from seqgan.estimators.base import Estimator, Surrogate, pathwise_surrogate
from seqgan.estimators.rewards import value_per_sequence


class Relaxed(Estimator):
    """Back-propagates the reward through relaxed samples; see the module's docstring.

    `sampler` makes, from a temperature, the draw of the next tokens; a `Schedule` of temperatures
    counts generator updates. The reward reads soft rows [B, T, V] and has to be differentiable.

        Relaxed(space, lambda tau: GumbelSoftmax(tau, hard=True), temperature=0.7)
    """

    passes_gradient = True

    def __init__(
        self,
        space: SequenceSpace,
        sampler: Callable[[float], Sampler],
        temperature: float | Schedule[float] = 1.0,
    ) -> None:
        if not isinstance(temperature, Schedule):
            check_range(0, temperature=temperature)
        self._space = space
        self._sampler = sampler
        self._temperature = temperature
        self._updates = 0

    @property
    def temperature(self) -> float:
        """τ of the next sample."""
        if isinstance(self._temperature, Schedule):
            return self._temperature.at(self._updates)
        return self._temperature

    def sample(self, generator: Generator, request: SampleRequest) -> Rollout:
        draw = self._sampler(self.temperature)
        with evaluating(generator):
            return sample(generator, self._space, request.rows, draw, request.cond)

    def loss(
        self, generator: Generator, rollout: Rollout, reward: Reward, *terms: RewardTerm
    ) -> Surrogate:
        tokens, mask_BT = rollout.tokens, rollout.mask_BT
        value = value_per_sequence(reward, tokens, mask_BT).mean()
        self._updates += 1
        stats = {
            "return": value.detach(),
            "peak": masked_mean(tokens.detach().amax(-1), mask_BT),  # 1: the rows are one-hot
            "length": mask_BT.sum(1).float().mean(),
        }
        return pathwise_surrogate(value, stats, terms, rollout)

    def state_dict(self) -> StateDict:
        return {"updates": self._updates}

    def load_state_dict(self, state: StateDict) -> None:
        self._updates = state["updates"]
