"""A recurrent critic that scores every token that might come next, not only the one that does.

    q_t = readout(h(x_<t)) ∈ R^V,     d_t = q_t[x_t]

logits           q is free: a per-step discriminator, which scores all other tokens as well
log_likelihood   q = log softmax: a language model M, d_t = log M(x_t | x_<t). The mediator of
                 cooperative training (Lu et al. 2019, CoT), with objective `cooperative`.
surprise         q = −log softmax: the language-model discriminator of DPGAN (Xu et al. 2018). With
                 objective wgan it makes the generator's sentences likely and real ones unlikely.

Points of the simplex get the mean of their tokens' scores. Deviation from both papers: one
recurrent network of any size; DPGAN's sentence-level reward is credit `sequence`.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from seqgan.core.types import Scores, SequenceSpace
from seqgan.models.layers import Recurrent, SequenceCritic, TokenEmbedding


class ActionCritic(SequenceCritic):
    """A score for every next token: `score_BT` and `q_BTV` of ids [B, T] or simplices [B, T, V].

    critic = ActionCritic(SequenceSpace(vocab_size=100, length=20), reads="log_likelihood")
    critic(ids_BT, mask_BT).q_BTV
    """

    def __init__(
        self,
        space: SequenceSpace,
        reads: Literal["logits", "log_likelihood", "surprise"] = "logits",
        cell: Literal["lstm", "gru"] = "gru",
        embed: int = 64,
        hidden: int = 64,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.reads = reads
        self.embedding = TokenEmbedding(space.vocab_size, embed)
        self.start_E = nn.Parameter(torch.zeros(embed))
        self.recurrent = Recurrent(cell, embed, hidden)
        self.dropout = nn.Dropout(dropout)
        self.readout = nn.Linear(hidden, space.vocab_size)

    def _score(self, tokens: Tensor, mask_BT: Tensor) -> Scores:
        start_B1E = self.start_E.expand(len(tokens), 1, -1)
        x_BTE = torch.cat([start_B1E, self.embedding(tokens[:, :-1])], 1)
        h_BTH, _ = self.recurrent(self.dropout(x_BTE))
        q_BTV = self._read(self.readout(self.dropout(h_BTH)))
        if tokens.is_floating_point():
            score_BT = (tokens * q_BTV).sum(-1)
        else:
            score_BT = q_BTV.gather(-1, tokens[..., None])[..., 0]
        return Scores(score_BT, mask_BT, q_BTV=q_BTV)

    def _read(self, logits_BTV: Tensor) -> Tensor:
        if self.reads == "logits":
            return logits_BTV
        logp_BTV = logits_BTV.float().log_softmax(-1)
        return logp_BTV if self.reads == "log_likelihood" else -logp_BTV
