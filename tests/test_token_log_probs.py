"""Log-probabilities of tokens, and of what a generator computes for them.

Generators with a linear last layer go another way than the others; both are compared here with
log-softmax and gather of `forward`. (Against enumeration: tests/test_decoding.py.)
"""

from typing import Any

import pytest
import torch
from enumeration import make_generator
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from seqgan.core.types import Batch, Generator, SequenceSpace
from seqgan.decoding import (
    Ancestral,
    GumbelSoftmax,
    Softmax,
    StraightThrough,
    chosen_log_probs,
    log_probs,
    token_log_probs,
)
from seqgan.games.mle import likelihood_loss
from seqgan.models.generators.pairwise import PairwiseGenerator
from seqgan.models.prompted import PromptedGenerator, with_room
from seqgan.models.seq2seq.directed import Directed
from seqgan.models.seq2seq.pointer import PointerGenerator
from seqgan.models.seq2seq.transformer import EncoderDecoder

SPACE = SequenceSpace(vocab_size=11, length=6, end_id=0)
PROMPTED = SequenceSpace(vocab_size=11, length=6, end_id=0, prompt=3)
ROWS = 9


def encoder_decoder(joint: bool, styles: int = 0) -> EncoderDecoder:
    return EncoderDecoder(SPACE, SPACE, width=8, heads=2, layers=1, joint=joint, styles=styles)


