"""Streams of random numbers that leave each other alone."""

import torch

from seqgan.core.rng import isolated, rng_state, seed_everything, set_rng_state


def test_a_seed_gives_the_numbers_that_torch_gives() -> None:
    torch.manual_seed(5)
    wanted = torch.rand(3)
    seed_everything(5)
    assert torch.equal(torch.rand(3), wanted)
    seed_everything(0)
    with isolated(5):
        assert torch.equal(torch.rand(3), wanted)
    found = torch.rand(3)
    torch.manual_seed(0)
    assert torch.equal(found, torch.rand(3)), "the outer stream goes on as if nothing had been"


def test_a_kept_state_comes_back() -> None:
    state = rng_state()
    first = torch.rand(3)
    set_rng_state(state)
    assert torch.equal(torch.rand(3), first)
