"""Cycles on text reach what docs/experiments reports. Nothing here is picked by truth."""

from pathlib import Path

import pytest
from test_picture_tasks import trained

pytestmark = pytest.mark.study


def test_a_substitution_cipher_is_solved(tmp_path: Path) -> None:
    found, _ = trained(tmp_path / "cipher", "cipher/substitution.yaml")
    assert found["accuracy_b2a"] >= 0.98


def test_without_a_trained_critic_it_is_not(tmp_path: Path) -> None:
    unheard = ["game.adversarial_weight=0", "schedule=[{repeat: 300, phases: {generator: 1}}]"]
    found, _ = trained(tmp_path / "cipher", "cipher/substitution.yaml", *unheard)
    assert found["accuracy_b2a"] < 0.3


@pytest.mark.parametrize("period", [3, 6], ids=["known", "a multiple"])
def test_a_vigenere_cipher_is_solved(period: int, tmp_path: Path) -> None:
    known = f"generator.period={period}"
    found, _ = trained(tmp_path / "cipher", "cipher/vigenere.yaml", known)
    assert found["accuracy_b2a"] >= 0.95


FROM_FREQUENCIES = (
    "generator={name: lexicon, frequency_prior: 2.0, init_std: 0.01}",
    "schedule=[{repeat: 1500, phases: {critic: 1, generator: 1}}]",
    "players.generator.lr_decay={start: 1, end: 0, after: 750, steps: 750}",
)
LANGUAGES = "translate/language_pair.yaml"


def test_windows_teach_a_lexicon_where_the_order_is_the_same(tmp_path: Path) -> None:
    found, _ = trained(tmp_path / "languages", LANGUAGES, "data.reorder=false", *FROM_FREQUENCIES)
    assert found["lexicon_a2b"] >= 0.9


def test_co_occurrence_teaches_a_lexicon_where_it_is_not(tmp_path: Path) -> None:
    critic = "critic={name: co_occurrence}"
    found, _ = trained(tmp_path / "languages", LANGUAGES, critic, *FROM_FREQUENCIES)
    assert found["lexicon_a2b"] >= 0.9
    assert found["exact_a2b"] < 0.2  # and not the order


def test_without_a_critic_that_learns_there_is_no_lexicon(tmp_path: Path) -> None:
    deaf = ("critic={name: co_occurrence}", "players.critic.lr=0")
    found, _ = trained(tmp_path / "languages", LANGUAGES, *deaf, *FROM_FREQUENCIES)
    assert found["lexicon_a2b"] < 0.3


def test_windows_teach_the_order_to_a_lexicon_that_starts_from_counts(tmp_path: Path) -> None:
    found, *others = trained(tmp_path / "languages", LANGUAGES)
    assert found["lexicon_a2b"] >= 0.9
    assert found["exact_a2b"] >= 0.85
    assert max(row["exact_a2b"] for row in others[:-1]) < 0.2  # word by word, whatever the lexicon


def test_events_are_summarized(tmp_path: Path) -> None:
    found, real = trained(tmp_path / "events", "summarize/events.yaml")
    assert found["strict_f1_a2b"] >= 0.85
    assert found["in_grammar_a2b"] >= 0.95
    assert found["hallucination_a2b"] <= 0.02
    assert real["exact_a2b"] == 1
