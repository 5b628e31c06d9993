"""Does the label-free score order the checkpoints of a cycle game on text as the truth does?

For every run and direction, over its validation evaluations (the untrained network of step 0 is
one of them, as it is for the run's own rule):

    rho        Spearman's rank correlation of label_free_WAY with a score against the truth; 1: the
               same order. Fewer than 3 checkpoints, or one value everywhere, have none
    trained    the same without step 0, which any score tells from the rest
    selected   the truth at the checkpoint that the run's rule picks (evaluation.select; without a
               rule the lowest label_free_WAY)
    last       at the last checkpoint
    best       at the best one by the truth; of equal ones the first
    regret     best − selected: what selecting without labels costs

and over all runs: rho and trained of all their checkpoints together, `picks` of their selected
checkpoints alone (from 5 runs on), and the means of the rest. Label-free scores are compared
between runs there, so runs must agree in data and in whether the backward direction is scored
(`notes`).

    python scripts/selection_correlation.py RUN… [--json]
"""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from scipy.stats import spearmanr

from seqgan.core.config_diff import ABSENT, flatten
from seqgan.core.errors import UserError
from seqgan.core.saved_files import to_json
from seqgan.reporting.runs import Run, read_run
from seqgan.reporting.statistics import mean, number
from seqgan.reporting.tables import format_number

Json = dict[str, Any]

WAYS = ("a2b", "b2a")
TRUTHS = ("accuracy", "strict_f1", "exact", "bleu", "rouge1", "lexicon", "word_accuracy")
"""Scores against the truth; of all of them higher is better."""

CHECKPOINTS_FOR_A_CORRELATION = 3
RUNS_FOR_PICKS = 5
"""Runs from which on their selected checkpoints are correlated."""


@dataclass(frozen=True)
class Checkpoint:
    """One validation evaluation in one direction."""

    step: int
    label_free: float
    truth: float


@dataclass(frozen=True)
class Comparison:
    """One run in one direction against one score of the truth."""

    run: str
    way: str
    truth: str
    rule: str
    """What picks the checkpoint: metric and mode."""
    checkpoints: list[Checkpoint]
    """In step order."""
    selected: Checkpoint
    last: Checkpoint
    best: Checkpoint

    @property
    def regret(self) -> float:
        return difference(self.best.truth, self.selected.truth)


def difference(first: float, second: float) -> float:
    """first − second; 0 for equal infinities."""
    return 0.0 if first == second else first - second


def rank_agreement(checkpoints: Sequence[Checkpoint]) -> float | None:
    """Spearman's correlation of −label_free and truth; None where it is not defined."""
    scores = [-checkpoint.label_free for checkpoint in checkpoints]
    truths = [checkpoint.truth for checkpoint in checkpoints]
    constant = len(set(scores)) < 2 or len(set(truths)) < 2
    if constant or len(checkpoints) < CHECKPOINTS_FOR_A_CORRELATION:
        return None
    return float(spearmanr(scores, truths).statistic)


def trained(checkpoints: Sequence[Checkpoint]) -> list[Checkpoint]:
    """Without the networks that nothing has taught."""
    return [checkpoint for checkpoint in checkpoints if checkpoint.step > 0]


# ── One run ───────────────────────────────────────────────────────────────────────────────────


def read_runs(paths: Sequence[Path]) -> list[Run]:
    """Run folders of cycle games. Raises `UserError` for others and for one given twice."""
    seen: dict[Path, Path] = {}
    for path in paths:
        twin = seen.setdefault(path.resolve(), path)
        if twin is not path:
            raise UserError(f"{path}: the same folder as {twin}; give each run once")
    runs = [read_run(path) for path in paths]
    for run in runs:
        game = (run.config.get("game") or {}).get("name")
        if game != "cycle":
            raise UserError(f"{run.path}: game.name={game}; give runs of the cycle game on text")
    return runs


def compare(run: Run) -> list[Comparison]:
    """Every direction and score of the truth that the run's validation evaluations have."""
    lines = [line for line in run.evals if line.get("split", "valid") == "valid"]
    names = {name for line in lines for name in line["metrics"]}
    ways = [way for way in WAYS if f"label_free_{way}" in names]
    if not ways:
        raise UserError(
            f"{run.path}: no validation evaluation has label_free_a2b or label_free_b2a; give runs "
            "of the cycle game on text that have been evaluated"
        )
    asked = [(way, truth) for way in ways for truth in TRUTHS if f"{truth}_{way}" in names]
    if not asked:
        raise UserError(
            f"{run.path}: no validation evaluation has a score against the truth "
            f"({', '.join(TRUTHS)}); the data need paired validation text (data.valid)"
        )
    found = [_compare(run, lines, way, truth) for way, truth in asked]
    return [comparison for comparison in found if comparison is not None]


def _compare(run: Run, lines: list[Json], way: str, truth: str) -> Comparison | None:
    """None where no evaluation has both numbers."""
    measured: list[tuple[Json, Checkpoint]] = []
    for line in lines:
        metrics = line["metrics"]
        score, value = (
            number(metrics.get(f"label_free_{way}")),
            number(metrics.get(f"{truth}_{way}")),
        )
        if score is not None and value is not None:
            measured.append((metrics, Checkpoint(int(line["step"]), score, value)))
    if not measured:
        return None
    metric, pick = _rule(run, way)
    checkpoints = [checkpoint for _, checkpoint in measured]
    # `min` and `max` keep the first of equal ones, as the trainer does.
    rated = [(number(metrics.get(metric)), checkpoint) for metrics, checkpoint in measured]
    candidates = [(value, checkpoint) for value, checkpoint in rated if value is not None]
    if not candidates:
        raise UserError(
            f"{run.path}: evaluation.select.metric={metric}, which no validation evaluation has; "
            f"set it to null in config.yaml to select by label_free_{way}"
        )
    return Comparison(
        str(run.path),
        way,
        truth,
        f"{metric} {pick.__name__}",
        checkpoints,
        selected=pick(candidates, key=lambda candidate: candidate[0])[1],
        last=checkpoints[-1],
        best=max(checkpoints, key=lambda checkpoint: checkpoint.truth),
    )


