"""Any sequence network, made conditional: it reads the prompt first.

    p(x | c) = Π_t p(x_t | c, x_<t)        d(x, c) = d([c, x])

The generator is a decoder-only one over prompt and answer in one row; the critic sees the same
row. Both are made for P more columns and know nothing about prompts. Labels are prompts of one
symbol.

A prompt has P columns; where the data fill it up (in front, see `data/prompted_text.py`), the fill
is read like any other symbol, so a prompt is one fixed row and the state behind it the same in the
step loop and in `forward`.
"""

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from seqgan.core.types import (
    Critic,
    Generator,
    Hidden,
    Scores,
    SequenceSpace,
    Shared,
    State,
    StepOut,
)
from seqgan.models.generators.hf import HfGenerator


def with_room(space: SequenceSpace) -> SequenceSpace:
    """The space of prompt and answer in one row."""
    return replace(space, length=space.length + space.prompt, prompt=0)


class PromptedGenerator(Generator):
    """See the module's docstring. `inner` is made for `with_room(space)`."""

    def __init__(self, inner: Generator, space: SequenceSpace) -> None:
        super().__init__()
        self.inner = inner
        self.vocab_size = inner.vocab_size
        self.prompt = space.prompt

    def start(self, batch: int, cond: Tensor | None = None) -> StepOut:
        """Read the prompts `cond` [B, P]; the logits are those of the answer's first symbol."""
        assert cond is not None, "needs a prompt"
        out = self.inner.start(batch)
        if isinstance(self.inner, HfGenerator):
            return self.inner.read(cond, out.state)
        for symbol_B in cond.unbind(1):
            out = self.inner.step(symbol_B, out.state)
        return out

    def step(self, x: Tensor, state: State) -> StepOut:
        return self.inner.step(x, state)

    def forward(self, tokens: Tensor, cond: Tensor | None = None) -> Tensor:
        """`logits_BTV` of the answer's columns."""
        return self.hidden(tokens, cond).logits()

    def hidden(self, tokens: Tensor, cond: Tensor | None = None) -> Hidden:
        """The inner generator's, of the answer's columns: logits of the prompt are not computed
        where its last layer is linear."""
        hidden = self.inner.hidden(_joined(tokens, cond))
        return replace(hidden, h_BTH=hidden.h_BTH[:, self.prompt :])


class PromptedCritic(Critic):
    """See the module's docstring. `inner` is made for `with_room(space)`."""

    def __init__(self, inner: Critic, space: SequenceSpace) -> None:
        super().__init__()
        self.inner = inner
        self.prompt = space.prompt

    def forward(self, x: Tensor, mask: Tensor | None = None, cond: Tensor | None = None) -> Scores:
        """The inner critic's scores; those of a causal one for the answer's columns."""
        assert mask is not None, "sequences have a mask"
        return self._answers(self.inner(_joined(x, cond), self._visible(mask)))

    def score_continuations(
        self, ids_RT: Tensor, mask_RT: Tensor, shared: Shared, cond: Tensor | None = None
    ) -> Scores:
        """Prompts are part of what continuations share."""
        inner_shared = Shared(shared.batch, shared.columns + self.prompt)
        joined = _joined(ids_RT, cond)
        scores = self.inner.score_continuations(joined, self._visible(mask_RT), inner_shared)
        return self._answers(scores)

    def _visible(self, mask_BT: Tensor) -> Tensor:
        """Prompts count in every column."""
        return torch.cat([mask_BT.new_ones(len(mask_BT), self.prompt), mask_BT], 1)

    def _answers(self, scores: Scores) -> Scores:
        if scores.mask_BT is None:
            return scores
        columns = slice(self.prompt, None)
        q_BTV = None if scores.q_BTV is None else scores.q_BTV[:, columns]
        return Scores(
            scores.score[:, columns], scores.mask_BT[:, columns], scores.features_BF, q_BTV
        )


def _joined(tokens: Tensor, cond: Tensor | None) -> Tensor:
    """Prompt and answer in one row: ids, or rows of the simplex where the answer has them."""
    assert cond is not None, "needs a prompt"
    if tokens.is_floating_point() and not cond.is_floating_point():
        cond = F.one_hot(cond, tokens.shape[-1]).to(tokens.dtype)
    return torch.cat([cond, tokens], 1)
