"""Scores of translations and responses against their references: a `Scorer` by configuration.

Everything is compared in the form that the tokenizer sees (`canonical_form`), since a translator
can write no other. BLEU takes the words of a word tokenizer as they are (`none`) and cuts the raw
text of the other tokenizers itself (`13a`).
"""

from typing import Literal

from seqgan.data.prompted_config import PromptedTextConfig
from seqgan.data.text_pair_config import UnpairedTextConfig
from seqgan.data.tokenizers import canonical_form
from seqgan.data.unpaired_text import Scorer
from seqgan.metrics.translation import chrf, corpus_bleu, rouge

ScoredConfig = UnpairedTextConfig | PromptedTextConfig


def build_scorer(config: ScoredConfig) -> Scorer:
    """The scores that `config.score` names, in both directions.

    Raises `UserError` where a package for them is missing.
    """
    canonical = canonical_form(config.tokenizer)
    tokenize = _bleu_tokenizer(config)

    def score(
        way: str, sources: list[str], outputs: list[str], references: list[str]
    ) -> dict[str, float]:
        ours, theirs = ([canonical(line) for line in lines] for lines in (outputs, references))
        found: dict[str, float] = {}
        if "bleu" in config.score:
            found["bleu"] = corpus_bleu(ours, theirs, tokenize)[0]
        if "chrf" in config.score:
            found["chrf"] = chrf(ours, theirs)
        if "rouge" in config.score:
            found |= rouge(ours, theirs)
        return found

    score("a2b", ["word"], ["word"], ["word"])  # a missing package shows before a run is made
    return score


def bleu_signature(config: ScoredConfig) -> str:
    """How sacrebleu names the BLEU that the scorer computes."""
    return corpus_bleu(["word"], ["word"], _bleu_tokenizer(config))[1]


def _bleu_tokenizer(config: ScoredConfig) -> Literal["none", "13a"]:
    return "none" if config.tokenizer.name == "word" else "13a"
