"""The generator with the pairwise critic's bias."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from seqgan.core.types import SequenceSpace
from seqgan.models.config import PairwiseGeneratorConfig
from seqgan.models.generators.pairwise import PairwiseGenerator

SPACE = SequenceSpace(vocab_size=5, length=6)


@pytest.fixture
def generator() -> PairwiseGenerator:
    torch.manual_seed(0)
    config = PairwiseGeneratorConfig(name="pairwise", embed=3, hidden=4, compare=3, channels=2)
    made = config.build(SPACE)
    assert isinstance(made, PairwiseGenerator)
    torch.nn.init.normal_(made.weight_CTT)
    return made


def by_steps(generator: PairwiseGenerator, tokens: Tensor) -> Tensor:
    out = generator.start(len(tokens))
    logits = [out.logits_BV]
    for x in tokens.unbind(1)[:-1]:
        out = generator.step(x, out.state)
        logits.append(out.logits_BV)
    return torch.stack(logits, 1)


def test_the_step_loop_equals_forward_on_ids_and_rows(generator) -> None:
    ids_BT = torch.randint(5, (7, 6))
    rows_BTV = F.one_hot(ids_BT, 5).float()
    expected = generator(ids_BT)
    for tokens in (ids_BT, rows_BTV):
        torch.testing.assert_close(by_steps(generator, tokens), expected)
    torch.testing.assert_close(generator(rows_BTV), expected)


def test_a_column_sees_earlier_ones_only(generator) -> None:
    ids_BT = torch.randint(5, (3, 6))
    changed_BT = ids_BT.clone()
    changed_BT[:, 3] = (changed_BT[:, 3] + 1) % 5
    before, after = generator(ids_BT), generator(changed_BT)
    assert torch.equal(before[:, :4], after[:, :4])
    assert (before[:, 4:] != after[:, 4:]).any(-1).all()


def test_the_comparison_is_the_formula(generator) -> None:
    """logits − recurrent logits, by loops over columns, channels and tokens."""
    ids_BT = torch.randint(5, (2, 6))
    extra = generator(ids_BT) - generator.recurrent(ids_BT)
    e_VE = generator.symbols.weight
    m_CEE = generator.bilinear.weight.view(2, 3, 3)
    for row, t in ((0, 0), (0, 5), (1, 3)):
        for v in range(5):
            expected = sum(
                float(generator.weight_CTT[c, t, s] * (e_VE[v] @ m_CEE[c] @ e_VE[ids_BT[row, s]]))
                for s in range(t)
                for c in range(2)
            )
            assert float(extra[row, t, v]) == pytest.approx(expected / 3**0.5, abs=1e-5)


def test_every_parameter_learns(generator) -> None:
    generator(torch.randint(5, (4, 6))).square().sum().backward()
    for name, parameter in generator.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            assert parameter.grad.abs().sum() > 0, name
