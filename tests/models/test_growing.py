"""Networks that grow: at α = 0 they are the networks from before, exactly."""

import copy

import pytest
import torch
from torch import Tensor, nn

from seqgan.core.errors import UserError
from seqgan.core.growing import Growing, enlarge, grow_to_fit, shrink
from seqgan.core.types import ArraySpace
from seqgan.models.critics import GrowingTrunk, PictureCritic
from seqgan.models.generators import GrowingGenerator

SPACE = ArraySpace((3, 32, 32))


def generator() -> GrowingGenerator:
    torch.manual_seed(0)
    return GrowingGenerator(SPACE, latent=5, width=2, start=8)


def critic() -> PictureCritic:
    torch.manual_seed(1)
    return PictureCritic(GrowingTrunk(SPACE, width=2, start=8), SPACE)


def trunk_of(network: PictureCritic) -> Growing:
    assert isinstance(network.trunk, Growing)
    return network.trunk


def set_alpha(network: Growing, alpha: float) -> None:
    network.alpha.fill_(alpha)


def pictures() -> Tensor:
    return torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(2)) * 2 - 1


def test_pictures_have_full_size_and_the_details_of_the_stage() -> None:
    network, z_BL = generator(), torch.randn(3, 5)
    for factor in (4, 2, 1):
        x = network(z_BL)
        assert x.shape == (3, 3, 32, 32)
        assert torch.equal(x, enlarge(x[..., ::factor, ::factor], factor))
        if factor > 1:
            assert not torch.equal(x, enlarge(x[..., :: 2 * factor, :: 2 * factor], 2 * factor))
            network.grow()
            set_alpha(network, 1.0)


@pytest.mark.parametrize("stage", [0, 1])
def test_a_grown_generator_at_alpha_0_is_the_old_one_enlarged_to_the_bit(stage: int) -> None:
    network, z_BL = generator(), torch.randn(4, 5)
    for _ in range(stage):
        network.grow()
        set_alpha(network, 1.0)
    before = network(z_BL)
    network.grow()
    assert torch.equal(network(z_BL), before)
    set_alpha(network, 0.1)
    assert not torch.equal(network(z_BL), before)


@pytest.mark.parametrize("stage", [0, 1])
def test_a_grown_critic_at_alpha_0_is_the_old_one_to_the_bit(stage: int) -> None:
    network, x = critic(), pictures()
    trunk = trunk_of(network)
    for _ in range(stage):
        trunk.grow()
        set_alpha(trunk, 1.0)
    before = network(x).score
    trunk.grow()
    assert torch.equal(network(x).score, before)
    set_alpha(trunk, 0.1)
    assert not torch.equal(network(x).score, before)


def test_between_the_stages_a_picture_is_the_mixture_of_both() -> None:
    network, z_BL = generator(), torch.randn(4, 5)
    old = network(z_BL)
    network.grow()
    set_alpha(network, 1.0)
    new = network(z_BL)
    set_alpha(network, 0.3)
    torch.testing.assert_close(network(z_BL), 0.7 * old + 0.3 * new)
    # What real pictures show is mixed alike.
    x = pictures()
    small, large = enlarge(shrink(x, 4), 4), enlarge(shrink(x, 2), 2)
    torch.testing.assert_close(network.limit(x), 0.7 * small + 0.3 * large)


def test_limits_of_the_first_and_of_the_last_stage() -> None:
    network, x = generator(), pictures()
    assert torch.equal(network.limit(x), enlarge(shrink(x, 4), 4))
    for _ in range(2):
        network.grow()
    set_alpha(network, 1.0)
    assert torch.equal(network.limit(x), x)


@pytest.mark.parametrize("network", [generator(), critic()])
def test_at_alpha_1_the_old_way_to_a_picture_has_no_gradient(network: nn.Module) -> None:
    part = network if isinstance(network, Growing) else network.trunk
    assert isinstance(part, Growing)
    part.grow()
    set_alpha(part, 1.0)
    inputs = torch.randn(2, 5) if part is network else pictures()
    made = network(inputs)
    (made if isinstance(made, Tensor) else made.score).sum().backward()
    gradients = {name: p.grad for name, p in part.named_parameters()}
    idle = {name for name, g in gradients.items() if g is None or not g.any()}
    assert all(name.startswith(("pictures.0", "readers.0")) for name in idle)
    assert idle


def test_a_fresh_network_grows_to_fit_weights_and_no_further_than_it_can() -> None:
    large = critic()
    trunk_of(large).grow()
    set_alpha(trunk_of(large), 0.25)
    small = critic()
    grow_to_fit(small, large.state_dict())
    small.load_state_dict(large.state_dict())
    assert torch.equal(small(pictures()).score, large(pictures()).score)
    damaged = {**large.state_dict(), "trunk.stage": torch.tensor(10**9)}
    grow_to_fit(small, damaged)
    assert trunk_of(small).grown == 2


def test_a_copy_knows_its_stage() -> None:
    network = generator()
    network.grow()
    twin = copy.deepcopy(network)
    assert twin.grown == 1
    z_BL = torch.randn(2, 5)
    assert torch.equal(twin(z_BL), network(z_BL))


@pytest.mark.parametrize("start", [6, 32, 64])
def test_a_start_that_is_not_on_the_way_is_an_error_that_names_those_that_are(start: int) -> None:
    with pytest.raises(UserError, match=rf"start={start}.*4, 8, 16;"):
        GrowingGenerator(SPACE, start=start)
