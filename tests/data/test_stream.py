"""Streams: every epoch is a permutation, nothing is dropped, and resuming changes nothing."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from seqgan.core.errors import UserError
from seqgan.core.types import Batch
from seqgan.data.stream import FreshStream, Stream

ROWS = 7


def numbered(rows: int = ROWS) -> tuple[Tensor, Tensor]:
    """Row i holds (i, 100 + i), so that ids and masks can be told apart and matched."""
    ids_NT = torch.arange(rows)[:, None] + torch.tensor([0, 100])
    return ids_NT, ids_NT % 2 == 0


def stream(batch_size: int = 3, seed: int = 5, rows: int = ROWS) -> Stream:
    return Stream(Batch(*numbered(rows)), batch_size=batch_size, seed=seed)


def block(index: int) -> Tensor:
    """Blocks of 4, then 5, then 4, … sequences, no number twice."""
    return 10 * index + torch.arange(4 + index % 2)[:, None] + torch.tensor([0, 100])


def fresh(batch_size: int = 3) -> FreshStream:
    return FreshStream(lambda index: Batch(block(index)), batch_size=batch_size)


def numbers(source: Stream | FreshStream, batches: int) -> list[int]:
    return [n for _ in range(batches) for n in source.next().x[:, 0].tolist()]


@pytest.mark.parametrize("batch_size", [1, 2, 3, 7, 10, 20])
def test_each_epoch_is_a_permutation(batch_size: int) -> None:
    seen = numbers(stream(batch_size), 7 * ROWS)
    epochs = [seen[first : first + ROWS] for first in range(0, len(seen) - ROWS + 1, ROWS)]
    assert all(sorted(epoch) == list(range(ROWS)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 1


def test_the_order_is_the_documented_one() -> None:
    expected = [
        int(row)
        for epoch in range(3)
        for row in np.random.Generator(np.random.PCG64([5, epoch])).permutation(ROWS)
    ]
    assert numbers(stream(), ROWS) == expected


def test_batches_are_full_and_keep_masks_beside_ids() -> None:
    source = stream(batch_size=20)
    for _ in range(3):
        batch = source.next()
        assert batch.x.shape == batch.mask.shape == (20, 2)
        assert torch.equal(batch.x[:, 1], batch.x[:, 0] + 100)
        assert torch.equal(batch.mask, batch.x % 2 == 0)


def test_order_does_not_depend_on_the_batch_size() -> None:
    assert numbers(stream(2), 15) == numbers(stream(15), 2)


def test_seeds_differ_and_repeat() -> None:
    assert numbers(stream(seed=5), 7) == numbers(stream(seed=5), 7)
    assert numbers(stream(seed=5), 7) != numbers(stream(seed=6), 7)


def test_streams_leave_the_global_generators_alone() -> None:
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()
    numbers(stream(), 10)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert np.array_equal(np.random.get_state()[1], numpy_state[1])


@pytest.mark.parametrize("make", [stream, fresh])
@pytest.mark.parametrize("batch_size", [1, 3, 7, 10])
def test_resume_is_exact_at_every_cut(
    make: Callable[[int], Stream | FreshStream], batch_size: int
) -> None:
    unbroken = numbers(make(batch_size), 16)
    for cut in range(16):
        first, second = make(batch_size), make(batch_size)
        before = numbers(first, cut)
        numbers(second, 2)  # a stream that was used before takes the state over as well
        second.load_state_dict(first.state_dict())
        assert before + numbers(second, 16 - cut) == unbroken


def test_state_is_two_plain_integers() -> None:
    source = stream(batch_size=ROWS)
    assert source.state_dict() == {"epoch": 0, "position": 0}
    source.next()
    state = source.state_dict()
    assert state == {"epoch": 1, "position": 0}
    assert all(type(value) is int for value in state.values())


def test_resuming_with_less_data_is_refused() -> None:
    short = stream(rows=4)
    short.load_state_dict({"epoch": 0, "position": 6})
    with pytest.raises(UserError, match=r"sample 6 of an epoch of 4; resume with the data"):
        short.next()


def test_fresh_stream_serves_each_sequence_once() -> None:
    seen = numbers(fresh(batch_size=3), 6)
    assert seen == [*range(4), *range(10, 15), *range(20, 24), *range(30, 35)]


def test_fresh_stream_draws_a_block_only_when_it_is_read() -> None:
    drawn: list[int] = []

    def draw(index: int) -> Batch:
        drawn.append(index)
        return Batch(block(index))

    source = FreshStream(draw, batch_size=4)
    source.next()
    assert drawn == [0]
    source.next()
    assert drawn == [0, 1]


@pytest.mark.parametrize("batch_size", [3, 7, 20])
def test_conditions_stay_beside_their_samples_and_bytes_are_prepared(batch_size: int) -> None:
    x_N3 = torch.arange(ROWS, dtype=torch.uint8)[:, None].repeat(1, 3)
    data = Batch(x_N3, cond=torch.arange(ROWS)[:, None] * 2)
    source = Stream(data, batch_size, seed=1, prepare=lambda x: x.float() / 2)
    for _ in range(4):
        batch = source.next()
        assert batch.mask is None
        assert batch.cond is not None
        assert torch.equal(batch.x[:, :1] * 4, batch.cond.float())


def test_batches_do_not_share_memory_with_the_data() -> None:
    ids_NT, mask_NT = numbered()
    Stream(Batch(ids_NT, mask_NT), batch_size=ROWS, seed=0).next().x.zero_()
    FreshStream(lambda index: Batch(ids_NT), batch_size=ROWS).next().x.zero_()
    assert torch.equal(ids_NT, numbered()[0])
