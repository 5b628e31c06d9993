"""The feature extractor: the named network that pictures are measured with.

It is trained here, on pictures that no player is trained on and no metric compares with. Its
features give distances, its heads read labels. Three kinds:

    labels     a softmax for each label
    rotations  which of four quarter turns a picture was given (Gidaris et al. 2018)
    random     untrained filters; only the means and variances of the batch normalisation come from
               pictures: without them a third of the features is 0 for every picture

Its name is its kind and the first digits of the SHA-256 of its parameters, and stands behind every
number it gives: `fid@cnn-1a2b3c4d`. Equal names mean equal networks, bit for bit.

Deviation from Gidaris et al.: each picture of a batch gets one random turn instead of all four.

Training is repeatable on one machine: own seed, on the CPU, on one thread. Extractors are kept by
`extractor_store.py`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seqgan.core.errors import UserError
from seqgan.core.pictures import to_unit
from seqgan.core.progress import progress_bar
from seqgan.core.rng import isolated
from seqgan.evaluation.extractor_store import (
    kept_network,
    key_of,
    one_thread,
    parameters_hash,
    rate_factor,
)
from seqgan.models.image.feature_net import FeatureNet

Kind = Literal["labels", "rotations", "random"]
PREFIXES = {"labels": "cnn", "rotations": "rotnet", "random": "randconv"}
LEARNING_RATE = 6e-3
CALIBRATION = 2_000
"""Pictures that give a random feature extractor its means and variances."""
AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class ExtractorSpec:
    """What a feature extractor depends on besides its pictures."""

    kind: Kind
    label_sizes: tuple[int, ...]
    """Classes of each label; () where it reads none."""
    channels: int
    seed: int = 0
    updates: int = 700
    batch_size: int = 128

    @property
    def heads(self) -> tuple[int, ...]:
        """Classes of each head of the network."""
        return {"labels": self.label_sizes, "rotations": (4,), "random": ()}[self.kind]


class FeatureExtractor:
    """A trained network in evaluation mode. Pictures come as bytes [N, C, H, W]."""

    def __init__(self, spec: ExtractorSpec, network: FeatureNet, device: torch.device) -> None:
        self.name = f"{PREFIXES[spec.kind]}-{parameters_hash(network)[:8]}"
        self.reads_labels = spec.kind == "labels"
        self.network = network.to(device).eval().requires_grad_(False)
        self._device = device

    def features(self, x_NCHW: Tensor) -> Tensor:
        """`features_NF` [N, 128], float32, on the CPU."""
        return torch.cat([features for features, _ in self._outputs(x_NCHW)])

    def labels(self, x_NCHW: Tensor) -> Tensor:
        """The likeliest class of each label, `labels_NA`, on the CPU."""
        return likeliest(self.log_probs(x_NCHW))

    def log_probs(self, x_NCHW: Tensor) -> list[Tensor]:
        """log p(class | picture), [N, classes], for each label, on the CPU."""
        assert self.reads_labels, "only feature extractors of labels read labels"
        blocks = [heads for _, heads in self._outputs(x_NCHW)]
        return [torch.cat(head).log_softmax(1) for head in zip(*blocks, strict=True)]

    def accuracy(self, x_NCHW: Tensor, labels_NA: Tensor) -> list[float]:
        """Share of pictures whose label is read correctly, one number per label."""
        right_NA = self.labels(x_NCHW) == labels_NA.cpu()
        return right_NA.double().mean(0).tolist()

    @torch.no_grad()
    def _outputs(self, x_NCHW: Tensor) -> Iterator[tuple[Tensor, list[Tensor]]]:
        for block in x_NCHW.split(AT_ONCE):
            features, heads = self.network(to_unit(block.to(self._device)))
            yield features.float().cpu(), [head.float().cpu() for head in heads]


def likeliest(heads: list[Tensor]) -> Tensor:
    """`labels_NA` of log-probabilities [N, classes], one table for each label."""
    return torch.stack([head.argmax(1) for head in heads], 1)


# ── Training ──────────────────────────────────────────────────────────────────────────────────


def train_extractor(
    spec: ExtractorSpec,
    x_NCHW: Tensor,
    labels_NA: Tensor | None,
    device: torch.device,
    advance: Callable[[], None] = lambda: None,
) -> FeatureExtractor:
    """A feature extractor trained on the CPU from `spec.seed`, to be used on `device`.

    `advance` is called after every update. Raises `UserError` for labels that are missing, and for
    rotations of pictures that are not square.
    """
    height, width = x_NCHW.shape[-2:]
    if spec.kind == "labels" and labels_NA is None:
        raise UserError(
            "evaluation.feature_extractor.kind='labels': the pictures have none; use rotations"
        )
    if spec.kind == "rotations" and height != width:
        raise UserError(
            f"evaluation.feature_extractor.kind='rotations': pictures are {height}×{width} "
            "(height × width), and quarter turns need squares; set data.size, or use labels or "
            "random"
        )
    x_NCHW = x_NCHW.cpu()
    with isolated(spec.seed), one_thread():
        network = FeatureNet(spec.channels, spec.heads)
        if spec.kind == "random":
            _calibrate(network, x_NCHW)
        else:
            _fit(network, spec, x_NCHW, None if labels_NA is None else labels_NA.cpu(), advance)
    return FeatureExtractor(spec, network, device)


@torch.no_grad()
def _calibrate(network: FeatureNet, x_NCHW: Tensor) -> None:
    """Set the running statistics to those of some pictures."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    network(to_unit(x_NCHW[torch.randperm(len(x_NCHW))[:CALIBRATION]]))


