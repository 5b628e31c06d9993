"""The rows of an evaluation, and the one rule that picks among them.

A sweep evaluates every decoding setting on the validation split, lets the configured rule choose
there, and reports all of them on the test split with the chosen one marked. Without a rule the
configured setting is the chosen one.
"""

from collections.abc import Callable
from dataclasses import asdict

from seqgan.core.metric_names import find
from seqgan.core.plain import JsonObject
from seqgan.evaluation.base import DecodingSetting, Evaluator, GeneratorT_contra, Metrics, Shown
from seqgan.evaluation.config import EvaluationConfig


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
        rows.append(table_row(setting.label, metrics, setting, setting == chosen))
        advance()
    for setting in _controls(evaluator, settings):
        metrics = evaluator.generated(generator, "test", config.samples, setting)
        rows.append(table_row(setting.label, metrics, setting))
        advance()
    others = evaluator.baselines("test", config.samples)
    others["real data"] = evaluator.real("test", config.samples)
    rows += [table_row(label, metrics) for label, metrics in others.items()]
    advance()
    return rows, evaluator.show(generator, chosen)


def table_row(
    label: str, metrics: Metrics, setting: DecodingSetting | None = None, selected: bool = False
) -> JsonObject:
    """A row of evaluation.json; without a setting not one of the decoded generator's."""
    drawn = asdict(setting) if setting else {"temperature": None, "top_p": None}
    return {"label": label, **drawn, "selected": selected, "metrics": metrics}


def rounds(
    evaluator: Evaluator[GeneratorT_contra],
    config: EvaluationConfig,
    settings: list[DecodingSetting],
) -> int:
    """How often `evaluate` advances: a choice takes each setting twice; one round is for what is no
    generator."""
    times = 2 if _has_choice(config, settings) else 1
    return len(settings) * times + len(_controls(evaluator, settings)) + 1


def _controls(
    evaluator: Evaluator[GeneratorT_contra], settings: list[DecodingSetting]
) -> list[DecodingSetting]:
    return [setting for setting in evaluator.control_settings() if setting not in settings]


def _has_choice(config: EvaluationConfig, settings: list[DecodingSetting]) -> bool:
    return len(settings) > 1 and config.sweep_select.metric is not None


def _choose(
    evaluator: Evaluator[GeneratorT_contra],
    generator: GeneratorT_contra,
    config: EvaluationConfig,
    settings: list[DecodingSetting],
    advance: Callable[[], None],
) -> DecodingSetting:
    """The first setting with the best value on validation data; the first where none has one."""
    rule = config.sweep_select
    assert rule.metric is not None
    values: dict[DecodingSetting, float] = {}
    for setting in settings:
        metrics = evaluator.generated(generator, "valid", config.samples, setting)
        advance()
        value = metrics.get(find(rule.metric, metrics) or "")
        if value is not None:
            values[setting] = value
    pick = min if rule.mode == "min" else max
    return pick(values, key=values.__getitem__, default=settings[0])
