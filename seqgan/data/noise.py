"""Noise on sentences: what a denoising generator has to repair.

words   drop and blank whole words, then shuffle them locally: word i goes to the rank of
        i + U(0, shuffle + 1) (Lample et al. 2018). With `gloss` the sentence is translated word for
        word into the other language before that (their word-by-word start, as a noise).
mix     the words of a short text scattered, `copies` times, over the words of a long one, in
        their order or in any (Fevry & Phang 2018 add words of other sentences and shuffle; Wang &
        Lee 2018 shuffle the long text).

Noise is applied to what a generator *reads*, never to what it is to write, on the device and with
torch's global generator. Columns behind a sentence's end hold end tokens again afterwards. Pieces
of a word stay together: `starts_word_V` says which tokens begin a new one (None: all do).
"""

from collections.abc import Callable

import torch
from torch import Tensor

from seqgan.core.types import Batch, SequenceSpace

Noise = Callable[[Batch], Tensor]
"""`noise(batch)`: ids that a generator into the batch's side reads instead of them."""

Gloss = Callable[[Tensor], Tensor]
"""`gloss(ids_BT)`: training sentences word for word in the other language, ids of its
vocabulary."""

_LAST = 1e6
"""A rank behind every word's."""


def noisy_words(
    batch: Batch,
    space: SequenceSpace,
    unknown: int,
    starts_word_V: Tensor | None = None,
    *,
    drop: float = 0.1,
    blank: float = 0.0,
    shuffle: float = 3.0,
) -> Tensor:
    """Sentences `ids_BT` with words dropped, blanked and shuffled.

    `drop` and `blank` are probabilities per word; words move by less than about `shuffle` places.
    """
    ids_BT, words_BT = batch.x, _word_mask(batch, space)
    index_BT = _word_index(ids_BT, starts_word_V)
    kept_BT = words_BT & (_per_word(torch.rand_like, index_BT) >= drop)
    # One word always stays: of a sentence that lost all, the first.
    lost_B1 = ~kept_BT.any(1, keepdim=True)
    kept_BT = kept_BT | (lost_B1 & words_BT & (index_BT == 0))
    blank_BT = _per_word(torch.rand_like, index_BT) < blank
    ids_BT = ids_BT.masked_fill(blank_BT & words_BT, unknown)
    rank_BT = index_BT.float()
    if shuffle:
        rank_BT = rank_BT + _per_word(torch.rand_like, index_BT) * (shuffle + 1)
    return _in_order(ids_BT, rank_BT, kept_BT, space.end_id)


def mixed(
    batch: Batch,
    space: SequenceSpace,
    other: SequenceSpace,
    other_NT: Tensor,
    *,
    copies: int = 2,
    ordered: bool = False,
    within: float = 1.0,
    drop: float = 0.1,
    background: float = 0.5,
    shuffle: float = 3.0,
) -> Tensor:
    """`ids_BS` in the form of the other side: each row a text of it with the sample's words.

    Each word is put in `copies` times, within the first `within` of the columns, and each copy
    dropped with probability `drop`; `background` is the share of the text's own words that stay.
    """
    rows = len(batch.x)
    pick_B = torch.randint(len(other_NT), (rows,), device=batch.x.device)
    around = Batch(other_NT[pick_B])
    words_BS = _word_mask(around, other)
    words_BS &= torch.rand(words_BS.shape, device=words_BS.device) < background
    rank_BS = torch.arange(other.length, device=words_BS.device).expand(rows, -1).float()
    if shuffle:
        rank_BS = rank_BS + torch.rand_like(rank_BS) * (shuffle + 1)
    ids_BM, kept_BM = batch.x.repeat(1, copies), _word_mask(batch, space)
    kept_BM = kept_BM.repeat(1, copies)
    kept_BM &= torch.rand(kept_BM.shape, device=kept_BM.device) >= drop
    place_BCT = torch.rand(rows, copies, batch.x.shape[1], device=kept_BM.device)
    if ordered:
        # Columns behind the end go last: sorted among the words they would draw these to the front.
        behind_B1T = ~_word_mask(batch, space)[:, None]
        place_BCT = place_BCT.masked_fill(behind_B1T, 2.0).sort(-1).values
    rank_BM = place_BCT.flatten(1) * within * other.length
    # What does not fit is cut from the background: the sample's words are to be found again.
    room_B1 = other.length - 1 - kept_BM.sum(1, keepdim=True)
    words_BS &= words_BS.cumsum(1) <= room_B1
    ids = torch.cat([ids_BM, around.x], 1)
    in_order = _in_order(
        ids, torch.cat([rank_BM, rank_BS], 1), torch.cat([kept_BM, words_BS], 1), other.end_id
    )
    return fit(in_order, other.length, other.end_id)


