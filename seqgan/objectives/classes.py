"""k categories and one class more, for what was generated (SentiGAN, Wang & Wan 2018).

    critic       minimises  −E_real log P(c | x) − E_generated log P(generated | x)
    generator    minimises  E_{x ~ G(· | c)} [1 − P(c | x)], a penalty

for samples x with label c and a critic `classes`. The reward of a generated sentence is
−(1 − P(c | x)): it is 0 only if the critic takes the sentence for a real one *of its own category*.

The paper's penalty Σ G(x)·(1 − D(x)) has the gradient of a reward D(x); it lowers the noise of an
estimator without a baseline where samples are good. (One widely used reimplementation minimises
−G · (1 − D).)

Deviations: one generator, which reads its label, instead of k. The paper differentiates
G · (1 − D) at *sampled* tokens, that is E[G ∇ log G · (1 − D)], the gradient of Σ ½ G²·(1 − D)
(recalled, not checked); here it is the gradient of the expectation.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from seqgan.core.types import Scores
from seqgan.objectives.base import features, shared_out


class Classes:
    """See the module's docstring and `objectives.base.Objective`.

    Scores are those of a `ClassesCritic`, [B], with `features_BF` of k + 1 logits.

        Classes().reward(critic(ids_BT, mask_BT, label_B1))
    """

    needs_real = False

    def critic_loss(self, real: Scores, *fakes: Scores, shares: Sequence[float] = (1.0,)) -> Tensor:
        """The cross-entropy of k + 1 classes, half of whose samples are real."""
        real_loss = F.softplus(-real.score.float()).mean()
        of_fakes = [-features(fake).log_softmax(-1)[:, -1].mean() for fake in fakes]
        return real_loss + shared_out(of_fakes, shares)

    def reward(self, fake: Scores, real: Scores | None = None) -> Tensor:
        """−(1 − P(c | x)): [R]."""
        return torch.sigmoid(fake.score.float()) - 1
