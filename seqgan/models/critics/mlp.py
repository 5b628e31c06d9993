"""A perceptron over the whole sequence as one flat vector: for short sequences, small vocabularies.

The plain critic of the first GAN (Goodfellow 2014), on one-hot rows instead of pixels. It shares
nothing between positions, so it fits what small oracles ask and does not scale to text.
Deviation: leaky ReLU instead of maxout, and a logit instead of a probability.

By contract end symbols fill the columns behind the end. They enter as zeros, so that a score does
not depend on what stands there.
"""

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from seqgan.core.types import Critic, Scores, Space
from seqgan.models.config import MlpCriticConfig
from seqgan.models.layers import Stack, score_in_chunks


class MlpCritic(Critic):
    """See `core.types.Critic` for the contract. Needs all T columns of the space."""

    def __init__(self, space: Space, config: MlpCriticConfig) -> None:
        super().__init__()
        self.vocab_size = space.vocab_size
        widths = [space.length * space.vocab_size] + [config.hidden] * config.layers
        self.layers = Stack[nn.Linear](
            nn.Linear(inputs, outputs) for inputs, outputs in pairwise(widths)
        )
        self.readout = nn.Linear(config.hidden, 1)

    def forward(self, tokens: Tensor, mask_BT: Tensor) -> Scores:
        """One logit a sequence; features are the last hidden layer."""
        return score_in_chunks(self._score, tokens, mask_BT)

    def _score(self, tokens: Tensor, mask_BT: Tensor) -> Scores:
        if not tokens.is_floating_point():
            tokens = F.one_hot(tokens, self.vocab_size).to(self.readout.weight.dtype)
        features_BF = (tokens * mask_BT[..., None]).flatten(1)
        for layer in self.layers:
            features_BF = F.leaky_relu(layer(features_BF), 0.2)
        return Scores(self.readout(features_BF)[:, 0], features_BF=features_BF)
