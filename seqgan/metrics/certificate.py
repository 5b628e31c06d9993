"""What a critic is worth on held-out data: a certificate in nats per sentence, or per picture.

With d the critic's logit of a sentence, and G a generator that stays as it is,

    f(x) = clip(α·d(x) + β·log G(x) + c, −B, b),    G_f(x) = G(x) · e^{f(x)} / Z,   Z = E_G[e^f]

    KL(p‖G) − KL(p‖G_f) = E_p[log G_f − log G] = E_p[f] − log E_G[e^f]

(Deng et al. 2020, *Residual energy-based models for text generation*; Bakhtin et al. 2021. The
identity is that of Donsker & Varadhan, which holds for every bounded f.) It is the decrease of the
held-out negative log-likelihood, and no normaliser has to be known: both terms are means over
sentences that f was not fitted to, and over fresh samples of G. Where G has no density (pictures)
β is 0, and the decrease of the divergence can be measured although neither divergence is known.

α ≥ 0 and β come from validation sentences and samples, where the same expression is concave in
them: those of which it is surest (`_Fit`), first β alone and then, where the critic surely adds to
that control, α with β. Without evidence they are 0, so that a critic on few sentences does next to
no harm. c makes log mean e^f = 0 there, so that f is a log density ratio and B bounds that ratio.

`resampling_gain` is about a sampler that draws n samples of G and keeps one by weights e^f. Its own
likelihood has the lower bound of Lawson et al. 2019 (*Energy-inspired models*):

    log G_n(x) ≥ log G(x) + E log[ n·e^{f(x)} / (e^{f(x)} + Σ_{j<n} e^{f(x_j)}) ],   x_j from G

Deviations from Deng et al. 2020, who take f = d: α and β are fitted, so that an overconfident or
useless critic does no harm and a temperature of whole sentences is a special case; f is clipped,
from above at what 1 of 100 validation sentences exceed, so that rejection and the certificate have
bounds; the gain is measured in place of bounds on the perplexity.

Numbers of whole sentences, in nats; all computed in float64 on the CPU. Intervals have 95 %.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import exp, log, sqrt

import torch
from torch import Tensor

from seqgan.core.density_ratio import Calibration as Calibration
from seqgan.core.density_ratio import log_mean_exp, resampling_terms

_NORMAL_QUANTILE = 1.959964
"""Of the two-sided 95 % interval."""
_ERROR = 0.05
"""Probability with which a finite-sample bound may be wrong."""
_ABOVE_CEILING = 0.01
"""Share of the validation sentences whose f is lowered to the ceiling."""
MOST_ALPHA = 2.0
"""A critic that has learned the log ratio has α ≈ 1, an overconfident one less. The tiny logits of
one that has learned nothing are a random feature, of which a large α would make something."""
_NEWTON_STEPS, _HALVINGS, _BISECTIONS = 50, 30, 80
_MOST_HALVINGS = 60
_LEAST_ERROR = 1e-12 * torch.eye(2, dtype=torch.float64)
"""Of a slope: that of numbers which do not vary has none."""
_BINS = 10

Limits = tuple[float, float]
"""The smallest and the largest value that f can have: `Calibration.limits`."""


@dataclass(frozen=True, slots=True)
class Gain:
    """An estimate with its 95 % interval, in nats per sentence."""

    gain: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Of the interval."""
        return (self.high - self.low) / 2


@dataclass(frozen=True, slots=True)
class Certificate(Gain):
    """By how much the held-out negative log-likelihood falls, in nats per sentence; of pictures and
    points KL(p‖G)."""

    bound: float | None
    """With probability .95 or more the gain is not below it, however many samples there are; None
    where the limits of f were not given."""
    tokens: float | None
    """Mean tokens per sentence; None where samples have no tokens."""
    effective_share: float
    """(Σ e^f)² / (M Σ e^{2f}): the share of the samples that the weights leave effective."""

    @property
    def per_token(self) -> float | None:
        """The gain in nats per token; None where there are none."""
        return None if self.tokens is None else self.gain / self.tokens


# ── Calibration ───────────────────────────────────────────────────────────────────────────────


