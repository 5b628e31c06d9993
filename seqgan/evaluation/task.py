"""A task: everything of a run that its data decide."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from seqgan.core.plain import JsonObject
from seqgan.core.types import Batch, Space, SpacePair
from seqgan.data.noise import Noise
from seqgan.data.noise_config import NoiseConfig
from seqgan.data.stream import FreshStream, Stream
from seqgan.data.tokenizer_contract import Tokenizer
from seqgan.evaluation.base import Evaluator
from seqgan.evaluation.config import EvaluationConfig


@dataclass(frozen=True, slots=True)
class SequenceSets:
    """Whole sets of sequences of one kind, on the device."""

    train: Batch
    """The training set; where data are drawn afresh, its first block."""
    held_out: Batch
    """The validation set."""
    log_density: Callable[..., Tensor] | None = None
    """log p(x), or log p(x | cond), in nats, where the truth is known."""


@dataclass(frozen=True, slots=True)
class Prompts:
    """Prompts beside those of the training pairs."""

    shown: list[list[int]]
    """Validation prompts that a run keeps, for `seqgan sample`."""
    unanswered: Stream | None = None
    """Prompts (as `x`) that phase `generator` answers instead of those of the pairs."""


@dataclass(frozen=True, slots=True)
class Task:
    """A space, real samples of it, and what measures a generator of more."""

    space: Space | SpacePair
    streams: tuple[Stream | FreshStream, ...]
    """Batches of real samples: one stream, or one for each of two kinds."""
    evaluator: Evaluator[Any]
    tokenizers: dict[str, Tokenizer] = field(default_factory=dict)
    """By the folder of a run that they are kept in: "." or, for two kinds of text, a and b."""
    report: JsonObject = field(default_factory=dict)
    """Counts and hashes of the data, as plain JSON."""
    sequences: SequenceSets | None = None
    prompts: Prompts | None = None
    noises: tuple[Noise | None, Noise | None] = (None, None)
    """Of two kinds of text, the noise on sentences of a and of b."""
    wrong_conditions: Callable[[Tensor], Tensor] | None = None
    """From the conditions of a batch to others that do not fit its samples, where the data know
    better than the game."""
    priors: dict[str, Tensor] = field(default_factory=dict)
    """By direction (a2b, b2a) the logits [V_source, V_target] that a lexicon starts from."""

    @property
    def stream(self) -> Stream | FreshStream:
        """The stream of data of one kind."""
        (only,) = self.streams
        return only

    @property
    def only_space(self) -> Space:
        """The space of data of one kind."""
        if isinstance(self.space, SpacePair):
            raise TypeError("data of two kinds have two spaces")
        return self.space


@dataclass(frozen=True, slots=True)
class TranslationSetup:
    """How a game between two kinds of text uses its data."""

    paired: bool = False
    """Whether rows of equal number are learned from together, so that the streams run in step."""
    directions: Sequence[str] = ("a2b", "b2a")
    """Directions that are played."""
    trained: Sequence[str] = ("a2b", "b2a")
    """Directions whose translator learns; in a cycle the others may only recover sources."""
    noise: NoiseConfig | None = None
    """On the sentences that a translator learns to restore."""
    frequency_prior: float = 0.0
    co_occurrence_prior: float = 0.0
    """See `LexiconConfig`."""


@dataclass(frozen=True, slots=True)
class TaskSetup:
    """What data are built for.

    data = OracleDataConfig(oracle=RandomOracleConfig(name="random_lstm"))
    task = data.build(TaskSetup(batch_size=32))
    """

    seed: int = 0
    """Seed of the order of the samples."""
    batch_size: int = 64
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    run: Path | None = None
    """The folder of an existing run, which brings its own tokenizers."""
    conditional: bool = False
    """Whether the generator gets the labels of pictures."""
    translation: TranslationSetup = TranslationSetup()
