"""How much work the measurements do."""

from dataclasses import dataclass, field
from functools import partial

from seqgan.core.types import SequenceSpace
from seqgan.models.config import CnnCriticConfig


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much work; the defaults are those the project's targets are stated for."""

    batch: int = 64
    length: int = 20
    vocab: int = 5000
    copies: int = 16
    """Continuations of every prefix."""
    samples: int = 10_000
    captions: int = 10_000
    repeats: int = 3
    """Runs of each side of a ratio."""
    step_repeats: int = 5
    likelihood_steps: int = 10
    """Updates of each run of `likelihood`."""
    picture_rounds: int = 40
    """Rounds (critic, generator) of each run of the picture GAN."""
    picture_width: int = 32
    beside_rounds: int = 20
    """Rounds of each run of `beside`."""
    beside_spinning: bool = True
    """Also measure two processes whose threads spin as OpenMP's own default has it."""
    features: int = 10_000
    translations: int = 1000
    cached_length: int = 50
    """Tokens a sample of `kv_cache`."""
    cached_width: int = 256
    cached_layers: int = 4
    estimator_space: SequenceSpace = field(default_factory=partial(SequenceSpace, 200, 16))
    """Sentences of `estimators`."""
    articles: int = 2000
    """Training articles of the cycle game; its steps cost the same with more of them."""
    cycle_batch: int | None = None
    """Sentences of a side in a step of the cycle game; None: as the configuration has it."""
    cycle_repeats: int = 5
    critic: CnnCriticConfig = field(default_factory=partial(CnnCriticConfig, name="cnn"))

    @property
    def space(self) -> SequenceSpace:
        return SequenceSpace(self.vocab, self.length)


QUICK = Sizes(
    copies=2,
    samples=1000,
    repeats=1,
    step_repeats=1,
    likelihood_steps=2,
    picture_rounds=5,
    beside_rounds=5,
    beside_spinning=False,
    features=1000,
    translations=100,
    articles=200,
    cycle_repeats=1,
)
