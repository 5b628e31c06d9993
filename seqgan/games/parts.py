"""What the configuration of a game builds the game from, and the parts that several games share."""

import copy
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar, cast

import torch
from torch import Tensor

from seqgan.core.generators import ManagedGenerator
from seqgan.core.types import Batch, Critic, SequenceSpace, Space, SpacePair
from seqgan.data.noise import Noise
from seqgan.data.stream import Batches, Stream
from seqgan.data.tokenizer_contract import Tokenizer
from seqgan.estimators.base import Estimator
from seqgan.estimators.base_config import EstimatorConfig
from seqgan.games.adversarial import AdversarialGame
from seqgan.games.criterion import Criterion
from seqgan.games.demonstrations import Demonstrations
from seqgan.games.mismatched import Mismatched
from seqgan.games.surrogate import Learner
from seqgan.games.trust_region import TrustRegion
from seqgan.models.base_config import CriticConfig
from seqgan.models.oracles import Oracle
from seqgan.objectives.config import ObjectiveConfig
from seqgan.objectives.penalties import Penalty
from seqgan.training.config import GeneratorPlayerConfig, PlayersConfig
from seqgan.training.player import ModuleT, Player

PartT = TypeVar("PartT")


@dataclass(frozen=True, slots=True)
class GameData:
    """What a game needs of the data."""

    space: Space | SpacePair
    """That of the samples, or those of two kinds of samples."""
    streams: tuple[Batches, ...]
    """Batches of real samples: one stream, or one for each of two kinds."""
    noises: tuple[Noise | None, ...] = (None, None)
    """Of two kinds of text, the noise on sentences of a and of b."""
    prompts: Stream | None = None
    """Prompts without responses."""
    train: Batch | None = None
    """The training set, of sequences of one kind."""
    held_out: Batch | None = None
    """The validation set, of sequences of one kind."""
    tokenizer: Tokenizer | None = None
    """That of text of one kind."""
    wrong_conditions: Callable[[Tensor], Tensor] | None = None
    """From the conditions of a batch to others that do not fit its samples, where the data know
    better than the game."""


@dataclass(frozen=True, slots=True)
class GameParts:
    """The data, the generator that is to learn, and the configurations of what plays with it.

    Parts that some games do without are None there; `compatibility` checks that a game has those
    that it needs.
    """

    data: GameData
    generator: Player[Any]
    """The generator, on the device."""
    critic: CriticConfig | None
    objective: ObjectiveConfig | None
    penalties: Sequence[Penalty]
    estimator: EstimatorConfig | None
    players: PlayersConfig
    build_oracle: Callable[[], Oracle]
    """Makes the oracle that the data are drawn from; raises `TypeError` where they are not."""
    visits: Counter[str]
    """How often the schedule visits each phase."""
    seed: int
    batch_size: int
    device: torch.device

    @property
    def train(self) -> Batch:
        """The training set."""
        return _present(self.data.train, "data.train")

    @property
    def held_out(self) -> Batch:
        """The validation set."""
        return _present(self.data.held_out, "data.valid")

    @property
    def paired(self) -> bool:
        """Whether the objective compares samples with the real one of the same condition."""
        return self.objective is not None and self.objective.compares_pairs

    @property
    def stream(self) -> Batches:
        """The stream of samples of one kind."""
        (only,) = self.data.streams
        return only

    @property
    def space(self) -> Space:
        """The space of samples of one kind."""
        return cast(Space, self.data.space)

    @property
    def sequence_space(self) -> SequenceSpace:
        """The space of sequences of one kind."""
        return cast(SequenceSpace, self.data.space)

    @property
    def space_pair(self) -> SpacePair:
        """The spaces of two kinds of samples."""
        return cast(SpacePair, self.data.space)

    def build_critic(self, space: Space) -> Critic:
        """A critic of samples of `space`, freshly initialised, on the device."""
        return _present(self.critic, "critic").build(space).to(self.device)

    def build_copy(self, name: str, config: GeneratorPlayerConfig) -> Player[Any]:
        """A further player, which starts as the generator does."""
        return Player(name, copy.deepcopy(self.generator.module), config, ema=config.ema)

    def build_critic_player(self, critic: ModuleT, prepared: bool = False) -> Player[ModuleT]:
        """The player of a critic, or of several, which the constraints act on from now on, unless
        it is `prepared` for them.

        A generator that reads the critic's features gets them now and after each update.
        """
        for penalty in () if prepared else self.penalties:
            penalty.prepare(critic)
        after_step = [partial(penalty.after_step, critic) for penalty in self.penalties]
        if isinstance(self.generator.module, ManagedGenerator):
            self.generator.module.sync_critic_features(critic)
            after_step.append(partial(self.generator.module.sync_critic_features, critic))
        return Player("critic", critic, self.players.critic, after_step)

    def build_learner(self, space: Space) -> Learner:
        """The generator with its estimator, and the player of what that learns, if it learns."""
        config, baseline = _present(self.estimator, "estimator"), None
        network = config.build_network(space)
        if network is not None:
            baseline = Player("baseline", network.to(self.device), self.players.baseline)
        estimator = config.build(space, self.device, network)
        return Learner(self.generator, estimator, baseline)

    def build_estimator(self, space: Space) -> Estimator:
        """An estimator that learns nothing itself."""
        return _present(self.estimator, "estimator").build(space, self.device)

    def build_criterion(
        self, space: Space, mismatched: Mismatched | None = None, of_sentences: bool = False
    ) -> Criterion:
        """What a critic of samples of `space` learns, and what it rewards."""
        objective = _present(self.objective, "objective").build()
        return Criterion(objective, self.penalties, space, mismatched, of_sentences)

    def build_adversarial(
        self,
        space: Space,
        stream: Batches,
        mle_weight: float,
        reference_kl: float,
        mismatched: Mismatched | None = None,
        demonstrations: Demonstrations | None = None,
    ) -> AdversarialGame:
        """A generator against a critic of samples of `space`."""
        critic = self.build_critic_player(self.build_critic(space))
        return AdversarialGame(
            self.build_learner(space),
            critic,
            self.build_criterion(space, mismatched),
            stream,
            self.data.prompts,
            mle_weight,
            demonstrations,
            self.build_trust_region(reference_kl),
        )

    def build_trust_region(self, weight: float) -> TrustRegion | None:
        """What holds the generator near its former self; None for weight 0."""
        return TrustRegion(self.generator.module, weight) if weight else None


def _present(part: PartT | None, name: str) -> PartT:
    if part is None:
        raise TypeError(f"this game needs {name}")
    return part
