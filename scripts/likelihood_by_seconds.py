"""Held-out likelihood of experiments on text after the same CPU seconds, side by side.

Each experiment's first stage, which must be likelihood (and rollback), is trained for the longest
of `--seconds` or to its end. Seconds are of this process, on one thread; reading and measuring do
not count. A line for each experiment, seed and time:

    updates, nll_valid, nll_test, nll_known_test      as `seqgan evaluate` has them

    git show COMMIT:configs/corpus/starter.yaml > before.yaml
    python scripts/likelihood_by_seconds.py before.yaml configs/corpus/starter.yaml \\
        --set data.path=my_sentences.txt --seconds 60 --seconds 120 --seeds 2
"""

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import torch
import typer
from torch import nn

from seqgan.assembly import build_device, build_game, build_task
from seqgan.core.errors import UserError
from seqgan.core.types import Generator
from seqgan.data.corpus import Corpus
from seqgan.data.corpus_config import SentenceFilesConfig
from seqgan.decoding import held_out_log_probs
from seqgan.evaluation.base import Metrics
from seqgan.evaluation.known_tokens import held_out_nll
from seqgan.experiment import Experiment, load_experiment
from seqgan.training.phase_schedule import PhaseSchedule
from seqgan.training.player import Player


@dataclass(frozen=True)
class Measured:
    """A generator after so many CPU seconds of training."""

    seconds: float
    updates: int
    nll: Metrics


def learning_curve(experiment: Experiment, seconds: list[float]) -> Iterator[Measured]:
    """Train by likelihood; measure after each of `seconds`, and where the first stage ends."""
    data, stage = experiment.data, experiment.schedule[0]
    if not {"mle"} <= set(stage.phases) <= {"mle", "rollback"}:
        raise UserError(f"schedule.0.phases={stage.phases}: begin with a stage of mle alone")
    if not isinstance(data, SentenceFilesConfig):
        raise UserError(f"data.name={data.name}: give an experiment on text or huggingface")
    device = build_device(experiment)
    corpus = data.build_corpus()
    game = build_game(experiment, build_task(experiment, device), device)
    player = game.players["generator"]
    spent, step, schedule = 0.0, 0, PhaseSchedule([stage])
    for limit in sorted(seconds):
        while spent < limit and (phase := schedule.phase(step)):
            begun = time.process_time()
            for learner, loss, _ in game.updates(phase):
                learner.update(loss)
            spent += time.process_time() - begun
            step += 1
        yield Measured(spent, player.updates, _held_out(player, corpus, device))
        if step == schedule.steps:
            return


def _held_out(player: Player[nn.Module], corpus: Corpus, device: torch.device) -> Metrics:
    found: Metrics = {}
    for name, split in (("valid", corpus.valid), ("test", corpus.test)):
        ids_NT, mask_NT = split.ids_NT.to(device), split.mask_NT.to(device)
        with player.evaluated() as generator:
            assert isinstance(generator, Generator)
            logp_NT = held_out_log_probs(generator, ids_NT, mask_NT)
        found |= held_out_nll(name, logp_NT, ids_NT, mask_NT, corpus.tokenizer.unk_id)
    return found


def main(
    experiments: Annotated[list[Path], typer.Argument(help="YAML files of experiments.")],
    seconds: Annotated[list[float], typer.Option(help="CPU seconds after which to measure.")],
    set: Annotated[list[str], typer.Option(help="An override of every experiment.")] = [],  # noqa: B006
    seeds: Annotated[int, typer.Option(min=1, help="Seeds 0, 1, … of each experiment.")] = 1,
) -> None:
    """Compare experiments on text by their likelihood after the same CPU seconds."""
    print("experiment seed seconds updates nll_valid nll_test nll_known_test")
    try:
        for seed in range(seeds):
            for path in experiments:
                overrides = [*set, f"seed={seed}", "train.threads=1"]
                for measured in learning_curve(load_experiment(path, overrides), seconds):
                    names = ("nll_valid", "nll_test", "nll_known_test")
                    nll = [_number(measured.nll[name]) for name in names]
                    spent = f"{measured.seconds:.0f}"
                    print(path.stem, seed, spent, measured.updates, *nll, flush=True)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(2) from None


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    typer.run(main)