def calibrate(
    d_real_N: Tensor,
    logg_real_N: Tensor | None,
    d_fake_M: Tensor,
    logg_fake_M: Tensor | None,
    clip: float = 10.0,
    use_critic: bool = True,
    most_alpha: float = MOST_ALPHA,
    conditional: bool = False,
) -> Calibration:
    """Fit α, β, c to sentences that the critic was not trained on, and to samples of the generator.

    `use_critic=False` gives α = 0, the best power of the generator's own probability: the control
    that the critic has to beat. `most_alpha` bounds α. Without log-probabilities β is 0. Sentences
    that the generator cannot write have no part in it; raises `ValueError` where it can write none
    of them. One sentence is no evidence: α and β are 0. `conditional`: sample m was made under the
    condition of sentence m mod N; there are equally many for each, and no log-probabilities.
    """
    assert not conditional or (logg_real_N is None and len(d_fake_M) % len(d_real_N) == 0)
    real_NK = _columns(d_real_N, logg_real_N)
    real_NK = real_NK[real_NK.isfinite().all(1)]
    if not len(real_NK):
        raise ValueError("the generator gives none of the sentences a probability above 0")
    fake_MK = _columns(d_fake_M, logg_fake_M)
    scale_K = fake_MK.std(0, correction=0)
    scale_K = torch.where(scale_K > 1e-12, scale_K, 1.0)
    if len(real_NK) < 2:
        return Calibration(0.0, 0.0, 0.0, clip, 0.0)
    fit = _Fit(real_NK / scale_K, fake_MK / scale_K, conditional)
    weights_K = fit.surest(torch.zeros(2, dtype=torch.float64), torch.tensor([False, True]))
    if use_critic:
        weights_K = _with_critic(fit, weights_K, most_alpha * float(scale_K[0]))
    real_NK, fake_MK = fit.real_NK, fit.fake_MK
    raw_real_N, raw_fake_M = real_NK @ weights_K, fake_MK @ weights_K
    highest = float(raw_real_N.quantile(1 - _ABOVE_CEILING))
    offset = _offset(raw_fake_M.clamp(max=highest), clip)
    alpha, beta = (weights_K / scale_K).tolist()
    ceiling = min(clip, max(highest + offset, 0.0))
    return Calibration(alpha, beta, offset, clip, ceiling)


def _columns(d_N: Tensor, logg_N: Tensor | None) -> Tensor:
    """`x_NK`: the critic's logit and the generator's log-probability, 0 where it has none."""
    d_N = d_N.cpu().double()
    return torch.stack([d_N, torch.zeros_like(d_N) if logg_N is None else logg_N.cpu().double()], 1)


def _with_critic(fit: "_Fit", control_K: Tensor, most: float) -> Tensor:
    """The weights with the critic's, between 0 and `most`; those without it where it adds nothing
    that is sure."""
    if not fit.is_sure_of_critic(control_K):
        return control_K
    weights_K = fit.surest(control_K, torch.tensor([True, True]))
    if weights_K[0] <= 0:
        return control_K
    if weights_K[0] <= most:
        return weights_K
    border_K = torch.stack([torch.tensor(most, dtype=torch.float64), weights_K[1]])
    return fit.climb(border_K, control_K, torch.tensor([False, True]))


