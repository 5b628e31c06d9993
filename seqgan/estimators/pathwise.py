"""The pathwise estimator: the gradient passes through the sample itself.

    x = G(z, c),   ∇ E_z[value(D(x, c))] = E_z[ ∂value/∂x · ∂G(z, c)/∂θ ]
    loss = −1/B Σ_b value(D(x_b, c_b))

The first GAN (Goodfellow 2014); name and history: Kingma & Welling 2014. Pictures and points, which
are differentiable all the way, need no other estimator; it is unbiased.

The generator samples in the mode it is in: dropout and batch statistics are part of the function
that is differentiated. (Score functions switch dropout off: there the sampled and the
differentiated distribution have to agree.)
"""

from seqgan.core.types import Batch, DirectGenerator, Reward, RewardTerm, SampleRequest
from seqgan.estimators.base import Estimator, Surrogate, pathwise_surrogate


class Pathwise(Estimator):
    """Back-propagates the reward through the samples, float [B, …], of a `DirectGenerator`.

    rollout = Pathwise().sample(generator, SampleRequest(rows=64))
    """

    passes_gradient = True

    def sample(self, generator: DirectGenerator, request: SampleRequest) -> Batch:
        x = generator(generator.draw(request.rows), request.cond)
        return Batch(x, cond=request.cond)

    def loss(
        self, generator: DirectGenerator, rollout: Batch, reward: Reward, *terms: RewardTerm
    ) -> Surrogate:
        value = reward(rollout.x, rollout.mask).mean()
        stats = {"return": value.detach()}
        return pathwise_surrogate(value, stats, terms, rollout)
