"""Cycles of text go on bit for bit: pools with masks, baselines by name, one network for both."""

from pathlib import Path
from typing import Any

import pytest
from test_resume import broken_run
from tiny_runs import (
    CIPHER,
    EVENTS,
    LANGUAGES,
    assert_same_run,
    last_checkpoint,
    metric_lines,
    train,
    unpaired_text,
)

from seqgan.cli import run

pytestmark = pytest.mark.usefixtures("drawn_once")

SCORE_FUNCTION = {
    "name": "score_function",
    "credit": {"name": "window", "reach": 1},
    "baseline": {"name": "self_critical"},
    "term_baseline": {"name": "moving_average"},
}
ANNEALED = {"shape": "exponential", "start": 2.0, "end": 0.2, "steps": 4}
VARIANTS: dict[str, dict[str, Any]] = {
    # Four critic updates of eight fill the pool of twelve; then it exchanges.
    "lexicon": {**CIPHER, "game": CIPHER["game"] | {"pool": 12, "bijection_weight": 1.0}},
    "pointer": {
        **EVENTS,
        "estimator": SCORE_FUNCTION,
        "game": EVENTS["game"]
        | {
            "directions": ["a2b"],
            "noise": {"name": "mix"},
            "cycle_weight": {"start": 0.1, "end": 2.0, "steps": 9},
            "gradients_every": 2,
        },
        "generator": {"name": "pointer", "embed": 4, "hidden": 6, "dropout": 0.3},
    },
    "languages": {**LANGUAGES, "estimator": {"name": "soft_gumbel", "temperature": ANNEALED}},
    "fluency": {
        **EVENTS,
        "game": EVENTS["game"] | {"fluency_weight": 0.5},
        # The models learn on, at both sides of the break.
        "schedule": [
            {"repeat": 4, "phases": {"language_model": 1, "critic": 1, "generator": 1}},
        ],
    },
    "coverage": {
        **EVENTS,
        "game": EVENTS["game"] | {"coverage_weight": 0.5},
        "schedule": [{"repeat": 6, "phases": {"critic": 1, "generator": 1}}],
    },
    "co_occurrence": {
        **LANGUAGES,
        "generator": LANGUAGES["generator"] | {"co_occurrence_prior": 4.0},
        "critic": {"name": "co_occurrence", "width": 4},
    },
}


@pytest.mark.parametrize("overrides", VARIANTS.values(), ids=VARIANTS)
def test_a_killed_cycle_of_text_goes_on_bit_for_bit(
    overrides: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(tmp_path / "whole", overrides)
    broken = broken_run(tmp_path / "broken", overrides, monkeypatch)
    assert run(["train", "--resume", str(broken)]) == 0
    assert_same_run(whole, broken)
    assert last_checkpoint(broken)["step"] == 12


def shared(folder: Path) -> dict[str, Any]:
    """One network for both directions, with dropout and averaged weights, from glosses."""
    network = {"name": "encoder_decoder", "width": 8, "layers": 1, "heads": 2, "dropout": 0.2}
    return {
        **unpaired_text(folder),
        "generator": network | {"shared": True},
        "estimator": {"name": "detached"},
        "game": EVENTS["game"] | {"noise": {"name": "words", "gloss": True}},
        "players.generator": {"ema": 0.8},
    }


def test_back_translation_with_one_network_goes_on_bit_for_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    overrides = shared(tmp_path / "text")
    whole = train(tmp_path / "whole", overrides)
    broken = broken_run(tmp_path / "broken", overrides, monkeypatch)
    assert run(["train", "--resume", str(broken)]) == 0
    assert_same_run(whole, broken)
    state = last_checkpoint(broken)["players"]["generator"]
    assert any(name.startswith("b2a.network") for name in state["averaged"])


def test_what_a_checkpoint_holds_is_what_resuming_needs(tmp_path: Path) -> None:
    """Otherwise the tests above would say nothing on pools and baselines."""
    game = last_checkpoint(train(tmp_path / "run", VARIANTS["pointer"]))["game"]
    assert set(game) == {
        f"{part}_{side}" for part in ("stream", "pool", "estimator") for side in "ab"
    }
    assert set(game["estimator_b"]) == {"cycle"}
    assert float(game["estimator_b"]["cycle"]["weight"].max()) > 0
    assert game["estimator_a"] == {}
    assert game["pool_b"]["x"].shape == (12, 10)
    assert game["pool_b"]["mask"].any(1).all()
    assert game["pool_a"]["x"] is None


def test_files_that_have_changed_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = train(tmp_path / "run", unpaired_text(tmp_path / "text"))
    before = metric_lines(folder)
    with (tmp_path / "text" / "train.b").open("a") as file:
        file.write("by ann ann is seen\n")
    capsys.readouterr()
    for command in (["train", "--resume", str(folder)], ["evaluate", str(folder)]):
        assert run(command) == 2
        line = capsys.readouterr().err.splitlines()[-1]
        assert "data files have changed" in line
    assert metric_lines(folder) == before
