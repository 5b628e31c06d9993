"""Samples and likelihoods of a generator that a critic corrects: G_f(x) = G(x) · e^{f(x)} / Z.

`core/density_ratio.py` says what f is, `metrics/certificate.py` how it is fitted. Two samplers:

    Exact()    rejection: a sample of G is kept with probability e^{f(x) − b}, b the ceiling of f.
               What is kept has the distribution G_f; the mean acceptance rate is Z·e^{−b}.
    OneOf(n)   n samples of G, of which one is kept with probability proportional to e^{f(x)}. Its
               distribution approaches G_f as n grows; each sample costs n.

Deng et al. 2020 draw by the second from the LM's top-k samples, here from all of G.

Behind prompts c each has its own normaliser, G_f(x | c) = G(x | c) · e^{f(c, x)} / Z(c): samples
of which one is kept answer the same prompt. By samples that answer a prompt each, only the mean of
Z(c) is known. In the place of Z(c) it makes likelihoods too low on average, since E log Z(c) ≤
log E Z(c): a lower bound of the mean, near it where Z(c) hardly varies, as that of a critic that
has learned the log ratio. 1 of n has no likelihood there: rivals that answer other prompts give no
bound (with n = 2 they may give too much).

Where a generator has no density (pictures, points) the correction is by the critic alone: β = 0.
Azadi et al. 2019 (*Discriminator rejection sampling*) and Turner et al. 2019 (*Metropolis–Hastings
generative adversarial networks*) draw from GANs by their critics, Grover et al. 2019 (*Bias
correction of learned generative models using likelihood-free importance weighting*) resample by
weights. Deviations: Azadi et al. take the ceiling from the largest ratio seen so far and accept
more by a shift γ of the logit; here f is cut off at a ceiling that is fitted, and what is accepted
has the distribution G_f exactly. Turner et al. run a chain from a real picture, in which n samples
take their turns; here one of n is chosen at once, by the weights, as Grover et al. do. They
calibrate the critic by logistic or isotonic regression; here α and c have the surest gain on
held-out pictures, and that gain is measured on others (`metrics/certificate.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

import torch
from torch import Tensor

from seqgan.core.batches import join, take
from seqgan.core.budget import count_critic_calls
from seqgan.core.density_ratio import Calibration, log_mean_exp, resampling_terms
from seqgan.core.errors import UserError
from seqgan.core.modes import evaluating
from seqgan.core.types import (
    Batch,
    Critic,
    DirectGenerator,
    Generator,
    Rollout,
    Sample,
    SequenceSpace,
)
from seqgan.decoding.log_probs import held_out_log_probs, sequence_log_probs
from seqgan.decoding.loop import generate, sample_scored

_BLOCK_ROWS = 2_048
"""Samples that are drawn and scored at once."""
_SPARE = 5
"""Samples that rejection may be behind before it gives up: chance is not a low rate."""


class TooFewAccepted(UserError):
    """Rejection sampling keeps next to nothing."""


@dataclass(frozen=True, slots=True)
class Exact:
    """Rejection sampling from G_f itself."""

    most_tries: int = 2_000
    """Samples of the generator per sample kept; with more it ends in `TooFewAccepted`."""


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of n samples, by weights e^f."""

    n: int


Rule = Exact | OneOf


@dataclass(frozen=True, slots=True)
class CorrectedSamples:
    """Samples, and the share of the generator's samples that were kept."""

    rollout: Rollout
    acceptance: float


@dataclass(frozen=True, slots=True)
class Correction:
    """A critic with what makes its logits a log density ratio."""

    critic: Critic
    calibration: Calibration

    def log_weight(
        self,
        generator: Generator | DirectGenerator,
        sample: Sample,
        logg_B: Tensor | None = None,
    ) -> Tensor:
        """`f_B` of samples, in float64 on the CPU; the generator is to be in evaluation mode.
        `logg_B`: their log-probabilities, where they are known already."""
        if self.calibration.beta != 0 and logg_B is None:
            assert isinstance(generator, Generator), "only sequences have a density"
            assert sample.mask is not None, "sequences have masks"
            logg_B = sequence_log_probs(generator, sample.x, sample.mask, cond=sample.cond)
        return self.calibration.log_weight(critic_logits(self.critic, sample), logg_B)


@torch.no_grad()
def critic_logits(critic: Critic, sample: Sample) -> Tensor:
    """`d_B`: one score per sample, without dropout, in blocks."""
    count_critic_calls(len(sample.x))
    whole = Batch(sample.x, sample.mask, sample.cond)
    found = [torch.zeros(0, device=sample.x.device)]
    with evaluating(critic):
        for first in range(0, len(sample.x), _BLOCK_ROWS):
            rows = take(whole, slice(first, first + _BLOCK_ROWS))
            found.append(critic(rows.x, rows.mask, rows.cond).per_sample().float())
    return torch.cat(found)


