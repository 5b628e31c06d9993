"""Log-weights D(x) / T of what a critic scores, and their limit at T = 0, the arg max."""

import torch
from torch import Tensor


def tempered(score_R: Tensor, temperature: float) -> Tensor:
    """Log-weights whose softmax is e^{D/T} / Z; at temperature 0 those of the best, all alike."""
    if temperature == 0:
        return torch.where(score_R == score_R.max(), 0.0, -torch.inf)
    return score_R / temperature