@pytest.fixture(autouse=True)
def _small_batches_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if they were large: small ones go the way of other generators."""
    monkeypatch.setattr(log_probs, "_FEW_LOGITS", 0)


LINEAR = {
    "lstm": lambda: make_generator("lstm", SPACE),
    "transformer": lambda: make_generator("transformer", SPACE),
    "relational": lambda: make_generator("relational", SPACE),
    "prompted": lambda: PromptedGenerator(make_generator("gru", with_room(PROMPTED)), PROMPTED),
    "encoder_decoder": lambda: encoder_decoder(joint=False),
    "tied to the source": lambda: encoder_decoder(joint=True),
    "directed": lambda: Directed(encoder_decoder(joint=True, styles=2), 1),
}
OTHERS = {
    "pairwise": lambda: PairwiseGenerator(SPACE),
    "pointer": lambda: PointerGenerator(SPACE, SPACE),
}


def sentences() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """ids, mask with a part of every row behind the end, conditions, and weights of both signs."""
    torch.manual_seed(1)
    ids_BT = torch.randint(1, SPACE.vocab_size, (ROWS, SPACE.length))
    lengths_B1 = torch.arange(ROWS)[:, None] % SPACE.length + 1
    mask_BT = torch.arange(SPACE.length) < lengths_B1
    cond = torch.randint(1, SPACE.vocab_size, (ROWS, PROMPTED.prompt))
    return ids_BT.masked_fill(~mask_BT, 0), mask_BT, cond, torch.randn(ROWS, SPACE.length)


def plain_log_probs(
    generator: Generator, ids_BT: Tensor, mask_BT: Tensor, temperature: float, cond: Tensor
) -> Tensor:
    logp_BTV = (generator(ids_BT, cond) / temperature).log_softmax(-1)
    return logp_BTV.gather(-1, ids_BT[..., None])[..., 0] * mask_BT


def gradients(loss: Tensor, module: nn.Module) -> list[Tensor]:
    parameters = [p for p in module.parameters() if p.requires_grad]
    return list(torch.autograd.grad(loss, parameters, allow_unused=True, materialize_grads=True))


@pytest.mark.parametrize("temperature", [1.0, 0.7])
@pytest.mark.parametrize("make", [*LINEAR.values(), *OTHERS.values()], ids=[*LINEAR, *OTHERS])
def test_values_and_gradients_are_those_of_log_softmax_and_gather(
    make: Any, temperature: float
) -> None:
    generator = make().eval()
    ids_BT, mask_BT, cond, weight_BT = sentences()
    actual_BT = token_log_probs(generator, ids_BT, mask_BT, temperature, cond)
    expected_BT = plain_log_probs(generator, ids_BT, mask_BT, temperature, cond)
    torch.testing.assert_close(actual_BT, expected_BT, rtol=1e-5, atol=1e-5)
    assert (actual_BT[~mask_BT] == 0).all()
    found = gradients((actual_BT * weight_BT).sum(), generator)
    wanted = gradients((expected_BT * weight_BT).sum(), generator)
    assert any(bool(gradient.any()) for gradient in wanted)
    for actual, expected in zip(found, wanted, strict=True):
        torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("make", LINEAR.values(), ids=LINEAR)
def test_tokens_behind_the_end_are_not_looked_at(monkeypatch: Any, make: Any) -> None:
    rows = []
    ours = log_probs.linear_log_probs

    def spied(h_RH: Tensor, *others: Any) -> Tensor:
        rows.append(len(h_RH))
        return ours(h_RH, *others)

    monkeypatch.setattr(log_probs, "linear_log_probs", spied)
    ids_BT, mask_BT, cond, _ = sentences()
    token_log_probs(make(), ids_BT, mask_BT, cond=cond)
    token_log_probs(make(), ids_BT, torch.ones_like(mask_BT), cond=cond)
    assert rows == [int(mask_BT.sum()), mask_BT.numel()]
    monkeypatch.setattr(log_probs, "_FEW_LOGITS", 10_000)
    token_log_probs(make(), ids_BT, mask_BT, cond=cond)
    assert len(rows) == 2, "a small batch goes the other way"


@pytest.mark.parametrize("make", LINEAR.values(), ids=LINEAR)
def test_hidden_and_forward_are_one_computation(make: Any) -> None:
    generator = make().eval()
    ids_BT, _, cond, _ = sentences()
    hidden = generator.hidden(ids_BT, cond)
    assert hidden.weight_VH is not None
    torch.testing.assert_close(hidden.logits(), generator(ids_BT, cond))


@pytest.mark.parametrize("make", LINEAR.values(), ids=LINEAR)
def test_under_autocast_they_are_those_of_bfloat16_logits(make: Any) -> None:
    generator = make().eval()
    ids_BT, mask_BT, cond, weight_BT = sentences()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        actual_BT = token_log_probs(generator, ids_BT, mask_BT, cond=cond)
        expected_BT = chosen_log_probs(generator(ids_BT, cond), ids_BT, mask_BT)
    assert actual_BT.dtype == torch.float32
    assert torch.equal(actual_BT, expected_BT)
    precise_BT = token_log_probs(generator, ids_BT, mask_BT, cond=cond)
    torch.testing.assert_close(actual_BT, precise_BT, rtol=0, atol=0.3)
    assert all(g.isfinite().all() for g in gradients((actual_BT * weight_BT).sum(), generator))


def test_double_precision_is_kept() -> None:
    generator = make_generator("lstm", SPACE).double()
    ids_BT, mask_BT, cond, _ = sentences()
    logp_BT = token_log_probs(generator, ids_BT, mask_BT)
    expected_BT = plain_log_probs(generator, ids_BT, mask_BT, 1.0, cond)
    torch.testing.assert_close(logp_BT, expected_BT, rtol=1e-12, atol=1e-12)


# ── Temperature 1 ─────────────────────────────────────────────────────────────────────────────


class _Divisions(TorchDispatchMode):
    """Counts the divisions of logits: whatever has V numbers per row."""

    def __init__(self) -> None:
        super().__init__()
        self.found = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        divides = func._schema.name.startswith("aten::div")
        self.found += divides and out.shape[-1:] == (SPACE.vocab_size,)
        return out


@pytest.mark.parametrize("make", [*LINEAR.values(), *OTHERS.values()], ids=[*LINEAR, *OTHERS])
def test_a_likelihood_at_temperature_one_divides_no_logits(make: Any) -> None:
    generator = make().eval()
    ids_BT, mask_BT, cond, _ = sentences()
    with _Divisions() as mode:
        likelihood_loss(generator, Batch(ids_BT, mask_BT, cond))
    assert mode.found == 0
    with _Divisions() as mode:
        chosen_log_probs(generator(ids_BT, cond), ids_BT, mask_BT, 0.5)
    assert mode.found == 1, "the test counts divisions"


@pytest.mark.parametrize(
    "draw",
    [
        lambda t: Ancestral(t),
        lambda t: GumbelSoftmax(t, hard=True),
        lambda t: Softmax(t),
        lambda t: StraightThrough(t),
    ],
    ids=["ancestral", "gumbel_softmax", "softmax", "straight_through"],
)
def test_a_draw_at_temperature_one_divides_no_logits(draw: Any) -> None:
    logits_BV = torch.randn(ROWS, SPACE.vocab_size)
    for temperature, expected in ((1.0, 0), (0.5, 1)):
        with _Divisions() as mode:
            draw(temperature)(logits_BV, 1)
        assert mode.found == expected