def sample_corrected(
    generator: Generator,
    correction: Correction,
    space: SequenceSpace,
    rows: int,
    rule: Rule,
    cond: Tensor | None = None,
    advance: Callable[[int], None] = lambda proposed: None,
) -> CorrectedSamples:
    """Draw `rows` sequences of G_f, one for each row of `cond` where there is one.

    `advance` is told how many samples of the generator have been drawn on the way. Raises
    `TooFewAccepted` where rejection keeps next to nothing.
    """

    def propose(count: int, cond: Tensor | None) -> Proposed:
        rollout, logg_B = sample_scored(generator, space, count, cond)
        advance(count)
        return Batch(rollout.ids_BT, rollout.mask_BT, cond), logg_B

    kept, acceptance = _draw(generator, correction, propose, rows, rule, cond)
    assert kept.mask is not None, "sequences have masks"
    return CorrectedSamples(Rollout(kept.x, kept.x, kept.mask, cond), acceptance)


def generate_corrected(
    generator: DirectGenerator,
    correction: Correction,
    rows: int,
    rule: Rule,
    cond: Tensor | None = None,
    advance: Callable[[int], None] = lambda proposed: None,
) -> tuple[Tensor, float]:
    """The same of a direct generator: samples, and the share of the generator's that were kept."""
    if cond is not None:
        cond = cond.to(next(generator.parameters()).device)

    def propose(count: int, cond: Tensor | None) -> Proposed:
        x = generate(generator, count, cond=cond)
        advance(count)
        return Batch(x, None, cond), None

    kept, acceptance = _draw(generator, correction, propose, rows, rule, cond)
    return kept.x, acceptance


Proposed = tuple[Batch, Tensor | None]
"""Samples of the generator, and their log-probabilities `logg_B` where they have any."""

Propose = Callable[[int, Tensor | None], Proposed]
"""So many samples of the generator, under conditions where there are any."""


@torch.no_grad()
def _draw(
    generator: Generator | DirectGenerator,
    correction: Correction,
    propose: Propose,
    rows: int,
    rule: Rule,
    cond: Tensor | None,
) -> tuple[Batch, float]:
    def weighed(copies: int, wanted: int, cond: Tensor | None) -> tuple[Batch, Tensor]:
        """Copies of a batch, block after block, and `f_KB` of them."""
        repeated = None if cond is None else cond.repeat(copies, *[1] * (cond.dim() - 1))
        proposed, logg_B = propose(copies * wanted, repeated)
        f_B = correction.log_weight(generator, proposed, logg_B)
        return proposed, f_B.view(copies, wanted)

    if isinstance(rule, Exact):
        ceiling = correction.calibration.limits[1]
        return _reject(weighed, rows, cond, ceiling, rule.most_tries)
    return _choose(weighed, rows, cond, rule.n), 1 / rule.n


Weighed = Callable[[int, int, Tensor | None], tuple[Batch, Tensor]]


