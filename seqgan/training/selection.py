"""The rule that picks the checkpoint that a run reports."""

from dataclasses import dataclass

from seqgan.core.errors import UserError
from seqgan.core.metric_names import find
from seqgan.core.plain import JsonObject
from seqgan.core.renamed import new_metric

Metrics = dict[str, float | None]


@dataclass
class Selection:
    """The best value of a metric; without a metric the last checkpoint is reported."""

    metric: str | None = None
    mode: str = "min"
    patience: int | None = None
    """Steps without a better value after which training stops; None: it never does."""
    data: str | None = None
    """The run's data.name: earlier versions named metrics by it."""

    def waited_long_enough(self, best: JsonObject | None, step: int) -> bool:
        """Whether the best checkpoint is so old that training stops at `step`."""
        return (
            self.patience is not None
            and best is not None
            and (step - best["step"] >= self.patience)
        )

    def renamed(self, best: JsonObject | None) -> JsonObject | None:
        """A selection of an earlier version, with the metric's present name."""
        return best and {**best, "metric": new_metric(best["metric"], self.data)}

    def better(self, value: float, best: float) -> bool:
        return value < best if self.mode == "min" else value > best

    def value(self, metrics: Metrics) -> float | None:
        """The value of the rule's metric; None without a rule, or where it was not measured."""
        name = find(self.metric, metrics) if self.metric else None
        return metrics[name] if name else None

    def check_mode(self, best: JsonObject | None) -> None:
        """Raises `UserError` where `best` was selected by the other mode: it is the worst by this
        one."""
        if best is None or best["metric"] != self.metric:
            return
        if best.get("mode", self.mode) != self.mode:
            raise UserError(
                f"evaluation.select.mode={self.mode}: {self.metric} has been selected by "
                f"{best['mode']} so far; put it back, or start a new run"
            )
