"""Residual energy-based model: a likelihood generator that stays as it is, corrected by a critic.

    G_f(x) = G(x) · e^{f(x)} / Z,     f(x) = clip(α·d(x) + β·log G(x) + c, −B, b)

    phase mle          generator (and the folds): likelihood of real sentences
    phase critic_mle   critic: likelihood of real sentences, where the critic is a language model
    phase rollback     generator, and a language model as critic ← their weights at the visit with
                       the best validation likelihood
    phase critic       critic: −log σ(d(x)) on real sentences, −log(1 − σ(d(x))) on fresh samples of
                       the generator, plus penalties; the generator stays as it is
    phase copy_critic  critic ← the generator's layers; nothing is learned
    phase distill      distilled: likelihood of samples of G_f, each 1 of n of the generator's,
                       without dropout: fresh samples are not learned by heart
    phase generator    policy: raises f of its samples, within a trust region around the generator
                       (`trust_region.py`); a learned baseline follows it

Deng et al. 2020, *Residual energy-based models for text generation*; Bakhtin et al. 2021, *Residual
energy-based models for text*. The loss is noise-contrastive estimation with G as the noise: at its
optimum the critic's logit d is log p(x) − log G(x), so that G_f is the truth. α, β and c
(`metrics/certificate.py`) come from validation sentences; what the correction is worth is measured
on test sentences. Behind prompts β is 0 (`evaluation/corrected.py`). Parshakova et al. 2019,
*Global autoregressive models for data-efficient sequence learning*, distil such a model back into a
plain generator.

Deviations. Deng et al. use a pretrained bidirectional transformer as critic, here it is any; a
critic with a score per step learns by their mean, the logit of the sentence. Samples are fresh in
every update (theirs are a fixed set). f is calibrated and clipped. Parshakova et al. draw by
rejection, or weight samples of the generator, here 1 of n is kept by its weight; `distilled` starts
as a copy of the generator, theirs from scratch.

The critic may also be a language model that reads the other way
(`models/critics/language_model.py`): it needs no samples to learn from, and calibration makes of
its likelihood and the generator's a product of experts.

Cross-fitting (`folds`): a generator that knows its training set by heart looks too good on it. Each
fold is a generator of its own, taught one half of the training set; the critic compares the half
that a fold has not read with that fold's samples. Chernozhukov et al. 2018 call this cross-fitting;
neither paper does it.

`policy` starts as the generator is at the first visit of its phase, and learns as in an adversarial
game, with f in place of the objective's reward. With a trust region of weight 1 its optimum is G_f.

`shuffle_labels` is a control: real and generated sentences change places at random, so that the
critic can learn nothing; a language model reads samples of the generator in place of real
sentences. A critic of rate 0 is `players.critic.lr=0`.

The generator that samples is the one that is evaluated: without dropout, with averaged weights
where there are any.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from seqgan.core.batches import join, take
from seqgan.core.budget import count_critic_calls
from seqgan.core.errors import UserError, warn
from seqgan.core.modes import evaluating, frozen
from seqgan.core.plain import StateDict
from seqgan.core.types import (
    Batch,
    Critic,
    Generator,
    Sample,
    SampleRequest,
    Scores,
    SequenceSpace,
    SharedPrefix,
    Stateful,
)
from seqgan.data.stream import Batches, Stream
from seqgan.decoding import Ancestral, sample, sequence_log_probs
from seqgan.decoding.correction import Correction, OneOf, critic_logits, sample_corrected
from seqgan.decoding.log_probs import held_out_log_probs, soft_log_probs
from seqgan.estimators.base import hard_samples
from seqgan.games.adversarial import AdversarialGame
from seqgan.games.criterion import Criterion
from seqgan.games.critics import copies
from seqgan.games.drawn_ahead import DrawnAhead
from seqgan.games.mle import real_loss
from seqgan.metrics.certificate import Calibration, calibrate
from seqgan.training.game import Updates
from seqgan.training.player import Player

CALIBRATION_SAMPLES = 4_000
"""Samples of the generator that a calibration compares with the validation sentences, at least."""

_SHRINK = 1e-3
"""Of the critic's read-out; 0 has no direction for a spectral norm."""


@dataclass(frozen=True, slots=True)
class Fold:
    """A generator that reads one half of the training set, and both halves."""

    player: Player[Generator]
    own: Batches
    """The half that it reads."""
    unread: Batches
    """The other half, which the critic compares with its samples."""


