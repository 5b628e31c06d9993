"""Words in lines of languages that put spaces between them: for word-for-word lexicons.

Tokenizers cut text for networks; this is for counting. An elided word keeps its apostrophe
(`l'homme`: `l'` and `homme`), every other mark is a word of its own. Letters keep their combining
marks, with or without a composed form (Devanagari has none).
"""

import unicodedata
from collections.abc import Callable

import regex

# The package regex counts combining marks among \w, as re does not.
_WORD = regex.compile(r"\w+['’](?=\w)|\w+|[^\w\s]")
_WORD_AND_SPACE = regex.compile(rf"({_WORD.pattern})( ?)")
_APOSTROPHES = ("'", "’")


def cut_words(line: str) -> list[str]:
    """Words and marks, without spaces."""
    return _WORD.findall(unicodedata.normalize("NFC", line))


def replace_words(line: str, replace: Callable[[str], str]) -> str:
    """The line with each word and mark replaced, and its own spaces between them.

    Where an elided word comes or goes, so does the space behind it: `the water`, `l'eau`.
    """

    def exchange(found: regex.Match[str]) -> str:
        word, space = found.groups()
        other = replace(word)
        was, is_now = word.endswith(_APOSTROPHES), other.endswith(_APOSTROPHES)
        if was != is_now and len(word) > 1 and len(other) > 1:
            space = "" if is_now else " "
        return other + space

    return _WORD_AND_SPACE.sub(exchange, unicodedata.normalize("NFC", line))
