"""Searches find what they say: the arg max, or samples of e^{D/T}, against sums by hand."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from seqgan.core.enumeration import all_sequences
from seqgan.core.errors import UserError
from seqgan.core.masks import mask_until_end
from seqgan.core.types import ArraySpace, Critic, Scores, SequenceSpace
from seqgan.decoding import Ancestral, Greedy, generate, sample, sequence_log_probs
from seqgan.models.searches import ExhaustiveSearch, GibbsSearch, GridSearch, LangevinSearch

PLANE = ArraySpace((2,))
CLOSED = SequenceSpace(vocab_size=3, length=3)
ENDING = SequenceSpace(vocab_size=3, length=3, end_id=2)


class Hill(Critic):
    """−½ |x − centre|² of points; the read-out is a parameter, as networks have them."""

    def __init__(self, *centre: float) -> None:
        super().__init__()
        self.centre = nn.Parameter(torch.tensor(centre))

    def forward(self, x: Tensor, mask: Any = None, cond: Any = None) -> Scores:
        return Scores(-0.5 * (x - self.centre).square().flatten(1).sum(1))


class Table(Critic):
    """A score of its own for every sentence, read up to its end."""

    def __init__(self, space: SequenceSpace, seed: int = 0) -> None:
        super().__init__()
        self.space = space
        count = space.vocab_size**space.length
        score_R = torch.randn(count, generator=torch.Generator().manual_seed(seed))
        self.score_R = nn.Parameter(score_R)

    def forward(self, x: Tensor, mask: Tensor | None = None, cond: Any = None) -> Scores:
        assert mask is not None
        end = self.space.end_id or 0
        return Scores(self.score_R[numbers(x.masked_fill(~mask, end))])


def numbers(ids_BT: Tensor) -> Tensor:
    """Rows of `all_sequences(3, 3)`."""
    return ids_BT @ torch.tensor([9, 3, 1])


def probabilities(critic: Table, space: SequenceSpace, temperature: float) -> dict[int, float]:
    """e^{D/T} / Z by a loop over sentences; behind the first end there are only ends."""
    weights = {}
    for number, ids in enumerate(all_sequences(3, 3).tolist()):
        ends = [t for t, token in enumerate(ids) if token == space.end_id]
        if not ends or all(token == space.end_id for token in ids[ends[0] :]):
            weights[number] = math.exp(critic.score_R[number].item() / temperature)
    total = sum(weights.values())
    return {number: weight / total for number, weight in weights.items()}


def distance(ids_BT: Tensor, truth: dict[int, float]) -> float:
    """Total variation between samples and the truth."""
    counts_R = numbers(ids_BT).bincount(minlength=27) / len(ids_BT)
    return 0.5 * sum(abs(float(share) - truth.get(n, 0.0)) for n, share in enumerate(counts_R))


# ── Points ────────────────────────────────────────────────────────────────────────────────────


def test_a_grid_at_temperature_0_finds_the_best_cell() -> None:
    search = GridSearch(PLANE, Hill(0.34, -0.71), side=40, bound=1.0, temperature=0.0)
    found = search.mine(5).x
    assert torch.allclose(found, torch.tensor([[0.325, -0.725]]).expand(5, 2))
    assert torch.equal(generate(search, 2), found[:2])


def test_a_grid_draws_cells_by_their_weights() -> None:
    torch.manual_seed(0)
    search = GridSearch(PLANE, Hill(0.5, 0.0), side=4, bound=1.0, temperature=0.5)
    middles = torch.tensor([-0.75, -0.25, 0.25, 0.75])
    weights_44 = torch.tensor(
        [[math.exp(-0.5 * ((x - 0.5) ** 2 + y**2) / 0.5) for y in middles] for x in middles]
    )
    found = search.mine(40_000).x
    cells_N2 = ((found + 1) / 0.5).long()
    counts_44 = (cells_N2[:, 0] * 4 + cells_N2[:, 1]).bincount(minlength=16).view(4, 4) / 40_000
    assert (counts_44 - weights_44 / weights_44.sum()).abs().max() < 0.01
    inside_N2 = (found + 1) / 0.5 - cells_N2  # uniform in the cell
    assert abs(float(inside_N2.var()) - 1 / 12) < 0.002
    warm = search.log_weights(2.0).softmax(0)
    assert torch.allclose(warm, (weights_44.sqrt() / weights_44.sqrt().sum()).flatten(), atol=1e-6)


def test_ascent_without_noise_climbs_the_hill() -> None:
    torch.manual_seed(0)
    critic = Hill(0.3, -0.6)
    search = LangevinSearch(PLANE, critic, steps=60, step_size=0.2, noise=0.0, buffer=16, fresh=0)
    assert torch.allclose(search.mine(16).x, critic.centre.expand(16, 2), atol=1e-4)
    assert critic.centre.grad is None
    assert critic.centre.requires_grad


def test_langevin_has_the_variance_of_its_temperature() -> None:
    """x' = (1 − η) x + σ ε has variance σ² / (2η − η²), which tends to T = σ² / 2η."""
    torch.manual_seed(0)
    step, noise = 0.2, 0.15
    search = LangevinSearch(
        PLANE, Hill(0.0, 0.0), steps=40, step_size=step, noise=noise, buffer=8_000, fresh=0
    )
    variance = noise**2 / (2 * step - step**2)
    assert float(search.mine(8_000).x.var()) == pytest.approx(variance, rel=0.05)
    warm = generate(search, 8_000, temperature=2.0)
    assert float(warm.var()) == pytest.approx(4 * variance, rel=0.05)


