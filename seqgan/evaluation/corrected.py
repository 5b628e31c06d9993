"""What a critic is worth to a generator, as a density ratio.

During training, on validation sentences and the samples that are measured anyway:

    critic_accuracy     share of sentences on the right side of 0, real and generated half each
    critic_calibration  expected calibration error of σ(logit) as the probability of being real;
                        of a critic whose score has another scale both are those of f
    certificate         by how many nats per sentence the critic lowers the held-out negative
                        log-likelihood, over what a power of the generator's own probability does

The calibration of a certificate (`metrics/certificate.py`) is never fitted to the sentences that it
is measured on. In training each half of the validation set serves the other; at the end it is
fitted to validation sentences, and the certificate is that of test sentences and other samples.

Everything is about the generator as it was trained, at temperature 1. Pictures and points, whose
generators have no density, are measured as sentences are, by the critic alone (β = 0): a
certificate in nats per picture says by how much KL(p‖G) falls. There the scale of its scores is
free, since a critic that is one of two players learns no log ratio to its end: α has no bound, and
the scores may be those of any objective. Accuracy and calibration are those of f.

Behind prompts c the gain is E_p[f] − E_c log Z(c), with Z(c) the mean of e^f over samples behind c.
Of samples that answer a prompt each, only the mean of Z(c) is known, and E_c log Z(c) ≤ log E_c
Z(c): with the latter, certificates are lower bounds, which say "at least", and likelihoods of exact
samples are too low. Real responses and samples are compared behind the same prompts. The weights
are those of the critic alone (β = 0): how likely a response is differs more from prompt to prompt
than behind one, so that a power of the generator's probability would have nearly all of its gain
hidden by the bound, and as a control it would be too weak. 1 of n has no likelihood. Labels and
captions of pictures are conditions like prompts.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import exp, inf, isclose
from typing import Any

import torch
from torch import Tensor

from seqgan.core.batches import spread, take
from seqgan.core.density_ratio import Calibration, log_mean_exp
from seqgan.core.metric_names import CERTIFICATE
from seqgan.core.plain import JsonObject
from seqgan.core.reported import CORRECTED_EXACTLY, corrected_by_choice
from seqgan.core.types import Critic
from seqgan.decoding.correction import (
    Correction,
    Exact,
    OneOf,
    Rule,
    TooFewAccepted,
    critic_logits,
)
from seqgan.evaluation.base import DecodingSetting, Metrics
from seqgan.evaluation.correctable import CorrectableEvaluator, Drawn
from seqgan.metrics.certificate import (
    MOST_ALPHA,
    Certificate,
    Gain,
    calibrate,
    calibration_error,
    certificate,
    certificate_difference,
    critic_accuracy,
    resampling_gain,
)

AS_TRAINED = DecodingSetting()
LEAST_ACCEPTANCE = 0.02
"""With fewer of the generator's samples accepted, evaluation leaves out exact samples."""
LEAST_HELD_OUT = 10
"""Sentences that a calibration is fitted to and measured on at least."""
SHOWN_BESIDE = 4
SCORED_IN_TRAINING = 500
"""Held-out sentences, and as many samples, that a critic scores at most during training: its cost
is to stay small."""


