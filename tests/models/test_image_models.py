"""Networks for pictures and points against their contracts, and their convolutions in long form."""

from typing import TypeVar

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqgan.core.errors import UserError
from seqgan.core.types import ArraySpace, Batch
from seqgan.models.config import MlpCriticConfig
from seqgan.models.image.autoencoder import Autoencoder
from seqgan.models.image.config import (
    DcganCriticConfig,
    DcganGeneratorConfig,
    MlpGeneratorConfig,
    PatchCriticConfig,
    R3ganCriticConfig,
    R3ganGeneratorConfig,
    ResnetCriticConfig,
    ResnetGeneratorConfig,
    TranslatorConfig,
)
from seqgan.models.image.layers import DownConv, UpConv, pyramid
from seqgan.models.image.translator import Warp
from seqgan.models.layers import with_minibatch_std
from seqgan.objectives.penalties import GradientPenalty, SpectralNorm

NetworkT = TypeVar("NetworkT", bound=nn.Module)
SHAPES = [(1, 28, 28), (3, 32, 32), (3, 64, 64)]
LABELS = (3, 2)
PICTURES = ArraySpace((3, 32, 32), LABELS)
POINTS = ArraySpace((2,), LABELS)
GENERATORS = {
    "mlp": MlpGeneratorConfig(name="mlp", latent=5, hidden=16, layers=2),
    "dcgan": DcganGeneratorConfig(name="dcgan", latent=5, width=4),
    "transposed": DcganGeneratorConfig(name="dcgan", latent=5, width=4, upsample="transposed"),
    "dcgan_layer": DcganGeneratorConfig(name="dcgan", latent=5, width=4, norm="layer"),
    "dcgan_none": DcganGeneratorConfig(name="dcgan", latent=5, width=4, norm="none"),
    "resnet": ResnetGeneratorConfig(name="resnet", latent=5, width=4),
    "r3gan": R3ganGeneratorConfig(name="r3gan", latent=5, width=8, blocks=2),
}
CRITICS = {
    "mlp": MlpCriticConfig(name="mlp", hidden=16),
    "dcgan": DcganCriticConfig(name="dcgan", width=4),
    "dcgan_layer": DcganCriticConfig(name="dcgan", width=4, norm="layer"),
    "resnet": ResnetCriticConfig(name="resnet", width=4),
    "r3gan": R3ganCriticConfig(name="r3gan", width=8),
    "patch": PatchCriticConfig(name="patch", width=4),
}
BATCH_CRITICS = {
    "mlp": MlpCriticConfig(name="mlp", hidden=16, minibatch_std=True),
    "dcgan": DcganCriticConfig(name="dcgan", width=4, minibatch_std=True),
    "dcgan_layer": DcganCriticConfig(name="dcgan", width=4, norm="layer", minibatch_std=True),
}
TRANSLATOR = TranslatorConfig(name="translator", width=4, blocks=1)
COND_BA = torch.tensor([[0, 1], [1, 0], [2, 1], [0, 0], [1, 1], [2, 0]])


def build(config, space: ArraySpace) -> nn.Module:
    torch.manual_seed(0)
    return awake(config.build(space))


def awake(network: NetworkT) -> NetworkT:
    """Layers that start at 0, and so pass no gradient, get weights as after some updates."""
    for name, weight in network.named_parameters():
        if name.endswith("weight") and not weight.any():
            nn.init.normal_(weight, std=0.1, generator=torch.Generator().manual_seed(0))
    return network


@pytest.fixture(params=GENERATORS)
def generator(request) -> nn.Module:
    return build(GENERATORS[request.param], PICTURES)


@pytest.fixture(params=CRITICS)
def critic(request) -> nn.Module:
    return build(CRITICS[request.param], PICTURES)


@pytest.fixture
def z_BL() -> Tensor:
    torch.manual_seed(1)
    return torch.randn(6, 5)


