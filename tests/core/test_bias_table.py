"""The table of biases in docs/estimators.md: it forgets no estimator, and its tests exist."""

import re
from pathlib import Path

import pytest

from seqgan.core.annotations import tags_of
from seqgan.estimators.config import AnyEstimatorConfig

ROOT = Path(__file__).parents[2]
TABLE = (ROOT / "docs/estimators.md").read_text()
ROWS = [line for line in TABLE.splitlines() if line.startswith("| ") and "::" in line]


@pytest.mark.parametrize("name", tags_of(AnyEstimatorConfig))
def test_every_estimator_has_a_row(name: str) -> None:
    assert any(f"`{name}`" in row.split("|")[1] for row in ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip())
def test_the_tests_of_a_row_exist(row: str) -> None:
    """`file::test`; without a file it is the one before."""
    source = ""
    for name, test in re.findall(r"`([\w/.]*)::(\w+)`", row.split("|")[4]):
        if name:
            path = ROOT / name if "/" in name else ROOT / "tests/exact" / name
            source = path.read_text()
        assert f"def {test}(" in source
