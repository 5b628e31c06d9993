"""Checkpoints: exact, atomic, bounded in number, and never pickled."""

import ast
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_runs import assert_same_tree

import seqgan
from seqgan.core.errors import UserError
from seqgan.training import checkpoint
from seqgan.training.checkpoint import Checkpoints, DamagedCheckpoint, load_tree, save_tree

TREE: dict[Any, Any] = {
    "step": 7,
    "seconds": 0.1,
    "flag": True,
    "name": "ü",
    "nothing": None,
    "empty": {},
    3: {"exp_avg": torch.randn(2, 3), "step": torch.tensor(4.0)},
    "pair": (torch.arange(3), [1, (2, None)]),
    "rng": torch.get_rng_state(),
    "half": torch.ones(2, dtype=torch.bfloat16),
    "mask": torch.tensor([True, False]),
    "infinite": torch.tensor([float("inf"), float("nan")]).nan_to_num(nan=0.0),
}


def test_a_nested_tree_comes_back_bit_for_bit(tmp_path: Path) -> None:
    save_tree(TREE, tmp_path / "step-00000007")
    assert_same_tree(load_tree(tmp_path / "step-00000007"), TREE)


def test_every_tensor_comes_back_in_memory_as_torch_allocates_it(tmp_path: Path) -> None:
    """Not where it stands in the file: a product of numbers at other places may round otherwise,
    and a resumed run would not be the same."""
    save_tree(
        {"odd": torch.ones(3, dtype=torch.uint8), "x": torch.ones(5), "y": torch.ones(5)},
        tmp_path / "c",
    )
    tree = load_tree(tmp_path / "c")
    assert all(tensor.data_ptr() % 64 == 0 for tensor in tree.values())


def test_views_and_shared_tensors_are_stored_apart(tmp_path: Path) -> None:
    base = torch.randn(4, 4)
    tree = {"row": base[1], "transposed": base.T, "same": base, "again": base}
    save_tree(tree, tmp_path / "t")
    assert_same_tree(load_tree(tmp_path / "t"), tree)


def test_what_cannot_be_stored_plainly_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="cannot hold set"):
        save_tree({"a": {1, 2}}, tmp_path / "t")
    assert not (tmp_path / "t").exists()


def test_the_files_are_safetensors_and_json_only(tmp_path: Path) -> None:
    save_tree(TREE, tmp_path / "t")
    names = sorted(path.name for path in (tmp_path / "t").iterdir())
    assert names == ["SHA256SUMS", "state.json", "tensors.safetensors"]


def state(step: int, x: torch.Tensor | None = None) -> dict[str, Any]:
    """The least that a training state holds."""
    module = {} if x is None else {"x": x}
    return {"step": step, "players": {"generator": {"updates": step, "module": module}}}


@pytest.mark.parametrize(
    "tree",
    [
        [],
        state(2),
        {"step": 1},
        {"step": 1, "players": {}},
        {"step": 1, "players": {"generator": 5}},
        {"step": 1, "players": {"generator": {"updates": 1, "module": {"x": 1}}}},
        {**state(1), "best": 5},
    ],
    ids=str,
)
def test_a_checkpoint_that_holds_no_training_state_is_damaged(tmp_path: Path, tree: Any) -> None:
    """As one of a former version, without checksums, may be."""
    checkpoints = Checkpoints(tmp_path, keep=2)
    save_tree(tree, checkpoints.path(1))
    with pytest.raises(DamagedCheckpoint, match="not the state of this step"):
        checkpoints.load(1)


def test_a_process_killed_while_it_saves_leaves_the_former_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints = Checkpoints(tmp_path, keep=2)
    checkpoints.save(1, state(1, torch.ones(1)))

    def killed(path: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "sync", killed)
        with pytest.raises(KeyboardInterrupt):
            checkpoints.save(2, state(2, torch.zeros(1)))
    assert any(tmp_path.glob("*.partial"))  # the test is about something
    assert checkpoints.steps() == [1]
    checkpoints.save(2, state(2, torch.full((1,), 2.0)))  # the leftover is in nobody's way
    assert checkpoints.steps() == [1, 2]
    assert float(checkpoints.load(2)["players"]["generator"]["module"]["x"]) == 2
    assert not any(tmp_path.glob("*.partial"))


def test_the_last_k_and_the_selected_one_stay(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, keep=2)
    for step in range(1, 7):
        checkpoints.save(step, state(step))
        if step == 2:
            checkpoints.select({"step": 2, "metric": "jsd", "value": 0.5})
    assert checkpoints.steps() == [2, 5, 6]
    assert checkpoints.selected() == {"step": 2, "metric": "jsd", "value": 0.5}
    checkpoints.select({"step": 6, "metric": "jsd", "value": 0.25})
    checkpoints.save(7, state(7))
    assert checkpoints.steps() == [6, 7]
    assert checkpoints.load(6) == state(6)


def test_a_missing_file_is_an_error_with_a_name(tmp_path: Path) -> None:
    save_tree(TREE, tmp_path / "t")
    (tmp_path / "t" / "tensors.safetensors").unlink()
    with pytest.raises(UserError, match=r"t: damaged \(tensors.safetensors is missing"):
        load_tree(tmp_path / "t")


def test_nothing_in_the_package_pickles() -> None:
    """`torch.save`/`torch.load`, the pickle family and numpy's allow_pickle, wherever imported."""
    root = Path(seqgan.__file__).parent
    found = [
        f"{path.relative_to(root)}:{line}: {what}"
        for path in sorted(root.rglob("*.py"))
        for line, what in _pickling(ast.parse(path.read_text()))
    ]
    assert found == []


def test_the_search_for_pickling_finds_it() -> None:
    source = (
        "import pickle\nfrom dill import dumps\nimport torch\ntorch.save(1, 'x')\n"
        "torch.load('x')\nimport numpy as np\nnp.load('x', allow_pickle=True)\n"
        "from torch import load\n"
    )
    assert [line for line, _ in _pickling(ast.parse(source))] == [1, 2, 4, 5, 7, 8]


def _pickling(tree: ast.Module) -> list[tuple[int, str]]:
    modules = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names = {(node.module or "").split(".")[0]}
            if node.module == "torch" and {"save", "load"} & {a.name for a in node.names}:
                found.append((node.lineno, "from torch import save or load"))
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            names = set()
            if node.value.id == "torch" and node.attr in ("save", "load"):
                found.append((node.lineno, f"torch.{node.attr}"))
        elif isinstance(node, ast.keyword):
            names = set()
            allowed = isinstance(node.value, ast.Constant) and node.value.value is False
            if node.arg == "allow_pickle" and not allowed:
                found.append((node.lineno, "allow_pickle"))
        else:
            continue
        found += [(node.lineno, name) for name in names & modules]
    return sorted(found)
