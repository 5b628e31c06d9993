"""The examples in docstrings say what happens."""

import doctest
import importlib
from pathlib import Path

import pytest

import seqgan

ROOT = Path(seqgan.__file__).parent
MODULES = sorted(
    f"seqgan.{'.'.join(path.relative_to(ROOT).with_suffix('').parts)}"
    for path in ROOT.rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    found = doctest.testmod(importlib.import_module(name))
    assert found.failed == 0


def test_metrics_have_examples() -> None:
    assert {"seqgan.metrics.exact_bleu", "seqgan.metrics.diversity"} <= set(MODULES)
