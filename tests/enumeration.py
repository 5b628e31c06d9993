"""Truth by listing: all sentences of a small space, their probabilities, and arbitrary rewards.

Nothing here calls `decoding`, `estimators` or `core.masks`: probabilities come from the
generator's own step loop, masks from a Python loop.
"""

from collections.abc import Callable, Iterator
from itertools import product

import torch
from torch import Tensor, nn

from seqgan.core.types import Generator, Rollout, SequenceSpace, StepOut
from seqgan.models.config import (
    RelationalGeneratorConfig,
    RnnGeneratorConfig,
    TransformerGeneratorConfig,
)

GENERATORS = ["lstm", "gru", "transformer", "relational"]


def make_generator(name: str, space: SequenceSpace, seed: int = 0, scale: float = 1.5) -> nn.Module:
    """A small generator whose distributions are far from uniform."""
    torch.manual_seed(seed)
    if name == "transformer":
        config = TransformerGeneratorConfig(name="transformer", width=8, heads=2, layers=1)
        generator = config.build(space)
    elif name == "relational":
        relational = RelationalGeneratorConfig(
            name="relational", embed=4, slots=2, heads=2, head_size=3
        )
        generator = relational.build(space)
    else:
        generator = RnnGeneratorConfig(name=name, embed=4, hidden=5).build(space)
    for parameter in generator.parameters():
        if parameter.requires_grad:
            parameter.data.mul_(scale)
    return generator


def sentences(space: SequenceSpace) -> Tensor:
    """Every distinct sentence; columns behind the first end token hold end tokens."""
    rows = []
    for row in product(range(space.vocab_size), repeat=space.length):
        if space.end_id in row:
            after = row[row.index(space.end_id) :]
            if any(token != space.end_id for token in after):
                continue
        rows.append(row)
    return torch.tensor(rows)


def mask_of(ids_BT: Tensor, end_id: int | None) -> Tensor:
    """True up to and including the first end token, by a loop."""
    mask_BT = torch.ones_like(ids_BT, dtype=torch.bool)
    for row, ids in enumerate(ids_BT.tolist()):
        if end_id in ids:
            mask_BT[row, ids.index(end_id) + 1 :] = False
    return mask_BT


def rollout_of(ids_BT: Tensor, space: SequenceSpace) -> Rollout:
    return Rollout(ids_BT, ids_BT, mask_of(ids_BT, space.end_id))


def step_logits(generator: Generator, tokens: Tensor) -> Tensor:
    """`logits_BTV` by the step loop."""
    out = generator.start(len(tokens))
    logits = [out.logits_BV]
    for time in range(tokens.shape[1] - 1):
        out = generator.step(tokens[:, time], out.state)
        logits.append(out.logits_BV)
    return torch.stack(logits, 1)


def log_probs(generator: Generator, ids_BT: Tensor, end_id: int | None = None) -> Tensor:
    """`logp_BT` by step loop, log_softmax and gather; 0 behind the end. Differentiable."""
    logp_BTV = step_logits(generator, ids_BT).log_softmax(-1)
    logp_BT = logp_BTV.gather(-1, ids_BT[..., None]).squeeze(-1)
    return torch.where(mask_of(ids_BT, end_id), logp_BT, torch.zeros_like(logp_BT))


def index_of(ids_BT: Tensor, vocab_size: int) -> Tensor:
    """The number whose digits a row holds."""
    index_B = torch.zeros(len(ids_BT), dtype=torch.long)
    for ids_B in ids_BT.unbind(1):
        index_B = index_B * vocab_size + ids_B
    return index_B


class SentenceReward:
    """An arbitrary number for every sentence, from a table."""

    def __init__(self, space: SequenceSpace, seed: int = 0) -> None:
        stream = torch.Generator().manual_seed(seed)
        self._vocab_size = space.vocab_size
        self.table = 1 + 2 * torch.randn(space.vocab_size**space.length, generator=stream)

    def __call__(self, tokens: Tensor, mask_BT: Tensor, shared: object = None) -> Tensor:
        return self.table[index_of(tokens, self._vocab_size)]


class PrefixReward:
    """An arbitrary number for every prefix: what a causal critic may say. Noise on the pads."""

    def __init__(self, space: SequenceSpace, seed: int = 0, on_pads: float = 0.0) -> None:
        stream = torch.Generator().manual_seed(seed)
        self._vocab_size = space.vocab_size
        self._on_pads = on_pads
        self._tables = [
            1 + torch.randn(space.vocab_size ** (t + 1), generator=stream)
            for t in range(space.length)
        ]

    def __call__(self, tokens: Tensor, mask_BT: Tensor, shared: object = None) -> Tensor:
        columns = [
            table[index_of(tokens[:, : t + 1], self._vocab_size)]
            for t, table in enumerate(self._tables)
        ]
        return torch.where(mask_BT, torch.stack(columns, 1), self._on_pads)


