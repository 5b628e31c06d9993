"""Prompts and their responses as token ids: what conditional games on text learn from.

Decisions
- One vocabulary, from the prompts and responses of the training split: what answers reads what it
  has been asked, token for token.
- A prompt has `data.prompt_length` columns and no end token of its own. Shorter prompts are filled
  up *in front*, by the end token, so that their last word stands beside the first of the answer.
  Networks leave the fill out (`models/prompted.py`): how long a row is changes nothing.
- A response takes one column per token and one for its end, as in `corpus.py`. A pair of which one
  part is too long is dropped whole; where `data.overlong=truncate`, either part keeps its first
  tokens.
- With `data.prompt_length=1` prompts are labels: each has to be one token that the vocabulary
  knows, and nothing is cut to make it one.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from seqgan.core.errors import UserError
from seqgan.core.masks import mask_until_end
from seqgan.core.plain import JsonObject
from seqgan.core.types import Batch, SequenceSpace
from seqgan.data.pair_sources import Pairs, read_pairs, read_prompts
from seqgan.data.prompted_config import PromptedTextConfig
from seqgan.data.sources import Canonical, Sentences
from seqgan.data.tokenizer_contract import Tokenizer
from seqgan.data.unknown_tokens import unknown_rate, unknown_warnings

Fits = Callable[[str, str], bool]
"""`fits(prompt, response)`: whether the response is a right one."""


@dataclass(frozen=True, slots=True)
class PromptedSplit:
    """N pairs: `x` are the responses, `cond` [N, P] the prompts; and both as they were read."""

    batch: Batch
    prompts: list[str]
    responses: list[str]


@dataclass(frozen=True, slots=True)
class PromptedText:
    """Three splits over one vocabulary; `report` is plain JSON."""

    space: SequenceSpace
    tokenizer: Tokenizer
    train: PromptedSplit
    valid: PromptedSplit
    test: PromptedSplit
    further_MP: Tensor | None
    """Prompts without responses, where there are any."""
    fits: Fits | None
    """The truth about responses, where the pairs come from a grammar."""
    report: JsonObject
    canonical: Canonical
    """What the tokenizer sees of a line: words of prompts and responses are compared so."""


def load_prompted_text(
    config: PromptedTextConfig, tokenizer: Tokenizer | None = None
) -> PromptedText:
    """Read, split, tokenize and count. `tokenizer` is a run's own; None builds one.

    Raises `UserError` for files, fields, pairs or prompts that cannot be used.
    """
    canonical = config.tokenizer.build_canonical()
    pairs = read_pairs(config, canonical)
    _check_size("train", pairs["train"], 0, config)  # before a tokenizer is built of nothing
    if tokenizer is None:
        tokenizer = config.tokenizer.build(_lines_to_learn_from(pairs["train"], config))
    encoder = PairEncoder(tokenizer, config)
    fitted = {name: encoder.fit(part) for name, part in pairs.items()}
    for name, part in fitted.items():
        _check_size(name, part.pairs, part.dropped, config)
    report = _describe(fitted, tokenizer, config, canonical)
    report["warnings"] = unknown_warnings(report, config.tokenizer.counts_words, "data")
    further_MP = None
    if config.prompts is not None:
        further_MP = encoder.fit_prompts(read_prompts(config.prompts, config))
        further = further_MP.tolist()
        report["further_prompts"] = {"prompts": len(further), "sha256": _hash(further)}
    splits = {name: encoder.to_split(part) for name, part in fitted.items()}
    space = SequenceSpace(
        tokenizer.vocab_size, config.length, tokenizer.end_id, prompt=config.prompt_length
    )
    return PromptedText(
        space,
        tokenizer,
        splits["train"],
        splits["valid"],
        splits["test"],
        further_MP,
        config.source.build_truth(),
        report,
        canonical,
    )


def _lines_to_learn_from(pairs: Pairs, config: PromptedTextConfig) -> list[str]:
    sides = ((pairs.prompts, config.prompt_length), (pairs.responses, config.length))
    found = [
        line
        for lines, length in sides
        for line in config.tokenizer.lines_to_learn_from(lines, length, config.overlong)
    ]
    if found:
        return found
    raise UserError(
        f"{pairs.source}: all {len(pairs)} training pairs are longer than data.prompt_length or "
        "data.length; raise these, or set data.overlong=truncate"
    )


def _check_size(name: str, pairs: Pairs, dropped: int, config: PromptedTextConfig) -> None:
    """Refuse a training split of fewer than two pairs, or an empty one."""
    needed = 2 if name == "train" else 1
    if len(pairs) >= needed:
        return
    if dropped:
        why = f"{dropped} were dropped as longer than data.prompt_length or data.length"
        remedy = "raise these, or set data.overlong=truncate"
    else:
        why = f"data.max_train={config.max_train}" if config.max_train else "there are few pairs"
        remedy = "give more pairs, raise data.max_train, or give separate held-out data"
    raise UserError(
        f"{pairs.source}: the {name} split has {len(pairs)} pairs and needs at least {needed} "
        f"({why}); {remedy}"
    )


@dataclass(frozen=True, slots=True)
class FittedPairs:
    """Pairs as ids that fit, and what it took to make them fit."""

    pairs: Pairs
    prompts: list[list[int]]
    responses: list[list[int]]
    """Without the end token, for which there may be no room."""
    dropped: int
    truncated: int
    longest_prompt: int
    longest: int


class PairEncoder:
    """From text to ids of the configured lengths."""

    def __init__(self, tokenizer: Tokenizer, config: PromptedTextConfig) -> None:
        self._tokenizer = tokenizer
        self._config = config

    def fit(self, pairs: Pairs) -> FittedPairs:
        """Encode, and deal with pairs that are longer than the model as configured."""
        config, encode = self._config, self._tokenizer.encode
        prompts = self._encode_prompts(Sentences(pairs.source, pairs.prompts, pairs.numbers))
        responses = [encode(line) for line in pairs.responses]
        longest_prompt = max(map(len, prompts), default=0)
        longest = max((len(ids) + 1 for ids in responses), default=0)
        long_rows = [
            row
            for row, (prompt, response) in enumerate(zip(prompts, responses, strict=True))
            if len(prompt) > config.prompt_length or len(response) + 1 > config.length
        ]
        if long_rows and config.overlong == "error":
            row = long_rows[0]
            raise UserError(
                f"{pairs.source}: line {pairs.numbers[row]} has a prompt of {len(prompts[row])} "
                f"tokens and a response of {len(responses[row]) + 1} with its end token, but "
                f"data.prompt_length={config.prompt_length}, data.length={config.length}; raise "
                f"them (the longest need {longest_prompt} and {longest}), or set "
                "data.overlong=drop or data.overlong=truncate"
            )
        kept = list(range(len(pairs)))
        if config.overlong == "drop":
            kept = sorted(set(kept) - set(long_rows))
        return FittedPairs(
            pairs.take(kept),
            [prompts[row][: config.prompt_length] for row in kept],
            [responses[row][: config.length] for row in kept],
            len(long_rows) if config.overlong == "drop" else 0,
            len(long_rows) if config.overlong == "truncate" else 0,
            longest_prompt,
            longest,
        )

    def fit_prompts(self, prompts: Sentences) -> Tensor:
        """Prompts alone, by the same rules: `cond` [M, P]."""
        config = self._config
        encoded = self._encode_prompts(prompts)
        too_long = [row for row, ids in enumerate(encoded) if len(ids) > config.prompt_length]
        if too_long and config.overlong == "error":
            row = too_long[0]
            raise UserError(
                f"{prompts.source}: line {prompts.numbers[row]} has {len(encoded[row])} tokens, "
                f"but data.prompt_length={config.prompt_length}; raise it (the longest needs "
                f"{max(map(len, encoded))}), or set data.overlong=drop or data.overlong=truncate"
            )
        if config.overlong == "drop":
            encoded = [ids for ids in encoded if len(ids) <= config.prompt_length]
        if not encoded:
            raise UserError(
                f"{prompts.source}: all prompts were dropped as longer than "
                f"data.prompt_length={config.prompt_length}; raise it, or set "
                "data.overlong=truncate"
            )
        return self._filled(encoded)

    def _filled(self, prompts: list[list[int]]) -> Tensor:
        return fill_in_front(prompts, self._config.prompt_length, self._tokenizer.end_id)

    def _encode_prompts(self, prompts: Sentences) -> list[list[int]]:
        encoded = [self._tokenizer.encode(line) for line in prompts.lines]
        if self._config.prompt_length == 1:
            for row, ids in enumerate(encoded):
                self._check_label(ids, prompts, row)
        return encoded

    def _check_label(self, ids: list[int], prompts: Sentences, row: int) -> None:
        where = f"{prompts.source}: line {prompts.numbers[row]}: the label {prompts.lines[row]!r}"
        if len(ids) != 1:
            raise UserError(
                f"{where} is {len(ids)} tokens, but data.prompt_length=1; write it as one token, "
                "or raise data.prompt_length"
            )
        if ids[0] == self._tokenizer.unk_id:
            raise UserError(
                f"{where} is no token of the vocabulary; labels have to occur in the training "
                "pairs (see data.tokenizer.min_count and max_size)"
            )

    def to_split(self, fitted: FittedPairs) -> PromptedSplit:
        """The tensors of one split."""
        end_id = self._tokenizer.end_id
        ids_NT = np.full((len(fitted.responses), self._config.length), end_id, dtype=np.int64)
        for row, ids in enumerate(fitted.responses):
            ids_NT[row, : len(ids)] = ids
        x = torch.from_numpy(ids_NT)
        batch = Batch(x, mask_until_end(x, end_id), self._filled(fitted.prompts))
        return PromptedSplit(batch, fitted.pairs.prompts, fitted.pairs.responses)


def fill_in_front(prompts: list[list[int]], length: int, fill: int) -> Tensor:
    """`cond` [B, length]: the first `length` ids of each, behind as many fills as are missing."""
    rows = [[fill] * (length - len(ids)) + ids[:length] for ids in prompts]
    return torch.tensor(rows, dtype=torch.long).view(-1, length)


def _describe(
    splits: dict[str, FittedPairs],
    tokenizer: Tokenizer,
    config: PromptedTextConfig,
    canonical: Canonical,
) -> JsonObject:
    """Counts by split, as `corpus.describe_splits` has them: `longest` counts the end token, and
    both longest stand for what was read, before drops and cuts."""
    prompts = {
        name: [canonical(line) for line in part.pairs.prompts] for name, part in splits.items()
    }
    keys = {
        name: list(zip(prompts[name], map(canonical, part.pairs.responses), strict=True))
        for name, part in splits.items()
    }
    report: JsonObject = {
        "vocabulary": tokenizer.vocab_size,
        "prompt_length": config.prompt_length,
        "length": config.length,
    }
    for name in ("train", "valid", "test"):
        part = splits[name]
        report[name] = {
            "pairs": len(part.pairs),
            "dropped": part.dropped,
            "truncated": part.truncated,
            "longest_prompt": part.longest_prompt,
            "longest": part.longest,
            "unk_rate": unknown_rate(part.prompts + part.responses, tokenizer.unk_id),
            "duplicates": len(keys[name]) - len(set(keys[name])),
            "sha256": _hash([part.prompts, part.responses]),
        }
        if name != "train":
            known = set(keys["train"])
            report[name]["in_train"] = sum(key in known for key in keys[name])
            known_prompts = set(prompts["train"])
            report[name]["prompts_in_train"] = sum(key in known_prompts for key in prompts[name])
    return report


def _hash(tree: object) -> str:
    return hashlib.sha256(json.dumps(tree).encode()).hexdigest()
