"""The two streams of games between two kinds: independent orders, but for true pairs."""

from itertools import pairwise
from typing import Any

import pytest
import torch
from tiny_runs import CIPHER, CYCLE, EVENTS, LANGUAGES, tiny_experiment

from seqgan.assembly import build_task

CPU = torch.device("cpu")
CYCLES = {"pictures": CYCLE, "cipher": CIPHER, "events": EVENTS, "languages": LANGUAGES}
PAIRED: dict[str, Any] = {
    **CIPHER,
    "data": {**CIPHER["data"], "aligned": True},
    "game": {"name": "paired"},
    "schedule": [{"repeat": 1, "phases": {"mle": 1}}],
    **dict.fromkeys(("critic", "objective", "estimator")),
}


def orders(tree: dict[str, Any], seed: int) -> list[list[int]]:
    """The order in which each stream goes through its first epoch."""
    found = []
    for stream in build_task(tiny_experiment({**tree, "seed": seed}), CPU, None).streams:
        stream._current_size()
        found.append(stream._order_N.tolist())
    return found


@pytest.mark.parametrize("tree", CYCLES.values(), ids=CYCLES)
def test_streams_of_a_cycle_have_seeds_of_their_own(tree: dict[str, Any]) -> None:
    """Of one seed and of its neighbour: rows of equal number would meet again and again."""
    seen = [order for seed in (3, 4) for order in orders(tree, seed)]
    assert len(seen) == 4
    assert all(one != other for one, other in pairwise([*seen, seen[0]]))
    assert seen[0] != seen[2]
    assert seen[1] != seen[3]
    assert all(sorted(order) == list(range(len(order))) for order in seen)


def test_streams_of_true_pairs_go_together() -> None:
    first, second = orders(PAIRED, 3)
    assert first == second != orders(PAIRED, 4)[0]
