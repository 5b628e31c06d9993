"""The transformer generator against the contract: cached = uncached, causal, ids = simplices."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from seqgan.core.tree import tree_map
from seqgan.core.types import SequenceSpace
from seqgan.models.config import TransformerGeneratorConfig
from seqgan.models.generators.transformer import TransformerGenerator

SPACE = SequenceSpace(vocab_size=7, length=5)
CONFIG = TransformerGeneratorConfig(name="transformer", width=8, heads=2, layers=2, dropout=0.2)


@pytest.fixture
def generator() -> TransformerGenerator:
    torch.manual_seed(0)
    built = CONFIG.build(SPACE).eval()
    assert isinstance(built, TransformerGenerator)
    return built


@pytest.fixture
def ids_BT() -> Tensor:
    torch.manual_seed(1)
    return torch.randint(SPACE.vocab_size, (4, SPACE.length))


def step_loop(generator: TransformerGenerator, tokens: Tensor) -> Tensor:
    out = generator.start(len(tokens))
    logits = [out.logits_BV]
    for time in range(tokens.shape[1] - 1):
        out = generator.step(tokens[:, time], out.state)
        logits.append(out.logits_BV)
    return torch.stack(logits, 1)


def close(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)


def test_step_loop_equals_forward(generator, ids_BT) -> None:
    close(step_loop(generator, ids_BT), generator(ids_BT))


def test_step_loop_equals_forward_on_soft_tokens(generator, ids_BT) -> None:
    soft_BTV = torch.randn(4, SPACE.length, SPACE.vocab_size).softmax(-1)
    close(step_loop(generator, soft_BTV), generator(soft_BTV))


def test_ids_equal_their_one_hot_rows(generator, ids_BT) -> None:
    simplex_BTV = F.one_hot(ids_BT, SPACE.vocab_size).float()
    close(generator(simplex_BTV), generator(ids_BT))
    close(step_loop(generator, simplex_BTV), step_loop(generator, ids_BT))


@pytest.mark.parametrize("column", range(SPACE.length))
def test_a_token_changes_only_what_comes_after_it(generator, ids_BT, column) -> None:
    changed_BT = ids_BT.clone()
    changed_BT[:, column] = (changed_BT[:, column] + 1) % SPACE.vocab_size
    before, after = generator(ids_BT), generator(changed_BT)
    close(after[:, : column + 1], before[:, : column + 1])
    for time in range(column + 1, SPACE.length):
        assert not torch.allclose(after[:, time], before[:, time])


def test_rows_of_the_state_continue_by_themselves(generator, ids_BT) -> None:
    """Rollouts repeat and select rows of a cached state, then continue each copy alone."""
    out = generator.step(ids_BT[:, 0], generator.start(4).state)
    one = tree_map(lambda x: x[2:3], out.state)
    close(
        generator.step(ids_BT[2:3, 1], one).logits_BV,
        generator.step(ids_BT[:, 1], out.state).logits_BV[2:3],
    )


def test_a_state_can_be_continued_twice(generator, ids_BT) -> None:
    state = generator.start(4).state
    first = generator.step(ids_BT[:, 0], state).logits_BV
    generator.step(ids_BT[:, 1], state)
    assert torch.equal(generator.step(ids_BT[:, 0], state).logits_BV, first)


def test_position_matters(generator) -> None:
    """Nothing but the position tells columns of one repeated token apart."""
    logits_BTV = generator(torch.zeros(1, SPACE.length, dtype=torch.long))
    assert not torch.allclose(logits_BTV[:, 2], logits_BTV[:, 3])


def test_a_token_behind_the_last_column_is_refused(generator, ids_BT) -> None:
    out = generator.start(4)
    for time in range(SPACE.length - 1):
        out = generator.step(ids_BT[:, time], out.state)
    with pytest.raises(IndexError):
        generator.step(ids_BT[:, -1], out.state)


@pytest.mark.parametrize("loop", [False, True])
def test_every_parameter_and_the_tokens_get_a_gradient(generator, ids_BT, loop) -> None:
    simplex_BTV = F.one_hot(ids_BT, SPACE.vocab_size).float().requires_grad_()
    logits_BTV = step_loop(generator, simplex_BTV) if loop else generator(simplex_BTV)
    logits_BTV.log_softmax(-1)[..., 0].sum().backward()
    for name, parameter in generator.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name
    # The last token predicts nothing.
    assert (simplex_BTV.grad[:, :-1].abs().amax((0, 2)) > 0).all()
    assert (simplex_BTV.grad[:, -1] == 0).all()


def test_dropout_acts_in_training_only(generator, ids_BT) -> None:
    assert torch.equal(generator(ids_BT), generator(ids_BT))
    generator.train()
    assert not torch.equal(generator(ids_BT), generator(ids_BT))