@pytest.fixture
def x_BCHW() -> Tensor:
    torch.manual_seed(2)
    return torch.rand(6, 3, 32, 32) * 2 - 1


def close(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-5)


def rows_differ(x: Tensor, y: Tensor) -> bool:
    return bool(((x - y).flatten(1).abs().amax(1) > 1e-5).all())


def assert_every_parameter_has_a_gradient(module: nn.Module) -> None:
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 1e-7, name


# ── R3GAN at the start ────────────────────────────────────────────────────────────────────────


def test_blocks_of_r3gan_start_as_nothing_and_the_scale_is_kept() -> None:
    """Without normalisation a wrong scale would grow with every block."""
    torch.manual_seed(0)
    config = R3ganGeneratorConfig(name="r3gan", width=8, blocks=3)
    network = config.build(ArraySpace((3, 32, 32)))
    h = torch.randn(4, 64, 4, 4)
    assert torch.equal(network.first(h), h)
    x = network(network.draw(64))
    assert 0.3 < float(x.detach().atanh().std()) < 2.0
    trunk = R3ganCriticConfig(name="r3gan", width=8, blocks=3).build_trunk(ArraySpace((3, 32, 32)))
    features_BF = trunk(torch.randn(64, 3, 32, 32))
    assert features_BF.shape == (64, 64)
    assert 0.03 < float(features_BF.detach().std()) < 2.0


# ── Generators ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", GENERATORS)
def test_generators_make_bounded_pictures_of_the_space(name, shape, z_BL) -> None:
    x = build(GENERATORS[name], ArraySpace(shape))(100 * z_BL)
    assert x.shape == (6, *shape)
    assert x.abs().max() <= 1


def test_points_have_no_bounds(z_BL) -> None:
    x_BD = build(GENERATORS["mlp"], POINTS)(1000 * z_BL, COND_BA)
    assert x_BD.shape == (6, 2)
    assert x_BD.abs().max() > 1


def test_the_configuration_decides_the_noise() -> None:
    config = DcganGeneratorConfig(name="dcgan", latent=7, width=4, noise="uniform")
    z_BL = build(config, ArraySpace((1, 28, 28))).draw(1000)
    assert z_BL.shape == (1000, 7)
    assert 1.7 < z_BL.abs().max() <= 3**0.5


def test_noise_alone_decides_the_sample(generator, z_BL) -> None:
    generator.eval()
    x = generator(z_BL, COND_BA)
    assert torch.equal(x, generator(z_BL, COND_BA))
    assert rows_differ(x, generator(z_BL.flip(0), COND_BA))


@pytest.mark.parametrize("column", [0, 1])
def test_every_label_changes_the_sample(generator, z_BL, column) -> None:
    generator.eval()
    other_BA = COND_BA.clone()
    other_BA[:, column] = (other_BA[:, column] + 1) % LABELS[column]
    assert rows_differ(generator(z_BL, COND_BA), generator(z_BL, other_BA))


def test_evaluated_samples_are_independent_of_the_batch(generator, z_BL) -> None:
    generator(z_BL, COND_BA)  # batch statistics, where there are any
    generator.eval()
    close(generator(z_BL, COND_BA)[:2], generator(z_BL[:2], COND_BA[:2]))


@pytest.mark.parametrize("name", ["dcgan_layer", "dcgan_none", "mlp"])
def test_without_batch_norm_so_are_samples_in_training(name, z_BL) -> None:
    generator = build(GENERATORS[name], PICTURES).train()
    close(generator(z_BL, COND_BA)[:2], generator(z_BL[:2], COND_BA[:2]))


def test_gradient_reaches_noise_labels_and_every_parameter(generator, z_BL, x_BCHW) -> None:
    z_BL.requires_grad_()
    (generator(z_BL, COND_BA) * x_BCHW).sum().backward()
    assert (z_BL.grad.abs().amax(1) > 0).all()
    assert_every_parameter_has_a_gradient(generator)


