"""Names of earlier versions: refused with the new name, and read from their run folders."""

import re
from pathlib import Path
from typing import Any

import pytest
from tiny_runs import CIPHER, CYCLE, EVENTS, tiny_experiment, write_config

from seqgan.core import renamed
from seqgan.core.config import validate
from seqgan.core.errors import UserError
from seqgan.core.renamed import (
    new_key,
    new_metric,
    new_statistic,
    upgrade_budget,
    upgrade_config,
    upgrade_report,
)
from seqgan.study import StudyConfig, plan


@pytest.mark.parametrize(
    ("changes", "remedy"),
    [
        ({"objective.value": "prob"}, "objective.value: has another name now; write reward"),
        (
            {"players.critic.decay": [5, 9]},
            "write lr_decay: {start: 1, end: 0, after: 100, steps: 400} for decay: [100, 500]",
        ),
        (
            {"estimator": {"name": "softmax", "temperature": {"name": "constant", "value": 1.0}}},
            "write temperature: 0.7, or temperature: {start: 1.0, end: 0.3, steps: 300",
        ),
        (
            {"evaluation.judge": {"kind": "random"}, "seed": -1, "name": "a/b"},
            "evaluation.judge: has another name now; write feature_extractor",
        ),
        (
            {**CIPHER, "evaluation.select": {"metric": "usage_kl_a2b"}},
            "evaluation.select.metric='usage_kl_a2b': has another name now; write unigram_kl_a2b",
        ),
        (
            {"critic": {"name": "company"}},
            "critic.name=company: has another name now; write co_occ",
        ),
        (
            {"estimator.credit": {"name": "gae", "trace": 0.5}},
            "estimator.credit.trace: has another name now; write gae_lambda",
        ),
    ],
    ids=str,
)
def test_an_old_name_is_refused_with_the_new_one(changes: dict[str, Any], remedy: str) -> None:
    with pytest.raises(UserError) as caught:
        tiny_experiment(changes)
    message = str(caught.value)
    assert message.startswith("tiny: ")
    assert remedy in message
    assert "more)" not in message


@pytest.mark.parametrize(
    ("base", "metric", "now"),
    [
        ({}, "usage_kl_a2b", "unigram_kl_a2b"),
        (CYCLE, "kept_a2b", "label_preservation_a2b"),
        (EVENTS, "kept_b2a", "slot_recall_b2a"),
        (EVENTS, "slot_recall_b2a", None),
    ],
    ids=["any", "pictures", "events", "present"],
)
def test_a_study_names_present_metrics(
    base: dict[str, Any], metric: str, now: str | None, tmp_path: Path
) -> None:
    write_config(tmp_path / "base.yaml", base)
    tree = {"name": "s", "base": "base.yaml", "seeds": [0], "arms": [{"name": "a"}]}
    study = validate(StudyConfig, {**tree, "metrics": [metric]}, "s.yaml")
    if now is None:
        assert plan(study, tmp_path / "s.yaml", tmp_path / "s", [])
        return
    with pytest.raises(UserError, match=f"'{metric}' has another name now; write {now}"):
        plan(study, tmp_path / "s.yaml", tmp_path / "s", [])


def test_a_run_folder_of_an_earlier_version_is_read_as_if_written_today() -> None:
    former = {
        "data": {"name": "unpaired", "a": {"source": {"name": "faces", "judge": "10"}}},
        "critic": {"name": "company", "width": "4"},
        "objective": {"name": "wgan", "value": "logit"},
        "estimator": {"name": "softmax", "temperature": {"name": "constant", "value": "0.7"}},
        "probe": {
            "estimators": [
                {
                    "estimator": {
                        "name": "score_function",
                        "credit": {"name": "gae", "trace": "1"},
                    }
                },
                {
                    "estimator": {
                        "name": "softmax",
                        "temperature": {"name": "linear", "start": "1", "end": "2", "steps": "3"},
                    }
                },
            ]
        },
        "players": {"critic": {"decay": ["5", "9"]}, "generator": {"decay": None}},
        "game": {"demonstrations": {"share": "0.5", "steps": "3"}},
        "evaluation": {"select": {"metric": "usage_kl_a2b"}, "judge": {"kind": "auto"}},
    }
    assert upgrade_config(former) == {
        "data": {"name": "unpaired", "a": {"source": {"name": "faces", "extractor": "10"}}},
        "critic": {"name": "co_occurrence", "width": "4"},
        "objective": {"name": "wgan", "reward": "logit"},
        "estimator": {"name": "softmax", "temperature": "0.7"},
        "probe": {
            "estimators": [
                {
                    "estimator": {
                        "name": "score_function",
                        "credit": {"name": "gae", "gae_lambda": "1"},
                    }
                },
                {
                    "estimator": {
                        "name": "softmax",
                        "temperature": {"start": "1", "end": "2", "steps": "3", "shape": "linear"},
                    }
                },
            ]
        },
        "players": {
            "critic": {"lr_decay": {"start": 1, "end": 0, "after": 5, "steps": 4}},
            "generator": {},
        },
        "game": {"demonstrations": {"share": {"start": "0.5", "end": 0, "steps": "3"}}},
        "evaluation": {
            "select": {"metric": "unigram_kl_a2b"},
            "feature_extractor": {"kind": "auto"},
        },
    }


def test_what_is_written_today_stays_as_it_is() -> None:
    tree = tiny_experiment({}).model_dump()
    assert upgrade_config(tree) == tree
    assert new_key("players.critic.lr") is None


@pytest.mark.parametrize(
    ("old", "data", "new"),
    [
        ("copied", "text", "in_train"),
        ("copied", "unpaired_text", "copied"),
        ("usage_kl_b2a", None, "unigram_kl_b2a"),
        ("kept_a2b@cnn-12", "unpaired", "label_preservation_a2b@cnn-12"),
        ("kept_b2a", "events", "slot_recall_b2a"),
        ("symbols_total", None, "tokens_total"),
        ("scored", None, "critic_calls"),
        ("nll_test", "text", "nll_test"),
    ],
)
def test_metrics(old: str, data: str | None, new: str) -> None:
    assert new_metric(old, data) == new


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("generator/ahead", "generator/manager_alignment"),
        ("generator/followed", "generator/worker_reward"),
        ("generator/b/way_back_gradient", "generator/b/backward_gradient"),
        ("critic/accuracy", "critic/accuracy"),
    ],
)
def test_statistics(old: str, new: str) -> None:
    assert new_statistic(old) == new


def test_budgets_and_reports() -> None:
    assert upgrade_budget({"symbols": 1, "scored": 2, "seconds": 3}) == {
        "tokens": 1,
        "critic_calls": 2,
        "seconds": 3,
    }
    assert upgrade_report({"a": {"judge": {"pictures": 3}}, "common_symbols": 1}) == {
        "a": {"extractor": {"pictures": 3}},
        "common_tokens": 1,
    }


def test_the_changelog_names_every_former_name() -> None:
    text = (Path(__file__).parents[2] / "CHANGELOG.md").read_text(encoding="utf-8")
    section = text.split("\n## ")[1]
    keys = [re.findall(r"\w+", key.path)[-1] for key in renamed._KEYS]
    names = [*keys, *renamed._STATISTICS, *renamed._REPORT, *renamed._BUDGET]
    names += [name for _, name in renamed._NAMES]
    names += [re.split(r"\W", pattern)[0] for pattern, _ in renamed._METRICS]
    assert "judge_fraction" in names
    assert [name for name in names if name not in section] == []
