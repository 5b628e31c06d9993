"""What arms report: checkpoints that are not the end of all training, and what a phase did."""

from seqgan.core.reported import PhaseEffect
from seqgan.reporting.runs import Arm


def checkpoint_warnings(arms: list[Arm]) -> list[str]:
    """A line for each arm and kind of early checkpoint, for what evaluations warn of, and for those
    that were asked for other settings than the run's."""
    seeds_of: dict[str, list[int]] = {}
    for arm in arms:
        for run in arm.finished:
            said = [str(warning) for warning in (run.final or {}).get("warnings", [])]
            if run.checkpoint is not None and run.checkpoint.needs_a_word:
                said.append(f"the reported checkpoint is {run.checkpoint}")
            if overrides := ((run.final or {}).get("notes") or {}).get("overrides"):
                said.append(
                    f"last evaluated with {overrides}, not as configured; 'seqgan evaluate' "
                    "without overrides measures it as configured"
                )
            for sentence in said:
                seeds_of.setdefault(f"{arm.label}: {sentence}", []).append(run.seed)
    return _with_seeds(seeds_of)


def alarm_warnings(arms: list[Arm]) -> list[str]:
    """A line for each arm and player that seemed to have stopped, of unfinished runs too."""
    seeds_of: dict[str, list[int]] = {}
    for arm in arms:
        for run in arm.runs:
            for sentence in run.alarms:
                seeds_of.setdefault(f"{arm.label}: {sentence}", []).append(run.seed)
    return _with_seeds(seeds_of)


def _with_seeds(seeds_of: dict[str, list[int]]) -> list[str]:
    return [
        f"{line} (seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))})."
        for line, seeds in seeds_of.items()
    ]


def effect_lines(arms: list[Arm]) -> list[str]:
    """What the adversarial phase did to the selection metric, a line for each arm."""
    lines = []
    for arm in arms:
        effects = [run.effect for run in arm.finished if run.effect is not None]
        if effects:
            lines.append(f"{arm.label}, {_mean(effects)} ({_verdicts(effects)})")
    return lines


def _mean(effects: list[PhaseEffect]) -> str:
    """The sentence of the mean values, for runs of one configuration."""
    first, count = effects[0], len(effects)
    before = sum(effect.before for effect in effects) / count
    after = sum(effect.after for effect in effects) / count
    return f"{first.phase}: {first.metric} {before:.5g} → {after:.5g}"


def _verdicts(effects: list[PhaseEffect]) -> str:
    if len(effects) == 1:
        return effects[0].verdict
    verdicts = [effect.verdict for effect in effects]
    counts = {verdict: verdicts.count(verdict) for verdict in dict.fromkeys(verdicts)}
    return "means; " + ", ".join(
        f"{verdict} in {n} of {len(effects)}" for verdict, n in counts.items()
    )