# ── Critics ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", CRITICS)
def test_critics_give_one_score_and_features_a_picture(name, shape) -> None:
    critic = build(CRITICS[name], ArraySpace(shape))
    scores = critic(torch.rand(2, *shape))
    assert scores.score.shape == (2,)
    assert scores.mask_BT is None
    assert scores.features_BF.shape == (2, critic.features)


def test_points_are_scored() -> None:
    scores = build(CRITICS["mlp"], POINTS)(torch.randn(6, 2), cond=COND_BA)
    assert scores.score.shape == (6,)
    assert scores.features_BF.shape == (6, 16)


def test_scores_in_training_are_independent_of_the_batch(critic, x_BCHW) -> None:
    critic.train()
    close(critic(x_BCHW, cond=COND_BA).score[:2], critic(x_BCHW[:2], cond=COND_BA[:2]).score)


def test_labels_enter_by_projection(critic, x_BCHW) -> None:
    scores = critic(x_BCHW, cond=COND_BA)
    tables = list(critic.projection.tables)
    vector_BF = tables[0].weight[COND_BA[:, 0]] + tables[1].weight[COND_BA[:, 1]]
    plain_B = critic.readout(scores.features_BF)[:, 0]
    close(scores.score, plain_B + (vector_BF * scores.features_BF).sum(1))
    for column, size in enumerate(LABELS):
        other_BA = COND_BA.clone()
        other_BA[:, column] = (other_BA[:, column] + 1) % size
        change_B = critic(x_BCHW, cond=other_BA).score - scores.score
        assert (change_B.abs() > 1e-6).all()


@pytest.mark.parametrize("name", CRITICS)
def test_a_critic_without_labels_ignores_them(name, x_BCHW) -> None:
    """And it equals the conditional one whose vectors are zero."""
    plain = build(CRITICS[name], ArraySpace((3, 32, 32)))
    score_B = plain(x_BCHW).score
    assert torch.equal(plain(x_BCHW, cond=COND_BA).score, score_B)
    conditional = build(CRITICS[name], PICTURES)
    for table in conditional.projection.tables:
        nn.init.zeros_(table.weight)
    assert torch.equal(conditional(x_BCHW, cond=COND_BA).score, score_B)


def test_gradient_reaches_pixels_labels_and_every_parameter(critic, x_BCHW) -> None:
    x_BCHW.requires_grad_()
    (critic(x_BCHW, cond=COND_BA).score * torch.randn(6)).sum().backward()
    assert (x_BCHW.grad != 0).float().mean() > 0.99
    assert_every_parameter_has_a_gradient(critic)


def test_many_rows_without_gradient_score_as_they_do_with_it(critic, x_BCHW) -> None:
    x, cond = x_BCHW.repeat(100, 1, 1, 1), COND_BA.repeat(100, 1)
    whole = critic(x, cond=cond)
    with torch.no_grad():
        chunked = critic(x, cond=cond)
    close(chunked.score, whole.score)
    close(chunked.features_BF, whole.features_BF)


def test_the_gradient_penalty_reaches_the_parameters(critic, x_BCHW) -> None:
    """Double backward against a finite difference along the gradient, in float64."""
    critic, real = critic.double(), x_BCHW.double()
    fake = real.flip(0)
    parameters = list(critic.parameters())

    def penalty() -> Tensor:
        torch.manual_seed(3)  # the same mixtures
        space = ArraySpace(tuple(real.shape[1:]))
        samples = (Batch(real, None, COND_BA), Batch(fake, None, COND_BA))
        return GradientPenalty().loss(critic, space, *samples)

    gradients = torch.autograd.grad(
        penalty(), parameters, allow_unused=True, materialize_grads=True
    )
    slope = sum(gradient.square().sum() for gradient in gradients)
    assert slope > 0
    step = 1e-7 / slope.sqrt()

    def moved(scale: float) -> Tensor:
        with torch.no_grad():
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.add_(gradient, alpha=scale * float(step))
        return penalty().detach()

    difference = (moved(1.0) - moved(-2.0)) / (2 * step)
    torch.testing.assert_close(difference, slope, rtol=1e-3, atol=0)


