"""Any sequence network, made conditional: it reads the prompt first.

    p(x | c) = Π_t p(x_t | c, x_<t)        d(x, c) = d([c, x])

Generator and critic are ordinary ones of P more columns, and read prompt and answer in one row.
Labels are prompts of one token.

A prompt has P columns; where the data fill it up (in front), nothing is computed from the fill:
states stay as they were, positions begin at the first real token, attention and windows leave it
out. So neither densities nor scores depend on P.
"""

from collections.abc import Callable
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqgan.core.types import (
    Critic,
    Generator,
    Hidden,
    Scores,
    SequenceSpace,
    SharedPrefix,
    State,
    StepOut,
)
from seqgan.models.fill import count_fill, move_left, take_columns


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
        self.fill_id = space.end_id

    def start(self, batch: int, cond: Tensor | None = None) -> StepOut:
        """Read the prompts `cond` [B, P]; the logits are those of the answer's first token."""
        assert cond is not None, "needs a prompt"
        fill_B = count_fill(cond, self.fill_id)
        return self.inner.read_prompt(cond, fill_B, self.inner.start(batch))

    def step(self, x: Tensor, state: State) -> StepOut:
        return self.inner.step(x, state)

    def forward(self, tokens: Tensor, cond: Tensor | None = None) -> Tensor:
        return self.hidden(tokens, cond).logits()

    def hidden(self, tokens: Tensor, cond: Tensor | None = None) -> Hidden:
        """The inner generator's, of the answer's columns: logits of the prompt are not computed
        where its last layer is linear."""
        assert cond is not None, "needs a prompt"
        joined, fill_B = _joined(tokens, cond), count_fill(cond, self.fill_id)
        if fill_B is None:
            hidden = self.inner.hidden(joined)
            return replace(hidden, h_BTH=hidden.h_BTH[:, self.prompt :])
        hidden = self.inner.hidden(move_left(joined, fill_B))
        answers = take_columns(hidden.h_BTH, self.prompt - fill_B, tokens.shape[1])
        return replace(hidden, h_BTH=answers)


class PromptedCritic(Critic):
    """See the module's docstring. `inner` is made for `with_room(space)`."""

    def __init__(self, inner: Critic, space: SequenceSpace) -> None:
        super().__init__()
        self.inner = inner
        self.prompt = space.prompt
        self.fill_id = space.end_id
        inner.filled_in_front = self.fill_id is not None and not inner.counts_from_first
        self.features = inner.features

    def start_from(self, generator: nn.Module) -> None:
        """The inner critic starts from the inner generator."""
        if not isinstance(generator, PromptedGenerator):
            return super().start_from(generator)
        self.inner.start_from(generator.inner)

    def forward(self, x: Tensor, mask: Tensor | None = None, cond: Tensor | None = None) -> Scores:
        """The inner critic's scores; those of a causal one for the answer's columns."""
        assert mask is not None, "sequences have a mask"
        assert cond is not None, "needs a prompt"
        fill_B = count_fill(cond, self.fill_id)
        joined, visible = _joined(x, cond), self._visible(mask, fill_B)
        if fill_B is None or not self.inner.counts_from_first:
            scores = self.inner(joined, visible)
            return _of_answers(scores, lambda score: score[:, self.prompt :])
        first_B, length = self.prompt - fill_B, x.shape[1]
        scores = self.inner(move_left(joined, fill_B), move_left(visible, fill_B))
        return _of_answers(scores, lambda score: take_columns(score, first_B, length))

    def score_continuations(
        self, ids_RT: Tensor, mask_RT: Tensor, shared: SharedPrefix, cond: Tensor | None = None
    ) -> Scores:
        """Prompts are part of what continuations share."""
        if self.inner.counts_from_first:
            return self(ids_RT, mask_RT, cond)
        assert cond is not None, "needs a prompt"
        visible = self._visible(mask_RT, count_fill(cond, self.fill_id))
        inner_shared = SharedPrefix(shared.batch, shared.columns + self.prompt)
        scores = self.inner.score_continuations(_joined(ids_RT, cond), visible, inner_shared)
        return _of_answers(scores, lambda score: score[:, self.prompt :])

    def _visible(self, mask_BT: Tensor, fill_B: Tensor | None) -> Tensor:
        """Prompts count in every column that holds more than fill."""
        if fill_B is None:
            prompt_BP = mask_BT.new_ones(len(mask_BT), self.prompt)
        else:
            prompt_BP = torch.arange(self.prompt, device=fill_B.device) >= fill_B[:, None]
        return torch.cat([prompt_BP, mask_BT], 1)


def _of_answers(scores: Scores, cut: Callable[[Tensor], Tensor]) -> Scores:
    """Of critics with one score per column, those of the columns that `cut` leaves."""
    if scores.mask_BT is None:
        return scores
    q_BTV = None if scores.q_BTV is None else cut(scores.q_BTV)
    return Scores(cut(scores.score), cut(scores.mask_BT), scores.features_BF, q_BTV)


def _joined(tokens: Tensor, cond: Tensor) -> Tensor:
    """Prompt and answer in one row: ids, or rows of the simplex where the answer has them."""
    if tokens.is_floating_point() and not cond.is_floating_point():
        cond = F.one_hot(cond, tokens.shape[-1]).to(tokens.dtype)
    return torch.cat([cond, tokens], 1)
