"""Packages that import their public names when these are first used.

`import seqgan` takes no time, and nothing loads torch before it is needed:

    if TYPE_CHECKING:
        from seqgan.estimators.ppo import Ppo as Ppo

    __getattr__, __dir__ = attach(__name__)

Type checkers read the block; so does `attach`, when a name is first asked for. So each public name
is written once.
"""

import ast
import importlib
import sys
from collections.abc import Callable
from functools import cache
from importlib.abc import InspectLoader
from typing import Any


def attach(package: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of `package`, for what it imports under `TYPE_CHECKING`."""

    @cache
    def places() -> dict[str, tuple[str, str]]:
        return _imported_for_types(package)

    def get(name: str) -> Any:
        if name.startswith("__") or name not in places():
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module, there = places()[name]
        if module == package:  # a module in it; `from` would ask this function again
            value = importlib.import_module(f"{package}.{there}")
        else:
            value = getattr(__import__(module, fromlist=[there]), there)
        setattr(sys.modules[package], name, value)  # found without this function from now on
        return value

    def names() -> list[str]:
        special = (name for name in vars(sys.modules[package]) if name.startswith("__"))
        return sorted({*special, *places()})

    return get, names


def _imported_for_types(package: str) -> dict[str, tuple[str, str]]:
    """The names of the blocks `if TYPE_CHECKING:` of a package: (module, name there) of each."""
    spec = sys.modules[package].__spec__
    assert spec is not None
    assert isinstance(spec.loader, InspectLoader), "packages are files of Python"
    tree = ast.parse(spec.loader.get_source(package) or "")
    blocks = [
        node
        for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    return {
        alias.asname or alias.name: (node.module or "", alias.name)
        for block in blocks
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
