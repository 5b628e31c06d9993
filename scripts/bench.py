"""Time the work that a text GAN consists of, beside naive implementations where a ratio is claimed.

    reward      one SeqGAN reward pass (64 sentences of 20 tokens, 16 continuations of every
                prefix, the published CNN critic), against re-decoding every prefix from the start,
                `torch.multinomial`, and 16 × 20 critic calls with `conv1d`
    sampling    10,000 sequences, against `nn.LSTM` and `torch.multinomial` one step at a time
    self_bleu   Self-BLEU-2..5 of 10,000 captions
    steps       one update of each player, the generator's for every estimator
    likelihood  likelihood and policy-gradient updates, against `nn.LSTM` and `nn.NLLLoss`
    picture     a DCGAN of 32 × 32 pixels through the trainer, against the same networks in a loop
                written by hand
    beside      rounds of that picture GAN in one process, and in two at once on the same cores
    prdc        precision, recall, density and coverage of 10,000 against 10,000 features
    translate   1,000 greedy translations by an encoder-decoder with its cache, against the same
                network reading the whole prefix again for every token
    kv_cache    64 samples of 50 tokens by transformers of 4 layers × 256, ours and a GPT-2 of the
                transformers library, with their caches, against the same networks reading the
                whole prefix again for every token
    estimators  one generator update by every estimator of configs/probe/enumerable.yaml, on 64
                sentences of 16 tokens out of 200, and its ratio to REINFORCE
    cycle       one generator step and one critic step of the cycle game on the summaries of
                configs/summarize/events.yaml, for every estimator, against `detached`

The two sides of a ratio run alternately in one process; all runs are recorded and medians
compared. What is compared must be the same computation: `checks` holds the evidence (equal scores
for equal sequences, equal distributions of tokens, equal rewards up to Monte-Carlo error).
JSON goes to stdout, progress to stderr.

    python scripts/bench.py [--device auto|cpu|cuda] [--quick] [--only PART] [--json FILE]
                            [--captions FILE]
"""

import copy
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Annotated, Any, cast

import numpy as np
import torch
import torch.nn.functional as F
import typer
from scipy.stats import chi2
from torch import Tensor, nn

from seqgan.assembly import build_game, build_task
from seqgan.core.config import validate
from seqgan.core.device import describe, resolve_device
from seqgan.core.errors import UserError
from seqgan.core.modes import frozen
from seqgan.core.pictures import to_unit
from seqgan.core.text_files import read_lines
from seqgan.core.types import (
    ArraySpace,
    Batch,
    Critic,
    Generator,
    Reward,
    Rollout,
    SampleRequest,
    SequenceSpace,
    SpacePair,
)
from seqgan.data.stream import Stream
from seqgan.decoding import Ancestral, GumbelSoftmax, continuations, sample
from seqgan.estimators.base import Estimator
from seqgan.estimators.base_config import EstimatorConfig
from seqgan.estimators.config import AllActionConfig
from seqgan.estimators.credit import PerStepCredit, RewardedRollout
from seqgan.estimators.relaxed import Relaxed
from seqgan.estimators.rollout import Rollout as RolloutCredit
from seqgan.estimators.score_function import ScoreFunction, policy_gradient_losses
from seqgan.evaluation.base import Evaluator
from seqgan.evaluation.task import Task
from seqgan.experiment import Experiment, load_experiment
from seqgan.games.critics import CriticReward
from seqgan.games.mle import likelihood_loss
from seqgan.games.surrogate import surrogate_updates
from seqgan.metrics.corpus import Corpus
from seqgan.metrics.exact_bleu import self_bleu
from seqgan.models.base_config import SequenceGeneratorConfig
from seqgan.models.config import (
    CnnCriticConfig,
    HfGeneratorConfig,
    RnnGeneratorConfig,
    TransformerGeneratorConfig,
)
from seqgan.models.critics.action import ActionCritic
from seqgan.models.critics.cnn import CnnCritic
from seqgan.models.critics.mlp import MlpCritic
from seqgan.models.critics.rnn import RnnCritic
from seqgan.models.generators.rnn import RnnGenerator
from seqgan.models.layers import Highway
from seqgan.models.seq2seq.transformer import EncoderDecoder
from seqgan.objectives.divergences import Divergence
from seqgan.tasks.faces.drawing import draw_faces, sample_labels
from seqgan.training.config import PlayerConfig, StageConfig
from seqgan.training.game import Game
from seqgan.training.phase_schedule import PhaseSchedule
from seqgan.training.player import Player
from seqgan.training.trainer import Trainer
from seqgan.translate import translate

