"""Configuration of critics of sequences."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from seqgan.core.extensions import ByName
from seqgan.core.numbers import Layers
from seqgan.core.parts import ARRAYS, SEQUENCES, Modalities, Need, Needs, Words
from seqgan.models import critics
from seqgan.models.base_config import (
    MINIBATCH_NEEDS,
    CriticConfig,
    Fraction,
    HfFields,
    Positive,
    SequenceCriticConfig,
    TransformerFields,
    arguments_of,
)

if TYPE_CHECKING:
    from seqgan.core.types import ArraySpace, Critic, SequenceSpace, Space
    from seqgan.models.layers import Trunk


class MlpCriticConfig(SequenceCriticConfig):
    """Reads a sample as one flat vector: points, small pictures, short sequences of few tokens."""

    accepts: ClassVar[Modalities] = SEQUENCES | ARRAYS
    gives: ClassVar[Words] = frozenset({"features", "new weights in plain layers"})

    name: Literal["mlp"] = "mlp"
    hidden: Positive = 128
    """Units of each hidden layer."""
    layers: Layers = 2
    """Hidden layers, each followed by a leaky ReLU."""
    minibatch_std: bool = False
    """Give the last hidden layer how much the batch varies, against collapse; not of sequences."""

    @property
    def needs(self) -> Needs:
        return MINIBATCH_NEEDS if self.minibatch_std else ()

    @property
    def compares_samples(self) -> bool:
        return self.minibatch_std

    def build(self, space: "Space") -> "Critic":
        from seqgan.core.types import ArraySpace

        if isinstance(space, ArraySpace) and space.source:
            return critics.PictureCritic(self.build_trunk(space.stacked), space)
        if isinstance(space, ArraySpace):
            return critics.MlpCritic(space, **arguments_of(self))
        return super().build(space)

    def build_network(self, space: "SequenceSpace") -> "Critic":
        return critics.MlpCritic(space, **arguments_of(self))

    def build_trunk(self, space: "ArraySpace") -> "Trunk":
        from seqgan.models.critics.mlp import MlpTrunk

        return MlpTrunk(space, **arguments_of(self))


class _WindowsConfig(SequenceCriticConfig):
    """Fields of critics with windows of several widths."""

    widths: list[Positive]
    """Window widths, in tokens; none may exceed the sequence length."""
    filters: list[Positive]
    """Filters of each width."""

    @model_validator(mode="after")
    def _one_filter_count_per_width(self) -> Self:
        if len(self.widths) != len(self.filters):
            raise ValueError(
                f"widths has {len(self.widths)} entries and filters {len(self.filters)}; "
                "give one filter count for each width"
            )
        return self

    @property
    def widest(self) -> int:
        return max(self.widths, default=0)


class CnnCriticConfig(_WindowsConfig):
    """The SeqGAN critic: convolutions of many widths, max over time, a highway layer."""

    gives: ClassVar[Words] = frozenset(
        {"features", "features of prefixes", "new weights in plain layers"}
    )

    name: Literal["cnn"] = "cnn"
    embed: Positive = 64
    """Width of the token embedding."""
    widths: list[Positive] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 20]
    """Window widths, in tokens; none may exceed the sequence length."""
    filters: list[Positive] = [100, 200, 200, 200, 200, 100, 100, 100, 100, 100, 160, 160]
    """Filters of each width."""
    highways: Annotated[int, Field(ge=0, le=1_000)] = 1
    """Gated layers that mix the features of all filters."""
    dropout: Fraction = 0.25
    """On the features before the read-out."""

    def build_network(self, space: "SequenceSpace") -> "Critic":
        return critics.CnnCritic(space, **arguments_of(self))


class RelganCriticConfig(_WindowsConfig):
    """The RelGAN critic: many narrow embeddings, each read by the same convolutions."""

    gives: ClassVar[Words] = frozenset({"features", "new weights in plain layers"})

    name: Literal["relgan"] = "relgan"
    representations: Positive = 64
    """Embeddings of a sentence, each of which gets a logit; the score is their mean."""
    embed: Positive = 1
    """Width of each embedding."""
    widths: list[Positive] = [2, 3, 4, 5]
    """Window widths, in tokens; none may exceed the sequence length."""
    filters: list[Positive] = [300, 300, 300, 300]
    """Filters of each width."""
    hidden: Positive = 100
    """Units of the layer behind the filters; `features_BF` are their mean over the embeddings."""
    dropout: Fraction = 0.25
    """On the filters' features."""

    def build_network(self, space: "SequenceSpace") -> "Critic":
        return critics.RelganCritic(space, **arguments_of(self))


