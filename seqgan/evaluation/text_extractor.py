"""The networks whose features text is measured by.

lm       an LSTM language model trained here on the training text, with the vocabulary of the run.
         Features are its hidden states h_t, from which x_t is predicted, averaged over the tokens
         of a sentence with its end. It also gives log-probabilities.
encoder  a network of the `transformers` library, from a folder or a hub id. Features are the states
         of its last layer, averaged over the tokens of the decoded sentence.

A name is the kind and the first digits of the SHA-256 of the parameters, and stands behind every
number: `fed@lm-1a2b3c4d`. Language models are trained repeatably (own seed, CPU, one thread), for a
few epochs, so that they know training sentences hardly better than others, and kept by
`extractor_store.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from seqgan.core.batches import take
from seqgan.core.errors import UserError
from seqgan.core.hub import import_transformers, is_local, loading
from seqgan.core.masks import longest
from seqgan.core.progress import progress_bar
from seqgan.core.rng import isolated
from seqgan.core.types import Batch, SequenceSpace
from seqgan.decoding import held_out_log_probs, token_log_probs
from seqgan.evaluation.extractor_store import (
    kept_network,
    key_of,
    one_thread,
    parameters_hash,
    rate_factor,
)
from seqgan.models.generators.rnn import RnnGenerator
from seqgan.models.pretrained import load_network

WIDTH = 128
DROPOUT = 0.3
LEARNING_RATE = 6e-3
CLIP_NORM = 1.0
EPOCHS = 5
"""At most so many, and at least `FEWEST_UPDATES`."""
FEWEST_UPDATES = 100
AT_ONCE = 500
LONGEST_ENCODED = 512
"""Tokens of a sentence that an encoder reads at most."""


class TextExtractor(Protocol):
    """What measures sentences, given as `Batch` of ids with masks, on the CPU."""

    @property
    def name(self) -> str: ...

    def features(self, sentences: Batch) -> Tensor:
        """`features_NF`, float32."""
        ...

    def log_probs(self, sentences: Batch) -> Tensor | None:
        """`logp_NT` in nats, 0 behind the ends; None without a density."""
        ...


@dataclass(frozen=True, slots=True)
class LanguageModelSpec:
    """What a language model depends on besides its sentences."""

    vocab_size: int
    length: int
    updates: int = 1_500
    seed: int = 0
    batch_size: int = 32

    def build_network(self) -> RnnGenerator:
        space = SequenceSpace(self.vocab_size, self.length)
        return RnnGenerator(space, "lstm", WIDTH, WIDTH, dropout=DROPOUT, tied=True)


class LanguageModel:
    """A trained language model in evaluation mode."""

    def __init__(self, network: RnnGenerator) -> None:
        self.name = f"lm-{parameters_hash(network)[:8]}"
        self._network = network.eval().requires_grad_(False)

    @torch.no_grad()
    def features(self, sentences: Batch) -> Tensor:
        blocks = []
        for rows in torch.arange(len(sentences.x)).split(AT_ONCE):
            ids_BT, mask_BT = _trimmed(take(sentences, rows))
            h_BTH = self._network.hidden(ids_BT).h_BTH
            blocks.append(_token_mean(h_BTH, mask_BT))
        return torch.cat(blocks)

    def log_probs(self, sentences: Batch) -> Tensor:
        assert sentences.mask is not None, "sentences have masks"
        return held_out_log_probs(self._network, sentences.x, sentences.mask)


def kept_language_model(spec: LanguageModelSpec, sentences: Batch) -> LanguageModel:
    """The language model of these sentences, which lie on the CPU, trained at most once."""
    network = kept_network(
        key_of(spec, (LanguageModel, RnnGenerator), sentences.x, sentences.mask),
        spec.build_network,
        lambda: _train_with_bar(spec, sentences),
    )
    return LanguageModel(network)


def _train_with_bar(spec: LanguageModelSpec, sentences: Batch) -> RnnGenerator:
    with progress_bar() as bar:
        total = updates_of(spec, len(sentences.x))
        task = bar.add_task("training the language model that measures text", total=total, note="")
        return train_language_model(spec, sentences, lambda: bar.advance(task))


def train_language_model(
    spec: LanguageModelSpec, sentences: Batch, advance: Callable[[], None] = lambda: None
) -> RnnGenerator:
    """By Adam on the mean −log p per token, with `rate_factor`; `advance` after every update."""
    with isolated(spec.seed), one_thread():
        network = spec.build_network()
        optimizer = torch.optim.Adam(network.parameters(), LEARNING_RATE)
        updates = updates_of(spec, len(sentences.x))
        rate = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k: rate_factor(k, updates))
        for _ in range(updates):
            rows = torch.randint(len(sentences.x), (spec.batch_size,))
            ids_BT, mask_BT = _trimmed(take(sentences, rows))
            loss = -token_log_probs(network, ids_BT, mask_BT).sum() / mask_BT.sum()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), CLIP_NORM)
            optimizer.step()
            rate.step()
            advance()
    return network


def updates_of(spec: LanguageModelSpec, sentences: int) -> int:
    """Those of the spec, but of few sentences no more than a few epochs."""
    return min(spec.updates, max(FEWEST_UPDATES, EPOCHS * sentences // spec.batch_size))


def _trimmed(batch: Batch) -> tuple[Tensor, Tensor]:
    """Ids and mask without the columns that no sentence reaches."""
    assert batch.mask is not None, "sentences have masks"
    columns = max(1, longest(batch.mask))
    return batch.x[:, :columns], batch.mask[:, :columns]


def _token_mean(h_BTH: Tensor, mask_BT: Tensor) -> Tensor:
    """`features_BF`: the mean over the tokens that count."""
    weight_BT1 = mask_BT[..., None] / mask_BT.sum(1).clamp(min=1)[:, None, None]
    return (h_BTH * weight_BT1).sum(1)


class Encoder:
    """A network of the `transformers` library with its own tokenizer, at `path`.

    `decode` gives the text of the ids of a sentence. Raises `UserError` where the network or its
    tokenizer cannot be loaded.
    """

    def __init__(self, path: str, decode: Callable[[list[int]], str], device: torch.device) -> None:
        field = "evaluation.text_features"
        transformers = import_transformers(f"{field}.path")
        with loading(f"{field}.path", path, "config.json, model.safetensors and tokenizer.json"):
            self._tokenizer = transformers.AutoTokenizer.from_pretrained(
                path, local_files_only=is_local(path)
            )
        self._tokenizer.pad_token = self._tokenizer.pad_token or self._tokenizer.eos_token
        if self._tokenizer.pad_token is None:
            raise UserError(
                f"{field}.path={path!r}: its tokenizer names no token to pad with; name a "
                "pad_token in its tokenizer_config.json"
            )
        tokens = SequenceSpace(len(self._tokenizer), LONGEST_ENCODED)
        network = load_network(path, False, tokens, field, "trunk")
        most = getattr(network.config, "max_position_embeddings", None) or LONGEST_ENCODED
        self._longest = min(LONGEST_ENCODED, most, self._tokenizer.model_max_length)
        self._decode = decode
        self._device = device
        self._network = network.to(device).eval().requires_grad_(False)
        self.name = f"encoder-{parameters_hash(network)[:8]}"

    @torch.no_grad()
    def features(self, sentences: Batch) -> Tensor:
        lines = [self._decode(row) for row in sentences.x.tolist()]
        blocks = []
        for first in range(0, len(lines), AT_ONCE // 8):
            read = self._tokenizer(
                # an empty sentence has no token to average over
                [line or " ." for line in lines[first : first + AT_ONCE // 8]],
                padding=True,
                truncation=True,
                max_length=self._longest,
                return_tensors="pt",
            ).to(self._device)
            mask_BS = read["attention_mask"]
            with torch.autocast(self._device.type, enabled=False):
                h_BSH = self._network(input_ids=read["input_ids"], attention_mask=mask_BS)[0]
            blocks.append(_token_mean(h_BSH, mask_BS).float().cpu())
        return torch.cat(blocks)

    def log_probs(self, sentences: Batch) -> None:
        return None