def test_spectral_norm_makes_every_largest_singular_value_one(critic, x_BCHW) -> None:
    SpectralNorm(1).prepare(critic)
    critic.train()
    with torch.no_grad():
        for _ in range(60):
            critic(x_BCHW, cond=COND_BA)
    critic.eval()
    wrapped = [m for m in critic.modules() if isinstance(m, nn.Linear | nn.Conv2d | nn.Embedding)]
    assert len(wrapped) >= 5
    for module in wrapped:
        largest = torch.linalg.matrix_norm(module.weight.flatten(1), ord=2)
        assert abs(largest.item() - 1) < 0.02, module


def test_the_score_of_a_picture_is_the_mean_over_its_patches(x_BCHW) -> None:
    critic = build(CRITICS["patch"], ArraySpace((3, 32, 32)))
    places_BFHW = critic.trunk.layers(x_BCHW)
    weight = critic.readout.weight[:, :, None, None]
    patches_BHW = F.conv2d(places_BFHW, weight, critic.readout.bias)[:, 0]
    assert patches_BHW.shape == (6, 8, 8)
    close(critic(x_BCHW).score, patches_BHW.mean((1, 2)))


def test_a_patch_is_eighteen_pixels_wide(x_BCHW) -> None:
    critic = build(CRITICS["patch"], ArraySpace((3, 32, 32)))
    x_BCHW.requires_grad_()
    critic.trunk.layers(x_BCHW)[:, :, 4, 4].sum().backward()
    seen = x_BCHW.grad.abs().sum((0, 1)) > 0
    assert seen.any(0).sum() == 18
    assert seen.any(1).sum() == 18


def test_dcgan_features_are_those_of_the_written_out_network(x_BCHW) -> None:
    trunk = build(CRITICS["dcgan"], ArraySpace((3, 32, 32))).trunk
    h = x_BCHW
    for conv in (layer for layer in trunk.layers if isinstance(layer, nn.Conv2d)):
        h = F.leaky_relu(F.conv2d(h, conv.weight, conv.bias, stride=2, padding=1), 0.2)
    assert h.shape == (6, 16, 4, 4)
    close(trunk(x_BCHW), h.flatten(1))


def test_resnet_features_are_those_of_the_written_out_network(x_BCHW) -> None:
    trunk = build(CRITICS["resnet"], ArraySpace((3, 32, 32))).trunk
    h = x_BCHW
    for position, block in enumerate(trunk.layers[:-1]):
        _, first, _, second = block.residual
        r = first(h.relu() if position else h).relu()
        r = F.conv2d(r, second.weight, second.bias, padding=1)
        h = F.avg_pool2d(r + block.shortcut(h), 2)
    assert h.shape == (6, 4, 4, 4)
    close(trunk(x_BCHW), h.relu().sum((2, 3)))


def test_resnet_pictures_are_those_of_the_written_out_network(z_BL) -> None:
    config = GENERATORS["resnet"].model_copy(update={"norm": "layer"})
    generator = build(config, ArraySpace((3, 32, 32)))
    *blocks, norm, _, output = generator.layers
    h = generator.project(z_BL).view(6, 4, 4, 4)
    for block in blocks:
        norm_1, _, up, norm_2, _, last = block.residual
        r = F.interpolate(norm_1(h).relu(), scale_factor=2)
        r = norm_2(F.conv2d(r, up.weight, up.bias, padding=1)).relu()
        h = block.shortcut(F.interpolate(h, scale_factor=2)) + last(r)
    close(generator(z_BL), output(norm(h).relu()).tanh())


