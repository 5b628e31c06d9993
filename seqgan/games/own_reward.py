"""A reward of one's own for game `reward`: any number that can be computed from a sentence."""

from collections.abc import Callable
from inspect import signature
from typing import Any

import torch
from torch import Tensor

from seqgan.core.errors import UserError
from seqgan.core.extensions import load_object, where_it_failed
from seqgan.core.types import SharedPrefix
from seqgan.data.tokenizer_contract import Tokenizer


class OwnReward:
    """`core.types.Reward`: what `function` makes of B sentences, one finite number per sentence.

    A class is made without arguments and then called. With the attribute `reads = "text"` (the
    default) sentences are strings, ids with spaces between them where there is no tokenizer; with
    `reads = "ids"` they are lists of ids. The end token is left out. `key` opens error messages.

        OwnReward(len, end_id=None, tokenizer=None)(ids_BT, mask_BT)
    """

    def __init__(
        self,
        function: Callable[..., object],
        end_id: int | None,
        tokenizer: Tokenizer | None,
        key: str = "scorer",
    ) -> None:
        self._key = key
        self._end_id = end_id
        self._tokenizer = tokenizer
        self._function = self._made(function) if isinstance(function, type) else function
        self._reads = getattr(self._function, "reads", "text")
        if self._reads not in ("text", "ids"):
            raise UserError(f"{key}: reads={self._reads!r}; set it to 'text' or 'ids'")

    def __call__(
        self, x: Tensor, mask: Tensor | None, shared: SharedPrefix | None = None
    ) -> Tensor:
        assert mask is not None, "sequences have masks"
        kept_BT = mask if self._end_id is None else mask & (x != self._end_id)
        ids = [row[kept].tolist() for row, kept in zip(x.cpu(), kept_BT.cpu(), strict=True)]
        sentences = ids if self._reads == "ids" else [self._text(row) for row in ids]
        return self._checked(self._run(self._function, sentences), len(x)).to(x.device)

    def _text(self, ids: list[int]) -> str:
        return " ".join(map(str, ids)) if self._tokenizer is None else self._tokenizer.decode(ids)

    def _made(self, scorer: type) -> Any:
        try:
            signature(scorer).bind()
        except TypeError as error:
            raise UserError(
                f"{self._key}: the class {scorer.__name__} is made without arguments ({error}); "
                "give each a default"
            ) from None
        except ValueError:  # a class of C has no signature
            pass
        return self._run(scorer)

    def _run(self, function: Callable[..., object], *arguments: list[Any]) -> Any:
        try:
            return function(*arguments)
        except Exception as error:
            given = ""
            if arguments:
                each = "a string" if self._reads == "text" else "a list of ids"
                given = f"; it is given a list of all {len(arguments[0])} sentences, each {each}"
            raise UserError(f"{self._key}: failed{where_it_failed(error)}{given}") from error

    def _checked(self, values: object, rows: int) -> Tensor:
        try:
            value_B = torch.as_tensor(values, dtype=torch.float32)
        except (TypeError, ValueError, RuntimeError) as error:
            returned = type(values).__name__
            if isinstance(values, list | tuple) and values:
                returned += f" of {type(values[0]).__name__}"
            raise UserError(f"{self._key}: returned {returned}; return {rows} numbers") from error
        if value_B.shape != (rows,):
            shape = " x ".join(map(str, value_B.shape)) or "one"
            raise UserError(
                f"{self._key}: returned {shape} numbers for {rows} sentences; return one for each"
            )
        if not bool(value_B.isfinite().all()):
            bad = int((~value_B.isfinite()).nonzero()[0])
            raise UserError(
                f"{self._key}: returned {float(value_B[bad])} for sentence {bad}; rewards have to "
                "be finite"
            )
        return value_B


def own_reward(path: str, end_id: int | None, tokenizer: Tokenizer | None) -> OwnReward:
    """The reward at an import path MODULE:NAME."""
    return OwnReward(load_object(path), end_id, tokenizer, f"game.scorer={path}")
