"""Two sides of a ratio, run alternately."""

import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import torch

Json = dict[str, Any]
Timings = dict[str, list[float]]


def seconds(work: Callable[[], object], device: torch.device) -> float:
    """Wall-clock time of one call, the device's queue drained before and after."""
    _drain(device)
    start = time.perf_counter()
    work()
    _drain(device)
    return time.perf_counter() - start


def _drain(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def alternate(
    works: dict[str, Callable[[], object]], repeats: int, device: torch.device
) -> Timings:
    """Run A B A B …, so that a disturbance of the machine meets both."""
    runs: Timings = {name: [] for name in works}
    for _ in range(repeats):
        for name, work in works.items():
            runs[name].append(seconds(work, device))
            say(f"  {name} {runs[name][-1]:.3f} s")
    return runs


def summary(runs: list[float]) -> Json:
    return {"median_s": median(runs), "runs_s": runs}


def ratio(runs: Timings) -> Json:
    """Both sides, and how many times faster ours is by the medians and in each pair."""
    pairs = zip(runs["naive"], runs["ours"], strict=True)
    return {
        **{name: summary(times) for name, times in runs.items()},
        "ratio": median(runs["naive"]) / median(runs["ours"]),
        "ratio_of_each_pair": [naive / ours for naive, ours in pairs],
    }


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
