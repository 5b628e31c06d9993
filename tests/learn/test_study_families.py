"""Study tier: every family of `configs/families` learns the oracle that can be listed, and its null
arm does not.

In the null arm the critic is never updated; where there is no critic the rewards are shuffled, or
nobody is updated at all. Whatever it reaches is no merit of the family. What was measured stands in
EXPERIMENTS.md.
"""

import json
from pathlib import Path

import pytest

from seqgan.cli import run

pytestmark = pytest.mark.study

CONFIGS = Path(__file__).parents[2] / "configs/families"
