"""Scores of translations and responses against their references.

Everything is compared in the form that the tokenizer reads (`build_canonical`), since a translator
can write no other. BLEU takes the words of a word tokenizer as they are (`none`) and cuts the text
of other tokenizers itself (`13a`).
"""

from collections.abc import Sequence
from typing import Literal

from seqgan.data.tokenizer_contract import Canonical
from seqgan.metrics.translation import chrf, corpus_bleu, rouge

ScoreName = Literal["bleu", "chrf", "rouge"]


class TextScores:
    """The scores that `names` lists, of both directions; a `Scorer`.

    `canonical` maps lines to the form in which they are compared; `is_cut` says that their words
    stand between spaces then. Raises `UserError` where a package for the scores is missing.
    """

    def __init__(self, names: Sequence[ScoreName], canonical: Canonical, is_cut: bool) -> None:
        self._names = names
        self._canonical = canonical
        self._tokenize: Literal["none", "13a"] = "none" if is_cut else "13a"
        self("a2b", ["word"], ["word"], ["word"])  # a missing package shows before a run is made

    def __call__(
        self, direction: str, sources: list[str], outputs: list[str], references: list[str]
    ) -> dict[str, float]:
        ours, theirs = (
            [self._canonical(line) for line in lines] for lines in (outputs, references)
        )
        found: dict[str, float] = {}
        if "bleu" in self._names:
            found["bleu"] = corpus_bleu(ours, theirs, self._tokenize)[0]
        if "chrf" in self._names:
            found["chrf"] = chrf(ours, theirs)
        if "rouge" in self._names:
            found |= rouge(ours, theirs)
        return found

    @property
    def notes(self) -> dict[str, object]:
        """How sacrebleu computed BLEU: its signature."""
        if "bleu" not in self._names:
            return {}
        return {"bleu": corpus_bleu(["word"], ["word"], self._tokenize)[1]}