Json = dict[str, Any]
Timings = dict[str, list[float]]
Process = subprocess.Popen[str]

CHECK_VOCAB = 50
"""Distributions are compared over few tokens and peaked rows: every count is then large."""

SUMMARIES = Path(__file__).parents[1] / "configs" / "summarize" / "events.yaml"
PROBE = Path(__file__).parents[1] / "configs" / "probe" / "enumerable.yaml"


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


# ── The naive side ────────────────────────────────────────────────────────────────────────────


class NaiveGenerator:
    """The same network, with its `nn.LSTM` called on one token at a time."""

    def __init__(self, generator: RnnGenerator) -> None:
        self._embedding = generator.embedding
        self._start_E = generator.start_E
        self._lstm: nn.LSTM = next(iter(generator.layers)).rnn  # type: ignore[assignment]
        self._readout = generator.readout

    def sample(self, rows: int, length: int) -> Tensor:
        """`ids_BT` from the start."""
        return self.finish(self._start_E.new_zeros(rows, 0, dtype=torch.long), length)

    def finish(self, prefix_BT: Tensor, length: int) -> Tensor:
        """Read the prefix from the start token on, then sample up to `length` columns."""
        h_B1H, state = self._lstm(self._start_E.expand(len(prefix_BT), 1, -1))
        columns = list(prefix_BT.unbind(1))
        for ids_B in columns:
            h_B1H, state = self._lstm(self._embedding(ids_B[:, None]), state)
        while len(columns) < length:
            probs_BV = self._readout(h_B1H[:, 0]).softmax(-1)
            columns.append(torch.multinomial(probs_BV, 1)[:, 0])
            h_B1H, state = self._lstm(self._embedding(columns[-1][:, None]), state)
        return torch.stack(columns, 1)


class NaiveCritic:
    """The same network out of `conv1d`, pooling and plain linear layers, in evaluation mode."""

    def __init__(self, critic: CnnCritic) -> None:
        self._critic = critic
        width = critic.embedding.embedding_dim
        self._filters = [
            layer.weight.unflatten(1, (-1, width)).transpose(1, 2).contiguous()
            for layer in critic.filters
        ]

    def __call__(self, ids_BT: Tensor) -> Tensor:
        """`score_B`."""
        embedded_BET = F.embedding(ids_BT, self._critic.embedding.weight).transpose(1, 2)
        pooled = []
        for linear, weight in zip(self._critic.filters, self._filters, strict=True):
            response_BFT = F.conv1d(embedded_BET, weight, linear.bias).relu()
            pooled.append(F.max_pool1d(response_BFT, response_BFT.shape[2])[:, :, 0])
        features_BF = torch.cat(pooled, 1)
        for layer in self._critic.highways:
            highway = cast(Highway, layer)
            gate = highway.gate(features_BF).sigmoid()
            new = highway.transform(features_BF).relu()
            features_BF = gate * new + (1 - gate) * features_BF
        return self._critic.readout(features_BF)[:, 0]


def naive_returns(
    generator: NaiveGenerator, critic: NaiveCritic, ids_BT: Tensor, copies: int
) -> Tensor:
    """`returns_BT` as SeqGAN's code computes them: one prefix and one continuation at a time."""
    length = ids_BT.shape[1]
    total_TB = torch.zeros(length, len(ids_BT), device=ids_BT.device)
    for _ in range(copies):
        for given in range(1, length + 1):
            finished_BT = generator.finish(ids_BT[:, :given], length)
            total_TB[given - 1] += critic(finished_BT).sigmoid()
    return total_TB.T / copies


# ── Timing ────────────────────────────────────────────────────────────────────────────────────


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """Wall-clock time of one call, the device's queue drained before and after."""
    _drain(device)
    start = time.perf_counter()
    work()
    _drain(device)
    return time.perf_counter() - start


