"""Updates of each player, by every estimator and by likelihood."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.naive import build_cnn, build_lstm, prob_reward
from benchmarks.sizes import Sizes
from benchmarks.timing import Json, alternate, ratio, summary
from seqgan.core.modes import frozen
from seqgan.core.types import (
    Batch,
    Critic,
    Rollout,
    SampleRequest,
    SequenceSpace,
)
from seqgan.decoding import Ancestral, GumbelSoftmax, sample
from seqgan.estimators.base import Estimator
from seqgan.estimators.base_config import EstimatorConfig
from seqgan.estimators.config import AllActionConfig
from seqgan.estimators.credit import PerStepCredit
from seqgan.estimators.relaxed import Relaxed
from seqgan.estimators.rollout import Rollout as RolloutCredit
from seqgan.estimators.score_function import ScoreFunction, policy_gradient_losses
from seqgan.experiment import load_experiment
from seqgan.games.critics import CriticReward
from seqgan.games.mle import likelihood_loss
from seqgan.games.surrogate import surrogate_updates
from seqgan.models.config import RnnGeneratorConfig
from seqgan.models.critics.action import ActionCritic
from seqgan.models.critics.mlp import MlpCritic
from seqgan.models.critics.rnn import RnnCritic
from seqgan.models.generators.rnn import RnnGenerator
from seqgan.objectives.divergences import Divergence
from seqgan.training.config import PlayerConfig
from seqgan.training.player import Player

PROBE = Path(__file__).parents[2] / "configs" / "probe" / "enumerable.yaml"


def estimators(sizes: Sizes) -> dict[str, Estimator]:
    """Score functions by credit, and relaxed samples, with their default options."""
    space = sizes.space
    return {
        "score_function_sequence": ScoreFunction(space),
        "score_function_per_step": ScoreFunction(space, PerStepCredit()),
        "score_function_rollout": ScoreFunction(space, RolloutCredit(sizes.copies)),
        "soft_gumbel": Relaxed(space, lambda tau: GumbelSoftmax(tau, hard=False), 0.7),
        "straight_through_gumbel": Relaxed(space, lambda tau: GumbelSoftmax(tau, hard=True), 0.7),
    }


def bench_steps(sizes: Sizes, device: torch.device) -> Json:
    """Seconds an update: likelihood, critic, and the generator by each estimator."""
    generator = build_lstm(sizes.space, device).train()
    critic = build_cnn(sizes).to(device).train()
    causal = RnnCritic(sizes.space).to(device).train()
    player = Player("generator", generator, PlayerConfig())
    real = _batch(generator, sizes)
    works: dict[str, Callable[[], object]] = {
        "mle": lambda: player.update(likelihood_loss(generator, real)),
        "critic": _critic_update(Player("critic", critic, PlayerConfig()), real, generator, sizes),
    }
    for name, estimator in estimators(sizes).items():
        scorer = causal if name == "score_function_per_step" else critic
        works[name] = _generator_update(player, estimator, scorer, sizes)
    for name, work in works.items():
        if name != "score_function_rollout":  # long enough not to need it
            work()  # warm up: allocates gradients and the optimizer's state
    runs = alternate(works, sizes.step_repeats, device)
    return {name: summary(times) for name, times in runs.items()}


def bench_likelihood(sizes: Sizes, device: torch.device) -> Json:
    """Updates of equal LSTMs: the likelihood of sentences of full length and of 1 to T tokens, and
    the policy gradient of given advantages on those of full length."""
    generator = build_lstm(sizes.space, device).train()
    full = _batch(generator, sizes)
    assert full.mask is not None
    lengths_B1 = torch.randint(1, sizes.length + 1, (sizes.batch, 1), device=device)
    padded_BT = torch.arange(sizes.length, device=device) < lengths_B1
    advantage_BT = torch.randn(full.x.shape, device=device)
    rollout = Rollout(full.x, full.x, full.mask)
    padded = Batch(full.x, padded_BT)
    weight_BT = full.mask.float() / full.mask.sum()
    return {
        "full": _likelihood_ratio(
            generator, lambda g: likelihood_loss(g, full), full.x, weight_BT, sizes, device
        ),
        "padded": _likelihood_ratio(
            generator,
            lambda g: likelihood_loss(g, padded),
            full.x,
            padded_BT.float() / padded_BT.sum(),
            sizes,
            device,
        ),
        "policy_gradient": _likelihood_ratio(
            generator,
            lambda g: policy_gradient_losses(g, rollout, {"critic": advantage_BT})["critic"],
            full.x,
            advantage_BT / sizes.batch,
            sizes,
            device,
        ),
    }


def _likelihood_ratio(
    generator: RnnGenerator,
    loss_of: Callable[[RnnGenerator], Tensor],
    ids_BT: Tensor,
    weight_BT: Tensor,
    sizes: Sizes,
    device: torch.device,
) -> Json:
    """Both sides start from the same parameters and take the same steps."""
    player = Player("generator", copy.deepcopy(generator), PlayerConfig())
    naive_player = NaiveLikelihood(copy.deepcopy(generator))

    def ours(steps: int = sizes.likelihood_steps) -> None:
        for _ in range(steps):
            player.update(loss_of(player.module))

    def naive(steps: int = sizes.likelihood_steps) -> None:
        for _ in range(steps):
            naive_player.update(ids_BT, weight_BT)

    difference = naive_player.loss(ids_BT, weight_BT) - loss_of(player.module)
    ours(1)  # warm up: allocates gradients and the optimizer's state
    naive(1)
    result = ratio(alternate({"naive": naive, "ours": ours}, 2 * sizes.repeats - 1, device))
    return {**result, "checks": {"loss_difference": float(difference.detach().abs())}}


class NaiveLikelihood:
    """The same LSTM as one writes it in a notebook, with `nn.NLLLoss` and a weight per token."""

    def __init__(self, generator: RnnGenerator) -> None:
        self._generator = generator
        self._lstm: nn.LSTM = next(iter(generator.layers)).rnn  # type: ignore[assignment]
        self._parameters = [p for p in generator.parameters() if p.requires_grad]
        self._optimizer = torch.optim.AdamW(self._parameters, lr=1e-3, weight_decay=0, fused=True)
        self._nll = nn.NLLLoss(reduction="none")

    def loss(self, ids_BT: Tensor, weight_BT: Tensor) -> Tensor:
        start_B1E = self._generator.start_E.expand(len(ids_BT), 1, -1)
        x_BTE = torch.cat([start_B1E, self._generator.embedding(ids_BT[:, :-1])], 1)
        h_BTH, _ = self._lstm(x_BTE)
        logp_BTV = self._generator.readout(h_BTH).log_softmax(-1)
        nll_R = self._nll(logp_BTV.flatten(0, 1), ids_BT.flatten())
        return (nll_R * weight_BT.flatten()).sum()

    def update(self, ids_BT: Tensor, weight_BT: Tensor) -> None:
        self._optimizer.zero_grad()
        self.loss(ids_BT, weight_BT).backward()
        nn.utils.clip_grad_norm_(self._parameters, 5.0)
        self._optimizer.step()


REINFORCE = "REINFORCE, no baseline"


def bench_estimators(sizes: Sizes, device: torch.device) -> Json:
    """Milliseconds a generator update, by estimator. Learned baselines learn nothing here."""
    space = sizes.estimator_space
    generator = RnnGeneratorConfig(name="gru").build(space).to(device).train()
    critic = MlpCritic(space).to(device).eval()
    player = Player("generator", generator, PlayerConfig())
    probe = load_experiment(PROBE, []).probe
    assert probe is not None
    works: dict[str, Callable[[], object]] = {}
    for row in probe.estimators:
        works[row.label] = _estimator_update(player, row.estimator, critic, space, sizes, device)
    actions = ActionCritic(space).to(device).eval()
    every = AllActionConfig()
    works["all actions"] = _estimator_update(player, every, actions, space, sizes, device)
    for work in works.values():
        work()  # warm up
    runs = alternate(works, sizes.step_repeats, device)
    base = summary(runs[REINFORCE])["median_s"]
    return {
        name: {**summary(times), "ratio": summary(times)["median_s"] / base}
        for name, times in runs.items()
    }


def _estimator_update(
    player: Player,
    config: EstimatorConfig,
    critic: Critic,
    space: SequenceSpace,
    sizes: Sizes,
    device: torch.device,
) -> Callable[[], object]:
    """Samples, the critic's rewards, and every update that the estimator makes of them."""
    network, baseline = config.build_network(space), None
    if network is not None:
        baseline = Player("baseline", network.to(device), PlayerConfig())
    estimator = config.build(space, device, network)
    reward = CriticReward(critic, Divergence("wgan"))
    generator: Any = player.module

    def update() -> None:
        with frozen(critic):
            rollout = estimator.sample(generator, SampleRequest(sizes.batch))
            surrogate = estimator.loss(generator, rollout, reward)
        for learner, loss, _ in surrogate_updates(surrogate, player, baseline):
            if learner is player:
                learner.update(loss)

    return update


@torch.no_grad()
def _batch(generator: RnnGenerator, sizes: Sizes) -> Batch:
    rollout = sample(generator, sizes.space, sizes.batch, Ancestral())
    return Batch(rollout.ids_BT, rollout.mask_BT)


def _critic_update(
    player: Player, real: Batch, generator: RnnGenerator, sizes: Sizes
) -> Callable[[], object]:
    """As the adversarial game does it: fresh samples, then one update on both halves."""
    objective = Divergence("non_saturating")

    def update() -> None:
        fake = _batch(generator, sizes)
        scores = [player.module(batch.x, batch.mask) for batch in (real, fake)]
        player.update(objective.critic_loss(*scores))

    return update


def _generator_update(
    player: Player, estimator: Estimator, critic: Critic, sizes: Sizes
) -> Callable[[], object]:
    generator: Any = player.module

    def update() -> None:
        with frozen(critic):
            rollout: Rollout = estimator.sample(generator, SampleRequest(sizes.batch))
            surrogate = estimator.loss(generator, rollout, prob_reward(critic))
        for learner, loss, _ in surrogate_updates(surrogate, player, None):
            learner.update(loss)

    return update
