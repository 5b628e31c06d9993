"""Two processes on the same cores."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import torch

from benchmarks.pictures import HandWritten, picture_experiment
from benchmarks.sizes import Sizes
from benchmarks.timing import Json, alternate, summary
from seqgan.core.types import ArraySpace
from seqgan.tasks.faces.drawing import draw_faces, sample_labels

Process = subprocess.Popen[str]


def bench_beside(sizes: Sizes) -> Json:
    """Processes of their own, with as many threads as torch takes by itself: one, and two at once.

    `two_spinning` is what it costs where nothing tells OpenMP's threads not to spin.
    """
    theirs = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "GOMP_"))}
    with neighbours(sizes, theirs) as pair:
        works: dict[str, Callable[[], object]] = {
            "alone": lambda: rounds_of(pair[:1]),
            "two": lambda: rounds_of(pair),
        }
        rounds_of(pair)  # warm up
        runs = alternate(works, sizes.repeats, torch.device("cpu"))
    if sizes.beside_spinning:
        with neighbours(sizes, theirs | {"GOMP_SPINCOUNT": "300000"}) as pair:
            works = {"two_spinning": lambda: rounds_of(pair)}
            runs |= alternate(works, 1, torch.device("cpu"))
    alone = median(runs["alone"])
    return {
        **{name: summary(times) for name, times in runs.items()},
        "ratios": {name: median(times) / alone for name, times in runs.items()},
    }


@contextmanager
def neighbours(sizes: Sizes, environment: dict[str, str]) -> Iterator[list[Process]]:
    """Two processes that train whenever `rounds_of` tells them to."""
    code = (
        f"import seqgan, sys; sys.path.insert(0, {str(Path(__file__).parents[1])!r}); "
        f"from benchmarks.beside import serve_rounds; "
        f"serve_rounds({sizes.beside_rounds}, {sizes.picture_width}, {sizes.batch})"
    )
    pair = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for _ in range(2)
    ]
    try:
        yield pair
    finally:
        for process in pair:
            process.communicate()  # closes its stdin, which ends it


def rounds_of(processes: list[Process]) -> None:
    """Let all of them train at once; back when the last one is done."""
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline(), "a process of the measurement ended"


def serve_rounds(rounds: int, width: int, batch: int) -> None:
    """Train for some rounds at each line of stdin, and answer with a line."""
    sizes = Sizes(picture_rounds=rounds, picture_width=width, batch=batch)
    x_NCHW = draw_faces(sample_labels(100, 0), 32, "day", 0)
    gan = HandWritten(
        picture_experiment(sizes), ArraySpace((3, 32, 32)), x_NCHW, sizes, torch.device("cpu")
    )
    for _ in sys.stdin:
        gan.train()
        print("done", flush=True)
