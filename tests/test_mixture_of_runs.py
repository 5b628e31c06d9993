"""The script that mixes the generators of runs, token by token."""

from pathlib import Path
from statistics import mean, stdev
from typing import Any

import pytest
import torch
from load_script import load_script
from tiny_runs import text_data, train

import seqgan
from seqgan.core.errors import UserError

MLE = {
    "game": {"name": "mle"},
    "critic": None,
    "objective": None,
    "estimator": None,
    "schedule": [{"repeat": 3, "phases": {"mle": 1}}],
}


@pytest.fixture(scope="module")
def script() -> Any:
    return load_script("mixture_of_runs")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp("mixture")
    data = text_data(root / "text.txt")
    return [train(root / f"run{seed}", {**data, **MLE, "seed": seed}) for seed in (0, 1)]


def test_a_run_mixed_with_itself_gains_nothing(script, folders, capsys) -> None:
    script.main([folders[0], folders[0]])
    assert "0.000 ± 0.000 nats per sentence" in capsys.readouterr().out


def test_the_mixture_is_the_mean_of_the_next_tokens_probabilities(script, folders, capsys) -> None:
    script.main(folders)
    printed = capsys.readouterr().out.splitlines()
    runs = [seqgan.open_run(folder) for folder in folders]
    test = runs[0].experiment.data.build_corpus(runs[0].tokenizer).test
    total, gains = 0.0, []
    for ids_T, mask_T in zip(test.ids_NT, test.mask_NT, strict=True):
        with torch.no_grad():
            p_KTV = torch.stack([run.generator(ids_T[None])[0].softmax(-1) for run in runs])
        mixed, alone = 0.0, 0.0
        for column in range(int(mask_T.sum())):
            p_K = p_KTV[:, column, ids_T[column]].double()
            mixed += float(p_K.mean().log())
            alone += float(p_K[0].log())
        total -= mixed
        gains.append(mixed - alone)
    assert printed[2] == f"mixture  nll_test {total / int(test.mask_NT.sum()):.4f}"
    gain, half = mean(gains), 1.96 * stdev(gains) / len(gains) ** 0.5
    assert half > 0.001
    assert printed[3] == f"{gain:.3f} ± {half:.3f} nats per sentence below {folders[0]}"


def test_runs_of_other_texts_are_refused(script, folders, tmp_path) -> None:
    other = train(tmp_path / "other", {**text_data(tmp_path / "text.txt"), **MLE})
    with pytest.raises(UserError, match="give runs of one `data`"):
        script.main([folders[0], other])
