"""Estimators in somebody's own loop: their network, their reward, no configuration."""

from collections.abc import Callable
from textwrap import dedent

import pytest
import torch
from torch import Tensor, nn

import seqgan.estimators
from seqgan import Generator, SampleRequest, SequenceSpace, StepOut
from seqgan.core.types import RewardTerm
from seqgan.estimators import (
    Estimator,
    GaeCredit,
    Grpo,
    LeaveOneOut,
    MovingAverage,
    Ppo,
    RaoBlackwell,
    Rebar,
    Rollout,
    ScoreFunction,
    SelfCritical,
    as_reward,
)
from seqgan.models.generators import CausalGenerator

SPACE = SequenceSpace(vocab_size=6, length=8, end_id=0)


def reward(tokens: Tensor, mask: Tensor) -> Tensor:
    """The share of the tokens that are a 3."""
    return ((tokens == 3) & mask).sum(1) / mask.sum(1)


class NextToken(nn.Module):
    """Ids [B, T] to the logits [B, T, V] of the tokens that follow."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(6, 8)
        self.recurrent = nn.GRU(8, 16, batch_first=True)
        self.readout = nn.Linear(16, 6)

    def forward(self, ids_BT: Tensor) -> Tensor:
        return self.readout(self.recurrent(self.embedding(ids_BT))[0])


class Bigram(Generator):
    """A generator of one's own: the next token depends on the one before it."""

    vocab_size = 6

    def __init__(self) -> None:
        super().__init__()
        self.first_V = nn.Parameter(torch.zeros(6))
        self.table_VV = nn.Parameter(torch.zeros(6, 6))

    def start(self, batch: int, cond: Tensor | None = None) -> StepOut:
        return StepOut(self.first_V.expand(batch, -1), ())

    def step(self, x: Tensor, state: object) -> StepOut:
        return StepOut(self.table_VV[x], ())

    def forward(self, tokens: Tensor, cond: Tensor | None = None) -> Tensor:
        first_B1V = self.first_V.expand(len(tokens), 1, -1)
        return torch.cat([first_B1V, self.table_VV[tokens[:, :-1]]], 1)


def own_generator(name: str) -> Generator:
    torch.manual_seed(0)
    return Bigram() if name == "bigram" else CausalGenerator(NextToken(), 6, start_id=0)


def mean_reward(generator: Generator) -> float:
    rollout = ScoreFunction(SPACE).sample(generator, SampleRequest(500))
    return float(reward(rollout.ids_BT, rollout.mask_BT).mean())


ESTIMATORS: dict[str, Callable[[], Estimator]] = {
    "rollout": lambda: ScoreFunction(SPACE, credit=Rollout(4), baseline=LeaveOneOut()),
    "plain": lambda: ScoreFunction(SPACE),
    "moving average": lambda: ScoreFunction(SPACE, baseline=MovingAverage()),
    "self-critical": lambda: ScoreFunction(SPACE, baseline=SelfCritical()),
    "ppo": lambda: Ppo(SPACE, credit=Rollout(2), epochs=2),
    "grpo": lambda: Grpo(SPACE, epochs=2),
    "rao_blackwell": lambda: RaoBlackwell(SPACE),
}


@pytest.mark.parametrize(
    ("network", "name"), [*(("bigram", name) for name in ESTIMATORS), ("causal", "rollout")]
)
def test_a_network_learns_a_reward_of_two_arguments(network: str, name: str) -> None:
    generator, estimator = own_generator(network), ESTIMATORS[name]()
    before = mean_reward(generator)
    optimizer = torch.optim.Adam(generator.parameters(), lr=0.1)
    for _ in range(30):
        rollout = estimator.sample(generator, SampleRequest(rows=32))
        surrogate = estimator.loss(generator, rollout, reward)
        while surrogate is not None:
            optimizer.zero_grad()
            surrogate.loss.backward()
            optimizer.step()
            surrogate = surrogate.next_epoch() if surrogate.next_epoch else None
    assert before < 0.25
    assert mean_reward(generator) > 0.5


def test_a_causal_network_samples_from_the_distribution_that_it_trains() -> None:
    """Step by step, and at once."""
    generator = own_generator("causal")
    ids_BT = torch.tensor([[3, 1, 5, 2], [4, 4, 1, 0]])
    out = generator.start(2)
    columns = [out.logits_BV]
    for ids_B in ids_BT[:, :-1].unbind(1):
        out = generator.step(ids_B, out.state)
        columns.append(out.logits_BV)
    torch.testing.assert_close(torch.stack(columns, 1), generator(ids_BT))
    shifted_BT = torch.tensor([[0, 3, 1, 5], [0, 4, 4, 1]])
    torch.testing.assert_close(generator(ids_BT), generator.network(shifted_BT))


class Counted(nn.Module):
    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        return reward(tokens, mask)


def scaled(tokens: Tensor, mask: Tensor, scale: float = 2.0) -> Tensor:
    """Has a third argument of its own."""
    return scale * reward(tokens, mask)


@pytest.mark.parametrize(("function", "factor"), [(reward, 1), (Counted(), 1), (scaled, 2)])
def test_a_reward_without_shared_is_called_without_it(function, factor) -> None:
    ids_BT = torch.tensor([[3, 1, 0], [3, 3, 0]])
    mask_BT = torch.ones_like(ids_BT, dtype=torch.bool)
    found_B = as_reward(function)(ids_BT, mask_BT, "shared")
    assert torch.equal(found_B, factor * reward(ids_BT, mask_BT))


def test_a_reward_with_shared_is_given_it() -> None:
    seen = []

    def looks(x: Tensor, mask: Tensor | None, shared: object = None) -> Tensor:
        seen.append(shared)
        return x[:, 0].float()

    generator = own_generator("bigram")
    estimator = ScoreFunction(SPACE, credit=Rollout(2))
    estimator.loss(generator, estimator.sample(generator, SampleRequest(3)), looks)
    assert [getattr(shared, "columns", None) for shared in seen] == [1, 2, 3, 4, 5, 6, 7, None]


def test_gae_is_refused_without_a_learned_value() -> None:
    with pytest.raises(ValueError, match="GaeCredit needs a learned value"):
        ScoreFunction(SPACE, credit=GaeCredit())


def test_terms_are_refused_where_one_reward_is_raised() -> None:
    generator, estimator = own_generator("bigram"), Rebar(SPACE)
    rollout = estimator.sample(generator, SampleRequest(2))
    with pytest.raises(ValueError, match="Rebar raises one reward"):
        estimator.loss(generator, rollout, reward, RewardTerm("more", reward))


def test_the_example_of_the_package_learns() -> None:
    torch.manual_seed(0)
    text = seqgan.estimators.__doc__
    assert text is not None
    example = text[text.index("    import torch") : text.index("A `Generator` of one's own")]
    names = {"network": NextToken()}
    exec(dedent(example).replace("range(100)", "range(20)"), names)
    assert mean_reward(names["generator"]) > 0.4
