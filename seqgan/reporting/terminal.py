"""Tables on stdout, in a terminal or in a file."""

from rich.console import Console
from rich.table import Table

from seqgan.core.plain import JsonObject
from seqgan.reporting.tables import format_number


def table_console() -> Console:
    """Stdout for tables. A file or a pipe has room for whole rows: nothing is cut to 80 columns."""
    console = Console()
    return console if console.is_terminal else Console(width=1000)


def print_rows(rows: list[JsonObject]) -> None:
    """The rows of an evaluation, a column each."""
    names = list(dict.fromkeys(name for row in rows for name in row["metrics"]))
    table = Table()
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
    table_console().print(table)


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