class RnnCriticConfig(SequenceCriticConfig):
    """A causal recurrent critic: one score per step, from the tokens up to there."""

    gives: ClassVar[Words] = frozenset({"scores of every step"})

    name: Literal["rnn"] = "rnn"
    cell: Literal["lstm", "gru"] = "gru"
    """The recurrent cell."""
    embed: Positive = 64
    """Width of the token embedding."""
    hidden: Positive = 64
    """Width of the recurrent state."""
    layers: Layers = 1
    """Recurrent layers, each reading the one below."""
    dropout: Fraction = 0.0
    """Probability of zeroing an entry of the embedding and of each layer's output."""
    from_generator: bool = False
    """Read what an lstm or gru generator of the same sizes reads, start token and all, so that
    the phase `copy_critic` can copy its embedding and its layers into the critic."""

    @property
    def starts_from(self) -> Mapping[str, Mapping[str, str]]:
        fields = {field: field for field in ("embed", "hidden", "layers")}
        return {name: {"cell": "name", **fields} for name in ("lstm", "gru") if self.from_generator}

    def build_network(self, space: "SequenceSpace") -> "Critic":
        return critics.RnnCritic(space, **arguments_of(self))


class ActionCriticConfig(SequenceCriticConfig):
    """A causal recurrent critic that scores every token that may come next."""

    name: Literal["action"] = "action"
    reads: Literal["logits", "log_likelihood", "surprise"] = "logits"
    """What the score of a token is: free, its log-likelihood under this network as a language
    model (the mediator of CoT), or the negative of that (DPGAN)."""
    cell: Literal["lstm", "gru"] = "gru"
    """The recurrent cell."""
    embed: Positive = 64
    """Width of the token embedding."""
    hidden: Positive = 64
    """Width of the recurrent state."""
    dropout: Fraction = 0.0
    """Probability of zeroing an entry of the embedding and of the state that is read out."""

    @property
    def gives(self) -> Words:
        words = {"scores of every step", "scores of every next token"}
        return frozenset(words | ({"log-likelihoods"} if self.reads == "log_likelihood" else set()))

    def build_network(self, space: "SequenceSpace") -> "Critic":
        return critics.ActionCritic(space, **arguments_of(self))


class TransformerCriticConfig(TransformerFields, SequenceCriticConfig):
    """A transformer encoder with a summary position; with `causal`, one score per step."""

    name: Literal["transformer"] = "transformer"

    causal: bool = False
    """Score every step from the tokens up to there, not the sequence as a whole."""
    from_generator: bool = False
    """Read what a transformer generator of the same sizes reads, start token and all, so that
    the phase `copy_critic` can copy everything but its read-out into the critic; causal only."""

    @model_validator(mode="after")
    def _only_causal_ones_start_from_a_generator(self) -> Self:
        if self.from_generator and not self.causal:
            raise ValueError(
                "from_generator=true, but a generator's layers see earlier tokens only; set "
                "causal=true, or from_generator=false"
            )
        return self

    @property
    def gives(self) -> Words:
        words = {"scores of every step"} if self.causal else {"features"}
        return frozenset(words if self.from_generator else words | {"new weights in plain layers"})

    @property
    def starts_from(self) -> Mapping[str, Mapping[str, str]]:
        fields = {field: field for field in ("width", "layers", "heads")}
        return {"transformer": fields} if self.from_generator else {}

    def build_network(self, space: "SequenceSpace") -> "Critic":
        return critics.TransformerCritic(space, **arguments_of(self))


class PairwiseCriticConfig(SequenceCriticConfig):
    """Compares every pair of positions by a learned bilinear form, then reads the table."""

    gives: ClassVar[Words] = frozenset({"features"})

    name: Literal["pairwise"] = "pairwise"
    embed: Positive = 16
    """Width of the token embedding."""
    channels: Positive = 4
    """Bilinear similarities learned side by side."""
    hidden: Positive = 128
    """Units of the hidden layer that reads the table."""

    def build_network(self, space: "SequenceSpace") -> "Critic":
        return critics.PairwiseCritic(space, self.embed, self.channels, self.hidden)