# ── Translators and autoencoders ──────────────────────────────────────────────────────────────


@pytest.mark.parametrize("norm", ["instance", "none"])
@pytest.mark.parametrize("shape", SHAPES)
def test_translators_read_the_picture_only(shape, norm) -> None:
    config = TRANSLATOR.model_copy(update={"norm": norm})
    translator = build(config, ArraySpace(shape))
    torch.manual_seed(1)
    picture = torch.rand(4, *shape) * 2 - 1
    assert translator.draw(4).shape == (4, 0)
    translation = translator(translator.draw(4), picture)
    assert translation.shape == picture.shape
    assert translation.abs().max() <= 1
    close(translator(torch.randn(2, 0), picture[:2]), translation[:2])  # in training mode, too
    assert rows_differ(translation, translator(translator.draw(4), picture.flip(0)))
    (translation * torch.randn(shape)).sum().backward()
    assert_every_parameter_has_a_gradient(translator)


def test_coordinates_tell_a_translator_where_it_is() -> None:
    """Away from the border a convolution answers a moved picture with a moved translation."""
    inner, moved = torch.zeros(1, 1, 64, 64), torch.zeros(1, 1, 64, 64)
    inner[..., 26:30, 26:30], moved[..., 34:38, 34:38] = 1, 1
    differences = {}
    for given in (False, True):
        config = TRANSLATOR.model_copy(update={"norm": "none", "coordinates": given})
        translator = build(config, ArraySpace((1, 64, 64)))
        here, there = (translator(translator.draw(1), x)[0, 0] for x in (inner, moved))
        window = here[20:36, 20:36] - there[28:44, 28:44]
        differences[given] = float(window.detach().abs().max())
    assert differences[False] < 1e-5 < 1e-3 < differences[True]


def test_a_residual_translator_without_a_change_leaves_the_picture() -> None:
    config = TRANSLATOR.model_copy(update={"residual": True})
    translator = build(config, ArraySpace((3, 16, 16)))
    picture = torch.rand(2, 3, 16, 16) * 2 - 1
    assert (translator(translator.draw(2), picture) - picture).abs().max() > 0.05
    torch.nn.init.zeros_(translator.layers[-1].weight)
    torch.nn.init.zeros_(translator.layers[-1].bias)
    assert (translator(translator.draw(2), picture) - picture).abs().max() < 0.0101


