"""A critic that only counts tokens, and says so: it gives `token counts`."""

from typing import ClassVar, Literal

from torch import Tensor, nn

from seqgan.core.parts import SEQUENCES, Modalities, Words
from seqgan.core.types import Critic, Scores, SequenceSpace
from seqgan.models.base_config import SequenceCriticConfig


class CountingCritic(Critic):
    """One logit per sentence, linear in how often it has each token; these are the features."""

    def __init__(self, space: SequenceSpace) -> None:
        super().__init__()
        self.space = space
        self.readout = nn.Linear(space.vocab_size, 1)

    def forward(self, x: Tensor, mask: Tensor | None = None, cond: Tensor | None = None) -> Scores:
        assert mask is not None, "sequences have a mask"
        counts_BV = (self.space.continuous(x) * mask[..., None]).sum(1)
        return Scores(self.readout(counts_BV)[:, 0], features_BF=counts_BV)


class CountingCriticConfig(SequenceCriticConfig):
    """Counts tokens."""

    accepts: ClassVar[Modalities] = SEQUENCES
    gives: ClassVar[Words] = frozenset({"token counts"})

    name: Literal["counting"] = "counting"

    def build_network(self, space: SequenceSpace) -> Critic:
        return CountingCritic(space)