def build_folds(
    players: Sequence[Player[Generator]], train: Batch, batch_size: int, seed: int
) -> list[Fold]:
    """Two folds, of halves drawn by `seed`; the critic reads half a batch of each. Raises
    `UserError` for one sentence."""
    count = len(train.x)
    if count < 2:
        raise UserError(
            f"game.cross_fit=true: {count} training sentence has no halves; set it to false"
        )
    stream = torch.Generator().manual_seed(seed)
    order_N = torch.randperm(count, generator=stream).to(train.x.device)
    halves = [take(train, half_M) for half_M in order_N.tensor_split(2)]
    half_batch = (batch_size + 1) // 2
    return [
        Fold(player, Stream(own, batch_size, seed), Stream(unread, half_batch, seed))
        for player, own, unread in zip(players, halves, reversed(halves), strict=True)
    ]


class Rollback:
    """Keeps the weights that validation sentences were likeliest under at the visits so far, and
    goes back to them from worse ones. The optimizer stays as it is."""

    def __init__(self, player: Player[Any], log_likelihood: Callable[[Any], Tensor]) -> None:
        """`log_likelihood` of the validation set, by a network in evaluation mode."""
        self._player = player
        self._log_likelihood = log_likelihood
        self._best = copy.deepcopy(player.module).requires_grad_(False)
        self._lowest: float | None = None

    def visit(self) -> None:
        """Measures the weights that are evaluated."""
        with self._player.evaluated() as network:
            nll = -float(self._log_likelihood(network).sum())
            if self._lowest is None or nll < self._lowest:
                self._lowest = nll
                self._best.load_state_dict(network.state_dict())
                return
        self._player.start_from(self._best)

    def state_dict(self) -> StateDict:
        return {"lowest": self._lowest, "best": dict(self._best.state_dict())}

    def load_state_dict(self, state: StateDict) -> None:
        self._lowest = state["lowest"]
        self._best.load_state_dict(state["best"])


class FirstCalibration:
    """The calibration of the critic on the validation set, as it is when it is first asked for."""

    def __init__(self, held_out: Batch, space: SequenceSpace, clip: float) -> None:
        self.found: Calibration | None = None
        self._held_out = held_out
        self._space = space
        self._clip = clip

    def correction(self, generator: Generator, critic: Critic) -> Correction:
        """By networks in evaluation mode."""
        if self.found is None:
            self.found = calibrate_on(self._held_out, generator, critic, self._space, self._clip)
        return Correction(critic, self.found)

    def state_dict(self) -> StateDict:
        return {"calibration": None if self.found is None else asdict(self.found)}

    def load_state_dict(self, state: StateDict) -> None:
        kept = state["calibration"]
        self.found = None if kept is None else Calibration(**kept)


@dataclass(frozen=True, slots=True)
class Distillation:
    """A copy of the generator that learns from samples of the corrected one, each 1 of `resample`.
    It takes over the generator's weights at its first visit."""

    player: Player[Generator]
    resample: int


@dataclass(frozen=True, slots=True)
class CorrectionReward:
    """f as a reward: differentiable in the samples, `Reward` in `core/types.py`.

    Where the calibration has a power of the generator's density, that of points of the simplex is
    Σ_t Σ_v x_tv log G(v | x_<t).
    """

    generator: Generator
    correction: Correction
    cond: Tensor | None

    def __call__(
        self, x: Tensor, mask: Tensor | None, shared: SharedPrefix | None = None
    ) -> Tensor:
        """`f_B` of rows, which may be copies of the batch."""
        assert mask is not None, "sequences have masks"
        count_critic_calls(len(x))
        cond = copies(self.cond, len(x))
        calibration = self.correction.calibration
        scores: Scores = self.correction.critic(x, mask, cond)
        f_B = calibration.alpha * scores.per_sample().float() + calibration.offset
        if calibration.beta != 0:
            f_B = f_B + calibration.beta * soft_log_probs(self.generator, x, mask, cond)
        return f_B.clamp(*calibration.limits)


@dataclass(frozen=True, slots=True)
class CorrectionCriterion:
    """Takes the objective's place in a policy's update: the reward is f."""

    generator: Generator
    correction: Correction

    def reward(self, critic: Critic, real: Batch | None, cond: Tensor | None) -> CorrectionReward:
        """The reward of samples that are made under the conditions `cond`."""
        return CorrectionReward(self.generator, self.correction, cond)


