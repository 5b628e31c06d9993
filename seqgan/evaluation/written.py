"""Translations as text, for people and for scores against references."""

from torch import Tensor

from seqgan.core.types import Generator
from seqgan.data.tokenizer_contract import UNKNOWN, Tokenizer
from seqgan.translate import copied_columns


def written_lines(
    generator: Generator,
    target: Tokenizer,
    source: Tokenizer,
    lines: list[str],
    cond: Tensor,
    ids_BT: Tensor,
) -> list[str]:
    """The text of translations of `lines`, which the generator read as `cond` (`ids_BS`).

    An `<unk>` that was copied is the source's own word.
    """
    column_BT = copied_columns(generator, ids_BT, cond, target.unk_id)
    if column_BT is None:
        return [target.decode(row) for row in ids_BT.tolist()]
    rows = zip(ids_BT.tolist(), column_BT.tolist(), lines, strict=True)
    return [_with_copies(target, row, columns, source.surface(line)) for row, columns, line in rows]


def _with_copies(target: Tokenizer, row: list[int], columns: list[int], words: list[str]) -> str:
    """The text of one row; `columns` are −1 where nothing was copied."""
    text = target.decode(row)
    unknown = [column for index, column in zip(row, columns, strict=True) if index == target.unk_id]
    parts = text.split(UNKNOWN)
    if len(parts) <= len(unknown):  # a tokenizer from elsewhere writes it differently
        return text
    copies = [words[column] if 0 <= column < len(words) else UNKNOWN for column in unknown]
    copies += [UNKNOWN] * (len(parts) - 1 - len(copies))
    return parts[0] + "".join(word + part for word, part in zip(copies, parts[1:], strict=True))
