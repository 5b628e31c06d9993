"""Configuration of the games of one generator against a critic."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, cast

from pydantic import Field, model_validator

from seqgan.core.config import Config
from seqgan.core.errors import UserError
from seqgan.core.numbers import Repeats
from seqgan.core.parts import DataPart, EstimatorPart, Modalities, Need, Needs, Words
from seqgan.core.schedule import ShareSchedule
from seqgan.games.base_config import CRITIC_PARTS, AnyGameConfig, Weight
from seqgan.models.base_config import CriticConfig, GeneratorConfig
from seqgan.objectives.names import DivergenceName

if TYPE_CHECKING:
    from torch import nn

    from seqgan.core.types import Generator
    from seqgan.games.adversarial import AdversarialGame
    from seqgan.games.demonstrations import Demonstrations
    from seqgan.games.evolution import EvolutionaryGame
    from seqgan.games.mismatched import Mismatched
    from seqgan.games.parts import GameParts
    from seqgan.training.game import Game

Share = Annotated[float, Field(ge=0, le=1)]


class DemonstrationsConfig(Config):
    """Real sentences among the generator's samples, with a constant reward."""

    share: ShareSchedule
    """Share of real sentences in a batch, by step of the phase `generator`."""
    reward: float = 2.0
    """The reward of each of them."""

    def build(self) -> "Demonstrations":
        from seqgan.games.demonstrations import Demonstrations

        return Demonstrations(self.share, self.reward)


class EvolutionConfig(Config):
    """Children of one generator, each trained on another objective; the fittest survives."""

    mutations: Annotated[list[DivergenceName], Field(min_length=2)] = [
        "minimax",
        "non_saturating",
        "lsgan",
    ]
    """Objectives, one per child; the critic keeps its own."""
    diversity: Weight = 0.001
    """Weight of the diversity in the fitness that decides which child survives."""

    def build(self, game: "AdversarialGame", paired: bool) -> "EvolutionaryGame":
        """The game with a phase `evolve`; `paired` is the objective's field of that name."""
        from seqgan.games.evolution import EvolutionaryGame
        from seqgan.objectives.divergences import Divergence

        mutations = [Divergence(name, paired=paired) for name in self.mutations]
        return EvolutionaryGame(game, mutations, self.diversity)


class _CriticGameConfig(AnyGameConfig):
    """Base of the games of one generator against a critic."""

    parts: ClassVar[Words] = CRITIC_PARTS
    family: ClassVar[str] = "adversarial"

    mle_weight: Weight = 0.0
    """Weight of the likelihood loss on real sequences, added to every adversarial generator
    update."""
    reference_kl: Weight = 0.0
    """Weight of KL(generator ‖ itself when the first adversarial phase began), in nats per
    sentence, which is added too and keeps the generator from collapsing; 0: none."""

    @property
    def needs(self) -> Needs:
        weights = {"mle_weight": self.mle_weight, "reference_kl": self.reference_kl}
        return tuple(
            Need("data", "tokens", f"{name}={weight}", "set it to 0")
            for name, weight in weights.items()
            if weight
        )


class _EvolvingGameConfig(_CriticGameConfig):
    """Base of those that have the phase `evolve`."""

    phases: ClassVar[tuple[str, ...]] = ("mle", "copy_critic", "critic", "generator", "evolve")
    adversarial_phases: ClassVar[Words] = frozenset({"generator", "evolve"})

    evolution: EvolutionConfig | None = None
    """What the phase `evolve` does; null: there is no such phase."""

    @property
    def gives(self) -> Words:
        return frozenset(
            {"generated samples"} | (set() if self.evolution else {"a single objective"})
        )

    def check_schedule(
        self, phases: Sequence[str], data: DataPart, estimator: EstimatorPart | None
    ) -> None:
        if (self.evolution is not None) != ("evolve" in phases):
            raise ValueError(
                "game.evolution and the schedule's phase 'evolve' go together; set both, or neither"
            )

    def with_evolution(self, game: "AdversarialGame", parts: "GameParts") -> "Game":
        """The game, with the phase `evolve` where it is asked for."""
        return game if self.evolution is None else self.evolution.build(game, parts.paired)


class AdversarialGameConfig(_EvolvingGameConfig):
    """A generator against a critic."""

    plays: ClassVar[Modalities] = frozenset({"sentences", "points", "pictures"})

    name: Literal["adversarial"] = "adversarial"
    demonstrations: DemonstrationsConfig | None = None
    """Real sentences among the samples; null: none. Estimators score_function and ppo."""

    @property
    def gives(self) -> Words:
        return super().gives | {"no mismatched pairs"}

    @property
    def needs(self) -> Needs:
        real = Need(
            "estimator",
            "rewards of real sentences",
            "demonstrations",
            "set estimator.samples to 1 and its baseline to leave_one_out, or leave it out",
        )
        return (*super().needs, real) if self.demonstrations else super().needs

    def build(self, parts: "GameParts") -> "Game":
        demonstrations = None if self.demonstrations is None else self.demonstrations.build()
        game = parts.build_adversarial(
            parts.space,
            parts.stream,
            self.mle_weight,
            self.reference_kl,
            demonstrations=demonstrations,
        )
        return self.with_evolution(game, parts)


