"""Parts by import path: as good as shipped ones in checks, print-outs and messages."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf
from tiny_runs import tiny_experiment, tiny_tree, write_config

import seqgan
from seqgan.cli import run
from seqgan.core.config import describe, validate
from seqgan.core.errors import UserError
from seqgan.core.extensions import load_class
from seqgan.estimators.config import PpoConfig
from seqgan.experiment import Experiment

MODULE = '''
from typing import Annotated

from pydantic import Field

from seqgan.estimators.advantages_config import MovingAverageConfig
from seqgan.estimators.policy_gradient_config import PpoConfig
from seqgan.core.config import Config
from seqgan.estimators.base_config import CriticEstimatorConfig
from seqgan.objectives.config import R1Config


class Slow(PpoConfig):
    """PPO that takes its time."""

    patience: Annotated[float, Field(gt=0)] = 2.0
    """Seconds that it waits."""


class Mean(MovingAverageConfig):
    """A baseline of one's own."""


class Half(R1Config):
    """Half of it."""

    half: int = 2
    """Which half."""


class Plain(Config):
    """Of no kind."""


class Unbuilt(CriticEstimatorConfig):
    """Nothing builds it."""


NUMBER = 3
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder to work in that holds the package `my_lab`."""
    (tmp_path / "my_lab").mkdir()
    (tmp_path / "my_lab" / "parts.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    for name in [name for name in sys.modules if name.split(".")[0] == "my_lab"]:
        del sys.modules[name]
    load_class.__globals__["_named"].cache_clear()


OWN = {
    "estimator": {
        "name": "my_lab.parts:Slow",
        "patience": 3,
        "baseline": {"name": "my_lab.parts:Mean"},
    },
    "penalties": [{"name": "my_lab.parts:Half", "half": 1}, {"name": "weight_clip"}],
}


def complaint(overrides: dict[str, Any]) -> str:
    with pytest.raises(UserError) as caught:
        tiny_experiment(overrides)
    message = str(caught.value)
    assert "\n" not in message
    return message.removeprefix("tiny: ")


def test_own_classes_are_found_at_every_depth(folder: Path) -> None:
    experiment = tiny_experiment(OWN)
    estimator: Any = experiment.estimator
    assert isinstance(estimator, PpoConfig)
    assert type(estimator).__name__ == "Slow"
    assert (estimator.patience, estimator.epochs) == (3.0, 2)
    assert estimator.baseline.name == "my_lab.parts:Mean"
    assert [penalty.name for penalty in experiment.penalties] == [
        "my_lab.parts:Half",
        "weight_clip",
    ]


def test_a_run_keeps_the_path_and_reads_it_again(folder: Path) -> None:
    experiment = tiny_experiment(OWN)
    tree = experiment.model_dump()
    assert tree["estimator"]["name"] == "my_lab.parts:Slow"
    assert tree["penalties"][0] == {
        "name": "my_lab.parts:Half",
        "weight": 1.0,
        "half": 1,
        "every": 1,
    }
    assert validate(Experiment, tree, "again") == experiment
    assert experiment != tiny_experiment({**OWN, "estimator.patience": 4})
    printed = OmegaConf.create("\n".join(describe(experiment)))
    assert validate(Experiment, printed, "printed") == experiment


def test_the_print_out_documents_own_fields(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_config(folder / "c.yaml", OWN)
    assert run(["config", str(path), "estimator.patience=7"]) == 0
    lines = capsys.readouterr().out.splitlines()
    patience = lines.index("  patience: 7.0")
    assert lines[patience - 1] == "  # Seconds that it waits."


def test_objects_made_in_python_are_parts_too(folder: Path) -> None:
    found = load_class("my_lab.parts:Slow").__base__
    baseline = load_class("my_lab.parts:Mean").__base__
    assert found is not None
    assert baseline is not None
    tree = tiny_experiment(OWN).model_dump()
    estimator = found(name="ppo", patience=3.0, baseline=baseline())
    assert Experiment.model_validate({**tree, "estimator": estimator}) == tiny_experiment(OWN)


@pytest.mark.parametrize(
    ("overrides", "parts"),
    [
        ({"estimator.name": "my_lab.Parts"}, ["unknown name"]),
        ({"estimator.name": "my_lab/parts.py:Slow"}, ["no import path", "MODULE:CLASS"]),
        ({"estimator.name": "my_lav.parts:Slow"}, ["no module my_lav", "PYTHONPATH"]),
        ({"estimator.name": "my_lab.part:Slow"}, ["no module my_lab.part "]),
        ({"estimator.name": "my_lab.parts:Slo"}, ["parts.py has no Slo", "did you mean 'Slow'"]),
        ({"estimator.name": "my_lab.parts:NUMBER"}, ["is no subclass of"]),
        ({"estimator.name": "my_lab.parts:Half"}, ["is no subclass of EstimatorConfig"]),
        ({"estimator.name": "my_lab.parts:Unbuilt"}, ["has no method build_estimator"]),
        ({"estimator.name": "pathlib:Path"}, ["is no subclass of"]),
        ({"estimator.name": "my_lab.bad:Slow"}, ["bad.py, line 2: ZeroDivisionError: division"]),
        ({"estimator.name": "my_lab.torn:Slow"}, ["torn.py, line 1: SyntaxError: "]),
        ({"estimator.name": "my_lab.poor:Slow"}, ["poor.py, line 1: ModuleNotFoundError: "]),
    ],
    ids=str,
)
def test_what_cannot_be_imported_is_one_line(
    overrides: dict[str, Any], parts: list[str], folder: Path
) -> None:
    (folder / "my_lab" / "bad.py").write_text("import json\nx = 1 / 0\n")
    (folder / "my_lab" / "torn.py").write_text("class :\n")
    (folder / "my_lab" / "poor.py").write_text("import nowhere_at_all\n")
    message = complaint(overrides)
    assert message.startswith(f"estimator.name='{overrides['estimator.name']}': ")
    for part in parts:
        assert part in message


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ({"estimator.patients": 1}, "estimator.patients=1: unknown key; did you mean 'patience'?"),
        ({"estimator.patience": -1}, "estimator.patience=-1: input should be greater than 0"),
        ({"estimator.patience": "x"}, "estimator.patience='x': input should be a valid number"),
        ({"estimator.credit.name": "no"}, "estimator.credit.name='no': unknown name; choose"),
        ({"penalties.0.half": "x"}, "penalties.0.half='x': input should be a valid integer"),
    ],
    ids=str,
)
def test_mistakes_in_own_sections_are_named_as_in_shipped_ones(
    overrides: dict[str, Any], expected: str, folder: Path
) -> None:
    tree = OmegaConf.create(tiny_tree(OWN))
    for key, value in overrides.items():
        OmegaConf.update(tree, key, value)
    with pytest.raises(UserError) as caught:
        validate(Experiment, tree, "tiny")
    assert str(caught.value).removeprefix("tiny: ").startswith(expected)


def test_every_union_of_named_parts_takes_import_paths() -> None:
    package = Path(seqgan.__file__).parent
    own = {
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if "discriminator=" in path.read_text(encoding="utf-8")
    }
    assert own == {"core/extensions.py"}


@pytest.mark.parametrize(
    ("field", "overrides", "expected"),
    [
        ("data.oracle", {"data.oracle.name": "my_lab.parts:Plain"}, "is no subclass of OraclePart"),
        (
            "data.tokenizer",
            {"data": {"name": "text", "path": "x", "tokenizer": {"name": "my_lab.parts:Plain"}}},
            "is no subclass of TokenizerPart",
        ),
    ],
)
def test_a_class_of_another_kind_is_refused(
    field: str, overrides: dict[str, Any], expected: str, folder: Path
) -> None:
    assert complaint(overrides).startswith(f"{field}.name='my_lab.parts:Plain': {expected}")


@pytest.mark.parametrize(
    ("scorer", "expected"),
    [
        ("bleuu", "unknown; did you mean 'bleu'? choose from: bleu, oracle, or MODULE:NAME"),
        ("my_lab.parts:NUMBER", "is no function and no class; name one"),
        ("my_lab.rewards:f", "no module my_lab.rewards is installed or in "),
    ],
)
def test_a_scorer_is_a_name_or_can_be_called(scorer: str, expected: str, folder: Path) -> None:
    message = complaint({"game": {"name": "reward", "scorer": scorer}})
    assert message.startswith(f"game.scorer='{scorer}': {expected}")
