"""Log-probabilities of tokens under a linear read-out, with one tensor of R·V numbers.

    log p(v | h) = w_v · h − m − log z      m = max_u w_u · h,  e_u = exp(w_u · h − m),  z = Σ_u e_u

A linear layer followed by a cross-entropy keeps the logits and their log-softmax, and makes a
gradient of the same size. Here e replaces the logits in place, and the gradient is never made:

    ∂ Σ_r g_r log p(v_r | h_r) / ∂h_r = g_r (w_{v_r} − Σ_u e_ru w_u / z_r)

and likewise for w, so that z and g scale rows of H numbers and not of V. Computing e again in the
backward pass would save the tensor too, but costs a fourth matrix product: 10 % of a step at
H = 512 and V = 5,000.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def linear_log_probs(
    h_RH: Tensor, weight_VH: Tensor, bias_V: Tensor | None, ids_R: Tensor
) -> Tensor:
    """`logp_R` in nats of one token per row under softmax(h Wᵀ + b); never above 0.

    Equals `-cross_entropy(linear(h, weight, bias), ids, reduction="none")`, in its derivatives too.
    """
    if bias_V is not None:  # as one more column, whose product is nearly free
        h_RH = torch.cat([h_RH, h_RH.new_ones(len(h_RH), 1)], 1)
        weight_VH = torch.cat([weight_VH, bias_V[:, None]], 1)
    logp_R: Tensor = _LinearLogProbs.apply(h_RH, weight_VH, ids_R)  # type: ignore[no-untyped-call]
    return logp_R


class _LinearLogProbs(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, h_RH: Tensor, weight_VH: Tensor, ids_R: Tensor) -> Tensor:
        e_RV = h_RH @ weight_VH.T
        max_R1 = e_RV.amax(-1, keepdim=True)
        chosen_R1 = e_RV.gather(-1, ids_R[:, None]) - max_R1
        z_R1 = e_RV.sub_(max_R1).exp_().sum(-1, keepdim=True)
        ctx.save_for_backward(h_RH, weight_VH, ids_R, e_RV, z_R1)
        return (chosen_R1 - z_R1.log())[:, 0]

    @staticmethod
    def backward(ctx: Any, grad_R: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        h_RH, weight_VH, ids_R, e_RV, z_R1 = ctx.saved_tensors
        grad_R1 = grad_R[:, None]
        if torch.is_grad_enabled():  # to be differentiated again: e has no graph
            chosen_RV = F.one_hot(ids_R, len(weight_VH))
            slope_RV = grad_R1 * (chosen_RV - (h_RH @ weight_VH.T).softmax(-1))
            return slope_RV @ weight_VH, slope_RV.T @ h_RH, None
        scale_R1 = grad_R1 / z_R1
        of_h = of_weight = None
        if ctx.needs_input_grad[0]:
            of_h = (weight_VH[ids_R] * grad_R1).addcmul_(e_RV @ weight_VH, scale_R1, value=-1)
        if ctx.needs_input_grad[1]:
            # Transposed, the larger factor is read as it lies in memory.
            of_weight = ((h_RH * -scale_R1).T @ e_RV).T.contiguous()
            of_weight.index_add_(0, ids_R, h_RH * grad_R1)
        return of_h, of_weight, None
