"""Scores of translations and summaries against one reference each, as those fields report them.

    corpus_bleu corpus BLEU of sacrebleu (Post 2018): counts are pooled over the corpus, 0 to 100.
                Not the sentence BLEU of text GANs in `exact_bleu.py`: never put both in one table
    chrf        corpus chrF2 of sacrebleu (Popović 2015), characters only, 0 to 100
    rouge       F1 of ROUGE-1, ROUGE-2 and ROUGE-L (Lin 2004) by the package rouge-score, means
                over the outputs times 100, *with* its Porter stemmer, as published scores have it.
                Words are those of any script (`core/scripts.py`), where the package keeps a–z and
                0–9 only; ASCII words are stemmed, as English
    copied_share
                share of the outputs' words that stand in their own source, each occurrence there
                counted once; pooled over the outputs, 0 to 1. Where both sides look alike, a copy
                of the source scores well in the other three

`tokenize` of BLEU is "none" for text that is cut into words already and "13a" for raw text; scores
under different signatures are not comparable. For "13a" (and copied_share) characters of scripts
without spaces (Chinese, Thai) are set apart, as sacrebleu's "zh" does; the signature says
`unspaced:char`.

Empty lists and lists of unequal length raise `ValueError`; empty outputs score 0. The packages are
imported where they are used: they are an extra.
"""

from collections import Counter
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType
from typing import Literal

from seqgan.core.errors import UserError
from seqgan.core.scripts import set_apart, words

ROUGE_TYPES = ("rouge1", "rouge2", "rougeL")


def corpus_bleu(
    outputs: Sequence[str],
    references: Sequence[str],
    tokenize: Literal["none", "13a"] = "none",
) -> tuple[float, str]:
    """The score, 0 to 100, and sacrebleu's signature of how it was computed.

    >>> round(corpus_bleu(["a dog sees the moon"], ["a dog sees the moon"])[0], 6)
    100.0
    """
    _check_rows(outputs, references)
    sacrebleu = _import("sacrebleu", "sacrebleu")
    if tokenize == "13a":
        outputs, references = (list(map(set_apart, lines)) for lines in (outputs, references))
    # force: no warning that the text looks tokenized, which with "none" it should be.
    metric = sacrebleu.BLEU(tokenize=tokenize, force=True)
    score = metric.corpus_score(list(outputs), [list(references)]).score
    signature = str(metric.get_signature())
    return float(score), signature + "|unspaced:char" if tokenize == "13a" else signature


def chrf(outputs: Sequence[str], references: Sequence[str]) -> float:
    """chrF2 of the corpus, 0 to 100.

    >>> chrf(["a dog"], ["a dog"])
    100.0
    """
    _check_rows(outputs, references)
    sacrebleu = _import("sacrebleu", "sacrebleu")
    return float(sacrebleu.CHRF().corpus_score(list(outputs), [list(references)]).score)


def rouge(outputs: Sequence[str], references: Sequence[str]) -> dict[str, float]:
    """F1 times 100 by `ROUGE_TYPES`, means over the outputs.

    >>> rouge(["a dog"], ["the dog"])
    {'rouge1': 50.0, 'rouge2': 0.0, 'rougeL': 50.0}
    """
    _check_rows(outputs, references)
    package = _import("rouge_score.rouge_scorer", "rouge-score")
    scorer = package.RougeScorer(ROUGE_TYPES, tokenizer=_RougeWords())
    scores = [scorer.score(*pair) for pair in zip(references, outputs, strict=True)]
    return {
        kind: 100 * sum(float(score[kind].fmeasure) for score in scores) / len(scores)
        for kind in ROUGE_TYPES
    }


class _RougeWords:
    """What the package's scorer takes for a tokenizer."""

    def __init__(self) -> None:
        package = _import("rouge_score.tokenizers", "rouge-score")
        self._english = package.DefaultTokenizer(use_stemmer=True)

    def tokenize(self, text: str) -> list[str]:
        cut: list[str] = []
        for word in words(text.lower()):
            cut += self._english.tokenize(word) if word.isascii() else [word]
        return cut


def copied_share(sources: Sequence[str], outputs: Sequence[str]) -> float:
    """Share of the outputs' words that their sources have; 0 where no output has a word.

    >>> copied_share(["a dog sees the moon"], ["a dog runs off"])
    0.5
    """
    copied = total = 0
    for source, output in zip(sources, outputs, strict=True):
        ours = Counter(set_apart(output).split())
        copied += (ours & Counter(set_apart(source).split())).total()
        total += ours.total()
    return copied / max(total, 1)


def _check_rows(outputs: Sequence[str], references: Sequence[str]) -> None:
    if not references or len(outputs) != len(references):
        raise ValueError(
            f"{len(outputs)} outputs and {len(references)} references; as many of both are needed"
        )


def _import(module: str, package: str) -> ModuleType:
    try:
        return import_module(module)
    except ImportError as error:
        raise UserError(
            f"scores of translations: the package {package} is not installed; "
            "run: pip install 'seqgan[corpora]'"
        ) from error
