"""A critic with an auxiliary classifier: it reads labels off samples instead of being told them.

    score(x) = wᵀ f(x) + b,    P(c_a | x) = softmax(W_a f(x))_c  for each label a

AC-GAN's discriminator (Odena et al. 2017), and InfoGAN's with its Q (Chen et al. 2016): one trunk
f, two read-outs. For objective `auxiliary`.
"""

import torch
from torch import Tensor, nn

from seqgan.core.errors import UserError
from seqgan.core.types import ArraySpace, Critic, Scores
from seqgan.models.layers import Trunk, score_in_chunks


class AuxiliaryCritic(Critic):
    """`score_B`, `features_BF`, and of labels [B, A] their `log_labels_B`, summed over the labels;
    None without labels.

    Raises `UserError` for a space without labels.
    """

    def __init__(self, trunk: Trunk, space: ArraySpace) -> None:
        super().__init__()
        if not space.label_sizes:
            raise UserError(
                "critic.name=auxiliary: reads labels, and the game has none; use game conditional "
                "on pictures with labels, or game info"
            )
        self.trunk = trunk
        self.features = trunk.features
        self.sizes = list(space.label_sizes)
        self.readout = nn.Linear(trunk.features, 1)
        self.classes = nn.Linear(trunk.features, sum(self.sizes))

    def forward(self, x: Tensor, mask: Tensor | None = None, cond: Tensor | None = None) -> Scores:
        return score_in_chunks(self._score, x, cond)

    def log_probs(self, features_BF: Tensor) -> list[Tensor]:
        """log P(c_a | x) of every class, [B, K_a] for each label."""
        logits = self.classes(features_BF).float().split(self.sizes, 1)
        return [each.log_softmax(1) for each in logits]

    def _score(self, x: Tensor, cond_BA: Tensor | None) -> Scores:
        features_BF = self.trunk(x)
        score_B = self.readout(features_BF)[:, 0]
        if cond_BA is None:
            return Scores(score_B, features_BF=features_BF)
        each = zip(self.log_probs(features_BF), cond_BA.split(1, 1), strict=True)
        log_labels_B = torch.cat([logp.gather(1, label) for logp, label in each], 1).sum(1)
        return Scores(score_B, features_BF=features_BF, log_labels_B=log_labels_B)
