"""RelGAN's critic against plain convolutions; tests/models/test_critics.py has the contract."""

import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError
from torch import Tensor

from seqgan.core.errors import UserError
from seqgan.core.masks import mask_until_end
from seqgan.core.types import SequenceSpace
from seqgan.models.config import RelganCriticConfig
from seqgan.models.critics.relgan import RelganCritic

SPACE = SequenceSpace(vocab_size=6, length=7, end_id=0)
CONFIG = RelganCriticConfig(
    name="relgan", representations=5, embed=2, widths=[2, 3, 7], filters=[4, 3, 2], hidden=6
)


@pytest.fixture
def critic() -> RelganCritic:
    torch.manual_seed(0)
    built = CONFIG.build(SPACE).eval()
    assert isinstance(built, RelganCritic)
    return built


@pytest.fixture
def ids_BT() -> Tensor:
    torch.manual_seed(1)
    ids_BT = torch.randint(1, 6, (4, 7))
    ids_BT[0, 2:], ids_BT[1, 0:] = 0, 0
    return ids_BT


def published(critic: RelganCritic, x_BTE: Tensor) -> Tensor:
    """One logit a sentence and representation, [B, R]: each representation alone, by `conv1d`."""
    logits = []
    for r in range(CONFIG.representations):
        x_BET = x_BTE[:, :, r * CONFIG.embed : (r + 1) * CONFIG.embed].transpose(1, 2)
        pooled = []
        for layer, width in zip(critic.filters, CONFIG.widths, strict=True):
            kernel = layer.weight.view(-1, width, CONFIG.embed).transpose(1, 2)
            pooled.append(F.conv1d(x_BET, kernel, layer.bias).relu().amax(2))
        f = torch.cat(pooled, 1)
        gate = torch.sigmoid(critic.highway.gate(f))
        f = gate * torch.relu(critic.highway.transform(f)) + (1 - gate) * f
        logits.append(critic.readout(critic.hidden(f))[:, 0])
    return torch.stack(logits, 1)


def test_the_score_is_the_mean_of_the_published_logits(critic, ids_BT) -> None:
    mask_BT = mask_until_end(ids_BT, 0)
    x_BTE = critic.embedding.weight[ids_BT] * mask_BT[..., None]
    expected_BR = published(critic, x_BTE)
    assert expected_BR.std(1).min() > 1e-4, "representations differ, or their mean proves nothing"
    scores = critic(ids_BT, mask_BT)
    torch.testing.assert_close(scores.score, expected_BR.mean(1))


def test_the_score_is_read_from_the_features(critic, ids_BT) -> None:
    scores = critic(ids_BT, mask_until_end(ids_BT, 0))
    assert scores.features_BF.shape == (4, 6)
    torch.testing.assert_close(critic.readout(scores.features_BF)[:, 0], scores.score)


def test_the_defaults_are_those_of_the_paper() -> None:
    critic = RelganCritic(SequenceSpace(5000, 20))
    assert critic.embedding.weight.shape == (5000, 64)
    assert [tuple(layer.weight.shape) for layer in critic.filters] == [
        (300, width) for width in (2, 3, 4, 5)
    ]
    assert critic.hidden.weight.shape == (100, 1200)
    assert critic.dropout.p == 0.25


def test_windows_must_fit_and_have_filters() -> None:
    with pytest.raises(UserError, match=r"critic\.widths has 7, longer than the sequences"):
        CONFIG.build(SequenceSpace(6, 5))
    with pytest.raises(ValidationError, match="widths has 2 entries and filters 1"):
        RelganCriticConfig(name="relgan", widths=[1, 2], filters=[3])
