"""Which arms were measured on the same data: numbers of others may not be compared."""

import hashlib
from collections.abc import Iterable

from seqgan.reporting.runs import Arm, Run


def by_data(arms: Iterable[Arm]) -> list[list[Arm]]:
    """Arms that were measured on the same data, in order of appearance."""
    groups: dict[str, list[Arm]] = {}
    for arm in arms:
        groups.setdefault(arm.runs[0].measured_on, []).append(arm)
    return list(groups.values())


def data_marks(arms: Iterable[Arm]) -> dict[str, str]:
    """Arm name → "data 1", "data 2", …; empty marks where all arms have the same data."""
    groups = by_data(arms)
    return {
        arm.name: f"data {count}" if len(groups) > 1 else ""
        for count, members in enumerate(groups, start=1)
        for arm in members
    }


def data_warnings(arms: list[Arm]) -> list[str]:
    """A line where arms were measured on other data, or trained on other data, or are mixed."""
    groups = by_data(arms)
    lines = []
    if len(groups) > 1:
        parts = [
            f"data {count} ({_describe(members[0].runs[0])}): {_labels(members)}"
            for count, members in enumerate(groups, start=1)
        ]
        lines.append(
            "Arms were measured on different test data or vocabularies; compare within one of "
            f"them only: {'; '.join(parts)}."
        )
    for members in groups:
        by_training: dict[str, list[Arm]] = {}
        for arm in members:
            by_training.setdefault(arm.runs[0].trained_on, []).append(arm)
        if len(by_training) > 1:
            parts = [_labels(same) for same in by_training.values()]
            lines.append(f"Arms were trained on different data: {' | '.join(parts)}.")
    mixed = [
        arm for arm in arms if len({(run.measured_on, run.trained_on) for run in arm.runs}) > 1
    ]
    return [*lines, *(f"{arm.label}: its runs had different data files." for arm in mixed)]


def _labels(arms: list[Arm]) -> str:
    return ", ".join(arm.label for arm in arms)


def _describe(run: Run) -> str:
    """The kind of data, the size of the vocabulary, and a short hash of what was measured."""
    kind = str((run.config.get("data") or {}).get("name", "unknown"))
    spaces = [run.space[side] for side in "ab"] if "a" in run.space else [run.space]
    sizes = [str(space["vocab_size"]) for space in spaces if "vocab_size" in space]
    vocabulary = [f"{' and '.join(sizes)} tokens"] if sizes else []
    digest = hashlib.sha256(run.measured_on.encode()).hexdigest()
    return ", ".join([kind, *vocabulary, digest[:8]])