@pytest.mark.parametrize("halvings", [0, 1, 2])
def test_halvings_decide_the_smallest_size_and_not_the_translations(halvings) -> None:
    config = TRANSLATOR.model_copy(update={"halvings": halvings, "warp": True})
    translator = build(config, ArraySpace((3, 16, 24)))
    sizes = set()
    for layer in translator.layers:
        layer.register_forward_hook(lambda module, given, out: sizes.add(tuple(out.shape[2:])))
    picture = torch.rand(2, 3, 16, 24) * 2 - 1
    translation = translator(translator.draw(2), picture)
    assert translation.shape == picture.shape
    assert min(sizes) == (16 // 2**halvings, 24 // 2**halvings)
    (translation * torch.randn(3, 16, 24)).sum().backward()
    assert_every_parameter_has_a_gradient(translator)


def test_without_halvings_a_pixel_depends_on_its_neighbourhood_only() -> None:
    """Four convolutions of 3×3 see four pixels to either side."""
    config = TRANSLATOR.model_copy(update={"halvings": 0, "norm": "none"})
    translator = build(config, ArraySpace((1, 24, 24)))
    picture = (torch.rand(1, 1, 24, 24) * 2 - 1).requires_grad_()
    translator(translator.draw(1), picture)[0, 0, 12, 12].backward()
    rows, columns = picture.grad[0, 0].nonzero(as_tuple=True)
    assert 12 - 4 == rows.min() == columns.min()
    assert 12 + 4 == rows.max() == columns.max()


def test_a_warp_starts_as_the_identity_and_maps_places_as_documented() -> None:
    """Where the change is A − I the picture is read at A·place; beyond the border is border."""
    warp = Warp()
    picture = torch.rand(2, 3, 8, 6) * 2 - 1
    close(warp(picture), picture)
    with torch.no_grad():
        warp.change[0, 0] = -0.2  # right becomes left
    close(warp(picture), picture.flip(3))
    with torch.no_grad():
        warp.change.zero_()[1, 2] = 0.025  # one of eight rows down, where a picture is 2 high
    close(warp(picture)[:, :, :-1], picture[:, :, 1:])
    close(warp(picture)[:, :, -1], picture[:, :, -1])


def test_a_warped_translator_draws_what_it_would_of_the_warped_picture() -> None:
    config = TRANSLATOR.model_copy(update={"warp": True, "residual": True})
    translator = build(config, ArraySpace((1, 16, 16)))
    plain = build(config.model_copy(update={"warp": False}), ArraySpace((1, 16, 16)))
    plain.load_state_dict(translator.state_dict(), strict=False)
    picture = torch.rand(2, 1, 16, 16) * 2 - 1
    close(translator(translator.draw(2), picture), plain(plain.draw(2), picture))
    with torch.no_grad():
        translator.warp.change[0, 0] = -0.2
    close(translator(translator.draw(2), picture), plain(plain.draw(2), picture.flip(3)))


def test_residual_blocks_of_a_translator_add_to_what_they_read() -> None:
    block = build(TRANSLATOR, ArraySpace((3, 32, 32))).layers[9]
    nn.init.zeros_(block.layers[-1].weight)  # the gain of the last norm
    x = torch.randn(2, 16, 8, 8)
    close(block(x), x)


def autoencoder_of(generator, encoder, space: ArraySpace) -> Autoencoder:
    return awake(Autoencoder(generator.build(space), encoder.build_trunk(space), space))


@pytest.mark.parametrize("name", CRITICS)
def test_autoencoders_encode_and_decode(name, x_BCHW) -> None:
    autoencoder = autoencoder_of(GENERATORS["dcgan"], CRITICS[name], PICTURES)
    mean_BL, log_variance_BL = autoencoder.encode(x_BCHW, COND_BA)
    assert mean_BL.shape == log_variance_BL.shape == (6, 5)
    assert not torch.allclose(mean_BL, log_variance_BL)
    assert rows_differ(mean_BL, autoencoder.encode(x_BCHW, COND_BA.flip(0))[0])
    assert autoencoder.draw(3).shape == (3, 5)
    code_BL = mean_BL + torch.exp(0.5 * log_variance_BL) * torch.randn(6, 5)
    (autoencoder(code_BL, COND_BA) - x_BCHW).square().sum().backward()
    assert_every_parameter_has_a_gradient(autoencoder)


def test_autoencoders_of_points_decode_what_their_decoder_does(z_BL) -> None:
    autoencoder = autoencoder_of(GENERATORS["mlp"], CRITICS["mlp"], ArraySpace((2,)))
    assert autoencoder.encode(torch.randn(6, 2))[0].shape == (6, 5)
    assert torch.equal(autoencoder(z_BL), autoencoder.decoder(z_BL))


def test_codes_are_normal() -> None:
    config = GENERATORS["mlp"].model_copy(update={"noise": "uniform"})
    with pytest.raises(UserError, match=r"generator\.noise=uniform"):
        autoencoder_of(config, CRITICS["mlp"], POINTS)


# ── Layers and sizes ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("size", [(4, 4), (7, 5)])
def test_up_convolution_is_nearest_neighbours_then_three_by_three(size) -> None:
    torch.manual_seed(0)
    layer, x = UpConv(3, 5), torch.randn(2, 3, *size)
    doubled = F.interpolate(x, scale_factor=2, mode="nearest")
    close(layer(x), F.conv2d(doubled, layer.weight, layer.bias, padding=1))


@pytest.mark.parametrize("size", [(4, 4), (14, 6)])
def test_down_convolution_is_three_by_three_then_the_mean(size) -> None:
    torch.manual_seed(0)
    layer, x = DownConv(3, 5), torch.randn(2, 3, *size)
    close(layer(x), F.avg_pool2d(F.conv2d(x, layer.weight, layer.bias, padding=1), 2))


@pytest.mark.parametrize(
    ("size", "expected"), [(28, (7, 2)), (32, (4, 3)), (64, (4, 4)), (14, (7, 1)), (8, (4, 1))]
)
def test_pyramids_start_at_four_or_seven(size, expected) -> None:
    assert pyramid(ArraySpace((1, size, size))) == expected


@pytest.mark.parametrize("shape", [(1, 30, 30), (1, 32, 28), (1, 4, 4), (1, 7, 7), (1, 20, 20)])
@pytest.mark.parametrize(
    "config",
    [GENERATORS["dcgan"], GENERATORS["resnet"], CRITICS["dcgan"], CRITICS["resnet"]],
)
def test_other_sizes_are_refused(config, shape) -> None:
    with pytest.raises(UserError, match=r"^data\.size: .* 28, 32 or 64 pixels"):
        config.build(ArraySpace(shape))


def test_sizes_that_the_cycle_cannot_halve_are_refused() -> None:
    with pytest.raises(UserError, match="multiple of 4"):
        TRANSLATOR.build(ArraySpace((1, 30, 28)))
    with pytest.raises(UserError, match=r"critic\.layers=6"):
        PatchCriticConfig(name="patch", layers=6).build(ArraySpace((3, 32, 32)))


# ── How much the batch varies ─────────────────────────────────────────────────────────────────


def test_the_number_that_minibatch_std_adds_is_the_mean_deviation() -> None:
    """Two features over a batch of two: deviations 1 and 3, mean 2. Maps get a map."""
    x_BF = torch.tensor([[0.0, 5.0], [2.0, 11.0]])
    added = with_minibatch_std(x_BF)
    torch.testing.assert_close(added, torch.tensor([[0.0, 5.0, 2.0], [2.0, 11.0, 2.0]]))
    maps = x_BF[:, :, None, None].expand(2, 2, 3, 3)
    torch.testing.assert_close(with_minibatch_std(maps)[:, 2], torch.full((2, 3, 3), 2.0))


@pytest.mark.parametrize("name", BATCH_CRITICS)
def test_a_critic_with_minibatch_std_sees_that_a_batch_is_one_sample(name) -> None:
    critic = build(BATCH_CRITICS[name], PICTURES)
    torch.manual_seed(1)
    varied = torch.randn(6, 3, 32, 32)
    same = varied[:1].expand(6, -1, -1, -1).clone().requires_grad_()
    alone = critic(varied, None, COND_BA[:1].expand(6, -1)).score[0]
    together = critic(same, None, COND_BA[:1].expand(6, -1)).score
    assert abs(float(alone.detach() - together[0].detach())) > 1e-4
    (slope,) = torch.autograd.grad(together.sum(), same)
    assert slope.isfinite().all()  # at no variance at all
    plain = build(CRITICS[name], PICTURES)
    assert float(plain(varied, None, COND_BA).score[0]) == pytest.approx(
        float(plain(varied[:2], None, COND_BA[:2]).score[0]), abs=1e-5
    )


def test_the_penalty_of_a_critic_with_minibatch_std_can_be_differentiated() -> None:
    critic = build(BATCH_CRITICS["dcgan"], PICTURES)
    real, fake = (Batch(torch.randn(4, 3, 32, 32), cond=COND_BA[:4]) for _ in range(2))
    GradientPenalty(10.0).loss(critic, PICTURES, real, fake).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in critic.trunk.parameters())
