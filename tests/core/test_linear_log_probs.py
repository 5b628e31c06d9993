"""A linear read-out and its log-probabilities in one function, against torch's two."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from seqgan.core.linear_log_probs import linear_log_probs

ROWS, WIDTH, VOCAB = 30, 7, 50

LogProbs = Callable[[Tensor, Tensor, Tensor | None, Tensor], Tensor]


def plain(h_RH: Tensor, weight_VH: Tensor, bias_V: Tensor | None, ids_R: Tensor) -> Tensor:
    return -F.cross_entropy(F.linear(h_RH, weight_VH, bias_V), ids_R, reduction="none")


def inputs(scale: float = 1.0, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    """h, weight, bias, ids."""
    torch.manual_seed(0)
    shapes = (ROWS, WIDTH), (VOCAB, WIDTH), (VOCAB,)
    leaves = [(scale * torch.randn(s, dtype=dtype)).requires_grad_() for s in shapes]
    return [*leaves, torch.randint(VOCAB, (ROWS,))]


def gradients(log_probs: LogProbs, given: list[Tensor], weight_R: Tensor) -> tuple[Tensor, ...]:
    loss = (log_probs(*given) * weight_R).sum()
    return torch.autograd.grad(loss, [leaf for leaf in given if leaf.requires_grad])


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("scale", [0.1, 1.0, 20.0], ids=["flat", "plain", "sharp"])
def test_values_and_gradients_are_those_of_a_cross_entropy(scale: float, biased: bool) -> None:
    h_RH, weight_VH, bias_V, ids_R = inputs(scale)
    given = [h_RH, weight_VH, bias_V if biased else None, ids_R]
    torch.testing.assert_close(linear_log_probs(*given), plain(*given), rtol=1e-5, atol=1e-5)
    if not biased:
        given = [h_RH, weight_VH, torch.zeros(VOCAB), ids_R]  # as a constant, which has no gradient
    weight_R = torch.randn(ROWS)  # of both signs, as advantages are
    weight_R[::5] = 0
    found, expected = (gradients(f, given, weight_R) for f in (linear_log_probs, plain))
    for actual, wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(actual, wanted, rtol=1e-5, atol=1e-5 * float(wanted.abs().max()))


@pytest.mark.parametrize("biased", [True, False])
def test_both_derivatives_are_those_of_finite_differences(biased: bool) -> None:
    torch.manual_seed(0)
    shapes = [(5, 3), (9, 3), (9,)][: 3 if biased else 2]
    leaves = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
    ids_R = torch.randint(9, (5,))

    def log_probs(h_RH: Tensor, weight_VH: Tensor, bias_V: Tensor | None = None) -> Tensor:
        return linear_log_probs(h_RH, weight_VH, bias_V, ids_R)

    assert torch.autograd.gradcheck(log_probs, leaves)
    assert torch.autograd.gradgradcheck(log_probs, leaves)


@pytest.mark.parametrize("leaf", [0, 1, 2], ids=["h", "weight", "bias"])
def test_frozen_parts_get_no_gradient_and_the_others_theirs(leaf: int) -> None:
    given, weight_R = inputs(), torch.randn(ROWS)
    for position, tensor in enumerate(given[:3]):
        tensor.requires_grad_(position == leaf)
    (found,) = gradients(linear_log_probs, given, weight_R)
    (expected,) = gradients(plain, given, weight_R)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_a_certain_token_has_probability_one_and_an_impossible_one_is_finite() -> None:
    h_RH, weight_VH, bias_V, ids_R = inputs(scale=40.0)
    logp_R = linear_log_probs(h_RH, weight_VH, bias_V, ids_R)
    best_R = F.linear(h_RH, weight_VH, bias_V).argmax(-1)
    best_logp_R = linear_log_probs(h_RH, weight_VH, bias_V, best_R)
    assert (best_logp_R <= 0).all()
    assert (best_logp_R == 0).any()
    assert logp_R.isfinite().all()
    assert float(logp_R.detach().min()) < -1000


def test_one_tensor_as_large_as_the_logits_is_kept() -> None:
    """And it is not changed by the backward pass, which may come twice."""
    given, kept = inputs(), []

    def keep(x: Tensor) -> Tensor:
        if x.numel() >= ROWS * VOCAB:
            kept.append(x)
        return x

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x):
        logp_R = linear_log_probs(*given)
    assert len(kept) == 1
    before = kept[0].clone()
    first, again = (
        torch.autograd.grad(logp_R.sum(), given[:3], retain_graph=True) for _ in range(2)
    )
    assert torch.equal(kept[0], before)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


def test_no_rows_are_no_log_probs() -> None:
    h_RH, weight_VH, bias_V, ids_R = inputs()
    logp_R = linear_log_probs(h_RH[:0], weight_VH, bias_V, ids_R[:0])
    assert logp_R.shape == (0,)
    logp_R.sum().backward()
    assert weight_VH.grad is not None
    assert float(weight_VH.grad.abs().max()) == 0
