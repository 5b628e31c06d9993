"""The rows of an evaluation, and the one rule that picks among them.

A sweep evaluates every decoding setting on the validation split, lets the configured rule choose
there, and reports all of them on the test split with the chosen one marked. Without a rule the
configured setting is the chosen one.
"""

from collections.abc import Callable

from seqgan.core.metric_names import find
from seqgan.core.plain import JsonObject
from seqgan.evaluation.base import Evaluator, GeneratorT_contra, Metrics, Shown
from seqgan.evaluation.config import EvaluationConfig, SelectionConfig
from seqgan.evaluation.decoding_grid import DecodingSetting


def evaluate(
    evaluator: Evaluator[GeneratorT_contra],
    generator: GeneratorT_contra,
    config: EvaluationConfig,
    settings: list[DecodingSetting],
    advance: Callable[[], None],
) -> tuple[list[JsonObject], Shown]:
    """Rows on the test split (simple rules, then real data last), and samples of the selected
    setting.

    `advance` is called after each of the `rounds`, for a progress bar.
    """
    chosen = settings[0]
    if _has_choice(config, settings):
        chosen = _choose(evaluator, generator, config, settings, advance)
    rows = []
    for setting in settings:
        metrics = evaluator.generated(generator, "test", config.samples, setting)
        rows.append(_row(setting, setting == chosen, metrics))
        advance()
    others = evaluator.baselines("test", config.samples)
    others["real data"] = evaluator.real("test", config.samples)
    rows += [
        {"label": label, "temperature": None, "top_p": None, "selected": False, "metrics": found}
        for label, found in others.items()
    ]
    return rows, evaluator.show(generator, chosen)


def rounds(config: EvaluationConfig, settings: list[DecodingSetting]) -> int:
    """How often `evaluate` measures the generator: a choice takes each setting twice."""
    return len(settings) * (2 if _has_choice(config, settings) else 1)


def _has_choice(config: EvaluationConfig, settings: list[DecodingSetting]) -> bool:
    return len(settings) > 1 and config.sweep_select.metric is not None


def _choose(
    evaluator: Evaluator[GeneratorT_contra],
    generator: GeneratorT_contra,
    config: EvaluationConfig,
    settings: list[DecodingSetting],
    advance: Callable[[], None],
) -> DecodingSetting:
    rule = config.sweep_select
    assert rule.metric is not None
    scored = []
    for setting in settings:
        metrics = evaluator.generated(generator, "valid", config.samples, setting)
        advance()
        name = find(rule.metric, metrics)
        value = metrics[name] if name else None
        if value is not None:
            scored.append((value, setting))
    return best(scored, rule) or settings[0]


def best(
    scored: list[tuple[float, DecodingSetting]], rule: SelectionConfig
) -> DecodingSetting | None:
    """The first setting with the best value; None where no setting has one."""
    if not scored:
        return None
    pick = min if rule.mode == "min" else max
    return pick(scored, key=lambda pair: pair[0])[1]


def _row(setting: DecodingSetting, selected: bool, metrics: Metrics) -> JsonObject:
    return {
        "label": setting.label,
        "temperature": setting.temperature,
        "top_p": setting.top_p,
        "selected": selected,
        "metrics": metrics,
    }
