"""Prompts and their responses as token ids: what conditional games on text learn from.

Decisions
- One vocabulary, from the prompts and responses of the training split.
- A prompt has `data.prompt_length` columns and no end token of its own. Shorter prompts are filled
  up *in front*, by the end token, which networks leave out (`models/prompted.py`).
- A response takes one column per token and one for its end, as in `corpus.py`. A pair of which one
  part is too long is dropped whole; where `data.overlong=truncate`, either part keeps its first
  tokens.
- With `data.prompt_length=1` prompts are labels: each has to be one token that the vocabulary
  knows, and nothing is cut to make it one.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from seqgan.core.errors import UserError
from seqgan.core.masks import mask_until_end
from seqgan.core.plain import JsonObject
from seqgan.core.types import Batch, SequenceSpace
from seqgan.data.corpus import pad
from seqgan.data.counts import count_copies, hash_of, unknown_rate, unknown_warnings
from seqgan.data.pair_sources import Pairs
from seqgan.data.sources import Limits, Sentences
from seqgan.data.tokenizer_contract import Canonical, Tokenizer, TokenizerRecipe

Fits = Callable[[str, str], bool]
"""`fits(prompt, response)`: whether the response is a right one."""


@dataclass(frozen=True, slots=True)
class PromptedSplit:
    """N pairs: `x` are the responses, `cond` [N, P] the prompts; and both as they were read."""

    batch: Batch
    prompts: list[str]
    responses: list[str]
    report: JsonObject = field(default_factory=dict)
    """Counts and a hash, as plain JSON."""


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
    """What the tokenizer reads of a line: words of prompts and responses are compared so."""


def load_prompted_text(
    pairs: dict[str, Pairs],
    recipe: TokenizerRecipe,
    limits: Limits,
    prompt_length: int,
    *,
    further: Sentences | None = None,
    fits: Fits | None = None,
    tokenizer: Tokenizer | None = None,
) -> PromptedText:
    """Tokenize and count the pairs of `train`, `valid` and `test`, and `further` prompts.

    `limits` are those of responses. `fits` is the truth about responses. `tokenizer` is a run's
    own; None builds one. Raises `UserError` for pairs or prompts that cannot be used.
    """
    train = pairs["train"]
    _check_size("train", train.source, len(train), 0, limits)  # no tokenizer is built of nothing
    if tokenizer is None:
        tokenizer = recipe.build(_lines_to_learn_from(train, recipe, limits, prompt_length))
    encoder = PairEncoder(tokenizer, limits, prompt_length)
    splits = {name: encoder.encode(part) for name, part in pairs.items()}
    for name, part in splits.items():
        source, dropped = pairs[name].source, part.report["dropped"]
        _check_size(name, source, len(part.prompts), dropped, limits)
    report = _describe(splits, tokenizer, limits.length, prompt_length, recipe.canonical)
    report["warnings"] = unknown_warnings(report, recipe.counts_words, "data")
    further_MP = None
    if further is not None:
        further_MP = encoder.encode_prompts(further)
        rows = further_MP.tolist()
        report["further_prompts"] = {"prompts": len(rows), "sha256": hash_of(rows)}
    return PromptedText(
        SequenceSpace(tokenizer.vocab_size, limits.length, tokenizer.end_id, prompt=prompt_length),
        tokenizer,
        **splits,
        further_MP=further_MP,
        fits=fits,
        report=report,
        canonical=recipe.canonical,
    )


def _lines_to_learn_from(
    pairs: Pairs, recipe: TokenizerRecipe, limits: Limits, prompt_length: int
) -> list[str]:
    prompts = recipe.lines_to_learn_from(pairs.prompts, prompt_length, limits.overlong)
    found = prompts + recipe.lines_to_learn_from(pairs.responses, limits.length, limits.overlong)
    if found:
        return found
    raise UserError(
        f"{pairs.source}: all {len(pairs)} training pairs are longer than data.prompt_length or "
        "data.length; raise these, or set data.overlong=truncate"
    )


def _check_size(name: str, source: str, count: int, dropped: int, limits: Limits) -> None:
    """Refuse a training split of fewer than two pairs, or an empty one."""
    needed = 2 if name == "train" else 1
    if count >= needed:
        return
    if dropped:
        why = f"{dropped} were dropped as longer than data.prompt_length or data.length"
        remedy = "raise these, or set data.overlong=truncate"
    else:
        why, raised = "there are few pairs", ""
        if limits.max_train:
            why, raised = f"data.max_train={limits.max_train}", " raise data.max_train,"
        remedy = f"give more pairs,{raised} or give separate held-out data"
    raise UserError(
        f"{source}: the {name} split has {count} pairs and needs at least {needed} "
        f"({why}); {remedy}"
    )


class PairEncoder:
    """From text to ids of at most `prompt_length` and `limits.length` columns."""

    def __init__(self, tokenizer: Tokenizer, limits: Limits, prompt_length: int) -> None:
        self._tokenizer = tokenizer
        self._limits = limits
        self._prompt_length = prompt_length

    def encode(self, pairs: Pairs) -> PromptedSplit:
        """Encode, and deal with pairs that are longer than the model as configured."""
        length, overlong, P = self._limits.length, self._limits.overlong, self._prompt_length
        prompts = self._ids_of_prompts(Sentences(pairs.source, pairs.prompts, pairs.numbers))
        responses = [self._tokenizer.encode(line) for line in pairs.responses]
        longest_prompt = max(map(len, prompts), default=0)
        longest = max((len(ids) + 1 for ids in responses), default=0)
        rows = range(len(pairs))
        long_rows = [row for row in rows if len(prompts[row]) > P or len(responses[row]) >= length]
        if long_rows and overlong == "error":
            row = long_rows[0]
            raise UserError(
                f"{pairs.source}: line {pairs.numbers[row]} has a prompt of {len(prompts[row])} "
                f"tokens and a response of {len(responses[row]) + 1} with its end token, but "
                f"data.prompt_length={P}, data.length={length}; raise "
                f"them (the longest need {longest_prompt} and {longest}), or set "
                "data.overlong=drop or data.overlong=truncate"
            )
        kept = [*rows] if overlong != "drop" else sorted({*rows} - {*long_rows})
        prompts = [prompts[row][:P] for row in kept]
        # Without the end token, for which there may be no room.
        responses = [responses[row][:length] for row in kept]
        report: JsonObject = {
            "pairs": len(kept),
            "dropped": len(pairs) - len(kept),
            "truncated": len(long_rows) if overlong == "truncate" else 0,
            # In tokens, the end token of responses included, before drops and cuts.
            "longest_prompt": longest_prompt,
            "longest": longest,
            "unk_rate": unknown_rate(prompts + responses, self._tokenizer.unk_id),
            "sha256": hash_of([prompts, responses]),
        }
        x = pad(responses, length, self._tokenizer.end_id)
        batch = Batch(x, mask_until_end(x, self._tokenizer.end_id), self._filled(prompts))
        part = pairs.take(kept)
        return PromptedSplit(batch, part.prompts, part.responses, report)

    def encode_prompts(self, prompts: Sentences) -> Tensor:
        """Prompts alone, by the same rules: `cond` [M, P]."""
        overlong, P = self._limits.overlong, self._prompt_length
        encoded = self._ids_of_prompts(prompts)
        too_long = [row for row, ids in enumerate(encoded) if len(ids) > P]
        if too_long and overlong == "error":
            row = too_long[0]
            raise UserError(
                f"{prompts.source}: line {prompts.numbers[row]} has {len(encoded[row])} tokens, "
                f"but data.prompt_length={P}; raise it (the longest needs "
                f"{max(map(len, encoded))}), or set data.overlong=drop or data.overlong=truncate"
            )
        if overlong == "drop":
            encoded = [ids for ids in encoded if len(ids) <= P]
        if not encoded:
            raise UserError(
                f"{prompts.source}: all prompts were dropped as longer than "
                f"data.prompt_length={P}; raise it, or set data.overlong=truncate"
            )
        return self._filled(encoded)

    def _filled(self, prompts: list[list[int]]) -> Tensor:
        return fill_in_front(prompts, self._prompt_length, self._tokenizer.end_id)

    def _ids_of_prompts(self, prompts: Sentences) -> list[list[int]]:
        encoded = [self._tokenizer.encode(line) for line in prompts.lines]
        if self._prompt_length == 1:
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


def fill_in_front(prompts: list[list[int]], length: int, fill: int) -> Tensor:
    """`cond` [B, length]: the first `length` ids of each, behind as many fills as are missing."""
    rows = [[fill] * (length - len(ids)) + ids[:length] for ids in prompts]
    return torch.tensor(rows, dtype=torch.long).view(-1, length)


def _describe(
    splits: dict[str, PromptedSplit],
    tokenizer: Tokenizer,
    length: int,
    prompt_length: int,
    canonical: Canonical,
) -> JsonObject:
    """Counts by split, with the pairs and the prompts that stand in the training data as well."""
    prompts = {name: [*map(canonical, part.prompts)] for name, part in splits.items()}
    pairs = {
        name: [*zip(prompts[name], map(canonical, part.responses), strict=True)]
        for name, part in splits.items()
    }
    copies, known = count_copies(pairs), count_copies(prompts)
    report: JsonObject = {"vocabulary": tokenizer.vocab_size}
    report |= {"prompt_length": prompt_length, "length": length}
    for name in ("train", "valid", "test"):
        report[name] = splits[name].report | copies[name]
        if name != "train":
            report[name]["prompts_in_train"] = known[name]["in_train"]
    return report
