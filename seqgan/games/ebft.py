"""Energy-based fine-tuning: continuations of real prefixes that match frozen features of real ones.

    phase mle        generator: likelihood of real sentences
    phase generator  generator: the estimator's loss on the reward of n continuations x_1 … x_n of
                     each prefix c, plus mle_weight times the likelihood loss of real sentences

    R_i = ⟨u_i, u⟩ − λ / (n − 1) Σ_{j≠i} ⟨u_i, u_j⟩,     u_i = v_i / |v_i|,   v_i = W (φ_i − m)

φ_i is the mean, over the tokens of x_i, of the states that a frozen network has after each of them:
the generator as it was when the phase began. u belongs to the true continuation. m and W whiten:
over real continuations the v have mean 0 and covariance 1. With λ = 1 the expected gradient is that
of −½ E |E[u_i | c] − u|².

Jelassi et al. 2026, *Matching features, not tokens: energy-based fine-tuning of language models*.

Deviations. The reward lacks the published factor 2, so that `mle_weight` counts twice as much. The
published code whitens the n samples of each prefix by their own products; here W comes from real
continuations, so that it couples no samples. It samples at temperature .6, here at 1, which leaves
the gradient unbiased. An update has prefixes of one length, drawn by how many sentences of the
batch go on behind them (theirs: of all lengths, of fewer sentences). States are those of the layers
at a quarter, a half and three quarters of the depth (their code offers this or the last layer); an
LSTM or GRU of one layer has one; a network without a list of layers gives what it reads out.

R_i contains the other samples, and with the leave-one-out baseline R_j contains x_i: that takes
1 / (n − 1) of λ away. The published baseline does not; `diversity` times (n − 1) / (n − 2) makes up
for it. With n = 2 nothing is left of the diversity.

Choosing the sentences that are long enough makes a GPU wait once in an update.
"""

import copy
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqgan.core.batches import take
from seqgan.core.budget import count_critic_calls
from seqgan.core.errors import UserError
from seqgan.core.masks import longest
from seqgan.core.plain import StateDict
from seqgan.core.tree import repeat_rows
from seqgan.core.types import (
    Batch,
    Generator,
    SampleRequest,
    SequenceSpace,
    SharedPrefix,
    Stateful,
    Stats,
    StepOut,
)
from seqgan.data.stream import Batches
from seqgan.games.mle import real_loss
from seqgan.games.surrogate import Learner, surrogate_updates
from seqgan.models.prompted import PromptedGenerator
from seqgan.training.game import Updates

WHITENING_SENTENCES = 2_000
"""Training sentences whose continuations decide the whitening, at most."""

_LEAST_DEVIATION = 1e-5
"""Directions in which real features deviate less, as a share of the most, are left out."""


@dataclass(frozen=True, slots=True)
class Prefixes:
    """Which continuations are compared."""

    context: int
    """Tokens of the shortest prefix."""
    stride: int
    """Tokens by which the next one is longer."""
    continuation: int
    """Tokens of a continuation, which may end before."""

    def starts(self, columns: int) -> range:
        """Columns at which continuations begin, for sentences in so many columns. One column is
        left behind them: the state after the last token belongs to it."""
        return range(self.context, columns - self.continuation, self.stride)

    def cut(self, real: Batch, start: int) -> "Continued":
        """The sentences that go on in column `start`."""
        assert real.mask is not None, "sequences have masks"
        rows_B = real.mask[:, start]
        columns = slice(start, start + self.continuation)
        true = Batch(real.x[rows_B, columns], real.mask[rows_B, columns])
        return Continued(real.x[rows_B, :start], true)

    def draw(self, real: Batch) -> "Continued | None":
        """The prefixes of one length; each of all lengths is as likely as any other. None where
        every sentence is too short."""
        assert real.mask is not None, "sequences have masks"
        starts = self.starts(real.x.shape[1])
        count_P = real.mask[:, starts.start : starts.stop : starts.step].sum(0)
        if not bool(count_P.any()):
            return None
        return self.cut(real, starts[int(torch.multinomial(count_P.float(), 1))])


@dataclass(frozen=True, slots=True)
class Continued:
    """Prefixes of one length, and how real sentences go on behind them."""

    prefix_RP: Tensor
    true: Batch


