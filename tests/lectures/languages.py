"""Whether a text of the lectures is said in both languages."""

import re

from seqgan.lectures.idea import Said

KEPT = (
    *("mode collapse", "mode dropping", "mode", "minimax", "non-saturating", "divergence"),
    *("reverse KL", "Wasserstein distance", "moving plan", "gradient penalty", "norm", "cycle"),
    *("spectral normalization", "Inception score", "coverage", "kernel distance", "pix2pix"),
    *("logit", "baseline", "soft Gumbel", "minibatch std", "slerp", "lerp"),
    *("arg max", "log", "max", "inf"),
)
"""What the course says in English, and words of formulas. Names have a capital letter."""


def assert_said_in_both(text: Said) -> None:
    assert text.en.isprintable()
    assert text.zh.isprintable()
    assert not has_chinese(text.en), text
    assert has_chinese(text.zh), text
    assert english_left(text.zh) == [], text


def has_chinese(text: str) -> bool:
    return any("一" <= character <= "鿿" for character in text)


def english_left(text: str) -> list[str]:
    """Words of a Chinese text that should have been translated: two small letters or more."""
    kept = "|".join((r"configs/\w+", *map(re.escape, KEPT)))
    text = re.sub(rf"(?<![A-Za-z])(?:{kept})(?![A-Za-z])", "", text)
    return [word for word in re.findall(r"[A-Za-z]{2,}", text) if word.islower()]