def _drain(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def alternate(
    works: dict[str, Callable[[], object]], repeats: int, device: torch.device
) -> Timings:
    """Run A B A B …, so that a disturbance of the machine meets both."""
    runs: Timings = {name: [] for name in works}
    for _ in range(repeats):
        for name, work in works.items():
            runs[name].append(seconds(work, device))
            _say(f"  {name} {runs[name][-1]:.3f} s")
    return runs


def summary(runs: list[float]) -> Json:
    return {"median_s": median(runs), "runs_s": runs}


def ratio(runs: Timings) -> Json:
    """Both sides, and how many times faster ours is by the medians and in each pair."""
    pairs = zip(runs["naive"], runs["ours"], strict=True)
    return {
        **{name: summary(times) for name, times in runs.items()},
        "ratio": median(runs["naive"]) / median(runs["ours"]),
        "ratio_of_each_pair": [naive / ours for naive, ours in pairs],
    }


# ── Checks ────────────────────────────────────────────────────────────────────────────────────


def score_difference(critic: CnnCritic, ids_RT: Tensor) -> float:
    """The largest difference between our scores and the naive ones for the same sequences."""
    with torch.no_grad():
        ours_R = critic(ids_RT, torch.ones_like(ids_RT, dtype=torch.bool)).score
        return float((ours_R - NaiveCritic(critic)(ids_RT)).abs().max())


def same_tokens(first_R: Tensor, second_R: Tensor, vocab: int) -> float:
    """p-value of the two-sample chi-square test that both were drawn from one distribution."""
    a_V = torch.bincount(first_R.flatten(), minlength=vocab).double()
    b_V = torch.bincount(second_R.flatten(), minlength=vocab).double()
    total_V = a_V + b_V
    seen = total_V > 0
    weight = (b_V.sum() / a_V.sum()).sqrt()
    statistic = ((a_V * weight - b_V / weight).square() / total_V)[seen].sum()
    return float(chi2.sf(float(statistic), int(seen.sum()) - 1))


@torch.no_grad()
def check_distributions(sizes: Sizes, device: torch.device) -> Json:
    """p-values for the last token of samples and of continuations."""
    space = SequenceSpace(CHECK_VOCAB, sizes.length)
    generator = build_lstm(space, device, std=1.0)
    naive = NaiveGenerator(generator)
    sampled = sample(generator, space, sizes.samples, Ancestral())
    rollout = sample(generator, space, sizes.batch, Ancestral())
    ours_PNBT = continuations(generator, space, rollout, sizes.copies, Ancestral())
    theirs = [
        naive.finish(rollout.ids_BT[:, :given].repeat(sizes.copies, 1), space.length)[:, -1]
        for given in range(1, space.length)
    ]
    return {
        "sample_p_value": same_tokens(
            sampled.ids_BT[:, -1], naive.sample(sizes.samples, space.length)[:, -1], CHECK_VOCAB
        ),
        "continuation_p_value": same_tokens(ours_PNBT[..., -1], torch.cat(theirs), CHECK_VOCAB),
    }


def reward_z(ours_BT: Tensor, naive_BT: Tensor) -> float:
    """Mean difference of the returns in standard errors over sentences (which both share)."""
    difference_B = (ours_BT - naive_BT)[:, :-1].mean(1)
    return float(difference_B.mean() / (difference_B.std() / len(difference_B) ** 0.5))


# ── The measurements ──────────────────────────────────────────────────────────────────────────


def build_lstm(space: SequenceSpace, device: torch.device, std: float = 0.1) -> RnnGenerator:
    return RnnGenerator(space, "lstm", init_std=std).to(device).eval()


def build_cnn(sizes: Sizes) -> CnnCritic:
    critic = sizes.critic.build(sizes.space)
    assert isinstance(critic, CnnCritic)
    return critic


def prob_reward(critic: Critic) -> Reward:
    """σ(score), SeqGAN's reward, as the adversarial game makes it."""
    objective = Divergence("non_saturating", reward="prob")
    return CriticReward(critic, objective)


@torch.no_grad()
def bench_reward(sizes: Sizes, device: torch.device) -> Json:
    """One reward pass, and the evidence that both sides compute the same."""
    generator = build_lstm(sizes.space, device)
    critic = build_cnn(sizes).to(device).eval()
    naive_generator, naive_critic = NaiveGenerator(generator), NaiveCritic(critic)
    copies = sizes.copies
    rollout = sample(generator, sizes.space, sizes.batch, Ancestral())
    given = RewardedRollout(rollout, prob_reward(critic), generator, sizes.space)
    found: dict[str, Tensor] = {}

    def ours() -> None:
        found["ours"] = RolloutCredit(copies)(given)

    def naive() -> None:
        found["naive"] = naive_returns(naive_generator, naive_critic, rollout.ids_BT, copies)

    RolloutCredit(1)(given)  # warm up
    naive_returns(naive_generator, naive_critic, rollout.ids_BT[:1], 1)
    result = ratio(alternate({"naive": naive, "ours": ours}, sizes.repeats, device))
    ids_PNBT = continuations(generator, sizes.space, rollout, 1, Ancestral())
    result["checks"] = {
        "score_difference": score_difference(critic, ids_PNBT.flatten(0, 2)),
        "mean_return": {name: float(values.mean()) for name, values in found.items()},
        "mean_return_z": reward_z(found["ours"], found["naive"]),
        **check_distributions(sizes, device),
    }
    return result


@torch.no_grad()
def bench_sampling(sizes: Sizes, device: torch.device) -> Json:
    """The naive side works in batches of 64, at which it is fastest."""
    generator = build_lstm(sizes.space, device)
    naive_generator = NaiveGenerator(generator)

    def ours() -> None:
        sample(generator, sizes.space, sizes.samples, Ancestral())

    def naive() -> None:
        for first in range(0, sizes.samples, sizes.batch):
            naive_generator.sample(min(sizes.batch, sizes.samples - first), sizes.length)

    sample(generator, sizes.space, sizes.batch, Ancestral())  # warm up
    naive_generator.sample(sizes.batch, 2)
    return ratio(alternate({"naive": naive, "ours": ours}, sizes.repeats, device))


def bench_self_bleu(sizes: Sizes, captions: Path | None) -> Json:
    corpus = read_captions(captions, sizes.captions) if captions else zipf_captions(sizes.captions)
    runs = alternate({"self_bleu": lambda: self_bleu(corpus)}, sizes.repeats, torch.device("cpu"))
    return {**summary(runs["self_bleu"]), "captions": len(corpus), "words": len(corpus.ids)}


def zipf_captions(rows: int) -> Corpus:
    """Captions of 7 to 16 words, ranked like natural ones: p(word k) ∝ 1/k over 5,000 words."""
    random = np.random.default_rng(0)
    share = 1 / np.arange(1, 5001)
    lengths = random.integers(7, 17, rows)
    ids = random.choice(len(share), lengths.sum(), p=share / share.sum())
    return Corpus(ids.astype(np.int64), lengths)


def read_captions(path: Path, rows: int) -> Corpus:
    """The first `rows` lines, in lower case, split at spaces."""
    known: dict[str, int] = {}
    lines = [line.lower().split() for line in read_lines(path)[:rows]]
    return Corpus.from_lists([[known.setdefault(w, len(known)) for w in line] for line in lines])


# ── Steps ─────────────────────────────────────────────────────────────────────────────────────


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


# ── Pictures ──────────────────────────────────────────────────────────────────────────────────


def bench_picture(sizes: Sizes, device: torch.device) -> Json:
    """Rounds of one critic and one generator update: what the trainer costs over a bare loop.

    The whole of `Trainer.run` is timed, with its log lines and the checkpoint at the end, but
    without evaluation. Both sides train networks of equal initial weights on the same pictures.
    """
    experiment = picture_experiment(sizes)
    x_NCHW = draw_faces(sample_labels(2_000, 0), 32, "day", 0).to(device)
    space = ArraySpace((3, 32, 32))

    def ours() -> None:
        trainer.schedule = PhaseSchedule([StageConfig(repeat=done(), phases=ROUND)])
        trainer.run()

    def done() -> int:
        return trainer.step // len(ROUND) + sizes.picture_rounds

    with TemporaryDirectory() as folder:
        stream = Stream(Batch(x_NCHW), sizes.batch, 0, prepare=to_unit)
        game = build_game(experiment, Task(space, (stream,), cast(Evaluator, None)), device)
        trainer = Trainer(
            game,
            PhaseSchedule(experiment.schedule),
            experiment.train,
            device,
            Path(folder),
            evaluate=lambda step: {},
            show=lambda step: None,
        )
        naive = HandWritten(experiment, space, x_NCHW, sizes, device)
        (Path(folder) / "checkpoints").mkdir()
        ours()  # warm up
        naive.train()
        runs = alternate({"naive": naive.train, "ours": ours}, 2 * sizes.repeats - 1, device)
    result = ratio(runs)
    result["ms_a_round"] = {
        name: 1000 * median(times) / sizes.picture_rounds for name, times in runs.items()
    }
    result["overhead"] = median(runs["ours"]) / median(runs["naive"]) - 1
    return result


ROUND: dict[str, int] = {"critic": 1, "generator": 1}


def picture_experiment(sizes: Sizes) -> Experiment:
    network = {"name": "dcgan", "width": sizes.picture_width}
    player = {"lr": 2e-4, "betas": [0.5, 0.999], "clip_norm": None}
    tree = {
        "name": "bench",
        "data": {"name": "pictures", "source": {"name": "faces"}},
        "game": {"name": "adversarial"},
        "generator": {**network, "latent": 64},
        "critic": network,
        "objective": {"name": "non_saturating"},
        "estimator": {"name": "pathwise"},
        "players": {"generator": player, "critic": player},
        "schedule": [{"repeat": sizes.picture_rounds, "phases": ROUND}],
        "train": {
            "batch_size": sizes.batch,
            "eval_every": 1_000_000,
            "checkpoint_every": 1_000_000,
            "tensorboard": False,
        },
    }
    return validate(Experiment, tree, "bench")


class HandWritten:
    """The same GAN as one writes it in a notebook: nothing is logged, checked or saved."""

    def __init__(
        self,
        experiment: Experiment,
        space: ArraySpace,
        x_NCHW: Tensor,
        sizes: Sizes,
        device: torch.device,
    ) -> None:
        torch.manual_seed(experiment.seed)
        assert experiment.critic is not None
        self._generator: Any = experiment.generator.build(space).to(device)
        self._critic: Any = experiment.critic.build(space).to(device)
        self._optimizers = [
            torch.optim.AdamW(
                module.parameters(), lr=2e-4, betas=(0.5, 0.999), weight_decay=0, fused=True
            )
            for module in (self._generator, self._critic)
        ]
        self._x_NCHW = x_NCHW
        self._sizes = sizes

    def train(self) -> None:
        generator, critic = self._generator, self._critic
        batch, latent = self._sizes.batch, generator.latent
        step_generator, step_critic = self._optimizers
        device = self._x_NCHW.device
        for _ in range(self._sizes.picture_rounds):
            rows = torch.randint(len(self._x_NCHW), (batch,), device=device)
            real = self._x_NCHW[rows].float() / 127.5 - 1
            with torch.no_grad():
                fake = generator(torch.randn(batch, latent, device=device))
            loss = F.softplus(-critic(real).score).mean() + F.softplus(critic(fake).score).mean()
            step_critic.zero_grad()
            loss.backward()
            step_critic.step()
            critic.requires_grad_(False)
            fake = generator(torch.randn(batch, latent, device=device))
            loss = F.softplus(-critic(fake).score).mean()
            step_generator.zero_grad()
            loss.backward()
            step_generator.step()
            critic.requires_grad_(True)


# ── Two processes ─────────────────────────────────────────────────────────────────────────────


def bench_beside(sizes: Sizes) -> Json:
    """Processes of their own, with as many threads as torch takes by itself: one, and two at once.

    `two_spinning` is what it costs where nothing tells OpenMP's threads not to spin.
    """
    theirs = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "GOMP_"))}
    with neighbours(sizes, theirs) as pair:
        works: dict[str, Callable[[], object]] = {
            "alone": lambda: rounds_of(pair[:1]),
            "two": lambda: rounds_of(pair),
        }
        rounds_of(pair)  # warm up
        runs = alternate(works, sizes.repeats, torch.device("cpu"))
    if sizes.beside_spinning:
        with neighbours(sizes, theirs | {"GOMP_SPINCOUNT": "300000"}) as pair:
            works = {"two_spinning": lambda: rounds_of(pair)}
            runs |= alternate(works, 1, torch.device("cpu"))
    alone = median(runs["alone"])
    return {
        **{name: summary(times) for name, times in runs.items()},
        "ratios": {name: median(times) / alone for name, times in runs.items()},
    }