class LocalCriticConfig(SequenceCriticConfig):
    """Convolutions that score every column by the few tokens around it."""

    gives: ClassVar[Words] = frozenset({"scores of windows", "new weights in plain layers"})

    name: Literal["local"] = "local"
    width: Positive = 64
    """Width of the token embedding and of every layer."""
    windows: Annotated[list[Positive], Field(min_length=1)] = [3, 3]
    """Width of each convolution, in columns; odd."""

    @property
    def reach(self) -> int:
        """Columns to either side that a score depends on."""
        return sum(window // 2 for window in self.windows)

    @model_validator(mode="after")
    def _odd_windows(self) -> Self:
        even = [window for window in self.windows if window % 2 == 0]
        if even:
            raise ValueError(f"windows has {even[0]}, which has no middle; use odd numbers")
        return self

    def build_network(self, space: "SequenceSpace") -> "Critic":
        return critics.LocalCritic(space, self.width, self.windows)


class CoOccurrenceCriticConfig(SequenceCriticConfig):
    """A score for every word from the words it shares a sentence with, in whatever order."""

    gives: ClassVar[Words] = frozenset({"new weights in plain layers"})

    name: Literal["co_occurrence"] = "co_occurrence"
    width: Positive = 64
    """Width of the token embedding; the rank of the table of pairs of words."""

    def build_network(self, space: "SequenceSpace") -> "Critic":
        return critics.CoOccurrenceCritic(space, self.width)


class LanguageModelCriticConfig(SequenceCriticConfig):
    """A second likelihood model, which reads backwards: the log-likelihood of the sentence."""

    accepts: ClassVar[Modalities] = frozenset({"sentences"})
    gives: ClassVar[Words] = frozenset({"a likelihood of its own"})

    name: Literal["language_model"] = "language_model"
    direction: Literal["backward", "forward"] = "backward"
    """From the last word to the first, or like the generator, a control."""
    cell: Literal["lstm", "gru"] = "lstm"
    """The recurrent cell."""
    embed: Positive = 64
    """Width of the token embedding."""
    hidden: Positive = 64
    """Width of the recurrent state."""
    layers: Layers = 1
    """Recurrent layers, each reading the one below."""
    dropout: Fraction = 0.0
    """Probability of zeroing an entry of the embedding and of each layer's output."""
    tied: bool = False
    """Let the read-out use the vectors of the embedding."""

    def build_network(self, space: "SequenceSpace") -> "Critic":
        return critics.LanguageModelCritic(space, **arguments_of(self))


class HfCriticConfig(HfFields, SequenceCriticConfig):
    """A network of the `transformers` library with a read-out of its own: a score per sequence."""

    gives: ClassVar[Words] = frozenset({"features"})

    name: Literal["hf"] = "hf"

    kind: Literal["encoder", "causal"]
    """encoder: reads in both directions, such as BERT. causal: a language model, such as GPT-2,
    which scores at the last token that counts."""
    pooling: Literal["mean", "first"] = "mean"
    """What an encoder's score is read from: the mean over the tokens, or a summary column that
    stands in front of them."""
    from_generator: bool = False
    """Start, by the phase `copy_critic`, from the present layers of an hf generator with the same
    `path`; causal only."""

    @model_validator(mode="after")
    def _only_causal_ones_start_from_a_generator(self) -> Self:
        if self.from_generator and self.kind != "causal":
            raise ValueError(
                f"from_generator=true, but kind={self.kind} has other layers than a generator; "
                "set kind=causal, or from_generator=false"
            )
        return self

    @property
    def starts_from(self) -> Mapping[str, Mapping[str, str]]:
        return {"hf": {"path": "path"}} if self.from_generator else {}

    def build_network(self, space: "SequenceSpace") -> "Critic":
        return critics.HfCritic(space, **arguments_of(self, "from_generator"))


class ClassesCriticConfig(CriticConfig):
    """Tells k categories and generated samples apart; the label is a prompt of one token."""

    accepts: ClassVar[Modalities] = SEQUENCES
    gives: ClassVar[Words] = frozenset(
        {"features", "scores of categories", "new weights in plain layers"}
    )
    needs: ClassVar[Needs] = (
        Need("objective", "a loss of categories"),
        Need("data", "labels", otherwise="use prompts of one token"),
        Need("game", "no mismatched pairs", otherwise="set game.mismatched to 0"),
    )

    name: Literal["classes"] = "classes"
    trunk: Annotated[MlpCriticConfig | CnnCriticConfig | RelganCriticConfig, ByName()]
    """The critic whose features are read; it does not read the label."""

    def build(self, space: "Space") -> "Critic":
        from seqgan.core.types import SequenceSpace

        assert isinstance(space, SequenceSpace), "classes reads sequences"
        return critics.ClassesCritic(self.trunk.build(replace(space, prompt=0)), space)
