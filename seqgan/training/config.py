"""Configuration of players, schedules and the training loop."""

from typing import Annotated, Literal

from pydantic import Field

from seqgan.core.config import Config
from seqgan.core.schedule import DecaySchedule, WeightSchedule, constant

Positive = Annotated[int, Field(gt=0)]
Visits = Annotated[int, Field(gt=0, le=1_000_000)]


class PlayerConfig(Config):
    """How one network is updated."""

    optimizer: Literal["adam", "sgd", "rmsprop"] = "adam"
    """adam is AdamW (weight decay decoupled); in sgd and rmsprop weight_decay is an L2 term."""
    lr: Annotated[float, Field(ge=0)] = 1e-3
    """Learning rate; 0: the player takes part and never changes."""
    lr_decay: WeightSchedule | None = None
    """Factor on lr by update of this player, e.g. {start: 1, end: 0, after: 5000, steps: 5000};
    at 0 the player does not change. Null: always 1."""
    betas: Annotated[list[DecaySchedule], Field(min_length=2, max_length=2)] = [
        constant(0.9),
        constant(0.999),
    ]
    """Decay rates of the first and second moment, by update of this player, e.g. [0, {start: 0.9,
    end: 0.99, steps: 2000}]; adam only."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """Strength with which parameters are pulled towards 0; see `optimizer`."""
    clip_norm: Annotated[float, Field(gt=0)] | None = 5.0
    """Largest norm of the gradient over all parameters; null: no clipping."""


class GeneratorPlayerConfig(PlayerConfig):
    """The generator's, which is also sampled and evaluated."""

    ema: DecaySchedule | None = None
    """Decay of an exponential moving average of the weights, which evaluation then uses; by update
    of this player, e.g. {start: 0, end: 0.999, steps: 1000}, so that early weights are forgotten.
    Null: none."""


class PlayersConfig(Config):
    """One entry per player; phases that update the same player share its optimizer."""

    generator: GeneratorPlayerConfig = GeneratorPlayerConfig()
    """Updated in every phase except critic, critic_mle, copy_critic, distill, grow, snapshot
    and language_model; in game residual in phase mle only; in game critic_alone never, since its
    weights are the critic's."""
    critic: PlayerConfig = PlayerConfig()
    """Updated in the phases critic and critic_mle; in game critic_alone also in real."""
    language_model: PlayerConfig = PlayerConfig()
    """For `game.fluency_weight`; updated in the phase language_model."""
    baseline: PlayerConfig = PlayerConfig()
    """For `estimator.baseline.name: learned`."""
    distilled: GeneratorPlayerConfig | None = None
    """Updated in the phase distill of game residual; null: as the generator."""
    policy: GeneratorPlayerConfig | None = None
    """Updated in the phase generator of game residual; null: as the generator."""


class StageConfig(Config):
    """`repeat` rounds of the phases, each with so many steps per round, in this order."""

    repeat: Positive
    """Rounds of this stage."""
    phases: Annotated[dict[str, Visits], Field(min_length=1)]
    """Steps of each phase per round, e.g. {critic: 5, generator: 1}. Games differ in phases."""


class TrainConfig(Config):
    """The loop."""

    batch_size: Annotated[int, Field(gt=0, le=1_000_000)] = 64
    """Real sequences in a batch, and as many generated ones."""
    log_every: Positive = 50
    """Steps between lines in metrics.jsonl; non-finite losses are noticed at these steps."""
    eval_every: Positive = 500
    """Steps between evaluations on validation data; where training stops it is evaluated too."""
    checkpoint_every: Positive = 500
    """Steps between checkpoints."""
    show_at: list[Positive] = []
    """Generator updates after which samples are shown, besides every evaluation."""
    keep: Positive = 2
    """Checkpoints kept besides the selected one."""
    max_minutes: Annotated[float, Field(gt=0)] | None = None
    """Save, evaluate and stop cleanly after so long (the evaluation comes on top); `train --resume`
    goes on. Null: no limit."""
    threads: Annotated[int, Field(gt=0, le=1024)] | None = None
    """CPU threads of this run; null: as many as there are cores, or OMP_NUM_THREADS of them. 1 is
    right for runs side by side: `compare` gives its runs 1 where this is null and OMP_NUM_THREADS
    is not set. Figures repeat to the bit with the same number of threads only."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Number format of forward passes; parameters and gradients of parameters stay float32."""
    tensorboard: bool = True
    """Also write TensorBoard events."""