class EbftGame:
    """See the module's docstring. Players: generator, perhaps baseline.

    The estimator is made for `continuation_space(space, prefixes)` and draws several samples for
    each condition. Raises `UserError` where no sentence of `train` is long enough.
    """

    def __init__(
        self,
        generator: Learner,
        stream: Batches,
        train: Batch,
        prefixes: Prefixes,
        diversity: float,
        whiten: bool = True,
        mle_weight: float = 0.0,
    ) -> None:
        self.players = generator.players
        self._learner = generator
        self._stream = stream
        self._train = _some(train)
        self._prefixes = prefixes
        self._diversity = diversity
        self._mle_weight = mle_weight
        self.features = FrozenFeatures(generator.player.module, whiten)
        assert train.mask is not None, "sequences have masks"
        if longest(train.mask) <= prefixes.context or not prefixes.starts(train.x.shape[1]):
            raise UserError(
                f"game.context={prefixes.context}, game.continuation={prefixes.continuation}: no "
                f"training sentence has such a prefix (the longest has {longest(train.mask)} "
                f"tokens, data.length is {train.x.shape[1]}); lower them"
            )

    def updates(self, phase: str) -> Updates:
        return self._update_likelihood() if phase == "mle" else self._update_generator()

    def stateful(self) -> dict[str, Stateful]:
        estimator: Stateful = self._learner.estimator
        return {"stream": self._stream, "estimator": estimator, "features": self.features}

    def _update_likelihood(self) -> Updates:
        module = self._learner.player.module
        yield self._learner.player, *real_loss(module, self._stream.next())

    def _update_generator(self) -> Updates:
        learner = self._learner
        if not self.features.begun:
            starts = self._prefixes.starts(self._train.x.shape[1])
            with learner.player.evaluated() as generator:
                cuts = [self._prefixes.cut(self._train, start) for start in starts]
                self.features.begin(generator, [cut for cut in cuts if len(cut.prefix_RP)])
        real = self._stream.next()
        drawn = self._prefixes.draw(real)
        if drawn is None:
            return
        reward = MatchingReward(self.features, drawn, self._diversity)
        writer = Continuing(learner.player.module, drawn.prefix_RP)
        request = SampleRequest(len(drawn.prefix_RP), drawn.prefix_RP)
        rollout = learner.estimator.sample(writer, request)
        surrogate = learner.estimator.loss(writer, rollout, reward)
        surrogate = replace(surrogate, stats=surrogate.stats | reward.stats)
        further = [partial(self._weighted_likelihood, real)] if self._mle_weight else []
        yield from surrogate_updates(surrogate, learner.player, learner.baseline, further)

    def _weighted_likelihood(self, real: Batch) -> tuple[Tensor, Stats]:
        loss, stats = real_loss(self._learner.player.module, real)
        return self._mle_weight * loss, {"nll_train": loss.detach()} | stats


def continuation_space(space: SequenceSpace, prefixes: Prefixes) -> SequenceSpace:
    """The space of continuations."""
    return replace(space, length=prefixes.continuation)


