"""Samples that are drawn ahead of the critic's updates: fresh, and each of them taken once."""

from pathlib import Path

import torch
from enumeration import PrefixTable
from torch import Tensor

from seqgan.core.budget import Budget, counting
from seqgan.core.types import SequenceSpace
from seqgan.games.drawn_ahead import AT_ONCE, ONE_BY_ONE, DrawnAhead
from seqgan.training.checkpoint import load_tree, save_tree

SPACE = SequenceSpace(vocab_size=5, length=4)
ROWS = 3


def drawer() -> DrawnAhead:
    return DrawnAhead(SPACE, torch.device("cpu"))


def batches(drawn: DrawnAhead, count: int) -> list[Tensor]:
    generator = PrefixTable(SPACE, seed=0)
    found = [drawn.take(generator, ROWS) for _ in range(count)]
    assert all(batch.mask is not None and bool(batch.mask.all()) for batch in found)
    return [batch.x for batch in found]


def test_a_generator_that_stays_is_drawn_from_in_larger_batches() -> None:
    drawn, sizes = drawer(), []
    for _ in range(ONE_BY_ONE + AT_ONCE + 1):
        with counting(budget := Budget()):
            batches(drawn, 1)
        sizes.append(budget.tokens / (ROWS * SPACE.length))
    assert sizes == [1] * ONE_BY_ONE + [AT_ONCE] + [0] * (AT_ONCE - 1) + [AT_ONCE]


def test_every_sample_is_taken_once_and_in_order() -> None:
    drawn = drawer()
    batches(drawn, ONE_BY_ONE)
    torch.manual_seed(0)
    ahead = torch.cat(batches(drawn, AT_ONCE))
    torch.manual_seed(0)
    at_once = drawer().take(PrefixTable(SPACE, seed=0), ROWS * AT_ONCE)
    assert torch.equal(ahead, at_once.x)


def test_what_is_forgotten_is_not_taken() -> None:
    drawn = drawer()
    batches(drawn, ONE_BY_ONE + 1)
    drawn.forget()
    with counting(budget := Budget()):
        batches(drawn, 1)
    assert budget.tokens == ROWS * SPACE.length


def test_a_checkpoint_holds_what_was_drawn_and_not_taken(tmp_path: Path) -> None:
    drawn, resumed = drawer(), drawer()
    batches(drawn, ONE_BY_ONE + 3)
    save_tree(drawn.state_dict(), tmp_path / "state")
    resumed.load_state_dict(load_tree(tmp_path / "state"))
    found = []
    for which in (drawn, resumed):
        torch.manual_seed(1)
        found.append(torch.cat(batches(which, 2 * AT_ONCE)))
    assert torch.equal(*found)