class ResidualGame:
    """See the module's docstring. Players: generator, critic, the folds' `fold_1` and `fold_2`,
    `distilled`, `policy` and its `baseline`; all but two where they are given.

    `policy` is the game that the player of that name plays against the critic.
    """

    def __init__(
        self,
        generator: Player[Generator],
        critic: Player[Critic],
        criterion: Criterion,
        stream: Batches,
        space: SequenceSpace,
        calibration: FirstCalibration,
        folds: Sequence[Fold] = (),
        distillation: Distillation | None = None,
        shuffle_labels: bool = False,
        rollbacks: Sequence[Rollback] = (),
        policy: AdversarialGame | None = None,
    ) -> None:
        shrink_readout(critic.module)
        learners: list[Player[nn.Module]] = [fold.player for fold in folds]
        learners += [] if distillation is None else [distillation.player]
        self.players: dict[str, Player[nn.Module]] = {"generator": generator, "critic": critic}
        if policy is not None:
            inner = policy.generator
            learners += [inner.player] if inner.baseline is None else [inner.player, inner.baseline]
        self.players |= {player.name: player for player in learners}
        self._generator = generator
        self._critic = critic
        self._criterion = criterion
        self._stream = stream
        self._space = space
        self._calibration = calibration
        self._folds = folds
        self._distillation = distillation
        self._shuffle_labels = shuffle_labels
        self._rollbacks = rollbacks
        self._policy = policy
        device = next(critic.module.parameters()).device
        writers: list[Player[Generator]] = [fold.player for fold in folds] or [generator]
        self._drawn_ahead = {player.name: DrawnAhead(space, device) for player in writers}
        self._phases: dict[str, Callable[[], Updates]] = {
            "mle": self._update_likelihood,
            "critic_mle": self._update_critics_likelihood,
            "rollback": self._roll_back,
            "critic": self._update_critic,
            "copy_critic": self._copy_critic,
            "distill": self._distill,
            "generator": self._update_policy,
        }

    def updates(self, phase: str) -> Updates:
        return self._phases[phase]()

    def stateful(self) -> dict[str, Stateful]:
        parts: dict[str, Stateful] = {"stream": self._stream}
        if not self._space.conditional:
            parts |= {f"{name}_drawn": drawn for name, drawn in self._drawn_ahead.items()}
        for fold in self._folds:
            parts |= {
                f"{fold.player.name}_own": fold.own,
                f"{fold.player.name}_unread": fold.unread,
            }
        if self._distillation is not None or self._policy is not None:
            parts["calibration"] = self._calibration
        parts |= {f"rollback_{i}": rollback for i, rollback in enumerate(self._rollbacks)}
        return parts if self._policy is None else parts | self._policy.stateful()

    # ── Phases ────────────────────────────────────────────────────────────────────────────────

    def _update_likelihood(self) -> Updates:
        self._forget_samples()
        yield self._generator, *real_loss(self._generator.module, self._stream.next())
        for fold in self._folds:
            yield fold.player, *real_loss(fold.player.module, fold.own.next())

    def _update_critics_likelihood(self) -> Updates:
        real = self._stream.next()
        read = self._samples(self._generator, real) if self._shuffle_labels else real
        scores: Scores = self._critic.module(read.x, read.mask, read.cond)
        assert read.mask is not None, "sequences have masks"
        yield self._critic, -scores.score.sum() / read.mask.sum(), {}

    def _roll_back(self) -> Updates:
        for rollback in self._rollbacks:
            rollback.visit()
        self._forget_samples()
        yield from ()

    def _update_critic(self) -> Updates:
        if self._folds:
            compared = [self._compared(fold.player, fold.unread.next()) for fold in self._folds]
            real, fake = (join(parts) for parts in zip(*compared, strict=True))
        else:
            real, fake = self._compared(self._generator, self._stream.next())
        if self._shuffle_labels:
            real, fake = exchange_at_random(real, fake)
        critic = self._critic
        yield critic, *self._criterion.critic_loss(critic.module, real, fake, critic.updates)

    def _compared(self, writer: Player[Generator], real: Batch) -> tuple[Batch, Batch]:
        """Real sentences, and as many fresh samples under their conditions."""
        return real, self._samples(writer, real)

    def _samples(self, writer: Player[Generator], real: Batch) -> Batch:
        rows = len(real.x)
        with writer.evaluated() as generator:
            if not self._space.conditional:
                return self._drawn_ahead[writer.name].take(generator, rows)
            fake = hard_samples(generator, self._space, SampleRequest(rows, real.cond))
        return Batch(fake.ids_BT, fake.mask_BT, fake.cond)

    def _forget_samples(self) -> None:
        for drawn in self._drawn_ahead.values():
            drawn.forget()

    def _copy_critic(self) -> Updates:
        with self._generator.evaluated() as generator:
            self._critic.module.start_from(generator)
        yield from ()

    def _distill(self) -> Updates:
        distillation = self._distillation
        assert distillation is not None, "the game was built for this phase"
        rows, rule = self._stream.batch_size, OneOf(distillation.resample)
        cond = self._stream.next().cond if self._space.conditional else None
        with self._generator.evaluated() as generator, self._critic.evaluated() as critic:
            if distillation.player.updates == 0:
                distillation.player.start_from(generator)
            correction = self._calibration.correction(generator, critic)
            kept = sample_corrected(generator, correction, self._space, rows, rule, cond).rollout
        samples = Batch(kept.ids_BT, kept.mask_BT, cond)
        learner = distillation.player
        with evaluating(learner.module):
            loss = real_loss(learner.module, samples)
        yield learner, *loss

    def _update_policy(self) -> Updates:
        policy = self._policy
        assert policy is not None, "the game was built for this phase"
        with self._generator.evaluated() as generator, self._critic.evaluated() as critic:
            if policy.generator.player.updates == 0:
                policy.generator.player.start_from(generator)
            correction = self._calibration.correction(generator, critic)
        with frozen(generator), frozen(critic):
            yield from policy.generator_updates(
                CorrectionCriterion(generator, correction), *policy.next_batch()
            )


