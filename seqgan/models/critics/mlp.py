"""A perceptron over the whole sample as one flat vector: points, small pictures, short sequences.

The critic of the first GAN (Goodfellow 2014), on one-hot rows where samples are sequences. It
shares nothing between positions: enough for small oracles, not for text. Labels enter by projection
(Miyato & Koyama 2018). Deviation: leaky ReLU instead of maxout, a logit instead of a probability.

Columns behind the end enter as zeros, so that a score does not depend on what stands there.
"""

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from seqgan.core.types import Critic, Scores, Space
from seqgan.models.conditions import projection
from seqgan.models.layers import Stack, score_in_chunks, with_minibatch_std


class MlpTrunk(Stack[nn.Linear]):
    """`features_BF`: the last hidden layer, of samples [B, …] with `space.size` numbers each.

    With `minibatch_std` the last hidden layer also reads how much the batch varies.
    """

    def __init__(
        self, space: Space, hidden: int = 128, layers: int = 2, minibatch_std: bool = False
    ) -> None:
        widths = [space.size] + [hidden] * layers
        sizes = list(pairwise(widths))
        if minibatch_std:
            sizes[-1] = (sizes[-1][0] + 1, sizes[-1][1])
        super().__init__(nn.Linear(inputs, outputs) for inputs, outputs in sizes)
        self.features = hidden
        self._minibatch_std = minibatch_std

    def forward(self, x: Tensor) -> Tensor:
        features_BF = x.flatten(1)
        for position, layer in enumerate(self, start=1):
            if self._minibatch_std and position == len(self):
                features_BF = with_minibatch_std(features_BF)
            features_BF = F.leaky_relu(layer(features_BF), 0.2)
        return features_BF


class MlpCritic(Critic):
    """A perceptron: `score_B` and `features_BF` of whole samples, all T columns of sequences.

    See `MlpTrunk` for `minibatch_std`.

    MlpCritic(ArraySpace((2,)), hidden=64)(x_BD).score
    """

    counts_from_first = False

    def __init__(
        self, space: Space, hidden: int = 128, layers: int = 2, minibatch_std: bool = False
    ) -> None:
        super().__init__()
        self.space = space
        self.features = hidden
        self.layers = MlpTrunk(space, hidden, layers, minibatch_std)
        self.readout = nn.Linear(hidden, 1)
        self.projection = projection(space, hidden)

    def forward(self, x: Tensor, mask: Tensor | None = None, cond: Tensor | None = None) -> Scores:
        return score_in_chunks(self._score, x, mask, cond)

    def _score(self, x: Tensor, mask: Tensor | None, cond: Tensor | None) -> Scores:
        if not x.is_floating_point():
            x = self.space.continuous(x).to(self.readout.weight.dtype)
        if mask is not None:
            x = x * mask[..., None]
        features_BF = self.layers(x)
        score_B = self.readout(features_BF)[:, 0]
        return Scores(self.projection(score_B, features_BF, cond), features_BF=features_BF)
