"""Which line translates which changes no update, no selection and no score that needs no truth."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_runs import (
    CIPHER,
    EVENTS,
    LANGUAGES,
    assert_same_tree,
    last_checkpoint,
    metric_lines,
    train,
    unpaired_text,
    write_config,
)

from seqgan.cli import run
from seqgan.core.errors import UserError
from seqgan.data.corpus import EncodedSplit
from seqgan.data.unpaired_text import UnpairedText
from seqgan.experiment import load_experiment
from seqgan.tasks.cipher.config import CipherDataConfig
from seqgan.tasks.events.config import EventsDataConfig
from seqgan.tasks.language_pair.config import LanguagePairConfig

pytestmark = pytest.mark.usefixtures("drawn_once")

CONFIGS = {
    "cipher": CipherDataConfig,
    "events": EventsDataConfig,
    "language_pair": LanguagePairConfig,
}

WITHOUT_TRUTH = (
    "label_free",
    "lm_nll",
    "unigram_kl",
    "round_trip",
    "shuffled",
    "copied",
    "distinct",
)
TRUTH = {
    "cipher": "accuracy_b2a",
    "events": "slot_f1_a2b",
    "files": "bleu_b2a",
    "co_occurrence": "bleu_b2a",
    "patience": "bleu_b2a",
}
RULE = {
    "evaluation": {
        "samples": 500,  # all of them: a part would not be the same part
        "samples_during_training": 500,
        "ngram_order": 2,
        "select": {"metric": "label_free", "mode": "min"},
    },
    "train.eval_every": 2,
    "train.log_every": 1,
    "players.generator": {"lr": 0.05},
}
# Starts from counts of the training text.
CO_OCCURRENCE = {**LANGUAGES, "generator": LANGUAGES["generator"] | {"co_occurrence_prior": 4.0}}
BASES = {
    "cipher": {**CIPHER, **RULE},
    "events": {**EVENTS, **RULE},
    "co_occurrence": {**CO_OCCURRENCE, **RULE},
    "patience": {
        **CO_OCCURRENCE,
        **RULE,
        "evaluation.select.patience": 2,
        "train.eval_every": 1,
        "players.generator": {"lr": 1.0},
    },
}


def permuted(part: EncodedSplit, seed: int) -> EncodedSplit:
    order = torch.randperm(len(part.lines), generator=torch.Generator().manual_seed(seed))
    lines = [part.lines[row] for row in order.tolist()]
    return EncodedSplit(part.ids_NT[order], part.mask_NT[order], lines)


def mispaired(load: Callable[[Any], UnpairedText]) -> Callable[[Any], UnpairedText]:
    """`build_text`, with the held-out rows of side b in another order."""

    def load_and_permute(config: Any) -> UnpairedText:
        text = load(config)
        valid, test = permuted(text.b.valid, 1), permuted(text.b.test, 2)
        assert valid.lines != text.b.valid.lines
        return replace(text, b=replace(text.b, valid=valid, test=test))

    return load_and_permute


def shuffle_lines(path: Path) -> None:
    lines = path.read_text().splitlines()
    path.write_text("".join(f"{line}\n" for line in lines[7:] + lines[:7]))


@pytest.fixture(scope="module")
def pair_of_runs(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """The same run with true and with other pairs."""
    name = request.param
    tmp_path = tmp_path_factory.mktemp(name)
    if name == "files":
        runs = []
        for folder in ("true", "other"):
            overrides = {**unpaired_text(tmp_path / f"{folder}-text"), **RULE}
            if folder == "other":
                for split in ("valid", "test"):
                    shuffle_lines(tmp_path / f"{folder}-text" / f"{split}.b")
            runs.append(train(tmp_path / folder, overrides))
        return runs[0], runs[1]
    base = BASES[name]
    true = train(tmp_path / "true", base)
    config = CONFIGS[base["data"]["name"]]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(config, "build_text", mispaired(config.build_text))
        return true, train(tmp_path / "other", base)


def without_truth(metrics: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if name.startswith(WITHOUT_TRUTH)}


def is_same(name: str, left: float, right: float) -> bool:
    """Bit for bit where the sources keep their order; else sums have another order."""
    if name.endswith("_a2b"):
        return left == right
    return left == pytest.approx(right, rel=1e-5)


@pytest.mark.parametrize("pair_of_runs", TRUTH, indirect=True)
def test_pairs_change_neither_training_nor_selection_but_the_truth_only(
    pair_of_runs: tuple[Path, Path], request: pytest.FixtureRequest
) -> None:
    left, right = pair_of_runs
    states = [last_checkpoint(folder) for folder in pair_of_runs]
    for part in ("players", "game", "rng"):
        assert_same_tree(states[0][part], states[1][part])
    best = [
        json.loads((folder / "checkpoints" / "best.json").read_text()) for folder in pair_of_runs
    ]
    assert best[0]["step"] == best[1]["step"]
    name_of_run = request.node.callspec.params["pair_of_runs"]
    assert states[0]["step"] == states[1]["step"]
    assert (states[0]["step"] < 12) == (name_of_run == "patience"), "it should have run out"
    truth = TRUTH[name_of_run]
    differences = 0
    compared = set()
    for a, b in zip(metric_lines(left), metric_lines(right), strict=True):
        if a["kind"] != "eval":
            assert a == b
            continue
        ours, theirs = without_truth(a["metrics"]), without_truth(b["metrics"])
        assert ours.keys() == theirs.keys()
        for name in ours.keys() - {"shuffled_b2a"}:  # its neighbours are others
            assert is_same(name, ours[name], theirs[name]), name
            compared.add(name)
        differences += a["metrics"][truth] != b["metrics"][truth]
    assert differences > 0, "the truth should have changed, or the test says nothing"
    assert {"label_free", "round_trip_a2b", "shuffled_a2b", "unigram_kl_b2a"} <= compared


@pytest.mark.parametrize("pair_of_runs", ["events"], indirect=True)
def test_the_final_report_has_other_truth_and_the_same_rest(
    pair_of_runs: tuple[Path, Path],
) -> None:
    rows = [json.loads((folder / "evaluation.json").read_text())["rows"] for folder in pair_of_runs]
    assert [row["label"] for row in rows[0]] == [row["label"] for row in rows[1]]
    changed = 0
    for ours, theirs in zip(*rows, strict=True):
        for name, value in ours["metrics"].items():
            if name.startswith(WITHOUT_TRUTH) and not name.startswith(("shuffled_b2a", "copied")):
                assert is_same(name.replace("_a2b", ""), value, theirs["metrics"][name]), name
            changed += value != theirs["metrics"][name]
    assert changed > 3


@pytest.mark.parametrize(
    ("base", "metric"),
    [
        (CIPHER, "accuracy_b2a"),
        (EVENTS, "strict_f1_a2b"),
        (EVENTS, "exact_a2b"),
        (EVENTS, "label_preservation_b2a"),
        (LANGUAGES, "word_accuracy_a2b"),
        (LANGUAGES, "lexicon_a2b"),
        (LANGUAGES, "bleu_a2b"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_nothing_is_selected_by_a_score_against_the_truth(
    base: dict[str, Any], metric: str, tmp_path: Path
) -> None:
    config = write_config(tmp_path / "c.yaml", base)
    load_experiment(config, ["evaluation.select.metric=label_free_b2a"])
    with pytest.raises(UserError) as caught:
        load_experiment(config, [f"evaluation.select.metric={metric}"])
    message = " ".join(str(caught.value).split())
    assert f"evaluation.select.metric='{metric}'" in message
    assert "label_free" in message
    assert f"{metric}," not in message


def test_a_refused_rule_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = write_config(tmp_path / "c.yaml", CIPHER)
    command = ["train", str(config), f"run.dir={tmp_path / 'run'}"]
    assert run([*command, "evaluation.select.metric=accuracy_b2a"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert not (tmp_path / "run").exists()
