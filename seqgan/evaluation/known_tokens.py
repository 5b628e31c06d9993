"""Likelihood with and without the tokens that a vocabulary lacks.

`<unk>` stands for many words, so its likelihood is not theirs, and runs with different vocabularies
cannot be compared by it. The likelihood of the known tokens (the end token is one) leaves its terms
out of the sum; contexts still contain it.
"""

from torch import Tensor

from seqgan.evaluation.base import Metrics


def nats_per_token(logp_NT: Tensor, mask_NT: Tensor) -> float | None:
    """Mean of −log p over the tokens of `mask_NT`; None where there are none."""
    tokens = int(mask_NT.sum())
    if not tokens:
        return None
    return -float((logp_NT.double() * mask_NT).sum()) / tokens


def held_out_nll(
    split: str, logp_NT: Tensor, ids_NT: Tensor, mask_NT: Tensor, unk_id: int
) -> Metrics:
    """`nll_SPLIT` of all tokens, `nll_known_SPLIT` of those that are not `<unk>`."""
    return {
        f"nll_{split}": nats_per_token(logp_NT, mask_NT),
        f"nll_known_{split}": nats_per_token(logp_NT, mask_NT & (ids_NT != unk_id)),
    }


def unknown_share(ids_NT: Tensor, mask_NT: Tensor, end_id: int | None, unk_id: int) -> float:
    """Share of the tokens that are `<unk>`, end tokens not counted."""
    words_NT = mask_NT if end_id is None else mask_NT & (ids_NT != end_id)
    return float((words_NT & (ids_NT == unk_id)).sum() / words_NT.sum().clamp_min(1))