def test_searches_of_pictures_stay_in_their_range() -> None:
    search = LangevinSearch(ArraySpace((1, 2, 2)), Hill(9.0), steps=50, buffer=4)
    assert float(search.mine(4).x.max()) == 1
    assert float(search.random_samples(100).x.abs().max()) <= 1


def test_a_search_goes_on_where_earlier_ones_stopped() -> None:
    torch.manual_seed(0)
    search = LangevinSearch(PLANE, Hill(0.5, 0.5), steps=1, buffer=10, fresh=0.0)
    before = search.chains.x.clone()
    found = search.mine(4).x
    moved = (search.chains.x != before).any(1)
    assert int(moved.sum()) == 4
    assert {tuple(row) for row in found.tolist()} == {
        tuple(row) for row in search.chains.x[moved].tolist()
    }
    assert "chains.x" in search.state_dict()


def test_samples_go_on_from_the_buffer_and_leave_it() -> None:
    torch.manual_seed(0)
    search = LangevinSearch(PLANE, Hill(0.5, 0.5), steps=1, step_size=1e-9, noise=0.0, buffer=10)
    before = search.chains.x.clone()
    drawn = generate(search, 25)
    assert torch.equal(search.chains.x, before)
    counts = [int((drawn - row).abs().max(1).values.lt(1e-6).sum()) for row in before]
    assert set(counts) == {2, 3}


def test_fresh_chains_begin_in_noise() -> None:
    torch.manual_seed(0)
    search = LangevinSearch(PLANE, Hill(0.0, 0.0), steps=1, buffer=4_000, fresh=0.25)
    search.chains.x.fill_(9.0)
    slots_B, x = search.chains.take(4_000, torch.zeros(4_000, 2))
    assert sorted(slots_B.tolist()) == list(range(4_000))
    assert float((x == 0).float().mean()) == pytest.approx(0.25, abs=0.03)


# ── Sentences ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("space", [CLOSED, ENDING])
@pytest.mark.parametrize("temperature", [0.5, 1.0])
def test_an_exhaustive_search_is_a_generator_of_the_exact_weights(
    space: SequenceSpace, temperature: float
) -> None:
    critic = Table(space)
    search = ExhaustiveSearch(space, critic, temperature)
    truth = probabilities(critic, space, temperature)
    ids_RT = all_sequences(3, 3)[list(truth)]
    mask_RT = mask_until_end(ids_RT, space.end_id)
    found_R = sequence_log_probs(search, ids_RT, mask_RT).exp()
    assert torch.allclose(found_R, torch.tensor(list(truth.values())), atol=1e-6)
    torch.manual_seed(0)
    assert distance(sample(search, space, 20_000, Ancestral()).ids_BT, truth) < 0.02


@pytest.mark.parametrize("space", [CLOSED, ENDING])
def test_at_temperature_0_it_is_the_arg_max(space: SequenceSpace) -> None:
    critic = Table(space, seed=2)
    truth = probabilities(critic, space, 1.0)
    found = ExhaustiveSearch(space, critic, 0.0).mine(4)
    assert set(numbers(found.x).tolist()) == {max(truth, key=lambda number: truth[number])}


def test_too_many_sentences_are_refused() -> None:
    space = SequenceSpace(vocab_size=20, length=4)
    with pytest.raises(UserError, match=r"20\^4 sentences .* use generator gibbs"):
        ExhaustiveSearch(space, Table(CLOSED))


@pytest.mark.parametrize("space", [CLOSED, ENDING])
@pytest.mark.parametrize("candidates", [None, 2])
def test_chains_over_sentences_come_to_the_exact_weights(
    space: SequenceSpace, candidates: int | None
) -> None:
    torch.manual_seed(0)
    critic = Table(space)
    search = GibbsSearch(space, critic, 25, candidates, temperature=0.7, buffer=3_000, fresh=0)
    truth = probabilities(critic, space, 0.7)
    assert distance(search.random_samples(3_000).x, truth) > 0.2
    assert distance(search.mine(3_000).x, truth) < 0.045
    assert distance(sample(search, space, 3_000, Ancestral()).ids_BT, truth) < 0.045


def test_a_chain_has_no_likelihood_and_obeys_the_sampler() -> None:
    torch.manual_seed(0)
    critic = Table(ENDING, seed=2)
    search = GibbsSearch(ENDING, critic, steps=30, buffer=50)
    assert not search.has_density
    best = max(probabilities(critic, ENDING, 1.0).items(), key=lambda item: item[1])[0]
    greedy = sample(search, ENDING, 50, Greedy())
    assert float((numbers(greedy.ids_BT) == best).float().mean()) > 0.3  # a hill of its own
    assert torch.equal(greedy.mask_BT, mask_until_end(greedy.ids_BT, ENDING.end_id))
