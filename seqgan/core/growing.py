"""Networks that get layers while they are trained, so that pictures begin small (Karras 2018).

Stage s has pictures of `sizes[s]` pixels. A new stage is faded in, α from 0 to 1: at α = 0 the
network computes what it did before it grew, at α = 1 the older way to a picture is out of use.
"""

from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Growing(nn.Module, ABC):
    """A network of stages, of which the first is there from the beginning.

    The buffers `stage` and `alpha` are part of its weights, which so tell how large it is.
    """

    stage: Tensor
    alpha: Tensor

    def __init__(self, sizes: tuple[int, ...]) -> None:
        super().__init__()
        self.sizes = sizes
        """Height and width of pictures at each stage, each twice the one before."""
        self.grown = 0
        """The present stage, as a number that no device has to be asked for."""
        self.register_buffer("stage", torch.zeros((), dtype=torch.long))
        self.register_buffer("alpha", torch.ones(()))

    @abstractmethod
    def _add_layers(self, stage: int) -> None:
        """Add the layers of a stage, freshly initialised."""

    def grow(self) -> None:
        """Add the next stage, at α = 0. Optimizers and averages have to be told: see
        `Player.rebuild`."""
        self.grown += 1
        self._add_layers(self.grown)
        self.to(self.alpha.device)
        self.stage.fill_(self.grown)
        self.alpha.fill_(0.0)

    def limit(self, x: Tensor) -> Tensor:
        """Pictures of full size as the present stage can show them: finer details are left out,
        those of the newest size by 1 − α."""
        shown = _coarse(x, self.sizes[-1] // self.sizes[self.grown])
        if not self.grown:
            return shown
        before = _coarse(x, self.sizes[-1] // self.sizes[self.grown - 1])
        return torch.lerp(before, shown, self.alpha)


def growing_parts(module: nn.Module) -> list[Growing]:
    """The networks of stages in a network."""
    return [part for part in module.modules() if isinstance(part, Growing)]


def grow_to_fit(module: nn.Module, weights: dict[str, Tensor]) -> None:
    """Give a network the stages that these weights of it have."""
    for name, part in module.named_modules():
        stage = weights.get(f"{name}.stage" if name else "stage")
        if isinstance(part, Growing) and stage is not None and stage.numel() == 1:
            while part.grown < min(int(stage), len(part.sizes) - 1):
                part.grow()


def enlarge(x: Tensor, factor: int) -> Tensor:
    """Each pixel `factor` × `factor` times."""
    return x if factor == 1 else F.interpolate(x, scale_factor=factor)


def shrink(x: Tensor, factor: int) -> Tensor:
    """Means over `factor` × `factor` pixels."""
    return x if factor == 1 else F.avg_pool2d(x, factor)


def _coarse(x: Tensor, factor: int) -> Tensor:
    return enlarge(shrink(x, factor), factor)
