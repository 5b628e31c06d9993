"""Certificates against sums over all 4,096 sequences of two known densities."""

from dataclasses import dataclass
from math import exp, log
from statistics import stdev

import pytest
import torch
from enumeration import PrefixTable, log_probs, sentences
from torch import Tensor

from seqgan.core.density_ratio import log_mean_exp
from seqgan.core.types import SequenceSpace
from seqgan.metrics.certificate import (
    Calibration,
    calibrate,
    calibration_error,
    certificate,
    certificate_difference,
    critic_accuracy,
    resampling_gain,
)

SPACE = SequenceSpace(vocab_size=8, length=4)
WIDE = Calibration(alpha=1.0, beta=0.0, offset=0.0, clip=50.0)
REPEATS = 200


@dataclass(frozen=True)
class Pair:
    """A truth p and a generator G, listed, and the log ratio that a perfect critic learns."""

    logp_R: Tensor
    logg_R: Tensor

    @property
    def ratio_R(self) -> Tensor:
        return self.logp_R - self.logg_R

    @property
    def kl(self) -> float:
        """KL(p‖G)."""
        return float((self.logp_R.exp() * self.ratio_R).sum())

    def kl_corrected(self, f_R: Tensor) -> float:
        """KL(p‖G_f), of which every term is a sum over all sequences."""
        logf_R = (self.logg_R + f_R).log_softmax(0)
        return float((self.logp_R.exp() * (self.logp_R - logf_R)).sum())

    def real(self, rows: int, seed: int) -> Tensor:
        return draw(self.logp_R, rows, seed)

    def fake(self, rows: int, seed: int) -> Tensor:
        return draw(self.logg_R, rows, seed + 1_000_000)


def draw(logp_R: Tensor, rows: int, seed: int) -> Tensor:
    """Rows of the list."""
    stream = torch.Generator().manual_seed(seed)
    return logp_R.exp().multinomial(rows, replacement=True, generator=stream)


@pytest.fixture(scope="module")
def pair() -> Pair:
    ids_RT = sentences(SPACE)
    p, g = PrefixTable(SPACE, seed=7, sharpness=0.5), PrefixTable(SPACE, seed=1, sharpness=0.5)
    with torch.no_grad():
        logp_R, logg_R = (log_probs(of, ids_RT).sum(1).double() for of in (p, g))
    return Pair(logp_R.log_softmax(0), logg_R.log_softmax(0))


