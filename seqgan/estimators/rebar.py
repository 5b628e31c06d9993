"""REBAR: the critic's own opinion of a relaxed token is the control variate of its step.

    c_t(z) = value of (x_<t, softmax(z / λ)), cut off behind column t

(Tucker et al. 2017.) `control_variate.py` has the estimator, what z is, why it is unbiased and
which forms are not. The critic is frozen, reads soft rows, and is differentiated in its input. It
is asked once for the sentences and once for each of their tokens.

- Cut off behind column t: the mask ends there, and later columns hold end tokens, as is the
  contract of critics, or zeros where sentences do not end. A critic is never trained on half a
  sentence, so c_t may say little about R at early steps; η decides how far it is trusted.
- Where a critic scores every step, R is the mean of the steps' values, as with credit `sequence`,
  and c_t is the mean of those up to and including column t.
- c_t must have the slope of its own value. Objective `transport` has that of another, so it is
  refused; where samples are compared with each other (`mmd`), the others are constants, rightly.

η and log λ are fixed, or learned (`learn`); one η and one λ for all steps.

Deviations. The paper's layers of variables are relaxed together; here every step has a control
variate of its own behind a hard prefix. Its λ-dependent shift of the logits (for binary variables)
is left out. η and λ are learned by the variance in the logits (`control_variate.py`). Where a
critic has kinks (ReLU, max over time), λ's slope misses them; that costs variance, never bias.
"""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqgan.core.modes import double_backward, frozen
from seqgan.core.types import Generator, Reward, RewardTerm, Rollout, SampleRequest, SequenceSpace
from seqgan.decoding import Ancestral, at_temperature, sample
from seqgan.estimators.base import Surrogate
from seqgan.estimators.config import RebarConfig
from seqgan.estimators.control_variate import control_variate_surrogate
from seqgan.estimators.credit import value_per_sequence

NUMBERS_AT_ONCE = 1 << 25
"""Entries of the relaxed rows that the critic reads at once: 128 MiB, and as much again for each
of their gradients."""


class RebarScales(nn.Module):
    """η and λ, to be learned by the player `baseline`."""

    def __init__(self, config: RebarConfig) -> None:
        super().__init__()
        self.eta = nn.Parameter(torch.tensor(config.eta))
        self.log_temperature = nn.Parameter(torch.tensor(config.temperature).log())

    @property
    def temperature(self) -> Tensor:
        """λ."""
        return self.log_temperature.exp()


class Rebar:
    """See the module's docstring. `scales` where they are learned; their start is in `config`."""

    passes_gradient = False

    def __init__(
        self, config: RebarConfig, space: SequenceSpace, scales: RebarScales | None = None
    ) -> None:
        self._config = config
        self._space = space
        self._scales = scales

    def sample(self, generator: Generator, request: SampleRequest) -> Rollout:
        """Hard sequences, without gradient."""
        with torch.no_grad(), frozen(generator):
            return sample(generator, self._space, request.rows, Ancestral(), request.cond)

    def loss(
        self, generator: Generator, rollout: Rollout, reward: Reward, *terms: RewardTerm
    ) -> Surrogate:
        assert not terms, "for games without terms: checked by Experiment"
        control = partial(self._critic_of_prefixes, reward, rollout.ids_BT)
        eta = self._config.eta if self._scales is None else self._scales.eta
        learned = [] if self._scales is None else list(self._scales.parameters())
        at_once = max(1, NUMBERS_AT_ONCE // (len(rollout.ids_BT) * self._space.size))
        surrogate = control_variate_surrogate(
            generator, rollout, reward, control, eta, learned, at_once
        )
        if self._scales is not None:
            surrogate.stats["eta"] = self._scales.eta.detach()
            surrogate.stats["temperature"] = self._scales.temperature.detach()
        return surrogate

    def _critic_of_prefixes(
        self, reward: Reward, ids_BT: Tensor, z_BPV: Tensor, first: int
    ) -> Tensor:
        """The control variate, a `ControlVariate`."""
        if self._scales is None:
            soft_BPV = at_temperature(z_BPV, self._config.temperature).softmax(-1)
            return self._value(reward, ids_BT, soft_BPV, first)
        soft_BPV = (z_BPV / self._scales.temperature).softmax(-1)
        with double_backward():
            return self._value(reward, ids_BT, soft_BPV, first)

    def _value(self, reward: Reward, ids_BT: Tensor, soft_BPV: Tensor, first: int) -> Tensor:
        x_RTV, mask_RT = relaxed_prefixes(ids_BT, soft_BPV, first, self._space.end_id)
        value_R = value_per_sequence(reward, x_RTV, mask_RT)
        return value_R.view(-1, len(ids_BT)).T

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


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
