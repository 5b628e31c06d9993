"""Exact divergences against hand values, and their Monte-Carlo estimates against the exact."""

from math import inf, log

import pytest
import torch
from torch import Tensor

from seqgan.core.enumeration import all_sequences
from seqgan.metrics.divergence import exact_divergences, sampled_divergences


def exact(p: list[float], q: list[float]) -> dict[str, float]:
    return exact_divergences(torch.tensor(p).double().log(), torch.tensor(q).double().log())


def test_hand_values() -> None:
    """p = (½, ½), q = (¾, ¼)."""
    found = exact([0.5, 0.5], [0.75, 0.25])
    assert found["kl_forward"] == pytest.approx(0.5 * log(0.5 / 0.75) + 0.5 * log(0.5 / 0.25))
    assert found["kl_reverse"] == pytest.approx(0.75 * log(1.5) + 0.25 * log(0.5))
    to_p = 0.5 * log(0.5 / 0.625) + 0.5 * log(0.5 / 0.375)
    to_q = 0.75 * log(0.75 / 0.625) + 0.25 * log(0.25 / 0.375)
    assert found["jsd"] == pytest.approx((to_p + to_q) / 2)


def test_forward_misses_what_is_not_covered_reverse_what_should_not_be_written() -> None:
    """q drops a mode of p: forward infinite, reverse finite; and the other way round."""
    dropped = exact([0.5, 0.5], [1.0, 0.0])
    assert dropped["kl_forward"] == inf
    assert dropped["kl_reverse"] == pytest.approx(log(2))
    invented = exact([1.0, 0.0], [0.5, 0.5])
    assert invented["kl_forward"] == pytest.approx(log(2))
    assert invented["kl_reverse"] == inf
    # ½ ln(1/(3/4)) + ½ (½ ln((1/2)/(3/4)) + ½ ln 2), symmetric in the two
    jsd = 0.5 * log(4 / 3) + 0.5 * (0.5 * log(2 / 3) + 0.5 * log(2))
    assert dropped["jsd"] == pytest.approx(jsd)
    assert invented["jsd"] == pytest.approx(jsd)


def test_equal_distributions_have_no_divergence() -> None:
    found = exact([0.2, 0.5, 0.3, 0.0], [0.2, 0.5, 0.3, 0.0])
    assert all(abs(value) < 1e-15 for value in found.values())


def test_disjoint_distributions_have_jsd_log_two() -> None:
    found = exact([0.5, 0.5, 0.0], [0.0, 0.0, 1.0])
    assert found == {"kl_forward": inf, "kl_reverse": inf, "jsd": pytest.approx(log(2))}


def test_a_sentence_too_rare_for_float_and_excluded_by_the_other_is_infinite_not_nan() -> None:
    """exp(−900) underflows to 0 even in float64, and 0 · ∞ is no number."""
    p = torch.tensor([0.0, -torch.inf]).double()
    q = torch.tensor([0.0, -900.0]).double()
    found = exact_divergences(p, q)
    assert found["kl_reverse"] == inf
    assert found["kl_forward"] == 0
    assert found["jsd"] == pytest.approx(0, abs=1e-12)


def random_log_probs(size: int, seed: int) -> Tensor:
    stream = torch.Generator().manual_seed(seed)
    return (2 * torch.randn(size, generator=stream)).double().log_softmax(-1)


@pytest.mark.parametrize("seed", range(5))
def test_jsd_is_symmetric_and_at_most_log_two(seed) -> None:
    p, q = random_log_probs(50, seed), random_log_probs(50, seed + 100)
    q = (q * 20).log_softmax(-1) if seed % 2 else q
    one, other = exact_divergences(p, q), exact_divergences(q, p)
    assert 0 < one["jsd"] <= log(2)
    assert one["jsd"] == pytest.approx(other["jsd"])
    assert one["kl_forward"] == pytest.approx(other["kl_reverse"])
    assert one["kl_forward"] > 0 < one["kl_reverse"]


def test_monte_carlo_agrees_with_enumeration() -> None:
    torch.manual_seed(0)
    p, q = random_log_probs(40, 1), random_log_probs(40, 2)
    rows = 200_000
    real, fake = (torch.multinomial(x.exp(), rows, replacement=True) for x in (p, q))
    found = sampled_divergences(p[real], q[real], p[fake], q[fake])
    truth = exact_divergences(p, q)
    spread = {
        "kl_forward": (p[real] - q[real]).std(),
        "kl_reverse": (q[fake] - p[fake]).std(),
        "jsd": torch.tensor(1.0),
    }
    for name, value in truth.items():
        assert abs(found[name] - value) < 5 * float(spread[name]) / rows**0.5, name
    assert abs(truth["kl_forward"] - truth["kl_reverse"]) > 0.1, "the directions differ"


def test_one_excluded_sample_makes_the_reverse_direction_infinite() -> None:
    logs = torch.tensor([-1.0, -2.0])
    found = sampled_divergences(logs, logs - 0.5, torch.tensor([-1.0, -torch.inf]), logs)
    assert found["kl_reverse"] == inf
    assert found["kl_forward"] == pytest.approx(0.5)
    assert 0 <= found["jsd"] <= log(2)


def test_all_sequences_are_listed_once_in_lexicographic_order() -> None:
    assert all_sequences(2, 2).tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert all_sequences(3, 1).tolist() == [[0], [1], [2]]
    rows = all_sequences(4, 5).tolist()
    assert len(rows) == 4**5
    assert rows == sorted(rows)
    assert len({tuple(row) for row in rows}) == 4**5