@contextmanager
def neighbours(sizes: Sizes, environment: dict[str, str]) -> Iterator[list[Process]]:
    """Two processes that train whenever `rounds_of` tells them to."""
    code = (
        f"import seqgan, sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import bench; "
        f"bench.serve_rounds({sizes.beside_rounds}, {sizes.picture_width}, {sizes.batch})"
    )
    pair = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for _ in range(2)
    ]
    try:
        yield pair
    finally:
        for process in pair:
            process.communicate()  # closes its stdin, which ends it


def rounds_of(processes: list[Process]) -> None:
    """Let all of them train at once; back when the last one is done."""
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline(), "a process of the measurement ended"


def serve_rounds(rounds: int, width: int, batch: int) -> None:
    """Train for some rounds at each line of stdin, and answer with a line."""
    sizes = Sizes(picture_rounds=rounds, picture_width=width, batch=batch)
    x_NCHW = draw_faces(sample_labels(100, 0), 32, "day", 0)
    gan = HandWritten(
        picture_experiment(sizes), ArraySpace((3, 32, 32)), x_NCHW, sizes, torch.device("cpu")
    )
    for _ in sys.stdin:
        gan.train()
        print("done", flush=True)


def bench_prdc(sizes: Sizes) -> Json:
    """In a process of its own, so that its peak of memory is its own."""
    code = (
        "import json, resource, time, torch\n"
        "from seqgan.metrics.coverage import prdc\n"
        f"torch.manual_seed(0); real, fake = torch.randn(2, {sizes.features}, 128)\n"
        "prdc(real[:100], fake[:100])\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024\n"
        "before, start = peak(), time.perf_counter()\n"
        "found = prdc(real, fake)\n"
        "seconds = time.perf_counter() - start\n"
        "print(json.dumps({'seconds': seconds, 'bytes': peak() - before, 'found': found}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


# ── Translations ──────────────────────────────────────────────────────────────────────────────


@torch.no_grad()
def bench_translate(sizes: Sizes, device: torch.device) -> Json:
    """Both sides in batches of 100; sources and translations have all their columns."""
    network = EncoderDecoder(sizes.space, sizes.space, width=128, layers=2).to(device).eval()
    shape = (sizes.translations, sizes.length)
    batches = torch.randint(sizes.vocab, shape, device=device).split(100)
    found: dict[str, list[Tensor]] = {}

    def ours() -> None:
        found["ours"] = [translate(network, sizes.space, cond).ids_BT for cond in batches]

    def naive() -> None:
        found["naive"] = [naive_translation(network, cond, sizes.length) for cond in batches]

    translate(network, sizes.space, batches[0])  # warm up
    naive_translation(network, batches[0], 2)
    result = ratio(alternate({"naive": naive, "ours": ours}, sizes.repeats, device))
    same_N = torch.cat(found["ours"]).eq(torch.cat(found["naive"])).all(1)
    result["checks"] = {"same_translations": float(same_N.float().mean())}
    return result


def naive_translation(network: EncoderDecoder, cond: Tensor, length: int) -> Tensor:
    """`ids_BT` without a state: every token reads the source and the prefix from the start."""
    ids_BT = cond.new_zeros(len(cond), 0)
    for _ in range(length):
        asked_BT = F.pad(ids_BT, (0, 1))  # the last column is predicted, not read
        ids_BT = torch.cat([ids_BT, network(asked_BT, cond)[:, -1:].argmax(-1)], 1)
    return ids_BT


# ── Caches ────────────────────────────────────────────────────────────────────────────────────


@torch.no_grad()
def bench_kv_cache(sizes: Sizes, device: torch.device) -> Json:
    """Both sides draw with the same random numbers, so they write the same tokens. There are few
    of them: the naive side computes the logits of every column, and should not lose by that."""
    space = SequenceSpace(CHECK_VOCAB, sizes.cached_length)
    with TemporaryDirectory() as folder:
        configs: dict[str, SequenceGeneratorConfig] = {
            "transformer": cached_config(sizes),
            "hf": cached_hf_config(sizes, folder),
        }
        generators = {name: config.build(space) for name, config in configs.items()}
    return {
        name: _cache_ratio(generator.to(device).eval(), space, sizes, device)
        for name, generator in generators.items()
    }


def cached_config(sizes: Sizes) -> TransformerGeneratorConfig:
    return TransformerGeneratorConfig(
        name="transformer", width=sizes.cached_width, layers=sizes.cached_layers, heads=4
    )


def cached_hf_config(sizes: Sizes, folder: str) -> HfGeneratorConfig:
    """A GPT-2 of the same size, whose configuration is written into `folder`."""
    from transformers import GPT2Config

    settings = GPT2Config(
        vocab_size=CHECK_VOCAB,
        n_positions=sizes.cached_length,
        n_embd=sizes.cached_width,
        n_layer=sizes.cached_layers,
        n_head=4,
        bos_token_id=0,
        eos_token_id=0,
    )
    settings.save_pretrained(folder)
    return HfGeneratorConfig(name="hf", path=folder, random_init=True)


def _cache_ratio(
    generator: Generator, space: SequenceSpace, sizes: Sizes, device: torch.device
) -> Json:
    found: dict[str, Tensor] = {}

    def ours() -> None:
        torch.manual_seed(0)
        found["ours"] = sample(generator, space, sizes.batch, Ancestral()).ids_BT

    def naive() -> None:
        torch.manual_seed(0)
        found["naive"] = without_cache(generator, sizes.batch, space.length, device)

    sample(generator, space, 2, Ancestral())  # warm up
    without_cache(generator, 2, 2, device)
    result = ratio(alternate({"naive": naive, "ours": ours}, sizes.repeats, device))
    same_B = found["ours"].eq(found["naive"]).all(1)
    return {**result, "checks": {"same_samples": float(same_B.float().mean())}}


def without_cache(generator: Generator, rows: int, length: int, device: torch.device) -> Tensor:
    """`ids_BT`: every token reads all those before it from the start."""
    ids_BT = torch.zeros(rows, 0, dtype=torch.long, device=device)
    for _ in range(length):
        asked_BT = F.pad(ids_BT, (0, 1))  # the last column is predicted, not read
        drawn = Ancestral()(generator(asked_BT)[:, -1], 1)
        ids_BT = torch.cat([ids_BT, drawn.ids_R[:, None]], 1)
    return ids_BT


# ── The cycle game ────────────────────────────────────────────────────────────────────────────

REFERENCE = "detached"
"""What the others are compared with: it samples translations and teaches the ways back only."""

CYCLE_ESTIMATORS = {
    "softmax": "{name: softmax}",
    "soft_gumbel": "{name: soft_gumbel}",
    "straight_through_gumbel": "{name: straight_through_gumbel}",
    "straight_through": "{name: straight_through}",
    "score_function_leave_one_out": "{name: score_function, baseline: {name: leave_one_out}}",
    "score_function_self_critical": "{name: score_function, baseline: {name: self_critical}}",
    REFERENCE: "{name: detached}",
}
"""Every path of both rewards to the generator, with its default options."""


def bench_cycle(sizes: Sizes, device: torch.device) -> Json:
    """Steps as the trainer takes them: sampling, losses, one update. All games read one stream."""
    data = build_task(cycle_experiment(sizes, REFERENCE), device, None)
    games = {
        name: build_game(cycle_experiment(sizes, name), data, device) for name in CYCLE_ESTIMATORS
    }
    result: Json = {"batch": data.streams[0].batch_size}
    for phase in ("generator", "critic"):
        works: dict[str, Callable[[], object]] = {
            name: partial(_play, game, phase) for name, game in games.items()
        }
        for work in works.values():
            work()  # warm up: optimizer state; the generator's first step measures gradient norms
        runs = alternate(works, sizes.cycle_repeats, device)
        result[phase] = {name: _step_cost(times, runs[REFERENCE]) for name, times in runs.items()}
    tokens = {
        name: _tokens(cycle_experiment(sizes, name), game, data, device)
        for name, game in games.items()
    }
    return {**result, "checks": {"tokens": tokens}}


def cycle_experiment(sizes: Sizes, estimator: str) -> Experiment:
    """The configuration with another estimator. Updates cost what they cost but hardly move the
    generator: after a few of its first steps some estimators write two words, others eight."""
    changes = {
        "data.train": sizes.articles,
        "generator": "{name: encoder_decoder, width: 64, layers: 2, heads: 4}",
        "estimator": CYCLE_ESTIMATORS[estimator],
        "players.generator.lr": 1e-12,
    }
    if sizes.cycle_batch is not None:
        changes["train.batch_size"] = sizes.cycle_batch
    return load_experiment(SUMMARIES, [f"{key}={value}" for key, value in changes.items()])


def _play(game: Game, phase: str) -> None:
    for player, loss, _ in game.updates(phase):
        player.update(loss)


def _step_cost(runs: list[float], reference: list[float]) -> Json:
    return {
        "median_ms": 1000 * median(runs),
        "runs_ms": [1000 * run for run in runs],
        "ratio": median(runs) / median(reference),
    }


@torch.no_grad()
def _tokens(experiment: Experiment, game: Game, data: Task, device: torch.device) -> float:
    """Mean tokens of a summary: a generator that ends early makes its steps look cheap."""
    assert isinstance(data.space, SpacePair)
    assert isinstance(data.space.b, SequenceSpace)
    assert experiment.estimator is not None
    estimator = experiment.estimator.build(data.space.b, device)
    articles = data.streams[0].next().x
    generators = game.players["generator"].module
    rollout: Rollout = estimator.sample(generators["a2b"], SampleRequest(len(articles), articles))
    return float(rollout.mask_BT.sum(1).float().mean())


# ── Report ────────────────────────────────────────────────────────────────────────────────────


def run_all(
    sizes: Sizes, device: torch.device, captions: Path | None = None, only: str | None = None
) -> Json:
    """Every measurement (or the one that `only` names), with what it was measured on."""
    parts: dict[str, Callable[[], Json]] = {
        "reward": lambda: bench_reward(sizes, device),
        "sampling": lambda: bench_sampling(sizes, device),
        "self_bleu": lambda: bench_self_bleu(sizes, captions),
        "steps": lambda: bench_steps(sizes, device),
        "likelihood": lambda: bench_likelihood(sizes, device),
        "picture": lambda: bench_picture(sizes, device),
        "beside": lambda: bench_beside(sizes),
        "prdc": lambda: bench_prdc(sizes),
        "translate": lambda: bench_translate(sizes, device),
        "kv_cache": lambda: bench_kv_cache(sizes, device),
        "estimators": lambda: bench_estimators(sizes, device),
        "cycle": lambda: bench_cycle(sizes, device),
    }
    if only is not None and only not in parts:
        raise UserError(f"--only={only!r}: choose from: {', '.join(parts)}")
    result: Json = {"machine": machine(device), "sizes": _sizes(sizes)}
    for name in parts if only is None else [only]:
        _say(name)
        torch.manual_seed(0)
        result[name] = parts[name]()
    result["targets"] = targets(result)
    return result


def targets(result: Json) -> Json:
    """What the project promises for the default sizes on two CPU cores, and what was found."""
    found: dict[str, Callable[[], float]] = {
        "reward_seconds_at_most_7": lambda: result["reward"]["ours"]["median_s"],
        "reward_ratio_at_least_6": lambda: result["reward"]["ratio"],
        "sampling_ratio_at_least_4": lambda: result["sampling"]["ratio"],
        "self_bleu_seconds_below_1": lambda: result["self_bleu"]["median_s"],
        "likelihood_ratio_at_least_1.5": lambda: min(
            result["likelihood"][case]["ratio"] for case in ("full", "policy_gradient")
        ),
        "picture_overhead_at_most_0.1": lambda: result["picture"]["overhead"],
        "beside_ratio_at_most_2.2": lambda: result["beside"]["ratios"]["two"],
        "prdc_gib_below_2": lambda: result["prdc"]["bytes"] / 2**30,
        "translate_ratio_at_least_5": lambda: result["translate"]["ratio"],
        "kv_cache_ratio_at_least_3": lambda: min(r["ratio"] for r in result["kv_cache"].values()),
    }
    return {
        name: value()
        for name, value in found.items()
        if any(name.startswith(part) for part in result)
    }


def machine(device: torch.device) -> Json:
    return {
        "device": describe(device),
        "processor": _processor(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]}, {len(names)} cores" if names else platform.processor()


def _sizes(sizes: Sizes) -> Json:
    """As JSON, and whether this is less work than the targets are stated for."""
    return {**asdict(sizes), "critic": sizes.critic.model_dump(), "quick": sizes == QUICK}


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main(
    device: Annotated[str, typer.Option(help="auto, cpu, cuda[:i] or mps")] = "auto",
    quick: Annotated[bool, typer.Option(help="less work; not what the targets are for")] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="also write the JSON to this file")
    ] = None,
    captions: Annotated[
        Path | None, typer.Option(help="a text file for Self-BLEU, one caption a line")
    ] = None,
    only: Annotated[str | None, typer.Option(help="measure this part alone")] = None,
) -> None:
    """Time sampling, rewards, Self-BLEU and updates; print JSON."""
    try:
        result = run_all(QUICK if quick else Sizes(), resolve_device(device), captions, only)
    except UserError as error:
        _say(str(error))
        raise typer.Exit(2) from None
    text = json.dumps(result, indent=2)
    print(text)
    if json_file is not None:
        json_file.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
