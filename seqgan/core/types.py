"""Names of shapes, and the types that the packages exchange.

Shape suffixes, used in every name of a tensor:

    B  batch            T  time, columns of a sequence     V  vocabulary
    E  embedding        H  hidden                          F  features
    N  continuations    P  prefix lengths                  R  rows of any kind
    (N also: the samples of a set)      S  tokens of a block    K  blocks, samples, classes
    C  colour channels  H  height (of a picture)           W  width    D  coordinates of a point
    L  latent           A  labels of a sample

A *token tensor* is either `ids_BT` (long) or `simplex_BTV` (float, rows on the simplex: one-hot,
soft, or straight-through). Everything that reads tokens takes both.

End token. Where sequences have variable length one id, `SequenceSpace.end_id`, ends a sentence
and also fills the columns behind it. `mask_BT` is True up to and including the first end token:
the end is a prediction like any other, and what stands behind it carries no loss and no reward.

Pictures are float `x_BCHW` with values in [-1, 1], points `x_BD`; both have no mask. Code that
serves everything calls them `x`. Conditions, where there are any, are class labels `cond_BA`
(long, one column a label), or the picture or the sentence (a token tensor) to be translated.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from math import prod
from typing import Literal, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqgan.core.errors import UserError
from seqgan.core.masks import mean_per_row
from seqgan.core.plain import StateDict
from seqgan.core.tree import Tree, choose_rows

State = Tree
"""A tree (tuples) of tensors with the batch in dim 0; ints in it are shared by all rows."""

Stats = dict[str, Tensor]
"""Named scalars that stay on the device until the trainer reads them."""


@dataclass(frozen=True, slots=True)
class SequenceSpace:
    """The sequences of an experiment: V tokens, at most T columns, perhaps an end token.

    With `prompt` above 0 every sample has a condition: `ids` [B, prompt] of the same tokens.
    """

    vocab_size: int
    length: int
    end_id: int | None = None
    prompt: int = 0

    @property
    def label_sizes(self) -> tuple[int, ...]:
        """None: what conditions sequences is another sequence."""
        return ()

    @property
    def conditional(self) -> bool:
        """Whether samples have a condition."""
        return self.prompt > 0

    @property
    def size(self) -> int:
        """Numbers in one sequence of one-hot rows."""
        return self.length * self.vocab_size

    def continuous(self, x: Tensor) -> Tensor:
        """One-hot rows of ids; rows pass through. Critics can be differentiated in the result."""
        return x if x.is_floating_point() else F.one_hot(x, self.vocab_size).float()

    def given(self, source: "Space") -> "SequenceSpace":
        """These sequences, each with one of `source`, of the same tokens, as its condition."""
        assert isinstance(source, SequenceSpace), "sequences are read beside sequences"
        return replace(self, prompt=source.length)


@dataclass(frozen=True, slots=True)
class ArraySpace:
    """Samples of fixed shape: pictures (C, H, W) in [-1, 1], or points (D,) without bounds.

    `label_sizes` has the number of classes of each label that is a condition: (10,) for digits;
    empty where samples have none. `source` is the shape (C, H, W) of a picture that is a condition.
    `caption` is (words of the vocabulary, columns) of one in words.
    """

    shape: tuple[int, ...]
    label_sizes: tuple[int, ...] = ()
    source: tuple[int, ...] = ()
    caption: tuple[int, ...] = ()

    @property
    def size(self) -> int:
        """Numbers in one sample."""
        return prod(self.shape)

    @property
    def conditional(self) -> bool:
        """Whether samples have a condition."""
        return bool(self.label_sizes or self.source or self.caption)

    @property
    def bounded(self) -> bool:
        """Whether values lie in [-1, 1]: those of pictures do."""
        return len(self.shape) == 3

    def continuous(self, x: Tensor) -> Tensor:
        """The samples themselves."""
        return x

    @property
    def stacked(self) -> "ArraySpace":
        """What a critic of pictures reads: where a picture is the condition, its channels stand
        behind those of the sample."""
        return replace(self, shape=(self.shape[0] + sum(self.source[:1]), *self.shape[1:]))

    def given(self, source: "Space") -> "ArraySpace":
        """These pictures, each with one of `source` as its condition."""
        assert isinstance(source, ArraySpace), "pictures are read beside pictures"
        return replace(self, source=source.shape)


Space = SequenceSpace | ArraySpace
"""What the samples of an experiment look like."""


@dataclass(frozen=True, slots=True)
class SpacePair:
    """The two kinds of samples of a cycle game."""

    a: Space
    b: Space


class Sample(Protocol):
    """Samples, real or generated, as a critic reads them."""

    @property
    def x(self) -> Tensor: ...

    @property
    def mask(self) -> Tensor | None: ...

    @property
    def cond(self) -> Tensor | None: ...


@dataclass(frozen=True, slots=True)
class StepOut:
    """The logits of the next token, and the state behind them."""

    logits_BV: Tensor
    state: State


@dataclass(frozen=True, slots=True)
class Batch:
    """Samples with their conditions: real ones, or what a direct generator made of noise.

    `mask` is `mask_BT` of sequences and None for pictures and points.
    """

    x: Tensor
    mask: Tensor | None = None
    cond: Tensor | None = None


@dataclass(frozen=True, slots=True)
class SampleRequest:
    """The number of samples to draw, and their conditions (a row each)."""

    rows: int
    cond: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Rollout:
    """Generated sequences.

    `tokens` is what a critic reads: `ids_BT` itself, or `simplex_BTV` with the gradient inside.
    `ids_BT` are the hard decisions in either case.
    """

    tokens: Tensor
    ids_BT: Tensor
    mask_BT: Tensor
    cond: Tensor | None = None
    """What they were written for, a row each: a token tensor; None without a condition."""

    @property
    def x(self) -> Tensor:
        return self.tokens

    @property
    def mask(self) -> Tensor:
        return self.mask_BT


@dataclass(frozen=True, slots=True)
class SharedPrefix:
    """Rows that are continuations of common prefixes, block after block.

    Row n·B + b is copy n of sentence b; the copies of a sentence agree in the first `columns`.
    """

    batch: int
    columns: int


@dataclass(frozen=True, slots=True)
class Scores:
    """A critic's scores: one per sequence, or from a causal critic one per step.

    `score` is [B], or [B, T] where entry t has seen the tokens up to and including column t.
    `mask_BT` says which steps count; it is None exactly when the score is [B].
    """

    score: Tensor
    mask_BT: Tensor | None = None
    features_BF: Tensor | None = None
    q_BTV: Tensor | None = None
    """From critics that score each token of the vocabulary: [:, t] after the tokens before column
    t. `score` is its entry at the token in column t."""
    log_labels_B: Tensor | None = None
    """From critics with an auxiliary classifier: log P(labels | x), in nats."""

    def per_sample(self) -> Tensor:
        """`score_B`; of scores per step their mean over the steps that count."""
        return self.score if self.mask_BT is None else mean_per_row(self.score, self.mask_BT)


@dataclass(frozen=True, slots=True)
class Hidden:
    """Logits before their last product: `h_BTH @ weight_VH.T + bias_V`.

    Without a weight `h_BTH` are the logits themselves.
    """

    h_BTH: Tensor
    weight_VH: Tensor | None = None
    bias_V: Tensor | None = None

    def logits(self) -> Tensor:
        """`logits_BTV`."""
        if self.weight_VH is None:
            return self.h_BTH
        return F.linear(self.h_BTH, self.weight_VH, self.bias_V)


def after_prompt(before: StepOut, out: StepOut, fill_B: Tensor | None, columns: int) -> StepOut:
    """`out`, but for rows whose prompts of `columns` columns hold nothing but fill: their logits
    are those `before` the prompt."""
    if fill_B is None:
        return out
    empty_B1 = (fill_B == columns)[:, None]
    return StepOut(torch.where(empty_B1, before.logits_BV, out.logits_BV), out.state)


class Generator(nn.Module, ABC):
    """An autoregressive model supplies these; `decoding` samples from any of them.

    The condition `cond` is a token tensor with a row for each sequence. What is computed from it
    once, such as an encoder's memory, belongs in the state.
    """

    vocab_size: int
    keeps_columns: bool = False
    """Whether it writes as many columns as its condition has, also behind the last end token."""
    has_density: bool = True
    """Whether `forward` says how likely its sentences are."""

    @abstractmethod
    def start(self, batch: int, cond: Tensor | None = None) -> StepOut:
        """Logits of the first token. The start token lives inside the model."""

    @abstractmethod
    def step(self, x: Tensor, state: State) -> StepOut:
        """Read one token a row (`ids_B` or `simplex_BV`), return the next distribution."""

    def read_prompt(self, ids_BP: Tensor, fill_B: Tensor | None, before: StepOut) -> StepOut:
        """Read P tokens per row, of which the first `fill_B` only fill the row up: afterwards a row
        is as if it had been without them. `before` is what `start` returned.

        This serves states of one shape, whatever was read; the others override it.
        """
        out = before
        for column, ids_B in enumerate(ids_BP.unbind(1)):
            after = self.step(ids_B, out.state)
            if fill_B is not None:
                state = choose_rows(fill_B <= column, after.state, out.state)
                after = StepOut(after.logits_BV, state)
            out = after
        return after_prompt(before, out, fill_B, ids_BP.shape[1])

    @abstractmethod
    def forward(self, tokens: Tensor, cond: Tensor | None = None) -> Tensor:
        """`logits_BTV`: [:, t] predicts token t from those before it. Equals the step loop."""

    def hidden(self, tokens: Tensor, cond: Tensor | None = None) -> Hidden:
        """What `forward` computes. A generator whose last layer is linear stops before it, which
        makes likelihoods cheaper: see `decoding.token_log_probs`."""
        return Hidden(self(tokens, cond))

    def copied_columns(self, ids_BT: Tensor, cond: Tensor, unk_id: int) -> Tensor | None:
        """`column_BT`: where the generator wrote `unk_id` by copying a word of the source `ids_BS`
        that the vocabulary lacks, the column of that word; −1 elsewhere. None: it cannot copy."""
        return None


class DirectGenerator(nn.Module, ABC):
    """One pass from noise, and a condition where there is one, to a sample; gradients pass.

    A translator has `latent` 0: its condition (a picture) alone decides.
    """

    latent: int
    noise: Literal["normal", "uniform"] = "normal"

    def draw(self, rows: int, temperature: float = 1.0) -> Tensor:
        """`z_BL` with mean 0 and standard deviation `temperature`, from torch's global generator.

        Uniform noise lies in ±√3 · temperature, so that both kinds have the same variance.
        """
        like = next(self.parameters())
        if self.noise == "normal":
            z_BL = torch.randn(rows, self.latent, device=like.device)
        else:
            z_BL = (torch.rand(rows, self.latent, device=like.device) * 2 - 1) * 3**0.5
        return z_BL * temperature

    @abstractmethod
    def forward(self, z_BL: Tensor, cond: Tensor | None = None) -> Tensor:
        """The samples `x`, float, one per row of `z_BL`."""

    def translate(self, cond: Tensor) -> Tensor:
        """What a translator makes of `cond`: it has no noise."""
        made: Tensor = self(cond.new_zeros(len(cond), 0), cond)
        return made


class Critic(nn.Module, ABC):
    """Scores samples; differentiable in them, so that a pathwise estimator can pass through it.

    A critic of a space without conditions ignores `cond`.
    """

    features: int = 0
    """Numbers in `Scores.features_BF`; 0: it gives none."""

    counts_from_first: bool = True
    """Whether a row has to begin in the first column, as for positions or a state. With False,
    masked columns in front change no score, or only whole rows are read."""
    is_likelihood: bool = False
    """Whether the score is a log-likelihood of the sample, not a logit of its being real."""
    filled_in_front: bool = False
    """Whether rows have masked columns in front; a prompted critic sets it."""

    @abstractmethod
    def forward(
        self, x: Tensor, mask: Tensor | None = None, cond: Tensor | None = None
    ) -> Scores: ...

    def score_continuations(
        self, ids_RT: Tensor, mask_RT: Tensor, shared: SharedPrefix, cond: Tensor | None = None
    ) -> Scores:
        """The same scores; a critic that can read a shared prefix once overrides this."""
        scores: Scores = self(ids_RT, mask_RT, cond)
        return scores

    def start_from(self, generator: nn.Module) -> None:
        """Copy the present layers of a generator that is built alike, in place.

        Raises `UserError` where the two are not alike.
        """
        raise UserError(
            f"critic.from_generator: a {type(self).__name__} cannot start from a "
            f"{type(generator).__name__}; use critic rnn with generator lstm or gru, transformer "
            "with transformer, or hf with hf"
        )


class Reward(Protocol):
    """What the estimator is to raise: one value per row, or one per step (where it is causal).

    Rows may be copies of the batch, block after block: row n·B + b is another version of sample
    b, under the same condition. `shared` says that they are continuations, which may save work
    and changes no value.
    """

    def __call__(
        self, x: Tensor, mask: Tensor | None, shared: SharedPrefix | None = None
    ) -> Tensor: ...


class ActionReward(Reward, Protocol):
    """A reward that also has a value for every token, not only the sampled one."""

    def actions(self, ids_BT: Tensor, mask_BT: Tensor) -> Tensor:
        """`value_BTV`: of each token at column t, after the tokens before it."""
        ...


@dataclass(frozen=True, slots=True)
class RewardTerm:
    """A further part of what an estimator is to raise, beside the critic's reward.

    One number per sample, credited to all tokens alike. It has a baseline of its own.
    """

    name: str
    reward: Reward
    weight: float = 1.0


class Stateful(Protocol):
    """Something whose state a checkpoint holds."""

    def state_dict(self) -> StateDict: ...

    def load_state_dict(self, state: StateDict) -> object: ...
