"""The facts by which the parts of an experiment are put together.

The configuration class of a part declares what the part gives to others and what it needs of them,
in plain words; `seqgan/compatibility.py` compares the two. Such a fact is a `ClassVar`, or a
property where it depends on fields:

    class MyEstimatorConfig(EstimatorPart):
        name: Literal["mine"] = "mine"
        games: ClassVar[Words] = frozenset({"adversarial", "reward"})
        needs: ClassVar[Needs] = (Need("critic", "features"),)
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from seqgan.core.config import Config

if TYPE_CHECKING:
    import torch

Words = frozenset[str]
Modality = Literal["sentences", "prompted", "points", "pictures", "picture_pair", "text_pair"]
"""What data consist of: sequences alone or behind prompts, points, pictures, or two unpaired kinds
of pictures or text."""
Modalities = frozenset[Modality]

SEQUENCES: Modalities = frozenset({"sentences", "prompted", "text_pair"})
"""Data of tokens."""
PICTURES: Modalities = frozenset({"pictures", "picture_pair"})
ARRAYS: Modalities = PICTURES | {"points"}
"""Data of numbers, with a gradient from the sample to the generator."""


@dataclass(frozen=True, slots=True)
class Need:
    """Something that another part has to give; an error reads

    <key> needs <word>, which <of>.name=… does not give; use <of> …, or <otherwise>
    """

    of: Literal["data", "game", "generator", "critic", "objective", "estimator"]
    word: str
    key: str = ""
    """The key and value below the part that ask for it, as `samples=2`; empty: the part itself."""
    otherwise: str = ""
    """What can be done instead of using another part."""


Needs = tuple[Need, ...]


class Part(Config):
    """A section of the configuration that has a `name` and makes a part of the experiment."""

    name: str

    @property
    def gives(self) -> Words:
        """What other parts may count on."""
        return frozenset()

    @property
    def needs(self) -> Needs:
        """What other parts have to give."""
        return ()


def inner_needs(field: str, part: Part | None) -> Needs:
    """The needs of a part of a part, for the part that has it in `field`."""
    if part is None:
        return ()
    return tuple(
        replace(need, key=f"{field}.{need.key or f'name={part.name}'}") for need in part.needs
    )


class DataPart(Part):
    """Configuration of data."""

    modality: ClassVar[Modality]
    metrics: ClassVar[tuple[str, ...]]
    """What validation measures: the names that a selection rule can use. Where a feature extractor
    measures, its name follows behind an @, which a rule may leave out."""
    direction_metrics: ClassVar[tuple[str, ...]] = ()
    """What is measured for each direction of translation besides; the name ends in _a2b or _b2a."""
    least_samples: ClassVar[int] = 2
    """Generated samples that the metrics need."""
    is_text: ClassVar[bool] = False
    """Whether sequences are text, whose tokenizers a run folder keeps."""

    @property
    def gives(self) -> Words:
        words = {"true responses", "one vocabulary", "a finite training set"}
        words |= {"tokens"} if self.modality in SEQUENCES else {"samples of numbers"}
        return frozenset(words | ({"prompts"} if self.modality == "prompted" else set()))

    @property
    def columns(self) -> int | None:
        """Columns of a sequence, where they are known before the data are read."""
        return None

    def measured(self, directions: Sequence[str]) -> tuple[str, ...]:
        """The metrics of a game that plays these directions of translation."""
        directed = (f"{name}_{to}" for to in directions for name in self.direction_metrics)
        return (*self.metrics, *directed)

    def build_oracle(self, device: "torch.device") -> Any:
        """The distribution that the data are drawn from, where its density is known."""
        raise TypeError(f"data {self.name} are not drawn from an oracle")

    def build_captions(self) -> Any:
        """How its labels are said in words (`data.captions.Captions`); None where they are not."""
        return None


class EstimatorPart(Part):
    """Configuration of a gradient estimator."""

    accepts: ClassVar[Modalities] = SEQUENCES
    """Data whose generators it can teach."""
    games: ClassVar[Words] = frozenset({"adversarial"})
    """Families of games in which it works."""
    carries_rewards: ClassVar[bool] = True
    """Whether rewards reach the generator at all."""

    @property
    def window(self) -> int | None:
        """Columns to either side whose scores a token is credited with; None: all of them."""
        return None

    def check_batch(self, batch_size: int, prompted: bool) -> None:
        """Raises `ValueError` where a batch leaves nothing to compare with."""


@dataclass(frozen=True, slots=True)
class CorrectionSettings:
    """How evaluation corrects a game's generator by its critic."""

    clip: float = 10.0
    """Largest size of the log density ratio, in nats."""
    resample: int = 16
    """Samples of which one is kept."""
    has_rows: bool = False
    """Whether corrected generators have rows in the table where `evaluation.corrected_rows` is
    null; sampling them takes many times as long as the generator's own row."""