class ConditionalGameConfig(_EvolvingGameConfig):
    """A generator under labels or a prompt, against a critic that reads them too."""

    plays: ClassVar[Modalities] = frozenset({"prompted", "pictures"})
    conditional: ClassVar[bool] = True

    name: Literal["conditional"] = "conditional"
    mismatched: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """Share of (real sample, wrong label, prompt or caption) in the critic's loss on fakes; the
    rest is generated. 0: there are no such pairs."""

    @property
    def gives(self) -> Words:
        return super().gives | (set() if self.mismatched else {"no mismatched pairs"})

    def build(self, parts: "GameParts") -> "Game":
        mismatched = self._build_mismatched(parts) if self.mismatched else None
        game = parts.build_adversarial(
            parts.space, parts.stream, self.mle_weight, self.reference_kl, mismatched
        )
        return self.with_evolution(game, parts)

    def _build_mismatched(self, parts: "GameParts") -> "Mismatched":
        from functools import partial

        import torch

        from seqgan.games.mismatched import Mismatched, wrong_labels, wrong_prompts

        if parts.data.wrong_conditions is not None:
            return Mismatched(self.mismatched, parts.data.wrong_conditions)
        sizes = parts.space.label_sizes
        if not sizes:
            return Mismatched(self.mismatched, wrong_prompts)
        # Made once: a list that becomes a tensor on a GPU makes the step wait.
        sizes_A = torch.tensor(sizes, dtype=torch.long, device=parts.device)
        return Mismatched(self.mismatched, partial(wrong_labels, sizes_A=sizes_A))


class GrowingGameConfig(AnyGameConfig):
    """A generator against a critic, both of which get layers for larger pictures (progressive
    GAN)."""

    plays: ClassVar[Modalities] = frozenset({"pictures"})
    phases: ClassVar[tuple[str, ...]] = ("grow", "critic", "generator")
    parts: ClassVar[Words] = CRITIC_PARTS
    family: ClassVar[str] = "adversarial"
    adversarial_phases: ClassVar[Words] = frozenset({"generator"})
    gives: ClassVar[Words] = frozenset(
        {"generated samples", "no mismatched pairs", "a single objective", "growth"}
    )
    needs: ClassVar[Needs] = (Need("generator", "stages"), Need("critic", "stages"))

    name: Literal["growing"] = "growing"
    fade: Repeats = 200
    """Updates of the generator in which the layers of the phase `grow` are faded in."""

    def build(self, parts: "GameParts") -> "Game":
        from seqgan.core.growing import Growing, growing_parts
        from seqgan.games.growing import GrowingGame, LimitedStream

        generator = parts.generator.module
        assert isinstance(generator, Growing)
        game = parts.build_adversarial(parts.space, LimitedStream(parts.stream, generator), 0, 0)
        (trunk,) = growing_parts(game.critic.module)
        _check_stages(generator.sizes, trunk.sizes, parts.visits["grow"])
        return GrowingGame(game, self.fade)


def _check_stages(generator: tuple[int, ...], critic: tuple[int, ...], visits: int) -> None:
    """Both have the same sizes, and no more growth is scheduled than there is."""
    if generator != critic:
        raise UserError(f"critic.start={critic[0]}: generator.start={generator[0]}; set both alike")
    if visits > len(generator) - 1:
        raise UserError(
            f"schedule: visits the phase 'grow' {visits} times, but pictures grow from "
            f"{generator[0]} to {generator[-1]} pixels in {len(generator) - 1} visits; remove the "
            "others, or start smaller"
        )


class InfillGameConfig(_CriticGameConfig):
    """A generator that fills blanks in real sentences, against a critic that reads them too."""

    plays: ClassVar[Modalities] = frozenset({"sentences"})
    phases: ClassVar[tuple[str, ...]] = ("mle", "critic", "generator")
    family: ClassVar[str] = "infill"
    fills_blanks: ClassVar[bool] = True
    adversarial_phases: ClassVar[Words] = frozenset({"generator"})
    gives: ClassVar[Words] = frozenset(
        {"generated samples", "no mismatched pairs", "a single objective"}
    )

    name: Literal["infill"] = "infill"
    shares: Annotated[list[Share], Field(min_length=2, max_length=2)] = [0.25, 1.0]
    """Least and greatest share of a sentence's tokens that is blanked; 1: all, which is what the
    generator is evaluated on."""
    contiguous: bool = True
    """Blank one run of tokens; false: each token by itself."""

    @model_validator(mode="after")
    def _least_first(self) -> Self:
        if self.shares[0] > self.shares[1]:
            raise ValueError(f"shares={self.shares}: the least share comes first")
        return self

    def build_generator(
        self,
        space: Any,
        generator: GeneratorConfig,
        critic: CriticConfig | None = None,
        encoder: CriticConfig | None = None,
    ) -> "nn.Module":
        from seqgan.models.infilling import InfillingGenerator, with_blanks

        network = cast("Generator", generator.build(with_blanks(space)))
        return InfillingGenerator(network, space)

    def build_critic(
        self, space: Any, critic: CriticConfig, generator: GeneratorConfig
    ) -> "nn.Module":
        from seqgan.models.infilling import with_blanks

        return critic.build(with_blanks(space))

    def build(self, parts: "GameParts") -> "Game":
        from seqgan.data.blanks import BlankingStream
        from seqgan.models.infilling import with_blanks

        space, (least, greatest) = parts.sequence_space, self.shares
        stream = BlankingStream(parts.stream, space.vocab_size, (least, greatest), self.contiguous)
        return parts.build_adversarial(
            with_blanks(space), stream, self.mle_weight, self.reference_kl
        )
