"""seqgan from Python: the names that it offers, and what they cost before they are used."""

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tiny_runs import write_text

import seqgan

ROOT = Path(seqgan.__file__).parent
LAZY = ("seqgan", *(f"seqgan.{name}" for name in ("estimators", "metrics", "objectives")))
LAZY += ("seqgan.models.critics", "seqgan.models.generators")


def python(source: str) -> str:
    """What a new process prints."""
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_takes_under_50_milliseconds() -> None:
    """Processor time of the fastest of five processes: the machine may be busy."""
    source = (
        "import time; start = time.process_time(); import seqgan; "
        "print(time.process_time() - start)"
    )
    assert min(float(python(source)) for _ in range(5)) < 0.05


def test_looking_at_what_there_is_loads_neither_torch_nor_numpy() -> None:
    source = (
        "import sys, seqgan; dir(seqgan); [dir(getattr(seqgan, name)) for name in "
        "('estimators', 'metrics', 'objectives', 'critics', 'generators')]; "
        "print({'torch', 'numpy', 'pydantic'} & set(sys.modules))"
    )
    assert python(source) == "set()\n"


@pytest.mark.parametrize("package", LAZY)
def test_every_public_name_can_be_imported(package: str) -> None:
    module = importlib.import_module(package)
    public = [name for name in dir(module) if not name.startswith("_")]
    assert len(public) > 3
    assert not {"TYPE_CHECKING", "attach", "os"} & set(public)
    for name in public:
        assert getattr(module, name) is not None


@pytest.mark.parametrize("package", LAZY)
def test_public_names_are_exported_for_type_checkers_too(package: str) -> None:
    """A name that is not imported `as` itself is none of the package's for a strict checker."""
    path = ROOT.parent / package.replace(".", "/") / "__init__.py"
    block = next(node for node in ast.parse(path.read_text()).body if isinstance(node, ast.If))
    for node in block.body:
        assert isinstance(node, ast.ImportFrom)
        assert all(alias.asname == alias.name for alias in node.names)


def test_a_name_that_there_is_not_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"'seqgan\.estimators' has no attribute 'Reinforce'"):
        _ = seqgan.estimators.Reinforce  # type: ignore[attr-defined]
    with pytest.raises(ImportError, match="cannot import name 'trane'"):
        exec("from seqgan import trane")


def test_the_page_in_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Block after block, on a corpus and with networks that take a second."""
    page = (ROOT.parent / "docs" / "python.md").read_text(encoding="utf-8")
    quick = [
        *(f"data.path={write_text(tmp_path / 'lines.txt')}", "device=cpu", "data.length=6"),
        *("generator={name: gru, embed: 4, hidden: 8}", "train.batch_size=8"),
        *("schedule=[{repeat: 2, phases: {mle: 1, critic_mle: 1, generator: 1}}]",),
        *("evaluation.samples=32", "train.threads=1"),
        *("data.valid_fraction=0.2", "data.test_fraction=0.2"),  # enough for a certificate
    ]
    tiny = page.replace('["data.path=my_sentences.txt"]', repr(quick))
    assert tiny != page
    (tmp_path / "configs").symlink_to(ROOT.parent / "configs")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    blocks = re.findall(r"(?s)```python\n(.*?)```", tiny)
    for block in blocks:
        exec(compile(block, "docs/python.md", "exec"), names)
    assert len(blocks) > 4
    assert names["run"].folder == Path("runs/mine")
    assert len(names["lines"]) == 20
    assert names["score"].tokens > 0
    assert names["result"]["notes"]["samples"] == 100
    assert names["rollout"].ids_BT.shape == (8, names["run"].space.length)


def test_arguments_that_no_experiment_or_study_can_have_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything runs: a study of no jobs would wait for ever."""
    configs = ROOT.parent / "configs"
    with pytest.raises(seqgan.UserError, match=r"overrides='seed=1': is one string; give a list"):
        seqgan.load_experiment(configs / "oracle" / "enumerable.yaml", "seed=1")
    monkeypatch.setattr("seqgan.comparison.run_study", lambda *_: pytest.fail("runs were started"))
    study, folder = configs / "studies" / "estimators_tiny.yaml", tmp_path / "study"
    wrong: list[dict[str, Any]] = [{"jobs": 0}, {"overrides": "seed=1"}, {"arms": "likelihood"}]
    for arguments in wrong:
        with pytest.raises(seqgan.UserError, match=f"^{next(iter(arguments))}="):
            seqgan.compare(study, folder, **arguments)
    assert not folder.exists()
