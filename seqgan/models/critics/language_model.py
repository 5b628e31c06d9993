"""A second likelihood model as a critic: it reads from the last word to the first.

    d(x) = log B(x) = Σ_t log B(x_t | x_>t) + log B(end | x_1 … x_n),    in nats per sentence

B is a recurrent language model of reversed sentences. It learns by likelihood, of real sentences
alone (phase `critic_mle` of game `residual`), and is as proper a density of sentences as the
generator G. It goes wrong elsewhere: what is hard to foresee from the left may be easy from the
right. The correction e^f with f = α log B + β log G + c makes of both the product of experts
(Hinton 2002) G^{1+β} B^α, which neither of them can sample, and the correction can.

d is no logit: α and β come from the calibration (`metrics/certificate.py`).

`direction: forward` is the control: a second opinion of another initialisation that reads like the
generator. Sources: backward models rescore the hypotheses of forward ones since Sennrich et al.
2016 (*Edinburgh neural machine translation systems for WMT 16*), there with a fixed weight and
among the best candidates of a beam, here as a distribution.
"""

from typing import Literal

import torch
from torch import Tensor

from seqgan.core.types import Scores, SequenceSpace
from seqgan.decoding.log_probs import soft_log_probs
from seqgan.models.generators.rnn import RnnGenerator
from seqgan.models.layers import SequenceCritic


class LanguageModelCritic(SequenceCritic):
    """Log-likelihoods `score_B` of ids [B, T] or simplices [B, T, V], in nats per sentence.

    LanguageModelCritic(SequenceSpace(vocab_size=100, length=20), "lstm")(ids_BT, mask_BT).score
    """

    is_likelihood = True

    def __init__(
        self,
        space: SequenceSpace,
        cell: Literal["lstm", "gru"] = "lstm",
        embed: int = 64,
        hidden: int = 64,
        layers: int = 1,
        dropout: float = 0.0,
        tied: bool = False,
        direction: Literal["backward", "forward"] = "backward",
    ) -> None:
        super().__init__()
        self.reader = RnnGenerator(space, cell, embed, hidden, layers, dropout, tied=tied)
        self._end_id = space.end_id
        self._direction = direction

    def _score(self, tokens: Tensor, mask_BT: Tensor) -> Scores:
        if self._direction == "backward":
            tokens = reversed_sentences(tokens, mask_BT, self._end_id)
        return Scores(soft_log_probs(self.reader, tokens, mask_BT))


def reversed_sentences(tokens: Tensor, mask_BT: Tensor, end_id: int | None) -> Tensor:
    """The same sentences with their words in reverse order: ids [B, T] or simplices [B, T, V].

    An end token, where there are any, stays behind the words, and what is behind it where it is.
    """
    ids_BT = tokens.argmax(-1) if tokens.is_floating_point() else tokens
    is_word_BT = mask_BT if end_id is None else mask_BT & (ids_BT != end_id)
    words_B1 = is_word_BT.sum(1, keepdim=True)
    column_1T = torch.arange(ids_BT.shape[1], device=ids_BT.device)[None]
    source_BT = torch.where(column_1T < words_B1, words_B1 - 1 - column_1T, column_1T)
    if tokens.is_floating_point():
        return tokens.gather(1, source_BT[..., None].expand_as(tokens))
    return tokens.gather(1, source_BT)
