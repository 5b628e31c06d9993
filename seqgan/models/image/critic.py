"""A critic of pictures: a trunk that finds features, a linear read-out, projection of labels.

score = wᵀ f(x) + b + Σ_a ⟨embed_a(label_a), f(x)⟩        (Miyato & Koyama 2018)
"""

from torch import Tensor, nn

from seqgan.core.types import ArraySpace, Critic, Scores
from seqgan.models.layers import LabelProjection, Trunk, score_in_chunks


class PictureCritic(Critic):
    """`score_B` and `features_BF` of pictures [B, C, H, W] under labels [B, A], if there are any.

    PictureCritic(DcganTrunk(space, width=16), space)(x_BCHW).score
    """

    def __init__(self, trunk: Trunk, space: ArraySpace) -> None:
        super().__init__()
        self.trunk = trunk
        self.features = trunk.features
        self.readout = nn.Linear(trunk.features, 1)
        self.projection = LabelProjection(space.label_sizes, trunk.features)

    def forward(self, x: Tensor, mask: Tensor | None = None, cond: Tensor | None = None) -> Scores:
        return score_in_chunks(self._score, x, cond)

    def _score(self, x: Tensor, cond: Tensor | None) -> Scores:
        features_BF = self.trunk(x)
        score_B = self.readout(features_BF)[:, 0]
        return Scores(self.projection(score_B, features_BF, cond), features_BF=features_BF)
