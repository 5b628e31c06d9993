"""Held-out likelihood of the mixture of two runs' generators, token by token.

    p(x_t | x_<t) = 1/K Σ_k G_k(x_t | x_<t)

The control of a critic that is a likelihood model of its own: what does a second model gain without
a correction, since the mixture can be sampled directly? Prints nll_test in nats per token of each
run and of the mixture, and by how many nats per sentence the mixture is below the first run,
paired, with a 95 % interval over sentences. The runs are of the same text and split.

    python scripts/mixture_of_runs.py runs/seed_0 runs/seed_1
"""

import sys
from math import sqrt
from pathlib import Path
from typing import Annotated

import torch
import typer

import seqgan
from seqgan.core.errors import UserError
from seqgan.data.corpus_config import SentenceFilesConfig
from seqgan.decoding import held_out_log_probs


def main(
    runs: Annotated[list[Path], typer.Argument(help="run folders")],
) -> None:
    """See the module's docstring."""
    opened = [seqgan.open_run(run) for run in runs]
    datas = [run.experiment.data for run in opened]
    data = datas[0]
    if not isinstance(data, SentenceFilesConfig) or any(other != data for other in datas):
        raise UserError("the runs are not of the same text and split; give runs of one `data`")
    test = data.build_corpus(opened[0].tokenizer).test
    logp_KNT = torch.stack(
        [held_out_log_probs(run.generator, test.ids_NT, test.mask_NT) for run in opened]
    ).double()
    mixed_NT = (logp_KNT.logsumexp(0) - torch.tensor(float(len(opened))).log()) * test.mask_NT
    tokens = test.mask_NT.sum()
    for run, logp_NT in zip(runs, logp_KNT, strict=True):
        print(f"{run}  nll_test {-logp_NT.sum() / tokens:.4f}")
    print(f"mixture  nll_test {-mixed_NT.sum() / tokens:.4f}")
    gain_N = (mixed_NT - logp_KNT[0]).sum(1)
    half = 1.96 * float(gain_N.std()) / sqrt(len(gain_N))
    print(f"{gain_N.mean():.3f} ± {half:.3f} nats per sentence below {runs[0]}")


if __name__ == "__main__":
    try:
        typer.run(main)
    except UserError as error:
        sys.exit(f"error: {error}")
