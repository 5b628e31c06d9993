"""One critic for k categories: which of them does a sentence belong to, or was it generated?

    P(c | x) = softmax(W f(x))_c,  c = 1…k or "generated"
    score(x, c) = logit P(c | x) = l_c − log Σ_{j ≠ c} e^{l_j}

SentiGAN's discriminator (Wang & Wan 2018). The label of a sample is its prompt of one token, and
there is a class for each token: those that are no label cost a logit. With objective `classes` the
critic minimises the cross-entropy of the k + 1 classes. f are the features of another critic, which
reads the sentence without its label.

Deviation: features are read without the trunk's dropout.
"""

import torch
from torch import Tensor, nn

from seqgan.core.types import Critic, Scores, SequenceSpace


class ClassesCritic(Critic):
    """Tells labels [B, 1] and generated samples apart: `score_B`, `features_BF` of k + 1 logits.

    `trunk` is a critic of sequences without prompts that gives features and reads them with a
    linear `readout`, which is not used.

        space = SequenceSpace(vocab_size=100, length=20, prompt=1)
        ClassesCritic(MlpCritic(replace(space, prompt=0)), space)(ids_BT, mask_BT, label_B1).score
    """

    def __init__(self, trunk: Critic, space: SequenceSpace) -> None:
        super().__init__()
        self.trunk = trunk
        self.features = space.vocab_size + 1
        self.classes = nn.Linear(trunk.features, self.features)
        readout = trunk.readout
        assert isinstance(readout, nn.Linear)
        readout.requires_grad_(False)

    def forward(self, x: Tensor, mask: Tensor | None = None, cond: Tensor | None = None) -> Scores:
        """`cond` are the labels [B, 1]; the last of the k + 1 logits is for generated samples."""
        assert cond is not None, "needs labels"
        features_BF = self.trunk(x, mask).features_BF
        assert features_BF is not None, "the trunk gives no features"
        logits_BK = self.classes(features_BF).float()
        return Scores(log_odds(logits_BK, cond), features_BF=logits_BK)


def log_odds(logits_BK: Tensor, label_B1: Tensor) -> Tensor:
    """log P(label) − log(1 − P(label)), one per row."""
    own_B = logits_BK.gather(1, label_B1)[:, 0]
    others_BK = logits_BK.scatter(1, label_B1, -torch.inf)
    return own_B - others_BK.logsumexp(1)
