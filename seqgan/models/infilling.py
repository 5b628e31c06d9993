"""A generator that fills blanks: it reads a sentence with holes and writes what stands in them.

    p(x | c) = Π_t p(x_t | c, x_<t) at blank columns,   1 at the others if x_t = c_t, else 0

Any prompted generator becomes one (MaskGAN, Fedus et al. 2018): the prompt is the whole sentence,
in which one further token, V, stands for a blank. A column that is given has probability 1 at its
token, so sampling, densities and estimators need no special case. Blanks are never written, and
an end never before a column that is given.

Without a condition everything is blank, which is how it is evaluated. Deviation from MaskGAN: no
encoder with attention; one network reads the blanked sentence, then writes.
"""

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from seqgan.core.types import Generator, SequenceSpace, State, StepOut

_IMPOSSIBLE = -1e4
"""A logit whose softmax is exactly 0, finite so that p log p is 0 too."""


def with_blanks(space: SequenceSpace) -> SequenceSpace:
    """Sentences after their blanked versions, in V + 1 tokens: what the networks inside read."""
    return replace(space, vocab_size=space.vocab_size + 1, prompt=space.length)


class InfillingGenerator(Generator):
    """Fills the blanks of sentences [B, T]; see the module's docstring.

        InfillingGenerator(RnnGeneratorConfig(name="gru").build(with_blanks(space)), space)

    `inner` is a prompted generator for `with_blanks(space)`.
    """

    def __init__(self, inner: Generator, space: SequenceSpace) -> None:
        super().__init__()
        self.inner = inner
        self.vocab_size = space.vocab_size
        self._length = space.length
        self._end_id = space.end_id

    def start(self, batch: int, cond: Tensor | None = None) -> StepOut:
        """`cond` are sentences with blanks, ids [B, T]; None: all blank."""
        cond_BT = self._condition(batch, cond)
        out = self.inner.start(batch, cond_BT)
        return self._out(out, cond_BT, 0)

    def step(self, x: Tensor, state: State) -> StepOut:
        inner, cond_BT, column = state
        return self._out(self.inner.step(x, inner), cond_BT, column + 1)

    def forward(self, tokens: Tensor, cond: Tensor | None = None) -> Tensor:
        cond_BT = self._condition(len(tokens), cond)
        logits_BTV = self.inner(tokens, cond_BT)[..., : self.vocab_size]
        return logits_BTV.masked_fill(~self._possible(cond_BT), _IMPOSSIBLE)

    def _condition(self, batch: int, cond: Tensor | None) -> Tensor:
        if cond is not None:
            return cond
        device = next(self.parameters()).device
        return torch.full((batch, self._length), self.vocab_size, device=device)

    def _out(self, out: StepOut, cond_BT: Tensor, column: int) -> StepOut:
        logits_BV = out.logits_BV[:, : self.vocab_size]
        possible_BV = self._possible(cond_BT[:, column:])[:, 0]
        state = (out.state, cond_BT, column)
        return StepOut(logits_BV.masked_fill(~possible_BV, _IMPOSSIBLE), state)

    def _possible(self, cond_BT: Tensor) -> Tensor:
        """`possible_BTV`: which tokens may stand where, from this column on."""
        blank_BT = cond_BT == self.vocab_size
        given_BTV = F.one_hot(cond_BT, self.vocab_size + 1)[..., : self.vocab_size].bool()
        possible_BTV = given_BTV | blank_BT[..., None]
        if self._end_id is not None:
            given_BT = ~blank_BT
            given_later_BT = given_BT.flip(1).cumsum(1).flip(1) > given_BT.long()
            possible_BTV[..., self._end_id] &= ~(blank_BT & given_later_BT)
        return possible_BTV
