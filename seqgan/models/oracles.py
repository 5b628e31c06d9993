"""Oracles: distributions over sequences whose density is known.

Random recurrent networks (Yu et al. 2017) with N(0, std²) parameters from a seed; the SeqGAN
paper's own LSTM from its published parameters; and constraint oracles, whose sentences obey a
global rule and whose density is exact (−∞ for whatever breaks the rule).

Deviation of random ones from other toolkits, which draw them unseeded: parameters come from NumPy's
frozen legacy stream, gates have one bias, and `sha256` pins the result.
"""

import hashlib
from math import comb, log
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from seqgan.core.array_files import array_names, read_array
from seqgan.core.budget import uncounted
from seqgan.core.errors import UserError
from seqgan.core.types import Generator, SequenceSpace
from seqgan.decoding import Ancestral, sample, sequence_log_probs
from seqgan.models.generators.rnn import RnnGenerator
from seqgan.models.prompted import PromptedGenerator


class Oracle(Protocol):
    """Sequences of full length, without an end token."""

    space: SequenceSpace

    def sample(self, rows: int) -> Tensor:
        """`ids_BT` from torch's global generator."""
        ...

    def log_prob(self, ids_BT: Tensor, cond: Tensor | None = None) -> Tensor:
        """`logp_B`, exact, in nats per sequence. Oracles without prompts ignore `cond`."""
        ...


# ── Networks ──────────────────────────────────────────────────────────────────────────────────


class NetworkOracle:
    """A generator that is never trained, as an oracle."""

    def __init__(self, network: Generator, space: SequenceSpace, device: torch.device) -> None:
        self.space = space
        self._network = network.to(device).eval().requires_grad_(False)

    @torch.no_grad()
    def sample(self, rows: int, cond: Tensor | None = None) -> Tensor:
        with uncounted():
            return sample(self._network, self.space, rows, Ancestral(), cond).ids_BT

    def log_prob(self, ids_BT: Tensor, cond: Tensor | None = None) -> Tensor:
        mask_BT = torch.ones_like(ids_BT, dtype=torch.bool)
        return sequence_log_probs(self._network, ids_BT, mask_BT, cond=cond)


class ConditionalOracle:
    """Prompts from a known distribution; p(x | c) of a random network that has read the prompt.

    `network` writes prompt and answer in one row, `space` is that of the answers. Prompts are
    `uniform` over the first `labels` tokens (None: over all), or written by the network.
    """

    def __init__(
        self,
        network: RnnGenerator,
        space: SequenceSpace,
        device: torch.device,
        uniform: bool = True,
        labels: int | None = None,
    ) -> None:
        self.space = space
        self._answers = NetworkOracle(PromptedGenerator(network, space), space, device)
        prompts = SequenceSpace(space.vocab_size, space.prompt)
        self._prompts = NetworkOracle(network, prompts, device)
        self._uniform = uniform
        self._tokens = labels or space.vocab_size
        self._device = device

    def prompts(self, rows: int) -> Tensor:
        """`cond` [rows, P] from torch's global generator."""
        if not self._uniform:
            return self._prompts.sample(rows)
        return torch.randint(self._tokens, (rows, self.space.prompt), device=self._device)

    def answers(self, cond: Tensor) -> Tensor:
        """`ids_BT`, one for each prompt, from torch's global generator."""
        return self._answers.sample(len(cond), cond)

    def log_prob(self, ids_BT: Tensor, cond: Tensor | None = None) -> Tensor:
        return self._answers.log_prob(ids_BT, cond)


def random_network(
    space: SequenceSpace,
    cell: Literal["lstm", "gru"] = "lstm",
    embed: int = 16,
    hidden: int = 32,
    std: float = 1.0,
    seed: int = 0,
    sha256: str | None = None,
) -> RnnGenerator:
    """All trainable parameters from N(0, std²), in the order of their names.

    Raises `UserError` where the parameters' hash does not begin with `sha256`.
    """
    network = RnnGenerator(space, cell, embed, hidden)
    stream = np.random.RandomState(seed)  # its stream never changes
    for _, parameter in _trainable(network):
        values = std * stream.standard_normal(tuple(parameter.shape))
        parameter.data.copy_(torch.from_numpy(values))
    found = parameter_hash(network)
    if sha256 is not None and not found.startswith(sha256):
        raise UserError(
            f"data.oracle.sha256={sha256!r}: the parameters drawn here hash to "
            f"{found[:16]}…; correct the field, or remove it to accept this oracle"
        )
    return network


