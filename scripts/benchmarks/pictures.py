"""A picture GAN through the trainer and by hand; metrics of pictures."""

import json
import subprocess
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.sizes import Sizes
from benchmarks.timing import Json, alternate, ratio
from seqgan.assembly import build_game
from seqgan.core.config import validate
from seqgan.core.pictures import to_unit
from seqgan.core.types import (
    ArraySpace,
    Batch,
)
from seqgan.data.stream import Stream
from seqgan.evaluation.base import Evaluator
from seqgan.evaluation.task import Task
from seqgan.experiment import Experiment
from seqgan.tasks.faces.drawing import draw_faces, sample_labels
from seqgan.training.config import StageConfig
from seqgan.training.phase_schedule import PhaseSchedule
from seqgan.training.trainer import Trainer


def bench_picture(sizes: Sizes, device: torch.device) -> Json:
    """Rounds of one critic and one generator update: what the trainer costs over a bare loop.

    The whole of `Trainer.run` is timed, with its log lines and the checkpoint at the end, but
    without evaluation. Both sides train networks of equal initial weights on the same pictures.
    """
    experiment = picture_experiment(sizes)
    x_NCHW = draw_faces(sample_labels(2_000, 0), 32, "day", 0).to(device)
    space = ArraySpace((3, 32, 32))

    def ours() -> None:
        trainer.schedule = PhaseSchedule([StageConfig(repeat=done(), phases=ROUND)])
        trainer.run()

    def done() -> int:
        return trainer.step // len(ROUND) + sizes.picture_rounds

    with TemporaryDirectory() as folder:
        stream = Stream(Batch(x_NCHW), sizes.batch, 0, prepare=to_unit)
        game = build_game(experiment, Task(space, (stream,), cast(Evaluator, None)), device)
        trainer = Trainer(
            game,
            PhaseSchedule(experiment.schedule),
            experiment.train,
            device,
            Path(folder),
            evaluate=lambda step: {},
            show=lambda step: None,
        )
        naive = HandWritten(experiment, space, x_NCHW, sizes, device)
        (Path(folder) / "checkpoints").mkdir()
        ours()  # warm up
        naive.train()
        runs = alternate({"naive": naive.train, "ours": ours}, 2 * sizes.repeats - 1, device)
    result = ratio(runs)
    result["ms_a_round"] = {
        name: 1000 * median(times) / sizes.picture_rounds for name, times in runs.items()
    }
    result["overhead"] = median(runs["ours"]) / median(runs["naive"]) - 1
    return result


ROUND: dict[str, int] = {"critic": 1, "generator": 1}


def picture_experiment(sizes: Sizes) -> Experiment:
    network = {"name": "dcgan", "width": sizes.picture_width}
    player = {"lr": 2e-4, "betas": [0.5, 0.999], "clip_norm": None}
    tree = {
        "name": "bench",
        "data": {"name": "pictures", "source": {"name": "faces"}},
        "game": {"name": "adversarial"},
        "generator": {**network, "latent": 64},
        "critic": network,
        "objective": {"name": "non_saturating"},
        "estimator": {"name": "pathwise"},
        "players": {"generator": player, "critic": player},
        "schedule": [{"repeat": sizes.picture_rounds, "phases": ROUND}],
        "train": {
            "batch_size": sizes.batch,
            "eval_every": 1_000_000,
            "checkpoint_every": 1_000_000,
            "tensorboard": False,
        },
    }
    return validate(Experiment, tree, "bench")


class HandWritten:
    """The same GAN as one writes it in a notebook: nothing is logged, checked or saved."""

    def __init__(
        self,
        experiment: Experiment,
        space: ArraySpace,
        x_NCHW: Tensor,
        sizes: Sizes,
        device: torch.device,
    ) -> None:
        torch.manual_seed(experiment.seed)
        assert experiment.critic is not None
        self._generator: Any = experiment.generator.build(space).to(device)
        self._critic: Any = experiment.critic.build(space).to(device)
        self._optimizers = [
            torch.optim.AdamW(
                module.parameters(), lr=2e-4, betas=(0.5, 0.999), weight_decay=0, fused=True
            )
            for module in (self._generator, self._critic)
        ]
        self._x_NCHW = x_NCHW
        self._sizes = sizes

    def train(self) -> None:
        generator, critic = self._generator, self._critic
        batch, latent = self._sizes.batch, generator.latent
        step_generator, step_critic = self._optimizers
        device = self._x_NCHW.device
        for _ in range(self._sizes.picture_rounds):
            rows = torch.randint(len(self._x_NCHW), (batch,), device=device)
            real = self._x_NCHW[rows].float() / 127.5 - 1
            with torch.no_grad():
                fake = generator(torch.randn(batch, latent, device=device))
            loss = F.softplus(-critic(real).score).mean() + F.softplus(critic(fake).score).mean()
            step_critic.zero_grad()
            loss.backward()
            step_critic.step()
            critic.requires_grad_(False)
            fake = generator(torch.randn(batch, latent, device=device))
            loss = F.softplus(-critic(fake).score).mean()
            step_generator.zero_grad()
            loss.backward()
            step_generator.step()
            critic.requires_grad_(True)


def bench_prdc(sizes: Sizes) -> Json:
    """In a process of its own, so that its peak of memory is its own."""
    code = (
        "import json, resource, time, torch\n"
        "from seqgan.metrics.coverage import prdc\n"
        f"torch.manual_seed(0); real, fake = torch.randn(2, {sizes.features}, 128)\n"
        "prdc(real[:100], fake[:100])\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024\n"
        "before, start = peak(), time.perf_counter()\n"
        "found = prdc(real, fake)\n"
        "seconds = time.perf_counter() - start\n"
        "print(json.dumps({'seconds': seconds, 'bytes': peak() - before, 'found': found}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)
