"""Configuration of the games of a generator without a critic."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self, cast

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from seqgan.core.errors import did_you_mean
from seqgan.core.extensions import check_callable, is_import_path
from seqgan.core.parts import Modalities, Need, Needs, Words, inner_needs
from seqgan.core.schedule import ShareSchedule
from seqgan.games.base_config import AnyGameConfig, Weight, build_autoencoder
from seqgan.games.other_likelihoods_config import AnyLikelihoodConfig
from seqgan.models.base_config import CriticConfig, GeneratorConfig

if TYPE_CHECKING:
    from torch import nn

    from seqgan.core.types import Reward
    from seqgan.games.parts import GameParts
    from seqgan.training.game import Game


class MleGameConfig(AnyGameConfig):
    """A sequence generator alone, by likelihood."""

    plays: ClassVar[Modalities] = frozenset({"sentences", "prompted"})
    phases: ClassVar[tuple[str, ...]] = ("mle",)

    name: Literal["mle"] = "mle"
    loss: AnyLikelihoodConfig | None = None
    """What takes the place of the likelihood: {name: tailr}, gold, mixce or emo; null: nothing."""
    scheduled_sampling: ShareSchedule | None = None
    """Probability with which the generator reads its own token instead of the real one, by
    generator update (a baseline, not a likelihood). Null: real tokens only."""

    @model_validator(mode="after")
    def _one_loss(self) -> Self:
        if self.loss is not None and self.scheduled_sampling is not None:
            raise ValueError(
                f"loss.name={self.loss.name} and scheduled_sampling={self.scheduled_sampling} are "
                "two losses; set one of them to null"
            )
        return self

    @property
    def needs(self) -> Needs:
        return inner_needs("loss", self.loss)

    def build(self, parts: "GameParts") -> "Game":
        from seqgan.games.mle import MleGame

        loss, after = (None, 0) if self.loss is None else (self.loss.build(), self.loss.after)
        return MleGame(parts.generator, parts.stream, self.scheduled_sampling, loss, after)


class AutoencodeGameConfig(AnyGameConfig):
    """A generator alone, as the decoder of an autoencoder: the reference without a critic."""

    plays: ClassVar[Modalities] = frozenset({"points", "pictures"})
    phases: ClassVar[tuple[str, ...]] = ("reconstruct",)
    parts: ClassVar[Words] = frozenset({"encoder"})

    name: Literal["autoencode"] = "autoencode"
    variational: bool = True
    """Encode to a Gaussian and pull it towards N(0, I) (VAE); false: plain codes."""
    decoder_std: Annotated[float, Field(gt=0)] = 0.1
    """Standard deviation of the Gaussian around the decoder's output, in units of the data."""
    code_noise: Weight = 0.0
    """Standard deviation of noise on the codes while training; with `variational` leave it 0."""
    input_noise: Weight = 0.0
    """Standard deviation of noise on what the encoder reads while training, in units of the data;
    the target stays clean (denoising)."""

    def build_generator(
        self,
        space: Any,
        generator: GeneratorConfig,
        critic: CriticConfig | None = None,
        encoder: CriticConfig | None = None,
    ) -> "nn.Module":
        return build_autoencoder(space, generator, encoder)

    def build(self, parts: "GameParts") -> "Game":
        from seqgan.games.autoencode import AutoencodeGame

        return AutoencodeGame(
            parts.generator,
            parts.stream,
            self.variational,
            self.decoder_std,
            self.code_noise,
            self.input_noise,
        )


class RegressionGameConfig(AnyGameConfig):
    """A generator alone, by squared error to real pictures from given codes: no critic judges."""

    plays: ClassVar[Modalities] = frozenset({"pictures"})
    phases: ClassVar[tuple[str, ...]] = ("regress",)

    name: Literal["regression"] = "regression"
    codes: Literal["fresh", "fixed"] = "fresh"
    """The noise that a picture is regressed on. fresh: drawn anew at every update, so it tells
    nothing, and the best output is the mean of all pictures with the same labels. fixed: drawn once
    for each training picture."""
    labels: bool = False
    """Whether the generator reads the pictures' labels."""

    @property
    def conditional(self) -> bool:
        return self.labels

    def build(self, parts: "GameParts") -> "Game":
        from seqgan.data.stream import Stream
        from seqgan.games.regression import RegressionGame, fixed_codes

        if self.codes == "fresh":
            return RegressionGame(parts.generator, parts.stream)
        stream = cast(Stream, parts.stream)
        codes_NL = fixed_codes(parts.generator.module, stream.size, parts.seed)
        return RegressionGame(parts.generator, stream, stream.in_step(codes_NL))


