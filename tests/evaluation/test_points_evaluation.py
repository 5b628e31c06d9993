"""The evaluator of points on the controls that have to fail, and its fixed noise."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from seqgan.core.types import DirectGenerator
from seqgan.data.points_config import PointsDataConfig
from seqgan.evaluation.base import DecodingSetting
from seqgan.evaluation.points import PointsEvaluator

CONFIG = PointsDataConfig(name="points", layout="grid", std=0.05, valid=500, test=2_000)
MIXTURE, SIZES = CONFIG.build_mixture(), {"valid": CONFIG.valid, "test": CONFIG.test}
ROWS = 2_000


class Fixed(DirectGenerator):
    """Gives what it was made with, moved a little by its noise."""

    latent = 2

    def __init__(self, give: Callable[[int], Tensor], noise: float = 0.0) -> None:
        super().__init__()
        self.unused = torch.nn.Parameter(torch.zeros(()))
        self._give, self._noise = give, noise

    def forward(self, z_BL: Tensor, cond: Tensor | None = None) -> Tensor:
        return self._give(len(z_BL)) + self._noise * z_BL


def measured(give: Callable[[int], Tensor]) -> dict[str, float]:
    return PointsEvaluator(MIXTURE, SIZES, 0).generated(
        Fixed(give), "test", ROWS, DecodingSetting()
    )


def test_controls() -> None:
    real_ND = MIXTURE.draw(99, ROWS)
    centre_KD = MIXTURE.centres_K2
    found = {
        "real": measured(lambda rows: real_ND[:rows]),
        "noise": measured(lambda rows: 3 * torch.randn(rows, 2)),
        "mean": measured(lambda rows: real_ND.mean(0).expand(rows, -1) + 0.5),
        "one": measured(lambda rows: real_ND[:1].expand(rows, -1)),
        "one mode": measured(lambda rows: centre_KD[:1] + 0.05 * torch.randn(rows, 2)),
    }
    assert found["real"]["modes"] == 25
    assert found["real"]["high_quality"] > 0.97
    assert found["one"]["modes"] == found["one mode"]["modes"] == 1
    assert found["mean"]["high_quality"] == 0
    assert found["noise"]["high_quality"] < 0.3
    for name in ("noise", "mean", "one", "one mode"):
        assert found[name]["frechet"] > 10 * found["real"]["frechet"], name
    for name in ("mean", "one", "one mode"):
        assert found[name]["coverage"] < 0.1 < 0.85 < found["real"]["coverage"], name


def test_a_mode_needs_twenty_points_of_ten_thousand() -> None:
    centre_KD = MIXTURE.centres_K2

    def give(rows: int) -> Tensor:
        least = 2 * rows // 1_000
        few, enough = centre_KD[:1].expand(least - 1, -1), centre_KD[1:2].expand(least, -1)
        rest = rows - 2 * least + 1
        return torch.cat([few, enough, centre_KD[2:3].expand(rest, -1)])

    assert measured(give)["modes"] == 2


@pytest.mark.parametrize("seed", [0, 1])
def test_a_sheet_shows_the_same_noise_at_every_call(seed: int) -> None:
    generator = Fixed(lambda rows: torch.zeros(rows, 2), noise=1.0)
    evaluator = PointsEvaluator(MIXTURE, SIZES, seed)
    first = evaluator.show(generator, DecodingSetting()).image.tobytes()
    torch.rand(7)
    assert evaluator.show(generator, DecodingSetting()).image.tobytes() == first
    other = PointsEvaluator(MIXTURE, SIZES, seed + 1).show(generator, DecodingSetting()).image
    assert other.tobytes() != first