def parameter_hash(network: RnnGenerator) -> str:
    """SHA-256 of the trainable parameters as little-endian float32, in the order of their names."""
    digest = hashlib.sha256()
    for _, parameter in _trainable(network):
        digest.update(parameter.detach().cpu().numpy().astype("<f4").tobytes())
    return digest.hexdigest()


def _trainable(network: RnnGenerator) -> list[tuple[str, torch.nn.Parameter]]:
    return sorted((name, p) for name, p in network.named_parameters() if p.requires_grad)


def load_paper_oracle(path: Path, length: int = 20) -> RnnGenerator:
    """The paper's LSTM: row vectors, one bias per gate, and word 0 as the start token."""
    try:
        present = array_names(path)
        missing = [name for name in _PAPER_ARRAYS if name not in present]
        if missing:
            raise UserError(f"{path}: lacks the array {missing[0]!r}; give the published .npz")
        arrays = {name: read_array(path, name) for name in _PAPER_ARRAYS}
        _check_paper_arrays(path, arrays)
    except UserError as error:
        raise UserError(f"data.oracle.path: {error}") from None
    return _paper_network(
        {name: torch.from_numpy(array.astype("float32")) for name, array in arrays.items()},
        length,
    )


_GATES = ("i", "f", "c", "og")  # torch's order: input, forget, cell, output
_PAPER_ARRAYS = ["embeddings", "Wo", "bo"] + [f"{kind}{g}" for kind in "WUb" for g in _GATES]