@pytest.fixture(scope="module")
def noise_R() -> Tensor:
    return torch.randn(8**4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


# ── The certificate ───────────────────────────────────────────────────────────────────────────


def test_of_the_true_log_ratio_it_is_the_whole_divergence(pair: Pair) -> None:
    f_R = WIDE.log_weight(pair.ratio_R)
    assert pair.kl_corrected(f_R) == pytest.approx(0, abs=1e-6)
    found = certificate(f_R[pair.real(100_000, 0)], f_R[pair.fake(100_000, 0)], tokens=4)
    assert pair.kl > 0.5
    assert found.low < pair.kl < found.high
    assert found.half_width < 0.02
    assert found.per_token == pytest.approx(found.gain / 4)


def test_of_any_f_it_is_the_gap_of_the_divergences(pair: Pair, noise_R: Tensor) -> None:
    """An f that is no log ratio: E_G[e^f] is far from 1."""
    f_R = 0.6 * pair.ratio_R + 0.5 * noise_R + 1.5
    gap = pair.kl - pair.kl_corrected(f_R)
    found = certificate(f_R[pair.real(100_000, 0)], f_R[pair.fake(100_000, 0)], tokens=4)
    assert found.low < gap < found.high
    assert found.half_width < 0.02


def test_a_wrong_sign_costs_nats(pair: Pair) -> None:
    f_R = -pair.ratio_R
    found = certificate(f_R[pair.real(20_000, 0)], f_R[pair.fake(20_000, 0)], tokens=4)
    assert found.high < -0.5
    assert pair.kl - pair.kl_corrected(f_R) < -0.5


def test_a_constant_is_worth_nothing() -> None:
    found = certificate(torch.full((50,), 3.0), torch.full((60,), 3.0), tokens=4)
    assert (found.gain, found.half_width, found.effective_share) == (0, 0, 1)


def covered(truth: float, intervals: list[tuple[float, float]]) -> float:
    return sum(low < truth < high for low, high in intervals) / len(intervals)


@pytest.mark.parametrize(("real", "fake"), [(300, 3_000), (3_000, 300)])
def test_the_interval_has_95_percent(pair: Pair, noise_R: Tensor, real: int, fake: int) -> None:
    """Either term may be the uncertain one."""
    f_R = 0.6 * pair.ratio_R + 0.3 * noise_R
    intervals = []
    for seed in range(REPEATS):
        of_real, of_fake = f_R[pair.real(real, seed)], f_R[pair.fake(fake, seed)]
        found = certificate(of_real, of_fake, tokens=4)
        intervals.append((found.low, found.high))
    assert 0.9 < covered(pair.kl - pair.kl_corrected(f_R), intervals) < 0.99


def test_the_bound_holds_and_closes(pair: Pair, noise_R: Tensor) -> None:
    limits = (-2.0, 2.0)
    f_R = (0.6 * pair.ratio_R + 0.3 * noise_R).clamp(*limits)
    gap = pair.kl - pair.kl_corrected(f_R)
    bounds = {}
    for rows in (200, 20_000):
        of_real, of_fake = f_R[pair.real(rows, 0)], f_R[pair.fake(rows, 0)]
        found = certificate(of_real, of_fake, 4, limits)
        assert found.bound is not None
        assert found.bound < found.low
        bounds[rows] = found.bound
    assert bounds[200] < bounds[20_000] < gap < bounds[20_000] + 0.15


def test_the_bound_is_that_of_maurer_and_pontil() -> None:
    f_real_N, f_fake_M = torch.tensor([0.0, 1.0, 0.5, 0.5]), torch.tensor([-1.0, 0.0, 1.0])

    def slack(variance: float, count: int, reach: float) -> float:
        logs = log(2 / 0.025)
        return (2 * variance * logs / count) ** 0.5 + 7 * reach * logs / (3 * (count - 1))

    least = 0.5 - slack(1 / 6, 4, 2)
    weights = [exp(-1), 1.0, exp(1)]
    mean = sum(weights) / 3
    variance = sum((w - mean) ** 2 for w in weights) / 2
    most = log(mean + slack(variance, 3, exp(1) - exp(-1)))
    found = certificate(f_real_N, f_fake_M, 1, (-1.0, 1.0))
    assert found.bound == pytest.approx(least - most)


def test_samples_under_one_condition_are_one_draw() -> None:
    """Weights that depend on the condition alone: more samples of the same conditions say nothing
    new, and the weights and f of held-out sentences rise and fall together."""
    stream = torch.Generator().manual_seed(0)
    truth, limits = 2 * 0.1 - log(0.9 + 0.1 * exp(2)), (0.0, 2.0)
    intervals, own_intervals = [], []
    for _ in range(REPEATS):
        f_N = 2 * (torch.rand(200, generator=stream, dtype=torch.float64) < 0.1).double()
        zero_N, zero_M = torch.zeros(200), torch.zeros(200 * 30)
        found = certificate(f_N, f_N.repeat(30), None, limits, conditional=True)
        own = certificate_difference(
            f_N, f_N.repeat(30), zero_N, zero_M, None, limits, (0.0, 0.0), conditional=True
        )
        assert found.bound is not None
        assert own.bound is not None
        assert max(found.bound, own.bound) < truth
        intervals.append((found.low, found.high))
        own_intervals.append((own.low, own.high))
    assert 0.9 < covered(truth, intervals) < 0.99
    torch.testing.assert_close(torch.tensor(own_intervals), torch.tensor(intervals))


def test_the_interval_over_conditions_by_hand() -> None:
    """Sample m is under condition m mod N: its weight counts beside f of that condition."""
    stream = torch.Generator().manual_seed(0)
    f_N = torch.rand(6, generator=stream, dtype=torch.float64)
    f_RN = torch.rand(3, 6, generator=stream, dtype=torch.float64)
    weight_N = sum(f_RN[r].exp() for r in range(3)) / 3
    differences = [float(f_N[i] - weight_N[i] / weight_N.mean()) for i in range(6)]
    found = certificate(f_N, f_RN.flatten(), None, (0.0, 1.0), conditional=True)
    assert found.gain == pytest.approx(float(f_N.mean() - weight_N.mean().log()))
    assert found.half_width == pytest.approx(1.959964 * stdev(differences) / 6**0.5)
    alone = certificate(f_N, weight_N.log(), None, (0.0, 1.0), conditional=True)
    assert found.bound == pytest.approx(alone.bound)


def test_a_critic_that_varies_by_condition_alone_has_the_error_of_conditions() -> None:
    """Noise that is the same for all 30 samples under a condition: as sure as of one each."""
    stream = torch.Generator().manual_seed(0)
    heard = 0
    for _ in range(REPEATS):
        d_N, d_C = torch.randn(2, 100, generator=stream, dtype=torch.float64)
        heard += calibrate(d_N, None, d_C.repeat(30), None, conditional=True).alpha > 0
    assert heard < 0.06 * REPEATS


def test_the_widest_clip_has_a_bound() -> None:
    f_N, g_N = torch.zeros(100, dtype=torch.float64), torch.full((100,), -20.0)
    limits, others = (-100.0, 100.0), (-100.0, 8.0)
    found = certificate_difference(f_N, f_N, g_N, g_N, None, limits, others)
    assert found.bound is not None


def test_one_sentence_has_no_interval() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        certificate(torch.zeros(1), torch.zeros(5), tokens=4)


# ── Calibration ───────────────────────────────────────────────────────────────────────────────


def fitted(pair: Pair, d_R: Tensor, rows: int = 20_000, **options: float) -> Calibration:
    real, fake = pair.real(rows, 8), pair.fake(rows, 8)
    return calibrate(d_R[real], pair.logg_R[real], d_R[fake], pair.logg_R[fake], **options)


def test_an_overconfident_critic_is_scaled_back(pair: Pair) -> None:
    found = fitted(pair, 2 * pair.ratio_R + 3, rows=100_000)
    assert found.alpha == pytest.approx(0.5, abs=0.02)
    assert found.beta == pytest.approx(0, abs=0.03)
    f_R = found.log_weight(2 * pair.ratio_R + 3, pair.logg_R)
    assert pair.kl_corrected(f_R) < 0.02 * pair.kl


def test_a_power_of_the_generator_is_found_without_critic(pair: Pair) -> None:
    tempered = Pair((1.4 * pair.logg_R).log_softmax(0), pair.logg_R)
    found = fitted(tempered, torch.zeros_like(pair.logg_R), rows=100_000, use_critic=False)
    assert found.alpha == 0
    assert found.beta == pytest.approx(0.4, abs=0.02)


def test_without_critic_its_logits_do_not_matter(pair: Pair, noise_R: Tensor) -> None:
    assert fitted(pair, noise_R, use_critic=False) == fitted(pair, pair.ratio_R, use_critic=False)


def test_a_critic_that_is_wrong_has_no_say(pair: Pair) -> None:
    found = fitted(pair, -pair.ratio_R)
    assert found.alpha == 0
    assert found == fitted(pair, pair.ratio_R, use_critic=False)


def test_the_weights_are_those_of_the_largest_lower_end(pair: Pair, noise_R: Tensor) -> None:
    """Of the interval of what they add to the control."""
    d_R = pair.ratio_R + noise_R
    real, fake = pair.real(5_000, 8), pair.fake(5_000, 8)
    numbers = d_R[real], pair.logg_R[real], d_R[fake], pair.logg_R[fake]
    found, control = calibrate(*numbers), calibrate(*numbers, use_critic=False)

    def value(alpha: float, beta: float) -> float:
        g_R, f_R = control.beta * pair.logg_R, alpha * d_R + beta * pair.logg_R
        added_R, share_M = f_R - g_R, g_R[fake].softmax(0)
        influence_M = share_M * (added_R[fake] - share_M @ added_R[fake])
        variance = added_R[real].var() / len(real) + influence_M.square().sum()
        gain = f_R[real].mean() - f_R[fake].exp().mean().log()
        return float(gain - 1.959964 * variance.sqrt())

    best = value(found.alpha, found.beta)
    for alpha, beta in [(0.02, 0), (-0.02, 0), (0, 0.02), (0, -0.02)]:
        assert value(found.alpha + alpha, found.beta + beta) < best


@pytest.mark.parametrize("spread", [1.0, 2.0])
def test_a_useless_critic_on_25_sentences_does_next_to_no_harm(spread: float) -> None:
    """Real sentences may vary more in their probability than samples do, and no power is better.
    A fit without regard to the error loses .024 and .075 nats per sentence on average."""
    stream = torch.Generator().manual_seed(0)

    def numbers(rows: int, spread: float) -> tuple[Tensor, Tensor]:
        d_N, logg_N = torch.randn(2, rows, generator=stream, dtype=torch.float64)
        return d_N, 3 * spread * logg_N - 60

    new_real, new_fake = numbers(40_000, spread), numbers(40_000, 1)
    gains, left_alone = [], 0
    for _ in range(60):
        found = calibrate(*numbers(25, spread), *numbers(4_000, 1))
        left_alone += found.alpha == found.beta == 0
        f_real_N, f_fake_M = (found.log_weight(*part) for part in (new_real, new_fake))
        gains.append(float(f_real_N.mean() - log_mean_exp(f_fake_M)))
    assert -0.004 < sum(gains) / len(gains) < 0.004
    assert left_alone > 40


def test_sentences_that_cannot_be_written_change_no_calibration(pair: Pair) -> None:
    d_N, logg_N = (of[pair.real(50, 8)] for of in (pair.ratio_R, pair.logg_R))
    fakes = [of[pair.fake(500, 8)] for of in (pair.ratio_R, pair.logg_R)]
    never_N = torch.full((3,), -torch.inf, dtype=torch.float64)
    found = calibrate(torch.cat([d_N, d_N[:3]]), torch.cat([logg_N, never_N]), *fakes)
    assert found == calibrate(d_N, logg_N, *fakes)
    with pytest.raises(ValueError, match="none of the sentences"):
        calibrate(d_N[:3], never_N, *fakes)


def test_few_sentences_are_enough_for_what_is_plain(pair: Pair) -> None:
    real, fake = pair.real(25, 8), pair.fake(4_000, 8)
    numbers = pair.ratio_R[real], pair.logg_R[real], pair.ratio_R[fake], pair.logg_R[fake]
    f_R = calibrate(*numbers).log_weight(pair.ratio_R, pair.logg_R)
    assert pair.kl_corrected(f_R) < 0.6 * pair.kl


@pytest.mark.parametrize("clip", [10.0, 0.7])
def test_the_offset_makes_f_a_log_ratio_within_its_limits(pair: Pair, clip: float) -> None:
    found = fitted(pair, pair.ratio_R + 5, clip=clip)
    fake = pair.fake(20_000, 8)
    f_M = found.log_weight((pair.ratio_R + 5)[fake], pair.logg_R[fake])
    assert float(f_M.exp().mean()) == pytest.approx(1, abs=1e-6)
    low, high = found.limits
    assert low == -clip
    assert 0 < high <= clip
    extreme = found.log_weight(torch.tensor([-1e6, 1e6]), torch.tensor([0.0, 0.0]))
    assert extreme.tolist() == [low, high]


def test_the_ceiling_is_what_one_real_sentence_of_100_exceeds(pair: Pair) -> None:
    found = fitted(pair, pair.ratio_R)
    real = pair.real(20_000, 8)
    at_ceiling = found.log_weight(pair.ratio_R[real], pair.logg_R[real]) >= found.limits[1]
    assert float(at_ceiling.float().mean()) == pytest.approx(0.01, abs=0.003)
    assert found.limits[1] < 5


def test_a_tiny_logit_is_not_blown_up(pair: Pair) -> None:
    """Up to α = 2, and β is the best beside it."""
    d_R = 0.1 * pair.ratio_R
    real, fake = pair.real(5_000, 8), pair.fake(5_000, 8)
    found = calibrate(d_R[real], pair.logg_R[real], d_R[fake], pair.logg_R[fake])
    assert found.alpha == pytest.approx(2)

    def value(beta: float) -> float:
        f_R = 2 * d_R + beta * pair.logg_R
        return float(f_R[real].mean() - f_R[fake].exp().mean().log())

    best = value(found.beta)
    assert best > max(value(found.beta + 0.02), value(found.beta - 0.02))


def test_separable_samples_have_a_finite_calibration() -> None:
    found = calibrate(torch.linspace(5, 6, 20), None, torch.linspace(-6, -5, 30), None)
    assert found.alpha == pytest.approx(2)
    assert found.beta == 0
    found = calibrate(*[torch.linspace(5, 6, 20)] * 2, *[torch.linspace(-6, -5, 30)] * 2)
    assert abs(found.beta) < 1e4


def test_a_critic_that_says_nothing_is_given_nothing(pair: Pair) -> None:
    found = fitted(pair, torch.full_like(pair.ratio_R, 2.0))
    plain = fitted(pair, pair.ratio_R, use_critic=False)
    assert found.beta == pytest.approx(plain.beta)
    both = (it.log_weight(torch.full_like(pair.ratio_R, 2.0), pair.logg_R) for it in (found, plain))
    torch.testing.assert_close(*both)


# ── The critic's own worth ────────────────────────────────────────────────────────────────────


def own_worth(pair: Pair, d_R: Tensor, seed: int, rows: int = 400) -> tuple[float, float, float]:
    """Fitted on one set of sentences and samples, measured on others, as `evaluate` does it."""
    valid, fake = pair.real(rows, 10 * seed), pair.fake(rows, 10 * seed)
    parts = d_R[valid], pair.logg_R[valid], d_R[fake], pair.logg_R[fake]
    critic, plain = calibrate(*parts), calibrate(*parts, use_critic=False)
    test, fresh = pair.real(rows, 10 * seed + 5), pair.fake(rows, 10 * seed + 5)
    f_R, g_R = (it.log_weight(d_R, pair.logg_R) for it in (critic, plain))
    found = certificate_difference(f_R[test], f_R[fresh], g_R[test], g_R[fresh], tokens=4)
    return found.gain, found.low, found.high


def test_it_is_the_difference_of_the_gains(pair: Pair, noise_R: Tensor) -> None:
    f_R, g_R = pair.ratio_R, 0.5 * pair.ratio_R + 0.2 * noise_R
    real, fake = pair.real(4_000, 0), pair.fake(4_000, 0)
    one, other = (certificate(h_R[real], h_R[fake], tokens=4) for h_R in (f_R, g_R))
    found = certificate_difference(f_R[real], f_R[fake], g_R[real], g_R[fake], tokens=4)
    assert found.gain == pytest.approx(one.gain - other.gain)
    assert found.half_width < 0.8 * (one.half_width**2 + other.half_width**2) ** 0.5
    assert found.bound is None


def test_its_interval_has_95_percent(pair: Pair, noise_R: Tensor) -> None:
    f_R, g_R = 0.8 * pair.ratio_R, 0.4 * pair.ratio_R + 0.3 * noise_R
    intervals, limits = [], (float(min(f_R.min(), g_R.min())), float(max(f_R.max(), g_R.max())))
    truth = pair.kl_corrected(g_R) - pair.kl_corrected(f_R)
    for seed in range(REPEATS):
        real, fake = pair.real(500, seed), pair.fake(500, seed)
        parts = f_R[real], f_R[fake], g_R[real], g_R[fake]
        found = certificate_difference(*parts, 4, limits, limits)
        intervals.append((found.low, found.high))
        assert found.bound is not None
        assert found.bound < min(truth, found.low)
    assert 0.9 < covered(truth, intervals) < 0.99


def test_a_critic_of_noise_is_worth_nothing(pair: Pair, noise_R: Tensor) -> None:
    """Which it would not be if it were fitted to the sentences that it is measured on."""
    gains, lows = [], []
    for seed in range(100):
        gain, low, _ = own_worth(pair, noise_R.roll(seed), seed)
        gains.append(gain)
        lows.append(low)
    assert sum(gains) / 100 < 0.001
    assert sum(low > 0 for low in lows) <= 5


def test_what_the_control_leaves_is_not_the_critics() -> None:
    """Real sentences are those of a power of the generator, and the critic is noise: where that
    power is sure, a fit of both weights would give two of five such critics a say."""
    stream = torch.Generator().manual_seed(0)

    def numbers(power: float, rows: int = 500) -> tuple[Tensor, Tensor]:
        d_N, z_N = torch.randn(2, rows, generator=stream, dtype=torch.float64)
        return d_N, 5 * z_N - 50 + 25 * power  # N(−50, 25) times e^{power · log G}

    heard, above = 0, 0
    for _ in range(100):
        parts, test, fresh = (*numbers(0.05), *numbers(0)), numbers(0.05), numbers(0)
        own, control = calibrate(*parts), calibrate(*parts, use_critic=False)
        heard += own.alpha > 0
        f, g = ([it.log_weight(*part) for part in (test, fresh)] for it in (own, control))
        above += certificate_difference(*f, *g, tokens=None).low > 0
    assert heard <= 8
    assert above <= 5


def test_a_critic_that_knows_the_truth_has_its_worth(pair: Pair) -> None:
    _, low, high = own_worth(pair, pair.ratio_R, seed=0, rows=20_000)
    plain = fitted(pair, pair.ratio_R, rows=100_000, use_critic=False)
    without = pair.kl_corrected(plain.log_weight(pair.ratio_R, pair.logg_R))
    assert low - 0.01 < without < high + 0.02


def test_the_difference_is_of_the_same_sentences() -> None:
    f_N, short = torch.zeros(5), torch.zeros(4)
    with pytest.raises(ValueError, match="the same"):
        certificate_difference(f_N, f_N, short, f_N, tokens=4)


# ── One of n samples ──────────────────────────────────────────────────────────────────────────


def exact_gain_of_two(pair: Pair, f_R: Tensor) -> tuple[float, float]:
    """Of keeping 1 of 2 samples: the gain in log-likelihood, and Lawson's bound on it."""
    share_RR = torch.sigmoid(f_R[:, None] - f_R)
    p_R, g_R = pair.logp_R.exp(), pair.logg_R.exp()
    return (
        float(p_R @ (2 * share_RR @ g_R).log()),
        float(p_R @ ((2 * share_RR).log() @ g_R)),
    )


def test_lawsons_bound_is_below_the_likelihood_of_one_of_two(pair: Pair) -> None:
    f_R = pair.ratio_R
    exact, bound = exact_gain_of_two(pair, f_R)
    found = resampling_gain(f_R[pair.real(5_000, 0)], f_R[pair.fake(2_000, 0)], n=2, seed=0)
    assert found.low < bound < found.high
    assert found.half_width < 0.02
    assert 0.1 < bound < exact < pair.kl
    assert found.high < exact


def test_its_interval_has_95_percent_too(pair: Pair) -> None:
    f_R = pair.ratio_R
    _, bound = exact_gain_of_two(pair, f_R)
    intervals = []
    for seed in range(REPEATS):
        found = resampling_gain(f_R[pair.real(200, seed)], f_R[pair.fake(100, seed)], 2, seed)
        intervals.append((found.low, found.high))
    assert 0.9 < covered(bound, intervals) < 0.99


def test_more_samples_come_closer_to_the_exact_sampler(pair: Pair) -> None:
    f_R = pair.ratio_R
    real, fake = f_R[pair.real(3_000, 0)], f_R[pair.fake(20_000, 0)]
    gains = [resampling_gain(real, fake, n, seed=0).gain for n in (1, 2, 4, 16, 128)]
    assert gains == sorted(gains)
    assert gains[0] == 0
    assert gains[-1] == pytest.approx(certificate(real, fake, tokens=4).gain, abs=0.03)


def test_too_few_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="two sets of 15"):
        resampling_gain(torch.zeros(5), torch.zeros(20), n=16, seed=0)


# ── Critics as classifiers ────────────────────────────────────────────────────────────────────


def test_calibration_error_by_hand() -> None:
    """Two bins: .5 < p = .75 < .8, where ¾ of the weight are real; and p = .25, all generated."""
    d = log(3)
    real, fake = torch.tensor([d, d, d]), torch.tensor([d, -d, -d])
    weight_high, real_high = 0.5 + 1 / 6, 0.5 / (0.5 + 1 / 6)
    expected = weight_high * abs(0.75 - real_high) + (1 / 3) * 0.25
    assert calibration_error(real, fake) == pytest.approx(expected)


def test_a_true_log_ratio_is_calibrated(pair: Pair) -> None:
    real, fake = pair.ratio_R[pair.real(20_000, 0)], pair.ratio_R[pair.fake(50_000, 0)]
    assert calibration_error(real, fake) < 0.01
    assert calibration_error(3 * real, 3 * fake) > 0.1


def test_accuracy() -> None:
    real, fake = torch.tensor([1.0, 2.0, -1.0, 3.0]), torch.tensor([-1.0, 1.0])
    assert critic_accuracy(real, fake) == pytest.approx((0.75 + 0.5) / 2)
    assert critic_accuracy(torch.zeros(3), torch.zeros(5)) == 0.5