class _Fit:
    """The weights w whose gain over a control w₀ is the surest: its 95 % interval has the largest
    lower end,

        E_p[w·x] − log E_G[e^{w·x}] − 1.96 √((w − w₀)ᵀ B (w − w₀))

    with B the covariance of the slope at w₀: of the means over sentences, and over samples by their
    weights. That is the control itself where the slope is not distinguishable from 0. A penalty of
    |w|²/2N, which is small beside the error, keeps w finite where the samples are separable.
    """

    def __init__(self, real_NK: Tensor, fake_MK: Tensor, conditional: bool = False) -> None:
        self.real_NK, self.fake_MK = real_NK, fake_MK
        self._conditional = conditional
        self._mean_K = real_NK.mean(0)
        self._ridge_KK = torch.eye(2, dtype=torch.float64) / len(real_NK)

    def is_sure_of_critic(self, control_K: Tensor) -> bool:
        """Whether the gain rises with the critic's weight, by more than the error of that slope.

        What the slope owes to the control's own weight is taken off (Neyman's C(α) test): the
        control stops short of its maximum, and what it left is not the critic's.
        """
        slope_K, curvature_KK = self._slope_and_curvature(control_K)
        owed = float(curvature_KK[0, 1] / curvature_KK[1, 1])
        across_K = torch.tensor([1.0, -owed], dtype=torch.float64)
        error = float((across_K @ self._error_of_slope(control_K) @ across_K).sqrt())
        return float(across_K @ slope_K) > _NORMAL_QUANTILE * error

    def surest(self, control_K: Tensor, free_K: Tensor) -> Tensor:
        """The maximum over the free weights; the others are those of the control."""
        slope_K, _ = self._slope_and_curvature(control_K)
        slope_K = torch.where(free_K, slope_K, 0.0)
        error_KK = self._error_of_slope(control_K)
        towards_K = torch.linalg.solve(_only(error_KK, free_K), slope_K)
        if float(slope_K @ towards_K) <= _NORMAL_QUANTILE**2:
            return control_K
        value = self._value(control_K, error_KK)
        at_control = value(control_K)
        steps = (control_K + 0.5**halving * towards_K for halving in range(_MOST_HALVINGS))
        start_K = next((w_K for w_K in steps if value(w_K) > at_control), control_K)
        return control_K if start_K is control_K else self.climb(start_K, control_K, free_K)

    def climb(self, weights_K: Tensor, control_K: Tensor, free_K: Tensor) -> Tensor:
        """The maximum over the free weights, by Newton's method with halved steps; it begins at
        weights other than the control's."""
        error_KK = self._error_of_slope(control_K)
        value = self._value(control_K, error_KK)
        for _ in range(_NEWTON_STEPS):
            slope_K, curvature_KK = self._slope_and_curvature(weights_K)
            away_K = error_KK @ (weights_K - control_K)
            size = float((weights_K - control_K) @ away_K) ** 0.5
            slope_K = torch.where(free_K, slope_K - _NORMAL_QUANTILE * away_K / size, 0.0)
            of_norm_KK = error_KK / size - torch.outer(away_K, away_K) / size**3
            curvature_KK = curvature_KK + _NORMAL_QUANTILE * of_norm_KK
            step_K = torch.linalg.solve(_only(curvature_KK, free_K), slope_K)
            before = value(weights_K)
            scales = (0.5**halving for halving in range(_HALVINGS))
            scale = next((s for s in scales if value(weights_K + s * step_K) > before), 0.0)
            weights_K = weights_K + scale * step_K
            if scale == 0 or float(slope_K @ step_K) < 1e-14:
                break
        return weights_K

    def _value(self, control_K: Tensor, error_KK: Tensor) -> Callable[[Tensor], float]:
        def value(w_K: Tensor) -> float:
            gain = self._mean_K @ w_K - log_mean_exp(self.fake_MK @ w_K)
            away_K = w_K - control_K
            doubt = _NORMAL_QUANTILE * (away_K @ error_KK @ away_K).sqrt()
            return float(gain - w_K @ self._ridge_KK @ w_K / 2 - doubt)

        return value

    def _slope_and_curvature(self, weights_K: Tensor) -> tuple[Tensor, Tensor]:
        """Of the gain: its gradient, and minus its matrix of second derivatives."""
        share_M = (self.fake_MK @ weights_K).softmax(0)
        tilted_K = share_M @ self.fake_MK
        centred_MK = self.fake_MK - tilted_K
        curvature_KK = centred_MK.T @ (share_M[:, None] * centred_MK) + self._ridge_KK
        return self._mean_K - tilted_K - self._ridge_KK @ weights_K, curvature_KK

    def _error_of_slope(self, weights_K: Tensor) -> Tensor:
        """B: the covariance of the gradient of the gain over draws of sentences and samples; under
        conditions over draws of conditions, with what is under each."""
        share_M = (self.fake_MK @ weights_K).softmax(0)
        centred_MK = share_M[:, None] * (self.fake_MK - share_M @ self.fake_MK)
        rows = len(self.real_NK)
        if self._conditional:
            pulls_NK = rows * centred_MK.view(-1, rows, 2).sum(0)
            return (self.real_NK - pulls_NK).T.cov() / rows + _LEAST_ERROR
        return self.real_NK.T.cov() / rows + centred_MK.T @ centred_MK + _LEAST_ERROR


def _only(matrix_KK: Tensor, free_K: Tensor) -> Tensor:
    """The matrix on the free coordinates, the identity on the others."""
    kept_KK = matrix_KK * free_K * free_K[:, None]
    return kept_KK + torch.diag((~free_K).double())


