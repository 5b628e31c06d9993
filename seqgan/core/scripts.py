"""Words in text of any script, for metrics that count words.

A word is a run of letters, digits and the marks on them. In scripts that put no spaces between
words (Chinese, Japanese, Thai, Lao, Khmer, Burmese) each character with its marks is a word: no
dictionary is needed, and numbers do not depend on one. Korean has spaces, and its words are words.
"""

import unicodedata
from itertools import islice

import regex

_UNSPACED = (
    r"[[\p{L}\p{N}]&&[\p{scx=Han}\p{scx=Hira}\p{scx=Kana}\p{scx=Thai}\p{scx=Laoo}"
    r"\p{scx=Khmr}\p{scx=Mymr}]]\p{M}*"
)
_UNSPACED_CHARACTER = regex.compile(_UNSPACED, regex.V1)
_SPACED_OR_CHARACTER = regex.compile(rf"{_UNSPACED}|(?:(?!{_UNSPACED})\S)+", regex.V1)
_WORD = regex.compile(rf"{_UNSPACED}|(?:(?!{_UNSPACED})[\p{{L}}\p{{N}}\p{{M}}])+", regex.V1)


def words(line: str) -> list[str]:
    """The words, without punctuation and spaces; composed (NFC), in the case that they have."""
    found: list[str] = _WORD.findall(unicodedata.normalize("NFC", line))
    return found


def set_apart(line: str) -> str:
    """The line with spaces around each character of the scripts without spaces; other text stays
    as it is."""
    if line.isascii():
        return line
    return str(_UNSPACED_CHARACTER.sub(r" \g<0> ", line))


def first_words(line: str, count: int) -> str:
    """The line up to the end of so many words, as `set_apart` and spaces separate them."""
    found = islice(_SPACED_OR_CHARACTER.finditer(line), count)
    return line[: max((match.end() for match in found), default=0)]


def is_unspaced(character: str) -> bool:
    """Whether it belongs to a script without spaces between words."""
    return _UNSPACED_CHARACTER.match(character) is not None
