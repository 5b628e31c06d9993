"""A room may only look down: the imports of every module, by its place in the layers.

    core                                                              0
    decoding                                                          1
    translate, models, objectives, estimators, data, metrics, training, tasks 2
    games, evaluation, reporting                                      3
    compatibility, experiment, assembly, probe, runs, study, comparison 4
    lectures                                                          5
    cli, study_child, __main__                                        6

Packages of one rank do not know each other; at rank 2 they may read each other's `…config` modules,
which are torch-free, and `tasks` builds on `data` and `metrics`. The methods `build…` of a `config`
module are wiring, run from above: what they import inside, or under TYPE_CHECKING for their
signatures, may come from any package up to rank 3.
`reporting` reads run folders only, so it knows `core` and itself.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from tiny_runs import write_config

import seqgan

ROOT = Path(seqgan.__file__).parent
RANKS = {
    0: ("core",),
    1: ("decoding",),
    2: (
        *("translate", "models", "objectives", "estimators"),
        *("data", "metrics", "training", "tasks"),
    ),
    3: ("games", "evaluation", "reporting"),
    4: (
        *("compatibility", "experiment", "assembly", "probe"),
        *("runs", "study", "comparison"),
    ),
    5: ("lectures",),
    6: ("cli", "study_child", "__main__"),
}
RANK = {room: rank for rank, rooms in RANKS.items() for room in rooms}


def imports(tree: ast.Module) -> Iterator[str]:
    """Dotted names of our own modules that are imported, wherever in the file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("seqgan"))
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where they lead"
            module = node.module or ""
            if module == "seqgan":
                yield from (f"seqgan.{alias.name}" for alias in node.names)
            elif module.startswith("seqgan."):
                yield module


def complaints(module: str, tree: ast.Module) -> list[str]:
    """What `module` (dotted, without `seqgan.`) imports and may not."""
    room = module.split(".")[0]
    wrong = []
    if module.split(".")[-1].endswith("config"):
        tree, wiring = without_builds(tree)
        wrong += [
            f"{module} imports {name} in build"
            for part in wiring
            for name in imports(part)
            if RANK.get(name.removeprefix("seqgan.").split(".")[0], 9) > 3
        ]
    for name in imports(tree):
        target = name.removeprefix("seqgan").lstrip(".")
        other = target.split(".")[0]
        if other not in RANK:  # the version, or something that has no place yet
            if target not in ("", "__version__"):
                wrong.append(f"{module} imports {name}, which has no layer")
        elif not allowed(room, other, target):
            wrong.append(f"{module} imports {name}")
    return wrong


def without_builds(tree: ast.Module) -> tuple[ast.Module, list[ast.Module]]:
    """A module without the bodies of its methods `build…` and the types of their arguments, and
    those bodies."""
    bodies = []
    for node in ast.walk(tree):
        is_build = isinstance(node, ast.FunctionDef) and node.name.startswith("build")
        if is_build or (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            bodies.append(ast.Module(node.body, []))
            node.body = [ast.Pass()]
    return tree, bodies


def allowed(room: str, other: str, target: str) -> bool:
    if room == other:
        return True
    if room == "reporting":
        return other == "core"
    if RANK[other] < RANK[room]:
        return True
    if RANK[other] > RANK[room] or RANK[room] == 3:
        return False
    if room == "tasks" and other in ("data", "metrics"):
        return True
    return RANK[room] >= 4 or (RANK[room] == 2 and target.endswith("config"))


SHARED = ("games", "objectives", "estimators", "training", "metrics", "reporting")
"""Rooms in which pictures and sequences are one: what differs is handed in by `build`."""


def modality_branches(tree: ast.AST) -> list[int]:
    """Lines that ask what kind of space something is."""
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "isinstance"
        and any(name in ast.unparse(node.args[1]) for name in ("SequenceSpace", "ArraySpace"))
    ]


