"""Noise for translators of text: on the sentences that one writes, in the form of those it reads.

`direction` (a2b, b2a) is the translator's: a2b writes sentences of b and usually reads those of a.
"""

from typing import Any

import torch
from torch import Tensor

from seqgan.core.errors import UserError
from seqgan.core.types import Batch
from seqgan.data.noise import Gloss, Noise, fit, longest_sentence, lookup, mixed, noisy_words
from seqgan.data.subword_tokenizers import word_starts
from seqgan.data.tokenizer_contract import Tokenizer
from seqgan.data.unpaired_text import UnpairedText, encode_lines


def word_noise(
    text: UnpairedText,
    direction: str,
    device: torch.device,
    *,
    drop: float,
    blank: float,
    shuffle: float,
    gloss: bool,
) -> Noise:
    """Words dropped, blanked and shuffled; with `gloss`, of the sentence's word-for-word
    translation. Raises `UserError` for tokenizers with which this is impossible."""
    other, side = text.sides(direction)
    damaged = other if gloss else side
    unknown = damaged.tokenizer.unk_id
    if blank and unknown < 0:
        raise UserError(
            "game.noise.blank: this tokenizer has no unknown token to blank words with; set it to "
            "0, or use another tokenizer"
        )
    starts_word_V = _word_starts(damaged.tokenizer, device)

    def noisy(batch: Batch) -> Tensor:
        return noisy_words(
            batch, damaged.space, unknown, starts_word_V, drop=drop, blank=blank, shuffle=shuffle
        )

    if gloss:
        glosses = _glosses(text, direction, device)
        return lambda batch: noisy(Batch(glosses(batch.x)))
    return lambda batch: fit(noisy(batch), other.space.length, side.space.end_id)


def mix_noise(
    text: UnpairedText,
    direction: str,
    device: torch.device,
    *,
    copies: int,
    **scatter: Any,
) -> Noise:
    """The sentence's words scattered over a training sentence of the other side (`mixed`). Raises
    `UserError` where there is no room for them."""
    other, side = text.sides(direction)
    words, room = longest_sentence(side.train.ids_NT, side.space), other.space.length - 1
    if copies * words > room:
        raise UserError(
            f"game.noise.copies={copies}: the longest sentence to hide has {words} words, and "
            f"sentences of the other side have room for {room}; lower it, give them more columns, "
            f"or leave the direction into the longer sentences out of game.directions"
        )
    other_NT = other.train.ids_NT.to(device)
    return lambda batch: mixed(batch, side.space, other.space, other_NT, copies=copies, **scatter)


def _glosses(text: UnpairedText, direction: str, device: torch.device) -> Gloss:
    """Training sentences word for word in the language that the translator reads."""
    other, side = text.sides(direction)
    if text.word_for_word is None:
        raise TypeError("this text has no lexicon to gloss with")
    glosses = text.word_for_word("b2a" if direction == "a2b" else "a2b", side.train.lines)
    return lookup(side.train.ids_NT.to(device), encode_lines(glosses, other)[0].to(device))


def _word_starts(tokenizer: Tokenizer, device: torch.device) -> Tensor | None:
    """Which tokens begin a word; None where each is a word."""
    starts = word_starts(tokenizer)
    if starts is None:
        return None
    if not starts:
        raise UserError(
            "game.noise.name=words: no piece of data.tokenizer has a mark that tells where words "
            "begin; set data.tokenizer.name to word or sentencepiece, or use noise mix"
        )
    return torch.tensor(starts, device=device)
