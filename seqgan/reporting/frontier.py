"""Quality against diversity: what the decoding settings of a generator offer together.

A setting is on the frontier where no other one is better in both. The hypervolume is the area that
the frontier dominates, up to a worst point (Zitzler & Thiele 1999): a temperature moves a
generator along its frontier, and another generator is better where its hypervolume is larger. It
grows with the number of settings, so compare equal sweeps only.

    bleu_4 and −self_bleu_4                               from BLEU 0 and Self-BLEU 1
    −lm_score@trigram and −reverse_lm_score@trigram       from ln V, what guessing among V costs
"""

import math
from collections.abc import Iterable

from seqgan.core.plain import JsonObject
from seqgan.reporting.runs import Arm, Run
from seqgan.reporting.statistics import Summary, number, summarise
from seqgan.reporting.tables import Row, Table, cell, interval_note

BLEU = ("bleu_4", "self_bleu_4")
SCORES = ("lm_score@trigram", "reverse_lm_score@trigram")

Point = tuple[float, float]


def hypervolume(points: Iterable[Point], worst: Point) -> float:
    """The area of all that lies between `worst` and one of the points, where more is better."""
    area, height = 0.0, worst[1]
    for x, y in sorted(points, reverse=True):
        if x > worst[0] and y > height:
            area += (x - worst[0]) * (y - height)
            height = y
    return area


def frontier_table(arms: Iterable[Arm]) -> Table | None:
    """The hypervolumes of every arm; None where no arm has several settings with the metrics."""
    by_plane = {"BLEU-4, Self-BLEU-4": _of_bleu, "LM score, reverse LM score": _of_scores}
    rows: list[Row] = []
    summaries: list[Summary] = []
    for arm in arms:
        found = [summarise(of(run) for run in arm.finished) for of in by_plane.values()]
        count = str(len(arm.finished))
        rows.append(Row(arm.name, arm.label, arm.null, count, [cell(s) for s in found]))
        summaries += found
    if all(summary.mean is None for summary in summaries):
        return None
    return Table("Hypervolume", list(by_plane), rows, interval_note(summaries))


def _of_bleu(run: Run) -> float | None:
    points = [(quality, 1 - diversity) for quality, diversity in _settings(run, BLEU)]
    return hypervolume(points, (0, 0)) if len(points) > 1 else None


def _of_scores(run: Run) -> float | None:
    vocabulary = run.space.get("vocab_size")
    points = _settings(run, SCORES)
    if vocabulary is None or len(points) < 2:
        return None
    worst = -math.log(vocabulary)
    return hypervolume([(-score, -reverse) for score, reverse in points], (worst, worst))


def _settings(run: Run, metrics: tuple[str, str]) -> list[Point]:
    """Both metrics at every decoding setting that has them."""
    rows = (row["metrics"] for row in run.decoding_rows if row.get("temperature") is not None)
    pairs = (_pair(row, metrics) for row in rows)
    return [pair for pair in pairs if pair is not None]


def _pair(row: JsonObject, metrics: tuple[str, str]) -> Point | None:
    x, y = (number(row.get(name)) for name in metrics)
    if x is None or y is None or not math.isfinite(x) or not math.isfinite(y):
        return None
    return x, y