@pytest.mark.parametrize("room", SHARED)
def test_shared_code_does_not_ask_whether_it_has_pictures(room: str) -> None:
    found = {
        str(path.relative_to(ROOT)): lines
        for path in (ROOT / room).rglob("*.py")
        if (lines := modality_branches(ast.parse(path.read_text(encoding="utf-8"))))
    }
    assert found == {}


def test_a_question_for_the_modality_is_seen() -> None:
    assert modality_branches(ast.parse("x = 1\nif isinstance(a.space, SequenceSpace): pass")) == [2]
    assert modality_branches(ast.parse("isinstance(a, (str, ArraySpace))")) == [1]
    assert modality_branches(ast.parse("isinstance(a, Player)")) == []


def modules() -> list[tuple[str, Path]]:
    paths = [p for p in sorted(ROOT.rglob("*.py")) if p.name != "__init__.py"]
    return [(".".join(p.relative_to(ROOT).with_suffix("").parts), p) for p in paths]


def test_every_room_has_a_layer() -> None:
    assert {module.split(".")[0] for module, _ in modules()} == set(RANK)


@pytest.mark.parametrize(("module", "path"), modules(), ids=[name for name, _ in modules()])
def test_a_module_imports_from_lower_layers_only(module: str, path: Path) -> None:
    assert complaints(module, ast.parse(path.read_text(encoding="utf-8"))) == []


def without_circles(sources: dict[str, str]) -> None:
    """Raises `CycleError` where modules import each other in a circle, types and wiring aside."""
    trees = {module: without_builds(ast.parse(source))[0] for module, source in sources.items()}
    TopologicalSorter({module: read(tree) & set(trees) for module, tree in trees.items()}).prepare()