@dataclass(frozen=True, slots=True)
class Scored:
    """The critic's logits and the generator's log-probabilities of held-out sentences (pictures,
    points) and samples, on the CPU."""

    d_real_N: Tensor
    logg_real_N: Tensor | None
    """None where the generator has no density."""
    d_fake_M: Tensor
    logg_fake_M: Tensor | None
    tokens: float | None
    """Mean tokens per held-out sentence; None where samples have no tokens."""
    is_likelihood: bool
    """Whether the critic's scores are log-likelihoods, not logits."""
    conditional: bool = False
    """Whether these are responses to prompts, or pictures under labels; the samples are made under
    the conditions of the held-out ones in turn."""

    @property
    def has_density(self) -> bool:
        """Whether the generator has one."""
        return self.logg_real_N is not None

    @property
    def are_logits(self) -> bool:
        """Whether the critic's scores are to be log density ratios as they are."""
        return self.has_density and not self.is_likelihood

    @classmethod
    def of(cls, critic: Critic, draws: Drawn, most: int | None = None) -> "Scored":
        """`most`: sentences and samples that are scored at most, spread over all of them.

        Sentences that the generator cannot write are left out: no weight makes them possible.
        """
        assert draws.fake is not None, "a certificate needs samples"
        choose = _under_the_same_conditions if draws.conditional else _spread_over_both
        real_R, fake_R = choose(draws.possible_N, len(draws.fake.x), most)
        real = draws.held_out(real_R)
        fake = take(draws.fake, fake_R.to(draws.fake.x.device))
        d_real_N, d_fake_M = (critic_logits(critic, part).cpu() for part in (real, fake))
        return cls(
            d_real_N,
            _per_sequence(draws.logp_real_NT, real_R),
            d_fake_M,
            _per_sequence(draws.logp_fake_NT, fake_R),
            None if real.mask is None else float(real.mask.sum(1).float().mean()),
            critic.is_likelihood,
            draws.conditional,
        )

    def half(self, first: int) -> "Scored":
        """Every second sentence and sample, from number `first` on; under conditions the samples
        under those of every second one."""
        number_M = torch.arange(len(self.d_fake_M))
        if self.conditional:
            number_M = number_M % len(self.d_real_N)
        rows, fakes = slice(first, None, 2), number_M % 2 == first
        return replace(
            self,
            d_real_N=self.d_real_N[rows],
            logg_real_N=None if self.logg_real_N is None else self.logg_real_N[rows],
            d_fake_M=self.d_fake_M[fakes],
            logg_fake_M=None if self.logg_fake_M is None else self.logg_fake_M[fakes],
        )

    def calibrated(self, clip: float, use_critic: bool = True) -> Calibration:
        """Fitted to these; under conditions by the critic alone."""
        return calibrate(
            self.d_real_N,
            None if self.conditional else self.logg_real_N,
            self.d_fake_M,
            None if self.conditional else self.logg_fake_M,
            clip=clip,
            use_critic=use_critic,
            most_alpha=MOST_ALPHA if self.has_density else inf,
            conditional=self.conditional,
        )

    def weights(self, calibration: Calibration) -> tuple[Tensor, Tensor]:
        """`f_real_N` and `f_fake_M`."""
        return (
            calibration.log_weight(self.d_real_N, self.logg_real_N),
            calibration.log_weight(self.d_fake_M, self.logg_fake_M),
        )


def _per_sequence(logp_NT: Tensor | None, rows_R: Tensor) -> Tensor | None:
    return None if logp_NT is None else logp_NT.sum(1)[rows_R]


def _spread_over_both(possible_N: Tensor, samples: int, most: int | None) -> tuple[Tensor, Tensor]:
    """Rows of the held-out sentences, of those that are possible, and of the samples."""
    real_R = spread(len(possible_N), most)
    return real_R[possible_N[real_R]], spread(samples, most)


