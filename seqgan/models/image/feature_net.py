"""The feature extractor: a small convolutional classifier of pictures of any size.

Convolutions 5×5 to 24 maps and 3×3 to 48, both with stride 2, and 3×3 to 64, each with batch
normalisation and a ReLU; pooled to 3 × 3, then a layer of 128 units, the features: about 114,000
parameters. One linear head per label. Channels last, the faster layout on a CPU.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FEATURES = 128
_POOLED = 3


class FeatureNet(nn.Module):
    """Features and logits of float pictures in [-1, 1]."""

    def __init__(self, channels: int, label_sizes: tuple[int, ...]) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            *_block(channels, 24, kernel=5, stride=2),
            *_block(24, 48, kernel=3, stride=2),
            *_block(48, 64, kernel=3, stride=1),
        )
        self.hidden = nn.Linear(64 * _POOLED**2, FEATURES)
        self.heads = nn.ModuleList(nn.Linear(FEATURES, size) for size in label_sizes)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, x_NCHW: Tensor) -> tuple[Tensor, list[Tensor]]:
        """`features_NF` [N, 128], behind a ReLU, and the logits of each head [N, classes]."""
        maps = self.convolutions(x_NCHW.contiguous(memory_format=torch.channels_last))
        pooled = F.adaptive_avg_pool2d(maps, _POOLED).flatten(1)
        features_NF = F.relu(self.hidden(pooled))
        return features_NF, [head(features_NF) for head in self.heads]


def _block(inputs: int, outputs: int, kernel: int, stride: int) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    return convolution, nn.BatchNorm2d(outputs), nn.ReLU()
