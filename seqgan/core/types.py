"""The vocabulary of the code: shapes, sequences, and the contracts between the packages.

Shape suffixes, used in every name of a tensor:

    B  batch            T  time, columns of a sequence     V  vocabulary
    E  embedding        H  hidden                          F  features
    N  continuations    P  prefix lengths                  R  rows of any kind
    (N also: the sentences of a set)    S  symbols of a block    K  blocks, samples

A *token tensor* is either `ids_BT` (long) or `simplex_BTV` (float, rows on the simplex: one-hot,
soft, or straight-through). Everything that reads tokens takes both.

End symbol. Where sequences have variable length one id, `Space.end_id`, ends a sentence and also
fills the columns behind it. `mask_BT` is True up to and including the first end symbol: the end
is a prediction like any other, and what stands behind it carries no loss and no reward.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn

State = Any
"""A tree (tuples) of tensors with the batch in dim 0; ints in it are shared by all rows."""

Stats = dict[str, Tensor]
"""Named scalars that stay on the device until the trainer reads them."""


@dataclass(frozen=True, slots=True)
class Space:
    """The sequences of an experiment: V symbols, at most T columns, perhaps an end symbol."""

    vocab_size: int
    length: int
    end_id: int | None = None


@dataclass(frozen=True, slots=True)
class StepOut:
    """What a generator knows before it writes one more symbol."""

    logits_BV: Tensor
    state: State


@dataclass(frozen=True, slots=True)
class Batch:
    """Real sequences, as many as the phase asked for."""

    ids_BT: Tensor
    mask_BT: Tensor


@dataclass(frozen=True, slots=True)
class Rollout:
    """Generated sequences.

    `tokens` is what a critic reads: `ids_BT` itself, or `simplex_BTV` with the gradient inside.
    `ids_BT` are the hard decisions in either case.
    """

    tokens: Tensor
    ids_BT: Tensor
    mask_BT: Tensor


@dataclass(frozen=True, slots=True)
class Shared:
    """Rows that are continuations of common prefixes, block after block.

    Row n·B + b is copy n of sentence b; the copies of a sentence agree in the first `columns`.
    """

    batch: int
    columns: int


@dataclass(frozen=True, slots=True)
class Scores:
    """A critic's opinion: one score a sequence, or from a causal critic one a step.

    `score` is [B], or [B, T] where entry t has seen the symbols up to and including column t.
    `mask_BT` says which steps count; it is None exactly when the score is [B].
    """

    score: Tensor
    mask_BT: Tensor | None = None
    features_BF: Tensor | None = None


class Generator(nn.Module, ABC):
    """An autoregressive model supplies these; `decoding.py` samples from any of them."""

    vocab_size: int

    @abstractmethod
    def start(self, batch: int) -> StepOut:
        """Logits of the first symbol. The start symbol lives inside the model."""

    @abstractmethod
    def step(self, x: Tensor, state: State) -> StepOut:
        """Read one symbol a row (`ids_B` or `simplex_BV`), return the next distribution."""

    @abstractmethod
    def forward(self, tokens: Tensor) -> Tensor:
        """`logits_BTV`: [:, t] predicts symbol t from those before it. Equals the step loop."""


class Critic(nn.Module, ABC):
    """Differentiable in its tokens, so that a pathwise estimator can pass through it."""

    @abstractmethod
    def forward(self, tokens: Tensor, mask_BT: Tensor) -> Scores: ...

    def score_continuations(self, ids_RT: Tensor, mask_RT: Tensor, shared: Shared) -> Scores:
        """The same scores; a critic that can look at a shared prefix once overrides this."""
        return self(ids_RT, mask_RT)


class Reward(Protocol):
    """What the estimator is to raise: one value a row, or one a step (where it is causal).

    `shared` says that the rows are continuations, which may save work and changes no value.
    """

    def __call__(self, tokens: Tensor, mask_BT: Tensor, shared: Shared | None = None) -> Tensor: ...


class Stateful(Protocol):
    """Everything that a checkpoint must hold speaks this."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> Any: ...
