"""Scheduled sampling: likelihood of real sentences after prefixes that are partly the model's own.

    loss = −Σ_{b,t} log p(x_bt | u_b,<t) / number of tokens      (nats per token, pads excluded)
    u_bt = x_bt with probability 1 − ε, else a sample of p(· | u_b,<t)

Bengio et al. 2015, whose ε counts the real tokens; here it counts the model's own, decided anew for
each column. No gradient passes through a sampled token, nor through the decision. Only at ε = 0 is
this the likelihood: the objective is improper (Huszár 2015). At ε = 1 the optimum is the product of
each column's marginal distribution, a model of words without sentences.

Deviations: ε is a straight line in generator updates (published: linear, exponential or inverse
sigmoid); dropout is drawn anew in each column, as in `forward`.
"""

import torch
from torch import Tensor

from seqgan.core.types import Batch, Generator
from seqgan.decoding import sample_categorical


def scheduled_sampling_loss(generator: Generator, batch: Batch, probability: float) -> Tensor:
    """The loss above, a scalar; `probability` is ε. Walks through the columns one by one."""
    assert batch.mask is not None, "sequences have masks"
    outs = [generator.start(len(batch.x), batch.cond)]
    for real_B in batch.x[:, :-1].unbind(1):
        read_B = _mixed(real_B, outs[-1].logits_BV, probability)
        outs.append(generator.step(read_B, outs[-1].state))
    logp_BTV = torch.stack([out.logits_BV for out in outs], 1).float().log_softmax(-1)
    logp_BT = logp_BTV.gather(-1, batch.x[..., None])[..., 0]
    return -(logp_BT * batch.mask).sum() / batch.mask.sum()


def _mixed(real_B: Tensor, logits_BV: Tensor, probability: float) -> Tensor:
    """The real token of each row, or with `probability` one of the model's own."""
    own_B = sample_categorical(logits_BV.detach().float().softmax(-1), 1)[0]
    return torch.where(torch.rand(len(real_B), device=real_B.device) < probability, own_B, real_B)
