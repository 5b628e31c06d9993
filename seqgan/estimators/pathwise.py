"""The pathwise estimator: the gradient passes through the sample itself.

    x = G(z, c),   ∇ E_z[value(D(x, c))] = E_z[ ∂value/∂x · ∂G(z, c)/∂θ ]
    loss = −1/B Σ_b value(D(x_b, c_b))

The first GAN (Goodfellow 2014) and, for the name and the history, Kingma & Welling 2014. What is
differentiable all the way, pictures and points, needs no other estimator; it is unbiased, and no
reward is ever computed without its gradient. This one line of a configuration is what sets an
experiment on pictures apart from one on text.

The generator samples in the mode it is in: dropout and batch statistics are part of the function
that is differentiated. (The score-function estimators switch dropout off, because there the
sampled and the differentiated distribution have to agree.)
"""

from seqgan.core.types import Batch, DirectGenerator, Reward, RewardTerm, SampleRequest
from seqgan.estimators.base import Estimator, Surrogate, pathwise_surrogate


class Pathwise(Estimator):
    """Back-propagates the reward through the samples of a `DirectGenerator`.

    Samples are float [B, …]; the reward is a number per sample, differentiable in it.

        rollout = Pathwise().sample(generator, SampleRequest(rows=64))
    """

    passes_gradient = True

    def sample(self, generator: DirectGenerator, request: SampleRequest) -> Batch:
        """Fresh noise, and what the generator makes of it under the requested conditions."""
        x = generator(generator.draw(request.rows), request.cond)
        return Batch(x, cond=request.cond)

    def loss(
        self, generator: DirectGenerator, rollout: Batch, reward: Reward, *terms: RewardTerm
    ) -> Surrogate:
        value = reward(rollout.x, rollout.mask).mean()
        stats = {"return": value.detach()}
        return pathwise_surrogate(value, stats, terms, rollout)
