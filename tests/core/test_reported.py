"""The sentences about a reported checkpoint, and what a phase did to the metric."""

import json

import pytest

from seqgan.core.reported import PhaseEffect, ReportedCheckpoint, critic_sentence

END = ReportedCheckpoint(2200, 2200, finished=True, selected_by=None)


@pytest.mark.parametrize(
    ("checkpoint", "sentence", "needs_a_word"),
    [
        (END, "step 2200 of 2200, the last one", False),
        (
            ReportedCheckpoint(2000, 2200, True, "nll_valid"),
            "step 2000 of 2200, selected by nll_valid",
            False,
        ),
        (
            ReportedCheckpoint(1500, 2200, True, "nll_valid", "adversarial phase"),
            "step 1500 of 2200, before the adversarial phase, selected by nll_valid",
            True,
        ),
        (
            ReportedCheckpoint(269, 2200, False, "nll_valid", "adversarial phase"),
            "step 269 of 2200, before the adversarial phase, selected by nll_valid; "
            "training is not finished",
            True,
        ),
        (
            ReportedCheckpoint(2000, 2200, False, None),
            "step 2000 of 2200, the last one; training is not finished",
            True,
        ),
        (
            ReportedCheckpoint(0, 2200, True, "nll_valid", "adversarial phase", trained=False),
            "step 0 of 2200, the initial network, selected by nll_valid",
            True,
        ),
    ],
)
def test_a_checkpoint_says_where_it_is_from(
    checkpoint: ReportedCheckpoint, sentence: str, needs_a_word: bool
) -> None:
    assert str(checkpoint) == sentence
    assert checkpoint.needs_a_word == needs_a_word


@pytest.mark.parametrize(
    ("mode", "before", "after", "verdict"),
    [
        ("min", 4.92, 6.28, "worse"),
        ("min", 6.28, 4.92, "better"),
        ("max", 4.92, 6.28, "better"),
        ("max", 6.28, 4.92, "worse"),
        ("max", 1.5, 1.5, "unchanged"),
        ("min", float("inf"), 1.5, "better"),
    ],
)
def test_a_phase_makes_a_metric_better_or_worse(
    mode: str, before: float, after: float, verdict: str
) -> None:
    effect = PhaseEffect("adversarial phase", "nll_valid", mode, before, 1500, after, 2200)
    assert effect.verdict == verdict


def test_the_sentence_after_training_names_the_checkpoint_and_which_side_it_is_on() -> None:
    effect = PhaseEffect("adversarial phase", "nll_valid", "min", 4.92, 1500, 6.28, 2200)
    early = ReportedCheckpoint(1500, 2200, True, "nll_valid", "adversarial phase")
    assert effect.beside(early) == (
        "adversarial phase: nll_valid 4.92 → 6.28 (worse; the reported checkpoint is step 1500, "
        "before it)"
    )
    assert effect.beside(END).endswith("(worse; the reported checkpoint is step 2200)")


def test_an_infinite_value_comes_back_from_json() -> None:
    tree = json.loads(
        '{"phase": "adversarial phase", "metric": "kl_forward", "mode": "min", "before": "inf", '
        '"before_step": 10, "after": 0.5, "after_step": 20}'
    )
    effect = PhaseEffect.read(tree)
    assert effect is not None
    assert effect.verdict == "better"
    assert str(effect) == "adversarial phase: kl_forward inf → 0.5"


@pytest.mark.parametrize(
    ("gain", "effective", "sentence"),
    [
        (0.139, 2_000, "lowers held-out nll by 0.139 ± 0.010 nats per sentence (95 %)"),
        (-0.139, 2_000, "raises held-out nll by 0.139 ± 0.010 nats per sentence (95 %)"),
        (
            0.002,
            2_000,
            "lowers held-out nll by 0.002 ± 0.010 nats per sentence (95 %): "
            "not distinguishable from 0",
        ),
        (
            0.139,
            12.3,
            "lowers held-out nll by 0.139 ± 0.010 nats per sentence (95 %); its weights leave only "
            "12 effective samples, so that the gain may be lower",
        ),
    ],
)
def test_what_a_critic_is_worth(gain: float, effective: float, sentence: str) -> None:
    assert critic_sentence(gain, gain - 0.01, gain + 0.01, effective) == f"the critic {sentence}"


def test_a_bound_is_said_to_be_one() -> None:
    assert critic_sentence(0.139, 0.129, 0.149, 2_000, at_least=True) == (
        "the critic lowers held-out nll by at least 0.139 ± 0.010 nats per sentence (95 %)"
    )
    below = critic_sentence(-0.139, -0.149, -0.129, 2_000, at_least=True)
    assert below.startswith("the critic lowers held-out nll by at least -0.139")
    assert below.endswith("not distinguishable from 0")


def test_few_sentences_are_said_to_be_too_few_to_tell() -> None:
    told = "lowers held-out nll by 0.002 ± 0.010 nats per sentence (95 %): "
    for counts in ((25, 400), (400, 25)):
        found = critic_sentence(0.002, -0.008, 0.012, 2_000, counts=counts)
        valid, test = counts
        few = f"too few sentences to tell, {valid} for validation and {test} for the test"
        assert found == f"the critic {told}{few}"
    many = critic_sentence(0.002, -0.008, 0.012, 2_000, counts=(400, 400))
    assert many.endswith("not distinguishable from 0")
    assert critic_sentence(0.2, 0.1, 0.3, 2_000, counts=(25, 25)).endswith("(95 %)")


def test_where_there_is_no_likelihood_a_divergence_falls() -> None:
    kind = {"lowered": "KL(held-out pictures ‖ generator)", "unit": "picture"}
    assert critic_sentence(0.31, 0.29, 0.33, 2_000, **kind) == (
        "the critic lowers KL(held-out pictures ‖ generator) by 0.310 ± 0.020 nats per picture "
        "(95 %)"
    )
    few = critic_sentence(0.01, -0.2, 0.22, 2_000, counts=(25, 400), **kind)
    assert few.endswith("too few pictures to tell, 25 for validation and 400 for the test")


def test_a_critic_of_tiny_logits_is_said_to_have_learned_little() -> None:
    said = "it has learned little, and random features may gain as much"
    assert critic_sentence(0.005, 0.003, 0.007, 2_000, alpha_at_limit=True).endswith(said)
    assert said not in critic_sentence(0.005, 0.003, 0.007, 2_000)
    assert said not in critic_sentence(0.001, -0.001, 0.003, 2_000, alpha_at_limit=True)