def _check_paper_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Every array is finite, and of the shape that the first two call for."""
    for name in ("embeddings", "Ui"):
        if arrays[name].ndim != 2 or 0 in arrays[name].shape:
            raise UserError(
                f"{path}: the array {name!r} has shape {arrays[name].shape}, not (N, M)"
            )
    (vocab_size, embed), hidden = arrays["embeddings"].shape, len(arrays["Ui"])
    shapes = {"W": (embed, hidden), "U": (hidden, hidden), "b": (hidden,)}
    expected = {f"{kind}{g}": shape for kind, shape in shapes.items() for g in _GATES}
    expected |= {"embeddings": (vocab_size, embed), "Wo": (hidden, vocab_size), "bo": (vocab_size,)}
    for name, array in arrays.items():
        if array.shape != expected[name]:
            raise UserError(
                f"{path}: the array {name!r} has shape {array.shape} where the others call for "
                f"{expected[name]}; give the published .npz"
            )
        with np.errstate(over="ignore"):
            finite = np.isfinite(array.astype(np.float32)).all()
        if not finite:
            raise UserError(
                f"{path}: the array {name!r} holds numbers that are not finite; give the published "
                ".npz"
            )


def _paper_network(arrays: dict[str, Tensor], length: int) -> RnnGenerator:
    vocab_size, embed = arrays["embeddings"].shape
    hidden = arrays["Ui"].shape[0]
    network = RnnGenerator(SequenceSpace(vocab_size, length), "lstm", embed, hidden)
    w_ih, w_hh, bias, _ = next(iter(network.layers)).weights
    weights = {
        network.embedding.weight: arrays["embeddings"],
        network.start_E: arrays["embeddings"][0],
        w_ih: torch.cat([arrays[f"W{g}"].T for g in _GATES]),
        w_hh: torch.cat([arrays[f"U{g}"].T for g in _GATES]),
        bias: torch.cat([arrays[f"b{g}"] for g in _GATES]),
        network.get_parameter("readout.weight"): arrays["Wo"].T,
        network.get_parameter("readout.bias"): arrays["bo"],
    }
    for parameter, values in weights.items():
        parameter.data.copy_(values)
    return network


# ── Constraints ───────────────────────────────────────────────────────────────────────────────


class HalvesOracle:
    """A Markov chain writes the first half; the second repeats it, forwards or mirrored.

    Its initial distribution and transition rows are Dirichlet(1), from the seed.
    """

    def __init__(self, vocab_size: int, length: int, seed: int, mirrored: bool) -> None:
        self.space = SequenceSpace(vocab_size, length)
        self._mirrored = mirrored
        stream = np.random.RandomState(seed)  # its stream never changes
        rows = stream.dirichlet(np.ones(vocab_size), size=vocab_size + 1)
        self._initial_V = torch.from_numpy(rows[0]).float()
        self._transition_VV = torch.from_numpy(rows[1:]).float()

    def sample(self, rows: int) -> Tensor:
        columns = [torch.multinomial(self._initial_V, rows, replacement=True)]
        for _ in range(self.space.length // 2 - 1):
            columns.append(torch.multinomial(self._transition_VV[columns[-1]], 1).squeeze(1))
        half = torch.stack(columns, 1)
        return torch.cat([half, half.flip(1) if self._mirrored else half], 1)

    def log_prob(self, ids_BT: Tensor, cond: Tensor | None = None) -> Tensor:
        first, second = ids_BT.cpu().chunk(2, dim=1)
        obeys_B = ((second.flip(1) if self._mirrored else second) == first).all(1)
        logp_B = self._initial_V.log()[first[:, 0]]
        logp_B = logp_B + self._transition_VV.log()[first[:, :-1], first[:, 1:]].sum(1)
        return logp_B.masked_fill(~obeys_B, float("-inf")).to(ids_BT.device)


class BracketsOracle:
    """Balanced strings over k kinds of brackets, all equally likely.

    Token i < k opens kind i, token k + i closes it. There are Catalan(T/2) · k^(T/2) of them.
    Sampling walks the string with the number of completions of every (columns left, depth).
    """

    def __init__(self, pairs: int, length: int) -> None:
        self.space = SequenceSpace(2 * pairs, length)
        self._pairs = pairs
        half = length // 2
        self._log_count = log(comb(length, half) // (half + 1)) + half * log(pairs)
        self._open_share = _open_shares(length)

    def sample(self, rows: int) -> Tensor:
        length, pairs = self.space.length, self._pairs
        ids_BT = torch.empty(rows, length, dtype=torch.long)
        stack_BD = torch.zeros(rows, length // 2 + 1, dtype=torch.long)
        depth_B = torch.zeros(rows, dtype=torch.long)
        row = torch.arange(rows)
        for time in range(length):
            opens_B = torch.rand(rows) < self._open_share[length - time, depth_B]
            kind_B = torch.randint(pairs, (rows,))
            closing_B = stack_BD[row, (depth_B - 1).clamp(min=0)]
            ids_BT[:, time] = torch.where(opens_B, kind_B, pairs + closing_B)
            stack_BD[row, depth_B] = torch.where(opens_B, kind_B, stack_BD[row, depth_B])
            depth_B = depth_B + torch.where(opens_B, 1, -1)
        return ids_BT

    def log_prob(self, ids_BT: Tensor, cond: Tensor | None = None) -> Tensor:
        balanced = [is_balanced(row, self._pairs) for row in ids_BT.tolist()]
        obeys_B = torch.tensor(balanced, device=ids_BT.device)
        uniform_B = torch.full(obeys_B.shape, -self._log_count, device=ids_BT.device)
        return uniform_B.masked_fill(~obeys_B, float("-inf"))


def is_balanced(row: list[int], pairs: int) -> bool:
    """Whether every bracket is closed by its own kind, in order."""
    stack: list[int] = []
    for token in row:
        if token < pairs:
            stack.append(token)
        elif not stack or stack.pop() != token - pairs:
            return False
    return not stack


def _open_shares(length: int) -> Tensor:
    """[columns left, depth] → share of completions whose next token opens a bracket.

    Kinds cancel: completions of equal shape have equally many choices of kinds.
    """
    count = np.zeros((length + 1, length + 2))
    count[0, 0] = 1.0
    share = np.zeros((length + 1, length + 2))
    for left in range(1, length + 1):
        for depth in range(length + 1):
            opening = count[left - 1, depth + 1]
            closing = count[left - 1, depth - 1] if depth else 0.0
            count[left, depth] = opening + closing
            share[left, depth] = opening / max(opening + closing, 1.0)
    return torch.from_numpy(share)
