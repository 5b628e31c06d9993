"""Faithful naive versions of sampling and rewards, and checks that they compute the same."""

from typing import cast

import torch
import torch.nn.functional as F
from scipy.stats import chi2
from torch import Tensor, nn

from benchmarks.sizes import Sizes
from benchmarks.timing import Json
from seqgan.core.types import (
    Critic,
    Reward,
    SequenceSpace,
)
from seqgan.decoding import Ancestral, continuations, sample
from seqgan.games.critics import CriticReward
from seqgan.models.critics.cnn import CnnCritic
from seqgan.models.generators.rnn import RnnGenerator
from seqgan.models.layers import Highway
from seqgan.objectives.divergences import Divergence

CHECK_VOCAB = 50
"""Distributions are compared over few tokens and peaked rows: every count is then large."""


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
