"""ReDGE against its definition: Bayes' rule, the steps by loops, its own mean by quadrature.

That one step is straight-through is in `test_relaxed_draws_exact.py`.
"""

from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from enumeration import assert_mean_is, gradient, make_generator
from pydantic import TypeAdapter, ValidationError
from torch import Tensor, nn

from seqgan.core.types import SampleRequest, SequenceSpace
from seqgan.estimators.config import AnyEstimatorConfig
from seqgan.estimators.redge import Redge

LOGITS_4 = torch.tensor([0.3, 1.2, -0.8, 0.1])


def posterior_mean(logits_V: Tensor, x_V: Tensor, t: float) -> Tensor:
    """E[e_b | x] for x = (1 − t) e_b + t ε: prior times density, normalised."""
    eye_VV = torch.eye(len(x_V), dtype=x_V.dtype)
    log_density_V = -(x_V - (1 - t) * eye_VV).square().sum(1) / (2 * t**2)
    weight_V = logits_V.softmax(0) * (log_density_V - log_density_V.max()).exp()
    return weight_V / weight_V.sum()


@pytest.mark.parametrize(("steps", "noise"), [(1, 0.5), (2, 0.5), (4, 0.5), (5, 0.2)])
def test_the_soft_row_by_loops(steps, noise) -> None:
    """Posterior means, and DDIM: the implied noise is kept, the implied row replaced."""
    torch.manual_seed(0)
    rows = Redge(noise, steps, hard=False)(LOGITS_4[None], 20).x.double()
    torch.manual_seed(0)
    x_RV = torch.randn(20, 4).double()
    levels = torch.linspace(1, noise, steps).tolist() if steps > 1 else [1.0]
    for row_V, x_V in zip(rows, x_RV, strict=True):
        clean_V = posterior_mean(LOGITS_4.double(), x_V, 1.0)
        for t, s in pairwise(levels):
            epsilon_V = (x_V - (1 - t) * clean_V) / t
            x_V = (1 - s) * clean_V + s * epsilon_V
            clean_V = posterior_mean(LOGITS_4.double(), x_V, s)
        torch.testing.assert_close(row_V, clean_V, atol=1e-5, rtol=1e-4)


def test_many_steps_to_little_noise_give_one_hot_rows_of_the_distribution() -> None:
    torch.manual_seed(0)
    rows = Redge(0.02, 60, hard=False)(LOGITS_4[None], 40_000).x
    assert (rows.amax(1) > 0.99).float().mean() > 0.95
    assert (rows.mean(0) - LOGITS_4.softmax(0)).abs().max() < 0.02


def curved_value(x_BTV: Tensor) -> Tensor:
    stream = torch.Generator().manual_seed(3)
    weight = torch.randn(x_BTV[0].numel(), 6, generator=stream)
    return torch.tanh(x_BTV.flatten(1) @ weight) @ torch.randn(6, generator=stream)


def by_quadrature(
    generator: nn.Module, length: int, steps: int, noise: float, hard: bool
) -> Tensor:
    """Gradient of the mean of −value over noise and tokens, for V = 2: all depends on the two
    differences o_0 − o_1 and x_0 − x_1, the second N(0, 2)."""
    size = 60
    points = torch.special.ndtri((torch.arange(size, dtype=torch.float64) + 0.5) / size).float()
    axes = [2**0.5 * points, torch.arange(2.0)] * length
    plan = torch.cartesian_prod(*axes)  # noise and token of each column
    weight_R = torch.ones(len(plan))
    out, rows = generator.start(len(plan)), []
    for time in range(length):
        if time:
            out = generator.step(rows[-1], out.state)
        margin_R = out.logits_BV[:, 0] - out.logits_BV[:, 1]
        way_R, y_R = plan[:, 2 * time], torch.sigmoid(margin_R)
        for k in range(1, steps):
            t, s = (1 - (1 - noise) * i / (steps - 1) for i in (k - 1, k))
            gap_R = 2 * y_R - 1
            way_R = (1 - s) * gap_R + s / t * (way_R - (1 - t) * gap_R)
            y_R = torch.sigmoid(margin_R + (1 - s) / s**2 * way_R)
        soft_RV = torch.stack([y_R, 1 - y_R], 1)
        ids_R = plan[:, 2 * time + 1].long()
        weight_R = weight_R * soft_RV.detach()[torch.arange(len(plan)), ids_R]
        one_hot_RV = F.one_hot(ids_R, 2) + soft_RV - soft_RV.detach()
        rows.append(one_hot_RV if hard else soft_RV)
    return gradient(
        -(weight_R * curved_value(torch.stack(rows, 1))).sum() / size**length, generator
    )


@pytest.mark.parametrize("hard", [True, False])
@pytest.mark.parametrize(("length", "steps", "noise"), [(1, 2, 0.5), (2, 2, 0.5), (2, 4, 0.3)])
def test_the_mean_gradient_is_that_of_quadrature(length, steps, noise, hard) -> None:
    space = SequenceSpace(vocab_size=2, length=length)
    generator = make_generator("gru", space)
    config = {"name": "redge", "steps": steps, "noise": noise, "hard": hard}
    estimator = TypeAdapter(AnyEstimatorConfig).validate_python(config)
    estimator = estimator.build(space, torch.device("cpu"))
    samples = []
    for seed in range(20):
        torch.manual_seed(seed)
        rollout = estimator.sample(generator, SampleRequest(4000))
        loss = estimator.loss(generator, rollout, lambda x, mask: curved_value(x)).loss
        samples.append(gradient(loss, generator))
    expected = by_quadrature(generator, length, steps, noise, hard)
    assert_mean_is(torch.stack(samples), expected, relative=0.05, slack=5e-3)


def test_noise_above_one_is_refused() -> None:
    with pytest.raises(ValidationError, match="noise"):
        TypeAdapter(AnyEstimatorConfig).validate_python({"name": "redge", "noise": 1.5})
