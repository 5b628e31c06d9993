"""Captions of cartoon faces: some of the attributes in words, such as "long blue hair , glasses".

A caption is written phrase by phrase in one order (hair, eyes, mouth, glasses); it may leave out
any attribute, and mentions at least one. "blue" is a colour of hair and of eyes: what it means
depends on the words around it.

    write(asked_NA)  → ids_NP      asked_NA: labels as `anatomy.ATTRIBUTES`, −1 where not mentioned
    read(ids_NP)     → asked_NA    the inverse
    parse(text)      → asked_A     of a person's words, phrases and adjectives in any order

Ids are those of `WORDS`; the first word fills a caption up behind its end.
"""

import torch
from torch import Tensor

from seqgan.core.errors import UserError, did_you_mean
from seqgan.data.captions import Captions
from seqgan.tasks.faces.anatomy import ATTRIBUTES, LABEL_SIZES
from seqgan.tasks.faces.drawing import sample_labels

MENTIONED = 0.6
"""Probability that a caption mentions an attribute."""

_VALUES: tuple[tuple[str, ...], ...] = tuple(a.values for a in ATTRIBUTES)
_NOUNS = ("hair", "hair", "eyes", "mouth", "glasses")
"""What each attribute's word is said of."""
WORDS = ("<end>", ",", *dict.fromkeys(_NOUNS), *dict.fromkeys(sum(_VALUES[:4], ())), "no")
"""The vocabulary; an id is an index."""
_ID = {word: index for index, word in enumerate(WORDS)}
_NONE = 0

_SLOTS: tuple[tuple[int, ...], ...] = ((0, 1), (2,), (3,), (4,))
"""The attributes of each phrase."""
COLUMNS = 12
"""Words of the longest caption: long blue hair , green eyes , open mouth , no glasses."""


def _word_ids(attribute: int) -> Tensor:
    """The word of each value; the last entry, of −1, is none. "yes" of glasses has no word."""
    words = _VALUES[attribute] if attribute < 4 else ("no", "<end>")
    return torch.tensor([*(_ID[word] for word in words), _NONE])


def write(asked_NA: Tensor) -> Tensor:
    """`ids_NP` of what is asked for; each row asks for at least one attribute."""
    columns: list[Tensor] = []
    said_N = torch.zeros_like(asked_NA[:, 0], dtype=torch.bool)
    for slot in _SLOTS:
        mentioned_N = (asked_NA[:, list(slot)] >= 0).any(1)
        columns.append(_where(mentioned_N & said_N, ","))
        columns += [_word_ids(a).to(asked_NA.device)[asked_NA[:, a]] for a in slot]
        columns.append(_where(mentioned_N, _NOUNS[slot[0]]))
        said_N = said_N | mentioned_N
    ids_NP = torch.stack(columns, 1)
    order_NP = (ids_NP == _NONE).long().argsort(dim=1, stable=True)  # gaps go behind the end
    return ids_NP.gather(1, order_NP)[:, :COLUMNS]


def read(ids_NP: Tensor) -> Tensor:
    """`asked_NA` of captions that `write` has written."""
    next_NP = torch.cat([ids_NP[:, 1:], torch.zeros_like(ids_NP[:, :1])], 1)
    found = []
    for attribute, noun in enumerate(_NOUNS):
        asked_N = torch.full_like(ids_NP[:, 0], -1)
        if noun == "glasses":
            asked_N = torch.where((ids_NP == _ID["glasses"]).any(1), 1, asked_N)
        for value, word in enumerate(_word_ids(attribute)[:-1].tolist()):
            # The length of hair may stand before its colour; all other words stand at their noun.
            at_noun_NP = (next_NP == _ID[noun]) | torch.tensor(attribute == 0)
            said_N = ((ids_NP == word) & at_noun_NP & (ids_NP != _NONE)).any(1)
            asked_N = torch.where(said_N, value, asked_N)
        found.append(asked_N)
    return torch.stack(found, 1)


def draw(labels_NA: Tensor, seed: int) -> Tensor:
    """`ids_NP`: a caption of each face, which mentions each attribute with `MENTIONED`."""
    stream = torch.Generator().manual_seed(seed)
    mentions_NA = torch.rand(labels_NA.shape, generator=stream) < MENTIONED
    one_N = torch.randint(labels_NA.shape[1], (len(labels_NA),), generator=stream)
    lonely_N = ~mentions_NA.any(1)
    mentions_NA[lonely_N, one_N[lonely_N]] = True
    return write(labels_NA.where(mentions_NA, -1))


def wrong(ids_NP: Tensor) -> Tensor:
    """Captions of which exactly one mention, drawn for each row, has another value."""
    asked_NA = read(ids_NP)
    weights_NA = (asked_NA >= 0).float()
    column_N1 = torch.multinomial(weights_NA, 1)
    sizes_N1 = torch.tensor(LABEL_SIZES, device=ids_NP.device)[column_N1]
    shift_N1 = 1 + (torch.rand(column_N1.shape, device=ids_NP.device) * (sizes_N1 - 1)).long()
    other_N1 = (asked_NA.gather(1, column_N1) + shift_N1.clamp(max=sizes_N1 - 1)) % sizes_N1
    return write(asked_NA.scatter(1, column_N1, other_N1))


def parse(caption: str) -> Tensor:
    """`asked_A` of words such as "glasses, long blue hair".

    Raises `UserError` for a word that no caption has, and for what says nothing.
    """
    asked = [-1] * len(_NOUNS)
    waiting: list[str] = []
    for word in caption.lower().replace(",", " , ").split():
        if word not in WORDS[1:]:
            known = ", ".join(WORDS[2:])
            raise UserError(
                f"prompt={caption!r}: captions have no word {word!r}"
                f"{did_you_mean(word, WORDS[2:]) or ';'} they are made of: {known}"
            )
        if word in _NOUNS:
            _ask(asked, waiting, word, caption)
            waiting = []
        elif word != ",":
            waiting.append(word)
    if waiting:
        raise UserError(
            f"prompt={caption!r}: {' '.join(waiting)!r} is said of nothing; write for example "
            f"'{' '.join(waiting)} {_noun_for(waiting[-1])}'"
        )
    if max(asked) < 0:
        raise UserError(f"prompt={caption!r}: says nothing; write for example 'long blue hair'")
    return torch.tensor(asked)


def _ask(asked: list[int], adjectives: list[str], noun: str, caption: str) -> None:
    """Note what a phrase asks for."""
    if noun == "glasses" and not adjectives:
        adjectives = ["yes"]
    for word in adjectives:
        fits = [
            attribute
            for attribute, values in enumerate(_VALUES)
            if _NOUNS[attribute] == noun and word in values
        ]
        if not fits or asked[fits[0]] >= 0:
            twice = "twice says what they are" if fits else f"cannot be {word!r}"
            raise UserError(f"prompt={caption!r}: {noun} {twice}; say it once, and of its part")
        asked[fits[0]] = _VALUES[fits[0]].index(word)


def _noun_for(word: str) -> str:
    return next((n for n, values in zip(_NOUNS, _VALUES, strict=True) if word in values), "glasses")


def _where(mentioned_N: Tensor, word: str) -> Tensor:
    return mentioned_N.long() * _ID[word]


def _examples(rows: int) -> Tensor:
    return draw(sample_labels(rows, seed=0), seed=0)


def _encode(caption: str) -> Tensor:
    return write(parse(caption)[None])[0]


CAPTIONS = Captions(WORDS, COLUMNS, draw, read, wrong, _examples, _encode)
