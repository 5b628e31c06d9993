"""Boxes of arms that are settings of one method: is the spread between settings larger than that
between methods? (Lucic et al. 2018)

A study's arms of one `group` are one box. A point is a setting's mean over its finished seeds; the
box goes from the lower to the upper quartile of the points with their median, whiskers to the ends.
"""

import math
from statistics import median

from seqgan.reporting.plots import INK, PALETTE, Figure, new_figure, to_svg
from seqgan.reporting.runs import Arm
from seqgan.reporting.statistics import number, summarise


def spread_figures(arms: list[Arm], metrics: list[str]) -> list[Figure]:
    """A figure for each metric by which at least two groups have two settings each."""
    figures = []
    for metric in metrics:
        groups = settings_by_group(arms, metric)
        if sum(len(values) > 1 for values in groups.values()) > 1:
            figures.append(_boxes(metric, groups))
    return figures


def settings_by_group(arms: list[Arm], metric: str) -> dict[str, list[float]]:
    """Group → the finite mean of each of its settings, in order of appearance."""
    groups: dict[str, list[float]] = {}
    for arm in arms:
        if arm.group:
            mean = number(summarise(arm.values_by_seed(metric).values()).mean)
            if mean is not None and math.isfinite(mean):
                groups.setdefault(arm.group, []).append(mean)
    return groups


def spread_line(groups: dict[str, list[float]]) -> str:
    """How far settings of one group lie apart, and how far groups do, each at its median."""
    within = median(max(values) - min(values) for values in groups.values())
    medians = [median(values) for values in groups.values()]
    between = max(medians) - min(medians)
    return (
        f"From the least to the largest setting of a group {within:.3g} (median over groups); from "
        f"the least to the largest group, each at its median, {between:.3g}."
    )


def _boxes(metric: str, groups: dict[str, list[float]]) -> Figure:
    figure, axes = new_figure("")
    drawn = axes.boxplot(
        list(groups.values()), whis=(0, 100), widths=0.5, showcaps=False, patch_artist=True
    )
    for place, (box, values) in enumerate(zip(drawn["boxes"], groups.values(), strict=True)):
        colour = PALETTE[place % len(PALETTE)]
        box.set(facecolor=colour, alpha=0.25, edgecolor=colour)
        axes.plot([place + 1] * len(values), values, "o", color=colour, markersize=4)
    for line in (*drawn["medians"], *drawn["whiskers"]):
        line.set(color=INK, linewidth=1.0)
    axes.set_xticks(range(1, len(groups) + 1), list(groups), rotation=15)
    return Figure(metric, to_svg(figure, f"spread {metric}"), spread_line(groups))
