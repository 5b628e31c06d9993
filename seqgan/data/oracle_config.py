"""Configuration of oracles, whose density is known, and of samples of them. No torch here."""

from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from seqgan.core.config import Config
from seqgan.core.drawn import check_drawn
from seqgan.core.extensions import ByName
from seqgan.core.numbers import LONGEST, Length, Positive, Sampled, Seed
from seqgan.core.parts import DataPart, Modality, Words

if TYPE_CHECKING:
    import torch

    from seqgan.data.oracle_samples import OracleSamples
    from seqgan.evaluation.task import Task, TaskSetup
    from seqgan.models.generators.rnn import RnnGenerator
    from seqgan.models.oracles import ConditionalOracle, Oracle


class OraclePart(Config):
    """What oracles have in common."""

    positive: ClassVar[bool] = False
    """Whether every sequence has a probability above 0."""

    @abstractmethod
    def build(self, device: "torch.device") -> "Oracle":
        """The oracle. Raises `UserError` where parameters are missing or differ."""


class RandomOracleConfig(OraclePart):
    """A recurrent network with N(0, std²) parameters drawn from a seed."""

    positive: ClassVar[bool] = True

    name: Literal["random_lstm", "random_gru"]
    vocab_size: Annotated[int, Field(gt=1)] = 8
    """Number of different tokens."""
    length: Length = 4
    """Tokens per sequence."""
    embed: Positive = 16
    """Width of the token embedding."""
    hidden: Positive = 32
    """Width of the recurrent state."""
    std: Annotated[float, Field(gt=0)] = 1.0
    """Standard deviation of the parameters; larger makes a sharper distribution."""
    seed: Seed = 0
    """Seed of the parameters."""
    sha256: str | None = None
    """First hex digits of the parameters' SHA-256; building stops where they differ."""

    def build(self, device: "torch.device") -> "Oracle":
        from seqgan.core.types import SequenceSpace
        from seqgan.models.oracles import NetworkOracle

        space = SequenceSpace(self.vocab_size, self.length)
        return NetworkOracle(self.build_network(), space, device)

    def build_network(self) -> "RnnGenerator":
        """The network alone, on the CPU."""
        from seqgan.core.types import SequenceSpace
        from seqgan.models.oracles import random_network

        return random_network(
            SequenceSpace(self.vocab_size, self.length),
            cell="lstm" if self.name == "random_lstm" else "gru",
            embed=self.embed,
            hidden=self.hidden,
            std=self.std,
            seed=self.seed,
            sha256=self.sha256,
        )


class PaperOracleConfig(OraclePart):
    """The SeqGAN paper's oracle LSTM from its published parameters (.npz)."""

    positive: ClassVar[bool] = True

    name: Literal["seqgan_paper"] = "seqgan_paper"
    path: str
    """The .npz file with arrays embeddings, Wi, Ui, bi, … Wo, bo."""
    length: Length = 20
    """Tokens per sequence."""

    def build(self, device: "torch.device") -> "Oracle":
        from seqgan.core.types import SequenceSpace
        from seqgan.models.oracles import NetworkOracle, load_paper_oracle

        network = load_paper_oracle(Path(self.path), self.length)
        return NetworkOracle(network, SequenceSpace(network.vocab_size, self.length), device)


class _HalvesOracleConfig(OraclePart):
    """A Markov chain writes the first half, which decides the second."""

    mirrored: ClassVar[bool]
    """Whether the second half is the mirror image of the first, or repeats it."""

    vocab_size: Annotated[int, Field(gt=1)] = 8
    """Number of different tokens."""
    length: Annotated[int, Field(gt=1, le=LONGEST, multiple_of=2)] = 12
    """Tokens per sequence, both halves together."""
    seed: Seed = 0
    """Seed of the chain's initial and transition probabilities."""

    def build(self, device: "torch.device") -> "Oracle":
        from seqgan.models.oracles import HalvesOracle

        return HalvesOracle(self.vocab_size, self.length, self.seed, mirrored=self.mirrored)


class PalindromeOracleConfig(_HalvesOracleConfig):
    """A Markov chain writes the first half; the second half is its mirror image."""

    mirrored: ClassVar[bool] = True

    name: Literal["palindrome"] = "palindrome"


class CopyOracleConfig(_HalvesOracleConfig):
    """A Markov chain writes the first half; the second half repeats it."""

    mirrored: ClassVar[bool] = False

    name: Literal["copy"] = "copy"


class BracketsOracleConfig(OraclePart):
    """Balanced strings over `pairs` kinds of brackets, each as likely as any other."""

    name: Literal["brackets"] = "brackets"
    pairs: Positive = 2
    """Kinds of brackets; each is two tokens, one that opens and one that closes."""
    length: Annotated[int, Field(gt=1, le=1_000, multiple_of=2)] = 12
    """Tokens per sequence, an even number; the counts of longer ones are beyond float64."""

    def build(self, device: "torch.device") -> "Oracle":
        from seqgan.models.oracles import BracketsOracle

        return BracketsOracle(self.pairs, self.length)