def _fit(
    network: FeatureNet,
    spec: ExtractorSpec,
    x_NCHW: Tensor,
    labels_NA: Tensor | None,
    advance: Callable[[], None],
) -> None:
    """Adam, with `rate_factor`."""
    optimizer = torch.optim.Adam(network.parameters(), LEARNING_RATE)
    rate = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k: rate_factor(k, spec.updates))
    for _ in range(spec.updates):
        rows = torch.randint(len(x_NCHW), (spec.batch_size,))
        x = shifted(to_unit(x_NCHW[rows]))
        if spec.kind == "rotations":
            x, target_NA = turned(x)
        else:
            assert labels_NA is not None, "only rotations need no labels"
            target_NA = labels_NA[rows]
        _, heads = network(x)
        pairs = zip(heads, target_NA.unbind(1), strict=True)
        loss = torch.stack([F.cross_entropy(head, target_N) for head, target_N in pairs]).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        rate.step()
        advance()


def shifted(x_NCHW: Tensor, most: int = 2) -> Tensor:
    """The batch, moved as one by up to `most` pixels in x and y; the border is repeated."""
    height, width = x_NCHW.shape[-2:]
    padded = F.pad(x_NCHW, (most,) * 4, mode="replicate")
    down, right = torch.randint(2 * most + 1, (2,)).tolist()
    return padded[..., down : down + height, right : right + width]


def turned(x_NCHW: Tensor) -> tuple[Tensor, Tensor]:
    """Each picture turned by 0 to 3 quarters, and by how many, `[N, 1]`; pictures are square."""
    quarters_N = torch.randint(4, (len(x_NCHW),))
    x_4NCHW = torch.stack([x_NCHW.rot90(k, (2, 3)) for k in range(4)])
    return x_4NCHW[quarters_N, torch.arange(len(x_NCHW))], quarters_N[:, None]


# ── The store ─────────────────────────────────────────────────────────────────────────────────


def cached_extractor(
    spec: ExtractorSpec,
    x_NCHW: Tensor,
    labels_NA: Tensor | None,
    device: torch.device,
    folder: Path | None = None,
) -> FeatureExtractor:
    """The extractor of these pictures: the one kept in `folder` (None: `default_folder()`), or new.

    Raises what `train_extractor` does.
    """
    network = kept_network(
        key_of(spec, (FeatureExtractor, FeatureNet), x_NCHW, labels_NA),
        lambda: FeatureNet(spec.channels, spec.heads),
        lambda: _train_with_bar(spec, x_NCHW, labels_NA).network,
        folder,
    )
    return FeatureExtractor(spec, network, device)


def _train_with_bar(
    spec: ExtractorSpec, x_NCHW: Tensor, labels_NA: Tensor | None
) -> FeatureExtractor:
    cpu = torch.device("cpu")
    if spec.kind == "random":
        return train_extractor(spec, x_NCHW, labels_NA, cpu)
    with progress_bar() as bar:
        task = bar.add_task("training the feature extractor", total=spec.updates, note="")
        return train_extractor(spec, x_NCHW, labels_NA, cpu, lambda: bar.advance(task))
