"""The corrected generator in the table of an evaluation: against sums over all sequences."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_runs import tiny_experiment
from torch import Tensor

from seqgan.assembly import build_generating_module, build_task
from seqgan.core.enumeration import all_sequences
from seqgan.core.types import Batch, Critic, Generator, Scores
from seqgan.data.corpus_config import TextDataConfig
from seqgan.decoding import sequence_log_probs
from seqgan.decoding.correction import Correction
from seqgan.evaluation import corrected
from seqgan.evaluation.base import DecodingSetting
from seqgan.evaluation.corrected import (
    Scored,
    Worth,
    corrected_rows,
    critic_progress,
    measure_worth,
    proposals,
)
from seqgan.evaluation.oracle import OracleEvaluator
from seqgan.evaluation.text import TextEvaluator
from seqgan.evaluation.writer import Decoded
from seqgan.metrics.certificate import Certificate

CPU = torch.device("cpu")
V, T = 4, 3
CLIP = 10.0


class Logits(Critic):
    """A critic that knows a number for each sequence of T tokens."""

    def __init__(self, logit_R: Tensor) -> None:
        super().__init__()
        self._logit_R = logit_R

    def forward(self, x: Tensor, mask: Tensor | None = None, cond: Tensor | None = None) -> Scores:
        return Scores(self._logit_R[(x * V ** torch.arange(T - 1, -1, -1)).sum(1)])


class Lab:
    """An oracle of 64 sequences, a generator, and a critic that half knows their ratio."""

    def __init__(self) -> None:
        data = {"train": 8, "valid": 400, "test": 500}
        experiment = tiny_experiment({f"data.{name}": count for name, count in data.items()})
        torch.manual_seed(0)
        task = build_task(experiment, CPU)
        assert isinstance(task.evaluator, OracleEvaluator)
        self.evaluator = task.evaluator
        self.generator: Generator = build_generating_module(experiment, task.space).eval()
        ids_RT = all_sequences(V, T)
        self.everything = Batch(ids_RT, torch.ones_like(ids_RT, dtype=torch.bool))
        self.logp_R = self.evaluator._oracle.log_prob(ids_RT).double()
        self.logg_R = sequence_log_probs(self.generator, ids_RT, self.everything.mask).double()
        noise_R = torch.randn(V**T, generator=torch.Generator().manual_seed(1))
        self.critic = Logits((self.logp_R - self.logg_R).float() + noise_R)

    def worth(self) -> Worth:
        found = measure_worth(self.evaluator, self.generator, self.critic, 2_000, CLIP)
        assert found is not None
        return found


@pytest.fixture(scope="module")
def lab() -> Lab:
    return Lab()


def test_the_corrected_rows_divergence_is_the_generators_minus_the_certificate(lab: Lab) -> None:
    worth = lab.worth()
    plain = lab.evaluator.generated(lab.generator, "test", 2_000, DecodingSetting())
    exact, one_of = corrected_rows(
        lab.evaluator, lab.generator, lab.critic, worth, samples=2_000, one_of=16
    )
    f_R = Correction(lab.critic, worth.calibration).log_weight(lab.generator, lab.everything)
    mean_f, log_z = float(lab.logp_R.exp() @ f_R), float((lab.logg_R + f_R).logsumexp(0))
    assert T * exact.metrics["kl_forward"] == pytest.approx(
        T * plain["kl_forward"] - (mean_f - log_z), rel=1e-4
    )
    assert abs(worth.log_z - log_z) > 1e-3  # by samples
    logq_R = lab.logg_R + f_R - log_z
    assert T * exact.metrics["entropy"] == pytest.approx(-float(logq_R.exp() @ logq_R), rel=1e-4)
    assert worth.corrected.low <= mean_f - log_z <= worth.corrected.high
    gain = worth.corrected.gain
    assert gain > 0.2
    assert T * exact.metrics["nll_test"] == pytest.approx(T * plain["nll_test"] - gain, rel=1e-5)
    # Drawn, not only weighted: what the oracle thinks of the samples.
    assert exact.metrics["nll_oracle"] < plain["nll_oracle"]
    assert plain["nll_oracle"] > one_of.metrics["nll_oracle"]
    # One of 16 is nearly as good, says so by a bound, and has no density to compare.
    resampled = worth.resampled(16, seed=0)
    assert resampled is not None
    assert 0.7 * gain < resampled.gain < gain
    least = T * plain["nll_test"] - T * one_of.metrics["nll_test"]
    assert least == pytest.approx(resampled.gain, abs=0.02)
    assert "kl_forward" not in one_of.metrics
    assert all(len(row.lines) == 4 for row in (exact, one_of))


def test_tiny_logits_have_the_largest_alpha(lab: Lab) -> None:
    assert not lab.worth().alpha_at_limit
    tiny = Logits(0.01 * lab.critic._logit_R)
    found = measure_worth(lab.evaluator, lab.generator, tiny, 2_000, CLIP)
    assert found is not None
    assert found.alpha_at_limit


def test_samples_that_miss_what_the_weights_favour_are_not_effective(lab: Lab) -> None:
    worth = lab.worth()
    assert worth.effective_samples > 100
    missed = replace(worth, f_fake_M=torch.full_like(worth.f_fake_M, -CLIP))
    assert missed.effective_samples < 1


def test_the_share_that_is_accepted_is_the_normaliser_below_the_ceiling(lab: Lab) -> None:
    worth = lab.worth()
    f_R = Correction(lab.critic, worth.calibration).log_weight(lab.generator, lab.everything)
    z = float((lab.logg_R + f_R).exp().sum())
    expected = z * float(torch.tensor(-worth.calibration.limits[1]).exp())
    assert worth.acceptance == pytest.approx(expected, rel=0.1)


def test_the_calibration_is_fitted_to_validation_and_measured_on_test(lab: Lab) -> None:
    before = lab.worth()
    real = lab.evaluator._real
    for split, changes in (("test", False), ("valid", True)):
        kept = real[split]
        real[split] = Batch(kept.x[:100], kept.mask[:100])
        after = lab.worth()
        real[split] = kept
        assert (after.calibration != before.calibration) == changes
        assert after.critic != before.critic


def test_samples_beside_validation_data_are_others_than_those_beside_test_data(lab: Lab) -> None:
    writer = Decoded(lab.generator, lab.evaluator.space, DecodingSetting())
    measured = lab.evaluator.draw(writer, "test", 50).fake
    fitted = lab.evaluator.draw(writer, "valid", 50).fake
    assert measured is not None
    assert fitted is not None
    assert not torch.equal(measured.x, fitted.x)


def test_sentences_that_cannot_be_written_have_no_part_in_it(lab: Lab) -> None:
    writer = Decoded(lab.generator, lab.evaluator.space, DecodingSetting())
    draws = lab.evaluator.draw(writer, "test", 300)
    assert draws.logp_real_NT is not None
    never_NT = draws.logp_real_NT.clone()
    never_NT[:10, 0] = -torch.inf
    impossible = replace(draws, logp_real_NT=never_NT)
    rest = replace(
        draws,
        real=Batch(draws.real.x[10:], draws.real.mask[10:]),  # type: ignore[index]
        logp_real_NT=draws.logp_real_NT[10:],
    )
    found, expected = (Scored.of(lab.critic, part) for part in (impossible, rest))
    torch.testing.assert_close(found.d_real_N, expected.d_real_N)
    assert found.calibrated(CLIP) == expected.calibrated(CLIP)
    f_N, _ = found.weights(expected.calibrated(CLIP))
    assert bool(f_N.isfinite().all())
    assert len(f_N) == 490


def test_where_none_can_be_written_nothing_is_said_of_the_critic(lab: Lab) -> None:
    writer = Decoded(lab.generator, lab.evaluator.space, DecodingSetting())
    draws = lab.evaluator.draw(writer, "test", 50)
    assert draws.logp_real_NT is not None
    none = replace(draws, logp_real_NT=torch.full_like(draws.logp_real_NT, -torch.inf))
    assert critic_progress(lab.critic, none, CLIP) == {"certificate": None}


def test_a_bar_is_told_of_the_samples_that_the_rows_take(lab: Lab) -> None:
    worth, told = lab.worth(), list[int]()
    corrected_rows(lab.evaluator, lab.generator, lab.critic, worth, 1_000, 16, told.append)
    assert sum(told) == pytest.approx(proposals(worth, 1_000, 16), rel=0.1)
    assert len(told) > 5


def test_exact_samples_are_left_out_where_next_to_none_would_be_accepted(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corrected, "LEAST_ACCEPTANCE", 1.0)
    rows = corrected_rows(lab.evaluator, lab.generator, lab.critic, lab.worth(), 100, 16)
    assert list(rows[0].metrics) == ["nll_test"]
    assert rows[0].lines == []
    assert "unique" in rows[1].metrics


# ── Progress ──────────────────────────────────────────────────────────────────────────────────


def progress(lab: Lab, critic: Critic) -> dict[str, Any]:
    writer = Decoded(lab.generator, lab.evaluator.space, DecodingSetting())
    return critic_progress(critic, lab.evaluator.draw(writer, "valid", 1_000), CLIP)


def test_progress_tells_a_critic_that_knows_from_one_that_guesses(lab: Lab) -> None:
    right = Logits((lab.logp_R - lab.logg_R).float())
    knows, half_knows = progress(lab, right), progress(lab, lab.critic)
    assert knows["critic_accuracy"] > half_knows["critic_accuracy"] > 0.55
    assert knows["critic_calibration"] < 0.08
    overconfident = progress(lab, Logits(3 * right._logit_R))
    assert overconfident["critic_calibration"] > 2 * knows["critic_calibration"]
    assert overconfident["certificate"] == pytest.approx(knows["certificate"], abs=0.02)
    assert knows["certificate"] > half_knows["certificate"] > 0.1
    shuffled = right._logit_R[torch.randperm(V**T, generator=torch.Generator().manual_seed(3))]
    assert progress(lab, Logits(shuffled))["certificate"] < 0.05


def test_progress_scores_few_sentences_and_draws_nothing(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = []

    class Counting(Logits):
        def forward(self, x: Tensor, *rest: Any) -> Scores:
            rows.append(x)
            return super().forward(x)

    monkeypatch.setattr(corrected, "SCORED_IN_TRAINING", 60)
    writer = Decoded(lab.generator, lab.evaluator.space, DecodingSetting())
    draws = lab.evaluator.draw(writer, "valid", 50)
    before = torch.get_rng_state()
    critic_progress(Counting(lab.critic._logit_R), draws, CLIP)
    real, fake = rows
    assert (len(real), len(fake)) == (60, 50)
    everywhere = torch.arange(60) * 400 // 60
    assert torch.equal(real, draws.real.x[everywhere])
    assert torch.equal(torch.get_rng_state(), before)


def test_each_half_of_the_validation_set_serves_the_other(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Tensor, Tensor]] = []
    measure = corrected.critics_own

    def noting(fitted_to: Scored, held_out: Scored, clip: float) -> Certificate:
        asked.append((fitted_to.logg_real_N, held_out.logg_real_N))
        return measure(fitted_to, held_out, clip)

    monkeypatch.setattr(corrected, "critics_own", noting)
    progress(lab, lab.critic)
    (first, second), (third, fourth) = asked
    assert torch.equal(first, fourth)
    assert torch.equal(second, third)
    assert len(first) == len(second) == 200
    assert not torch.equal(first, second)


# ── Text ──────────────────────────────────────────────────────────────────────────────────────


class Lengths(Critic):
    """Prefers long sentences."""

    def forward(self, x: Tensor, mask: Tensor | None = None, cond: Tensor | None = None) -> Scores:
        assert mask is not None
        return Scores(mask.sum(1).float())


@pytest.mark.parametrize(("test", "tokens", "known"), [("a b c d", 5, 3), ("a b a b a c d", 6, 5)])
def test_known_tokens_carry_the_whole_correction(
    tmp_path: Path, test: str, tokens: int, known: int
) -> None:
    """A sentence that was cut has no end token, and here ends in `<unk>`."""
    lines = {"train": "a b\na b a b\n" * 200, "valid": "a b a b\n" * 180 + "a c\n" * 20}
    lines["test"] = f"{test}\n" * 10
    for name, content in lines.items():
        (tmp_path / name).write_text(content)
    files: dict[str, Any] = {f"{name}_path": str(tmp_path / name) for name in ("valid", "test")}
    files["overlong"] = "truncate"
    data = TextDataConfig(path=str(tmp_path / "train"), length=6, **files)
    experiment = tiny_experiment({"data": data.model_dump()})
    task = build_task(experiment, CPU)
    evaluator = task.evaluator
    assert isinstance(evaluator, TextEvaluator)
    generator = build_generating_module(experiment, task.space).eval()
    worth = measure_worth(evaluator, generator, Lengths(), 400, CLIP)
    assert worth is not None
    plain = evaluator.generated(generator, "test", 40, DecodingSetting())
    row = corrected_rows(evaluator, generator, Lengths(), worth, 40, 16)[0].metrics
    gain = worth.corrected.gain
    assert gain > 0.5
    assert row["nll_test"] == pytest.approx(plain["nll_test"] - gain / tokens, rel=1e-5)
    expected = plain["nll_known_test"] - gain / known
    assert row["nll_known_test"] == pytest.approx(expected, rel=1e-5)
    assert {"bleu_2", "self_bleu_2", "unknown"} <= row.keys()