def _offset(raw_M: Tensor, clip: float) -> float:
    """c with log mean e^{clip(raw + c, −B, B)} = 0, by bisection where the clip matters: it grows
    in c."""
    unclipped = -float(log_mean_exp(raw_M))
    least, most = float(raw_M.min()), float(raw_M.max())
    if -clip <= least + unclipped and most + unclipped <= clip:
        return unclipped
    low, high = -clip - most, clip - least
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if float(log_mean_exp((raw_M + middle).clamp(-clip, clip))) < 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2


# ── Certificates ──────────────────────────────────────────────────────────────────────────────


def certificate(
    f_real_N: Tensor,
    f_fake_M: Tensor,
    tokens: float | None,
    limits: Limits | None = None,
    conditional: bool = False,
) -> Certificate:
    """The gain of G_f over G, from f of held-out sentences and of fresh samples of G.

    `limits` of f give the finite-sample bound. `conditional`: sample m was made under the condition
    of sentence m mod N, so that what varies from draw to draw are N conditions with all that is
    under each. Raises `ValueError` below two sentences or samples.
    """
    f_real_N, f_fake_M = _checked(f_real_N), _checked(f_fake_M)
    weight_M = (f_fake_M - f_fake_M.max()).exp()
    influence_M = weight_M / weight_M.mean()
    gain = float(f_real_N.mean() - log_mean_exp(f_fake_M))
    bound, conditions = None, len(f_real_N) if conditional else None
    if limits is not None:
        most_log_z = _most_log_z(f_fake_M, limits, 2, conditions)
        bound = _least_mean(f_real_N, limits, _ERROR / 2) - most_log_z
    half = _half_of_difference(f_real_N, influence_M, conditional)
    share = float(weight_M.sum().square() / weight_M.square().sum() / len(weight_M))
    return Certificate(gain, gain - half, gain + half, bound, tokens, share)


def certificate_difference(
    f_real_N: Tensor,
    f_fake_M: Tensor,
    other_real_N: Tensor,
    other_fake_M: Tensor,
    tokens: float | None,
    limits: Limits | None = None,
    other_limits: Limits | None = None,
    conditional: bool = False,
) -> Certificate:
    """The gain of G_f over G_g, paired: f and g (`other`) of the same sentences and samples.

    With g the calibration without the critic it is the critic's own worth. `effective_share` is
    that of the weights e^{f−g} among samples of G_g. `conditional` as in `certificate`.
    """
    f_real_N, f_fake_M = _checked(f_real_N), _checked(f_fake_M)
    g_real_N, g_fake_M = _checked(other_real_N), _checked(other_fake_M)
    if len(f_real_N) != len(g_real_N) or len(f_fake_M) != len(g_fake_M):
        raise ValueError("f and g are of different sentences or samples; give those of the same")
    difference_N = f_real_N - g_real_N
    f_share_M, g_share_M = f_fake_M.softmax(0), g_fake_M.softmax(0)
    gain = float(difference_N.mean() - log_mean_exp(f_fake_M) + log_mean_exp(g_fake_M))
    half = _half_of_difference(difference_N, (f_share_M - g_share_M) * len(f_fake_M), conditional)
    bound, conditions = None, len(f_real_N) if conditional else None
    if limits is not None and other_limits is not None:
        both = (limits[0] - other_limits[1], limits[1] - other_limits[0])
        bound = _least_mean(difference_N, both, _ERROR / 3)
        bound -= _most_log_z(f_fake_M, limits, 3, conditions)
        bound += _least_log_z(g_fake_M, other_limits, 3, conditions)
    share = float(1 / (f_share_M.square() / g_share_M).sum())
    return Certificate(gain, gain - half, gain + half, bound, tokens, share)


def resampling_gain(f_real_N: Tensor, f_fake_M: Tensor, n: int, seed: int) -> Gain:
    """At least what drawing 1 of `n` samples by weights e^f adds to the held-out log-likelihood.

    Sentences meet every set of n − 1 samples, so the interval has a part of each. The sets are
    drawn by `seed`. Raises `ValueError` where the samples do not make two of them.
    """
    f_real_N, f_fake_M = _checked(f_real_N), _checked(f_fake_M)
    order_M = torch.randperm(len(f_fake_M), generator=torch.Generator().manual_seed(seed))
    mean_N, mean_K = resampling_terms(f_real_N, f_fake_M[order_M], n)
    gain, half = float(mean_N.mean()), _half_of_difference(mean_N, mean_K)
    return Gain(gain, gain - half, gain + half)