def read(tree: ast.Module) -> set[str]:
    """Names of modules that may be imported, also as `from package import module`."""
    names = set(imports(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.removeprefix("seqgan.") for name in names}


def test_no_modules_import_each_other_in_a_circle() -> None:
    without_circles({module: path.read_text(encoding="utf-8") for module, path in modules()})


def test_a_circle_is_seen() -> None:
    lazily = "def f():\n    from seqgan.core.b import x"
    with pytest.raises(CycleError):
        without_circles({"core.a": lazily, "core.b": "from seqgan.core.a import y"})
    with pytest.raises(CycleError):
        without_circles({"core.a": lazily, "core.b": "from seqgan.core import a"})


@pytest.mark.parametrize("path", sorted(ROOT.rglob("__init__.py")), ids=str)
def test_a_package_imports_nothing_before_it_is_used(path: Path) -> None:
    """What it offers comes from its own room, or of the whole package from any, by core.lazy."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    offered = [node for node in tree.body if isinstance(node, ast.If)]
    eager = ast.Module([node for node in tree.body if node not in offered], [])
    assert set(imports(eager)) <= {"seqgan.core.lazy"}
    package = ".".join(("seqgan", *path.relative_to(ROOT).parent.parts[:1]))
    for name in imports(ast.Module(list(offered), [])):
        assert name.startswith(package)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("core.masks", "import seqgan.decoding"),
        ("data.config", "def f():\n    from seqgan.evaluation.text import TextEvaluator"),
        ("data.config", "def build(self):\n    from seqgan.experiment import Experiment"),
        ("data.corpus", "def build(self):\n    from seqgan.evaluation.text import TextEvaluator"),
        ("decoding", "def f():\n    from seqgan.models.layers import Block"),
        ("training.trainer", "from seqgan.games.mle import MleGame"),
        ("estimators.credit", "from seqgan.models.layers import Block"),
        ("games.mle", "from seqgan.evaluation.base import Metrics"),
        ("data.pictures", "from seqgan.tasks.faces.drawing import draw_faces"),
        ("tasks.faces.drawing", "from seqgan.evaluation.pictures import Detect"),
        ("reporting.html", "from seqgan.metrics import exact_bleu"),
        ("metrics.exact_bleu", "from seqgan import experiment"),
        ("runs.train", "from seqgan.cli import run"),
        ("study", "from seqgan.lectures.stage import play"),
        ("evaluation.base", "from seqgan.nowhere import x"),
    ],
)
def test_the_rules_notice(module: str, source: str) -> None:
    assert len(complaints(module, ast.parse(source))) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("models.oracles", "from seqgan.data.oracle_config import OracleConfig"),
        ("runs.train", "import seqgan\nfrom seqgan.assembly import build_game"),
        ("estimators.credit", "from seqgan.decoding import continuations"),
        ("data.config", "from seqgan.tasks.faces.config import FacesSourceConfig"),
        ("tasks.cipher.baselines", "from seqgan.data.unpaired_text import UnpairedText"),
    ],
)
def test_the_rules_allow(module: str, source: str) -> None:
    assert complaints(module, ast.parse(source)) == []


# ── Torch stays away ──────────────────────────────────────────────────────────────────────────


_GUARD = """
import sys
class Guard:
    def find_spec(self, name, *_):
        if name == "torch":
            raise RuntimeError("torch is imported")
sys.meta_path.insert(0, Guard())
"""


def run_without_torch(source: str) -> str:
    """Run Python in a process where `import torch` fails."""
    done = subprocess.run(
        [sys.executable, "-c", _GUARD + source],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_validation_comes_before_torch(tmp_path: Path, finished_run: Path) -> None:
    """One process: configurations, plans, reports, scores, and everything that is refused."""
    good = write_config(tmp_path / "good.yaml")
    bad = write_config(tmp_path / "bad.yaml", {"generator.hiden": 3})
    clash = write_config(tmp_path / "clash.yaml", {"estimator.credit": {"name": "per_step"}})
    (tmp_path / "lines.txt").write_text("a b c\nb c d\n")
    arms = [{"name": "a"}, {"name": "b", "set": {"estimator": {"name": "soft_gumbel"}}}]
    study = {"name": "s", "base": "good.yaml", "seeds": [0, 1], "arms": arms}
    (tmp_path / "study.yaml").write_text(OmegaConf.to_yaml(study))
    wrong = {**study, "arms": [{"name": "a", "set": {"generator.name": "gruu"}}]}
    (tmp_path / "wrong.yaml").write_text(OmegaConf.to_yaml(wrong))
    enumerable = ROOT.parent / "configs" / "oracle" / "enumerable.yaml"
    source = f"""
from pathlib import Path
from seqgan.cli import run
from seqgan.study import load_study, plan
folder = Path({str(tmp_path)!r})
assert run(["config", {str(enumerable)!r}]) == 0
assert run(["lecture"]) == 0
assert run(["lecture", "99"]) == 2
assert run(["train", {str(bad)!r}]) == 2
assert run(["train", {str(clash)!r}]) == 2
assert run(["train", {str(good)!r}, "seed=x"]) == 2
assert run(["train", str(folder / "missing.yaml")]) == 2
assert run(["compare", str(folder / "wrong.yaml"), "--dir", str(folder / "s")]) == 2
assert run(["sample", {str(finished_run)!r}, "--temperature", "0"]) == 2
assert len(plan(load_study(folder / "study.yaml"), folder / "study.yaml", folder / "s", [])) == 4
assert run(["report", {str(finished_run)!r}, "-o", str(folder / "r.html")]) == 0
lines = str(folder / "lines.txt")
assert run(["score", "--hyp", lines, "--ref", lines]) == 0
print("done")
"""
    assert run_without_torch(source).endswith("done\n")
    assert not (tmp_path / "s").exists()


def test_the_guard_notices_torch() -> None:
    with pytest.raises(AssertionError, match="torch is imported"):
        run_without_torch("import seqgan.runs.train")


def test_every_config_module_is_torch_free() -> None:
    names = [module for module, _ in modules() if module.endswith("config")]
    assert len(names) >= 12
    lines = [f"import seqgan.{name}" for name in names]
    run_without_torch("\n".join([*lines, "import seqgan.experiment", "import seqgan.comparison"]))