OracleConfig = Annotated[
    RandomOracleConfig
    | PaperOracleConfig
    | PalindromeOracleConfig
    | CopyOracleConfig
    | BracketsOracleConfig,
    ByName(),
]


ORACLE_METRICS = (
    *("nll_valid", "nll_oracle", "kl_forward", "kl_reverse", "jsd", "entropy"),
    *("valid", "unique"),
)
"""What is measured against an oracle."""


class _SampledConfig(DataPart):
    """Samples of an oracle. Training data are a fixed set, or drawn afresh for ever."""

    metrics: ClassVar[tuple[str, ...]] = ORACLE_METRICS

    train: Sampled = 10_000
    """Training sequences; with `fresh`, the size of each block that is drawn."""
    fresh: bool = False
    """Draw a new block whenever one is used up, so that no sequence is seen twice."""
    valid: Sampled = 2_000
    """Validation sequences, for evaluations during training and for selection."""
    test: Sampled = 5_000
    """Test sequences, for final evaluations."""
    seed: Seed = 0
    """Seed of the samples (not of the oracle)."""

    def build(self, setup: "TaskSetup") -> "Task":
        from seqgan.evaluation.sequence_tasks import oracle_task

        oracle = self.build_oracle(setup.device)
        return oracle_task(setup, self.build_samples(), oracle, self.fresh)

    @abstractmethod
    def build_samples(self) -> "OracleSamples":
        """All splits, drawn on the CPU: the same data on every device."""

    @property
    def sizes(self) -> dict[str, int]:
        return {"train": self.train, "valid": self.valid, "test": self.test}


class OracleDataConfig(_SampledConfig):
    """Sequences of an oracle."""

    modality: ClassVar[Modality] = "sentences"

    name: Literal["oracle"] = "oracle"
    oracle: OracleConfig
    """The distribution that the generator should learn."""

    @model_validator(mode="after")
    def _can_be_drawn(self) -> Self:
        length = self.oracle.length
        check_drawn(self, length, f"oracle.length={length}")
        return self

    @property
    def gives(self) -> Words:
        words = super().gives - ({"a finite training set"} if self.fresh else set())
        density = {"a density that is positive everywhere"} if self.oracle.positive else set()
        return frozenset(words | density)

    @property
    def columns(self) -> int:
        return self.oracle.length

    def build_samples(self) -> "OracleSamples":
        import torch

        from seqgan.data.oracle_samples import draw_samples

        oracle = self.build_oracle(torch.device("cpu"))
        return draw_samples(
            lambda rows: (oracle.sample(rows), None), oracle.space, self.sizes, self.seed
        )

    def build_oracle(self, device: "torch.device") -> "Oracle":
        return self.oracle.build(device)


class ConditionalOracleConfig(_SampledConfig):
    """Prompts from a known distribution, answered by a recurrent network that has read them."""

    modality: ClassVar[Modality] = "prompted"

    name: Literal["conditional_oracle"] = "conditional_oracle"
    oracle: RandomOracleConfig
    """The network that answers: the teacher; `length` counts the tokens of an answer."""
    prompt: Length = 1
    """Tokens per prompt, written in front of the answer."""
    prompts: Literal["uniform", "network"] = "uniform"
    """Every prompt as likely as any other, or prompts that the network writes itself."""
    labels: Positive | None = None
    """Prompts are written in the first so many tokens only; with prompt 1 they are the labels of
    so many categories. Null: in all tokens. For uniform prompts."""

    @model_validator(mode="after")
    def _can_be_drawn(self) -> Self:
        length, prompt = self.oracle.length, self.prompt
        check_drawn(self, prompt + length, f"oracle.length={length} and prompt={prompt}")
        return self

    @model_validator(mode="after")
    def _labels_fit(self) -> Self:
        vocab = self.oracle.vocab_size
        if self.labels is not None and self.labels > vocab:
            raise ValueError(
                f"labels={self.labels}: there are only {vocab} tokens; lower it, or raise "
                "oracle.vocab_size"
            )
        if self.labels is not None and self.prompts == "network":
            raise ValueError(
                f"labels={self.labels}: a network writes its prompts in all tokens; set labels to "
                "null, or prompts to uniform"
            )
        return self

    @property
    def gives(self) -> Words:
        return super().gives | ({"labels"} if self.prompt == 1 else set())

    def build_samples(self) -> "OracleSamples":
        import torch

        from seqgan.data.oracle_samples import draw_samples

        oracle = self.build_oracle(torch.device("cpu"))

        def draw(rows: int) -> "tuple[torch.Tensor, torch.Tensor]":
            cond = oracle.prompts(rows)
            return oracle.answers(cond), cond

        return draw_samples(draw, oracle.space, self.sizes, self.seed)

    def build_oracle(self, device: "torch.device") -> "ConditionalOracle":
        """The prompts and the network that answers them."""
        from seqgan.core.types import SequenceSpace
        from seqgan.models.oracles import ConditionalOracle

        return ConditionalOracle(
            self.oracle.build_network(),
            SequenceSpace(self.oracle.vocab_size, self.oracle.length, prompt=self.prompt),
            device,
            uniform=self.prompts == "uniform",
            labels=self.labels,
        )
