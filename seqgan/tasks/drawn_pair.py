"""What tasks of two drawn kinds of text share."""

import hashlib

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from seqgan.core.masks import mask_until_end
from seqgan.core.plain import JsonObject
from seqgan.core.types import SequenceSpace
from seqgan.data.corpus import Corpus, EncodedSplit
from seqgan.data.tokenizer_contract import Tokenizer

Ints = NDArray[np.int64]


def drawn_corpus(
    space: SequenceSpace, tokenizer: Tokenizer, splits: dict[str, tuple[Tensor, list[str]]]
) -> Corpus:
    """One side, of `ids_NT` and lines; the hashes of its report tell a resumed run whether the text
    is the same."""
    encoded = {}
    report: JsonObject = {"vocabulary": space.vocab_size, "length": space.length}
    for name, (ids_NT, lines) in splits.items():
        mask_NT = mask_until_end(ids_NT, space.end_id)
        encoded[name] = EncodedSplit(ids_NT, mask_NT, lines)
        report[name] = {
            "lines": len(lines),
            "longest": int(mask_NT.sum(1).max()),
            "sha256": hashlib.sha256(ids_NT.numpy().astype("<i8").tobytes()).hexdigest(),
        }
    return Corpus(space, tokenizer, **encoded, report=report)