class PrefixTable(Generator):
    """A generator with an arbitrary distribution after every prefix. Its state is the prefix."""

    def __init__(self, space: SequenceSpace, seed: int = 0, sharpness: float = 1.5) -> None:
        super().__init__()
        self.vocab_size = space.vocab_size
        stream = torch.Generator().manual_seed(seed)
        shapes = [(space.vocab_size**t, space.vocab_size) for t in range(space.length)]
        self.tables = nn.ParameterList(
            sharpness * torch.randn(shape, generator=stream) for shape in shapes
        )

    def start(self, batch: int, cond: Tensor | None = None) -> StepOut:
        return self._out(torch.zeros(batch, 0, dtype=torch.long))

    def step(self, x: Tensor, state: tuple[Tensor]) -> StepOut:
        return self._out(torch.cat([state[0], x[:, None]], 1))

    def _out(self, prefix_Bt: Tensor) -> StepOut:
        table = self.tables[prefix_Bt.shape[1]]
        return StepOut(table[index_of(prefix_Bt, self.vocab_size)], (prefix_Bt,))

    def forward(self, tokens: Tensor, cond: Tensor | None = None) -> Tensor:
        return step_logits(self, tokens)


class ToldTable(Generator):
    """A `PrefixTable` for each of `kinds` conditions, `cond_B1`. Its state remembers the kind."""

    def __init__(self, space: SequenceSpace, kinds: int = 2) -> None:
        super().__init__()
        self.vocab_size = space.vocab_size
        self.tables = nn.ModuleList(PrefixTable(space, seed) for seed in range(kinds))

    def start(self, batch: int, cond: Tensor | None = None) -> StepOut:
        assert cond is not None
        assert len(cond) == batch
        outs = [table.start(batch) for table in self.tables]
        return self._chosen(outs, cond)

    def step(self, x: Tensor, state: tuple[Tensor, Tensor]) -> StepOut:
        prefix_Bt, cond_B1 = state
        return self._chosen([table.step(x, (prefix_Bt,)) for table in self.tables], cond_B1)

    @staticmethod
    def _chosen(outs: list[StepOut], cond_B1: Tensor) -> StepOut:
        logits_KBV = torch.stack([out.logits_BV for out in outs])
        row_B = torch.arange(len(cond_B1))
        return StepOut(logits_KBV[cond_B1[:, 0], row_B], (outs[0].state[0], cond_B1))

    def forward(self, tokens: Tensor, cond: Tensor | None = None) -> Tensor:
        assert cond is not None
        out = self.start(len(tokens), cond)
        logits = [out.logits_BV]
        for time in range(tokens.shape[1] - 1):
            out = self.step(tokens[:, time], out.state)
            logits.append(out.logits_BV)
        return torch.stack(logits, 1)


def gradient(loss: Tensor, generator: nn.Module, retain_graph: bool = False) -> Tensor:
    """The gradient over all trainable parameters as one vector in float64."""
    parameters = [p for p in generator.parameters() if p.requires_grad]
    pieces = torch.autograd.grad(loss, parameters, allow_unused=True, retain_graph=retain_graph)
    return torch.cat(
        [
            (torch.zeros_like(p) if piece is None else piece).flatten().double()
            for p, piece in zip(parameters, pieces, strict=True)
        ]
    )


def batches_of(ids_RT: Tensor, size: int) -> Iterator[tuple[int, ...]]:
    """Rows of `ids_RT` that make every ordered batch."""
    return product(range(len(ids_RT)), repeat=size)


def expected_loss(
    generator: Generator, space: SequenceSpace, size: int, loss_of: Callable[[Rollout], Tensor]
) -> Tensor:
    """Σ over all batches of P(batch) · loss(batch): its gradient is the exact expectation."""
    ids_RT = sentences(space)
    prob_R = log_probs(generator, ids_RT, space.end_id).sum(1).exp().detach()
    total = torch.zeros(())
    for rows in batches_of(ids_RT, size):
        total = total + prob_R[list(rows)].prod() * loss_of(rollout_of(ids_RT[list(rows)], space))
    return total


def assert_same_vector(actual: Tensor, expected: Tensor, relative: float = 1e-4) -> None:
    """Relative distance of two vectors, by norm."""
    error = float((actual - expected).norm() / expected.norm())
    assert error < relative, f"relative error {error:.3g}"


def assert_mean_is(
    samples_KD: Tensor, expected_D: Tensor, relative: float, slack: float = 0.0
) -> None:
    """K independent estimates have the mean `expected`: every coordinate within 5 standard
    errors (plus `slack` times the vector's size), and the vector as a whole within `relative`."""
    mean_D = samples_KD.mean(0)
    error_D = samples_KD.std(0) / len(samples_KD) ** 0.5
    allowed_D = 5 * error_D + slack * expected_D.abs().max() + 1e-7
    worst = ((mean_D - expected_D).abs() / allowed_D).max()
    assert worst < 1, f"{5 * float(worst):.1f} standard errors off"
    assert_same_vector(mean_D, expected_D, relative)


def chi_square_is_plausible(counts: Tensor, probs: Tensor) -> bool:
    """Whether counts fit probabilities: χ² within 5 standard deviations of its mean."""
    counts, probs = counts.double(), probs.double() / probs.double().sum()
    if bool((counts[probs == 0] > 0).any()):
        return False
    counts, probs = counts[probs > 0], probs[probs > 0]
    expected = counts.sum() * probs
    chi2 = float(((counts - expected).square() / expected).sum())
    freedom = len(probs) - 1
    # Var χ² = 2k + Σ(1/np) for multinomials with rare cells.
    spread = float((2 * freedom + (1 / expected).sum()).sqrt())
    return abs(chi2 - freedom) < 5 * spread + 1e-9
