"""Maximum mean discrepancy of a critic's features (TextGAN).

    k(a, b) = Σ_σ exp(−‖a − b‖² / 2σ²)
    MMD² = mean_{i≠j} k(f_i, f_j) + mean_{i≠j} k(r_i, r_j) − 2 mean_ij k(f_i, r_j)

    critic minimises      −log σ(d_r) − log(1 − σ(d_f)) − weight · MMD²
    generator maximises   −MMD², by the witness of each sample
    value_i = 2 (mean_j k(f_i, r_j) − mean_{j≠i} k(f_i, f_j)),  f_j without gradient

with features r of real and f of generated samples. The mean value has the gradient of −MMD², since
every pair of generated samples is in it twice. As a reward its expectation is right too:
∇ E_{f,f'} k(f, f') = 2 E[∇ log p(f) k(f, f')] with f' independent of f.

Paper: Zhang et al. 2017, Adversarial feature matching for text generation; Gretton et al. 2012.
Signs. There the critic *raises* L_GAN − λ_r ‖z − ẑ‖² + λ_m MMD²: it looks for features in which the
two kinds differ, as above. The published code has MMD² with a plus in what its critic minimises, so
that the critic helps the generator.

Deviations. The unbiased MMD² (i ≠ j) where the paper keeps the constant k(f, f); widths are
standard deviations; no reconstruction of the noise from the features, as our generators of text
draw their noise token by token instead of once a sentence.

With a score function the values couple the batch: leave-one-out is biased and takes 1 / (B − 1) of
the repulsion between generated samples away; in expectation the reward is
2 (E k(f, r) − (B − 2)/(B − 1) E k(f, f')). Estimators that score other sentences than samples
(rao_blackwell, rebar, relax) compare those with each other: biased as well.

The kernel separates distributions even by random features, if there are many (generative moment
matching, Li et al. 2015), so a critic that never learns is no null arm where samples are small.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from seqgan.core.types import Scores
from seqgan.objectives.base import features, in_blocks, shared_out, squared_distances
from seqgan.objectives.divergences import Divergence


class Mmd:
    """See the module's docstring and `objectives.base.Objective`. Needs batches of two or more.

    `weight` is that of MMD² in the critic's loss, `widths` are the standard deviations of the
    Gaussian kernels. Critics need `features_BF`.

        Mmd(weight=0.1, widths=(1.0, 4.0))
    """

    needs_real = True

    def __init__(
        self, weight: float = 0.1, widths: Sequence[float] = (1.0, 2.0, 4.0, 8.0, 16.0)
    ) -> None:
        self._weight = weight
        self._widths = widths
        self._gan = Divergence("non_saturating")

    def critic_loss(self, real: Scores, *fakes: Scores, shares: Sequence[float] = (1.0,)) -> Tensor:
        """The GAN loss minus the weighted discrepancy."""
        real_BF = features(real)
        apart = [
            squared_mmd(in_blocks(features(fake), len(real_BF)), real_BF, self._widths)
            for fake in fakes
        ]
        gan = self._gan.critic_loss(real, *fakes, shares=shares)
        return gan - self._weight * shared_out(apart, shares)

    def reward(self, fake: Scores, real: Scores | None = None) -> Tensor:
        """The witness of each generated sample: [R]."""
        assert real is not None, "compares with real features"
        real_BF = features(real)
        fake_NBF = in_blocks(features(fake), len(real_BF))
        to_real_NB = kernel(fake_NBF, real_BF, self._widths).mean(-1)
        to_others_NB = _mean_of_others(kernel(fake_NBF, fake_NBF.detach(), self._widths))
        return 2 * (to_real_NB - to_others_NB).flatten()


def kernel(a: Tensor, b: Tensor, widths: Sequence[float]) -> Tensor:
    """k(a_i, b_j) as [..., i, j]."""
    squared = squared_distances(a, b)
    return torch.stack([(-squared / (2 * width**2)).exp() for width in widths]).sum(0)


def squared_mmd(fake_NBF: Tensor, real_BF: Tensor, widths: Sequence[float]) -> Tensor:
    """Unbiased MMD², averaged over blocks: a scalar, below 0 by chance."""
    among_fake = _mean_of_others(kernel(fake_NBF, fake_NBF, widths)).mean()
    among_real = _mean_of_others(kernel(real_BF, real_BF, widths)).mean()
    return among_fake + among_real - 2 * kernel(fake_NBF, real_BF, widths).mean()


def _mean_of_others(similarity: Tensor) -> Tensor:
    """The mean of each row without its entry on the diagonal: [..., i] of [..., i, i]."""
    size = similarity.shape[-1]
    others = 1 - torch.eye(size, device=similarity.device)
    return (similarity * others).sum(-1) / (size - 1)