def _under_the_same_conditions(
    possible_N: Tensor, samples: int, most: int | None
) -> tuple[Tensor, Tensor]:
    """The same, of conditions under which there are equally many samples each."""
    answered = min(len(possible_N), samples)
    real_R = spread(answered, most)
    rounds = max(1, min(samples, most or samples) // answered)
    real_R = real_R[possible_N[real_R]]
    return real_R, (torch.arange(rounds)[:, None] * answered + real_R).flatten()


def critics_own(fitted_to: Scored, held_out: Scored, clip: float) -> Certificate:
    """What the critic adds to the best power of the generator's own probability."""
    own, control = (fitted_to.calibrated(clip, use_critic) for use_critic in (True, False))
    f, g = held_out.weights(own), held_out.weights(control)
    limits = own.limits, control.limits
    return certificate_difference(*f, *g, held_out.tokens, *limits, held_out.conditional)


# ── During training ───────────────────────────────────────────────────────────────────────────


def critic_progress(critic: Critic, draws: Drawn, clip: float) -> Metrics:
    """See the module's docstring."""
    scored = Scored.of(critic, draws, SCORED_IN_TRAINING)
    fewest = min(len(scored.d_real_N), len(scored.d_fake_M))
    if fewest < 4:
        unknown = not scored.are_logits or fewest == 0
        return {CERTIFICATE: None} | ({} if unknown else _as_classifier(scored))
    ways = ((scored.half(1), scored.half(0)), (scored.half(0), scored.half(1)))
    gains = [critics_own(fitted_to, held_out, clip).gain for fitted_to, held_out in ways]
    if scored.are_logits:
        return _as_classifier(scored) | {CERTIFICATE: sum(gains) / 2}
    pairs = [held_out.weights(fitted_to.calibrated(clip)) for fitted_to, held_out in ways]
    return {
        "critic_accuracy": sum(critic_accuracy(*pair) for pair in pairs) / 2,
        "critic_calibration": sum(calibration_error(*pair) for pair in pairs) / 2,
        CERTIFICATE: sum(gains) / 2,
    }


def _as_classifier(scored: Scored, calibration: Calibration | None = None) -> Metrics:
    """Of logits, or of f."""
    logits = scored.d_real_N, scored.d_fake_M
    if calibration is not None:
        logits = scored.weights(calibration)
    return {
        "critic_accuracy": critic_accuracy(*logits),
        "critic_calibration": calibration_error(*logits),
    }


# ── At the end ────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Worth:
    """A critic as the correction of a generator, and what it is worth on test data."""

    calibration: Calibration
    critic: Certificate
    """Of the critic alone: `critics_own`."""
    corrected: Certificate
    """Of the corrected generator over the plain one."""
    scored: Scored
    """Test sentences and the samples that are not those of the fit."""
    f_fake_M: Tensor
    counts: tuple[int, int]
    """Held-out sentences that the calibration was fitted to, and that it was measured on."""

    @property
    def log_z(self) -> float:
        """The log of the normaliser, by the samples."""
        return float(log_mean_exp(self.f_fake_M))

    @property
    def effective_samples(self) -> float:
        """How many samples the weights leave effective. On the samples of the fit the normaliser is
        1; where these have less, what the weights favour was not sampled, and they count so much
        less."""
        missed = min(1.0, exp(self.log_z))
        return self.corrected.effective_share * missed * len(self.f_fake_M)

    @property
    def alpha_at_limit(self) -> bool:
        """Whether a larger factor on the critic's logits would have been better on validation."""
        return self.scored.has_density and isclose(self.calibration.alpha, MOST_ALPHA)

    @property
    def acceptance(self) -> float:
        """Share of the generator's samples that exact sampling keeps."""
        return float((self.f_fake_M - self.calibration.limits[1]).exp().mean())

    def resampled(self, n: int, seed: int) -> Gain | None:
        """The least gain of keeping 1 of n samples; None with too few samples to measure it, and
        under conditions, where each would take rivals of its own."""
        if self.scored.conditional or len(self.f_fake_M) < 2 * (n - 1):
            return None
        f_real_N, f_fake_M = self.scored.weights(self.calibration)
        return resampling_gain(f_real_N, f_fake_M, n, seed)


def measure_worth(
    evaluator: CorrectableEvaluator[Any], generator: Any, critic: Critic, samples: int, clip: float
) -> Worth | None:
    """Fit on validation, measure on test; None with too few sentences for it."""
    plain = evaluator.plain(generator, AS_TRAINED)
    fitted_to = Scored.of(critic, evaluator.draw(plain, "valid", samples))
    held_out = Scored.of(critic, evaluator.draw(plain, "test", samples))
    if min(len(part.d_real_N) for part in (fitted_to, held_out)) < LEAST_HELD_OUT:
        return None
    calibration = fitted_to.calibrated(clip)
    f_real_N, f_fake_M = held_out.weights(calibration)
    about = held_out.tokens, calibration.limits, held_out.conditional
    return Worth(
        calibration,
        critics_own(fitted_to, held_out, clip),
        certificate(f_real_N, f_fake_M, *about),
        held_out,
        f_fake_M,
        (len(fitted_to.d_real_N), len(held_out.d_real_N)),
    )


@dataclass(frozen=True, slots=True)
class CorrectedRow:
    """A corrected generator, measured like a generator."""

    label: str
    metrics: Metrics
    lines: list[str]
    """A few samples; none of pictures."""


def corrected_rows(
    evaluator: CorrectableEvaluator[Any],
    generator: Any,
    critic: Critic,
    worth: Worth,
    samples: int,
    one_of: int,
    advance: Callable[[int], None] = lambda proposed: None,
) -> list[CorrectedRow]:
    """Exact samples, where enough of the generator's are accepted, and 1 of n.

    The likelihood of 1 of n is its lower bound, so that of divergences it has none. Behind prompts
    it has no likelihood, and that of exact samples is a bound on average. A sampler that has
    neither samples nor a likelihood has no row. `advance` is told how many samples of the generator
    have been drawn, of about `proposals`.
    """
    correction, rows = Correction(critic, worth.calibration), []
    for label, rule in _rules(worth, one_of).items():
        source = evaluator.corrected(generator, correction, rule, worth.f_fake_M, advance)
        try:
            draws, lines = _draw(evaluator, source, samples if _writes(worth, rule) else 0)
        except TooFewAccepted:
            draws, lines = _draw(evaluator, source, 0)
        if isinstance(rule, OneOf):
            draws = draws.without_own_likelihood()
        if metrics := evaluator.measure(draws, "test"):
            rows.append(CorrectedRow(label, metrics, lines))
    return rows


def _draw(
    evaluator: CorrectableEvaluator[Any], source: Any, samples: int
) -> tuple[Drawn, list[str]]:
    """What is measured, and a few lines; without `samples` the likelihood alone."""
    drawn = evaluator.draw(source, "test", samples)
    return drawn, evaluator.lines(source, SHOWN_BESIDE) if samples else []


def proposals(worth: Worth, samples: int, one_of: int) -> int:
    """About how many samples of the generator the corrected rows take."""
    per_sample = {
        rule: rule.n if isinstance(rule, OneOf) else 1 / worth.acceptance
        for rule in _rules(worth, one_of).values()
        if _writes(worth, rule)
    }
    return round((samples + SHOWN_BESIDE) * sum(per_sample.values()))


def _rules(worth: Worth, one_of: int) -> dict[str, Rule]:
    """The samplers that are measured, by the labels of their rows."""
    conditional = worth.scored.conditional
    # One prompt may have next to no sample that is accepted, whatever the mean acceptance is.
    exact = Exact(round(1 / LEAST_ACCEPTANCE)) if conditional else Exact()
    rules: dict[str, Rule] = {CORRECTED_EXACTLY: exact}
    has_bound = not conditional and worth.scored.has_density
    if not has_bound or len(worth.f_fake_M) >= 2 * (one_of - 1):
        rules[corrected_by_choice(one_of)] = OneOf(one_of)
    return rules


def _writes(worth: Worth, rule: Rule) -> bool:
    """Whether the samples can be had: next to none may be accepted."""
    return isinstance(rule, OneOf) or worth.acceptance >= LEAST_ACCEPTANCE


def describe_worth(worth: Worth) -> JsonObject:
    """For evaluation.json."""
    scored = worth.scored
    calibration = None if scored.are_logits else worth.calibration
    return {
        **_as_classifier(scored, calibration),
        "acceptance": worth.acceptance,
        "effective_share": worth.corrected.effective_share,
    }
