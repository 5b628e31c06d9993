"""A data source with a metric of its own: rows of coins, and how many heads are generated."""

from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from seqgan.core.parts import DataPart, Modality
from seqgan.core.rng import isolated
from seqgan.core.types import Batch, SequenceSpace
from seqgan.data.stream import Stream
from seqgan.decoding import Ancestral, sample
from seqgan.evaluation.base import DecodingSetting, Evaluator, Metrics, ShownLines, temperatures
from seqgan.evaluation.task import SequenceSets, Task, TaskSetup

SPACE = SequenceSpace(vocab_size=2, length=3)


def head_share(ids_BT: Tensor) -> float:
    """A metric: the share of tokens that are heads (1)."""
    return float(ids_BT.float().mean())


class CoinEvaluator(Evaluator[Any]):
    """Measures a generator by the metric."""

    settings = staticmethod(temperatures)

    def __init__(self, real: dict[str, Batch]) -> None:
        self.notes: dict[str, object] = {}
        self._real = real

    def generated(
        self, generator: Any, split: str, samples: int, setting: DecodingSetting
    ) -> Metrics:
        with isolated(0):
            rollout = sample(generator, SPACE, samples, Ancestral(setting.temperature))
        return {"head_share": head_share(rollout.ids_BT)}

    def real(self, split: str, samples: int) -> Metrics:
        return {"head_share": head_share(self._real[split].x)}

    def show(self, generator: Any, setting: DecodingSetting) -> ShownLines:
        with isolated(0):
            rollout = sample(generator, SPACE, 4, Ancestral(setting.temperature))
        return ShownLines([" ".join(map(str, row)) for row in rollout.ids_BT.tolist()])


class CoinDataConfig(DataPart):
    """Coins that show heads with a probability."""

    modality: ClassVar[Modality] = "sentences"
    metrics: ClassVar[tuple[str, ...]] = ("head_share",)

    name: Literal["coins"] = "coins"
    heads: float = Field(0.75, gt=0, lt=1)
    """Probability of heads."""

    def build(self, setup: TaskSetup) -> Task:
        draw = torch.Generator().manual_seed(setup.seed)
        sets = [
            Batch((torch.rand(64, 3, generator=draw) < self.heads).long(), torch.ones(64, 3).bool())
            for _ in range(3)
        ]
        train, valid, test = sets
        return Task(
            SPACE,
            (Stream(train, setup.batch_size, setup.seed),),
            CoinEvaluator({"valid": valid, "test": test}),
            sequences=SequenceSets(train, valid),
        )
