"""Losses of real sentences that take the place of the plain likelihood in game `mle`.

With p = p(x_t | x_<t), the mean over all tokens x_t of a batch, pads excluded:

    tailr    −w log p,   w = max(floor, p / (γ + (1 − γ) p))
    gold     −w log p,   w = max(floor, p)
    mixce    −w log p,   w = η + (1 − η) p
    emo      ½ (−log p + k c),   k = −log p / c,   c = Σ_v p(v | x_<t) (1 − cos(e_v, e_{x_t}))

Weights w and k carry no gradient. All of them trust tokens that the generator already finds likely:
they seek modes, as a temperature below 1 does, and a fair comparison sweeps the temperature too.

**TaiLr** (Ji et al. 2023, *Tailoring language generation models under total variation distance*).
w ∇log p is the gradient of log(γ + (1 − γ) p) / (1 − γ): γ → 0 is the likelihood, and γ = 1 is the
total variation distance 1 − p to the token that was read. Deviation: no label smoothing. The
authors' values are γ = .1 and floor .3 in translation; γ = 1e-7 and floor .2 elsewhere, which is
the likelihood but for tokens of p < 1e-6.

**GOLD** (Pang & He 2021, *Text generation by learning from demonstrations*): off-policy policy
gradient, p being the importance weight of a token in a demonstration. This is GOLD-δ, whose reward
is 1 for demonstrations, and equals TaiLr with γ = 1. Deviations: weights come from the generator as
it is (published: a copy, renewed now and then); rewards that a frozen likelihood model gives
(GOLD-p, GOLD-s) are left out. It starts from a likelihood model: see `after`.

**MixCE** (Zhang et al. 2023, *MixCE: Training autoregressive language models by mixing forward and
reverse cross-entropies*): η CE(data, G) + (1 − η) CE(G, data). The second term is not computable;
its "self-reinforced" approximation −p log p on real tokens raises the expected p of a real token.

**EMO** (Ren et al. 2024, *EMO: Earth mover distance optimization for auto-regressive language
modeling*). c is the earth mover's distance from p(· | x_<t) to the one token x_t, where moving
costs 1 − cos of the tokens' vectors e: rows of the read-out, without gradient. k makes both terms
equal in value. Deviation: e are the rows as they are now (published: those of the pretrained model,
fixed).
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from seqgan.core.types import Batch, Generator
from seqgan.decoding import token_log_probs

_TINY = 1e-10
"""Least c that k is divided by, as published."""


def tailr_loss(
    generator: Generator, batch: Batch, gamma: float = 0.1, floor: float = 0.3
) -> Tensor:
    """See the module's docstring; a scalar, nats per token. `gamma` is above 0."""
    logp_BT, p_BT = _log_probs(generator, batch)
    return _mean(-logp_BT * (p_BT / (gamma + (1 - gamma) * p_BT)).clamp(min=floor), batch)


def gold_loss(generator: Generator, batch: Batch, floor: float = 0.2) -> Tensor:
    """See the module's docstring; a scalar, nats per token."""
    logp_BT, p_BT = _log_probs(generator, batch)
    return _mean(-logp_BT * p_BT.clamp(min=floor), batch)


def mixce_loss(generator: Generator, batch: Batch, eta: float = 0.5) -> Tensor:
    """See the module's docstring; a scalar, nats per token. `eta` 1 is the likelihood."""
    logp_BT, p_BT = _log_probs(generator, batch)
    return _mean(-logp_BT * (eta + (1 - eta) * p_BT), batch)


def emo_loss(generator: Generator, batch: Batch) -> Tensor:
    """See the module's docstring; a scalar, nats per token. The last layer has to be linear."""
    hidden = generator.hidden(batch.x, batch.cond)
    assert hidden.weight_VH is not None, "the generator declares a linear read-out"
    logp_BTV = hidden.logits().float().log_softmax(-1)
    e_VH = F.normalize(hidden.weight_VH.detach().float(), dim=-1)
    c_BT = 1 - ((logp_BTV.exp() @ e_VH) * e_VH[batch.x]).sum(-1)
    nll_BT = -logp_BTV.gather(-1, batch.x[..., None])[..., 0]
    k_BT = (nll_BT / (c_BT + _TINY)).detach()
    return _mean(0.5 * (nll_BT + k_BT * c_BT), batch)


def _log_probs(generator: Generator, batch: Batch) -> tuple[Tensor, Tensor]:
    """`logp_BT`, and `p_BT` without gradient."""
    assert batch.mask is not None, "sequences have masks"
    logp_BT = token_log_probs(generator, batch.x, batch.mask, cond=batch.cond)
    return logp_BT, logp_BT.detach().exp()


def _mean(loss_BT: Tensor, batch: Batch) -> Tensor:
    """Over the tokens of all sentences."""
    assert batch.mask is not None, "sequences have masks"
    return torch.where(batch.mask, loss_BT, 0.0).sum() / batch.mask.sum()