def _choose(weighed: Weighed, rows: int, cond: Tensor | None, n: int) -> Batch:
    """One of n samples for each row."""
    size = max(1, _BLOCK_ROWS // n)
    found = []
    for first in range(0, rows, size):
        wanted = min(size, rows - first)
        cond_now = None if cond is None else cond[first : first + wanted]
        proposed, f_KB = weighed(n, wanted, cond_now)
        copy_B = f_KB.softmax(0).T.multinomial(1)[:, 0]
        found.append(take(proposed, (copy_B * wanted + torch.arange(wanted)).to(proposed.x.device)))
    return join(found)


def _reject(
    weighed: Weighed, rows: int, cond: Tensor | None, ceiling: float, most_tries: int
) -> tuple[Batch, float]:
    """The first sample of each row that is accepted. Rows without conditions are alike, so any of
    them takes the next accepted sample; others are tried twice as often in each round."""
    found: list[Batch] = []
    row_of: list[Tensor] = []
    waiting_R = torch.arange(rows)
    tries_R = torch.zeros(rows, dtype=torch.long)
    tried = accepted = 0
    while len(waiting_R):
        served = accepted if cond is None else rows - len(waiting_R)
        if tried >= most_tries * (served + _SPARE):
            raise TooFewAccepted(
                f"exact correction: got {served} of {rows} from {tried:,} samples; keep 1 of 16 "
                "samples instead"
            )
        wanted = min(len(waiting_R), _BLOCK_ROWS)
        rate = (accepted + 1) / (tried + 1)
        now_B = waiting_R[:wanted]
        copies = max(ceil(1 / rate), int(tries_R[now_B].min()))
        copies = max(1, min(copies, _BLOCK_ROWS // wanted))
        proposed, f_KB = weighed(
            copies, wanted, None if cond is None else cond[now_B.to(cond.device)]
        )
        kept_KB = torch.rand_like(f_KB) < (f_KB - ceiling).exp()
        tried, accepted = tried + kept_KB.numel(), accepted + int(kept_KB.sum())
        if cond is None:
            chosen_C = kept_KB.flatten().nonzero()[:wanted, 0]
            served_C = torch.arange(len(chosen_C))
        else:
            tries_R[now_B] += copies
            served_C = kept_KB.any(0).nonzero()[:, 0]
            chosen_C = kept_KB.long().argmax(0)[served_C] * wanted + served_C
        found.append(take(proposed, chosen_C.to(proposed.x.device)))
        row_of.append(now_B[served_C])
        left_R = torch.ones(len(waiting_R), dtype=torch.bool)
        left_R[served_C] = False
        waiting_R = waiting_R[left_R]
    kept = join(found)
    order_R = torch.cat(row_of).argsort()
    return take(kept, order_R.to(kept.x.device)), accepted / tried


class CorrectedGenerator:
    """G_f as a sampler and a likelihood, to be measured like a generator.

    `f_fake_M` are the log weights of fresh samples of the generator, behind as many prompts where
    there are any. They give log Z, or for one of n samples the rivals of Lawson's bound. `advance`
    is that of `sample_corrected`.
    """

    normalised = False
    """log Z is an estimate, and a bound is below the likelihood."""

    def __init__(
        self,
        generator: Generator,
        correction: Correction,
        space: SequenceSpace,
        rule: Rule,
        f_fake_M: Tensor,
        unk_id: int | None = None,
        advance: Callable[[int], None] = lambda proposed: None,
    ) -> None:
        self.rule = rule
        self._advance = advance
        self._unk_id = unk_id
        self._generator = generator
        self._correction = correction
        self._space = space
        self._f_fake_M = f_fake_M

    def draw(self, rows: int, cond: Tensor | None = None) -> CorrectedSamples:
        """Samples with their acceptance rate."""
        return sample_corrected(
            self._generator, self._correction, self._space, rows, self.rule, cond, self._advance
        )

    def sample(self, rows: int, cond: Tensor | None = None) -> Rollout:
        """`rows` sequences, one for each row of `cond` where there is one."""
        return self.draw(rows, cond).rollout

    def greedy(self, cond: Tensor) -> None:
        """Weights are those of whole sequences, so that no step has a likeliest token."""

    def log_probs(self, batch: Batch) -> Tensor | None:
        """`logp_NT` in nats, in float64 on the CPU. For one of n samples each sentence's sum is a
        lower bound (Lawson et al. 2019), averaged over sets of n − 1 samples; behind prompts it is
        None. Otherwise the mean over prompts is a lower bound.

        What the correction adds is credited to the last token of a sentence that is not `unk_id`,
        so that sums per sentence are right with and without unknown tokens; all other tokens have
        the generator's. A sentence that was cut ends without an end token, perhaps in `<unk>`.
        """
        if isinstance(self.rule, OneOf) and batch.cond is not None:
            return None
        assert batch.mask is not None, "sequences have masks"
        logp_NT = held_out_log_probs(self._generator, batch.x, batch.mask, cond=batch.cond)
        last_N1 = self._last_known(batch.x.cpu(), batch.mask.cpu())
        added_N = self.log_ratio(self._correction.log_weight(self._generator, batch))
        return logp_NT.cpu().double().scatter_add(1, last_N1, added_N[:, None])

    def _last_known(self, ids_NT: Tensor, mask_NT: Tensor) -> Tensor:
        """Column [N, 1] of the last token that is not `unk_id`; of the last one where all are."""
        column_T = torch.arange(1, ids_NT.shape[1] + 1)
        known_NT = mask_NT if self._unk_id is None else mask_NT & (ids_NT != self._unk_id)
        counted_NT = torch.where(known_NT.any(1, keepdim=True), known_NT, mask_NT)
        return (counted_NT * column_T).argmax(1, keepdim=True)

    def log_ratio(self, f_N: Tensor) -> Tensor:
        """What the correction adds to the log-probability of whole sequences with log weights f."""
        if isinstance(self.rule, OneOf):
            return resampling_terms(f_N, self._f_fake_M, self.rule.n)[0]
        return f_N - log_mean_exp(self._f_fake_M)
