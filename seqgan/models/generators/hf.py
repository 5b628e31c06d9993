"""A causal language model of the `transformers` library as a generator.

    p(x_t | x_<t) = softmax of the first V logits behind [start, x_0, …, x_{t−1}]

The start token is the network's begin token, or its end token where it has no other. Where the
network knows more tokens than the data (padded embeddings, a smaller tokenizer) the rest is cut
off before the softmax, so probabilities are renormalised over V. Dropout is as the network's own
configuration says.

The state is (`fill_B`, ((keys, values) of each layer)), each [B, heads, t, d]: the library's cache
object as a tree of tensors, made anew at every step, so that a state can be repeated, cut, joined
and continued twice. Networks that keep anything else (recurrent ones) are refused. The first
`fill_B` columns only fill a row up, in front of its start token; an attention mask hides them, and
positions are counted without them. None: there are none.

LoRA (Hu et al. 2022): W + (α / r) B A with trainable A and B beside frozen weights, B zero at
first, by the `peft` library.
"""

import warnings
from inspect import signature
from typing import Any

import torch
from torch import Tensor

from seqgan.core.errors import UserError
from seqgan.core.types import Generator, SequenceSpace, State, StepOut
from seqgan.models.config import HfGeneratorConfig, LoraConfig
from seqgan.models.pretrained import (
    check_columns,
    column_of,
    embed,
    load_network,
    start_token,
)

_FIELD = "generator"


class HfGenerator(Generator):
    """See `core.types.Generator` for the contract."""

    def __init__(self, space: SequenceSpace, config: HfGeneratorConfig) -> None:
        super().__init__()
        self.vocab_size = space.vocab_size
        network = load_network(config, space, _FIELD, "language_model")
        self.start_id = start_token(network, _FIELD, config.path)
        check_columns(network, space.length, True, _FIELD, config.path)
        _check_cache(network, config.path)
        self._takes_positions = "position_ids" in signature(type(network).forward).parameters
        self.network = network if config.lora is None else _with_adapters(network, config.lora)

    def start(self, batch: int, cond: Tensor | None = None) -> StepOut:
        """Distribution of the first token, for `batch` rows."""
        return self._read(column_of(self.network, self.start_id, batch), (None, ()))

    def step(self, x: Tensor, state: State) -> StepOut:
        """Read `ids_B` or `simplex_BV`."""
        return self._read(embed(self.network, x[:, None]), state)

    def read_prompt(self, ids_BP: Tensor, fill_B: Tensor | None, before: StepOut) -> StepOut:
        """All columns at once. The start token comes behind the fill, since some networks see
        nothing that is many columns away."""
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
        """`logits_BTV`; [:, t] predicts token t from the tokens before it."""
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


def _with_adapters(network: Any, config: LoraConfig) -> Any:
    """The same network, frozen, with trainable adapters inside."""
    try:
        import peft
    except ImportError as error:
        raise UserError(
            f"{_FIELD}.lora: the package peft is not installed; run: pip install 'seqgan[hf]'"
        ) from error
    settings = peft.LoraConfig(
        r=config.rank,
        lora_alpha=config.alpha,
        lora_dropout=config.dropout,
        target_modules=config.targets,
    )
    try:
        with warnings.catch_warnings():  # it finds out how GPT-2's layers lie by itself
            warnings.filterwarnings("ignore", message="fan_in_fan_out", category=UserWarning)
            return peft.inject_adapter_in_model(settings, network)
    except ValueError as error:
        reason = " ".join(str(error).split())[:160]
        raise UserError(
            f"{_FIELD}.lora.targets={config.targets}: no adapters could be added ({reason}); name "
            "linear layers of the network, or leave targets out"
        ) from error
