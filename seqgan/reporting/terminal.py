"""Tables on stdout, in a terminal or in a file."""

import re
from functools import partial

from rich.console import Console
from rich.table import Table
from rich.text import Text

from seqgan.core.metric_names import CERTIFICATE, CRITIC_METRICS
from seqgan.core.plain import JsonObject
from seqgan.reporting.tables import format_number

_COMMANDS = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_SAMPLES_WIDTH = 120
"""Columns that sentences side by side take in a file, which has no edge of its own to wrap at."""


def table_console(stderr: bool = False) -> Console:
    """Where tables go. A file or a pipe has room for whole rows: nothing is cut to 80 columns."""
    console = Console(stderr=stderr)
    return console if console.is_terminal else Console(width=1000, stderr=stderr)


def print_rows(rows: list[JsonObject], stderr: bool = False) -> None:
    """The rows of an evaluation, a column each."""
    names = list(dict.fromkeys(name for row in rows for name in row["metrics"]))
    table = Table(caption=_about_the_critic(rows))
    table.add_column("metric", no_wrap=True)  # the labels of many rows would cut its names
    for row in rows:
        label = row["label"] + (" *" if row["selected"] else "")
        table.add_column(label, justify="right", overflow="fold")
    for name in names:
        values = [row["metrics"].get(name) for row in rows]
        shown = [
            v if isinstance(v, str) else "–" if v is None else format_number(v) for v in values
        ]
        table.add_row(name, *shown)
    table_console(stderr).print(table)


def _about_the_critic(rows: list[JsonObject]) -> str | None:
    """What a critic is worth stands in the reported column, whichever temperature that has."""
    reported = next((row for row in rows if row["selected"]), None)
    if reported is None or CERTIFICATE not in reported["metrics"]:
        return None
    if (reported["temperature"], reported["top_p"]) == (1, 1):
        return None
    return f"{', '.join(CRITIC_METRICS)}: of the generator at T = 1"


def print_correction(found: JsonObject | None, stderr: bool = False) -> None:
    """Samples of the generator beside those that its critic corrects, where there are any, and what
    the critic is worth: nothing where it corrects nothing."""
    if found is None:
        return
    console = table_console(stderr)
    samples = {label: lines for label, lines in found["samples"].items() if lines}
    if len(samples) > 1:
        table = Table(title="samples", show_lines=True)
        for label in samples:
            table.add_column(label, overflow="fold")
        for lines in zip(*samples.values(), strict=True):
            table.add_row(*(Text(_harmless(line)) for line in lines))
        console.print(table, width=min(console.width, _SAMPLES_WIDTH))
    say = partial(console.print, highlight=False, markup=False, soft_wrap=True)
    if "acceptance" in found:
        if found["corrected"]["tokens"] is not None:
            say(_whole_gain(found))
        say(
            f"exact correction accepts {found['acceptance']:.3g} of the generator's samples; "
            f"effective share of weighted samples {found['effective_share']:.3g}"
        )
    say(found["sentence"])


def _harmless(line: str) -> str:
    """The line with what commands the terminal, or turns its direction, spelled out."""
    return _COMMANDS.sub(lambda found: ascii(found[0])[1:-1], line)


def _whole_gain(found: JsonObject) -> str:
    """That of the corrected generator of sentences, where the critic's own is a part of it."""
    whole, own = found["corrected"], found["certificate"]
    half = (whole["high"] - whole["low"]) / 2
    at_least = found.get("at_least", False)  # evaluations of earlier versions
    alone = f"{whole['gain'] - own['gain']:.3f}"
    return (
        f"the corrected generator's held-out nll is {'at least ' if at_least else ''}"
        f"{whole['gain']:.3f} ± {half:.3f} nats per sentence "
        f"({whole['gain'] / whole['tokens']:.3f} per token) below the generator's at T = 1"
        + ("" if at_least else f", of which a power of its own probability alone gives {alone}")
    )


def print_probe(found: JsonObject) -> None:
    """What the probe found: a row per estimator, and the statistics of the critic's scores."""
    table = Table(title=f"{found['samples']} estimates from {found['batch_size']} samples each")
    table.add_column("estimator", no_wrap=True)
    for header in ("bias", "spread", "snr", "cosine", "critic_calls", "tokens", "ms"):
        table.add_column(header, justify="right", no_wrap=True)
    for row in found["estimators"]:
        table.add_row(
            row["label"],
            f"{row['bias']:.3f} ± {row['bias_error']:.3f}",
            f"{row['variance'] ** 0.5:.3f}",
            f"{row['snr']:.2f}",
            f"{row['cosine']:.3f}",
            f"{row['critic_calls']:.0f}",
            f"{row['tokens']:.0f}",
            f"{1e3 * row['seconds']:.1f}",
        )
    console = table_console()
    console.print(table)
    for name, value in found["critic"].items():
        shown = "–" if value is None else format_number(value)
        console.print(f"critic: {name.replace('_', ' ')} {shown}")
