"""Log-probabilities of given sequences under a generator, in nats."""

import torch
import torch.nn.functional as F
from torch import Tensor

from seqgan.core.linear_log_probs import linear_log_probs
from seqgan.core.types import Generator, Hidden
from seqgan.decoding.samplers import at_temperature

_BLOCK_LOGITS = 10_400_000
"""Logits of a block of rows that is evaluated at once."""

_FEW_LOGITS = 100_000
"""A batch with fewer logits than this gains nothing from `linear_log_probs`."""


def token_log_probs(
    generator: Generator,
    ids_BT: Tensor,
    mask_BT: Tensor,
    temperature: float = 1.0,
    cond: Tensor | None = None,
) -> Tensor:
    """`logp_BT` in nats under softmax(logits / temperature); 0 behind the end. Keeps gradients.

    Where the generator's last layer is linear, a CPU needs a third of the memory and about half
    the time: one tensor of logits is changed in place, without the columns behind the ends.
    """
    hidden = generator.hidden(ids_BT, cond)
    if not _gains_from_linear(hidden):
        return chosen_log_probs(hidden.logits(), ids_BT, mask_BT, temperature)
    assert hidden.weight_VH is not None
    rows_R = mask_BT.flatten().nonzero()[:, 0]
    h_RH, ids_R = hidden.h_BTH.flatten(0, 1), ids_BT.flatten()
    if len(rows_R) < len(ids_R):
        h_RH, ids_R = h_RH[rows_R], ids_R[rows_R]
    bias_V = hidden.bias_V
    if temperature != 1:
        h_RH, bias_V = h_RH / temperature, None if bias_V is None else bias_V / temperature
    logp_R = linear_log_probs(h_RH, hidden.weight_VH, bias_V, ids_R)
    return logp_R.new_zeros(mask_BT.numel()).index_copy(0, rows_R, logp_R).view(mask_BT.shape)


def _gains_from_linear(hidden: Hidden) -> bool:
    """Whether `linear_log_probs` is quicker, and allowed: a GPU would wait for the number of rows
    that count, and autocast chooses the precision of each product."""
    h_BTH, weight_VH = hidden.h_BTH, hidden.weight_VH
    return (
        weight_VH is not None
        and h_BTH.device.type == "cpu"
        and h_BTH.dtype in (torch.float32, torch.float64)
        and not torch.is_autocast_enabled("cpu")
        and h_BTH[..., 0].numel() * len(weight_VH) >= _FEW_LOGITS
    )


def chosen_log_probs(
    logits_BTV: Tensor, ids_BT: Tensor, mask_BT: Tensor, temperature: float = 1.0
) -> Tensor:
    """`logp_BT` of `ids_BT`, from the logits that the generator has for them."""
    logits_BTV = at_temperature(logits_BTV.float(), temperature)
    logp_BT = -F.cross_entropy(logits_BTV.flatten(0, 1), ids_BT.flatten(), reduction="none")
    return logp_BT.view_as(ids_BT) * mask_BT


def sequence_log_probs(
    generator: Generator,
    ids_BT: Tensor,
    mask_BT: Tensor,
    temperature: float = 1.0,
    cond: Tensor | None = None,
) -> Tensor:
    """`logp_B`, the sums of `held_out_log_probs`."""
    return held_out_log_probs(generator, ids_BT, mask_BT, temperature, cond).sum(1)


def soft_log_probs(
    generator: Generator, tokens: Tensor, mask_BT: Tensor, cond: Tensor | None = None
) -> Tensor:
    """`logp_B` of ids [B, T] or of simplices [B, T, V], Σ_t Σ_v x_tv log G(v | x_<t). Keeps
    gradients."""
    if not tokens.is_floating_point():
        return token_log_probs(generator, tokens, mask_BT, cond=cond).sum(1)
    logp_BTV = generator.hidden(tokens, cond).logits().log_softmax(-1)
    return ((tokens * logp_BTV).sum(-1) * mask_BT).sum(1)


@torch.no_grad()
def held_out_log_probs(
    generator: Generator,
    ids_BT: Tensor,
    mask_BT: Tensor,
    temperature: float = 1.0,
    cond: Tensor | None = None,
) -> Tensor:
    """`logp_BT` of `token_log_probs`, for evaluation: no gradient, in blocks that fit the cache."""
    size = max(1, _BLOCK_LOGITS // (generator.vocab_size * ids_BT.shape[1]))
    found = []
    for first in range(0, len(ids_BT), size):
        rows = slice(first, first + size)
        cond_now = None if cond is None else cond[rows]
        found.append(token_log_probs(generator, ids_BT[rows], mask_BT[rows], temperature, cond_now))
    return torch.cat(found)
