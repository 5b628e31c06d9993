"""What `seqgan score` computes: metrics of a file of generated sentences, without any model.

Words are what whitespace separates, as they stand: give both files the same preparation, and put
spaces between the words or characters of text that has none (Chinese, Thai). Hypotheses keep their
blank lines, since a generator wrote them and BLEU counts them as 0; other files lose theirs.

The references get a row too: their `self_bleu` says how real text scores against other real text
(for BLEU), and how diverse it is (for Self-BLEU).

`rouge` alone compares line i with line i: F1 times 100, with stemmer and words of its own
(`metrics/translation.py`). Real text has no value of it.
"""

from pathlib import Path

from seqgan.core.errors import UserError, did_you_mean
from seqgan.core.plain import JsonObject
from seqgan.core.text_files import read_lines
from seqgan.metrics import diversity
from seqgan.metrics.corpus import Corpus, as_corpora
from seqgan.metrics.exact_bleu import ORDERS, bleu, self_bleu
from seqgan.metrics.translation import rouge

METRICS = ("bleu", "self_bleu", "distinct", "in_train", "length", "rouge")


def score_files(
    hypotheses: Path, references: Path | None, train: Path | None, metrics: list[str]
) -> dict[str, JsonObject]:
    """Score `hypotheses`, one sentence a line, plain or gzip.

    Returns `{"hypotheses": row, "references": row}`, the second only where a file is given. A row
    has `sentences` and `empty` (counts), and for each metric a number or `{order: number}` with
    orders as strings; `distinct` adds `unique`. Shares and BLEU are in [0, 1], `length` in words.

    Raises `UserError` for an unknown metric, a file that a metric lacks, or an unusable file.
    """
    _check_request(references, train, metrics)
    files = [read_lines(hypotheses, keep_blank=True)]
    files += [read_lines(path) for path in (references, train) if path]
    generated, *others = as_corpora(*files)
    real = others[0] if references else None
    known = others[-1] if train else None
    if "self_bleu" in metrics and len(generated) < 2:
        raise UserError(f"{hypotheses}: 1 sentence; self_bleu needs at least 2, add lines")

    result = {"hypotheses": _row(generated, real, known, metrics)}
    if "rouge" in metrics and references is not None:
        result["hypotheses"]["rouge"] = _rouge(hypotheses, references)
    if real is not None:
        result["references"] = _row(real, None, known, _real_metrics(metrics, len(real)))
    return result


def _check_request(references: Path | None, train: Path | None, metrics: list[str]) -> None:
    known = ", ".join(METRICS)
    if not metrics:
        raise UserError(f"--metrics: empty; choose from {known}")
    for name in metrics:
        if name == "copy_rate":
            raise UserError("--metrics: 'copy_rate' is called 'in_train'; use the new name")
        if name not in METRICS:
            hint = did_you_mean(name, METRICS)
            raise UserError(f"--metrics: unknown metric '{name}'{hint or f'; choose from {known}'}")
    for name in ("bleu", "rouge"):
        if name in metrics and references is None:
            raise UserError(f"--ref: missing; the metric '{name}' needs it, pass --ref FILE")
    if "in_train" in metrics and train is None:
        raise UserError("--train: missing; the metric 'in_train' needs it, pass --train FILE")


def _rouge(hypotheses: Path, references: Path) -> dict[str, float]:
    """By the end of ROUGE's name: 1, 2, L."""
    outputs, wanted = (read_lines(path, keep_blank=True) for path in (hypotheses, references))
    if len(outputs) != len(wanted):
        raise UserError(
            f"{hypotheses}: {len(outputs)} lines, {references} has {len(wanted)}, but rouge "
            "compares line i with line i; give files of equal length"
        )
    return {name.removeprefix("rouge"): value for name, value in rouge(outputs, wanted).items()}


def _real_metrics(metrics: list[str], sentences: int) -> list[str]:
    """The metrics of real text: its BLEU against other real text is its Self-BLEU."""
    names = {"self_bleu" if name == "bleu" else name for name in metrics}
    if sentences < 2:
        names.discard("self_bleu")
    return [name for name in METRICS if name in names]


def _row(
    corpus: Corpus, real: Corpus | None, known: Corpus | None, metrics: list[str]
) -> JsonObject:
    row: JsonObject = {"sentences": len(corpus), "empty": int((corpus.lengths == 0).sum())}
    if "bleu" in metrics and real is not None:
        row["bleu"] = _by_order(bleu(corpus, real))
    if "self_bleu" in metrics:
        row["self_bleu"] = _by_order(self_bleu(corpus))
    if "distinct" in metrics:
        row["distinct"] = _by_order(diversity.distinct(corpus, max(ORDERS)))
        row["unique"] = diversity.unique_share(corpus)
    if "in_train" in metrics and known is not None:
        row["in_train"] = diversity.share_in_train(corpus, known)
    if "length" in metrics:
        row["length"] = diversity.mean_length(corpus)
    return row


def _by_order(values: dict[int, float]) -> dict[str, float]:
    return {str(order): value for order, value in values.items()}