class GamePart(Part):
    """Configuration of a game."""

    plays: ClassVar[Modalities]
    """The data that it is played on."""
    phases: ClassVar[tuple[str, ...]]
    """The phases that a schedule can visit."""
    fills_blanks: ClassVar[bool] = False
    """Whether generator and critic read a sentence with blanks before the sentence itself."""
    has_two_critics: ClassVar[bool] = False
    """Whether the player `critic` is one of samples and one of codes."""
    parts: ClassVar[Words] = frozenset()
    """Which of critic, objective, estimator and encoder take part in every phase."""
    family: ClassVar[str] = ""
    """How rewards reach the generator: `adversarial` (a critic reads its samples), `paired` (it
    reads translations), `infill` (it reads hard tokens only), `reward` (one number per sample) or
    `cycle` (rewards pass through a translation); empty in games without estimator."""
    adversarial_phases: ClassVar[Words] = frozenset()
    """Phases in which the generator learns from something else than real samples."""
    adversarial_name: ClassVar[str] = "adversarial phase"
    """What people call training from the first of them on."""

    @property
    def conditional(self) -> bool:
        """Whether the generator reads the labels of pictures."""
        return False

    def parts_for(self, phases: Collection[str]) -> Words:
        """Those of `parts`, and what else a schedule with these phases needs; all others have to be
        null."""
        return self.parts

    @property
    def correction(self) -> CorrectionSettings:
        """How its critic, where it is a log density ratio, corrects its generator."""
        return CorrectionSettings()

    @property
    def played_directions(self) -> list[str]:
        """Directions of translation that are played and measured."""
        return []

    def trained_directions(self, phases: Collection[str]) -> list[str]:
        """The translators that a schedule with these phases teaches."""
        return []

    def check_schedule(
        self, phases: Sequence[str], data: DataPart, estimator: EstimatorPart | None
    ) -> None:
        """Raises `ValueError` where the schedule's phases, in their order, do not go with the
        game's fields."""


class GeneratorPart(Part):
    """Configuration of a generator."""

    makes: ClassVar[Modalities]
    """The data whose samples it can make."""


class CriticPart(Part):
    """Configuration of a critic."""

    accepts: ClassVar[Modalities]
    """The data whose samples it can read."""

    @property
    def compares_samples(self) -> bool:
        """Whether the score of a sample depends on the others of its batch."""
        return False

    @property
    def starts_from(self) -> Mapping[str, Mapping[str, str]]:
        """Generators whose layers are copied into the critic, by name; and for each the critic's
        fields that have to agree with fields of the generator. Empty: it starts by itself."""
        return {}

    def check_alike(self, generator: GeneratorPart) -> None:
        """Raises `ValueError` where layers cannot be copied from a generator of `starts_from`."""
        for field, other in self.starts_from[generator.name].items():
            ours, theirs = getattr(self, field), getattr(generator, other)
            if ours != theirs:
                raise ValueError(
                    f"critic.from_generator=true, but critic.{field}={ours} and "
                    f"generator.{other}={theirs}; make them equal"
                )
        if "layers to copy" not in generator.gives:
            raise ValueError(
                "critic.from_generator=true copies whole layers, and generator.lora has them in "
                "two parts; set one of them to false or null"
            )

    @property
    def reach(self) -> int:
        """Columns to either side that the score of a window depends on."""
        return 0

    @property
    def widest(self) -> int:
        """Columns of the widest window, which no sequence may be shorter than."""
        return 0

    def check_columns(self, columns: int) -> None:
        """Raises `ValueError` where sequences of so many columns are shorter than a window."""
        if self.widest > columns:
            raise ValueError(
                f"critic.widths has {self.widest}, longer than the sequences ({columns} tokens); "
                "drop the wider windows and their filters"
            )


class ObjectivePart(Part):
    """Configuration of an objective."""

    @property
    def compares_pairs(self) -> bool:
        """Whether it compares samples with the real one of the same condition."""
        return False

    @property
    def separates_at_zero(self) -> bool:
        """Whether the critic learns to score real samples above 0 and generated ones below."""
        return "a logistic critic loss" in self.gives

    @property
    def least_batch(self) -> int:
        """Samples in a batch, so that each has others to be compared with."""
        return 1


class PenaltyPart(Part):
    """Configuration of what keeps a critic smooth."""
