"""REBAR: the critic's own score of a relaxed token is the control variate of its step.

    c_t(z) = value of (x_<t, softmax(z / λ)), cut off behind column t

(Tucker et al. 2017.) `control_variate.py` has the estimator, what z is, and why it is unbiased. The
critic is frozen, reads soft rows, and is differentiated in its input. It is called once for the
sentences and once for each of their tokens.

- Cut off behind column t: the mask ends there, and later columns hold end tokens, or zeros where
  sentences do not end. A critic is never trained on half a sentence, so c_t may correlate little
  with R at early steps; η weights it.
- Where a critic scores every step, c_t is the mean of the values up to and including column t.
- c_t must have the slope of its own value. Objective `transport` has that of another, so it is
  refused; where samples are compared with each other (`mmd`), the others are constants, rightly.

η and log λ are fixed, or learned (`learn`); one η and one λ for all steps.

Deviations. The paper's layers of variables are relaxed together; here every step has a control
variate of its own behind a hard prefix. Its λ-dependent shift of the logits (for binary variables)
is left out. Where a critic has kinks (ReLU, max over time), λ's slope leaves them out; that costs
variance, never bias.
"""

from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqgan.core.modes import double_backward
from seqgan.core.numbers import check_sampling
from seqgan.core.types import Generator, Reward, RewardTerm, Rollout
from seqgan.decoding import at_temperature
from seqgan.estimators.base import SequenceEstimator, Surrogate
from seqgan.estimators.control_variate import control_variate_surrogate
from seqgan.estimators.rewards import value_per_sequence

NUMBERS_AT_ONCE = 1 << 25
"""Entries of the relaxed rows that the critic reads at once: 128 MiB, and as much again for each
of their gradients."""


class RebarScales(nn.Module):
    """η and λ, to be learned by the player `baseline`, with their start."""

    def __init__(self, eta: float = 1.0, temperature: float = 0.5) -> None:
        check_sampling(temperature)
        super().__init__()
        self.eta = nn.Parameter(torch.tensor(eta))
        self.log_temperature = nn.Parameter(torch.tensor(temperature).log())

    @property
    def temperature(self) -> Tensor:
        """λ."""
        return self.log_temperature.exp()


@dataclass(eq=False)
class Rebar(SequenceEstimator):
    """See the module's docstring.

    `eta` (η) and `temperature` (λ) are fixed; or `scales` has both, and the surrogate's
    `baseline_loss` trains them. The reward has to read soft rows [B, T, V] and be differentiable.

        Rebar(space, eta=1.0, temperature=0.5)
        Rebar(space, scales=RebarScales())
    """

    eta: float = 1.0
    temperature: float = 0.5
    scales: RebarScales | None = None

    def __post_init__(self) -> None:
        check_sampling(self.temperature)

    def loss(
        self, generator: Generator, rollout: Rollout, reward: Reward, *terms: RewardTerm
    ) -> Surrogate:
        self._refuse_terms(terms)
        control = partial(self._critic_of_prefixes, reward, rollout.ids_BT)
        eta = self.eta if self.scales is None else self.scales.eta
        learned = [] if self.scales is None else list(self.scales.parameters())
        at_once = max(1, NUMBERS_AT_ONCE // (len(rollout.ids_BT) * self.space.size))
        surrogate = control_variate_surrogate(
            generator, rollout, reward, control, eta, learned, at_once
        )
        if self.scales is not None:
            surrogate.stats["eta"] = self.scales.eta.detach()
            surrogate.stats["temperature"] = self.scales.temperature.detach()
        return surrogate

    def _critic_of_prefixes(
        self, reward: Reward, ids_BT: Tensor, first: int, z_BPV: Tensor
    ) -> Tensor:
        """The control variate, a `ControlVariate`."""
        if self.scales is None:
            soft_BPV = at_temperature(z_BPV, self.temperature).softmax(-1)
            return self._value(reward, ids_BT, soft_BPV, first)
        soft_BPV = (z_BPV / self.scales.temperature).softmax(-1)
        with double_backward():
            return self._value(reward, ids_BT, soft_BPV, first)

    def _value(self, reward: Reward, ids_BT: Tensor, soft_BPV: Tensor, first: int) -> Tensor:
        x_RTV, mask_RT = relaxed_prefixes(ids_BT, soft_BPV, first, self.space.end_id)
        value_R = value_per_sequence(reward, x_RTV, mask_RT)
        return value_R.view(-1, len(ids_BT)).T


def relaxed_prefixes(
    ids_BT: Tensor, soft_BPV: Tensor, first: int, end_id: int | None
) -> tuple[Tensor, Tensor]:
    """`x_RTV` and `mask_RT`: row p·B + b is sentence b up to column t = `first` + p, where the
    soft row stands. Behind it are end tokens or, without any, zeros; the mask is False there."""
    batch, steps, vocab = soft_BPV.shape
    column_T = torch.arange(ids_BT.shape[1], device=ids_BT.device)
    step_P1 = first + torch.arange(steps, device=ids_BT.device)[:, None]
    before_PT, here_PT = column_T < step_P1, column_T == step_P1
    hard_BTV = F.one_hot(ids_BT, vocab).to(soft_BPV.dtype)
    behind_V = torch.zeros_like(soft_BPV[0, 0])
    if end_id is not None:
        behind_V[end_id] = 1
    x_PBTV = torch.where(before_PT[:, None, :, None], hard_BTV, behind_V)
    x_PBTV = torch.where(here_PT[:, None, :, None], soft_BPV.transpose(0, 1)[:, :, None], x_PBTV)
    mask_PBT = (before_PT | here_PT)[:, None].expand(-1, batch, -1)
    return x_PBTV.flatten(0, 1), mask_PBT.flatten(0, 1)
