"""What a run says about itself: which checkpoint it reports, what its adversarial phase did."""

import json
from pathlib import Path
from typing import Any

import pytest
from tiny_runs import AUTOENCODER, CIPHER, CONDITIONAL, metric_lines, tiny_experiment, train

from seqgan.cli import run
from seqgan.experiment import Experiment
from seqgan.runs.outcome import reported_checkpoint, training_outcome

pytestmark = pytest.mark.usefixtures("drawn_once")

Capture = pytest.CaptureFixture[str]

TWO_STAGES: dict[str, Any] = {
    "schedule": [
        {"repeat": 6, "phases": {"mle": 1}},
        {"repeat": 6, "phases": {"critic": 1, "generator": 1}},
    ],
    "train.eval_every": 3,
    "players.generator": {"lr": 0.05},
    "evaluation.select": {"metric": "nll_valid"},
}
"""Eighteen steps; the generator's first adversarial update is the eighth."""


@pytest.fixture(scope="module")
def early_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run whose rule picks the end of likelihood. To be read only."""
    return train(tmp_path_factory.mktemp("early") / "run", TWO_STAGES)


# ── What is said ──────────────────────────────────────────────────────────────────────────────


def test_training_ends_by_saying_what_the_adversarial_phase_did(
    tmp_path: Path, capsys: Capture
) -> None:
    folder = train(tmp_path / "run", TWO_STAGES)
    captured = capsys.readouterr()
    assert captured.out == f"{folder}\n"
    values = {
        line["step"]: line["metrics"]["nll_valid"]
        for line in metric_lines(folder)
        if line["kind"] == "eval"
    }
    verdict = "worse" if values[18] > values[6] else "better"
    best = min((step for step in values if step), key=values.__getitem__)
    before = ", before it" if best <= 7 else ""
    assert captured.err.splitlines()[-1] == (
        f"adversarial phase: nll_valid {values[6]:.5g} → {values[18]:.5g} ({verdict}; the reported "
        f"checkpoint is step {best}{before})"
    )


def test_sample_and_evaluate_say_that_the_checkpoint_is_an_early_one(
    early_run: Path, capsys: Capture
) -> None:
    note = "step 6 of 18, before the adversarial phase, selected by nll_valid"
    assert run(["sample", str(early_run), "-n", "2"]) == 0
    captured = capsys.readouterr()
    assert captured.err == f"note: the reported checkpoint is {note}\n"
    assert len(captured.out.splitlines()) == 2
    assert run(["evaluate", str(early_run), "--json"]) == 0
    captured = capsys.readouterr()
    assert captured.err == f"note: the reported checkpoint is {note}\n"
    result = json.loads(captured.out)
    assert result["checkpoint"] == {
        "step": 6,
        "steps": 18,
        "finished": True,
        "selected_by": "nll_valid",
        "before": "adversarial phase",
        "trained": True,
    }
    effect = result["adversarial"]
    assert (effect["before_step"], effect["after_step"]) == (6, 18)
    assert result["warnings"] == []


def test_transform_says_it(tmp_path: Path, capsys: Capture) -> None:
    folder = train(tmp_path / "run", {**CIPHER, "train.max_minutes": 1e-9})
    (tmp_path / "lines.txt").write_text("abc\n")
    capsys.readouterr()
    assert run(["transform", str(folder), "--input", str(tmp_path / "lines.txt")]) == 0
    first = capsys.readouterr().err.splitlines()[0]
    assert first.startswith("note: the reported checkpoint is step 1 of 12, ")
    assert first.endswith("; training is not finished")


def test_nothing_is_said_of_the_end_of_a_finished_run(finished_run: Path, capsys: Capture) -> None:
    assert run(["sample", str(finished_run), "-n", "2"]) == 0
    assert capsys.readouterr().err == ""


def test_each_command_warns_of_the_data_once(tmp_path: Path, capsys: Capture) -> None:
    texts = {"path": "a b c\na b d\n", "valid_path": "a b e\n", "test_path": "a b e\n"}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    files = {name: str(tmp_path / name) for name in texts}
    words = {"tokenizer": {"name": "word", "min_count": 1}}
    data = {"name": "text", **files, "length": 6, **words}
    folder = train(tmp_path / "run", {"data": data, "evaluation.samples": 2})
    resumed, evaluated = ["train", "--resume", str(folder)], ["evaluate", str(folder)]
    for command in (None, resumed, evaluated):
        if command is not None:
            assert run(command) == 0
        assert capsys.readouterr().err.count("warning: data: 33.3% of the valid tokens are") == 1


def test_a_metric_that_never_moves_is_told(tmp_path: Path, capsys: Capture) -> None:
    folder = train(tmp_path / "run", {**TWO_STAGES, "players.generator": {"lr": 0.0}})
    warning = next(x for x in capsys.readouterr().err.splitlines() if x.startswith("warning: "))
    assert "evaluation.select.metric=nll_valid was 1.4" in warning
    assert "at each of 7 evaluations" in warning
    assert run(["evaluate", str(folder)]) == 0
    assert warning in capsys.readouterr().err.splitlines()
    assert json.loads((folder / "evaluation.json").read_text())["warnings"] == [warning[9:]]


# ── What it is derived from ───────────────────────────────────────────────────────────────────


def logged(folder: Path, metric: str, values: dict[int, float | str | None]) -> Path:
    """A run folder with nothing but these evaluations."""
    folder.mkdir()
    lines = [{"kind": "eval", "step": s, "metrics": {metric: v}} for s, v in values.items()]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def experiment(**changes: Any) -> Experiment:
    return tiny_experiment({**TWO_STAGES, **changes})


def test_the_last_value_before_the_first_adversarial_update_is_compared_with_the_end(
    tmp_path: Path,
) -> None:
    """The generator's first adversarial update is step 7's: what was measured at 7 lies before."""
    values: dict[int, float | str | None] = {0: 3.0, 6: 2.0, 7: 1.0, 8: 4.0, 18: 5.0}
    folder = logged(tmp_path / "run", "nll_valid", values)
    effect = training_outcome(experiment(), folder)["adversarial"]
    assert (effect["before"], effect["before_step"]) == (1.0, 7)
    assert (effect["after"], effect["after_step"]) == (5.0, 18)


def test_values_that_are_missing_or_infinite(tmp_path: Path) -> None:
    values: dict[int, float | str | None] = {0: 3.0, 6: "inf", 7: None, 12: 4.0, 18: None}
    folder = logged(tmp_path / "run", "nll_valid", values)
    effect = training_outcome(experiment(), folder)["adversarial"]
    assert (effect["before"], effect["before_step"]) == (float("inf"), 6)
    assert (effect["after"], effect["after_step"]) == (4.0, 12)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({0: 0.0, 300: 0.0}, "was 0 at each of 2"),
        ({0: None, 300: None, 600: None}, "had no value at each of 3"),
        ({0: "inf", 300: "inf"}, "was inf at each of 2"),
        ({0: 0.0, 300: 0.0, 600: 0.01}, None),
        ({0: None, 300: 0.5}, None),
        ({0: 0.5}, None),
    ],
)
def test_standing_still(
    values: dict[int, float | str | None], said: str | None, tmp_path: Path
) -> None:
    warnings = training_outcome(experiment(), logged(tmp_path / "run", "nll_valid", values))
    assert len(warnings["warnings"]) == (said is not None)
    if said is not None:
        assert said in warnings["warnings"][0]


def test_without_a_rule_there_is_nothing_to_say(tmp_path: Path) -> None:
    folder = logged(tmp_path / "run", "nll_valid", {0: 1.0, 18: 1.0})
    outcome = training_outcome(experiment(**{"evaluation.select": {}}), folder)
    assert outcome == {"adversarial": None, "warnings": []}


ALONE: dict[str, Any] = {
    **dict.fromkeys(("critic", "objective", "estimator")),
    "schedule": [{"repeat": 6, "phases": {"mle": 1}}, {"repeat": 4, "phases": {"generator": 1}}],
}
GAMES: dict[str, tuple[dict[str, Any], str | None, int]] = {
    "mle": (
        {**ALONE, "game": {"name": "mle"}, "schedule": [{"repeat": 9, "phases": {"mle": 1}}]},
        None,
        0,
    ),
    "reward": (
        {
            **ALONE,
            "game": {"name": "reward", "scorer": "bleu", "order": 2},
            "estimator": {"name": "score_function"},
        },
        "reward phase",
        6,
    ),
    "jsdgan": ({**ALONE, "game": {"name": "jsdgan"}}, "divergence phase", 6),
    "dgsan": ({**ALONE, "game": {"name": "dgsan"}}, "adversarial phase", 6),
    "residual": (
        {
            "game": {"name": "residual"},
            "estimator": None,
            "schedule": [{"repeat": 3, "phases": {"mle": 1, "critic": 1, "distill": 1}}],
        },
        None,
        0,
    ),
    "evolution": (
        {
            "game": {"name": "adversarial", "evolution": {}},
            "schedule": [{"repeat": 4, "phases": {"critic": 2, "evolve": 1}}],
        },
        "adversarial phase",
        2,
    ),
    "infill": (
        {"game": {"name": "infill"}, "critic": {"name": "rnn", "embed": 4, "hidden": 4}},
        "adversarial phase",
        7,
    ),
    "cycle": ({**CIPHER, "evaluation.select": {}}, "cycle phase", 1),
    "pictures": ({**CONDITIONAL, "evaluation.select": {}}, "adversarial phase", 1),
    "autoencoder": ({**AUTOENCODER, "evaluation.select": {}}, None, 0),
}
"""A configuration → what its training is called from the first update on that is no likelihood (or
reconstruction), and the step that makes it."""


@pytest.mark.parametrize(("changes", "phase", "begins"), GAMES.values(), ids=GAMES.keys())
def test_every_game_knows_from_where_on_it_is_more_than_likelihood(
    changes: dict[str, Any], phase: str | None, begins: int
) -> None:
    config = tiny_experiment({**TWO_STAGES, **changes})

    def before(step: int) -> str | None:
        state = {"step": step, "players": {"generator": {"updates": 1}}}
        return reported_checkpoint(config, state, None, finished=True).before

    assert before(begins) == phase
    assert before(begins + 1) is None
