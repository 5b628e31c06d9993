"""A causal language model of the `transformers` library as a generator.

    p(x_t | x_<t) = softmax of the first V logits behind [start, x_0, …, x_{t−1}]

The start token is the network's begin token, or its end token where it has no other. Where the
network has more tokens than the data (padded embeddings, a smaller tokenizer) the rest is cut off
before the softmax. Dropout is as the network's own configuration says.

The state is (`fill_B`, ((keys, values) of each layer)), each [B, heads, t, d]: the library's cache
object as a tree of tensors, made anew at every step, so that a state can be repeated, cut, joined
and continued twice. Networks that keep anything else (recurrent ones) are refused. The first
`fill_B` columns only fill a row up, in front of its start token; an attention mask hides them, and
positions are counted without them. None: there are none.

LoRA (Hu et al. 2022): W + (α / r) B A with trainable A and B beside frozen weights, B zero at
first, by the `peft` library.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any

import torch
from torch import Tensor

from seqgan.core.errors import UserError
from seqgan.core.types import Generator, SequenceSpace, State, StepOut
from seqgan.models.pretrained import check_columns, column_of, embed, load_network, start_token

_FIELD = "generator"


@dataclass(frozen=True, slots=True)
class Lora:
    """Adapters: W + (alpha / rank) · B A. `targets` names their layers; None: the usual ones."""

    rank: int = 8
    alpha: int = 16
    dropout: float = 0.0
    targets: Sequence[str] | None = None


class HfGenerator(Generator):
    """A pretrained causal language model; see `core.types.Generator` for the contract.

    `path` is a hub id or a folder; with `random_init` only its configuration is taken. With `lora`
    the network is frozen and adapters are trained. Raises `UserError` where the network cannot be
    loaded, or cannot write the space's sequences.

        HfGenerator(SequenceSpace(vocab_size=50257, length=32), "distilgpt2", lora=Lora(rank=4))
    """

    def __init__(
        self, space: SequenceSpace, path: str, lora: Lora | None = None, random_init: bool = False
    ) -> None:
        super().__init__()
        self.vocab_size = space.vocab_size
        network = load_network(path, random_init, space, _FIELD, "language_model")
        self.start_id = start_token(network, _FIELD, path)
        check_columns(network, space.length, True, _FIELD, path)
        _check_cache(network, path)
        self._takes_positions = "position_ids" in signature(type(network).forward).parameters
        self.network = network if lora is None else _with_adapters(network, lora)

    def start(self, batch: int, cond: Tensor | None = None) -> StepOut:
        return self._read(column_of(self.network, self.start_id, batch), (None, ()))

    def step(self, x: Tensor, state: State) -> StepOut:
        return self._read(embed(self.network, x[:, None]), state)

    def read_prompt(self, ids_BP: Tensor, fill_B: Tensor | None, before: StepOut) -> StepOut:
        """All columns at once. The start token comes behind the fill, since some networks attend
        only to a window of columns."""
        x_BPE = embed(self.network, ids_BP)
        if fill_B is None:
            return self._read(x_BPE, before.state)
        start_B1E = column_of(self.network, self.start_id, len(ids_BP))
        column_T = torch.arange(ids_BP.shape[1] + 1, device=fill_B.device)
        index_BT = column_T + (column_T < fill_B[:, None]).long()
        index_BT = index_BT.masked_fill(column_T == fill_B[:, None], 0)
        x_BTE = torch.cat([start_B1E, x_BPE], 1)
        x_BTE = x_BTE.gather(1, index_BT[..., None].expand_as(x_BTE))
        return self._read(x_BTE, (fill_B, ()))

    def _read(self, x_BPE: Tensor, state: State) -> StepOut:
        fill_B, layers = state
        cache = _to_cache(layers)
        hidden = {} if fill_B is None else self._hide(fill_B, cache.get_seq_length(), len(x_BPE[0]))
        output = self.network(inputs_embeds=x_BPE, cache=cache, use_cache=True, **hidden)
        logits_BV = output.logits[:, -1, : self.vocab_size]
        return StepOut(logits_BV, (fill_B, _from_cache(cache)))

    def _hide(self, fill_B: Tensor, past: int, columns: int) -> dict[str, Tensor]:
        """Arguments that hide the fill and count columns without it; networks that take no
        positions count by the mask."""
        column_T = torch.arange(past + columns, device=fill_B.device)
        position_BT = column_T - fill_B[:, None]
        arguments = {"attention_mask": (position_BT >= 0).long()}
        if self._takes_positions:
            arguments["position_ids"] = position_BT[:, past:].clamp(min=0)
        return arguments

    def forward(self, tokens: Tensor, cond: Tensor | None = None) -> Tensor:
        start_B1E = column_of(self.network, self.start_id, len(tokens))
        x_BTE = torch.cat([start_B1E, embed(self.network, tokens[:, :-1])], 1)
        return self.network(inputs_embeds=x_BTE, use_cache=False).logits[..., : self.vocab_size]


def _to_cache(state: State) -> Any:
    """The library's cache of a state; () is an empty one. Tensors are taken over as they are."""
    from transformers import DynamicCache
    from transformers.cache_utils import DynamicLayer

    cache = DynamicCache()
    for keys, values in state:
        layer = DynamicLayer()
        layer.lazy_initialization(keys, values)
        layer.keys, layer.values = keys, values
        cache.layers.append(layer)
    return cache


def _from_cache(cache: Any) -> State:
    return tuple((layer.keys, layer.values) for layer in cache.layers)


def _check_cache(network: Any, path: str) -> None:
    """Keys and values of every layer are all that a step may need."""
    from transformers import DynamicCache
    from transformers.cache_utils import DynamicLayer

    layers = DynamicCache(config=network.config).layers
    if not all(isinstance(layer, DynamicLayer) for layer in layers):
        raise UserError(
            f"{_FIELD}.path={path!r}: {network.config.model_type} remembers more than keys and "
            "values, and such a state cannot be repeated for rollouts; use a decoder-only "
            "transformer such as distilgpt2"
        )


def _with_adapters(network: Any, lora: Lora) -> Any:
    """The same network, frozen, with trainable adapters inside."""
    try:
        import peft
    except ImportError as error:
        raise UserError(
            f"{_FIELD}.lora: the package peft is not installed; run: pip install 'seqgan[hf]'"
        ) from error
    settings = peft.LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=None if lora.targets is None else list(lora.targets),
    )
    try:
        with warnings.catch_warnings():  # it finds out how GPT-2's layers lie by itself
            warnings.filterwarnings("ignore", message="fan_in_fan_out", category=UserWarning)
            return peft.inject_adapter_in_model(settings, network)
    except ValueError as error:
        reason = " ".join(str(error).split())[:160]
        raise UserError(
            f"{_FIELD}.lora.targets={lora.targets}: no adapters could be added ({reason}); name "
            "linear layers of the network, or leave targets out"
        ) from error
