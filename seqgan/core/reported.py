"""Which checkpoint of a run is reported, what its adversarial phase did, and the sentences on both.

`runs/outcome.py` reads them from a run folder; evaluation.json keeps them. No torch here.
"""

from dataclasses import dataclass

from seqgan.core.plain import JsonObject

OTHER_WRITERS = {"policy": "policy gradient", "distilled": "distilled"}
"""Players that write as the generator does, and the labels of their rows."""
CORRECTED_EXACTLY = "corrected (exact)"
"""Label of the row of exact samples of the generator as its critic corrects it."""


def corrected_by_choice(one_of: int) -> str:
    """The label of the row of samples that are each the critic's choice of several."""
    return f"corrected (1 of {one_of})"


@dataclass(frozen=True, slots=True)
class ReportedCheckpoint:
    """Where in training the weights are from that a run is judged by."""

    step: int
    steps: int
    """Of the whole schedule."""
    finished: bool
    """Whether training has ended, by schedule or by the selection rule."""
    selected_by: str | None
    """The metric of the rule that picked it; None: it is the last one."""
    before: str | None = None
    """The phase that had not begun there, e.g. "adversarial phase"; None: it had, or there is
    none."""
    trained: bool = True
    """Whether the generator had been updated at all."""

    @property
    def needs_a_word(self) -> bool:
        """Whether a reader would take it for something else: the end of all training."""
        return not self.finished or self.before is not None or not self.trained

    def __str__(self) -> str:
        parts = [f"step {self.step} of {self.steps}"]
        if not self.trained:
            parts.append("the initial network")
        elif self.before is not None:
            parts.append(f"before the {self.before}")
        parts.append(f"selected by {self.selected_by}" if self.selected_by else "the last one")
        return ", ".join(parts) + ("" if self.finished else "; training is not finished")

    @classmethod
    def read(cls, tree: JsonObject | None) -> "ReportedCheckpoint | None":
        """From evaluation.json; None where an earlier version wrote it."""
        return None if tree is None else cls(**tree)


@dataclass(frozen=True, slots=True)
class PhaseEffect:
    """The selection metric before a phase's first update of the generator, and at the end."""

    phase: str
    metric: str
    mode: str
    """min or max: which is better."""
    before: float
    before_step: int
    after: float
    after_step: int

    @property
    def verdict(self) -> str:
        """better, worse or unchanged."""
        if self.before == self.after:
            return "unchanged"
        return "better" if (self.after < self.before) == (self.mode == "min") else "worse"

    def __str__(self) -> str:
        return f"{self.phase}: {self.metric} {self.before:.5g} → {self.after:.5g}"

    def beside(self, checkpoint: ReportedCheckpoint) -> str:
        """The sentence after training, which also names the checkpoint that is reported."""
        where = ", before it" if checkpoint.before == self.phase else ""
        return f"{self} ({self.verdict}; the reported checkpoint is step {checkpoint.step}{where})"

    @classmethod
    def read(cls, tree: JsonObject | None) -> "PhaseEffect | None":
        """From evaluation.json, where infinite values are strings."""
        if tree is None:
            return None
        return cls(**{**tree, "before": float(tree["before"]), "after": float(tree["after"])})


FEWEST_EFFECTIVE = 100
"""With fewer effective samples a 95 % interval of a log mean weight holds less often: 85 to 90 % at
50 of them, and where it fails the gain was too high."""


FEWEST_HELD_OUT = 100
"""With fewer held-out sentences, to fit to or to measure on, a gain that is not distinguishable
from 0 says little about the critic: an interval of .1 nats per sentence takes about a hundred."""


def critic_sentence(
    gain: float,
    low: float,
    high: float,
    effective: float,
    alpha_at_limit: bool = False,
    counts: tuple[int, int] | None = None,
    at_least: bool = False,
    lowered: str = "held-out nll",
    unit: str = "sentence",
) -> str:
    """What a critic is worth, by its certificate with the 95 % interval, in nats per `unit`.

    `effective`: how many samples the weights leave effective. `alpha_at_limit`: the logits are a
    small part of a log density ratio, as those of a critic on shuffled labels are. `counts`: how
    many held-out sentences there were for validation and for the test. `at_least`: the gain is a
    lower bound, so that one below 0 says nothing. `lowered`: what it is a gain in.
    """
    verb, sign = ("raises", -1) if high < 0 and not at_least else ("lowers", 1)
    by = f"{'at least ' if at_least else ''}{sign * gain:.3f} ± {(high - low) / 2:.3f}"
    doubt = ": not distinguishable from 0" if low <= 0 and (at_least or high >= 0) else ""
    if doubt and counts is not None and min(counts) < FEWEST_HELD_OUT:
        valid, test = counts
        doubt = f": too few {unit}s to tell, {valid} for validation and {test} for the test"
    few = (
        f"; its weights leave only {effective:.0f} effective samples, so that the gain may be lower"
        if effective < FEWEST_EFFECTIVE
        else ""
    )
    little = (
        "; its logits are tiny (α is at its limit): it has learned little, and random features may "
        "gain as much"
        if alpha_at_limit and low > 0
        else ""
    )
    return f"the critic {verb} {lowered} by {by} nats per {unit} (95 %){doubt}{few}{little}"