def _checked(f_N: Tensor) -> Tensor:
    """In float64 on the CPU, which mps has not."""
    if len(f_N) < 2:
        raise ValueError(f"{len(f_N)} sentences or samples have no interval; give at least 2")
    return f_N.cpu().double()


def _half_of_difference(first_N: Tensor, second_M: Tensor, conditional: bool = False) -> float:
    """Half the interval of the difference of two means: independent, or paired by condition."""
    if conditional:
        difference_N = first_N - _by_condition(second_M, len(first_N))
        variance = difference_N.var() / len(first_N)
    else:
        variance = first_N.var() / len(first_N) + second_M.var() / len(second_M)
    return _NORMAL_QUANTILE * float(variance.sqrt())


def _by_condition(values_M: Tensor, conditions: int) -> Tensor:
    """The mean of what is under each condition: value m belongs to condition m mod `conditions`."""
    return values_M.view(-1, conditions).mean(0)


def _bernstein(values_N: Tensor, limits: Limits, error: float) -> float:
    """How far the mean of values between `limits` may lie from its expectation, on one side, with
    probability 1 − error (Maurer & Pontil 2009, theorem 4)."""
    count, logs = len(values_N), log(2 / error)
    spread = 7 * (limits[1] - limits[0]) * logs / (3 * (count - 1))
    return sqrt(2 * float(values_N.var()) * logs / count) + spread


def _least_mean(f_N: Tensor, limits: Limits, error: float) -> float:
    return float(f_N.mean()) - _bernstein(f_N, limits, error)


def _weights(f_M: Tensor, limits: Limits, conditions: int | None) -> tuple[Tensor, Limits]:
    """e^{f−b} of independent draws, samples or conditions, and its limits: at most 1, so that
    nothing overflows."""
    weight_M = (f_M - limits[1]).exp()
    of_weight = exp(limits[0] - limits[1]), 1.0
    return weight_M if conditions is None else _by_condition(weight_M, conditions), of_weight


def _most_log_z(f_M: Tensor, limits: Limits, parts: int, conditions: int | None) -> float:
    """log E_G[e^f] is not above it, one of `parts` statements that hold together."""
    weight_R, of_weight = _weights(f_M, limits, conditions)
    return limits[1] + log(float(weight_R.mean()) + _bernstein(weight_R, of_weight, _ERROR / parts))


def _least_log_z(f_M: Tensor, limits: Limits, parts: int, conditions: int | None) -> float:
    """log E_G[e^f] is not below it."""
    weight_R, of_weight = _weights(f_M, limits, conditions)
    least = float(weight_R.mean()) - _bernstein(weight_R, of_weight, _ERROR / parts)
    return limits[1] + log(max(least, of_weight[0]))


# ── Critics as classifiers ────────────────────────────────────────────────────────────────────


def calibration_error(d_real_N: Tensor, d_fake_M: Tensor) -> float:
    """Expected calibration error of σ(d) as the probability of being real, in 10 bins of equal
    width; real and generated sentences count half each, however many there are."""
    p, y, weight = _as_classifier(d_real_N, d_fake_M)
    bin_R = (p * _BINS).long().clamp(max=_BINS - 1)
    gaps_K = torch.zeros(_BINS, dtype=torch.float64).index_add(0, bin_R, weight * (p - y))
    return float(gaps_K.abs().sum())


def critic_accuracy(d_real_N: Tensor, d_fake_M: Tensor) -> float:
    """Share of logits on the right side of 0, real and generated sentences half each; a logit of 0
    is half right."""
    right = [(1 + d.double().sign()).mean() / 2 for d in (d_real_N, -d_fake_M)]
    return float(sum(right)) / 2


def _as_classifier(d_real_N: Tensor, d_fake_M: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Probability of being real, whether it is, and weight, of all sentences."""
    parts: Sequence[tuple[Tensor, float]] = ((d_real_N, 1.0), (d_fake_M, 0.0))
    p = torch.cat([d.cpu().double().sigmoid() for d, _ in parts])
    y = torch.cat([torch.full((len(d),), label, dtype=torch.float64) for d, label in parts])
    weight = torch.cat([torch.full((len(d),), 0.5 / len(d), dtype=torch.float64) for d, _ in parts])
    return p, y, weight
