"""What a critic is worth to a generator without a density: against normal distributions."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from seqgan.core.density_ratio import log_mean_exp
from seqgan.core.types import Batch, Critic, DirectGenerator, Scores
from seqgan.evaluation.arrays import ArrayDraws, ArrayEvaluator
from seqgan.evaluation.base import DecodingSetting, Metrics, ShownSheet
from seqgan.evaluation.corrected import Worth, corrected_rows, describe_worth, measure_worth

CLIP = 10.0
ROWS = 4_000
SETTING = DecodingSetting()


class Standard(DirectGenerator):
    """N(0, I) in the plane, and under a label (−1 or 1 as 0 or 1) N((±1, 0), I)."""

    latent = 2

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, z_BL: Tensor, cond: Tensor | None = None) -> Tensor:
        x_BD = z_BL * self.scale
        if cond is None:
            return x_BD
        return x_BD + torch.cat([2 * cond - 1.0, torch.zeros(len(x_BD), 1)], 1)


@dataclass
class Ratio(Critic):
    """log N(x; (mean, 0), I) / N(x; 0, I), times `sign`; under a label of the shift beyond it."""

    mean: float = 1.0
    sign: float = 1.0

    def __post_init__(self) -> None:
        super().__init__()

    def forward(self, x: Tensor, mask: Tensor | None = None, cond: Tensor | None = None) -> Scores:
        shift_B = x[:, 0] if cond is None else x[:, 0] - (2 * cond[:, 0] - 1)
        return Scores(self.sign * (self.mean * shift_B - self.mean**2 / 2))


class Plane(ArrayEvaluator):
    """Held-out points around (mean, 0), of which the mean is measured; perhaps with labels."""

    unit = "point"
    lowered = "KL"
    notes: dict[str, object] = {}

    def __init__(self, valid: float = 1.0, test: float = 1.0, labels: bool = False) -> None:
        self._seed = 7
        self._x, self._cond = {}, {}
        stream = torch.Generator().manual_seed(0)
        for name, mean in (("valid", valid), ("test", test)):
            label_NA = torch.randint(2, (ROWS, 1), generator=stream)
            x_ND = torch.randn(ROWS, 2, generator=stream) + torch.tensor([mean, 0.0])
            self._cond[name] = label_NA if labels else None
            self._x[name] = x_ND + labels * torch.cat([2.0 * label_NA - 1, 0.0 * label_NA], 1)

    def count(self, split: str) -> int:
        return len(self._x[split])

    def held_out(self, split: str, rows_R: Tensor) -> Batch:
        cond = self._cond[split]
        return Batch(self._x[split][rows_R], None, None if cond is None else cond[rows_R])

    def conditions(self, split: str) -> Tensor | None:
        return self._cond[split]

    def measure(self, drawn: ArrayDraws, split: str) -> Metrics:
        return {} if drawn.fake is None else {"mean": float(drawn.fake.x[:, 0].mean())}

    def real(self, split: str, samples: int) -> Metrics:
        raise NotImplementedError

    def show(self, generator: DirectGenerator, setting: DecodingSetting) -> ShownSheet:
        raise NotImplementedError


def worth_of(evaluator: Plane, critic: Critic) -> Worth:
    found = measure_worth(evaluator, Standard().eval(), critic, ROWS, CLIP)
    assert found is not None
    return found


def truth(worth: Worth, mean: float = 1.0) -> tuple[float, float]:
    """Of the fitted f the gain E_p[f] − log E_G[e^f] with p = N(mean, 1), and the mean of G_f."""
    x = torch.linspace(-9, 9, 9_001, dtype=torch.float64)
    f = worth.calibration.log_weight(Ratio().forward(x[:, None]).score)
    held_out, own = ((-(x - at).square() / 2).softmax(0) for at in (mean, 0.0))
    log_z = float((own.log() + f).logsumexp(0))
    return float(held_out @ f) - log_z, float((own.log() + f).softmax(0) @ x)


def test_the_certificate_is_the_decrease_of_the_divergence() -> None:
    worth = worth_of(Plane(), Ratio())
    gain, _ = truth(worth)
    assert gain == pytest.approx(0.5, abs=0.02)  # KL(N(1, 1) ‖ N(0, 1)), less what the ceiling cuts
    for found in (worth.critic, worth.corrected):  # there is no power of a density to take off
        assert found.low < gain < found.high
        assert found.high - found.low < 0.12
        assert found.tokens is None
        assert found.per_token is None
    assert worth.calibration.beta == 0
    assert worth.calibration.alpha == pytest.approx(1, abs=0.1)
    f_real_N, f_fake_M = worth.scored.weights(worth.calibration)
    assert abs(worth.log_z) > 1e-3  # on other samples than those of the fit
    assert worth.corrected.gain == pytest.approx(float(f_real_N.mean() - log_mean_exp(f_fake_M)))


@pytest.mark.parametrize("scale", [0.01, 30.0])
def test_scores_may_have_any_scale(scale: float) -> None:
    """As those of a Wasserstein critic: they become the same f."""
    one, other = worth_of(Plane(), Ratio()), worth_of(Plane(), Ratio(sign=scale))
    assert other.calibration.alpha * scale == pytest.approx(one.calibration.alpha, rel=1e-3)
    assert other.critic.gain == pytest.approx(one.critic.gain, rel=1e-3)
    assert describe_worth(other)["critic_accuracy"] == describe_worth(one)["critic_accuracy"]
    assert not other.alpha_at_limit


def test_a_critic_of_the_wrong_sign_corrects_nothing() -> None:
    worth = worth_of(Plane(), Ratio(sign=-1))
    assert worth.calibration.alpha == 0
    assert worth.corrected.gain == pytest.approx(0, abs=1e-9)


def test_the_calibration_is_fitted_to_validation_and_measured_on_test() -> None:
    """Test points at ½ are half as far: α = 1 of the validation points gains nothing on them, and
    α = ½ of the test points would gain on the validation points."""
    worth = worth_of(Plane(test=0.5), Ratio())
    assert worth.calibration.alpha == pytest.approx(1, abs=0.1)
    gain, _ = truth(worth, mean=0.5)
    assert abs(gain) < 0.1
    assert worth.corrected.low < gain < worth.corrected.high


@pytest.mark.parametrize("labels", [False, True])
def test_corrected_rows_have_the_corrected_mean(labels: bool) -> None:
    evaluator, generator = Plane(labels=labels), Standard().eval()
    plain = evaluator.generated(generator, "test", ROWS, SETTING)["mean"]
    worth = worth_of(evaluator, Ratio())
    assert worth.scored.conditional == labels
    assert (worth.resampled(16, seed=0) is None) == labels
    proposed: list[int] = []
    exact, one_of = corrected_rows(
        evaluator, generator, Ratio(), worth, ROWS, 16, advance=proposed.append
    )
    assert [exact.label, one_of.label] == ["corrected (exact)", "corrected (1 of 16)"]
    assert sum(proposed) > 17 * ROWS
    _, mean = truth(worth)
    # Both labels are as frequent: the mean without correction is 0 for either kind.
    assert plain == pytest.approx(0, abs=0.06)
    assert exact.metrics["mean"] == pytest.approx(plain + mean, abs=0.08)
    assert plain + mean - 0.2 < one_of.metrics["mean"] < plain + mean + 0.06
    if labels:
        assert worth.corrected.low < truth(worth)[0] < worth.corrected.high


def test_few_samples_have_the_labels_of_a_sorted_file() -> None:
    evaluator = Plane(labels=True)
    order_N = evaluator._cond["test"][:, 0].sort().indices
    evaluator._x["test"], evaluator._cond["test"] = (
        part["test"][order_N] for part in (evaluator._x, evaluator._cond)
    )
    source = evaluator.plain(Standard().eval(), SETTING)
    drawn = evaluator.draw(source, "test", 100)
    assert drawn.fake is not None
    assert drawn.fake.cond is not None
    assert 0.4 < float(drawn.fake.cond.float().mean()) < 0.6
    real = drawn.held_out(torch.arange(100))
    assert torch.equal(drawn.fake.cond, real.cond)
    assert len(drawn.possible_N) == 100


def test_a_row_without_samples_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no likelihood that could stand in it."""
    monkeypatch.setattr("seqgan.evaluation.corrected.LEAST_ACCEPTANCE", 0.99)
    evaluator = Plane()
    worth = worth_of(evaluator, Ratio())
    (row,) = corrected_rows(evaluator, Standard().eval(), Ratio(), worth, 50, 4)
    assert row.label == "corrected (1 of 4)"