def lookup(ids_NT: Tensor, glosses_NS: Tensor) -> Gloss:
    """Glosses of the sentences `ids_NT`, found on the device by a 64-bit hash of their tokens.

    Of equal sentences the first one's gloss. Two of a million different ones share a hash with
    probability 3e-8.
    """
    drawn = torch.Generator().manual_seed(0)
    weight_T = torch.randint(-(2**63), 2**63 - 1, (ids_NT.shape[1],), generator=drawn)
    weight_T = weight_T.to(ids_NT.device)

    def hashed(ids_BT: Tensor) -> Tensor:
        return (ids_BT * weight_T).sum(-1)  # modulo 2^64

    hash_N, row_N = hashed(ids_NT).sort(stable=True)
    return lambda ids_BT: glosses_NS[row_N[torch.searchsorted(hash_N, hashed(ids_BT))]]


def longest_sentence(ids_NT: Tensor, space: SequenceSpace) -> int:
    """Tokens of the longest one, without its end."""
    return int(_word_mask(Batch(ids_NT), space).sum(1).max())


def fit(ids_BT: Tensor, length: int, end_id: int | None) -> Tensor:
    """Cut or filled with end tokens to `length` columns."""
    missing = length - ids_BT.shape[1]
    if missing <= 0 or end_id is None:
        return ids_BT[:, :length]
    return torch.cat([ids_BT, ids_BT.new_full((len(ids_BT), missing), end_id)], 1)


def _word_mask(batch: Batch, space: SequenceSpace) -> Tensor:
    """Columns that hold words: in front of the end."""
    if space.end_id is None:
        return torch.ones_like(batch.x, dtype=torch.bool)
    return (batch.x == space.end_id).cumsum(1) == 0


def _word_index(ids_BT: Tensor, starts_word_V: Tensor | None) -> Tensor:
    """The number of the word that each column belongs to."""
    if starts_word_V is None:
        return torch.arange(ids_BT.shape[1], device=ids_BT.device).expand_as(ids_BT)
    starts_BT = starts_word_V[ids_BT]
    starts_BT[:, 0] = True  # byte-level vocabularies do not mark the first word of a sentence
    return starts_BT.cumsum(1) - 1


def _per_word(draw: Callable[..., Tensor], index_BT: Tensor) -> Tensor:
    """One number per word, spread over its columns."""
    numbers_BT = draw(index_BT, dtype=torch.float32)
    return numbers_BT.gather(1, index_BT)


def _in_order(ids_BT: Tensor, rank_BT: Tensor, kept_BT: Tensor, end_id: int | None) -> Tensor:
    """The kept tokens by rank, and end tokens behind them.

    Where there is no end token what is not kept stands, out of place, at the end of its row.
    """
    order_BT = rank_BT.masked_fill(~kept_BT, _LAST).argsort(dim=1, stable=True)
    ids_BT = ids_BT.gather(1, order_BT)
    if end_id is None:
        return ids_BT
    return ids_BT.masked_fill(~kept_BT.gather(1, order_BT), end_id)
