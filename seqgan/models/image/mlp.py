"""A perceptron from noise to a sample: for points, and for small pictures.

    h_0 = [z; label vectors],   h_i = relu(W_i h_{i−1} + b_i),   x = W h + b,  tanh of it if bounded

The generator of the first GAN (Goodfellow 2014) and of the toys in the plane (Gulrajani 2017).
Torch's initialisation. Deviations from Goodfellow: tanh instead of a sigmoid, no dropout.
"""

from itertools import pairwise
from typing import Literal

from torch import Tensor, nn

from seqgan.core.types import ArraySpace, DirectGenerator
from seqgan.models.conditions import beside
from seqgan.models.layers import Stack


class MlpGenerator(DirectGenerator):
    """A perceptron from noise [B, latent] to points or small pictures.

    generator = MlpGenerator(ArraySpace((2,)), latent=16)
    generator(generator.draw(64))  # x [64, 2]
    """

    def __init__(
        self,
        space: ArraySpace,
        latent: int = 64,
        noise: Literal["normal", "uniform"] = "normal",
        hidden: int = 128,
        layers: int = 3,
    ) -> None:
        super().__init__()
        self.space = space
        self.latent, self.noise = latent, noise
        self.labels = beside(space)
        widths = [latent + self.labels.width] + [hidden] * layers
        self.layers = Stack[nn.Linear](
            nn.Linear(inputs, outputs) for inputs, outputs in pairwise(widths)
        )
        self.output = nn.Linear(hidden, space.size)

    def forward(self, z_BL: Tensor, cond: Tensor | None = None) -> Tensor:
        h_BH = self.labels(z_BL, cond)
        for layer in self.layers:
            h_BH = layer(h_BH).relu()
        x = self.output(h_BH).unflatten(1, self.space.shape)
        return x.tanh() if self.space.bounded else x