def _rule(run: Run, way: str) -> tuple[str, Callable[..., Any]]:
    """The metric, and `min` or `max`, that pick a run's checkpoint."""
    select = (run.config.get("evaluation") or {}).get("select") or {}
    if select.get("metric") is None:
        return f"label_free_{way}", min
    return str(select["metric"]), max if select.get("mode") == "max" else min


# ── All runs ──────────────────────────────────────────────────────────────────────────────────


def pool(comparisons: Sequence[Comparison]) -> list[Json]:
    """Each direction and score over all runs that have them."""
    groups: dict[tuple[str, str], list[Comparison]] = {}
    for comparison in comparisons:
        groups.setdefault((comparison.way, comparison.truth), []).append(comparison)
    return [_pooled(way, truth, members) for (way, truth), members in groups.items()]


def _pooled(way: str, truth: str, members: list[Comparison]) -> Json:
    checkpoints = [checkpoint for member in members for checkpoint in member.checkpoints]
    picks = [member.selected for member in members]
    return {
        "way": way,
        "truth": truth,
        "runs": len(members),
        "checkpoints": len(checkpoints),
        "rho": rank_agreement(checkpoints),
        "trained": rank_agreement(trained(checkpoints)),
        "picks": rank_agreement(picks) if len(picks) >= RUNS_FOR_PICKS else None,
        "selected": mean([pick.truth for pick in picks]),
        "last": mean([member.last.truth for member in members]),
        "best": mean([member.best.truth for member in members]),
        "regret": mean([member.regret for member in members]),
    }


def notes(runs: Sequence[Run]) -> list[str]:
    """Why label-free scores of different runs cannot be compared, where that is so."""
    found = []
    for way in WAYS:
        scored = {
            f"round_trip_{way}" in line["metrics"]
            for run in runs
            for line in run.evals
            if f"label_free_{way}" in line["metrics"]
        }
        if len(scored) > 1:
            found.append(f"label_free_{way} has a round trip in some runs only")
    data = [flatten({"data": run.config.get("data") or {}}) for run in runs]
    keys = dict.fromkeys(key for tree in data for key in tree)
    differ = [key for key in keys if any(tree.get(key) != data[0].get(key) for tree in data)]
    if differ:
        found.append(f"runs differ in {', '.join(differ)}")
    return [f"pooled correlations mix scores that cannot be compared: {note}" for note in found]


def evaluate(runs: Sequence[Run]) -> Json:
    """Everything that is printed, as JSON."""
    comparisons = [comparison for run in runs for comparison in compare(run)]
    return {
        "runs": [_as_json(comparison) for comparison in comparisons],
        "pooled": pool(comparisons),
        "notes": notes(runs),
    }


def _as_json(comparison: Comparison) -> Json:
    checkpoints = comparison.checkpoints
    return {
        "run": comparison.run,
        "way": comparison.way,
        "truth": comparison.truth,
        "rule": comparison.rule,
        "checkpoints": len(checkpoints),
        "rho": rank_agreement(checkpoints),
        "trained": rank_agreement(trained(checkpoints)),
        **{name: asdict(getattr(comparison, name)) for name in ("selected", "last", "best")},
        "regret": comparison.regret,
    }


# ── Printing ──────────────────────────────────────────────────────────────────────────────────


def table(result: Json) -> str:
    """Runs, then all of them together, in aligned columns."""
    points = ("selected", "last", "best")
    rows = [["run", "way", "truth", "n", "rho", "trained", "picks", *points, "regret"]]
    for row in result["runs"]:
        at = [f"{format_number(row[p]['truth'])} @{row[p]['step']}" for p in points]
        rows.append(_row(Path(row["run"]), row, ABSENT, at))
    for row in result["pooled"]:
        means = [format_number(row[point]) for point in points]
        rows.append(_row(f"all {row['runs']} runs", row, _rho(row["picks"]), means))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [_aligned(row, widths) for row in rows]
    return "\n".join([*lines, *(f"note: {note}" for note in result["notes"])])


def _row(name: object, row: Json, picks: str, points: list[str]) -> list[str]:
    counts = [str(row["checkpoints"]), _rho(row["rho"]), _rho(row["trained"]), picks]
    return [str(name), row["way"], row["truth"], *counts, *points, format_number(row["regret"])]


def _rho(value: float | None) -> str:
    return ABSENT if value is None else f"{value:+.2f}"


def _aligned(row: list[str], widths: list[int]) -> str:
    """Names to the left, numbers to the right."""
    cells = zip(row, widths, strict=True)
    padded = [
        cell.ljust(width) if column < 3 else cell.rjust(width)
        for column, (cell, width) in enumerate(cells)
    ]
    return "  ".join(padded).rstrip()


def main(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN…", help="Run folders.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare the order of checkpoints by the label-free score with the truth's."""
    try:
        result = evaluate(read_runs(runs))
    except UserError as error:
        print(error, file=sys.stderr)
        raise typer.Exit(2) from None
    print(json.dumps(to_json(result), indent=1, ensure_ascii=False) if as_json else table(result))


if __name__ == "__main__":
    typer.run(main)