def _check_scorer(scorer: str) -> str:
    known = ("bleu", "oracle")
    if is_import_path(scorer):
        return check_callable(scorer)
    if scorer not in known:
        raise PydanticCustomError(
            "scorer",
            "unknown{hint} choose from: {known}, or MODULE:NAME of your own",
            {"hint": did_you_mean(scorer, known) or ";", "known": ", ".join(known)},
        )
    return scorer


class RewardGameConfig(AnyGameConfig):
    """A generator that raises a fixed reward; there is no critic."""

    plays: ClassVar[Modalities] = frozenset({"sentences"})
    phases: ClassVar[tuple[str, ...]] = ("mle", "generator")
    parts: ClassVar[Words] = frozenset({"estimator"})
    family: ClassVar[str] = "reward"
    adversarial_phases: ClassVar[Words] = frozenset({"generator"})
    adversarial_name: ClassVar[str] = "reward phase"
    gives: ClassVar[Words] = frozenset(
        {"generated samples", "a single objective", "rewards of single samples"}
    )

    name: Literal["reward"] = "reward"
    scorer: Annotated[str, AfterValidator(_check_scorer)]
    """bleu: of each sentence against training sentences. oracle: log-density under the oracle that
    the data come from, in nats: a control without a learned reward. MODULE:NAME: a function or a
    class of your own, see docs/extending.md."""
    order: Annotated[int, Field(gt=0, le=100)] = 4
    """Longest n-grams that bleu counts."""
    references: Annotated[int, Field(gt=0)] | None = None
    """Training sentences that bleu compares with, from the first on; null: all."""
    reference_kl: Weight = 0.0
    """Weight of KL(generator ‖ itself when the phase `generator` began), in nats per sentence,
    which is added to the generator's loss and keeps it from collapsing; 0: none."""

    @property
    def needs(self) -> Needs:
        density = Need(
            "data", "a density that is positive everywhere", "scorer=oracle", "use scorer bleu"
        )
        return (density,) if self.scorer == "oracle" else ()

    def build(self, parts: "GameParts") -> "Game":
        from seqgan.games.reward import RewardGame

        learner = parts.build_learner(parts.sequence_space)
        region = parts.build_trust_region(self.reference_kl)
        return RewardGame(learner, self._build_reward(parts), parts.stream, region)

    def _build_reward(self, parts: "GameParts") -> "Reward":
        from seqgan.games.own_reward import own_reward
        from seqgan.games.reward import bleu_reward, density_reward

        if is_import_path(self.scorer):
            return own_reward(self.scorer, parts.sequence_space.end_id, parts.data.tokenizer)
        if self.scorer == "oracle":
            return density_reward(parts.build_oracle().log_prob)
        return bleu_reward(parts.train, parts.sequence_space, self.order, self.references)


class JsdganGameConfig(AnyGameConfig):
    """A generator that lowers its exact Jensen-Shannon divergence to a finite training set."""

    plays: ClassVar[Modalities] = frozenset({"sentences"})
    phases: ClassVar[tuple[str, ...]] = ("mle", "generator")
    adversarial_phases: ClassVar[Words] = frozenset({"generator"})
    adversarial_name: ClassVar[str] = "divergence phase"
    needs: ClassVar[Needs] = (Need("data", "a finite training set"),)

    name: Literal["jsdgan"] = "jsdgan"

    def build(self, parts: "GameParts") -> "Game":
        from seqgan.games.jsdgan import JsdganGame

        return JsdganGame(parts.generator, parts.train, parts.batch_size, parts.seed)


class DdoGameConfig(AnyGameConfig):
    """A generator against its own last snapshot: their density ratio is the critic."""

    plays: ClassVar[Modalities] = frozenset({"sentences"})
    phases: ClassVar[tuple[str, ...]] = ("mle", "generator", "snapshot")
    adversarial_phases: ClassVar[Words] = frozenset({"generator"})

    name: Literal["ddo", "dgsan"]
    """Two papers of one game: DGSAN is DDO with alpha = beta = 1."""
    alpha: Weight = 1.0
    """Weight of the snapshot's sentences in the loss."""
    beta: Annotated[float, Field(gt=0)] = 1.0
    """Factor of the log density ratio; below 1 the optimum lies beyond the data, seen from the
    snapshot."""

    def build(self, parts: "GameParts") -> "Game":
        from seqgan.games.ddo import DdoGame

        space = parts.sequence_space
        return DdoGame(parts.generator, parts.stream, space, self.alpha, self.beta)
