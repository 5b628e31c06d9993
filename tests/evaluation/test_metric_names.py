"""The names a selection rule may use are the names that validation measures."""

from pathlib import Path

import torch

from seqgan.assembly import build_game, build_task
from seqgan.data.corpus_config import TextDataConfig
from seqgan.data.oracle_config import OracleDataConfig
from seqgan.evaluation.base import DecodingSetting
from seqgan.experiment import load_experiment

CONFIGS = Path(__file__).parents[2] / "configs"


def measured(path: Path, overrides: list[str]) -> list[str]:
    experiment = load_experiment(path, overrides)
    device = torch.device("cpu")
    data = build_task(experiment, device, None)
    with build_game(experiment, data, device).players["generator"].evaluated() as generator:
        metrics = data.evaluator.generated(generator, "valid", 20, DecodingSetting())
    real = data.evaluator.real("valid", 20)
    assert set(real) <= set(metrics)
    return sorted(metrics)


def test_oracle_metrics():
    overrides = ["data.train=50", "data.valid=20", "data.test=20"]
    found = measured(CONFIGS / "oracle/enumerable.yaml", overrides)
    assert found == sorted(OracleDataConfig.metrics)


def test_text_metrics(tmp_path):
    text = tmp_path / "sentences.txt"
    text.write_text("".join(f"the cat number {i} sat on mat {i % 7}\n" for i in range(60)))
    found = measured(CONFIGS / "corpus/starter.yaml", [f"data.path={text}"])
    assert found == sorted(TextDataConfig.metrics)
