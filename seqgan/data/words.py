"""Lines of languages with spaces, cut into words and joined again: for word-for-word lexicons.

Tokenizers cut text for networks; this is for counting. An elided word keeps its apostrophe
(`l'homme`: `l'` and `homme`), every other mark is a word of its own.
"""

import re
from collections.abc import Iterable

_WORD = re.compile(r"\w+['’]|\w+|[^\w\s]")
_ELIDED = re.compile(r"(['’]) ")
_LEANS_LEFT = re.compile(r" ([.,!?;:)])")


def cut_words(line: str) -> list[str]:
    """Words and marks, without spaces."""
    return _WORD.findall(line)


def join_words(words: Iterable[str]) -> str:
    """A line again: an apostrophe leans on what follows, a full stop on what comes before."""
    return _LEANS_LEFT.sub(r"\1", _ELIDED.sub(r"\1", " ".join(words)))
