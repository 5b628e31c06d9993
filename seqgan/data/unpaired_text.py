"""Two kinds of text that are never paired in training: what cycle games on sequences learn from.

The sides are languages, or articles and headlines, or plain text and its cipher. Where it is known
which test line translates which, rows of equal number belong together (`paired`): that serves
reports only, and neither training nor selection may change when the rows of one side are shuffled.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from seqgan.core.types import SequenceSpace
from seqgan.data.corpus import EncodedSplit
from seqgan.data.tokenizers import Tokenizer

Scorer = Callable[[str, list[str], list[str], list[str]], dict[str, float]]
"""`scorer(way, sources, outputs, references)`: named scores against the truth; way: a2b or b2a."""


@dataclass(frozen=True, slots=True)
class TextSide:
    """One kind of text, encoded."""

    space: SequenceSpace
    tokenizer: Tokenizer
    train: EncodedSplit
    valid: EncodedSplit
    test: EncodedSplit


@dataclass(frozen=True, slots=True)
class UnpairedText:
    """Both kinds. `report` is plain JSON with a branch for each side, as `Corpus.report` has."""

    a: TextSide
    b: TextSide
    paired: bool
    """Whether row i of a held-out split of one side translates row i of the other's."""
    scorer: Scorer | None
    """Scores that need the truth; None where nothing is paired."""
    report: dict[str, Any]