def _some(train: Batch) -> Batch:
    """Sentences from all over the training set."""
    every = -(-len(train.x) // WHITENING_SENTENCES)
    return take(train, slice(None, None, every))


class Continuing(PromptedGenerator):
    """A generator behind given prefixes [R, P]. Each is read once for all its continuations: row
    n·R + r is continuation n of prefix r."""

    def __init__(self, inner: Generator, prefix_RP: Tensor) -> None:
        # Prefixes are of one length: nothing is filled up.
        super().__init__(inner, SequenceSpace(inner.vocab_size, 0, prompt=prefix_RP.shape[1]))
        self._prefix_RP = prefix_RP

    def start(self, batch: int, cond: Tensor | None = None) -> StepOut:
        rows = len(self._prefix_RP)
        out = super().start(rows, self._prefix_RP)
        return StepOut(*repeat_rows((out.logits_BV, out.state), batch // rows))


class FrozenFeatures:
    """Features of continuations: states of a frozen copy of the generator, perhaps whitened.

    `begin` takes the copy, whose weights and whitening are part of the state from then on.
    """

    def __init__(self, network: Generator, whiten: bool) -> None:
        self._network = copy.deepcopy(network).requires_grad_(False).eval()
        self._whiten = whiten
        self._maps: dict[str, Tensor] = {}
        self.begun = False

    @torch.no_grad()
    def begin(self, network: Generator, real: list[Continued]) -> None:
        """Freeze the features as `network` has them; whiten by real continuations."""
        self._network.load_state_dict(network.state_dict())
        self.begun = True
        if self._whiten:
            found = [self(cut.prefix_RP, cut.true.x, cut.true.mask) for cut in real]
            mean_F, map_FK = whitening(torch.cat(found))
            self._maps = {"mean": mean_F, "map": map_FK}

    @torch.no_grad()
    def __call__(self, prefix_RP: Tensor, ids_RT: Tensor, mask_RT: Tensor | None) -> Tensor:
        """`feature_RF` of each continuation `ids_RT` behind its prefix."""
        assert mask_RT is not None, "sequences have masks"
        # States are found in the column behind: those of the last token need one more.
        read = torch.cat([prefix_RP, ids_RT, torch.zeros_like(ids_RT[:, :1])], 1)
        states_RTF = layer_states(self._network, read)[:, prefix_RP.shape[1] + 1 :]
        sum_RF = (states_RTF * mask_RT[..., None]).sum(1)
        feature_RF = sum_RF / mask_RT.sum(1, keepdim=True)
        if not self._maps:
            return feature_RF
        return (feature_RF - self._maps["mean"]) @ self._maps["map"]

    def state_dict(self) -> StateDict:
        return {"network": dict(self._network.state_dict()), **self._maps} if self.begun else {}

    def load_state_dict(self, state: StateDict) -> None:
        self.begun = bool(state)
        if self.begun:
            self._network.load_state_dict(state["network"])
            device = next(self._network.parameters()).device
            self._maps = {name: x.to(device) for name, x in state.items() if name != "network"}


def layer_states(network: Generator, ids_BT: Tensor) -> Tensor:
    """`states_BTF`, those of several layers side by side; [:, t] has read the tokens before t."""
    lists = (module for module in network.modules() if isinstance(module, nn.ModuleList))
    layers: Any = next(lists, None)
    if layers is None:
        return network.hidden(ids_BT).h_BTH
    found: list[Tensor] = []

    def keep(layer: nn.Module, given: object, output: Any) -> None:
        found.append(output[0] if isinstance(output, tuple) else output)

    chosen = sorted({-(-len(layers) * quarter // 4) - 1 for quarter in (1, 2, 3)})
    hooks = [layers[position].register_forward_hook(keep) for position in chosen]
    network.hidden(ids_BT)
    for hook in hooks:
        hook.remove()
    return torch.cat(found, -1)


def whitening(feature_NF: Tensor) -> tuple[Tensor, Tensor]:
    """(`mean_F`, `map_FK`): (feature − mean) @ map has mean 0 and covariance 1."""
    mean_F = feature_NF.mean(0)
    scaled_NF = (feature_NF - mean_F) / len(feature_NF) ** 0.5
    _, deviation_K, direction_KF = torch.linalg.svd(scaled_NF, full_matrices=False)
    kept_K = deviation_K > _LEAST_DEVIATION * deviation_K[0]
    map_FK = direction_KF[kept_K].T / deviation_K[kept_K]
    return mean_F, map_FK.contiguous()  # as a checkpoint has it, for equal rounding


class MatchingReward:
    """The reward R of continuations, block after block: row n·R + r continues prefix r.

    A `core.types.Reward`; each continuation counts as a critic call.
    """

    def __init__(self, features: FrozenFeatures, real: Continued, diversity: float) -> None:
        self._features = features
        self._prefix_RP = real.prefix_RP
        self._true_RF = features(real.prefix_RP, real.true.x, real.true.mask)
        self._diversity = diversity
        self.stats: Stats = {}

    def __call__(
        self, x: Tensor, mask: Tensor | None, shared: SharedPrefix | None = None
    ) -> Tensor:
        count_critic_calls(len(x))
        copies = len(x) // len(self._prefix_RP)
        feature_BF = self._features(self._prefix_RP.repeat(copies, 1), x, mask)
        alignment_NR, similarity_NR = compare(feature_BF.unflatten(0, (copies, -1)), self._true_RF)
        self.stats = {"alignment": alignment_NR.mean(), "similarity": similarity_NR.mean()}
        return (alignment_NR - self._diversity * similarity_NR).flatten()


def compare(sample_NRF: Tensor, true_RF: Tensor) -> tuple[Tensor, Tensor]:
    """Of each sample `[n, r]` the cosine with the true features of its row r, and its mean cosine
    with the other samples of the row; 0 where there is none."""
    sample_NRF, true_RF = F.normalize(sample_NRF, dim=-1), F.normalize(true_RF, dim=-1)
    alignment_NR = (sample_NRF * true_RF).sum(-1)
    others_NRF = (sample_NRF.sum(0) - sample_NRF) / max(len(sample_NRF) - 1, 1)
    return alignment_NR, (sample_NRF * others_NRF).sum(-1)