@torch.no_grad()
def shrink_readout(critic: Critic) -> None:
    """Let the critic begin with d ≈ 0. The logits of an untrained network are a random feature of
    sentences, and what calibration can make of that is not the critic's worth."""
    for name, module in critic.named_modules():
        if name.split(".")[-1] == "readout" and isinstance(module, nn.Linear):
            module.weight.mul_(_SHRINK)
            if module.bias is not None:
                module.bias.mul_(_SHRINK)


def build_rollbacks(
    generator: Player[Generator], critic: Player[Critic], held_out: Batch
) -> list[Rollback]:
    """Of the generator, and of a critic that is a language model."""
    x, mask, cond = held_out.x, held_out.mask, held_out.cond
    assert mask is not None, "sequences have masks"
    found = [Rollback(generator, lambda network: held_out_log_probs(network, x, mask, cond=cond))]
    if critic.module.is_likelihood:
        found.append(Rollback(critic, lambda network: critic_logits(network, held_out)))
    return found


def calibrate_on(
    held_out: Batch, generator: Generator, critic: Critic, space: SequenceSpace, clip: float
) -> Calibration:
    """The calibration by held-out sentences and fresh samples of the generator, of which there are
    as many for each condition, and β is 0 where there are conditions (`evaluation/corrected.py`).
    Both networks are to be in evaluation mode."""
    copies = -(-CALIBRATION_SAMPLES // len(held_out.x))
    cond = None if held_out.cond is None else held_out.cond.repeat(copies, 1)
    fake = sample(generator, space, copies * len(held_out.x), Ancestral(), cond)

    def numbers(sentences: Sample) -> tuple[Tensor, Tensor | None]:
        d_N = critic_logits(critic, sentences)
        if sentences.cond is not None:
            return d_N, None
        assert sentences.mask is not None, "sequences have masks"
        return d_N, sequence_log_probs(generator, sentences.x, sentences.mask)

    d_N, logg_N = numbers(held_out)
    if len(d_N) < 2 or (logg_N is not None and logg_N.isfinite().sum() < 2):
        warn(
            "fewer than 2 validation sentences that the generator can write: the critic is not "
            "calibrated and corrects nothing; give more validation data"
        )
    conditional = held_out.cond is not None
    return calibrate(d_N, logg_N, *numbers(fake), clip=clip, conditional=conditional)


def exchange_at_random(real: Batch, fake: Batch) -> tuple[Batch, Batch]:
    """Each row changes places with probability ½, under its condition, which both share."""
    assert real.mask is not None, "sequences have masks"
    assert fake.mask is not None, "sequences have masks"
    swap_B1 = torch.rand(len(real.x), 1, device=real.x.device) < 0.5
    parts = ((real.x, fake.x), (real.mask, fake.mask))
    x, mask = (torch.where(swap_B1, other, one) for one, other in parts)
    other_x, other_mask = (torch.where(swap_B1, one, other) for one, other in parts)
    return Batch(x, mask, real.cond), Batch(other_x, other_mask, fake.cond)
