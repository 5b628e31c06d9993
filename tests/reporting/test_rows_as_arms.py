"""Arms of a study that are rows of other arms' runs."""

from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf
from synthetic_runs import write_run
from tiny_runs import tiny_tree

from seqgan.core.config import validate
from seqgan.core.errors import UserError
from seqgan.reporting.corrections import certificate_lines
from seqgan.reporting.html import render_report
from seqgan.reporting.outcomes import checkpoint_warnings
from seqgan.reporting.statistics import paired_difference
from seqgan.study import StudyConfig, arms_of, plan

CORRECTED: dict[str, Any] = {"name": "exact", "runs_of": "game", "row": "corrected (exact)"}
"""An arm that is another row of the runs of arm `game`."""


def study_of(*arms: dict[str, Any], **changed: Any) -> StudyConfig:
    tree = {"name": "s", "base": "base.yaml", "seeds": [0, 1], "arms": list(arms), **changed}
    return validate(StudyConfig, tree, "study.yaml")


def test_an_arm_can_be_another_row_of_the_runs_of_one_arm(tmp_path: Path) -> None:
    """Likelihood and game are trained; the corrected generator is a row of what the game's runs
    measured, compared with the likelihood seed by seed, at what those runs took."""
    (tmp_path / "base.yaml").write_text(OmegaConf.to_yaml(OmegaConf.create(tiny_tree())))
    study = study_of({"name": "likelihood"}, {"name": "game"}, CORRECTED, baseline="likelihood")
    runs = plan(study, tmp_path / "study.yaml", tmp_path / "out", [])
    assert [(run.arm, run.seed) for run in runs] == [
        *[("likelihood", 0), ("game", 0)],
        *[("likelihood", 1), ("game", 1)],
    ]
    for run in runs:
        better = {"label": "corrected (exact)", "metrics": {"jsd": 0.1 * (1 + run.seed)}}
        rows = [{"label": "T = 1", "selected": True, "metrics": {"jsd": 0.5}}, better]
        said = {"warnings": ["of the generator"], "correction": {"sentence": "it helps"}}
        said["correction"]["samples"] = {"corrected (exact)": ["b b"]}
        write_run(run.folder, run.seed, rows=rows if run.arm == "game" else rows[:1], reported=said)
    likelihood, game, exact = arms_of(study, runs)
    assert game.values_by_seed("jsd") == {0: 0.5, 1: 0.5}
    assert exact.values_by_seed("jsd") == {0: 0.1, 1: 0.2}
    assert exact.values_by_seed("seconds_total") == game.values_by_seed("seconds_total")
    gap = paired_difference(exact.values_by_seed("jsd"), likelihood.values_by_seed("jsd"))
    assert gap.mean == pytest.approx(-0.35)
    assert exact.finished[0].samples == ["b b"]
    assert not checkpoint_warnings([exact]), "they are of the generator"
    assert certificate_lines([game, exact]) == certificate_lines([game])
    page = render_report("s", [likelihood, game, exact], "likelihood", ["jsd"])
    assert "4 runs" in page, "the game's are counted once"


@pytest.mark.parametrize(
    ("arm", "message"),
    [
        ({"name": "exact", "row": "corrected (exact)"}, "runs_of and row go together"),
        ({**CORRECTED, "set": {"train.batch_size": 4}}, "so it has no base and no set"),
        ({**CORRECTED, "runs_of": "gone"}, "no such arm with runs of its own; choose from: game"),
        ({**CORRECTED, "runs_of": "exact"}, "no such arm with runs of its own; choose from: game"),
    ],
)
def test_a_row_of_other_runs_is_refused_where_there_are_none(
    arm: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        study_of({"name": "game"}, arm)
